/*
 * commit.c - catalog_commit: attempts until one is current for certain, or never will be.
 *
 * What an attempt wrote is removed only when it certainly did not become current. A swap without an
 * answer leaves that open; then, with the table loaded anew:
 *
 *   our metadata file or snapshot is in the table    done
 *   the table is as before                           the swap may still happen: the same attempt is
 *                                                    swapped again. Both swaps ask for the same
 *                                                    base, so one of them at most can succeed.
 *   the table is another, without ours               no swap from the old base can succeed any
 *                                                    more: removed, and a new attempt
 *
 * In the last case the caller's check has the last word, as another writer may have expired our
 * snapshot and outrun the metadata-log in between.
 *
 * Where a server writes metadata, it takes a change for as long as main is where the base has it,
 * whatever else is new (a tag, a property, statistics): then the table is "as before", too. Only
 * when somebody on another branch took our sequence number, and the server declined it for that,
 * the attempt is over. A conflict, or any other refusal, is settled in the same way before anything
 * is removed, as a gateway that sends a request twice gets one for a change that was made, and what
 * stands before a server may put a page of its own in the place of the answer.
 *
 * Several tables are tried together once. What that leaves open or undone is settled table by
 * table, as each table's part asks for that table's base alone, whatever becomes of the others.
 *
 * What attempts write is held back until the first swap is due, and goes to the store side by side.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/retry.h"
#include "catalog/catalog_int.h"
#include "storage/outbox.h"

#define OUTBOX_BYTES_MAX     ((size_t)8 << 20)
#define CONFLICT_WAIT_MIN_US 10000
#define CONFLICT_WAIT_MAX_US 2000000
#define FAILURE_WAIT_MIN_US  200000
#define FAILURE_WAIT_MAX_US  30000000
#define SLEEP_STEP_US        50000 /* how long a cancelled commit may go on waiting */

struct commit {
    struct catalog *catalog;
    struct table_ident id;
    const struct catalog_change *change;
    struct outbox *outbox;           /* of all tables that are committed together */
    struct iceberg_attempt *attempt; /* NULL: to be prepared */
    struct catalog_table base;       /* what the attempt builds on */
    char *location;                  /* of its metadata file; NULL: the server's business */
    bool done;
    bool refused;  /* by the check: nothing is tried again */
    bool sent;     /* the attempt was, and may be current */
    bool unknown;  /* a swap of the attempt got no answer */
    bool passed;   /* the table as last seen has our sequence number already: by other branches */
    bool declined; /* so a swap met a conflict */
    bool objects_there; /* those of the change */
    bool objects_maybe; /* a write of theirs failed */
    struct retry conflict_wait;
    struct retry failure_wait;
    struct catalog_commit_result result;
};

static void forget_attempt(struct commit *r)
{
    iceberg_attempt_free(r->attempt);
    r->attempt = NULL;
    catalog_table_deinit(&r->base);
    free(r->location);
    r->location = NULL;
    r->sent = false;
    r->unknown = false;
    r->passed = false;
    r->declined = false;
}

/* The attempt certainly did not become current. */
static void undo_attempt(struct commit *r)
{
    struct err why = {0};

    if (iceberg_attempt_undo(r->attempt, outbox_store(r->outbox), &why) != ERR_OK) {
        log_warn(r->catalog->log, "commit.left", LOG_STR("reason", why.msg));
    }
    forget_attempt(r);
}

/* The attempt certainly is, or was, current. */
static void finish_attempt(struct commit *r)
{
    struct err why = {0};

    r->result.snapshot_id = r->attempt->snapshot_id;
    if (iceberg_attempt_clean(r->attempt, r->catalog->store, &why) != ERR_OK) {
        log_warn(r->catalog->log, "clean.left", LOG_STR("reason", why.msg));
    }
    forget_attempt(r);
    r->done = true;
}

/* What the check knows to be there already. */
static void finish_without(struct commit *r, const struct catalog_table *current)
{
    r->result.already_done = true;
    r->result.snapshot_id = iceberg_metadata_snapshot_id(current->metadata);
    r->done = true;
}

