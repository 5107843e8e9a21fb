/* cmd_run.c - `calve run` and `calve backfill`: settings to a run. */
#include <stdlib.h>

#include "app/commands.h"
#include "app/lake.h"
#include "app/progress.h"
#include "app/signals.h"
#include "pipeline/runner.h"

#define US_PER_MS INT64_C(1000)

/* The watermarks table is rewritten at each cut; nobody travels back in it. */
#define WATERMARK_SNAPSHOTS 20u

static const char *spill_folder(const struct config *c)
{
    const char *temporary = getenv("TMPDIR");

    if (c->spill_dir[0] != '\0') {
        return c->spill_dir;
    }
    return temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp";
}

static struct run_options options_of(const struct config *c)
{
    return (struct run_options){
        .mysql = config_mysql_options(c),
        .connection = c->connection_name,
        .server_id = (uint32_t)c->mysql.server_id,
        .heartbeat_us = (int64_t)c->mysql.heartbeat_ms * US_PER_MS,
        .catch_up_us = (int64_t)c->mysql.catch_up_ms * US_PER_MS,
        .tables = c->tables.items,
        .table_count = c->tables.count,
        .excluded = c->excluded.items,
        .excluded_count = c->excluded.count,
        .warehouse = c->warehouse_location,
        .compat_layout = c->connection_folder,
        .snapshot = c->snapshot,
        .from = c->from,
        .until = c->until,
        .commit_interval_us = (int64_t)c->commit_interval_ms * US_PER_MS,
        .commit_bytes_max = c->commit_max_bytes,
        .batch_rows = c->batch_size,
        .watermark_interval_us = (int64_t)c->watermark_interval_ms * US_PER_MS,
        .retention =
            {
                .keep_us = (int64_t)c->snapshots_keep_age_ms * US_PER_MS,
                .keep_count = (uint32_t)c->snapshots_keep_count,
            },
        .watermark_retention = {.keep_us = 0, .keep_count = WATERMARK_SNAPSHOTS},
        .memory_bytes = c->memory_max_bytes,
        .lanes = (unsigned)c->writers,
        .backfill_workers = (unsigned)c->backfill_workers,
        .target_file_bytes = c->target_file_bytes,
        .row_group_bytes = c->row_group_bytes,
        .zstd_level = (int)c->compression_level,
        .spill_folder = spill_folder(c),
        .xa_wait_us = (int64_t)c->xa_wait_ms * US_PER_MS,
        .ddl_accept = c->ddl_accept.items,
        .ddl_accept_count = c->ddl_accept.count,
        .ddl_policy = c->ddl_policy.items,
        .ddl_policy_count = c->ddl_policy.count,
        .stop_requested = signals_stop_requested,
    };
}

static enum err_code run(const struct config *c, bool backfill_only, struct log *log, struct err *e)
{
    struct run_options options = options_of(c);
    struct progress progress;
    struct lake lake;

    ERR_TRY(lake_open(c, log, &lake, e));
    progress_init(&progress, c->progress, log);
    options.backfill_only = backfill_only;
    options.progress = progress_show;
    options.progress_ctx = &progress;
    enum err_code rc = runner_run(&options,
                                  &(struct runner_handles){
                                      .store = lake.store,
                                      .catalog = lake.catalog,
                                      .log = log,
                                      .clock = clock_system(),
                                  },
                                  e);

    progress_deinit(&progress);
    lake_close(&lake);
    return rc;
}

enum err_code cmd_run(const struct config *c, const struct command_args *args, struct log *log,
                      struct err *e)
{
    (void)args;
    return run(c, false, log, e);
}

enum err_code cmd_backfill(const struct config *c, const struct command_args *args, struct log *log,
                           struct err *e)
{
    (void)args;
    return run(c, true, log, e);
}
