/*
 * inspect_binlog.c - a binlog file, event by event.
 */
#include <stdlib.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "base/clock.h"
#include "codec/json_writer.h"
#include "mysql/binlog_stream.h"

#define FLUSH_BYTES 65536u

struct inspection {
    const struct command_args *args;
    struct inspect_rows *rows;
    struct buf out;
    uint64_t events;
    uint64_t row_count;
    uint64_t by_type[256];
};

/* ` key="text"` or `,"key":"text"`, escaped: what is in the file must not reach the terminal as it
 * is. */
static void put_text(struct inspection *in, const char *key, struct span text)
{
    buf_printf(&in->out, in->args->json ? ",\"%s\":" : " %s=", key);
    json_put_string(&in->out, text);
}

static void put_number(struct inspection *in, const char *key, uint64_t v)
{
    buf_printf(&in->out, in->args->json ? ",\"%s\":" : " %s=", key);
    json_put_u64(&in->out, v);
}

/* Of a MariaDB that logs an ALTER in two groups. */
static void put_phase(struct inspection *in, enum binlog_alter_phase phase)
{
    switch (phase) {
    case BINLOG_ALTER_WHOLE:
        break;
    case BINLOG_ALTER_START:
        put_text(in, "alter", span_str("start"));
        break;
    case BINLOG_ALTER_COMMIT:
        put_text(in, "alter", span_str("commit"));
        break;
    case BINLOG_ALTER_ROLLBACK:
        put_text(in, "alter", span_str("rollback"));
        break;
    }
}

static enum err_code put_gtid(struct inspection *in, const struct binlog_event *ev, struct err *e)
{
    struct binlog_transaction_start start;
    char text[160];

    ERR_TRY(binlog_event_gtid(ev, &start, e));
    gtid_print(&start.gtid, text, sizeof text);
    put_text(in, "gtid", span_str(text));
    put_phase(in, start.phase);
    return ERR_OK;
}

static enum err_code put_previous_gtids(struct inspection *in, const struct binlog_event *ev,
                                        struct err *e)
{
    struct gtid_set *set = NULL;
    struct buf text = {0};

    ERR_TRY(gtid_set_decode(ev->body, &set, e));
    gtid_set_print(set, &text);
    enum err_code rc = buf_check(&text, e, "GTID set");

    if (rc == ERR_OK) {
        put_text(in, "gtids", buf_span(&text));
    }
    buf_deinit(&text);
    gtid_set_free(set);
    return rc;
}

static enum err_code put_query(struct inspection *in, const struct binlog_event *ev, struct err *e)
{
    struct binlog_query query;

    ERR_TRY(ev->header.type == BINLOG_EVENT_EXECUTE_LOAD_QUERY
                ? binlog_event_execute_load_query(ev->body, &query, e)
                : binlog_event_query(ev->body, &query, e));
    if (query.schema.len > 0) {
        put_text(in, "schema", query.schema);
    }
    put_phase(in, query.phase);
    put_text(in, "sql", query.sql);
    return ERR_OK;
}

static enum err_code put_table_map(struct inspection *in, const struct binlog_event *ev,
                                   struct err *e)
{
    struct span schema;
    struct span name;
    uint64_t id;
    struct buf full = {0};

    ERR_TRY(table_map_peek(ev->body, &id, &schema, &name, e));
    buf_append_span(&full, schema);
    buf_u8(&full, '.');
    buf_append_span(&full, name);
    put_text(in, "table", buf_span(&full));
    put_number(in, "table_id", id);
    buf_deinit(&full);
    return ERR_OK;
}

static enum err_code put_incident(struct inspection *in, const struct binlog_event *ev,
                                  struct err *e)
{
    struct span message;
    uint16_t type;

    ERR_TRY(binlog_event_incident(ev->body, &type, &message, e));
    put_number(in, "incident", type);
    put_text(in, "message", message);
    return ERR_OK;
}

static enum err_code put_details(struct inspection *in, const struct binlog_event *ev,
                                 struct err *e)
{
    uint8_t type = ev->header.type;

    if (binlog_event_is_rows(type)) {
        const char *table = inspect_rows_table(in->rows, ev);

        put_text(in, "table", span_str(table == NULL ? "" : table));
        return ERR_OK;
    }
    switch (type) {
    case BINLOG_EVENT_GTID:
    case BINLOG_EVENT_ANONYMOUS_GTID:
    case BINLOG_EVENT_GTID_TAGGED:
    case BINLOG_EVENT_MARIADB_GTID:
        return put_gtid(in, ev, e);
    case BINLOG_EVENT_PREVIOUS_GTIDS:
        return put_previous_gtids(in, ev, e);
    case BINLOG_EVENT_QUERY:
    case BINLOG_EVENT_EXECUTE_LOAD_QUERY:
        return put_query(in, ev, e);
    case BINLOG_EVENT_TABLE_MAP:
        return put_table_map(in, ev, e);
    case BINLOG_EVENT_INCIDENT:
        return put_incident(in, ev, e);
    default:
        return ERR_OK;
    }
}

