#include "pipeline/run.h"

#define STOP_PATIENCE_US 10000000

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