static bool has_landed(const struct commit *r, const struct catalog_table *current)
{
    if (r->location != NULL && (strcmp(r->location, current->metadata_location) == 0 ||
                                iceberg_metadata_was_at(current->metadata, r->location))) {
        return true;
    }
    return r->attempt->snapshot_id >= 0 &&
           iceberg_metadata_has_snapshot(current->metadata, r->attempt->snapshot_id);
}

static enum commit_verdict ask_check(const struct commit *r, const struct catalog_table *current,
                                     struct err *e)
{
    return r->change->check == NULL ? COMMIT_PROCEED
                                    : r->change->check(r->change->check_ctx, current->metadata, e);
}

static enum err_code refuse(struct commit *r, struct err *e)
{
    r->refused = true;
    enum err_code rc = e->code;

    return rc != ERR_OK ? rc : err_set(e, ERR_FENCED, "the commit was refused");
}

/* Whether a swap of our attempt could succeed on a table that is not the base any more. */
static bool may_still_land(struct commit *r, const struct catalog_table *current)
{
    const struct iceberg_metadata *now = current->metadata;

    if (!r->catalog->server_writes_metadata || !r->unknown || r->declined ||
        strcmp(iceberg_metadata_uuid(now), iceberg_metadata_uuid(r->base.metadata)) != 0 ||
        iceberg_metadata_snapshot_id(now) != iceberg_metadata_snapshot_id(r->base.metadata)) {
        return false;
    }
    r->passed =
        iceberg_metadata_sequence_number(now) >= iceberg_metadata_sequence_number(r->attempt->next);
    return true;
}

/* What became of an attempt without an answer. It stays set when the swap is to be tried again. */
static enum err_code settle(struct commit *r, const struct catalog_table *current, struct err *e)
{
    if (has_landed(r, current)) {
        finish_attempt(r);
        return ERR_OK;
    }
    if (strcmp(current->metadata_location, r->base.metadata_location) == 0) {
        return ERR_OK;
    }
    switch (ask_check(r, current, e)) {
    case COMMIT_PROCEED:
        if (!may_still_land(r, current)) {
            undo_attempt(r);
        }
        return ERR_OK;
    case COMMIT_ALREADY_DONE:
        finish_without(r, current);
        return ERR_OK;
    case COMMIT_REFUSE:
        return refuse(r, e);
    }
    abort();
}

/* A file that the table names is gone: by a commit of others meanwhile, or for good. */
static enum err_code explain_missing(struct commit *r, const struct catalog_table *current,
                                     struct err *e)
{
    struct catalog_table now;
    struct err missing = *e;

    ERR_TRY(catalog_load(r->catalog, r->id, &now, e));
    bool same = strcmp(now.metadata_location, current->metadata_location) == 0;

    catalog_table_deinit(&now);
    return err_set(e, same ? ERR_CORRUPT : ERR_CONFLICT, "%s", missing.msg);
}

/* Of an object that may be ours from before; nobody else has its name. */
static enum err_code put_again(struct store *store, const struct store_object *o, struct err *e)
{
    struct err why = {0};
    struct buf there;
    enum err_code rc = store_put(store, o->location, o->bytes, &why);

    if (rc == ERR_EXISTS) {
        buf_init(&there, o->bytes.len + 1);
        rc = store_get(store, o->location, &there, &why);
        if (rc == ERR_OK && !span_eq(buf_span(&there), o->bytes)) {
            rc = err_set(&why, ERR_CORRUPT, "%s is there, with other bytes", o->location);
        }
        buf_deinit(&there);
    }
    if (rc != ERR_OK) {
        *e = why;
    }
    return rc;
}

static enum err_code put_objects(struct commit *r, struct err *e)
{
    for (uint32_t i = 0; i < r->change->object_count && !r->objects_there; i++) {
        const struct store_object *o = &r->change->objects[i];

        ERR_TRY(r->objects_maybe ? put_again(r->catalog->store, o, e)
                                 : store_put(outbox_store(r->outbox), o->location, o->bytes, e));
    }
    r->objects_there = r->objects_there || r->objects_maybe;
    return ERR_OK;
}