static enum err_code put_event(struct inspection *in, const struct binlog_event *ev, struct err *e)
{
    if (in->args->json) {
        buf_printf(&in->out, "{\"end\":%llu,\"type\":\"%s\",\"type_code\":%u,\"timestamp_s\":%u",
                   (unsigned long long)ev->end.offset, binlog_event_type_name(ev->logged_type),
                   ev->logged_type, ev->header.timestamp_s);
        put_number(in, "server_id", ev->header.server_id);
        put_number(in, "bytes", ev->header.event_bytes);
        if (ev->in_payload) {
            buf_append_str(&in->out, ",\"in_payload\":true");
        }
    } else {
        buf_printf(&in->out, "%10llu ", (unsigned long long)ev->end.offset);
        output_put_time(&in->out, (int64_t)ev->header.timestamp_s * 1000000);
        buf_printf(&in->out, " %s%s(%u)", ev->in_payload ? "+ " : "",
                   binlog_event_type_name(ev->logged_type), ev->logged_type);
        put_number(in, "bytes", ev->header.event_bytes);
    }
    ERR_TRY(put_details(in, ev, e));
    buf_append_str(&in->out, in->args->json ? "}\n" : "\n");
    return ERR_OK;
}

static enum err_code one_event(struct inspection *in, const struct binlog_event *ev, struct err *e)
{
    bool is_rows = binlog_event_is_rows(ev->header.type);

    in->events++;
    in->by_type[ev->logged_type]++;
    if (ev->header.type == BINLOG_EVENT_TABLE_MAP) {
        ERR_TRY(inspect_rows_map(in->rows, ev, e));
    }
    if (!in->args->discard) {
        ERR_TRY(put_event(in, ev, e));
    }
    if (is_rows && (in->args->rows || in->args->discard)) {
        ERR_TRY(inspect_rows_decode(in->rows, ev, in->args->json,
                                    in->args->discard ? NULL : &in->out, &in->row_count, e));
    }
    return in->out.len < FLUSH_BYTES ? ERR_OK : output_flush(&in->out, e);
}

static enum err_code all_events(struct inspection *in, struct binlog_stream *stream, struct err *e)
{
    struct binlog_event ev;
    struct binlog_position end = {.file = ""};

    for (;;) {
        enum err_code rc = binlog_stream_next(stream, &ev, e);

        if (rc == ERR_NOT_FOUND) {
            return ERR_OK;
        }
        if (rc == ERR_OK) {
            rc = one_event(in, &ev, e);
            end = ev.end;
        }
        if (rc != ERR_OK) {
            return err_wrap(e, "after offset %llu", (unsigned long long)end.offset);
        }
    }
}

static void put_totals(struct inspection *in, uint64_t bytes, double seconds)
{
    bool json = in->args->json;
    double rate = seconds > 0 ? 1 / seconds : 0;

    buf_printf(
        &in->out,
        json ? "{\"events\":%llu,\"rows\":%llu,\"bytes\":%llu,\"seconds\":%.3f,"
               "\"events_per_second\":%.0f,\"rows_per_second\":%.0f,\"bytes_per_second\":%.0f,"
               "\"types\":{"
             : "%llu events, %llu rows, %llu bytes in %.3f s: %.0f events/s, %.0f rows/s, %.0f "
               "bytes/s\n",
        (unsigned long long)in->events, (unsigned long long)in->row_count,
        (unsigned long long)bytes, seconds, (double)in->events * rate, (double)in->row_count * rate,
        (double)bytes * rate);
    bool first = true;

    for (unsigned type = 0; type < 256; type++) {
        if (in->by_type[type] > 0) {
            buf_printf(&in->out, json ? "%s\"%s(%u)\":%llu" : "%s%s(%u) %llu",
                       first  ? ""
                       : json ? ","
                              : "\n",
                       binlog_event_type_name((uint8_t)type), type,
                       (unsigned long long)in->by_type[type]);
            first = false;
        }
    }
    buf_append_str(&in->out, json ? "}}\n" : "\n");
}

enum err_code inspect_binlog(const char *path, const struct command_args *args, struct err *e)
{
    const struct clock clock = clock_system();
    struct inspection in = {.args = args, .rows = inspect_rows_new()};
    struct binlog_stream *stream = NULL;

    if (in.rows == NULL) {
        return err_nomem(e);
    }
    int64_t start_us = clock_mono_us(&clock);
    enum err_code rc = binlog_stream_open_file(path, &stream, e);

    if (rc == ERR_OK) {
        rc = all_events(&in, stream, e);
    }
    /* What was read before a failure is shown too. */
    if (args->discard && stream != NULL) {
        put_totals(&in, binlog_stream_bytes(stream),
                   (double)(clock_mono_us(&clock) - start_us) / 1e6);
    }
    enum err_code flushed = output_flush(&in.out, rc == ERR_OK ? e : NULL);

    binlog_stream_close(stream);
    inspect_rows_free(in.rows);
    buf_deinit(&in.out);
    return rc == ERR_OK ? flushed : err_wrap(e, "%s", path);
}
