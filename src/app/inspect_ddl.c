/*
 * inspect_ddl.c - what DDL statements make of tables, read from a binlog file or from a text.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/inspect_ddl_int.h"
#include "app/output.h"
#include "codec/json_writer.h"
#include "mysql/binlog_stream.h"

#define FLUSH_BYTES     65536u
#define SQL_SHOWN_BYTES 200u

/* ---- servers ---- */

/* A number below 100 at *at; false when there is none. */
static bool take_part(const char **at, unsigned *out)
{
    const char *start = *at;

    for (*out = 0; **at >= '0' && **at <= '9' && *out < 100; ++*at) {
        *out = *out * 10 + (unsigned)(**at - '0');
    }
    return *at != start && *out < 100;
}

/* 8.0.40-log, 10.11.6-MariaDB, 5.5.5-10.6.1-MariaDB: 80040, 101106, 100601; 0 when it is none. */
static unsigned version_number(const char *version)
{
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;

    if (str_starts_with(version, "5.5.5-")) {
        version += strlen("5.5.5-");
    }
    if (!take_part(&version, &major) || *version++ != '.' || !take_part(&version, &minor) ||
        *version++ != '.' || !take_part(&version, &patch)) {
        return 0;
    }
    return major * 10000 + minor * 100 + patch;
}

#define MYSQL_UTF8MB4_DEFAULT   80000u
#define MARIADB_UTF8MB4_DEFAULT 110600u

/* The charset that such servers come with. */
static const char *usual_charset(bool mariadb, unsigned version)
{
    return version < (mariadb ? MARIADB_UTF8MB4_DEFAULT : MYSQL_UTF8MB4_DEFAULT) ? "latin1"
                                                                                 : "utf8mb4";
}

enum err_code inspect_ddl_start(struct ddl_inspection *in, bool mariadb, unsigned version,
                                struct err *e)
{
    struct schema_options options = {.mariadb = mariadb,
                                     .version_number = version,
                                     .default_charset = usual_charset(mariadb, version)};

    return schema_new(&options, &in->schema, e);
}

/* ---- definitions ---- */

static void put_json_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ",\"%s\":", key);
    if (text == NULL) {
        buf_append_str(out, "null");
    } else {
        json_put_string(out, span_str(text));
    }
}

static void put_json_column(struct buf *out, const struct column_def *c)
{
    buf_append_str(out, "{\"name\":");
    json_put_string(out, span_str(c->name));
    put_json_text(out, "type", column_type_name(c->type));
    put_json_text(out, "sql", c->type_text);
    put_json_text(out, "charset", c->charset);
    buf_printf(out,
               ",\"unsigned\":%s,\"nullable\":%s,\"generated\":%s,\"length\":%u,\"precision\":%u,"
               "\"scale\":%u,\"fsp\":%u",
               c->is_unsigned ? "true" : "false", c->nullable ? "true" : "false",
               c->generated ? "true" : "false", c->length, c->precision, c->scale, c->fsp);
    if (c->label_count > 0) {
        for (uint32_t i = 0; i < c->label_count; i++) {
            buf_append_str(out, i == 0 ? ",\"labels\":[" : ",");
            json_put_string(out, span_str(c->labels[i]));
        }
        buf_u8(out, ']');
    }
    buf_u8(out, '}');
}

static void put_json_def(struct buf *out, const struct table_def *def)
{
    buf_append_str(out, "{\"database\":");
    json_put_string(out, span_str(def->schema));
    put_json_text(out, "name", def->name);
    put_json_text(out, "charset", def->charset);
    put_json_text(out, "engine", def->engine);
    buf_append_str(out, ",\"key\":[");
    for (uint32_t i = 0; i < def->key_count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        json_put_string(out, span_str(def->columns[def->key[i]].name));
    }
    buf_append_str(out, "],\"columns\":[");
    for (uint32_t i = 0; i < def->column_count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        put_json_column(out, &def->columns[i]);
    }
    buf_append_str(out, "]}");
}

/* ---- statements ---- */

