#include "pipeline/runner.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/str.h"
#include "pipeline/runner_int.h"

#define POLL_US 50000

void runner_on_fail(struct runner *r, void (*on_fail)(void *ctx), void *ctx)
{
    (void)pthread_mutex_lock(&r->run.mutex);
    r->run.on_fail = on_fail;
    r->run.on_fail_ctx = ctx;
    (void)pthread_mutex_unlock(&r->run.mutex);
}

static void show_progress(struct runner *r)
{
    struct run *run = &r->run;
    enum run_phase phase = (enum run_phase)atomic_load(&run->counters.phase);
    int64_t last_s = atomic_load(&run->counters.last_event_s);
    struct run_progress p = {
        .phase = phase,
        .rows_expected = atomic_load(&run->counters.rows_expected),
        .bytes = atomic_load(&run->counters.bytes_read),
        .cuts = atomic_load(&run->counters.cuts_committed),
        .lag_s = last_s == 0 ? -1 : clock_wall_us(&run->clock) / 1000000 - last_s,
    };

    p.rows = phase == RUN_PHASE_COPY ? atomic_load(&run->counters.rows_copied)
                                     : atomic_load(&run->counters.rows_decoded);
    (void)pthread_mutex_lock(&run->mutex);
    p.committed = run->committed;
    (void)pthread_mutex_unlock(&run->mutex);
    r->options.progress(r->options.progress_ctx, &p);
}

static bool goes_on(struct runner *r)
{
    const struct run_options *o = &r->options;

    if (o->stop_requested != NULL && o->stop_requested(o->stop_ctx) &&
        !atomic_load(&r->run.stopping)) {
        atomic_store(&r->run.stop_us, clock_mono_us(&r->run.clock));
        atomic_store(&r->run.stopping, true);
        log_info(r->run.log, "run.stopping", LOG_STR("reason", "asked to"));
    }
    if (o->progress != NULL) {
        show_progress(r);
    }
    return !atomic_load(&r->run.stopping) && !run_failed(&r->run);
}

bool runner_poll(struct runner *r)
{
    clock_sleep_us(&r->run.clock, POLL_US);
    return goes_on(r);
}

/* Stable per connection and server id: a new dump then ends an old one that still hangs. */
static void make_replica_uuid(struct runner *r)
{
    const struct run_options *o = &r->options;
    struct rand rand;

    rand_seed(&rand, XXH64(o->connection, strlen(o->connection), o->server_id));
    rand_uuid(&rand, r->replica_uuid);
}

static void init(struct runner *r, const struct run_options *options,
                 const struct runner_handles *handles)
{
    struct rand rand;

    r->options = *options;
    r->run.options = &r->options;
    r->until_moves = options->until.kind == RUN_POINT_CURRENT;
    r->run.store = handles->store;
    r->run.catalog = handles->catalog;
    r->run.log = handles->log;
    r->run.clock = handles->clock;
    (void)pthread_mutex_init(&r->run.mutex, NULL);
    (void)pthread_mutex_init(&r->run.catalog_mutex, NULL);
    rand_init(&rand);
    rand_uuid(&rand, r->run.id);
    make_replica_uuid(r);
}

static void deinit(struct runner *r)
{
    sweeper_join(r->sweeper);
    for (uint32_t i = 0; i < r->table_count; i++) {
        followed_table_free(r->tables[i]);
    }
    free(r->tables);
    follow_join_deinit(&r->join);
    watermarks_free(r->watermarks);
    (void)pthread_mutex_destroy(&r->run.mutex);
    (void)pthread_mutex_destroy(&r->run.catalog_mutex);
}

/*
 * Of several hosts another one may answer from now on. What is copied there is known by its GTID
 * set; without one it would be at a place of another log than the rest.
 */
static enum err_code accept_source(void *ctx, struct mysql_conn *c,
                                   const struct mysql_options *here, struct err *e)
{
    const struct run *run = ctx;
    const struct mysql_server *s = mysql_conn_server(c);

    (void)here;
    if (strcmp(s->identity, run->source) == 0 ||
        (s->gtid_enabled && run->source_gtids &&
         source_flavor(s->identity) == source_flavor(run->source))) {
        return ERR_OK;
    }
    return err_set(e, ERR_SOURCE,
                   "this is another server (%s) than the one that the tables were found on (%s), "
                   "and without GTIDs on both nothing tells how far the two are",
                   s->identity, run->source);
}

static enum err_code run_phases(struct runner *r, struct err *e)
{
    ERR_TRY(runner_find_tables(r, e));
    r->options.mysql.accept = accept_source;
    r->options.mysql.ctx = &r->run;
    ERR_TRY(runner_load_states(r, e));
    if (!goes_on(r)) {
        return ERR_OK;
    }
    ERR_TRY(runner_copy(r, e));
    runner_leave_vanished(r);
    ERR_TRY(runner_check_any(r, e));
    if (r->options.backfill_only || !goes_on(r)) {
        return ERR_OK;
    }
    ERR_TRY(runner_start_new_tables(r, e));
    ERR_TRY(runner_follow(r, e));
    while (r->join.wanted && goes_on(r)) {
        ERR_TRY(runner_join(r, e));
        if (goes_on(r)) { /* else a table may have no place yet */
            ERR_TRY(runner_follow(r, e));
        }
    }
    return ERR_OK;
}

enum err_code runner_run(const struct run_options *options, const struct runner_handles *handles,
                         struct err *e)
{
    struct runner r = {.table_count = 0};

    init(&r, options, handles);
    enum err_code rc = run_phases(&r, e);

    if (rc == ERR_OK) {
        log_info(handles->log, "run.done",
                 LOG_U64("rows_copied", atomic_load(&r.run.counters.rows_copied)),
                 LOG_U64("rows_followed", atomic_load(&r.run.counters.rows_decoded)),
                 LOG_U64("cuts", atomic_load(&r.run.counters.cuts_committed)));
    }
    deinit(&r);
    return rc;
}
