/* runner_copy.c - copies of tables, some at a time, while the main thread watches. */
#include <stdlib.h>

#include "mysql/source_catalog.h"
#include "pipeline/backfill.h"
#include "pipeline/runner_int.h"

#define WORKERS_MAX 64u

struct copy_jobs {
    struct runner *r;
    struct followed_table **tables;
    uint32_t count;
    _Atomic uint32_t next;
    _Atomic uint32_t workers; /* still working */
    size_t memory_bytes;      /* of each */
};

static void *worker_main(void *arg)
{
    struct copy_jobs *jobs = arg;
    struct run *run = &jobs->r->run;
    const struct backfill_options options = {
        .run = run,
        .watermarks = jobs->r->watermarks,
        .memory_bytes = jobs->memory_bytes,
    };

    for (;;) {
        uint32_t i = atomic_fetch_add(&jobs->next, 1);
        struct err err = {0};

        if (i >= jobs->count || run_failed(run) || atomic_load(&run->stopping)) {
            break;
        }
        enum err_code rc = backfill_table(&options, jobs->tables[i], &err);

        if (rc == ERR_NOT_FOUND && runner_may_vanish(jobs->r, jobs->tables[i], &err)) {
            continue;
        }
        if (rc != ERR_OK && !(rc == ERR_CANCELLED && atomic_load(&run->stopping))) {
            run_fail(run, &err);
        }
    }
    atomic_fetch_sub(&jobs->workers, 1);
    return NULL;
}

static bool wants_copy(const struct runner *r, const struct followed_table *t)
{
    if (t->commit.backfill_complete) {
        return false;
    }
    return r->options.backfill_only ||
           (r->options.snapshot == RUN_SNAPSHOT_INITIAL && !followed_table_has_position(t));
}

/* What the server thinks how many rows there will be; a guess is better than none. */
static enum err_code expect_rows(struct runner *r, const struct copy_jobs *jobs, struct err *e)
{
    struct mysql_conn *conn = NULL;
    uint64_t total = 0;
    enum err_code rc = mysql_conn_open(&r->options.mysql, &conn, e);

    for (uint32_t i = 0; rc == ERR_OK && i < jobs->count; i++) {
        uint64_t rows = 0;

        rc = source_catalog_row_estimate(conn, jobs->tables[i]->schema, jobs->tables[i]->name,
                                         &rows, e);
        total += rows;
    }
    mysql_conn_close(conn);
    atomic_store(&r->run.counters.rows_expected, total);
    return rc;
}

static enum err_code start_workers(struct copy_jobs *jobs, unsigned wanted, pthread_t *threads,
                                   unsigned *started, struct err *e)
{
    *started = 0;
    atomic_store(&jobs->workers, wanted);
    while (*started < wanted) {
        if (pthread_create(&threads[*started], NULL, worker_main, jobs) != 0) {
            atomic_fetch_sub(&jobs->workers, wanted - *started);
            return err_set(e, ERR_IO, "starting a copy thread failed");
        }
        (*started)++;
    }
    return ERR_OK;
}

/* Whether the catalog and the store take anything shows at once, not after hours of copying. */
static enum err_code try_lake(struct runner *r, struct err *e)
{
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    enum err_code rc = watermarks_create(r->watermarks, e);

    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

static enum err_code run_jobs(struct runner *r, struct copy_jobs *jobs, struct err *e)
{
    pthread_t threads[WORKERS_MAX];
    unsigned wanted = r->options.backfill_workers == 0 ? 1 : r->options.backfill_workers;
    unsigned started;
    struct err why = {0};

    wanted = wanted > WORKERS_MAX ? WORKERS_MAX : wanted;
    wanted = wanted > jobs->count ? jobs->count : wanted;
    jobs->memory_bytes = r->options.memory_bytes / wanted;
    atomic_store(&r->run.counters.phase, RUN_PHASE_COPY);
    if (start_workers(jobs, wanted, threads, &started, &why) != ERR_OK ||
        try_lake(r, &why) != ERR_OK) {
        run_fail(&r->run, &why);
    }
    while (atomic_load(&jobs->workers) > 0) {
        (void)runner_poll(r);
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (run_failed(&r->run)) {
        if (e != NULL) {
            *e = r->run.error;
        }
        return r->run.error.code;
    }
    return ERR_OK;
}

enum err_code runner_copy(struct runner *r, struct err *e)
{
    struct copy_jobs jobs = {.r = r};
    enum err_code rc = ERR_OK;

    jobs.tables = calloc(r->table_count + 1u, sizeof(*jobs.tables));
    if (jobs.tables == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < r->table_count; i++) {
        struct followed_table *t = r->tables[i];

        if (wants_copy(r, t)) {
            jobs.tables[jobs.count++] = t;
        } else if (r->options.backfill_only) {
            log_info(r->run.log, "copy.complete", LOG_STR("table", t->full_name),
                     LOG_STR("note", "copied already: nothing to do"));
        }
    }
    if (jobs.count > 0) {
        rc = expect_rows(r, &jobs, e);
        if (rc == ERR_OK) {
            rc = run_jobs(r, &jobs, e);
        }
    }
    free(jobs.tables);
    return rc;
}