static const char *kind_name(enum schema_change_kind kind)
{
    switch (kind) {
    case SCHEMA_CREATED:
        return "created";
    case SCHEMA_ALTERED:
        return "altered";
    case SCHEMA_RENAMED:
        return "renamed";
    case SCHEMA_DROPPED:
        return "dropped";
    case SCHEMA_TRUNCATED:
        return "truncated";
    case SCHEMA_ROWS_REMOVED:
        return "rows-removed";
    case SCHEMA_ROWS_REPLACED:
        return "rows-replaced";
    }
    abort();
}

static void put_json_change(struct buf *out, const struct schema_change *c)
{
    buf_printf(out, "{\"kind\":\"%s\"", kind_name(c->kind));
    put_json_text(out, "database", c->database);
    put_json_text(out, "table", c->table);
    if (c->kind == SCHEMA_RENAMED) {
        put_json_text(out, "new_database", c->new_database);
        put_json_text(out, "new_table", c->new_table);
    }
    if (c->has_rows) {
        buf_append_str(out, ",\"has_rows\":true");
    }
    if (c->why != NULL) {
        put_json_text(out, "why", c->why);
    }
    if (c->def != NULL) {
        buf_append_str(out, ",\"definition\":");
        put_json_def(out, c->def);
    }
    buf_u8(out, '}');
}

static void put_json_statement(struct ddl_inspection *in, const struct binlog_query *q,
                               const struct schema_changes *changes, const struct err *e)
{
    struct buf *out = &in->out;

    buf_printf(out, "{\"statement\":%llu,\"end\":%llu", (unsigned long long)in->statements,
               (unsigned long long)in->end);
    buf_append_str(out, ",\"database\":");
    json_put_string(out, q->schema);
    if (e != NULL) {
        put_json_text(out, "error", e->msg);
    }
    buf_append_str(out, ",\"changes\":[");
    for (uint32_t i = 0; i < changes->count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        put_json_change(out, &changes->changes[i]);
    }
    buf_append_str(out, "]}\n");
}

/* The statement's start as a JSON string: what is in the file must not reach the terminal. */
static void put_sql(struct buf *out, struct span sql)
{
    size_t len = sql.len;

    if (len > SQL_SHOWN_BYTES) {
        len = SQL_SHOWN_BYTES;
        while (len > 0 && (sql.data[len] & 0xc0) == 0x80) { /* whole characters */
            len--;
        }
    }
    if (str_is_utf8(span_of(sql.data, len))) {
        json_put_string(out, span_of(sql.data, len));
    } else {
        json_put_base64(out, span_of(sql.data, len));
    }
}

static void put_name(struct buf *out, const char *database, const char *table)
{
    inspect_put_plain(out, database);
    buf_u8(out, '.');
    inspect_put_plain(out, table[0] == '\0' ? "*" : table);
}

/* Statements are shown where something is wrong with them; the tables come at the end. */
static void put_text_statement(struct ddl_inspection *in, const struct binlog_query *q,
                               const struct schema_changes *changes, const struct err *e)
{
    struct buf *out = &in->out;

    if (e != NULL) {
        buf_printf(out, "statement %llu: %s\n  ", (unsigned long long)in->statements, e->msg);
        put_sql(out, q->sql);
        buf_u8(out, '\n');
    }
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct schema_change *c = &changes->changes[i];

        if (c->why != NULL) {
            buf_printf(out, "statement %llu: ", (unsigned long long)in->statements);
            put_name(out, c->database, c->table);
            buf_printf(out, " is not known any more: %s\n", c->why);
        }
    }
}

enum err_code inspect_ddl_statement(struct ddl_inspection *in, const struct binlog_query *q,
                                    struct err *e)
{
    struct schema_changes changes = {NULL, 0};
    enum err_code rc = schema_apply(in->schema, q, &changes, e);
    const struct err *failed = rc == ERR_UNSUPPORTED ? e : NULL;

    in->statements++;
    if (rc != ERR_OK && rc != ERR_UNSUPPORTED) {
        return err_wrap(e, "statement %llu", (unsigned long long)in->statements);
    }
    in->unreadable += failed != NULL;
    if (in->json) {
        put_json_statement(in, q, &changes, failed);
    } else {
        put_text_statement(in, q, &changes, failed);
    }
    schema_keep(in->schema);
    return in->out.len < FLUSH_BYTES ? ERR_OK : output_flush(&in->out, e);
}

/* ---- the tables at the end ---- */

struct listing {
    const struct table_def **defs;
    uint32_t count;
    uint32_t capacity;
};

