#include "pipeline/follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/retry.h"
#include "pipeline/follow_int.h"
#include "pipeline/schema_note.h"
#include "pipeline/source_check.h"

#define SECOND_US          1000000
#define BEHIND_WAIT_US_MAX (2 * (int64_t)SECOND_US)
#define CUTS_AHEAD_MAX     2u

/* Tables that are further than the place where all go on from. */
static void find_tables_ahead(const struct follow_options *o)
{
    for (uint32_t i = 0; i < o->table_count; i++) {
        struct followed_table *t = o->tables[i];

        t->commit.ahead = o->start_gtids != NULL && t->source.gtids != NULL &&
                          !gtid_set_is_subset(t->source.gtids, o->start_gtids);
        t->source.skip_serial = 0;
        t->source.skip_this = false;
    }
}

static enum err_code set_start(struct follow *f, struct err *e)
{
    const struct follow_options *o = &f->options;

    f->end = o->start;
    (void)snprintf(f->source, sizeof f->source, "%s", o->source == NULL ? "" : o->source);
    memcpy(f->log_file, o->start.file, sizeof f->log_file);
    f->log_created_s = o->start_created_s;
    f->anonymous = o->start_anonymous;
    if (o->start_gtids != NULL) {
        f->executed = gtid_set_copy(o->start_gtids);
        if (f->executed == NULL) {
            return err_nomem(e);
        }
    }
    ERR_TRY(follow_xa_start(f, o->prepared_note, e));
    f->cut_end = f->end;
    if (f->executed != NULL) {
        f->cut_gtids = gtid_set_copy(f->executed);
        if (f->cut_gtids == NULL) {
            return err_nomem(e);
        }
    }
    find_tables_ahead(o);
    follow_find_level_tables(f);
    return ERR_OK;
}

/* Whether the source has the log from the note's place on: it may have purged it since. */
static enum err_code has_log_of_note(const struct follow *f, const struct binlog_position *position,
                                     bool *out, struct err *e)
{
    const struct source_claim claim = {
        .source = f->options.source,
        .position = *position,
        .gtids = f->note_gtids,
        .known = f->options.known_gtids,
        .anonymous = f->options.start_anonymous,
    };
    struct source_state s = {.seen_count = 0};
    struct mysql_conn *conn = NULL;
    enum source_verdict verdict = SOURCE_FITS;
    struct err why = {0};

    ERR_TRY(mysql_conn_open(&f->run->options->mysql, &conn, e));
    enum err_code rc = source_look(conn, &s, e);

    if (rc == ERR_OK && source_judge(&claim, &s, &verdict, &why) == ERR_NOMEM) {
        rc = err_nomem(e);
    }
    *out = verdict != SOURCE_HAS_GAP;
    source_state_deinit(&s);
    mysql_conn_close(conn);
    return rc;
}

/*
 * The last table in front of those that are ahead may have been copied as it is now. Then nobody is
 * due up to the first of them, but what statements do to other tables there has to be seen. Where
 * the source has purged that, the note is of no use, and what other tables are is not known.
 */
static enum err_code start_at_note(struct follow *f, struct err *e)
{
    struct follow_options *o = &f->options;
    const struct schema_place start = {o->start, o->start_gtids,
                                       o->source == NULL ? "" : o->source};
    struct binlog_position position;
    bool left = false;
    bool there = false;

    if (o->schema_note == NULL || o->start_inside) {
        return ERR_OK;
    }
    ERR_TRY(schema_note_is_left(o->schema_note, &start, &left, &position, &f->note_gtids, e));
    if (!left) {
        return ERR_OK;
    }
    ERR_TRY(has_log_of_note(f, &position, &there, e));
    if (!there) {
        log_warn(f->run->log, "schema.left", LOG_STR("file", position.file),
                 LOG_U64("pos", position.offset));
        o->schema_note = NULL;
        return ERR_OK;
    }
    o->start_created_s = strcmp(position.file, o->start.file) == 0 ? o->start_created_s : 0;
    o->start = position;
    o->start_gtids = f->note_gtids;
    return ERR_OK;
}

