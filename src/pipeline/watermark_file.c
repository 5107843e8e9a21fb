#include "pipeline/watermark_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "parquet/reader.h"
#include "pipeline/changelog.h"
#include "pipeline/table_writer.h"

#define CHUNK_BYTES_MAX ((size_t)64 << 20)
#define ROW_GROUP_BYTES ((size_t)16 << 20)
#define FILE_BYTES_MAX  ((uint64_t)1 << 40)

static void row_deinit(struct watermark *row)
{
    free(row->connection_name);
    free(row->schema);
    free(row->table);
}

void watermark_rows_deinit(struct watermark_rows *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        row_deinit(&r->items[i]);
    }
    free(r->items);
    *r = (struct watermark_rows){0};
}

enum err_code watermark_rows_add(struct watermark_rows *r, const struct watermark *row,
                                 struct err *e)
{
    if (r->count == r->capacity) {
        uint32_t capacity = r->capacity * 2 + 16;
        struct watermark *items = realloc(r->items, capacity * sizeof *items);

        if (items == NULL) {
            return err_nomem(e);
        }
        r->items = items;
        r->capacity = capacity;
    }
    struct watermark copy = *row;

    copy.connection_name = str_dup(row->connection_name);
    copy.schema = str_dup(row->schema);
    copy.table = str_dup(row->table);
    if (copy.connection_name == NULL || copy.schema == NULL || copy.table == NULL) {
        row_deinit(&copy);
        return err_nomem(e);
    }
    r->items[r->count++] = copy;
    return ERR_OK;
}

/* ---- reading ---- */

/* One column of a row group, walked row by row. */
struct cursor {
    struct column column;
    bool is_there;
    uint32_t row;
    uint32_t value; /* index of the next non-null value */
};

static void cursors_deinit(struct cursor cursors[WATERMARKS_COLUMNS])
{
    for (uint32_t i = 0; i < WATERMARKS_COLUMNS; i++) {
        buf_deinit(&cursors[i].column.values);
        buf_deinit(&cursors[i].column.offsets);
        buf_deinit(&cursors[i].column.validity);
    }
}

