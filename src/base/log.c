#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"

#define MICROS_PER_S 1000000

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "?";
}

void log_init(struct log *log, int fd, enum log_level level, enum log_format format)
{
    *log = (struct log){.fd = fd, .level = level, .format = format, .clock = clock_system()};
    (void)pthread_mutex_init(&log->mutex, NULL);
}

void log_deinit(struct log *log)
{
    (void)pthread_mutex_destroy(&log->mutex);
}

/* C0, DEL and C1: what a terminal would obey. */
static bool is_control(const uint8_t *c, size_t len)
{
    return len == 1 ? c[0] < 0x20 || c[0] == 0x7f : len == 2 && c[0] == 0xc2 && c[1] < 0xa0;
}

/* Whatever the text holds, what goes out is well-formed UTF-8 on one line. */
static void put_quoted(struct buf *out, const char *text)
{
    struct span left = span_str(text);

    buf_u8(out, '"');
    while (left.len > 0) {
        size_t len = str_utf8_char(left);

        if (len == 0) {
            buf_append_str(out, "\xef\xbf\xbd");
            len = 1;
        } else if (is_control(left.data, len)) {
            buf_printf(out, "\\u%04x", (unsigned)left.data[len - 1]);
        } else {
            if (left.data[0] == '"' || left.data[0] == '\\') {
                buf_u8(out, '\\');
            }
            buf_append(out, left.data, len);
        }
        left = span_of(left.data + len, left.len - len);
    }
    buf_u8(out, '"');
}

static bool needs_quotes(const char *text)
{
    struct span left = span_str(text);

    if (left.len == 0) {
        return true;
    }
    while (left.len > 0) {
        size_t len = str_utf8_char(left);

        if (len == 0 || is_control(left.data, len) || strchr(" \"=", left.data[0]) != NULL) {
            return true;
        }
        left = span_of(left.data + len, left.len - len);
    }
    return false;
}

static void put_number(struct buf *out, double v, bool json)
{
    if (json && !isfinite(v)) {
        buf_append_str(out, "null");
    } else {
        buf_printf(out, "%.3f", v);
    }
}

static void put_value(struct buf *out, const struct log_field *f, bool json)
{
    const char *text;

    switch (f->kind) {
    case LOG_KIND_STR:
        text = f->u.str == NULL ? "" : f->u.str;
        if (json || needs_quotes(text)) {
            put_quoted(out, text);
        } else {
            buf_append_str(out, text);
        }
        break;
    case LOG_KIND_I64:
        buf_printf(out, "%lld", (long long)f->u.i64);
        break;
    case LOG_KIND_U64:
        buf_printf(out, "%llu", (unsigned long long)f->u.u64);
        break;
    case LOG_KIND_F64:
        put_number(out, f->u.f64, json);
        break;
    case LOG_KIND_END:
        break;
    }
}

static void put_time(struct buf *out, int64_t wall_us)
{
    int64_t micros = wall_us % MICROS_PER_S;
    struct tm tm;
    char text[32];

    micros += micros < 0 ? MICROS_PER_S : 0;
    time_t seconds = (time_t)((wall_us - micros) / MICROS_PER_S);

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "%s.%03dZ", text, (int)(micros / 1000));
}

static void put_line(struct log *log, struct buf *out, enum log_level level, const char *event,
                     const struct log_field *fields)
{
    bool json = log->format == LOG_FORMAT_JSON;

    buf_append_str(out, json ? "{\"time\":\"" : "");
    put_time(out, clock_wall_us(&log->clock));
    buf_printf(out, json ? "\",\"level\":\"%s\",\"event\":\"%s\"" : " %s %s", level_name(level),
               event);
    for (const struct log_field *f = fields; f->kind != LOG_KIND_END; f++) {
        buf_printf(out, json ? ",\"%s\":" : " %s=", f->key);
        put_value(out, f, json);
    }
    buf_append_str(out, json ? "}\n" : "\n");
}

/* A log that cannot be written has nowhere to say so. */
static void write_all(int fd, struct span line)
{
    while (line.len > 0) {
        ssize_t n = write(fd, line.data, line.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        line = span_of(line.data + n, line.len - (size_t)n);
    }
}

void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    if (log == NULL || log->fd < 0 || level < log->level) {
        return;
    }
    struct buf out = {0};
    char bare[256];

    put_line(log, &out, level, event, fields);
    struct span line = buf_span(&out);

    if (out.failed != ERR_OK) {
        /* Without memory for the fields the event alone goes out, still as a whole line. */
        (void)snprintf(bare, sizeof bare,
                       log->format == LOG_FORMAT_JSON ? "{\"level\":\"%s\",\"event\":\"%.200s\"}\n"
                                                      : "%s %.200s\n",
                       level_name(level), event);
        line = span_str(bare);
    }
    (void)pthread_mutex_lock(&log->mutex);
    if (log->before_line != NULL) {
        log->before_line(log->before_ctx);
    }
    write_all(log->fd, line);
    (void)pthread_mutex_unlock(&log->mutex);
    buf_deinit(&out);
}