enum err_code follow_new(const struct follow_options *options, struct follow **out, struct err *e)
{
    const struct run_options *o = options->run->options;
    struct follow *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return err_nomem(e);
    }
    f->options = *options;
    f->run = options->run;
    (void)pthread_mutex_init(&f->mutex, NULL);
    f->slabs = calloc(options->lane_count, sizeof(*f->slabs));
    enum err_code rc = f->slabs == NULL ? err_nomem(e) : start_at_note(f, e);

    if (rc == ERR_OK) {
        rc = set_start(f, e);
    }
    if (rc == ERR_OK && o->until.kind == RUN_POINT_GTIDS) {
        if (f->executed == NULL) {
            rc = err_set(e, ERR_CONFIG, "until: a GTID set needs a source with GTIDs");
        } else {
            rc = gtid_set_parse(o->until.gtids, gtid_set_flavor(f->executed), &f->until_gtids, e);
        }
    } else if (rc == ERR_OK && o->until.kind == RUN_POINT_POSITION) {
        f->until = o->until.position;
    }
    f->until_current = o->until.kind == RUN_POINT_CURRENT;
    if (rc != ERR_OK) {
        follow_free(f);
        return rc;
    }
    *out = f;
    return ERR_OK;
}

void follow_free(struct follow *f)
{
    if (f == NULL) {
        return;
    }
    for (unsigned i = 0; f->slabs != NULL && i < f->options.lane_count; i++) {
        slab_free(f->slabs[i]);
    }
    binlog_stream_close(f->stream);
    follow_forget(f);
    prepared_list_free(f->prepared);
    held_store_free(f->held);
    free(f->noted);
    gtid_set_free(f->executed);
    gtid_set_free(f->note_gtids);
    gtid_set_free(f->cut_gtids);
    gtid_set_free(f->until_gtids);
    gtid_set_free(f->until_noted);
    (void)pthread_mutex_destroy(&f->mutex);
    schema_free(f->schema);
    free(f->schema_state);
    free(f->later_note);
    follow_charsets_deinit(f);
    free(f->slabs);
    free(f);
}

void follow_join_deinit(struct follow_join *j)
{
    free(j->schema);
    free(j->name);
    gtid_set_free(j->gtids);
    *j = (struct follow_join){.wanted = false};
}

void follow_interrupt(struct follow *f)
{
    (void)pthread_mutex_lock(&f->mutex);
    f->interrupted = true;
    if (f->stream != NULL) {
        binlog_stream_interrupt(f->stream);
    }
    (void)pthread_mutex_unlock(&f->mutex);
}

bool follow_until_reached(const struct follow *f)
{
    if (f->until_gtids != NULL) {
        return gtid_set_is_subset(f->until_gtids, f->executed);
    }
    return f->until.file[0] != '\0' && binlog_position_compare(&f->end, &f->until) >= 0;
}

bool follow_passes_until(const struct follow *f, const struct binlog_position *end)
{
    return f->until.file[0] != '\0' && binlog_position_compare(end, &f->until) > 0;
}

static enum err_code push_one(struct follow *f, unsigned lane, enum slab_kind kind, struct cut *cut,
                              struct err *e)
{
    struct slab *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return err_nomem(e);
    }
    s->kind = kind;
    s->cut = cut;
    return lane_push(f->options.lanes[lane], s) ? ERR_OK
                                                : err_set(e, ERR_CANCELLED, "the run has ended");
}

/* Takes cut over; once a lane has it, the committer frees it. */
static enum err_code push_marker(struct follow *f, enum slab_kind kind, struct cut *cut,
                                 struct err *e)
{
    enum err_code rc = push_one(f, 0, kind, cut, e);

    if (rc != ERR_OK) {
        cut_free(cut);
        return rc;
    }
    for (unsigned i = 1; i < f->options.lane_count; i++) {
        ERR_TRY(push_one(f, i, kind, cut, e));
    }
    return ERR_OK;
}

static enum err_code send_cut(struct follow *f, struct err *e)
{
    struct cut *cut = calloc(1, sizeof *cut);

