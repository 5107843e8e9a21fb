/*
 * inspect_parquet.c - a Parquet file: its schema, row groups and column chunks, or its rows.
 */
#include <errno.h>
#include <stdlib.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "base/str.h"
#include "codec/json_writer.h"
#include "parquet/value_json.h"
#include "storage/store.h"

#define FLUSH_BYTES 65536u
/* Of one column of one row group. */
#define COLUMN_BYTES_MAX ((size_t)1 << 30)

struct inspection {
    const struct parquet_reader *reader;
    const struct parquet_reader_column *columns;
    uint32_t column_count;
    struct buf out;
    struct buf cell; /* a text on its way into a table */
};

static const char *yes_no(bool v)
{
    return v ? "yes" : "no";
}

/* "plain rle rle_dictionary", or as JSON strings. */
static void put_encodings(uint32_t encodings, bool json, struct buf *out)
{
    const char *between = "";

    for (int32_t i = 0; i < 32; i++) {
        if ((encodings >> i & 1) != 0) {
            buf_printf(out, json ? "%s\"%s\"" : "%s%s", between, parquet_encoding_name(i));
            between = json ? "," : " ";
        }
    }
}

/* ---- as text ---- */

static void add_cell(struct inspection *in, struct output_table *t)
{
    const char *text = buf_cstr(&in->cell);

    if (text == NULL) {
        t->failed = ERR_NOMEM;
    } else {
        output_table_add(t, text);
    }
    buf_reset(&in->cell);
}

static void add_number(struct inspection *in, struct output_table *t, bool known, int64_t v)
{
    if (known) {
        json_put_i64(&in->cell, v);
    }
    add_cell(in, t);
}

/* Names come from outside: what is in them must not reach the terminal as it is. */
static void add_text(struct inspection *in, struct output_table *t, const char *text)
{
    json_put_string(&in->cell, span_str(text));
    add_cell(in, t);
}

/* A shortened bound is marked, since no row may have it. */
static void add_bound(struct inspection *in, struct output_table *t, uint32_t column,
                      const struct parquet_chunk *chunk, const struct parquet_bound *bound)
{
    if (chunk->has_bounds) {
        parquet_put_value(&in->columns[column], bound->bytes, &in->cell);
        buf_append_str(&in->cell, bound->exact ? "" : "~");
    }
    add_cell(in, t);
}

static enum err_code end_table(struct inspection *in, struct output_table *t, struct err *e)
{
    enum err_code rc = output_table_print(t, &in->out, e);

    output_table_deinit(t);
    return rc;
}

static enum err_code put_schema_text(struct inspection *in, struct err *e)
{
    static const char *const headers[] = {"column", "field id", "type", "stored as", "required"};
    struct output_table t = {.headers = headers, .column_count = 5};

    for (uint32_t i = 0; i < in->column_count; i++) {
        const struct parquet_reader_column *c = &in->columns[i];

        add_text(in, &t, c->name);
        add_number(in, &t, c->has_field_id, c->field_id);
        parquet_put_type(c, &in->cell);
        add_cell(in, &t);
        output_table_add(&t, parquet_type_name(c->type));
        output_table_add(&t, yes_no(c->required));
    }
    return end_table(in, &t, e);
}

static enum err_code put_group_text(struct inspection *in, uint32_t group, struct err *e)
{
    static const char *const headers[] = {"column",    "values", "nulls",  "min",   "max",  "codec",
                                          "encodings", "bytes",  "stored", "pages", "index"};
    struct output_table t = {.headers = headers, .column_count = 11};

    buf_printf(&in->out, "\nrow group %u: %llu rows\n", group,
               (unsigned long long)parquet_reader_row_group_rows(in->reader, group));
    for (uint32_t i = 0; i < in->column_count; i++) {
        const struct parquet_chunk *chunk = parquet_reader_chunk(in->reader, group, i);

        add_text(in, &t, in->columns[i].name);
        add_number(in, &t, true, chunk->value_count);
        add_number(in, &t, chunk->has_null_count, chunk->null_count);
        add_bound(in, &t, i, chunk, &chunk->min);
        add_bound(in, &t, i, chunk, &chunk->max);
        output_table_add(&t, parquet_codec_name(chunk->codec));
        put_encodings(chunk->encodings, false, &in->cell);
        add_cell(in, &t);
        add_number(in, &t, true, chunk->uncompressed_bytes);
        add_number(in, &t, true, chunk->compressed_bytes);
        add_number(in, &t, chunk->data_page_count > 0, chunk->data_page_count);
        buf_append_str(&in->cell, chunk->column_index_bytes > 0 ? "column " : "");
        buf_append_str(&in->cell, chunk->offset_index_bytes > 0 ? "offset" : "");
        add_cell(in, &t);
    }
    return end_table(in, &t, e);
}

