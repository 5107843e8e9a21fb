/* follow_open.c - from a lost connection, or none yet, to the next event: which server, from where.
 */
#include <stdio.h>

#include "mysql/snapshot.h"
#include "pipeline/follow_int.h"

#define FILE_START 4u

/* What is found out about the server that is accepted. */
struct opening {
    struct follow *f;
    struct binlog_start start; /* what is asked of it */
    bool other;                /* positions of before are none of it */
    bool final;                /* no server will do, and none will by waiting */
    struct low_watermark now;  /* where its binlog ends, if `until` is that */
};

static bool is_foreign(const struct follow *f, const struct followed_table *t)
{
    const char *server = t->source.server[0] == '\0' ? f->options.source : t->source.server;

    return strcmp(server, f->source) != 0;
}

/*
 * Tables that have no more than what the source is told to leave out: nothing, when it is asked by
 * position. On MariaDB numbers say nothing when one comes twice; there the place in the log says
 * it, if it is known.
 */
void follow_find_level_tables(struct follow *f)
{
    const struct follow_options *o = &f->options;

    for (uint32_t i = 0; i < o->table_count; i++) {
        struct followed_table *t = o->tables[i];

        t->source.foreign = is_foreign(f, t);
        bool mariadb =
            t->source.gtids != NULL && gtid_set_flavor(t->source.gtids) == GTID_FLAVOR_MARIADB;
        bool by_place = mariadb && t->source.position.file[0] != '\0' && !t->source.foreign;
        /* MySQL sends nothing again but the PREPAREs that were asked for. */
        const struct gtid_set *left_out = mariadb ? f->executed : o->start_gtids;

        t->source.level = !f->by_position && left_out != NULL && t->source.gtids != NULL &&
                          !by_place && gtid_set_is_subset(t->source.gtids, left_out);
        t->source.caught_up = t->source.level;
    }
}

/* ---- a server that answers ---- */

static struct source_claim claim_of(const struct follow *f)
{
    return (struct source_claim){
        .source = f->source,
        .position = f->end,
        .log_created_s = follow_log_created(f),
        .gtids = f->executed,
        .known = f->options.known_gtids,
        .anonymous = f->anonymous,
    };
}

/*
 * A replica that was promoted a moment ago may still apply what it has received, and a server that
 * does not answer may come back: but not for ever.
 */
static enum err_code refuse(struct opening *o, bool may_change, struct err *e)
{
    struct follow *f = o->f;
    int64_t now_us = clock_mono_us(&f->run->clock);

    f->refused_since_us = f->refused_since_us == 0 ? now_us : f->refused_since_us;
    f->behind = f->behind || may_change;
    o->final = now_us - f->refused_since_us >= f->run->options->catch_up_us;
    if (e != NULL) {
        e->retryable = may_change && !o->final;
    }
    return ERR_SOURCE;
}

static enum err_code judge(struct opening *o, const struct source_claim *claim,
                           const struct source_state *s, struct err *e)
{
    enum source_verdict verdict;

    ERR_TRY(source_judge(claim, s, &verdict, e));
    return verdict == SOURCE_FITS ? ERR_OK : refuse(o, verdict == SOURCE_IS_BEHIND, e);
}

static void choose_start(struct opening *o, bool same, bool gtid_enabled)
{
    const struct follow *f = o->f;

    o->other = !same;
    o->start = (struct binlog_start){.gtids = f->executed};
    if (!same) {
        return;
    }
    o->start.position = f->end;
    if (f->options.start_inside && !f->end_is_exact) {
        /* No place in front of the transaction is known but the file's start. */
        o->start.position.offset = FILE_START;
    }
    if (f->executed != NULL && (!gtid_enabled || f->anonymous || f->wants_position)) {
        /* A copy's position may lead its GTID set, though never out of the file. */
        o->start.gtids = NULL;
        o->start.position.offset = f->end_is_exact ? f->end.offset : FILE_START;
    }
}

static enum err_code on_server(void *ctx, struct mysql_conn *c, const struct mysql_options *here,
                               struct err *e)
{
    struct opening *o = ctx;
    struct source_claim claim = claim_of(o->f);
    struct source_state s = {.seen_count = 0};
    enum err_code rc = source_look(c, &s, e);

    if (rc == ERR_OK) {
        rc = judge(o, &claim, &s, e);
    }
    if (rc == ERR_OK) {
        rc = source_check_log(&claim, &s, here, e);
    }
    if (rc == ERR_OK && o->f->until_current) {
        low_watermark_deinit(&o->now);
        rc = snapshot_current_position(c, &o->now, e);
    }
    if (rc == ERR_OK) {
        /* A place that was given without a server is this one's. */
        bool same = claim.source[0] == '\0' ? claim.gtids == NULL : source_is_same(&claim, &s);

        choose_start(o, same, s.gtid_enabled);
        o->f->file_is_kept = same && source_has_file(&claim, &s);
    }
    source_state_deinit(&s);
    return rc;
}

static bool gives_up(void *ctx)
{
    const struct opening *o = ctx;

    return atomic_load(&o->f->run->stopping) || run_failed(o->f->run);
}