    if (cut == NULL) {
        return err_nomem(e);
    }
    (void)snprintf(cut->source, sizeof cut->source, "%s", f->source);
    cut->position = f->end;
    cut->log_created_s = follow_log_created(f);
    cut->anonymous = f->anonymous;
    cut->time_us = clock_wall_us(&f->run->clock);
    if (f->executed != NULL) {
        struct buf text = {0};

        gtid_set_print(f->executed, &text);
        cut->gtids = buf_take_text(&text);
        if (cut->gtids == NULL) {
            cut_free(cut);
            return err_nomem(e);
        }
    }
    enum err_code rc = follow_schema_cut(f, cut, e);

    if (rc == ERR_OK) {
        rc = follow_xa_note(f, &cut->notes[WATERMARK_NOTE_PREPARED], e);
    }

    if (rc != ERR_OK) {
        cut_free(cut);
        return rc;
    }
    prepared_list_cut(f->prepared);
    f->cuts_sent++;
    /* The analyzer does not see that a slab carries the cut off. */
    return push_marker(f, SLAB_CUT, cut, e); /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* Remembers where the cut fell, to start again from there. */
static enum err_code note_cut(struct follow *f, struct err *e)
{
    if (f->executed != NULL) {
        struct gtid_set *copy = gtid_set_copy(f->executed);

        if (copy == NULL) {
            return err_nomem(e);
        }
        gtid_set_free(f->cut_gtids);
        f->cut_gtids = copy;
    }
    f->cut_end = f->end;
    f->moved = false;
    f->rows_since_cut = false;
    f->bytes_since_cut = 0;
    f->rows_decoded_at_cut = atomic_load(&f->run->counters.rows_decoded);
    f->cut_us = clock_mono_us(&f->run->clock);
    return ERR_OK;
}

enum err_code follow_cut(struct follow *f, struct err *e)
{
    if (follow_schema_is_open(f)) {
        return ERR_OK;
    }
    follow_schema_settle(f);
    ERR_TRY(follow_send_slabs(f, e));
    ERR_TRY(note_cut(f, e));
    return send_cut(f, e);
}

/*
 * One cut may wait behind the one that is being committed. More of them would never be caught up
 * with where commits take longer than the interval: a late committer gets larger cuts instead.
 */
static bool committer_is_late(const struct follow *f)
{
    return f->cuts_sent - atomic_load(&f->run->counters.cuts_committed) >= CUTS_AHEAD_MAX;
}

enum err_code follow_cut_if_due(struct follow *f, struct err *e)
{
    const struct run_options *o = f->run->options;
    int64_t now_us = clock_mono_us(&f->run->clock);
    int64_t waited_us = now_us - f->cut_us;

    ERR_TRY(follow_charsets_take(f, e));
    if (!f->moved || follow_schema_is_open(f)) {
        return ERR_OK;
    }
    /* Nothing of ours happened: only the watermarks move, and less often. */
    int64_t interval_us = f->rows_since_cut || follow_schema_changed(f) ? o->commit_interval_us
                                                                        : o->watermark_interval_us;
    bool late = committer_is_late(f);
    bool due = (waited_us >= interval_us && !late) || f->bytes_since_cut >= o->commit_bytes_max;

