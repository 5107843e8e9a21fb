/*
 * log.h - log lines: a stable event name and typed fields.
 *
 *   log_info(log, "snapshot.committed", LOG_STR("table", t), LOG_U64("rows", rows));
 *
 * As text: `2026-01-02T03:04:05.678Z info snapshot.committed table=shop.orders rows=3`, as JSON one
 * object a line. Only pipeline, app, catalog, storage and aws log; the layers below return errors.
 *
 * Thread: any; a line is written whole.
 */
#ifndef CALVE_BASE_LOG_H
#define CALVE_BASE_LOG_H

#include <pthread.h>

#include "base/clock.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_kind { LOG_KIND_END = 0, LOG_KIND_STR, LOG_KIND_I64, LOG_KIND_U64, LOG_KIND_F64 };

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        const char *str; /* NULL prints as empty */
        int64_t i64;
        uint64_t u64;
        double f64;
    } u;
};

#define LOG_STR(k, v) ((struct log_field){(k), LOG_KIND_STR, {.str = (v)}})
#define LOG_I64(k, v) ((struct log_field){(k), LOG_KIND_I64, {.i64 = (v)}})
#define LOG_U64(k, v) ((struct log_field){(k), LOG_KIND_U64, {.u64 = (v)}})
#define LOG_F64(k, v) ((struct log_field){(k), LOG_KIND_F64, {.f64 = (v)}})

struct log {
    int fd; /* -1 writes nothing */
    enum log_level level;
    enum log_format format;
    struct clock clock;
    pthread_mutex_t mutex; /* guards before_line and the write */
    /* Called before a line goes out, so that a progress line on the same terminal can be wiped. */
    void (*before_line)(void *ctx);
    void *before_ctx;
};

void log_init(struct log *log, int fd, enum log_level level, enum log_format format);
void log_deinit(struct log *log);

/* fields ends with a field of kind LOG_KIND_END; use the macros below. log may be NULL. */
void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields);

#define LOG_AT(log, level, event, ...) \
    log_write((log), (level), (event), \
              (const struct log_field[]){__VA_ARGS__, {NULL, LOG_KIND_END, {0}}})
#define log_debug(log, event, ...) LOG_AT(log, LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(log, event, ...)  LOG_AT(log, LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(log, event, ...)  LOG_AT(log, LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(log, event, ...) LOG_AT(log, LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