/* By field id, as Iceberg says; by name where a file has no ids. */
static bool find_column(const struct parquet_reader *r, const struct iceberg_field *field,
                        uint32_t *out)
{
    uint32_t count;
    const struct parquet_reader_column *columns = parquet_reader_columns(r, &count);

    for (uint32_t i = 0; i < count; i++) {
        if (columns[i].has_field_id ? columns[i].field_id == field->id
                                    : strcmp(columns[i].name, field->name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum err_code load_columns(struct parquet_reader *r, uint32_t row_group,
                                  struct cursor cursors[WATERMARKS_COLUMNS], struct err *e)
{
    const struct iceberg_schema *schema = watermarks_schema();

    for (uint32_t i = 0; i < WATERMARKS_COLUMNS; i++) {
        const struct iceberg_field *field = &schema->fields[i];
        struct cursor *c = &cursors[i];
        uint32_t at;

        c->row = 0;
        c->value = 0;
        c->is_there = find_column(r, field, &at);
        if (!c->is_there && field->required) {
            return err_set(e, ERR_CORRUPT, "column '%s' is missing", field->name);
        }
        if (!c->is_there) {
            continue;
        }
        ERR_TRY(parquet_reader_read(r, row_group, at, CHUNK_BYTES_MAX, &c->column, e));
        if (c->column.kind != iceberg_field_parquet(field).kind) {
            return err_set(e, ERR_CORRUPT, "column '%s' has another type than it should",
                           field->name);
        }
    }
    return ERR_OK;
}

/* Steps to the next row; false when its value is null. */
static bool step(struct cursor *c, uint32_t *value)
{
    uint32_t row = c->row++;

    if (!c->is_there || (c->column.validity.len > 0 && c->column.validity.data[row] == 0)) {
        return false;
    }
    *value = c->value++;
    return true;
}

static bool next_i64(struct cursor *c, int64_t *out)
{
    uint32_t value;

    if (!step(c, &value)) {
        return false;
    }
    memcpy(out, c->column.values.data + value * sizeof *out, sizeof *out);
    return true;
}

static bool next_bool(struct cursor *c, bool *out)
{
    uint32_t value;

    if (!step(c, &value)) {
        return false;
    }
    *out = c->column.values.data[value] != 0;
    return true;
}

/* malloc'd; NULL for null. */
static enum err_code next_text(struct cursor *c, char **out, struct err *e)
{
    uint32_t value;

    *out = NULL;
    if (!step(c, &value)) {
        return ERR_OK;
    }
    struct span text = column_bytes_at(&c->column, value);

    *out = str_ndup(text.data, text.len);
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code read_row(struct cursor cursors[WATERMARKS_COLUMNS], struct watermark *row,
                              char **log_file, struct err *e)
{
    int64_t position = 0;

    ERR_TRY(next_text(&cursors[WATERMARKS_CONNECTION_NAME], &row->connection_name, e));
    ERR_TRY(next_text(&cursors[WATERMARKS_SCHEMA], &row->schema, e));
    ERR_TRY(next_text(&cursors[WATERMARKS_TABLE_NAME], &row->table, e));
    ERR_TRY(next_text(&cursors[WATERMARKS_LOG_FILE], log_file, e));
    bool has_server_id = next_i64(&cursors[WATERMARKS_SERVER_ID], &row->server_id);
    bool has_position = next_i64(&cursors[WATERMARKS_LOG_POSITION], &position);

    row->has_backfill_complete =
        next_bool(&cursors[WATERMARKS_BACKFILL_COMPLETE], &row->backfill_complete);
    row->has_updated_at = next_i64(&cursors[WATERMARKS_UPDATED_AT], &row->updated_at_us);
    if (row->connection_name == NULL || row->schema == NULL || row->table == NULL ||
        !has_server_id) {
        return err_set(e, ERR_CORRUPT, "a key column is null");
    }
    if (*log_file != NULL && has_position) {
        if (strlen(*log_file) >= sizeof row->position.file || position < 0) {
            return err_set(e, ERR_CORRUPT, "'%.80s:%lld' is no binlog position", *log_file,
                           (long long)position);
        }
        (void)snprintf(row->position.file, sizeof row->position.file, "%s", *log_file);
        row->position.offset = (uint64_t)position;
    }
    return ERR_OK;
}

static enum err_code read_rows(struct parquet_reader *r, struct cursor cursors[WATERMARKS_COLUMNS],
                               struct watermark_rows *out, struct err *e)
{
    for (uint32_t g = 0; g < parquet_reader_row_group_count(r); g++) {
        ERR_TRY(load_columns(r, g, cursors, e));
        for (uint64_t n = parquet_reader_row_group_rows(r, g); n > 0; n--) {
            struct watermark row = {0};
            char *log_file = NULL;
            enum err_code rc = read_row(cursors, &row, &log_file, e);

            if (rc == ERR_OK) {
                rc = watermark_rows_add(out, &row, e);
            }
            row_deinit(&row);
            free(log_file);
            ERR_TRY(rc);
        }
    }
    return ERR_OK;
}

enum err_code watermark_file_read(struct store *store, const char *location,
                                  struct watermark_rows *out, struct err *e)
{
    struct store_reader *file = NULL;
    struct byte_source source;
    struct parquet_reader *reader = NULL;
    struct cursor cursors[WATERMARKS_COLUMNS] = {{.row = 0}};
    enum err_code rc = store_open(store, location, &file, &source, e);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = parquet_reader_open(&source, &reader, e);
    if (rc == ERR_OK) {
        rc = read_rows(reader, cursors, out, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "reading watermarks from %s", location);
    }
    cursors_deinit(cursors);
    parquet_reader_free(reader);
    store_close(file);
    return rc;
}

/* ---- writing ---- */

static void put_text(struct column_batch *b, enum watermarks_column at, uint32_t row,
                     const char *text)
{
    column_put_validity(&b->columns[at], row, text != NULL);
    if (text != NULL) {
        column_put_bytes(&b->columns[at], span_str(text));
    }
}

static void put_i64(struct column_batch *b, enum watermarks_column at, uint32_t row, bool is_there,
                    int64_t v)
{
    column_put_validity(&b->columns[at], row, is_there);
    if (is_there) {
        column_put_i64(&b->columns[at], v);
    }
}

static void put_row(struct column_batch *b, const struct watermark *row)
{
    bool has_position = row->position.file[0] != '\0';
    uint32_t n = b->row_count;
    struct column *complete = &b->columns[WATERMARKS_BACKFILL_COMPLETE];

    put_text(b, WATERMARKS_CONNECTION_NAME, n, row->connection_name);
    put_i64(b, WATERMARKS_SERVER_ID, n, true, row->server_id);
    put_text(b, WATERMARKS_SCHEMA, n, row->schema);
    put_text(b, WATERMARKS_TABLE_NAME, n, row->table);
    put_text(b, WATERMARKS_LOG_FILE, n, has_position ? row->position.file : NULL);
    put_i64(b, WATERMARKS_LOG_POSITION, n, has_position, (int64_t)row->position.offset);
    column_put_validity(complete, n, row->has_backfill_complete);
    if (row->has_backfill_complete) {
        buf_u8(&complete->values, row->backfill_complete ? 1 : 0);
        complete->value_count++;
    }
    put_i64(b, WATERMARKS_UPDATED_AT, n, row->has_updated_at, row->updated_at_us);
    b->row_count++;
}

static enum err_code write_batches(struct table_writer *w, const struct watermark_rows *rows,
                                   struct err *e)
{
    struct column_batch *batch = changelog_batch_new(watermarks_schema());
    enum err_code rc = batch == NULL ? err_nomem(e) : ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && batch != NULL && i < rows->count; i++) {
        put_row(batch, &rows->items[i]);
        if (batch->row_count == COLUMN_BATCH_ROWS_MAX || i + 1 == rows->count) {
            rc = column_batch_check(batch, e);
            if (rc == ERR_OK) {
                rc = table_writer_write(w, 0, batch, e);
            }
            column_batch_reset(batch);
        }
    }
    column_batch_free(batch);
    return rc;
}

enum err_code watermark_file_write(struct store *store, const char *location, int zstd_level,
                                   uint64_t seed, const struct watermark_rows *rows,
                                   struct iceberg_data_file **out, struct err *e)
{
    const struct table_writer_options options = {
        .store = store,
        .location = location,
        .schema = watermarks_schema(),
        .zstd_level = zstd_level,
        .row_group_bytes = ROW_GROUP_BYTES,
        .target_file_bytes = FILE_BYTES_MAX,
        .seed = seed,
    };
    struct table_writer *writer = NULL;
    struct data_file_list files = {0};

    ERR_TRY(table_writer_new(&options, &writer, e));
    enum err_code rc = write_batches(writer, rows, e);

    if (rc == ERR_OK) {
        rc = table_writer_take(writer, &files, e);
    }
    if (rc == ERR_OK && files.count != 1) {
        rc = err_set(e, ERR_LIMIT, "%u watermark files were written instead of one", files.count);
    }
    if (rc == ERR_OK) {
        *out = files.files[0];
        files.count = 0;
    }
    data_file_list_deinit(&files);
    table_writer_free(writer);
    return rc;
}
