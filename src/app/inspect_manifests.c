/*
 * inspect_manifests.c - which manifests and files the current snapshot of a table has.
 */
#include "app/inspect_table_int.h"
#include "app/output.h"
#include "codec/json_writer.h"
#include "iceberg/manifest.h"

#define MANIFEST_BYTES_MAX ((size_t)1 << 30)
#define FLUSH_BYTES        65536u

struct files {
    struct inspected_table *t;
    const struct inspected_columns *columns;
    uint64_t count;
    uint64_t rows; /* numbers from outside: they may wrap around */
    uint64_t bytes;
};

static const char *content_name(enum iceberg_file_content content)
{
    switch (content) {
    case ICEBERG_FILE_DATA:
        return "data";
    case ICEBERG_FILE_POSITION_DELETES:
        return "position-deletes";
    case ICEBERG_FILE_EQUALITY_DELETES:
        return "equality-deletes";
    }
    return "?"; /* from a file, so any number */
}

/* Iceberg's types, as far as Avro tells them. */
static void put_partition_value(const struct avro_value *v, struct buf *out)
{
    const char *logical = avro_logical_type(v);

    if (v->type == AVRO_INT && logical != NULL && strcmp(logical, "date") == 0) {
        inspect_put_date(out, v->u.i64);
    } else if (v->type == AVRO_LONG && logical != NULL &&
               strcmp(logical, "timestamp-micros") == 0) {
        inspect_put_timestamp(out, v->u.i64, false);
    } else {
        avro_value_json(v, out);
    }
}

/* {"date":"2026-01-02"} */
static void put_partition(const struct avro_value *partition, struct buf *out)
{
    buf_u8(out, '{');
    if (partition != NULL && partition->type == AVRO_RECORD) {
        for (uint32_t i = 0; i < partition->u.list.count; i++) {
            buf_append_str(out, i == 0 ? "" : ",");
            json_put_string(out, span_str(avro_field_name(partition, i)));
            buf_u8(out, ':');
            put_partition_value(&partition->u.list.items[i], out);
        }
    }
    buf_u8(out, '}');
}

static void put_count(struct buf *out, const char *key, int64_t v)
{
    if (v >= 0) {
        buf_printf(out, ",\"%s\":%lld", key, (long long)v);
    }
}

/* {"id":2,"lower":…,"upper":…,"nulls":0} */
static void put_metrics_json(const struct iceberg_column_metrics *m, const char *type,
                             struct buf *out)
{
    buf_printf(out, "{\"id\":%d", m->field_id);
    if (m->has_lower) {
        buf_append_str(out, ",\"lower\":");
        inspect_put_bound(type, m->lower, out);
    }
    if (m->has_upper) {
        buf_append_str(out, ",\"upper\":");
        inspect_put_bound(type, m->upper, out);
    }
    put_count(out, "values", m->value_count);
    put_count(out, "nulls", m->null_count);
    put_count(out, "nans", m->nan_count);
    put_count(out, "bytes", m->column_bytes);
    buf_u8(out, '}');
}

static void put_metrics_text(const struct iceberg_column_metrics *m, const char *name,
                             const char *type, struct buf *out)
{
    buf_append_str(out, "      ");
    inspect_put_plain(out, name);
    buf_append_str(out, " from ");
    if (m->has_lower) {
        inspect_put_bound(type, m->lower, out);
    } else {
        buf_u8(out, '?');
    }
    buf_append_str(out, " to ");
    if (m->has_upper) {
        inspect_put_bound(type, m->upper, out);
    } else {
        buf_u8(out, '?');
    }
    if (m->null_count >= 0) {
        buf_printf(out, ", %lld nulls", (long long)m->null_count);
    }
    if (m->column_bytes >= 0) {
        buf_printf(out, ", %lld bytes", (long long)m->column_bytes);
    }
    buf_u8(out, '\n');
}

static void put_metrics(const struct files *f, const struct iceberg_data_file *file)
{
    struct buf *out = &f->t->out;

    for (uint32_t i = 0; i < file->column_count; i++) {
        const struct inspected_column *c =
            inspect_columns_find(f->columns, file->columns[i].field_id);
        const char *name = c == NULL ? "?" : c->name;
        const char *type = c == NULL ? "?" : c->type;

        if (f->t->json) {
            buf_append_str(out, i == 0 ? "" : ",");
            json_put_string(out, span_str(name));
            buf_u8(out, ':');
            put_metrics_json(&file->columns[i], type, out);
        } else {
            put_metrics_text(&file->columns[i], name, type, out);
        }
    }
}

static void put_entry(const struct files *f, const struct iceberg_manifest_entry *entry)
{
    struct buf *out = &f->t->out;
    const struct iceberg_data_file *file = entry->file;

    if (f->t->json) {
        buf_append_str(out, f->count == 0 ? "" : ",");
        buf_append_str(out, "{\"path\":");
        json_put_string(out, span_str(file->path));
        buf_printf(out, ",\"content\":\"%s\",\"rows\":%lld,\"bytes\":%lld,\"sequence_number\":%lld",
                   content_name(entry->content), (long long)file->record_count,
                   (long long)file->file_bytes, (long long)entry->sequence_number);
        buf_append_str(out, ",\"partition\":");
        put_partition(entry->partition, out);
        buf_append_str(out, ",\"columns\":{");
        put_metrics(f, file);
        buf_append_str(out, "}}");
        return;
    }
    buf_append_str(out, "  ");
    inspect_put_plain(out, file->path);
    buf_printf(out, "\n    %s, %lld rows, %lld bytes, sequence %lld, partition ",
               content_name(entry->content), (long long)file->record_count,
               (long long)file->file_bytes, (long long)entry->sequence_number);
    put_partition(entry->partition, out);
    buf_u8(out, '\n');
    put_metrics(f, file);
}

