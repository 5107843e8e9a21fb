/* cmd_status.c - `calve status`: looks at lake and source, changes neither. */
#include <stdio.h>

#include "app/commands.h"
#include "app/config_value.h"
#include "app/output.h"
#include "app/status_int.h"

static void tell_source_problem(const struct status_source *s)
{
    if (s->problem.code != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n",
                      s->reachable ? "source not readable" : "source not reachable",
                      s->problem.msg);
    }
}

/* The first table that could not be read fails the command, after all were shown. */
static enum err_code tell_table_problems(const struct status_report *r, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; i < r->names.count; i++) {
        const struct status_table *t = &r->tables[i];

        if (t->state != STATUS_UNREADABLE) {
            continue;
        }
        if (rc == ERR_OK) {
            rc = err_set(e, ERR_CORRUPT, "%s.%s: %s", t->schema, t->name, t->problem);
        } else {
            (void)fprintf(stderr, "%s.%s: %s\n", t->schema, t->name, t->problem);
        }
    }
    return rc;
}

/* A table that is being copied, or is gone, is not behind. */
static enum err_code check_lag(const struct status_report *r, const char *max_lag, struct err *e)
{
    uint64_t max_ms = 0;
    const struct status_table *worst = NULL;
    unsigned behind = 0;

    if (!config_parse_duration_ms(span_str(max_lag), &max_ms)) {
        return err_set(e, ERR_CONFIG, "--max-lag: '%.50s' must be a time, such as 5m", max_lag);
    }
    for (uint32_t i = 0; i < r->names.count; i++) {
        const struct status_table *t = &r->tables[i];
        int64_t lag_s = status_lag_s(r, t);

        if (t->state == STATUS_GONE || lag_s < 0 || (uint64_t)lag_s * 1000 <= max_ms) {
            continue;
        }
        behind++;
        worst = worst == NULL || lag_s > status_lag_s(r, worst) ? t : worst;
    }
    if (worst == NULL) {
        return ERR_OK;
    }
    (void)fprintf(stderr, "%u of %u tables are more than %s behind, most of all %s.%s: by %lld s\n",
                  behind, r->names.count, max_lag, worst->schema, worst->name,
                  (long long)status_lag_s(r, worst));
    return err_set(e, ERR_DIFFERENT, "tables are behind");
}

static enum err_code make_report(struct status_report *r, struct log *log, struct err *e)
{
    struct lake lake;

    /* First: without a lake there is nothing to ask a server for. */
    ERR_TRY(lake_open_existing(r->config, log, &lake, e));
    enum err_code rc = status_ask_source(r, e);

    if (rc == ERR_OK) {
        rc = status_read_lake(r, &lake, e);
    }
    lake_close(&lake);
    return rc;
}

enum err_code cmd_status(const struct config *c, const struct command_args *args, struct log *log,
                         struct err *e)
{
    const struct clock clock = clock_system();
    struct status_report r = {.config = c, .now_us = clock_wall_us(&clock)};
    struct buf out = {0};

    arena_init(&r.arena, 0);
    enum err_code rc = make_report(&r, log, e);

    if (rc == ERR_OK) {
        tell_source_problem(&r.source);
        if (args->json) {
            status_put_json(&r, &out);
        } else {
            rc = status_put_text(&r, &out, e);
        }
    }
    if (rc == ERR_OK) {
        rc = output_flush(&out, e);
    }
    if (rc == ERR_OK) {
        rc = tell_table_problems(&r, e);
    }
    if (rc == ERR_OK && args->max_lag != NULL) {
        rc = check_lag(&r, args->max_lag, e);
    }
    table_choice_deinit(&r.names);
    arena_deinit(&r.arena);
    buf_deinit(&out);
    return rc;
}
