/*
 * follow_xa.c - XA transactions.
 *
 * MySQL:   GTID | XA START | rows | XA END | XA_PREPARE      later: GTID | XA COMMIT or XA ROLLBACK
 * MariaDB: GTID with the name | rows | XA END | XA_PREPARE   later: GTID | XA COMMIT or XA ROLLBACK
 *
 * An XA_PREPARE of one phase commits. Between the two groups may lie any amount of log, and the end
 * of the run. See prepared.h for what is kept until then, here and in the lake.
 */
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/follow_int.h"

_Static_assert(PREPARED_GTID_BYTES >= 36 + 1 + GTID_TAG_BYTES + 1 + 20, "a GTID fits");

static struct prepared_place place_of(const struct follow *f, const struct binlog_position *at)
{
    struct prepared_place place = {.position = *at};

    if (f->txn.gtid.present) {
        gtid_print(&f->txn.gtid, place.gtid, sizeof place.gtid);
    }
    return place;
}

enum err_code follow_xa_begin(struct follow *f, const struct binlog_event *ev,
                              const struct xid *xid, struct err *e)
{
    if (f->txn.routed || f->txn.xa || (f->txn.held != NULL && held_rows_bytes(f->txn.held) > 0)) {
        return err_set(e, ERR_CORRUPT, "an XA transaction starts inside of another at %s:%llu",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    f->txn.begun = true;
    f->txn.xa = true;
    f->txn.xid = *xid;
    return follow_hold_all(f, ev->end.file, e);
}

/* ---- PREPARE ---- */

/* Takes the rows over. */
static enum err_code add_prepared(struct follow *f, struct held_rows *rows, struct err *e)
{
    struct prepared_place start = place_of(f, &f->txn.start);
    struct buf before = {0};
    const char *text = NULL;
    enum err_code rc = ERR_OK;

    if (f->executed != NULL && gtid_set_flavor(f->executed) == GTID_FLAVOR_MARIADB) {
        gtid_set_print(f->executed, &before);
        text = buf_cstr(&before);
        rc = text == NULL ? err_nomem(e) : ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = prepared_list_add(f->prepared, &f->txn.xid, &start, text, rows, e);
    } else {
        held_rows_free(rows);
    }
    buf_deinit(&before);
    return rc;
}

enum err_code follow_xa_prepare(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    bool one_phase;
    struct xid xid;

    ERR_TRY(binlog_event_xa_prepare(ev->body, &one_phase, &xid, e));
    if (!f->txn.xa || !xid_equal(&xid, &f->txn.xid)) {
        return err_set(e, ERR_CORRUPT,
                       "an XA_PREPARE at %s:%llu ends a transaction that is not "
                       "open",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    if (one_phase || follow_passes_until(f, &ev->end)) {
        return follow_commit(f, ev, e);
    }
    struct held_rows *rows = f->txn.held;

    ERR_TRY(held_rows_settle(rows, e));
    f->txn.held = NULL;
    if (held_rows_bytes(rows) == 0) {
        held_rows_free(rows);
        rows = NULL;
    }
    ERR_TRY(add_prepared(f, rows, e));
    return follow_transaction_end(f, &ev->end, e);
}

/* ---- COMMIT, ROLLBACK ---- */

/* Fails if a followed table may have had rows in a transaction whose rows cannot be known. */
static enum err_code refuse_unknown(struct follow *f, const struct binlog_event *ev,
                                    const struct xid *xid, const struct prepared *p, struct err *e)
{
    char name[XID_TEXT_BYTES];

    xid_print(xid, name);
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if ((p != NULL && !prepared_lacks_rows(f->prepared, p, t)) ||
            follow_is_in_table(f, t, ev)) {
            continue;
        }
        return err_set(e, ERR_SOURCE,
                       "%s:%llu commits the XA transaction %s, which was prepared before the place "
                       "that calve read from: whether it changed %s, and how, cannot be known. "
                       "Drop the Iceberg tables and copy them again while no XA transaction is "
                       "prepared",
                       ev->end.file, (unsigned long long)ev->end.offset, name, t->full_name);
    }
    return ERR_OK;
}

/* Whether every table has this transaction from before. */
static bool is_everywhere(struct follow *f, const struct binlog_event *ev)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        if (!follow_is_in_table(f, f->options.tables[i], ev)) {
            return false;
        }
    }
    return true;
}

static enum err_code end_prepared(struct follow *f, const struct binlog_event *ev,
                                  const struct xid *xid, bool commit, struct err *e)
{
    struct prepared *p = prepared_list_find(f->prepared, xid);
    struct prepared_place done = place_of(f, &ev->end);

    if (follow_passes_until(f, &ev->end)) {
        return follow_transaction_end(f, &ev->end, e);
    }
    if (commit && (p == NULL || p->awaited)) {
        ERR_TRY(refuse_unknown(f, ev, xid, p, e));
    }
    if (p != NULL && commit && p->rows != NULL) {
        ERR_TRY(follow_replay(f, p->rows, ev, true, e));
    }
    if (p != NULL) {
        prepared_list_end(f->prepared, p, commit, is_everywhere(f, ev), &done);
    }
    return follow_transaction_end(f, &ev->end, e);
}

enum err_code follow_xa_statement(struct follow *f, const struct binlog_event *ev,
                                  const struct binlog_query *q, struct err *e)
{
    enum xa_verb verb;
    struct xid xid;

    ERR_TRY(xid_parse_statement(q->sql, &verb, &xid, e));
    if (!f->txn.open) {
        ERR_TRY(follow_begin(f, ev, &(struct gtid){0}, e));
    }
    switch (verb) {
    case XA_START:
        return follow_xa_begin(f, ev, &xid, e);
    case XA_END:
        return ERR_OK;
    case XA_COMMIT:
    case XA_ROLLBACK:
        if (!f->txn.xa) {
            return end_prepared(f, ev, &xid, verb == XA_COMMIT, e);
        }
        break;
    case XA_PREPARE:
        break;
    }
    return err_set(e, ERR_CORRUPT, "an XA statement at %s:%llu has no place there", ev->end.file,
                   (unsigned long long)ev->end.offset);
}

/* ---- notes ---- */

enum err_code follow_xa_start(struct follow *f, const char *note, struct err *e)
{
    const struct run_options *o = f->run->options;

    ERR_TRY(held_store_new(
        &(struct held_store_options){.folder = o->spill_folder == NULL ? "/tmp" : o->spill_folder},
        &f->held, e));
    ERR_TRY(
        prepared_list_new(f->options.tables, f->options.table_count, f->source, &f->prepared, e));
    f->noted = str_dup(note == NULL ? "" : note);
    if (f->noted == NULL) {
        return err_nomem(e);
    }
    ERR_TRY(prepared_list_read(f->prepared, note, e));
    ERR_TRY(prepared_list_move_start(f->prepared, &f->end, &f->executed, e));
    if (binlog_position_compare(&f->end, &f->options.start) < 0) {
        f->known_to = f->options.start;
    }
    const struct prepared *oldest = prepared_list_awaited(f->prepared);
    struct buf text = {0};

    if (oldest == NULL) {
        ERR_TRY(prepared_list_note(f->prepared, &text, e));
        /* What tables that were copied anew have no use for leaves the lake with the next cut. */
        f->moved = !span_eq_str(buf_span(&text), f->noted);
        buf_deinit(&text);
    } else {
        char xid[XID_TEXT_BYTES];

        xid_print(&oldest->xid, xid);
        log_info(f->run->log, "xa.prepared", LOG_U64("open", prepared_list_open(f->prepared)),
                 LOG_STR("oldest", xid), LOG_STR("file", oldest->start.position.file),
                 LOG_U64("pos", oldest->start.position.offset));
    }
    return ERR_OK;
}

enum err_code follow_xa_note(struct follow *f, char **out, struct err *e)
{
    struct buf text = {0};
    enum err_code rc = prepared_list_note(f->prepared, &text, e);

    *out = NULL;
    if (rc == ERR_OK && buf_cstr(&text) == NULL) {
        rc = err_nomem(e);
    }
    if (rc == ERR_OK && strcmp((const char *)text.data, f->noted) != 0) {
        char *copy = str_dup((const char *)text.data);

        if (copy == NULL) {
            rc = err_nomem(e);
        } else {
            free(f->noted);
            f->noted = copy;
            *out = buf_take_text(&text);
        }
    }
    buf_deinit(&text);
    return rc;
}

void follow_xa_explain(const struct follow *f, struct err *e)
{
    const struct prepared *p = prepared_list_awaited(f->prepared);
    char xid[XID_TEXT_BYTES];

    if (p == NULL || e->code != ERR_SOURCE) {
        return;
    }
    xid_print(&p->xid, xid);
    (void)err_wrap(e,
                   "reading the XA transaction %s again, which is prepared since %s:%llu and had "
                   "not ended when calve last read (if the source has purged that file, drop the "
                   "Iceberg tables and copy them again, and end XA transactions before their "
                   "binlogs are purged)",
                   xid, p->start.position.file, (unsigned long long)p->start.position.offset);
}
