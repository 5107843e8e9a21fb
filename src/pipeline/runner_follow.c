/* runner_follow.c - the threads that follow the binlog: source, lanes, committer. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/committer.h"
#include "pipeline/runner_int.h"
#include "pipeline/schema_note.h"

#define LANES_MAX       64u
#define FILE_START      4u
#define PARTS_BYTES_MAX 4096u /* of cut_part structs: a few cuts may wait for the committer */

struct threads {
    struct runner *r;
    struct follow *follow;
    struct lane *lanes[LANES_MAX];
    unsigned lane_count;
    struct queue *parts;
    struct committer *committer;
    pthread_t source;
    _Atomic bool source_ended;
    struct err source_err;
};

/* ---- where to start ---- */

struct start {
    char source[SOURCE_BYTES]; /* whose position it is; "": the tables stand on several servers */
    struct binlog_position position;
    uint32_t log_created_s;
    struct gtid_set *gtids; /* NULL: by position */
    struct gtid_set *known; /* what any table has; NULL: by position */
    bool anonymous;         /* some table has transactions that no set tells */
    bool inside;            /* the position may lie inside of a transaction */
};

static void start_deinit(struct start *s)
{
    gtid_set_free(s->gtids);
    gtid_set_free(s->known);
}

static bool all_have_gtids(const struct runner *r)
{
    for (uint32_t i = 0; i < r->table_count; i++) {
        if (r->tables[i]->source.gtids == NULL) {
            return false;
        }
    }
    return true;
}

/*
 * In MariaDB the sequence numbers of a domain may go back. Where they did between two tables, the
 * least of both is not what both have: the table that stands first in the log must be behind by
 * numbers, too.
 */
static enum err_code check_numbers(const struct runner *r, const struct followed_table *first,
                                   struct err *e)
{
    for (uint32_t i = 0; i < r->table_count; i++) {
        const struct followed_table *t = r->tables[i];

        if (first->source.position.file[0] != '\0' &&
            gtid_set_flavor(first->source.gtids) == GTID_FLAVOR_MARIADB &&
            !gtid_set_is_subset(first->source.gtids, t->source.gtids)) {
            return err_set(e, ERR_SOURCE,
                           "%s is behind %s in the binlog, but not by GTID: sequence numbers went "
                           "back on the source, so there is no place to follow both from. Set "
                           "gtid_strict_mode=ON there, drop the Iceberg tables and copy them again",
                           first->full_name, t->full_name);
        }
    }
    return ERR_OK;
}

/* What every table has already. */
static enum err_code common_gtids(const struct runner *r, struct gtid_set **out, struct err *e)
{
    struct gtid_set *common = gtid_set_copy(r->tables[0]->source.gtids);

    for (uint32_t i = 1; common != NULL && i < r->table_count; i++) {
        struct gtid_set *next = gtid_set_intersect(common, r->tables[i]->source.gtids);

        gtid_set_free(common);
        common = next;
    }
    *out = common;
    return common == NULL ? err_nomem(e) : ERR_OK;
}

/* What some table has already. */
static enum err_code known_gtids(const struct runner *r, struct gtid_set **out, struct err *e)
{
    *out = gtid_set_copy(r->tables[0]->source.gtids);
    if (*out == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 1; i < r->table_count; i++) {
        ERR_TRY(gtid_set_union(*out, r->tables[i]->source.gtids, e));
    }
    return ERR_OK;
}

static bool some_have_anonymous(const struct runner *r)
{
    for (uint32_t i = 0; i < r->table_count; i++) {
        if (r->tables[i]->source.anonymous) {
            return true;
        }
    }
    return false;
}

static bool is_elsewhere(const struct runner *r, const struct followed_table *t)
{
    return t->source.position.file[0] != '\0' && t->source.server[0] != '\0' &&
           strcmp(t->source.server, r->run.source) != 0;
}

/* Whether positions of the tables compare: all are of one server, which may be another one now. */
static bool on_one_server(const struct runner *r)
{
    const char *server = NULL;

    for (uint32_t i = 0; i < r->table_count; i++) {
        const struct followed_table *t = r->tables[i];
        const char *its = t->source.server[0] == '\0' ? r->run.source : t->source.server;

        if (t->source.position.file[0] != '\0') {
            if (server != NULL && strcmp(server, its) != 0) {
                return false;
            }
            server = its;
        }
    }
    return true;
}