static enum err_code on_entry(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct files *f = ctx;

    if (entry->status == ICEBERG_ENTRY_DELETED) {
        return ERR_OK;
    }
    put_entry(f, entry);
    f->count++;
    f->rows += entry->content == ICEBERG_FILE_DATA ? (uint64_t)entry->file->record_count : 0;
    f->bytes += (uint64_t)entry->file->file_bytes;
    return f->t->out.len < FLUSH_BYTES && f->t->out.failed == ERR_OK ? ERR_OK
                                                                     : output_flush(&f->t->out, e);
}

static enum err_code read_manifest(struct files *f, const struct iceberg_manifest_row *row,
                                   struct err *e)
{
    struct buf bytes;

    buf_init(&bytes, MANIFEST_BYTES_MAX);
    enum err_code rc = store_get(f->t->lake.store, row->path, &bytes, e);

    if (rc == ERR_OK) {
        rc = iceberg_manifest_read(buf_span(&bytes), row, on_entry, f, e);
    }
    buf_deinit(&bytes);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "manifest %s", row->path);
}

static void put_manifest_json(const struct iceberg_manifest_row *row, struct buf *out)
{
    buf_append_str(out, "{\"path\":");
    json_put_string(out, span_str(row->path));
    buf_printf(out,
               ",\"content\":\"%s\",\"bytes\":%lld,\"spec_id\":%d,\"sequence_number\":%lld,"
               "\"added_snapshot_id\":%lld",
               row->content == ICEBERG_MANIFEST_DATA ? "data" : "deletes",
               (long long)row->length_bytes, row->spec_id, (long long)row->sequence_number,
               (long long)row->added_snapshot_id);
    put_count(out, "added_files", row->counts.added_files);
    put_count(out, "existing_files", row->counts.existing_files);
    put_count(out, "deleted_files", row->counts.deleted_files);
    put_count(out, "added_rows", row->counts.added_rows);
    put_count(out, "existing_rows", row->counts.existing_rows);
    put_count(out, "deleted_rows", row->counts.deleted_rows);
    buf_u8(out, '}');
}

static void put_manifest_text(const struct iceberg_manifest_row *row, struct buf *out)
{
    const struct iceberg_manifest_counts *c = &row->counts;

    buf_append_str(out, "  ");
    inspect_put_plain(out, row->path);
    buf_printf(out, "\n    %s, %lld bytes, sequence %lld",
               row->content == ICEBERG_MANIFEST_DATA ? "data" : "deletes",
               (long long)row->length_bytes, (long long)row->sequence_number);
    if (iceberg_manifest_counts_known(c)) {
        buf_printf(out,
                   "; files: %d added, %d existing, %d deleted; rows: %lld added, %lld existing, "
                   "%lld deleted",
                   c->added_files, c->existing_files, c->deleted_files, (long long)c->added_rows,
                   (long long)c->existing_rows, (long long)c->deleted_rows);
    }
    buf_u8(out, '\n');
}

static enum err_code put_all(struct files *f, const struct iceberg_manifest_list *list,
                             struct err *e)
{
    struct buf *out = &f->t->out;
    bool json = f->t->json;

    if (json) {
        buf_append_str(out, ",\"manifests\":[");
    } else {
        buf_printf(out, "\nmanifests: %u\n", list->count);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (json) {
            buf_append_str(out, i == 0 ? "" : ",");
            put_manifest_json(&list->rows[i], out);
        } else {
            put_manifest_text(&list->rows[i], out);
        }
    }
    buf_append_str(out, json ? "],\"files\":[" : "\n");
    for (uint32_t i = 0; i < list->count; i++) {
        ERR_TRY(read_manifest(f, &list->rows[i], e));
    }
    if (json) {
        buf_u8(out, ']');
    } else {
        buf_printf(out, "files: %llu, rows: %llu, bytes: %llu\n", (unsigned long long)f->count,
                   (unsigned long long)f->rows, (unsigned long long)f->bytes);
    }
    return ERR_OK;
}

/* The manifest list of the current snapshot; NULL when it has none (version 1 may not). */
static const char *list_location(const struct inspected_table *t)
{
    int64_t current = iceberg_metadata_snapshot_id(t->metadata);
    size_t i;
    json_t *snapshot;

    json_array_foreach(json_object_get(t->doc, "snapshots"), i, snapshot)
    {
        if (json_integer_value(json_object_get(snapshot, "snapshot-id")) == current) {
            return json_string_value(json_object_get(snapshot, "manifest-list"));
        }
    }
    return NULL;
}

enum err_code inspect_manifests(struct inspected_table *t, const struct inspected_columns *columns,
                                struct err *e)
{
    struct files files = {.t = t, .columns = columns};
    struct iceberg_manifest_list list = {0};
    struct buf bytes;
    enum err_code rc = ERR_OK;

    if (iceberg_metadata_snapshot_id(t->metadata) < 0) {
        return put_all(&files, &list, e);
    }
    const char *location = list_location(t);

    if (location == NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the current snapshot has no manifest list: tables of format version 1 "
                       "without one are not shown");
    }
    buf_init(&bytes, MANIFEST_BYTES_MAX);
    rc = store_get(t->lake.store, location, &bytes, e);
    if (rc == ERR_OK) {
        rc = iceberg_manifest_list_read(buf_span(&bytes), &list, e);
    }
    buf_deinit(&bytes);
    if (rc != ERR_OK) {
        return err_wrap(e, "manifest list %s", location);
    }
    rc = put_all(&files, &list, e);
    iceberg_manifest_list_deinit(&list);
    return rc;
}