static enum err_code put_file_text(struct inspection *in, uint64_t file_bytes, struct err *e)
{
    uint32_t groups = parquet_reader_row_group_count(in->reader);
    const char *created_by = parquet_reader_created_by(in->reader);
    uint32_t count;
    const struct parquet_key_value *metadata = parquet_reader_key_values(in->reader, &count);

    buf_printf(&in->out, "%llu rows in %u row group%s, %llu bytes, written by ",
               (unsigned long long)parquet_reader_rows(in->reader), groups, groups == 1 ? "" : "s",
               (unsigned long long)file_bytes);
    json_put_string(&in->out, span_str(created_by == NULL ? "" : created_by));
    buf_append_str(&in->out, "\n");
    for (uint32_t i = 0; i < count; i++) {
        buf_append_str(&in->out, i == 0 ? "metadata: " : ", ");
        json_put_string(&in->out, span_str(metadata[i].key));
        buf_printf(&in->out, " (%zu bytes)", strlen(metadata[i].value));
    }
    buf_append_str(&in->out, count > 0 ? "\n\n" : "\n");
    ERR_TRY(put_schema_text(in, e));
    for (uint32_t g = 0; g < groups; g++) {
        ERR_TRY(put_group_text(in, g, e));
        ERR_TRY(output_flush(&in->out, e));
    }
    return ERR_OK;
}

/* ---- as JSON ---- */

