#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void reset(struct err *e, enum err_code code)
{
    e->code = code;
    e->os_errno = 0;
    e->source_errno = 0;
    e->retryable = false;
    e->msg[0] = '\0';
}

/* A message stays one line: log files and terminals are read line by line. */
static void one_line(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\r') {
            *p = ' ';
        }
    }
}

/* A message that was cut short still ends with a whole character. */
static void end_whole(char *text)
{
    size_t len = strlen(text);
    size_t at = len;

    while (at > 0 && len - at < 3 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) {
        at--;
    }
    if (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0xc0 &&
        str_utf8_char(span_of(text + at - 1, len - at + 1)) == 0) {
        text[at - 1] = '\0';
    }
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list args;
        char text[sizeof e->msg];

        /* Formatted aside first, because an argument may be e's own message. */
        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        reset(e, code);
        memcpy(e->msg, text, sizeof text);
        one_line(e->msg);
        end_whole(e->msg);
    }
    return code;
}

enum err_code err_set_os(struct err *e, enum err_code code, int os_errno, const char *fmt, ...)
{
    if (e != NULL) {
        va_list args;
        char text[sizeof e->msg];
        char reason[128];

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        if (strerror_r(os_errno, reason, sizeof reason) != 0) {
            (void)snprintf(reason, sizeof reason, "error %d", os_errno);
        }
        (void)err_set(e, code, "%.*s: %s", (int)(sizeof e->msg - sizeof reason - 3), text, reason);
        e->os_errno = os_errno;
    }
    return code;
}

enum err_code err_set_retryable(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list args;
        char text[sizeof e->msg];

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        (void)err_set(e, code, "%s", text);
        e->retryable = true;
    }
    return code;
}

enum err_code err_wrap(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return ERR_OK;
    }
    va_list args;
    char outer[sizeof e->msg];
    char inner[sizeof e->msg];

    va_start(args, fmt);
    (void)vsnprintf(outer, sizeof outer, fmt, args);
    va_end(args);
    memcpy(inner, e->msg, sizeof inner);
    one_line(outer);

    size_t outer_len = strlen(outer);
    if (outer_len > sizeof e->msg - 3) {
        outer_len = sizeof e->msg - 3;
    }
    memcpy(e->msg, outer, outer_len);
    memcpy(e->msg + outer_len, ": ", 3);

    size_t room = sizeof e->msg - outer_len - 3;
    size_t inner_len = strnlen(inner, sizeof inner - 1);
    if (inner_len > room) {
        inner_len = room;
    }
    memcpy(e->msg + outer_len + 2, inner, inner_len);
    e->msg[outer_len + 2 + inner_len] = '\0';
    end_whole(e->msg);
    return e->code;
}

enum err_code err_nomem(struct err *e)
{
    return err_set(e, ERR_NOMEM, "out of memory");
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return "ok";
    case ERR_NOMEM:
        return "nomem";
    case ERR_IO:
        return "io";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_LIMIT:
        return "limit";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_EXISTS:
        return "exists";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_UNKNOWN:
        return "unknown";
    case ERR_FENCED:
        return "fenced";
    case ERR_SOURCE:
        return "source";
    case ERR_CONFIG:
        return "config";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_DIFFERENT:
        return "different";
    }
    abort();
}
