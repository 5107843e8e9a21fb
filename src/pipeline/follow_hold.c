/*
 * follow_hold.c - rows that wait for the end of their transaction.
 *
 * Rows go to the lanes while a transaction is being read: nearly all that are in a binlog commit.
 * A source shows that it is otherwise by ROLLBACK behind rows, or by ROLLBACK TO (MariaDB: with
 * temporary tables, or when rows of other engines were written meanwhile). Then reading goes back
 * to the last cut, the transaction is held this time, and from there on each is as long as it is
 * small, so that going back stays rare.
 *
 * What is taken back: rows of engines with transactions. Those of others stand, as on the source.
 */
#include "base/str.h"
#include "mysql/savepoint.h"
#include "mysql/source_catalog.h"
#include "pipeline/follow_int.h"

#define SMALL_BYTES ((uint64_t)1 << 20)

const struct table_plan follow_misfit;

/* ---- transactions ---- */

enum err_code follow_begin(struct follow *f, const struct binlog_event *ev, const struct gtid *gtid,
                           struct err *e)
{
    f->txn.open = true;
    f->txn.begun = false;
    f->txn.routed = false;
    f->txn.gtid = *gtid;
    f->txn.serial++;
    f->txn.start = ev->end;
    f->txn.start.offset -= ev->header.event_bytes;
    if (!f->holds) {
        return ERR_OK;
    }
    f->txn.kept = binlog_position_compare(&f->txn.start, &f->hold_to) <= 0;
    return held_rows_new(f->held, ev->end.file, &f->txn.held, e);
}

void follow_forget(struct follow *f)
{
    held_rows_free(f->txn.held);
    f->txn.held = NULL;
    f->txn.open = false;
    f->txn.begun = false;
    f->txn.routed = false;
    f->txn.xa = false;
    f->txn.kept = false;
    f->txn.phase = BINLOG_ALTER_WHOLE;
    f->txn.gtid = (struct gtid){0};
}

enum err_code follow_hold_all(struct follow *f, const char *file, struct err *e)
{
    f->txn.kept = true;
    return f->txn.held != NULL ? ERR_OK : held_rows_new(f->held, file, &f->txn.held, e);
}

/* ---- replay ---- */

struct replay {
    struct follow *f;
    const struct binlog_event *ev; /* NULL: rows were looked at when they came */
    const char *file;
    const struct binlog_position *place; /* the rows' new one; NULL: their own */
};

static enum err_code refuse_misfit(const struct slab_entry *entry, const char *file, struct err *e)
{
    return err_set(e, ERR_CONFLICT,
                   "%s at %s:%llu does not look as calve knows it (was it altered without the "
                   "statement in the binlog?). Copy it again: drop the Iceberg table and run "
                   "backfill",
                   entry->table->full_name, file, (unsigned long long)entry->log_position);
}

static enum err_code replay_entry(void *ctx, const struct slab_entry *entry, struct span body,
                                  bool undone, struct err *e)
{
    const struct replay *r = ctx;
    struct slab_entry placed = *entry;

    if ((undone && entry->table->source.transactional) ||
        (r->ev != NULL && follow_is_in_table(r->f, entry->table, r->ev))) {
        return ERR_OK;
    }
    if (entry->plan == &follow_misfit) {
        return refuse_misfit(entry, r->file, e);
    }
    if (atomic_load_explicit(&r->f->run->stopping, memory_order_relaxed)) {
        return err_set(e, ERR_CANCELLED, "asked to stop inside of a transaction");
    }
    if (r->place != NULL) {
        placed.log_position = r->place->offset;
    }
    return follow_route(r->f, r->place != NULL ? r->place->file : r->file, &placed, body, e);
}

enum err_code follow_replay(struct follow *f, const struct held_rows *rows,
                            const struct binlog_event *ev, bool at_end, struct err *e)
{
    struct replay r = {f, ev, held_rows_file(rows), at_end ? &ev->end : NULL};

    return held_rows_replay(rows, replay_entry, &r, e);
}

enum err_code follow_put(struct follow *f, const char *file, const struct slab_entry *entry,
                         struct span body, struct err *e)
{
    if (f->txn.held == NULL) {
        return follow_route(f, file, entry, body, e);
    }
    ERR_TRY(held_rows_append(f->txn.held, entry, body, e));
    if (f->txn.kept || held_rows_bytes(f->txn.held) <= SMALL_BYTES) {
        return ERR_OK;
    }
    struct held_rows *held = f->txn.held;
    enum err_code rc = follow_replay(f, held, NULL, false, e);

