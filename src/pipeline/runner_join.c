/* runner_join.c - a table that came to be while others were being followed. */
#include <stdio.h>
#include <stdlib.h>

#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"
#include "pipeline/runner_int.h"
#include "pipeline/table_state.h"

static bool is_behind(const struct followed_table *t, const struct follow_join *j,
                      const char *source)
{
    const char *server = t->source.server[0] == '\0' ? source : t->source.server;

    if (strcmp(server, j->source) == 0 && j->position.file[0] != '\0') {
        return binlog_position_compare(&j->position, &t->source.position) > 0;
    }
    return j->gtids != NULL && t->source.gtids != NULL &&
           gtid_set_is_subset(t->source.gtids, j->gtids);
}

/* All tables stand where following ended, but for those that were further already. */
static enum err_code move_tables(struct runner *r, struct err *e)
{
    const struct follow_join *j = &r->join;

    for (uint32_t i = 0; i < r->table_count; i++) {
        struct followed_table *t = r->tables[i];

        bool behind = is_behind(t, j, r->run.source);

        if (behind) {
            t->source.position = j->position;
            t->source.log_created_s = j->log_created_s;
            t->source.anonymous = j->anonymous;
            (void)snprintf(t->source.server, sizeof t->source.server, "%s", j->source);
        }
        if (j->gtids != NULL && t->source.gtids != NULL) {
            ERR_TRY(gtid_set_union(t->source.gtids, j->gtids, e));
        } else if (behind) {
            /* A set that is not kept up tells less than the position. */
            gtid_set_free(t->source.gtids);
            t->source.gtids = NULL;
        }
    }
    return ERR_OK;
}

static enum err_code commit_gone(struct runner *r, struct followed_table *t,
                                 const struct log_place *at, const struct gtid_set *gtids,
                                 struct err *e)
{
    t->source.def = NULL;
    t->source.assumed = false;
    t->commit.def = NULL;
    t->commit.gone = true;
    t->commit.vanished = false;
    t->source.none_prepared = true; /* what is prepared holds the tables that it has rows of */
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    enum err_code rc = runner_commit_start(r, t, at, gtids, e);

    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

/* In front of the statement that makes it. */
static enum err_code start_as_gone(struct runner *r, struct followed_table *t, struct err *e)
{
    const struct log_place at = {
        .source = r->join.source,
        .position = r->join.position,
        .log_created_s = r->join.log_created_s,
        .anonymous = r->join.anonymous,
    };

    return commit_gone(r, t, &at, r->join.gtids, e);
}

/*
 * It came with rows that nobody has seen, and is gone again by now: what the log tells of it up to
 * here would be the half of it.
 */
static enum err_code skip_to_now(struct runner *r, struct followed_table *t,
                                 struct mysql_conn *conn, const struct low_watermark *now,
                                 struct err *e)
{
    const struct mysql_options here = mysql_options_at(&r->options.mysql, mysql_conn_server(conn));
    struct log_place at = {.source = mysql_conn_server(conn)->identity, .position = now->position};

    ERR_TRY(binlog_log_created(&here, &at.position, &at.log_created_s, e));
    log_warn(r->run.log, "table.passed", LOG_STR("table", t->full_name),
             LOG_STR("file", at.position.file), LOG_U64("pos", at.position.offset));
    return commit_gone(r, t, &at, now->gtids, e);
}

/* Whether it is there now to be copied; else it starts now, as gone. */
static enum err_code look(struct runner *r, struct followed_table *t, bool *there, struct err *e)
{
    struct mysql_conn *conn = NULL;
    struct low_watermark now = {.gtids = NULL};
    struct table_def *def = NULL;
    enum err_code rc = mysql_conn_open(&r->options.mysql, &conn, e);

    *there = false;
    if (rc == ERR_OK) {
        rc = snapshot_current_position(conn, &now, e);
    }
    if (rc == ERR_OK) {
        rc = source_catalog_load(conn, t->schema, t->name, &t->arena, &def, e);
        *there = rc == ERR_OK;
        rc = rc == ERR_NOT_FOUND ? skip_to_now(r, t, conn, &now, e) : rc;
    }
    low_watermark_deinit(&now);
    mysql_conn_close(conn);
    t->source.def = def;
    t->commit.def = def;
    return rc;
}

static enum err_code copy_or_skip(struct runner *r, struct followed_table *t, struct err *e)
{
    bool there = true;

    do {
        ERR_TRY(look(r, t, &there, e));
        t->commit.vanished = false;
        if (there) {
            ERR_TRY(runner_copy(r, e));
        }
    } while (t->commit.vanished);
    return ERR_OK;
}

static enum err_code load_state(struct runner *r, struct followed_table *t, struct err *e)
{
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    enum err_code rc = table_state_load(&r->run, r->watermarks, t, e);

    if (rc == ERR_OK && t->commit.stale_mark) {
        rc = watermarks_forget(r->watermarks, t->schema, t->name, e);
    }
    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

static enum err_code take_in(struct runner *r, struct followed_table *t, struct err *e)
{
    ERR_TRY(load_state(r, t, e));
    if (followed_table_has_position(t)) {
        return ERR_OK;
    }
    return r->join.has_rows && r->options.snapshot == RUN_SNAPSHOT_INITIAL ? copy_or_skip(r, t, e)
                                                                           : start_as_gone(r, t, e);
}

/* A name that stood for nothing has a table with rows again. */
static enum err_code take_again(struct runner *r, struct followed_table *t, struct err *e)
{
    t->source.position = (struct binlog_position){.offset = 0};
    gtid_set_free(t->source.gtids);
    t->source.gtids = NULL;
    t->commit.backfill_complete = false;
    t->commit.gone = false;
    return copy_or_skip(r, t, e);
}

enum err_code runner_join(struct runner *r, struct err *e)
{
    struct follow_join *j = &r->join;

    if (j->until.file[0] != '\0') {
        /* What was "current" stays what it was. */
        r->options.until = (struct run_point){.kind = RUN_POINT_POSITION, .position = j->until};
    }
    ERR_TRY(move_tables(r, e));
    struct followed_table *t = runner_find_table(r, j->schema, j->name);
    bool known = t != NULL;

    if (!known) {
        ERR_TRY(runner_add_table(r, j->schema, j->name, e));
        t = r->tables[r->table_count - 1];
    }
    log_info(r->run.log, "table.found", LOG_STR("table", t->full_name),
             LOG_STR("file", j->position.file), LOG_U64("pos", j->position.offset));
    enum err_code rc = known ? take_again(r, t, e) : take_in(r, t, e);

    follow_join_deinit(j);
    return rc;
}
