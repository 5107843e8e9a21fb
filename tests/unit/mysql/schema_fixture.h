/*
 * schema_fixture.h - statements applied to a registry, and what became of it as text.
 */
#ifndef CALVE_TEST_SCHEMA_FIXTURE_H
#define CALVE_TEST_SCHEMA_FIXTURE_H

#include <stdlib.h>

#include "mysql/schema.h"
#include "test.h"

#define MYSQL_8   80403u
#define MYSQL_57  50744u
#define MARIA_10  101102u
#define MARIA_11  110803u
#define ANSI      0x4u
#define ORACLE    0x200u
#define MSSQL     0x400u
#define NO_ESCAPE 0x100000u

static const char *const change_names[] = {
    [SCHEMA_CREATED] = "created",        [SCHEMA_ALTERED] = "altered",
    [SCHEMA_RENAMED] = "renamed",        [SCHEMA_DROPPED] = "dropped",
    [SCHEMA_TRUNCATED] = "truncated",    [SCHEMA_ROWS_REMOVED] = "removed",
    [SCHEMA_ROWS_REPLACED] = "replaced",
};

static inline void put(char *out, size_t out_bytes, const char *text)
{
    assert_true(strlen(out) + strlen(text) < out_bytes);
    (void)strncat(out, text, out_bytes - strlen(out) - 1);
}

/* `id int not null, a varchar(10) utf8mb4 | id`: columns, then the key. */
static inline void show_def(const struct table_def *def, char *out, size_t out_bytes)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct column_def *c = &def->columns[i];
        char text[1024];

        (void)snprintf(text, sizeof text, "%s%s %s%s%s%s%s", i == 0 ? "" : ", ", c->name,
                       c->type_text, c->charset == NULL ? "" : " ",
                       c->charset == NULL ? "" : c->charset, c->nullable ? "" : " not null",
                       c->generated ? " generated" : "");
        put(out, out_bytes, text);
    }
    for (uint32_t i = 0; i < def->key_count; i++) {
        put(out, out_bytes, i == 0 ? " | " : ", ");
        put(out, out_bytes, def->columns[def->key[i]].name);
    }
}

/* `altered shop.t; renamed shop.t to shop.u` */
static inline void show_changes(const struct schema_changes *changes, char *out, size_t out_bytes)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct schema_change *c = &changes->changes[i];
        char text[1024];
        bool renamed = c->kind == SCHEMA_RENAMED;

        (void)snprintf(text, sizeof text, "%s%s %s.%s%s%s%s%s%s%s%s", i == 0 ? "" : "; ",
                       change_names[c->kind], c->database, c->table, renamed ? " to " : "",
                       renamed ? c->new_database : "", renamed ? "." : "",
                       renamed ? c->new_table : "", c->has_rows ? " with rows" : "",
                       c->filled ? " filled" : "",
                       c->def == NULL && c->kind != SCHEMA_DROPPED ? " unknown" : "");
        put(out, out_bytes, text);
        assert_true((c->why == NULL) == (c->def != NULL || c->kind == SCHEMA_DROPPED));
    }
}

static inline struct schema *schema_of(bool mariadb, unsigned version)
{
    struct schema_options options = {
        .mariadb = mariadb, .version_number = version, .default_charset = "utf8mb4"};
    struct schema *s = NULL;
    struct err e = {0};

    assert_ok(schema_new(&options, &s, &e), &e);
    assert_ok(schema_set_database(s, "shop", "utf8mb4", &e), &e);
    assert_ok(schema_set_whole(s, "shop", &e), &e);
    return s;
}

/* Applies a statement from memory of exactly its size, so that a sanitizer sees a read past it. */
static inline enum err_code apply_query(struct schema *s, struct span sql,
                                        struct binlog_query query, struct schema_changes *out,
                                        struct err *e)
{
    uint8_t *exact = malloc(sql.len + (sql.len == 0));

    assert_non_null(exact);
    if (sql.len > 0) {
        memcpy(exact, sql.data, sql.len);
    }
    query.sql = span_of(exact, sql.len);
    query.schema = span_str("shop");
    enum err_code rc = schema_apply(s, &query, out, e);

    free(exact);
    return rc;
}

static inline enum err_code apply(struct schema *s, const char *sql, struct schema_changes *out,
                                  struct err *e)
{
    return apply_query(s, span_str(sql),
                       (struct binlog_query){.thread_id = 7, .explicit_timestamps = -1}, out, e);
}

/* Applies statements, ended by NULL, of which each must work. */
static inline void apply_all(struct schema *s, const char *const *statements)
{
    struct schema_changes changes;
    struct err e = {0};

    for (; *statements != NULL; statements++) {
        enum err_code rc = apply(s, *statements, &changes, &e);

        if (rc != ERR_OK) {
            fail_msg("%s\n  %s: %s", *statements, err_code_name(rc), e.msg);
        }
    }
}

#endif
