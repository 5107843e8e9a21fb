/*
 * manifest_write.c - manifest entries to Avro.
 *
 *   manifest_entry: status, snapshot_id?, sequence_number?, file_sequence_number?, data_file
 *   data_file:      content, file_path, file_format, partition {day?}, record_count,
 *                   file_size_in_bytes, column_sizes?, value_counts?, null_value_counts?,
 *                   nan_value_counts?, lower_bounds?, upper_bounds?, key_metadata?, split_offsets?,
 *                   equality_ids?, sort_order_id?, referenced_data_file?
 *
 * x? is a union with null first; a map is an array of {key, value} records.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "avro/writer.h"
#include "codec/json_writer.h"
#include "iceberg/manifest.h"

struct iceberg_manifest_writer {
    struct avro_writer avro;
    struct buf *out;
    size_t start; /* of the file within out */
    struct iceberg_manifest_options options;
    struct iceberg_manifest_counts counts;
    int64_t min_sequence_number; /* INT64_MAX: no live entry yet */
    bool inherits;               /* a live entry takes its number from the commit */
    bool has_null_day;
    bool has_day;
    int32_t day_min;
    int32_t day_max;
};

/* Avro names are [A-Za-z_][A-Za-z0-9_]*; other bytes become _x<HEX>, a leading digit gets a '_'. */
static void put_avro_name(struct buf *out, const char *name)
{
    buf_u8(out, '"');
    if (isdigit((unsigned char)name[0])) {
        buf_u8(out, '_');
    }
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        if (*p == '_' || (*p < 0x80 && isalnum(*p))) {
            buf_u8(out, *p);
        } else {
            buf_printf(out, "_x%X", *p);
        }
    }
    buf_u8(out, '"');
}

static bool is_avro_name(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        if (*p != '_' && (*p >= 0x80 || !isalnum(*p))) {
            return false;
        }
    }
    return !isdigit((unsigned char)name[0]);
}

static void put_field(struct buf *s, const char *name, const char *type, int id, bool optional)
{
    buf_printf(s, ",{\"name\":\"%s\",\"type\":", name);
    buf_printf(s, optional ? "[\"null\",%s],\"default\":null" : "%s", type);
    buf_printf(s, ",\"field-id\":%d}", id);
}

static void put_map_field(struct buf *s, const char *name, int id, int key_id, int value_id,
                          const char *value_type)
{
    buf_printf(s,
               ",{\"name\":\"%s\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":"
               "\"record\",\"name\":\"k%d_v%d\",\"fields\":[{\"name\":\"key\",\"type\":\"int\","
               "\"field-id\":%d},{\"name\":\"value\",\"type\":\"%s\",\"field-id\":%d}]},"
               "\"logicalType\":\"map\"}],\"default\":null,\"field-id\":%d}",
               name, key_id, value_id, key_id, value_type, value_id, id);
}

static void put_partition_field(struct buf *s, const struct iceberg_manifest_options *o)
{
    if (!o->by_day) {
        return;
    }
    buf_append_str(s, "{\"name\":");
    put_avro_name(s, o->partition_name);
    buf_append_str(s, ",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}],"
                      "\"default\":null");
    if (!is_avro_name(o->partition_name)) {
        buf_append_str(s, ",\"iceberg-field-name\":");
        json_put_string(s, span_str(o->partition_name));
    }
    buf_printf(s, ",\"field-id\":%d}", o->partition_field_id);
}

static void put_schema(struct buf *s, const struct iceberg_manifest_options *o)
{
    buf_append_str(s, "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["
                      "{\"name\":\"status\",\"type\":\"int\",\"field-id\":0}");
    put_field(s, "snapshot_id", "\"long\"", 1, true);
    put_field(s, "sequence_number", "\"long\"", 3, true);
    put_field(s, "file_sequence_number", "\"long\"", 4, true);
    buf_append_str(s, ",{\"name\":\"data_file\",\"type\":{\"type\":\"record\",\"name\":\"r2\","
                      "\"fields\":[{\"name\":\"content\",\"type\":\"int\",\"field-id\":134}");
    put_field(s, "file_path", "\"string\"", 100, false);
    put_field(s, "file_format", "\"string\"", 101, false);
    buf_append_str(s, ",{\"name\":\"partition\",\"type\":{\"type\":\"record\",\"name\":\"r102\","
                      "\"fields\":[");
    put_partition_field(s, o);
    buf_append_str(s, "]},\"field-id\":102}");
    put_field(s, "record_count", "\"long\"", 103, false);
    put_field(s, "file_size_in_bytes", "\"long\"", 104, false);
    put_map_field(s, "column_sizes", 108, 117, 118, "long");
    put_map_field(s, "value_counts", 109, 119, 120, "long");
    put_map_field(s, "null_value_counts", 110, 121, 122, "long");
    put_map_field(s, "nan_value_counts", 137, 138, 139, "long");
    put_map_field(s, "lower_bounds", 125, 126, 127, "bytes");
    put_map_field(s, "upper_bounds", 128, 129, 130, "bytes");
    put_field(s, "key_metadata", "\"bytes\"", 131, true);
    put_field(s, "split_offsets", "{\"type\":\"array\",\"items\":\"long\",\"element-id\":133}", 132,
              true);
    put_field(s, "equality_ids", "{\"type\":\"array\",\"items\":\"int\",\"element-id\":136}", 135,
              true);
    put_field(s, "sort_order_id", "\"int\"", 140, true);
    put_field(s, "referenced_data_file", "\"string\"", 143, true);
    buf_append_str(s, "]},\"field-id\":2}]}");
}