static enum err_code list_table(void *ctx, const struct table_def *def, bool pinned, struct err *e)
{
    struct listing *l = ctx;

    (void)pinned;
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        const struct table_def **defs =
            (const struct table_def **)realloc((void *)l->defs, capacity * sizeof *defs);

        if (defs == NULL) {
            return err_nomem(e);
        }
        l->defs = defs;
        l->capacity = capacity;
    }
    l->defs[l->count++] = def;
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct table_def *const *x = a;
    const struct table_def *const *y = b;
    int order = strcmp((*x)->schema, (*y)->schema);

    return order != 0 ? order : strcmp((*x)->name, (*y)->name);
}

static bool in_key(const struct table_def *def, uint32_t column)
{
    for (uint32_t i = 0; i < def->key_count; i++) {
        if (def->key[i] == column) {
            return true;
        }
    }
    return false;
}

static void put_text_def(struct buf *out, const struct table_def *def)
{
    put_name(out, def->schema, def->name);
    buf_printf(out, " (%s, %s)\n", def->charset == NULL ? "charset not known" : def->charset,
               def->engine == NULL ? "engine not written" : def->engine);
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct column_def *c = &def->columns[i];

        buf_append_str(out, "  ");
        inspect_put_plain(out, c->name);
        buf_u8(out, ' ');
        for (const char *p = c->type_text; *p != '\0'; p++) {
            buf_u8(out, (uint8_t)*p < ' ' || *p == 0x7f ? ' ' : (uint8_t)*p);
        }
        buf_printf(out, "%s%s%s%s%s\n", c->charset == NULL ? "" : " ",
                   c->charset == NULL ? "" : c->charset, c->nullable ? "" : " not null",
                   c->generated ? " generated" : "", in_key(def, i) ? " key" : "");
    }
}

static enum err_code put_tables(struct ddl_inspection *in, struct err *e)
{
    struct listing l = {NULL, 0, 0};
    enum err_code rc = schema_each_table(in->schema, list_table, &l, e);

    if (rc == ERR_OK && l.count > 0) {
        qsort((void *)l.defs, l.count, sizeof *l.defs, by_name);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < l.count; i++) {
        if (in->json) {
            buf_append_str(&in->out, "{\"table\":");
            put_json_def(&in->out, l.defs[i]);
            buf_append_str(&in->out, "}\n");
        } else {
            put_text_def(&in->out, l.defs[i]);
        }
        rc = in->out.len < FLUSH_BYTES ? ERR_OK : output_flush(&in->out, e);
    }
    free((void *)l.defs);
    if (!in->json && in->unreadable > 0) {
        buf_printf(&in->out, "%llu of %llu statements cannot be read\n",
                   (unsigned long long)in->unreadable, (unsigned long long)in->statements);
    }
    return rc;
}

/* ---- binlog files ---- */

#define VERSION_AT    2u
#define VERSION_BYTES 50u

/* FORMAT_DESCRIPTION: format u16 | server version char[50] | ... */
static enum err_code read_format(struct ddl_inspection *in, struct span body, struct err *e)
{
    char version[VERSION_BYTES + 1];

    if (in->schema != NULL) {
        return ERR_OK; /* the server went on with the file */
    }
    if (body.len < VERSION_AT + VERSION_BYTES) {
        return err_set(e, ERR_CORRUPT, "a format description of %zu bytes is cut short", body.len);
    }
    memcpy(version, body.data + VERSION_AT, VERSION_BYTES);
    version[VERSION_BYTES] = '\0';
    unsigned number = version_number(version);

    return number == 0
               ? err_set(e, ERR_UNSUPPORTED, "the log's server has no version that can be read")
               : inspect_ddl_start(in, str_glob("*mariadb*", version, true), number, e);
}

static enum err_code on_event(struct ddl_inspection *in, const struct binlog_event *ev,
                              struct err *e)
{
    struct binlog_query q;
    struct binlog_transaction_start start;