static void remove_objects(struct commit *r)
{
    struct err why = {0};

    for (uint32_t i = 0; i < r->change->object_count; i++) {
        if (store_remove(outbox_store(r->outbox), r->change->objects[i].location, &why) != ERR_OK) {
            log_warn(r->catalog->log, "commit.left", LOG_STR("reason", why.msg));
        }
    }
}

/* The rest of what a swap names. */
static enum err_code complete(struct commit *r, struct err *e)
{
    if (!r->catalog->server_writes_metadata) {
        ERR_TRY(metadata_file_write(r->catalog, outbox_store(r->outbox), r->attempt->next,
                                    r->base.metadata_location, &r->location, e));
        ERR_TRY(locations_add(&r->attempt->written, span_str(r->location), e));
    }
    return put_objects(r, e);
}

/* Makes an attempt on `current`, which becomes its base. */
static enum err_code prepare(struct commit *r, struct catalog_table *current, struct err *e)
{
    switch (ask_check(r, current, e)) {
    case COMMIT_PROCEED:
        break;
    case COMMIT_ALREADY_DONE:
        finish_without(r, current);
        return ERR_OK;
    case COMMIT_REFUSE:
        return refuse(r, e);
    }
    const struct iceberg_attempt_options options = {
        .store = outbox_store(r->outbox),
        .rand = &r->catalog->rand,
        .now_ms = clock_wall_us(&r->catalog->clock) / 1000,
        .base_location = current->metadata_location,
        .base = current->metadata,
        .change = &r->change->change,
        .server_writes_metadata = r->catalog->server_writes_metadata,
        .always_snapshot = r->catalog->server_writes_metadata,
    };

    enum err_code rc = iceberg_attempt_prepare(&options, &r->attempt, e);

    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? explain_missing(r, current, e) : rc;
    }
    r->base = *current;
    *current = (struct catalog_table){0};
    rc = complete(r, e);
    if (rc != ERR_OK) {
        undo_attempt(r);
        if (!r->objects_there) {
            remove_objects(r);
            r->objects_maybe = true;
        }
    }
    return rc;
}

/* What was prepared goes to the store; after a failure its attempts are over. */
static enum err_code send_prepared(struct outbox *outbox, struct commit *all, uint32_t count,
                                   struct err *e)
{
    enum err_code rc = outbox_send(outbox, e);

    for (uint32_t i = 0; i < count; i++) {
        bool fresh = all[i].attempt != NULL && !all[i].sent;

        if (fresh && rc == ERR_OK) {
            all[i].objects_there = true;
        } else if (fresh) {
            all[i].objects_maybe = true;
            undo_attempt(&all[i]);
        }
    }
    return rc;
}

/* The server said no: whether that is so shows in the table. */
static enum err_code settle_refusal(struct commit *r, enum err_code rc)
{
    struct catalog_table now;
    struct err why = {0};

    if (catalog_load(r->catalog, r->id, &now, &why) != ERR_OK) {
        r->unknown = true;
        return rc;
    }
    if (has_landed(r, &now)) {
        finish_attempt(r);
        rc = ERR_OK;
    } else {
        undo_attempt(r);
    }
    catalog_table_deinit(&now);
    return rc;
}

static struct catalog_swap swap_of(const struct commit *r)
{
    return (struct catalog_swap){r->id, &r->base, r->attempt->next, r->location};
}

static enum err_code swap(struct commit *r, struct err *e)
{
    struct catalog *c = r->catalog;

    assert(r->attempt != NULL); /* settle() kept it, or prepare() made it */
    const struct catalog_swap step = swap_of(r);

    r->result.attempts++;
    r->sent = true;
    enum err_code rc = c->ops->swap(c, &step, e);

    if (rc == ERR_OK) {
        finish_attempt(r);
    } else if (rc == ERR_UNKNOWN) {
        r->unknown = true;
    } else if (rc == ERR_CONFLICT && c->server_writes_metadata) {
        r->declined = r->passed;
    } else if (!r->unknown && c->server_writes_metadata) {
        rc = settle_refusal(r, rc);
    } else if (!r->unknown) {
        undo_attempt(r);
    }
    return rc;
}

