/* runner_join.c - a table that came to be while others were being followed. */
#include <stdio.h>
#include <stdlib.h>

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

        if (is_behind(t, j, r->run.source)) {
            t->source.position = j->position;
            t->source.log_created_s = j->log_created_s;
            t->source.anonymous = j->anonymous;
            (void)snprintf(t->source.server, sizeof t->source.server, "%s", j->source);
        }
        if (j->gtids != NULL && t->source.gtids != NULL) {
            ERR_TRY(gtid_set_union(t->source.gtids, j->gtids, e));
        }
    }
    return ERR_OK;
}

/* The definition as of now, if the table is still there. */
static enum err_code look(struct runner *r, struct followed_table *t, struct err *e)
{
    struct mysql_conn *conn = NULL;
    struct table_def *def = NULL;
    enum err_code rc = mysql_conn_open(&r->options.mysql, &conn, e);

    if (rc == ERR_OK) {
        rc = source_catalog_load(conn, t->schema, t->name, &t->arena, &def, e);
        if (rc == ERR_NOT_FOUND) {
            rc = ERR_OK;
        }
    }
    mysql_conn_close(conn);
    t->source.def = def;
    t->commit.def = def;
    return rc;
}

/* A table that starts in front of the statement that makes it. */
static enum err_code start_as_gone(struct runner *r, struct followed_table *t, struct err *e)
{
    t->source.def = NULL;
    t->source.assumed = false;
    t->commit.def = NULL;
    t->commit.gone = true;
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    const struct log_place at = {
        .source = r->join.source,
        .position = r->join.position,
        .log_created_s = r->join.log_created_s,
        .anonymous = r->join.anonymous,
    };
    enum err_code rc = runner_commit_start(r, t, &at, r->join.gtids, e);

    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

static enum err_code take_in(struct runner *r, struct followed_table *t, struct err *e)
{
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    enum err_code rc = table_state_load(&r->run, r->watermarks, t, e);

    if (rc == ERR_OK && t->commit.stale_mark) {
        rc = watermarks_forget(r->watermarks, t->schema, t->name, e);
    }
    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    if (rc != ERR_OK || followed_table_has_position(t)) {
        return rc;
    }
    if (r->join.has_rows && r->options.snapshot == RUN_SNAPSHOT_INITIAL) {
        ERR_TRY(look(r, t, e));
        if (t->source.def != NULL) {
            enum err_code rc_copy = runner_copy(r, e);

            if (rc_copy != ERR_OK || !t->commit.vanished) {
                return rc_copy;
            }
            t->commit.vanished = false;
        }
    }
    return start_as_gone(r, t, e);
}

enum err_code runner_join(struct runner *r, struct err *e)
{
    struct follow_join *j = &r->join;

    if (j->until.file[0] != '\0') {
        /* What was "current" stays what it was. */
        r->options.until = (struct run_point){.kind = RUN_POINT_POSITION, .position = j->until};
    }
    ERR_TRY(move_tables(r, e));
    ERR_TRY(runner_add_table(r, j->schema, j->name, e));
    struct followed_table *t = r->tables[r->table_count - 1];

    log_info(r->run.log, "table.found", LOG_STR("table", t->full_name),
             LOG_STR("file", j->position.file), LOG_U64("pos", j->position.offset));
    enum err_code rc = take_in(r, t, e);

    follow_join_deinit(j);
    return rc;
}