    if (!due && !late && o->batch_rows > 0 && f->rows_since_cut && waited_us >= SECOND_US) {
        /* Rows are counted where they are decoded, so what waits here must get there. */
        ERR_TRY(follow_send_slabs(f, e));
        due = atomic_load(&f->run->counters.rows_decoded) - f->rows_decoded_at_cut >= o->batch_rows;
    }
    return due ? follow_cut(f, e) : ERR_OK;
}

enum err_code follow_transaction_end(struct follow *f, const struct binlog_position *end,
                                     struct err *e)
{
    if (follow_passes_until(f, end)) {
        f->done = true;
        return ERR_OK;
    }
    if (f->txn.gtid.present && f->executed != NULL) {
        ERR_TRY(gtid_set_add(f->executed, &f->txn.gtid, e));
    }
    f->anonymous = f->executed != NULL && !f->txn.gtid.present;
    follow_forget(f);
    f->end = *end;
    f->end_is_exact = true;
    f->moved = true;
    f->done = follow_until_reached(f);
    return follow_cut_if_due(f, e);
}

/* Rows of a transaction without an end went out already: take all back to the last cut. */
static enum err_code rewind_to_cut(struct follow *f, struct err *e)
{
    for (unsigned i = 0; i < f->options.lane_count; i++) {
        slab_free(f->slabs[i]);
        f->slabs[i] = NULL;
    }
    ERR_TRY(push_marker(f, SLAB_DISCARD, NULL, e));
    /* The cut may lie before the place where a table stood at the start: skip up to there again. */
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        f->options.tables[i]->source.caught_up = f->options.tables[i]->source.level;
    }
    follow_schema_rewind(f);
    prepared_list_rewind(f->prepared);
    f->end = f->cut_end;
    f->moved = false;
    f->rows_since_cut = false;
    if (f->cut_gtids != NULL) {
        gtid_set_free(f->executed);
        f->executed = gtid_set_copy(f->cut_gtids);
        if (f->executed == NULL) {
            return err_nomem(e);
        }
    }
    return ERR_OK;
}

enum err_code follow_leave(struct follow *f, struct err *e)
{
    bool routed = f->txn.open && f->txn.routed;

    follow_forget(f);
    return routed ? rewind_to_cut(f, e) : ERR_OK;
}

/* A silent source still has to let a cut come in time: cuts are looked at when it speaks. */
int64_t follow_heartbeat_us(const struct run_options *o)
{
    int64_t us = o->heartbeat_us < o->commit_interval_us ? o->heartbeat_us : o->commit_interval_us;

    /* So does the end of a run, which may lie behind the last transaction. */
    bool soon = o->batch_rows > 0 || o->until.kind != RUN_POINT_NONE;

    return soon && us > SECOND_US ? SECOND_US : us;
}

/* `until` lies inside the transaction that is open: read again and stop at its start. */
static enum err_code stop_inside_transaction(struct follow *f, struct err *e)
{
    struct binlog_position start = f->end;

    if (!f->txn.open) {
        return ERR_OK;
    }
    bool routed = f->txn.routed;

    ERR_TRY(follow_leave(f, e));
    if (!routed) {
        return ERR_OK;
    }
    f->until = start;
    f->done = follow_until_reached(f);
    return f->done ? ERR_OK : err_set_retryable(e, ERR_IO, "reading again up to the stop position");
}

/*
 * A dump opens with the heads of the file it is in, whose time is that of the file's start: a
 * source that has just been quiet would look days behind.
 */
static bool tells_time(const struct binlog_event_header *h)
{
    return h->timestamp_s != 0 && h->type != BINLOG_EVENT_FORMAT_DESCRIPTION &&
           h->type != BINLOG_EVENT_PREVIOUS_GTIDS && h->type != BINLOG_EVENT_MARIADB_GTID_LIST &&
           h->type != BINLOG_EVENT_MARIADB_BINLOG_CHECKPOINT;
}

/*
 * A server that is asked by GTID begins with the last file that can hold what is missing. What lies
 * between our place and that file has no GTIDs that we lack, but it may have transactions without.
 */
static bool skips_files(const struct follow *f, const struct binlog_event *ev)
{
    struct binlog_position first = {.offset = 0};
    struct binlog_position ours = {.offset = 0};

    if (f->by_position || !f->file_is_kept || f->end.file[0] == '\0' ||
        ev->header.type != BINLOG_EVENT_ROTATE ||
        gtid_set_flavor(f->executed) != GTID_FLAVOR_MYSQL) {
        return false;
    }
    memcpy(first.file, ev->end.file, sizeof first.file);
    memcpy(ours.file, f->end.file, sizeof ours.file);
    return binlog_position_compare(&first, &ours) > 0;
}

static enum err_code reopen_by_position(struct follow *f, struct err *e)
{
    f->wants_position = true;
    return err_set_retryable(e, ERR_CONFLICT,
                             "by GTID the server begins at a later file, and "
                             "may skip transactions without GTIDs");
}

static enum err_code read_events(struct follow *f, struct retry *retry, struct err *e)
{
    uint64_t bytes_before = 0;