static void put_schema_json(struct inspection *in)
{
    for (uint32_t i = 0; i < in->column_count; i++) {
        const struct parquet_reader_column *c = &in->columns[i];

        buf_append_str(&in->out, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_put_string(&in->out, span_str(c->name));
        if (c->has_field_id) {
            buf_printf(&in->out, ",\"field_id\":%d", c->field_id);
        }
        buf_append_str(&in->out, ",\"type\":\"");
        parquet_put_type(c, &in->out);
        buf_printf(&in->out, "\",\"stored_as\":\"%s\",\"required\":%s}", parquet_type_name(c->type),
                   c->required ? "true" : "false");
    }
}

static void put_chunk_json(struct inspection *in, uint32_t group, uint32_t column)
{
    const struct parquet_reader_column *c = &in->columns[column];
    const struct parquet_chunk *chunk = parquet_reader_chunk(in->reader, group, column);
    struct buf *out = &in->out;

    buf_append_str(out, column == 0 ? "{\"name\":" : ",{\"name\":");
    json_put_string(out, span_str(c->name));
    buf_printf(out, ",\"codec\":\"%s\",\"encodings\":[", parquet_codec_name(chunk->codec));
    put_encodings(chunk->encodings, true, out);
    buf_printf(out, "],\"values\":%lld", (long long)chunk->value_count);
    if (chunk->has_null_count) {
        buf_printf(out, ",\"nulls\":%lld", (long long)chunk->null_count);
    }
    if (c->type == PARQUET_FLOAT || c->type == PARQUET_DOUBLE) {
        buf_printf(out, ",\"nans\":%lld", (long long)chunk->nan_count);
    }
    if (chunk->has_bounds) {
        buf_append_str(out, ",\"min\":");
        parquet_put_value(c, chunk->min.bytes, out);
        buf_append_str(out, ",\"max\":");
        parquet_put_value(c, chunk->max.bytes, out);
        buf_printf(out, ",\"min_exact\":%s,\"max_exact\":%s", chunk->min.exact ? "true" : "false",
                   chunk->max.exact ? "true" : "false");
    }
    buf_printf(out,
               ",\"uncompressed_bytes\":%lld,\"compressed_bytes\":%lld,\"offset\":%lld,"
               "\"data_pages\":%u,\"dictionary_pages\":%u,\"column_index\":%s,\"offset_index\":%s}",
               (long long)chunk->uncompressed_bytes, (long long)chunk->compressed_bytes,
               (long long)parquet_chunk_start(chunk), chunk->data_page_count,
               chunk->dictionary_page_count, chunk->column_index_bytes > 0 ? "true" : "false",
               chunk->offset_index_bytes > 0 ? "true" : "false");
}

static enum err_code put_file_json(struct inspection *in, uint64_t file_bytes, struct err *e)
{
    const char *created_by = parquet_reader_created_by(in->reader);
    uint32_t count;
    const struct parquet_key_value *metadata = parquet_reader_key_values(in->reader, &count);

    buf_printf(&in->out, "{\"rows\":%llu,\"bytes\":%llu,\"created_by\":",
               (unsigned long long)parquet_reader_rows(in->reader), (unsigned long long)file_bytes);
    json_put_string(&in->out, span_str(created_by == NULL ? "" : created_by));
    buf_append_str(&in->out, ",\"metadata_keys\":[");
    for (uint32_t i = 0; i < count; i++) {
        buf_append_str(&in->out, i == 0 ? "" : ",");
        json_put_string(&in->out, span_str(metadata[i].key));
    }
    buf_append_str(&in->out, "],\"columns\":[");
    put_schema_json(in);
    buf_append_str(&in->out, "],\"row_groups\":[");
    for (uint32_t g = 0; g < parquet_reader_row_group_count(in->reader); g++) {
        buf_printf(&in->out, "%s{\"rows\":%llu,\"columns\":[", g == 0 ? "" : ",",
                   (unsigned long long)parquet_reader_row_group_rows(in->reader, g));
        for (uint32_t i = 0; i < in->column_count; i++) {
            put_chunk_json(in, g, i);
        }
        buf_append_str(&in->out, "]}");
        ERR_TRY(output_flush(&in->out, e));
    }
    buf_append_str(&in->out, "]}\n");
    return ERR_OK;
}

/* ---- rows ---- */

/* A column of the row group that is shown, and the next value in it. */
struct cursor {
    struct column values;
    uint32_t at;
};

static struct span next_value(const struct parquet_reader_column *c, struct cursor *cursor)
{
    uint32_t i = cursor->at++;
    size_t width = parquet_type_bytes(c->type, c->type_bytes);

    return width == 0 ? column_bytes_at(&cursor->values, i)
                      : span_of(cursor->values.values.data + i * width, width);
}

static void put_row(struct inspection *in, struct cursor *cursors, uint64_t row)
{
    buf_u8(&in->out, '{');
    for (uint32_t i = 0; i < in->column_count; i++) {
        const struct buf *validity = &cursors[i].values.validity;

        buf_append_str(&in->out, i == 0 ? "" : ",");
        json_put_string(&in->out, span_str(in->columns[i].name));
        buf_u8(&in->out, ':');
        if (validity->len > 0 && validity->data[row] == 0) {
            buf_append_str(&in->out, "null");
        } else {
            parquet_put_value(&in->columns[i], next_value(&in->columns[i], &cursors[i]), &in->out);
        }
    }
    buf_append_str(&in->out, "}\n");
}

static enum err_code put_group_rows(struct inspection *in, struct parquet_reader *reader,
                                    uint32_t group, struct cursor *cursors, struct err *e)
{
    uint64_t rows = parquet_reader_row_group_rows(reader, group);

    for (uint32_t i = 0; i < in->column_count; i++) {
        ERR_TRY(parquet_reader_read(reader, group, i, COLUMN_BYTES_MAX, &cursors[i].values, e));
        cursors[i].at = 0;
    }
    for (uint64_t row = 0; row < rows && in->column_count > 0; row++) {
        put_row(in, cursors, row);
        if (in->out.len >= FLUSH_BYTES) {
            ERR_TRY(output_flush(&in->out, e));
        }
    }
    return ERR_OK;
}

static enum err_code put_rows(struct inspection *in, struct parquet_reader *reader, struct err *e)
{
    struct cursor *cursors = calloc(in->column_count + 1u, sizeof *cursors);
    enum err_code rc = cursors == NULL ? err_nomem(e) : ERR_OK;

    for (uint32_t g = 0; rc == ERR_OK && g < parquet_reader_row_group_count(reader); g++) {
        rc = put_group_rows(in, reader, g, cursors, e);
    }
    for (uint32_t i = 0; cursors != NULL && i < in->column_count; i++) {
        buf_deinit(&cursors[i].values.values);
        buf_deinit(&cursors[i].values.offsets);
        buf_deinit(&cursors[i].values.validity);
    }
    free(cursors);
    return rc;
}

static enum err_code inspect_source(const struct byte_source *source,
                                    const struct command_args *args, struct err *e)
{
    struct parquet_reader *reader = NULL;
    struct inspection in = {.column_count = 0};
    enum err_code rc = parquet_reader_open(source, &reader, e);

    if (rc != ERR_OK) {
        return rc;
    }
    in.reader = reader;
    in.columns = parquet_reader_columns(reader, &in.column_count);
    if (args->rows) {
        rc = put_rows(&in, reader, e);
    } else if (args->json) {
        rc = put_file_json(&in, source->size_bytes, e);
    } else {
        rc = put_file_text(&in, source->size_bytes, e);
    }
    /* What was read before a failure is shown too. */
    enum err_code flushed = output_flush(&in.out, rc == ERR_OK ? e : NULL);

    parquet_reader_free(reader);
    buf_deinit(&in.out);
    buf_deinit(&in.cell);
    return rc == ERR_OK ? flushed : rc;
}

enum err_code inspect_parquet(const char *path, const struct command_args *args, struct err *e)
{
    struct store *store = NULL;
    struct store_reader *file = NULL;
    struct byte_source source;
    char *full = realpath(path, NULL);

    if (full == NULL) {
        return err_set_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "opening %s", path);
    }
    enum err_code rc = store_local_new(&store, e);

    if (rc == ERR_OK) {
        rc = store_open(store, full, &file, &source, e);
    }
    if (rc == ERR_OK) {
        rc = inspect_source(&source, args, e);
        if (rc != ERR_OK) {
            rc = err_wrap(e, "%s", path);
        }
    }
    if (file != NULL) {
        store_close(file);
    }
    store_free(store);
    free(full);
    return rc;
}
