#include "pipeline/run.h"

#include "base/str.h"

#define STOP_PATIENCE_US 10000000

bool run_chooses(const struct run_options *o, const char *full_name, bool icase)
{
    return str_glob_any(o->tables, o->table_count, full_name, icase) &&
           !str_glob_any(o->excluded, o->excluded_count, full_name, icase);
}

void run_fail(struct run *r, const struct err *e)
{
    (void)pthread_mutex_lock(&r->mutex);
    if (!atomic_load(&r->failed)) {
        r->error = *e;
        atomic_store_explicit(&r->failed, true, memory_order_release);
        if (r->on_fail != NULL) {
            r->on_fail(r->on_fail_ctx);
        }
    }
    (void)pthread_mutex_unlock(&r->mutex);
}

bool run_gives_up(void *ctx)
{
    struct run *r = ctx;

    return run_failed(r) ||
           (atomic_load(&r->stopping) &&
            clock_mono_us(&r->clock) - atomic_load(&r->stop_us) > STOP_PATIENCE_US);
}