/* Has an attempt on the table as it is now, unless it is done. */
static enum err_code get_ready(struct commit *r, struct err *e)
{
    struct catalog_table current;
    enum err_code rc = catalog_load(r->catalog, r->id, &current, e);

    if (rc == ERR_OK && r->attempt != NULL) {
        rc = settle(r, &current, e);
    }
    if (rc == ERR_OK && !r->done && r->attempt == NULL) {
        rc = prepare(r, &current, e);
    }
    catalog_table_deinit(&current);
    return rc;
}

static enum err_code try_once(struct commit *r, struct err *e)
{
    ERR_TRY(get_ready(r, e));
    if (!r->done) {
        ERR_TRY(send_prepared(r->outbox, r, 1, e));
    }
    return r->done ? ERR_OK : swap(r, e);
}

static bool is_cancelled(const struct commit *r)
{
    return r->change->cancelled != NULL && r->change->cancelled(r->change->cancelled_ctx);
}

static void log_retry(const struct commit *r, enum err_code rc, const struct err *why,
                      int64_t wait_us)
{
    char table[TABLE_NAME_BYTES];

    table_ident_print(r->id, table);
    LOG_AT(r->catalog->log, rc == ERR_CONFLICT ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "commit.retry",
           LOG_STR("table", table), LOG_STR("error", err_code_name(rc)),
           LOG_STR("reason", why->msg), LOG_U64("attempts", r->result.attempts),
           LOG_I64("wait_ms", wait_us / 1000));
}

/* Waits before the next round, in steps so that a cancelled commit ends soon. */
static void wait_for_retry(struct commit *r, enum err_code rc, const struct err *why)
{
    struct catalog *c = r->catalog;
    struct retry *wait = rc == ERR_CONFLICT ? &r->conflict_wait : &r->failure_wait;
    int64_t left_us = retry_next_us(wait, &c->rand);

    log_retry(r, rc, why, left_us);
    while (left_us > 0 && !is_cancelled(r)) {
        int64_t step_us = left_us < SLEEP_STEP_US ? left_us : SLEEP_STEP_US;

        clock_sleep_us(&c->clock, step_us);
        left_us -= step_us;
    }
}

static bool is_worth_retrying(const struct commit *r, enum err_code rc, const struct err *why)
{
    return !r->refused && (rc == ERR_CONFLICT || rc == ERR_UNKNOWN || why->retryable);
}

static enum err_code run_commit(struct commit *r, struct err *e)
{
    r->refused = false;
    while (!is_cancelled(r)) {
        *e = (struct err){0};
        enum err_code rc = try_once(r, e);

        if (rc == ERR_OK || !is_worth_retrying(r, rc, e)) {
            return rc;
        }
        wait_for_retry(r, rc, e);
    }
    struct err last = *e;

    return last.code == ERR_OK
               ? err_set(e, ERR_CANCELLED, "asked to stop")
               : err_set(e, ERR_CANCELLED, "asked to stop while trying again: %s", last.msg);
}

/* All in one transaction. What does not go through is as it was, or open. */
static enum err_code swap_all(struct catalog *c, struct commit *all, uint32_t count, struct err *e)
{
    struct catalog_swap swaps[CATALOG_TOGETHER_MAX];
    uint32_t left = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!all[i].done) {
            swaps[left++] = swap_of(&all[i]);
        }
    }
    if (left < 2) {
        return ERR_OK;
    }
    enum err_code rc = c->ops->swap_all(c, swaps, left, e);

    for (uint32_t i = 0; i < count; i++) {
        if (all[i].done) {
            continue;
        }
        all[i].result.attempts++;
        if (rc == ERR_OK) {
            finish_attempt(&all[i]);
        } else {
            all[i].unknown = rc == ERR_UNKNOWN;
            all[i].sent = true; /* and each is looked for before it is sent again */
        }
    }
    if (rc != ERR_OK && rc != ERR_UNKNOWN && rc != ERR_CONFLICT && !e->retryable) {
        /* A server that lists what it does not do, or not for us. */
        c->commits_together = false;
    }
    return rc;
}

/* *failed: the first that did not go through. */
static enum err_code swap_each(struct commit *all, uint32_t count, uint32_t *failed, struct err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        *failed = i;
        ERR_TRY(all[i].done ? ERR_OK : swap(&all[i], e));
    }
    return ERR_OK;
}