enum err_code iceberg_manifest_open(const struct iceberg_manifest_options *options, struct buf *out,
                                    struct iceberg_manifest_writer **w, struct err *e)
{
    char schema_id[16];
    char spec_id[16];
    struct buf schema = {0};
    struct iceberg_manifest_writer *new = calloc(1, sizeof *new);

    (void)snprintf(schema_id, sizeof schema_id, "%" PRId32, options->schema_id);
    (void)snprintf(spec_id, sizeof spec_id, "%" PRId32, options->spec_id);
    put_schema(&schema, options);
    const char *schema_text = buf_cstr(&schema);

    if (new == NULL || schema_text == NULL) {
        free(new);
        buf_deinit(&schema);
        return err_nomem(e);
    }
    const struct avro_meta meta[] = {
        {"schema", options->schema_json},
        {"schema-id", schema_id},
        {"partition-spec", options->spec_fields_json},
        {"partition-spec-id", spec_id},
        {"format-version", "2"},
        {"content", options->content == ICEBERG_MANIFEST_DATA ? "data" : "deletes"},
    };

    new->out = out;
    new->start = out->len;
    new->options = *options;
    new->min_sequence_number = INT64_MAX;
    avro_writer_init(&new->avro, out, schema_text, meta, sizeof meta / sizeof meta[0],
                     AVRO_CODEC_DEFLATE, options->rand);
    buf_deinit(&schema);
    *w = new;
    return ERR_OK;
}

static void put_optional_long(struct buf *b, int64_t v)
{
    avro_put_long(b, v >= 0 ? 1 : 0);
    if (v >= 0) {
        avro_put_long(b, v);
    }
}

static void put_optional_bytes(struct buf *b, bool has, struct span bytes)
{
    avro_put_long(b, has ? 1 : 0);
    if (has) {
        avro_put_bytes(b, bytes);
    }
}

static int64_t *count_of(struct iceberg_column_metrics *c, unsigned which)
{
    switch (which) {
    case 0:
        return &c->column_bytes;
    case 1:
        return &c->value_count;
    case 2:
        return &c->null_count;
    default:
        return &c->nan_count;
    }
}

/* One of the four maps of counts; null when no column has one. */
static void put_counts(struct buf *b, const struct iceberg_data_file *f, unsigned which)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < f->column_count; i++) {
        known += *count_of(&f->columns[i], which) >= 0 ? 1 : 0;
    }
    avro_put_long(b, known > 0 ? 1 : 0);
    if (known == 0) {
        return;
    }
    avro_put_long(b, known);
    for (uint32_t i = 0; i < f->column_count; i++) {
        int64_t v = *count_of(&f->columns[i], which);

        if (v >= 0) {
            avro_put_long(b, f->columns[i].field_id);
            avro_put_long(b, v);
        }
    }
    avro_put_long(b, 0);
}

static void put_bounds(struct buf *b, const struct iceberg_data_file *f, bool upper)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < f->column_count; i++) {
        known += (upper ? f->columns[i].has_upper : f->columns[i].has_lower) ? 1 : 0;
    }
    avro_put_long(b, known > 0 ? 1 : 0);
    if (known == 0) {
        return;
    }
    avro_put_long(b, known);
    for (uint32_t i = 0; i < f->column_count; i++) {
        const struct iceberg_column_metrics *c = &f->columns[i];

        if (upper ? c->has_upper : c->has_lower) {
            avro_put_long(b, c->field_id);
            avro_put_bytes(b, upper ? c->upper : c->lower);
        }
    }
    avro_put_long(b, 0);
}

static void put_lists(struct buf *b, const struct iceberg_manifest_entry *entry)
{
    const struct iceberg_data_file *f = entry->file;

    avro_put_long(b, f->split_count > 0 ? 1 : 0);
    if (f->split_count > 0) {
        avro_put_long(b, f->split_count);
        for (uint32_t i = 0; i < f->split_count; i++) {
            avro_put_long(b, f->split_offsets[i]);
        }
        avro_put_long(b, 0);
    }
    avro_put_long(b, entry->equality_count > 0 ? 1 : 0);
    if (entry->equality_count > 0) {
        avro_put_long(b, entry->equality_count);
        for (uint32_t i = 0; i < entry->equality_count; i++) {
            avro_put_long(b, entry->equality_ids[i]);
        }
        avro_put_long(b, 0);
    }
}

