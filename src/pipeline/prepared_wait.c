#include "pipeline/prepared_wait.h"

#include "mysql/snapshot.h"

#define POLL_US     100000
#define LOG_EACH_US (INT64_C(10) * 1000000)

static void warn_unseen(struct run *run)
{
    if (!atomic_exchange(&run->prepared_unseen, true)) {
        log_warn(run->log, "xa.unseen",
                 LOG_STR("reason", "the account may not look for prepared XA transactions (MySQL: "
                                   "XA_RECOVER_ADMIN): if one is open now, following will stop at "
                                   "its COMMIT"));
    }
}

enum err_code prepared_wait(struct run *run, struct mysql_conn *conn, bool *none, struct err *e)
{
    int64_t start_us = clock_mono_us(&run->clock);
    int64_t logged_us = start_us - LOG_EACH_US;

    for (;;) {
        unsigned count;
        bool seen;
        int64_t now_us = clock_mono_us(&run->clock);

        ERR_TRY(snapshot_prepared(conn, &count, &seen, e));
        *none = seen && count == 0;
        if (!seen) {
            warn_unseen(run);
        }
        if (count == 0) {
            return ERR_OK;
        }
        if (atomic_load(&run->stopping) || run_failed(run)) {
            return err_set(e, ERR_CANCELLED, "the run is ending");
        }
        if (now_us - start_us >= run->options->xa_wait_us) {
            return err_set(e, ERR_SOURCE,
                           "prepared XA transactions are open (%u), and starting now would miss "
                           "their rows: commit or roll them back (XA RECOVER shows them), or "
                           "raise xa-wait",
                           count);
        }
        if (now_us - logged_us >= LOG_EACH_US) {
            log_info(run->log, "xa.waiting", LOG_U64("prepared", count));
            logged_us = now_us;
        }
        clock_sleep_us(&run->clock, POLL_US);
    }
}
