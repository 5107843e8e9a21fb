#include "pipeline/run.h"

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

bool run_is_failed(void *ctx)
{
    return run_failed(ctx);
}
