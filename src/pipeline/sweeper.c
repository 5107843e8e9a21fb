#include "pipeline/sweeper.h"

#include <stdlib.h>

#include "base/str.h"

struct folder {
    char *prefix;
    char *table; /* for the log */
};

struct sweeper {
    struct run *run;
    pthread_t thread;
    struct folder *folders;
    uint32_t count;
};

static void sweeper_free(struct sweeper *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        free(s->folders[i].prefix);
        free(s->folders[i].table);
    }
    free(s->folders);
    free(s);
}

static void sweep(struct run *run, const struct folder *f)
{
    struct err why = {0};
    uint32_t removed = 0;

    if (store_sweep(run->store, f->prefix, &removed, &why) != ERR_OK) {
        log_warn(run->log, "sweep.failed", LOG_STR("table", f->table), LOG_STR("error", why.msg));
    } else if (removed > 0) {
        log_info(run->log, "sweep.done", LOG_STR("table", f->table), LOG_U64("removed", removed));
    }
}

static void *sweeper_main(void *arg)
{
    struct sweeper *s = arg;

    for (uint32_t i = 0; i < s->count && !run_gives_up(s->run); i++) {
        sweep(s->run, &s->folders[i]);
    }
    return NULL;
}

static enum err_code add_folder(struct sweeper *s, const struct followed_table *t)
{
    if (t->location[0] == '\0') {
        return ERR_OK; /* nobody has written there */
    }
    struct folder f = {str_format("%s/", t->location), str_dup(t->full_name)};

    if (f.prefix == NULL || f.table == NULL) {
        free(f.prefix);
        free(f.table);
        return ERR_NOMEM;
    }
    s->folders[s->count++] = f;
    return ERR_OK;
}

static enum err_code fill(struct sweeper *s, struct followed_table *const *tables,
                          uint32_t table_count)
{
    s->folders = calloc((size_t)table_count + 1, sizeof *s->folders);
    if (s->folders == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < table_count; i++) {
        ERR_TRY(add_folder(s, tables[i]));
    }
    return pthread_create(&s->thread, NULL, sweeper_main, s) == 0 ? ERR_OK : ERR_IO;
}

struct sweeper *sweeper_start(struct run *run, struct followed_table *const *tables,
                              uint32_t table_count)
{
    struct sweeper *s = calloc(1, sizeof *s);
    enum err_code rc = ERR_NOMEM;

    if (s != NULL) {
        s->run = run;
        rc = fill(s, tables, table_count);
    }
    if (rc != ERR_OK) {
        log_warn(run->log, "sweep.failed",
                 LOG_STR("error", rc == ERR_NOMEM ? "out of memory" : "no thread"));
        if (s != NULL) {
            sweeper_free(s);
        }
        return NULL;
    }
    return s;
}

void sweeper_join(struct sweeper *s)
{
    if (s != NULL) {
        (void)pthread_join(s->thread, NULL);
        sweeper_free(s);
    }
}
