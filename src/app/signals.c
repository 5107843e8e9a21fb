#include "app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
    (void)number;
    if (stop_requested != 0) {
        _exit(130);
    }
    stop_requested = 1;
}

void signals_init(void)
{
    struct sigaction act;

    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    (void)sigemptyset(&act.sa_mask);
    /* Without SA_RESTART: a wait in the main thread ends and looks at the flag. */
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    act.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &act, NULL);
}

void signals_end_on_pipe(void)
{
    struct sigaction act;

    memset(&act, 0, sizeof act);
    act.sa_handler = SIG_DFL;
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGPIPE, &act, NULL);
}

bool signals_stop_requested(void *ctx)
{
    (void)ctx;
    return stop_requested != 0;
}