/*
 * Those in front of the first that cannot be prepared. *failed: one that did not go through, or in
 * a transaction the first of them.
 */
static enum err_code commit_together(struct catalog *c, struct commit *all, uint32_t count,
                                     uint32_t *failed, struct err *e)
{
    enum err_code rc = ERR_OK;
    uint32_t ready = 0;

    while (ready < count && rc == ERR_OK) {
        rc = is_cancelled(&all[ready]) ? err_set(e, ERR_CANCELLED, "asked to stop")
                                       : get_ready(&all[ready], e);
        ready += rc == ERR_OK;
    }
    struct err why = {0};
    enum err_code sent = send_prepared(all[0].outbox, all, ready, &why);

    *failed = 0;
    if (sent == ERR_OK && c->commits_together && ready > 1) {
        sent = swap_all(c, all, ready, &why);
    } else if (sent == ERR_OK) {
        sent = swap_each(all, ready, failed, &why);
    }
    if (sent != ERR_OK) {
        *e = why;
        return sent;
    }
    *failed = ready;
    return rc;
}

/* What goes wrong shows again, with its name, when each table is committed by itself. */
static void try_together(struct catalog *c, struct commit *all, uint32_t count)
{
    struct err why = {0};
    uint32_t failed;
    bool in_one = c->commits_together;

    if (count < 2 || commit_together(c, all, count, &failed, &why) == ERR_OK ||
        all[failed].refused) {
        return;
    }
    if (in_one) {
        LOG_AT(c->log, c->commits_together ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "commit.apart",
               LOG_U64("tables", count), LOG_STR("error", err_code_name(why.code)),
               LOG_STR("reason", why.msg));
    } else if (is_worth_retrying(&all[failed], why.code, &why)) {
        log_retry(&all[failed], why.code, &why, 0);
    }
}

static enum err_code commit_alone(struct commit *r, struct err *e)
{
    struct err why = {0};
    enum err_code rc = r->done ? ERR_OK : run_commit(r, &why);

    if (rc != ERR_OK && r->unknown) {
        (void)err_wrap(&why, "whether the last attempt took place is not known, so nothing was "
                             "removed and the next run will see");
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

static void commit_deinit(struct commit *r)
{
    if (r->attempt != NULL && !r->sent) {
        undo_attempt(r);
    }
    bool open = r->attempt != NULL;

    forget_attempt(r);
    if (!r->done && !open && (r->objects_there || r->objects_maybe)) {
        remove_objects(r);
    }
}

enum err_code catalog_commit_all(struct catalog *c, struct catalog_commit_item *items,
                                 uint32_t count, struct err *e)
{
    struct commit all[CATALOG_TOGETHER_MAX];
    struct outbox *outbox;
    enum err_code rc = ERR_OK;

    assert(count <= CATALOG_TOGETHER_MAX);
    ERR_TRY(outbox_new(c->store, OUTBOX_BYTES_MAX, &outbox, e));
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (struct commit){
            .catalog = c,
            .id = items[i].id,
            .change = items[i].change,
            .outbox = outbox,
            .conflict_wait = {CONFLICT_WAIT_MIN_US, CONFLICT_WAIT_MAX_US, 0},
            .failure_wait = {FAILURE_WAIT_MIN_US, FAILURE_WAIT_MAX_US, 0},
            .result = {.snapshot_id = -1},
        };
    }
    try_together(c, all, count);
    for (uint32_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = commit_alone(&all[i], e);
    }
    for (uint32_t i = 0; i < count; i++) {
        items[i].result = all[i].result;
        items[i].committed = all[i].done;
        commit_deinit(&all[i]);
    }
    outbox_free(outbox);
    return rc;
}

enum err_code catalog_commit(struct catalog *c, struct table_ident id,
                             const struct catalog_change *change, struct catalog_commit_result *out,
                             struct err *e)
{
    struct catalog_commit_item item = {.id = id, .change = change};

    ERR_TRY(catalog_commit_all(c, &item, 1, e));
    *out = item.result;
    return ERR_OK;
}
