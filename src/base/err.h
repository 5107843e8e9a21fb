/*
 * err.h - how calve reports failure: a code that steers and a message that explains.
 *
 * struct err lives on the caller's stack and never allocates. A function that fails fills it and
 * returns its code; a layer that knows more adds it in front with err_wrap(). A NULL struct err *
 * is allowed everywhere: the code alone is then the answer.
 */
#ifndef CALVE_BASE_ERR_H
#define CALVE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_USE                          __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

enum err_code {
    ERR_OK = 0,
    ERR_NOMEM,       /* an allocation failed */
    ERR_IO,          /* the operating system or the network said no */
    ERR_TIMEOUT,     /* no answer in time */
    ERR_CORRUPT,     /* bytes from outside do not follow their format */
    ERR_LIMIT,       /* a cap of ours or of the format was reached */
    ERR_UNSUPPORTED, /* valid, but not something this version can do */
    ERR_NOT_FOUND,   /* the named thing is not there */
    ERR_EXISTS,      /* the named thing is there already */
    ERR_CONFLICT,    /* somebody else changed it first: refresh and try again */
    ERR_UNKNOWN,     /* a commit was sent and no definite answer came back */
    ERR_FENCED,      /* another process writes what we write */
    ERR_SOURCE,      /* the MySQL or MariaDB server refused; err.source_errno has its number */
    ERR_CONFIG,      /* a setting is missing or wrong: exit status 2 */
    ERR_CANCELLED,   /* the run was asked to stop */
    ERR_DIFFERENT,   /* a comparison found differences: exit status 3 */
};

struct err {
    enum err_code code;
    int os_errno;          /* 0 when the operating system was not involved */
    unsigned source_errno; /* the server's error number, 0 when it was not involved */
    bool retryable;        /* decided where the failure happened */
    char msg[1024];        /* "outer: inner: detail", UTF-8, one line */
};

/* Sets code and message, clears the rest, returns code. e may be NULL. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, and appends ": " and the text of os_errno. */
enum err_code err_set_os(struct err *e, enum err_code code, int os_errno, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* As err_set, and marks the failure as worth another try. */
enum err_code err_set_retryable(struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Puts "<text>: " in front of the message; the rest stays. Returns e's code (ERR_OK if e is NULL).
 */
enum err_code err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum err_code err_nomem(struct err *e);

/* "io", "conflict": for logs. Never NULL. */
const char *err_code_name(enum err_code code);

/* Returns from the calling function when expr fails; for functions with nothing to release. */
#define ERR_TRY(expr)                       \
    do {                                    \
        enum err_code err_try_rc_ = (expr); \
        if (err_try_rc_ != ERR_OK) {        \
            return err_try_rc_;             \
        }                                   \
    } while (0)

#endif