    while (!f->done && !atomic_load_explicit(&f->run->stopping, memory_order_relaxed)) {
        struct binlog_event ev;

        ERR_TRY(binlog_stream_next(f->stream, &ev, e));
        if (bytes_before == 0 && skips_files(f, &ev)) {
            return reopen_by_position(f, e);
        }
        retry_reset(retry);
        uint64_t bytes = binlog_stream_bytes(f->stream);

        f->bytes_since_cut += bytes - bytes_before;
        atomic_fetch_add_explicit(&f->run->counters.bytes_read, bytes - bytes_before,
                                  memory_order_relaxed);
        bytes_before = bytes;
        if (tells_time(&ev.header)) {
            atomic_store_explicit(&f->run->counters.last_event_s, (int64_t)ev.header.timestamp_s,
                                  memory_order_relaxed);
            follow_watch_purge(f, (int64_t)ev.header.timestamp_s);
        }
        ERR_TRY(follow_event(f, &ev, e));
    }
    return f->done && !f->options.join->wanted ? stop_inside_transaction(f, e) : ERR_OK;
}

static bool goes_on(const struct follow *f)
{
    return !f->done && !atomic_load(&f->run->stopping) && !run_failed(f->run);
}

/* Waits before the next try, in steps short enough for a stop request. */
static void wait_to_retry(struct follow *f, struct retry *retry, struct rand *rand,
                          const struct err *why)
{
    int64_t wait_us = retry_next_us(retry, rand);

    if (f->behind && wait_us > BEHIND_WAIT_US_MAX) {
        wait_us = BEHIND_WAIT_US_MAX;
    }
    log_warn(f->run->log, f->behind ? "source.behind" : "source.lost", LOG_STR("error", why->msg),
             LOG_F64("retry_s", (double)wait_us / 1e6));
    while (wait_us > 0 && goes_on(f)) {
        int64_t step_us = wait_us > 100000 ? 100000 : wait_us;

        clock_sleep_us(&f->run->clock, step_us);
        wait_us -= step_us;
    }
}

/* Some failures come again for ever unless something is done about them. */
static bool is_worth_it(struct follow *f, const struct err *why)
{
    if (why->code == ERR_CONFLICT) {
        /* gtid_mode was changed, or transactions without GTIDs are due: by GTID they do not come.
         */
        f->wants_position = !f->by_position && f->end.file[0] != '\0';
        return f->wants_position;
    }
    if (why->code == ERR_CORRUPT) {
        bool again =
            f->damaged.file[0] != '\0' && binlog_position_compare(&f->damaged, &f->end) == 0;

        f->damaged = f->end;
        return !again && f->end.file[0] != '\0';
    }
    return true;
}

static enum err_code follow_once(struct follow *f, struct retry *retry, struct err *e)
{
    enum err_code rc = follow_open(f, e);

    if (rc == ERR_OK) {
        rc = read_events(f, retry, e);
    }
    follow_close(f);
    if (rc != ERR_OK && e->retryable) {
        e->retryable = is_worth_it(f, e);
    }
    return rc;
}

/*
 * Trouble inside of a transaction whose rows are on their way takes back all since the last cut.
 * What came before the transaction is whole, and must get to the lake: it is read once more.
 */
static bool reads_up_to(struct follow *f, const struct err *why)
{
    struct binlog_position start = f->end;
    struct err ignored = {0};

    if (f->tainted || f->last.code != ERR_OK || !f->txn.open || !f->txn.routed ||
        start.file[0] == '\0' || run_failed(f->run) ||
        binlog_position_compare(&start, &f->cut_end) <= 0 || follow_leave(f, &ignored) != ERR_OK) {
        return false;
    }
    f->last = *why;
    f->until = start;
    gtid_set_free(f->until_gtids);
    f->until_gtids = NULL;
    f->done = false;
    return true;
}

/* What came before trouble that ends the run is whole: it goes to the lake first. */
static void cut_before_end(struct follow *f)
{
    struct err ignored = {0};

    /* A failure here adds nothing: the run ends with the one that led to it. */
    if (!run_failed(f->run) && !f->tainted && follow_leave(f, &ignored) == ERR_OK && f->moved) {
        (void)!follow_cut(f, &ignored);
    }
}

