/*
 * command.h - runs another program and takes what it prints.
 *
 * No shell is involved: words are split at blanks, 'in single' and "in double" quotes they stay
 * together, and a backslash takes the next character as it is (not inside single quotes).
 *
 * Thread: any.
 */
#ifndef CALVE_BASE_COMMAND_H
#define CALVE_BASE_COMMAND_H

#include "base/buf.h"
#include "base/err.h"

struct command_options {
    const char *const *environment; /* "NAME=value", ends with NULL: beside our own; or NULL */
    int64_t timeout_us;
    size_t output_bytes_max;
};

/*
 * Appends its standard output to out; its messages go where ours go, and it reads nothing. Errors
 * name the program, never its arguments or output. A program that takes too long is killed with all
 * it has started.
 *
 * Errors: ERR_CONFIG  no words, an open quote, or a program that cannot be started
 *         ERR_IO      it failed; ERR_TIMEOUT; ERR_LIMIT too much output
 */
MUST_USE enum err_code command_output(const char *command, const struct command_options *options,
                                      struct buf *out, struct err *e);

/* Whether the words can be split. Errors: ERR_CONFIG. */
MUST_USE enum err_code command_check(const char *command, struct err *e);

#endif