    in->end = ev->end.offset;
    switch (ev->header.type) {
    case BINLOG_EVENT_FORMAT_DESCRIPTION:
        return read_format(in, ev->body, e);
    case BINLOG_EVENT_MARIADB_GTID:
        ERR_TRY(binlog_event_gtid(ev, &start, e));
        in->phase = start.phase;
        return ERR_OK;
    case BINLOG_EVENT_QUERY:
        if (in->schema == NULL) {
            return err_set(e, ERR_CORRUPT, "a statement comes before the log says whose it is");
        }
        ERR_TRY(binlog_event_query(ev->body, &q, e));
        if (q.phase == BINLOG_ALTER_WHOLE) {
            q.phase = in->phase;
        }
        return inspect_ddl_statement(in, &q, e);
    default:
        return ERR_OK;
    }
}

static enum err_code read_binlog(struct ddl_inspection *in, const char *path, struct err *e)
{
    struct binlog_stream *stream = NULL;
    struct binlog_event ev;

    ERR_TRY(binlog_stream_open_file(path, &stream, e));
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        rc = binlog_stream_next(stream, &ev, e);
        if (rc == ERR_OK) {
            rc = on_event(in, &ev, e);
        }
    }
    binlog_stream_close(stream);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* ---- the command ---- */

/* From here on explicit_defaults_for_timestamp is on where nobody set it. */
#define MYSQL_EXPLICIT_TIMESTAMPS   80002u
#define MARIADB_EXPLICIT_TIMESTAMPS 101000u

static enum err_code start_for_text(struct ddl_inspection *in, const struct command_args *args,
                                    struct err *e)
{
    const char *server = args->server == NULL ? "mysql" : args->server;
    bool mariadb = strcmp(server, "mariadb") == 0;
    const char *version =
        args->server_version == NULL ? (mariadb ? "11.8.3" : "9.7.0") : args->server_version;
    unsigned number = version_number(version);

    if (!mariadb && strcmp(server, "mysql") != 0) {
        return err_set(e, ERR_CONFIG, "--server is mysql or mariadb, not '%.50s'", server);
    }
    if (number == 0) {
        return err_set(e, ERR_CONFIG, "--server-version is one like 8.0.40, not '%.50s'", version);
    }
    ERR_TRY(inspect_ddl_start(in, mariadb, number, e));
    in->explicit_timestamps =
        number >= (mariadb ? MARIADB_EXPLICIT_TIMESTAMPS : MYSQL_EXPLICIT_TIMESTAMPS);
    /* A text starts with nothing. */
    return schema_set_whole(in->schema, NULL, e);
}

static bool is_binlog(struct span file)
{
    static const uint8_t magic[] = {0xfe, 'b', 'i', 'n'};

    return file.len >= sizeof magic && memcmp(file.data, magic, sizeof magic) == 0;
}

static enum err_code read_any(struct ddl_inspection *in, const char *path,
                              const struct command_args *args, struct err *e)
{
    struct buf file = {0};
    uint8_t head[4] = {0};
    FILE *f = fopen(path, "rb");
    size_t got = f == NULL ? 0 : fread(head, 1, sizeof head, f);

    if (f != NULL) {
        (void)fclose(f);
    }
    if (is_binlog(span_of(head, got))) {
        return args->server != NULL || args->server_version != NULL
                   ? err_set(e, ERR_CONFIG, "a binlog says itself whose it is: no --server")
                   : read_binlog(in, path, e);
    }
    enum err_code rc = inspect_read_file(path, &file, e);

    if (rc == ERR_OK) {
        rc = start_for_text(in, args, e);
    }
    if (rc == ERR_OK) {
        rc = inspect_ddl_text(in, buf_span(&file), e);
    }
    buf_deinit(&file);
    return rc;
}

enum err_code inspect_ddl(const char *path, const struct command_args *args, struct err *e)
{
    struct ddl_inspection in = {.json = args->json};
    enum err_code rc = read_any(&in, path, args, e);

    if (rc == ERR_OK && in.schema != NULL) {
        rc = put_tables(&in, e);
    }
    /* What was read before a failure is shown too. */
    enum err_code flushed = output_flush(&in.out, rc == ERR_OK ? e : NULL);

    schema_free(in.schema);
    buf_deinit(&in.out);
    if (rc == ERR_OK) {
        rc = flushed;
    }
    if (rc == ERR_OK && in.unreadable > 0) {
        rc = err_set(e, ERR_DIFFERENT, "some statements cannot be read");
    }
    return rc == ERR_OK || rc == ERR_CONFIG ? rc : err_wrap(e, "%s", path);
}