    f->txn.held = NULL;
    held_rows_free(held);
    return rc;
}

enum err_code follow_commit(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    if (f->txn.held != NULL && !follow_passes_until(f, &ev->end)) {
        ERR_TRY(follow_replay(f, f->txn.held, f->txn.xa ? ev : NULL, false, e));
    }
    return follow_transaction_end(f, &ev->end, e);
}

/* ---- taking back ---- */

/*
 * With binlog_format=ROW servers write rows of other engines in front, in a group of their own. So
 * an engine that a CREATE did not name is one with transactions, where it has rows here.
 */
static bool has_transactions(const struct followed_table *t)
{
    static const char *const without[] = {"MyISAM",  "MEMORY",     "CSV",
                                          "ARCHIVE", "MRG_MyISAM", "Aria"};
    const struct table_def *def = t->source.def;
    const char *engine = def == NULL || def->engine == NULL ? "" : def->engine;

    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        if (str_ieq(engine, without[i])) {
            return false;
        }
    }
    return true;
}

/* Sets `transactional`; whether some of the held rows can be taken back. */
static bool find_engines(struct follow *f)
{
    uint32_t count;
    struct followed_table *const *tables = held_rows_tables(f->txn.held, &count);
    bool any = false;

    for (uint32_t i = 0; i < count; i++) {
        tables[i]->source.transactional = has_transactions(tables[i]);
        any = any || tables[i]->source.transactional;
    }
    return any;
}

/* The rows are on their way to the lake: reads again from the last cut, and holds them this time.
 */
static enum err_code read_again(struct follow *f, const struct binlog_event *ev, const char *what,
                                struct err *e)
{
    if (f->holds && binlog_position_compare(&f->txn.start, &f->hold_to) <= 0) {
        return err_set(e, ERR_CORRUPT,
                       "%s at %s:%llu: the transaction was read twice, and in two ways", what,
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    f->holds = true;
    f->hold_to = f->txn.start;
    f->rereads = true;
    return err_set_retryable(e, ERR_IO, "%s at %s:%llu takes back rows that were passed on", what,
                             ev->end.file, (unsigned long long)ev->end.offset);
}

enum err_code follow_rollback(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    if (follow_passes_until(f, &ev->end)) {
        return follow_transaction_end(f, &ev->end, e);
    }
    if (f->txn.routed) {
        return read_again(f, ev, "ROLLBACK", e);
    }
    if (f->txn.held != NULL) {
        (void)find_engines(f);
        ERR_TRY(held_rows_rollback_to(f->txn.held, NULL, e));
    }
    return follow_commit(f, ev, e);
}

enum err_code follow_savepoint(struct follow *f, const struct binlog_query *q, struct err *e)
{
    char name[SAVEPOINT_NAME_BYTES];

    if (f->txn.held == NULL ||
        !savepoint_name(q->sql, (q->sql_mode & SQL_MODE_ANSI_QUOTES) != 0, name)) {
        return ERR_OK;
    }
    return held_rows_savepoint(f->txn.held, name, e);
}

enum err_code follow_rollback_to(struct follow *f, const struct binlog_event *ev,
                                 const struct binlog_query *q, struct err *e)
{
    char name[SAVEPOINT_NAME_BYTES] = "";

    if (f->txn.routed) {
        return read_again(f, ev, "ROLLBACK TO", e);
    }
    if (f->txn.held == NULL) {
        return ERR_OK;
    }
    bool any = find_engines(f);
    bool named = savepoint_name(q->sql, (q->sql_mode & SQL_MODE_ANSI_QUOTES) != 0, name);
    enum err_code rc = named ? held_rows_rollback_to(f->txn.held, name, e) : ERR_NOT_FOUND;

    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    return any ? err_set(e, ERR_UNSUPPORTED,
                         "ROLLBACK TO '%s' at %s:%llu: the binlog does not tell where this "
                         "savepoint was set, so which rows stand cannot be told. Drop the Iceberg "
                         "tables and copy them again",
                         name, ev->end.file, (unsigned long long)ev->end.offset)
               : ERR_OK;
}