static void put_data_file(struct buf *b, const struct iceberg_manifest_entry *entry, bool by_day)
{
    const struct iceberg_data_file *f = entry->file;

    avro_put_long(b, entry->content);
    avro_put_bytes(b, span_str(f->path));
    avro_put_bytes(b, entry->format.len > 0 ? entry->format : span_str("PARQUET"));
    if (by_day) {
        avro_put_long(b, f->has_day ? 1 : 0);
        if (f->has_day) {
            avro_put_long(b, f->day);
        }
    }
    avro_put_long(b, f->record_count);
    avro_put_long(b, f->file_bytes);
    for (unsigned which = 0; which < 4; which++) {
        put_counts(b, f, which);
    }
    put_bounds(b, f, false);
    put_bounds(b, f, true);
    put_optional_bytes(b, entry->key_metadata.data != NULL, entry->key_metadata);
    put_lists(b, entry);
    avro_put_long(b, entry->has_sort_order ? 1 : 0);
    if (entry->has_sort_order) {
        avro_put_long(b, entry->sort_order_id);
    }
    put_optional_bytes(b, entry->referenced_data_file.len > 0, entry->referenced_data_file);
}

static void count_entry(struct iceberg_manifest_writer *w,
                        const struct iceberg_manifest_entry *entry)
{
    struct iceberg_manifest_counts *c = &w->counts;
    int64_t rows = entry->file->record_count;

    switch (entry->status) {
    case ICEBERG_ENTRY_ADDED:
        c->added_files++;
        c->added_rows += rows;
        break;
    case ICEBERG_ENTRY_EXISTING:
        c->existing_files++;
        c->existing_rows += rows;
        break;
    case ICEBERG_ENTRY_DELETED:
        c->deleted_files++;
        c->deleted_rows += rows;
        break;
    }
}

static void widen(struct iceberg_manifest_writer *w, const struct iceberg_manifest_entry *entry)
{
    const struct iceberg_data_file *f = entry->file;

    if (entry->status != ICEBERG_ENTRY_DELETED) {
        /* Only live entries count: a deleted one no longer holds delete files back. */
        if (entry->sequence_number < 0) {
            w->inherits = true;
        } else if (entry->sequence_number < w->min_sequence_number) {
            w->min_sequence_number = entry->sequence_number;
        }
    }
    if (!f->has_day) {
        w->has_null_day = true;
        return;
    }
    w->day_min = !w->has_day || f->day < w->day_min ? f->day : w->day_min;
    w->day_max = !w->has_day || f->day > w->day_max ? f->day : w->day_max;
    w->has_day = true;
}

enum err_code iceberg_manifest_add(struct iceberg_manifest_writer *w,
                                   const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct buf *b = &w->avro.block;

    if (w->counts.added_files == INT32_MAX || w->counts.existing_files == INT32_MAX ||
        w->counts.deleted_files == INT32_MAX) {
        return err_set(e, ERR_LIMIT, "a manifest cannot hold more than %d files", INT32_MAX);
    }
    avro_put_long(b, entry->status);
    put_optional_long(b, entry->snapshot_id);
    put_optional_long(b, entry->sequence_number);
    put_optional_long(b, entry->file_sequence_number);
    put_data_file(b, entry, w->options.by_day);
    count_entry(w, entry);
    widen(w, entry);
    return avro_writer_end_record(&w->avro, e);
}

static bool day_bound(struct arena *arena, int32_t day, bool *has, struct span *out)
{
    out->data = (const uint8_t *)arena_strndup(arena, &day, sizeof day);
    out->len = sizeof day;
    *has = out->data != NULL;
    return *has;
}

static enum err_code fill_partitions(const struct iceberg_manifest_writer *w, struct arena *arena,
                                     struct iceberg_manifest_row *row, struct err *e)
{
    row->has_partitions = true;
    if (!w->options.by_day) {
        return ERR_OK;
    }
    struct iceberg_partition_summary *p = arena_alloc(arena, 1, sizeof *p);

    if (p == NULL) {
        return arena_fail(arena, e, "manifest");
    }
    p->contains_null = w->has_null_day;
    p->has_nan = true;
    if (w->has_day && (!day_bound(arena, w->day_min, &p->has_lower, &p->lower) ||
                       !day_bound(arena, w->day_max, &p->has_upper, &p->upper))) {
        return arena_fail(arena, e, "manifest");
    }
    row->partitions = p;
    row->partition_count = 1;
    return ERR_OK;
}

enum err_code iceberg_manifest_finish(struct iceberg_manifest_writer *w, struct arena *arena,
                                      struct iceberg_manifest_row *row, struct err *e)
{
    ERR_TRY(avro_writer_finish(&w->avro, e));
    bool inherits = w->inherits || w->min_sequence_number == INT64_MAX;

    *row = (struct iceberg_manifest_row){
        .length_bytes = (int64_t)(w->out->len - w->start),
        .spec_id = w->options.spec_id,
        .content = w->options.content,
        .min_sequence_number =
            inherits && w->min_sequence_number == INT64_MAX ? -1 : w->min_sequence_number,
        .counts = w->counts,
    };
    return fill_partitions(w, arena, row, e);
}

void iceberg_manifest_free(struct iceberg_manifest_writer *w)
{
    if (w != NULL) {
        avro_writer_deinit(&w->avro);
        free(w);
    }
}
