/* runner_join.c - a table that came to be while others were being followed. */
#include <stdlib.h>

#include "mysql/source_catalog.h"
#include "pipeline/runner_int.h"
#include "pipeline/table_state.h"

/* All tables stand where following ended, but for those that were further already. */
static enum err_code move_tables(struct runner *r, struct err *e)
{
    const struct follow_join *j = &r->join;

    for (uint32_t i = 0; i < r->table_count; i++) {
        struct followed_table *t = r->tables[i];

        if (binlog_position_compare(&j->position, &t->source.position) > 0) {
            t->source.position = j->position;
        }
        if (j->gtids != NULL && t->source.gtids != NULL) {
            ERR_TRY(gtid_set_union(t->source.gtids, j->gtids, e));
        } else if (j->gtids != NULL) {
            t->source.gtids = gtid_set_copy(j->gtids);
            if (t->source.gtids == NULL) {
                return err_nomem(e);
            }
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
    enum err_code rc = runner_commit_start(r, t, &r->join.position, r->join.gtids, e);

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
            return runner_copy(r, e);
        }
    }
    return start_as_gone(r, t, e);
}

enum err_code runner_join(struct runner *r, struct err *e)
{
    struct follow_join *j = &r->join;

    ERR_TRY(move_tables(r, e));
    ERR_TRY(runner_add_table(r, j->schema, j->name, e));
    struct followed_table *t = r->tables[r->table_count - 1];

    log_info(r->run.log, "table.found", LOG_STR("table", t->full_name),
             LOG_STR("file", j->position.file), LOG_U64("pos", j->position.offset));
    enum err_code rc = take_in(r, t, e);

    follow_join_deinit(j);
    return rc;
}