/* The connection broke: what was read goes to the lake while there is nothing else to do. */
static enum err_code recover(struct follow *f, struct retry *retry, struct rand *rand,
                             struct err *e)
{
    struct err why = *e;

    ERR_TRY(follow_leave(f, e));
    if (f->rereads) {
        f->rereads = false;
        log_info(f->run->log, "source.reread", LOG_STR("reason", why.msg),
                 LOG_STR("file", f->end.file), LOG_U64("pos", f->end.offset));
        return ERR_OK;
    }
    if (f->moved && f->rows_since_cut) {
        ERR_TRY(follow_cut(f, e));
    }
    if (why.code == ERR_CONFLICT) {
        log_info(f->run->log, "source.by_position", LOG_STR("reason", why.msg),
                 LOG_STR("file", f->end.file), LOG_U64("pos", f->end.offset));
    } else {
        wait_to_retry(f, retry, rand, &why);
    }
    return ERR_OK;
}

/* Where a new table is taken in: the last cut, which lies in front of what made it. */
static enum err_code tell_join(struct follow *f, struct err *e)
{
    struct follow_join *join = f->options.join;

    join->position = f->cut_end;
    join->until = f->until;
    (void)snprintf(join->source, sizeof join->source, "%s", f->source);
    join->log_created_s = follow_log_created(f);
    join->anonymous = f->anonymous;
    if (f->cut_gtids != NULL) {
        join->gtids = gtid_set_copy(f->cut_gtids);
        return join->gtids == NULL ? err_nomem(e) : ERR_OK;
    }
    return ERR_OK;
}

/* What was read is whole, and goes to the lake. */
static enum err_code end_run(struct follow *f, struct err *e)
{
    ERR_TRY(follow_leave(f, e));
    if (follow_schema_is_open(f) && f->done && f->last.code == ERR_OK && !f->options.join->wanted) {
        return err_set(e, ERR_CONFIG,
                       "until: a definition was accepted that is the server's as of %s:%llu, and "
                       "whether it was the same before is known there: let the run go that far",
                       f->adopted_to.file, (unsigned long long)f->adopted_to.offset);
    }
    if (follow_schema_is_open(f)) {
        /* The table is taken in at the last cut, and all definitions with it are of there. */
        ERR_TRY(rewind_to_cut(f, e));
    }
    if (f->moved) {
        ERR_TRY(follow_cut(f, e));
    }
    return f->options.join->wanted ? tell_join(f, e) : ERR_OK;
}

static enum err_code run(struct follow *f, struct err *e)
{
    struct retry retry = {.min_us = SECOND_US / 5, .max_us = 30 * (int64_t)SECOND_US};
    struct rand rand;
    struct err err = {0}; /* e may be NULL, and what it says steers */

    rand_init(&rand);
    f->cut_us = clock_mono_us(&f->run->clock);
    f->cuts_sent = atomic_load(&f->run->counters.cuts_committed);
    f->done = follow_until_reached(f);
    while (goes_on(f)) {
        enum err_code rc = follow_once(f, &retry, &err);

        if (rc == ERR_OK || atomic_load(&f->run->stopping)) {
            break;
        }
        if (err.retryable && !run_failed(f->run)) {
            rc = recover(f, &retry, &rand, &err);
            if (rc == ERR_OK) {
                continue;
            }
        } else {
            follow_xa_explain(f, &err);
            if (reads_up_to(f, &err)) {
                continue;
            }
            cut_before_end(f);
        }
        if (e != NULL) {
            *e = err;
        }
        return rc;
    }
    if (run_failed(f->run)) {
        return err_set(e, ERR_CANCELLED, "the run has failed");
    }
    return end_run(f, e);
}

enum err_code follow_run(struct follow *f, struct err *e)
{
    enum err_code rc = run(f, e);

    if (rc == ERR_OK && f->last.code != ERR_OK) {
        if (e != NULL) {
            *e = f->last;
        }
        return f->last.code;
    }
    return rc;
}
