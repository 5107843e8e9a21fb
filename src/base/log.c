#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

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

static void put_quoted(struct buf *out, const char *text)
{
    buf_u8(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            buf_u8(out, '\\');
            buf_u8(out, (uint8_t)*p);
        } else if ((unsigned char)*p < 0x20) {
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*p);
        } else {
            buf_u8(out, (uint8_t)*p);
        }
    }
    buf_u8(out, '"');
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0') {
        return true;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=') {
            return true;
        }
    }
    return false;
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
        buf_printf(out, "%.3f", f->u.f64);
        break;
    case LOG_KIND_END:
        break;
    }
}

static void put_time(struct buf *out, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[32];

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "%s.%03dZ", text, (int)(wall_us % 1000000 / 1000));
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

void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    if (log == NULL || log->fd < 0 || level < log->level) {
        return;
    }
    struct buf out = {0};

    put_line(log, &out, level, event, fields);
    (void)pthread_mutex_lock(&log->mutex);
    if (log->before_line != NULL) {
        log->before_line(log->before_ctx);
    }
    /* A log that cannot be written has nowhere to say so. */
    for (size_t done = 0; done < out.len;) {
        ssize_t n = write(log->fd, out.data + done, out.len - done);

        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    buf_deinit(&out);
}
