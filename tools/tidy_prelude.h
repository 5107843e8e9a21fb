/*
 * tidy_prelude.h - tells clang's analyzer what it cannot see from a declaration: functions that
 * report a failure do not return ERR_OK. Included by tools/lint_tidy.sh in front of every file but
 * base/err.c and base/arena.c.
 */
#ifndef CALVE_TIDY_PRELUDE_H
#define CALVE_TIDY_PRELUDE_H

#include "base/arena.h"
#include "base/err.h"

static inline enum err_code tidy_failure(enum err_code code)
{
    if (code == ERR_OK) {
        __builtin_unreachable();
    }
    return code;
}

#define err_set(...)           tidy_failure(err_set(__VA_ARGS__))
#define err_set_os(...)        tidy_failure(err_set_os(__VA_ARGS__))
#define err_set_retryable(...) tidy_failure(err_set_retryable(__VA_ARGS__))
#define err_wrap(...)          tidy_failure(err_wrap(__VA_ARGS__))
#define err_nomem(e)           tidy_failure(err_nomem(e))
#define arena_fail(...)        tidy_failure(arena_fail(__VA_ARGS__))

#endif