/* A failover came between two tables: there is a place for both only as a GTID set. */
static enum err_code start_by_gtids(const struct runner *r, struct start *out, struct err *e)
{
    for (uint32_t i = 0; i < r->table_count; i++) {
        if (!all_have_gtids(r) && is_elsewhere(r, r->tables[i])) {
            return err_set(e, ERR_SOURCE,
                           "%s stands at a place of another server (%s), and not all tables have "
                           "a GTID set: there is no place to follow all from. Start it in a run of "
                           "its own first",
                           r->tables[i]->full_name, r->tables[i]->source.server);
        }
    }
    return common_gtids(r, &out->gtids, e);
}

static enum err_code find_start(const struct runner *r, struct start *out, struct err *e)
{
    bool some_have_gtids = false;
    const struct followed_table *first = r->tables[0];

    if (!on_one_server(r)) {
        return start_by_gtids(r, out, e);
    }
    for (uint32_t i = 0; i < r->table_count; i++) {
        const struct followed_table *t = r->tables[i];

        some_have_gtids = some_have_gtids || t->source.gtids != NULL;
        if (binlog_position_compare(&t->source.position, &first->source.position) < 0) {
            first = t;
        }
    }
    out->position = first->source.position;
    out->log_created_s = first->source.log_created_s;
    out->inside = first->source.inside;
    (void)snprintf(out->source, sizeof out->source, "%s",
                   first->source.server[0] == '\0' ? r->run.source : first->source.server);
    if (all_have_gtids(r)) {
        ERR_TRY(check_numbers(r, first, e));
        return common_gtids(r, &out->gtids, e);
    }
    if (out->position.file[0] == '\0') {
        return err_set(e, ERR_CONFIG,
                       "some tables start at a GTID set and others have only a file position: "
                       "start them in runs of their own first");
    }
    if (some_have_gtids) {
        /*
         * A copy's position may lead its GTID set, though never out of the file: a file ends when
         * all of its commits are through. Each table skips what it has by its GTID set.
         */
        out->position.offset = FILE_START;
    }
    return ERR_OK;
}

/* ---- threads ---- */

static void *source_main(void *arg)
{
    struct threads *t = arg;

    if (follow_run(t->follow, &t->source_err) != ERR_OK && !run_failed(&t->r->run)) {
        /* What it had read is on its way to the lake: not yet the end of the run. */
        log_debug(t->r->run.log, "source.ended", LOG_STR("error", t->source_err.msg));
    }
    atomic_store(&t->source_ended, true);
    return NULL;
}

static void wake_all(void *ctx)
{
    struct threads *t = ctx;

    if (t->follow != NULL) {
        follow_interrupt(t->follow);
    }
    for (unsigned i = 0; i < t->lane_count; i++) {
        lane_abort(t->lanes[i]);
    }
    queue_close(t->parts);
}

static unsigned choose_lanes(const struct runner *r)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned lanes = r->options.lanes;

    if (lanes == 0) {
        lanes = processors < 4 ? 1 : (unsigned)processors / 2;
    }
    lanes = lanes > LANES_MAX ? LANES_MAX : lanes;
    return lanes > r->table_count ? r->table_count : lanes;
}

static enum err_code start_lanes(struct threads *t, struct err *e)
{
    struct runner *r = t->r;
    unsigned lanes = choose_lanes(r);

    for (uint32_t i = 0; i < r->table_count; i++) {
        r->tables[i]->lane = i % lanes;
    }
    while (t->lane_count < lanes) {
        const struct lane_options options = {
            .run = &r->run,
            .tables = r->tables,
            .table_count = r->table_count,
            .number = t->lane_count,
            .memory_bytes = r->options.memory_bytes / lanes,
            .committer = t->parts,
        };

        ERR_TRY(lane_start(&options, &t->lanes[t->lane_count], e));
        t->lane_count++;
    }
    return ERR_OK;
}

/* The committer writes it before it commits any table. */
static enum err_code open_schema(struct threads *t, struct err *e)
{
    struct runner *r = t->r;
    char *texts[WATERMARK_NOTES] = {NULL};
    enum err_code rc = follow_schema_open(t->follow, &texts[WATERMARK_NOTE_SCHEMA], e);

    if (rc == ERR_OK) {
        rc = watermarks_owe_notes(r->watermarks, (const char *const *)texts, e);
    }
    free(texts[WATERMARK_NOTE_SCHEMA]);
    return rc;
}

static enum err_code start_committer(struct threads *t, struct err *e)
{
    struct runner *r = t->r;
    const struct committer_options options = {
        .run = &r->run,
        .tables = r->tables,
        .table_count = r->table_count,
        .lane_count = t->lane_count,
        .watermarks = r->watermarks,
        .parts = t->parts,
    };

