/*
 * follow_charsets.c - charsets of databases that a start in the past leaves open.
 *
 * The server's of now hold from the place of now on. Until the stream has reached it they are not
 * known, unless a statement tells: then the one of now is that statement's, or a later one's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/source_catalog.h"
#include "pipeline/follow_int.h"

struct later_charset {
    struct later_charset *next;
    char *database;
    char *charset;
};

static void forget(struct follow_charsets *c)
{
    while (c->first != NULL) {
        struct later_charset *first = c->first;

        c->first = first->next;
        free(first->database);
        free(first->charset);
        free(first);
    }
    low_watermark_deinit(&c->at);
    c->at = (struct low_watermark){.gtids = NULL};
}

void follow_charsets_deinit(struct follow *f)
{
    forget(&f->charsets);
}

static enum err_code add(void *ctx, const char *database, const char *charset, struct err *e)
{
    struct follow *f = ctx;
    struct later_charset *one;

    if (!follow_keeps_database(f, database) || schema_find_charset(f->schema, database) != NULL) {
        return ERR_OK;
    }
    one = calloc(1, sizeof *one);
    if (one == NULL) {
        return err_nomem(e);
    }
    one->next = f->charsets.first;
    one->database = str_dup(database);
    one->charset = str_dup(charset);
    f->charsets.first = one;
    return one->database == NULL || one->charset == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code follow_charsets_read(struct follow *f, struct mysql_conn *conn, struct err *e)
{
    struct follow_charsets *c = &f->charsets;

    ERR_TRY(source_catalog_database_charsets(conn, add, f, e));
    (void)snprintf(c->source, sizeof c->source, "%s", mysql_conn_server(conn)->identity);
    if (c->first != NULL && snapshot_current_position(conn, &c->at, NULL) != ERR_OK) {
        /* An account that may not ask for the place: they stay open. */
        forget(c);
    }
    return ERR_OK;
}

static bool is_reached(const struct follow *f)
{
    const struct follow_charsets *c = &f->charsets;

    if (f->end.file[0] == '\0') {
        return false; /* no cut can fall here */
    }
    if (strcmp(f->source, c->source) == 0) {
        return binlog_position_compare(&f->end, &c->at.position) >= 0;
    }
    return f->executed != NULL && c->at.gtids != NULL &&
           gtid_set_is_subset(c->at.gtids, f->executed);
}

enum err_code follow_charsets_take(struct follow *f, struct err *e)
{
    struct follow_charsets *c = &f->charsets;

    if (c->first == NULL || !is_reached(f)) {
        return ERR_OK;
    }
    for (const struct later_charset *one = c->first; one != NULL; one = one->next) {
        if (schema_find_charset(f->schema, one->database) == NULL) {
            ERR_TRY(schema_set_database(f->schema, one->database, one->charset, e));
        }
    }
    /* A cut is due that notes them: the next start lies before the place where they are read anew.
     */
    f->defs_changed = true;
    f->moved = true;
    forget(c);
    return ERR_OK;
}