/* ---- a server that was accepted ---- */

/* A position to stop at is one of the server that it was taken from. */
static enum err_code move_until(struct follow *f, struct err *e)
{
    if (f->until.file[0] == '\0') {
        return ERR_OK;
    }
    if (f->until_noted == NULL) {
        return err_set(e, ERR_SOURCE,
                       "until: %s:%llu is a place of the server that was followed before (%s), "
                       "and means nothing to this one: name a GTID set",
                       f->until.file, (unsigned long long)f->until.offset, f->source);
    }
    f->until = (struct binlog_position){.offset = 0};
    gtid_set_free(f->until_gtids);
    f->until_gtids = f->until_noted;
    f->until_noted = NULL;
    return ERR_OK;
}

static enum err_code change_source(struct follow *f, const struct mysql_server *server,
                                   struct err *e)
{
    ERR_TRY(move_until(f, e));
    follow_schema_settle(f); /* that place was one of the former server */
    if (f->moved) {
        /* What was read belongs to the place on the former server. */
        ERR_TRY(follow_cut(f, e));
    }
    if (f->source[0] != '\0') {
        log_warn(f->run->log, "source.changed", LOG_STR("from", f->source),
                 LOG_STR("to", server->identity), LOG_STR("host", server->host),
                 LOG_U64("port", server->port));
    }
    (void)snprintf(f->source, sizeof f->source, "%s", server->identity);
    /* Thread ids are those of other sessions now. */
    schema_server_started(f->schema);
    schema_keep(f->schema);
    prepared_list_leave_source(f->prepared);
    f->known_to = (struct binlog_position){.offset = 0};
    f->hold_to = f->known_to;
    f->end = (struct binlog_position){.offset = 0};
    f->cut_end = f->end;
    f->end_is_exact = false;
    f->log_file[0] = '\0';
    f->log_created_s = 0;
    f->anonymous = false;
    return ERR_OK;
}

static void take_until(struct opening *o)
{
    struct follow *f = o->f;

    if (f->until_current) {
        f->until_current = false;
        f->until = o->now.position;
        f->until_noted = o->now.gtids;
        o->now.gtids = NULL;
    }
}

static enum err_code on_opened(struct opening *o, struct err *e)
{
    struct follow *f = o->f;
    const struct mysql_server *server = binlog_stream_server(f->stream);

    if (o->other) {
        ERR_TRY(change_source(f, server, e));
    }
    if (!f->end_is_exact) {
        f->end.offset = o->start.position.offset;
        f->cut_end.offset = o->start.position.offset;
    }
    f->by_position = o->start.gtids == NULL;
    f->wants_position = false;
    follow_find_level_tables(f);
    f->refused_since_us = 0;
    take_until(o);
    log_info(f->run->log, "source.connected", LOG_STR("server", server->version),
             LOG_STR("host", server->host), LOG_U64("port", server->port),
             LOG_STR("file", f->end.file), LOG_U64("pos", f->end.offset));
    f->done = follow_until_reached(f);
    return ERR_OK;
}

static enum err_code open_stream(struct opening *o, struct err *e)
{
    struct follow *f = o->f;
    const struct run_options *run = f->run->options;
    struct binlog_stream_options options = {
        .mysql = run->mysql,
        .server_id = run->server_id,
        .replica_uuid = f->options.replica_uuid,
        .heartbeat_us = follow_heartbeat_us(run),
    };
    struct binlog_stream *stream = NULL;

    options.mysql.accept = on_server;
    options.mysql.gives_up = gives_up;
    options.mysql.ctx = o;
    f->behind = false;
    enum err_code rc = binlog_stream_open(&options, &o->start, &stream, e);

    if (rc != ERR_OK) {
        if (o->final && e != NULL) {
            e->retryable = false;
        }
        return rc;
    }
    (void)pthread_mutex_lock(&f->mutex);
    f->stream = stream;
    bool interrupted = f->interrupted;
    (void)pthread_mutex_unlock(&f->mutex);
    memset(f->ids, 0, sizeof f->ids);
    f->id_count = 0;
    ERR_TRY(on_opened(o, e));
    return interrupted ? err_set(e, ERR_CANCELLED, "interrupted") : ERR_OK;
}

enum err_code follow_open(struct follow *f, struct err *e)
{
    struct opening o = {.f = f};
    enum err_code rc = open_stream(&o, e);

    low_watermark_deinit(&o.now);
    return rc;
}

void follow_close(struct follow *f)
{
    (void)pthread_mutex_lock(&f->mutex);
    struct binlog_stream *stream = f->stream;

    f->stream = NULL;
    (void)pthread_mutex_unlock(&f->mutex);
    binlog_stream_close(stream);
}

void follow_note_log(struct follow *f, const struct binlog_event *ev)
{
    if (ev->header.timestamp_s != 0) {
        memcpy(f->log_file, ev->end.file, sizeof f->log_file);
        f->log_created_s = ev->header.timestamp_s;
    }
}

uint32_t follow_log_created(const struct follow *f)
{
    return strcmp(f->log_file, f->end.file) == 0 ? f->log_created_s : 0;
}