    return committer_start(&options, &t->committer, e);
}

/*
 * Up to another program's place nobody has read the log: what changed since the note is not in it.
 * Where it is of a later place, others of our tables led there.
 */
static enum err_code find_note(const struct runner *r, const struct start *start, const char **out,
                               struct err *e)
{
    const struct schema_place at = {start->position, start->gtids, start->source};
    bool later = true;

    *out = watermarks_note(r->watermarks, WATERMARK_NOTE_SCHEMA);
    if (*out != NULL && start->inside) {
        ERR_TRY(schema_note_is_later(*out, &at, &later, e));
    }
    *out = later ? *out : NULL;
    return ERR_OK;
}

static enum err_code start_all(struct threads *t, const struct start *start, struct err *e)
{
    struct runner *r = t->r;
    const char *note = NULL;

    ERR_TRY(find_note(r, start, &note, e));
    t->parts = queue_new(PARTS_BYTES_MAX);
    if (t->parts == NULL) {
        return err_nomem(e);
    }
    ERR_TRY(start_lanes(t, e));
    ERR_TRY(follow_new(
        &(struct follow_options){
            .run = &r->run,
            .tables = r->tables,
            .table_count = r->table_count,
            .lanes = t->lanes,
            .lane_count = t->lane_count,
            .icase = r->icase,
            .source = start->source,
            .start = start->position,
            .start_created_s = start->log_created_s,
            .start_gtids = start->gtids,
            .prepared_note = watermarks_note(r->watermarks, WATERMARK_NOTE_PREPARED),
            .known_gtids = start->known,
            .start_anonymous = start->anonymous,
            .start_inside = start->inside,
            .replica_uuid = r->replica_uuid,
            .until_moves = r->until_moves,
            .schema_note = note,
            .join = &r->join,
        },
        &t->follow, e));
    enum err_code rc = open_schema(t, e);

    if (rc == ERR_OK) {
        rc = start_committer(t, e);
    }
    if (rc != ERR_OK) {
        follow_free(t->follow);
        t->follow = NULL;
        return rc;
    }
    runner_on_fail(r, wake_all, t);
    if (pthread_create(&t->source, NULL, source_main, t) != 0) {
        runner_on_fail(r, NULL, NULL);
        follow_free(t->follow);
        t->follow = NULL;
        return err_set(e, ERR_IO, "starting the source thread failed");
    }
    return ERR_OK;
}

/* What is on its way gets through, in the order of the life of a row. */
static void end_all(struct threads *t)
{
    if (t->follow != NULL) {
        (void)pthread_join(t->source, NULL);
    }
    for (unsigned i = 0; i < t->lane_count; i++) {
        lane_close(t->lanes[i]);
    }
    /* A failure may still come; it must not wake what is gone. */
    unsigned lanes = t->lane_count;

    runner_on_fail(t->r, NULL, NULL);
    if (run_failed(&t->r->run)) {
        wake_all(t);
    }
    t->lane_count = 0;
    for (unsigned i = 0; i < lanes; i++) {
        lane_join(t->lanes[i]);
    }
    if (t->parts != NULL) {
        queue_close(t->parts);
    }
    committer_join(t->committer);
    queue_free(t->parts);
    follow_free(t->follow);
    for (uint32_t i = 0; i < t->r->table_count; i++) {
        /* It borrows what belonged to its lane. */
        table_writer_free(t->r->tables[i]->writer);
        t->r->tables[i]->writer = NULL;
    }
}

enum err_code runner_follow(struct runner *r, struct err *e)
{
    struct start start = {.gtids = NULL};
    struct threads t = {.r = r};
    struct err why = {0};
    enum err_code rc = find_start(r, &start, e);

    if (rc == ERR_OK && start.gtids != NULL) {
        rc = known_gtids(r, &start.known, e);
    }
    start.anonymous = some_have_anonymous(r);
    if (rc != ERR_OK) {
        start_deinit(&start);
        return rc;
    }
    atomic_store(&r->run.counters.phase, RUN_PHASE_FOLLOW);
    if (start_all(&t, &start, &why) != ERR_OK) {
        run_fail(&r->run, &why);
    }
    bool interrupted = false;

    while (t.follow != NULL && !atomic_load(&t.source_ended)) {
        if (!runner_poll(r) && !interrupted) {
            follow_interrupt(t.follow);
            interrupted = true;
        }
    }
    end_all(&t);
    start_deinit(&start);
    if (run_failed(&r->run)) {
        why = r->run.error;
    } else {
        why = t.source_err;
    }
    if (e != NULL) {
        *e = why;
    }
    return why.code;
}
