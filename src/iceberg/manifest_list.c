/*
 * manifest_list.c - one Avro record for each manifest.
 *
 *   path, length, spec id, content, sequence number, least data sequence number, adding snapshot,
 *   files added/existing/deleted, rows added/existing/deleted, partition summaries, key metadata
 *
 * Fields are found by field id: older writers name some of them differently.
 */
#include "iceberg/manifest_list.h"

#include <inttypes.h>
#include <stdio.h>

#include "avro/reader.h"
#include "avro/writer.h"

#define ARENA_BYTES_MAX ((size_t)512 << 20)
#define ROWS_MAX        (1u << 22)

static const char list_schema[] =
    "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":["
    "{\"name\":\"manifest_path\",\"type\":\"string\",\"field-id\":500},"
    "{\"name\":\"manifest_length\",\"type\":\"long\",\"field-id\":501},"
    "{\"name\":\"partition_spec_id\",\"type\":\"int\",\"field-id\":502},"
    "{\"name\":\"content\",\"type\":\"int\",\"field-id\":517},"
    "{\"name\":\"sequence_number\",\"type\":\"long\",\"field-id\":515},"
    "{\"name\":\"min_sequence_number\",\"type\":\"long\",\"field-id\":516},"
    "{\"name\":\"added_snapshot_id\",\"type\":\"long\",\"field-id\":503},"
    "{\"name\":\"added_files_count\",\"type\":\"int\",\"field-id\":504},"
    "{\"name\":\"existing_files_count\",\"type\":\"int\",\"field-id\":505},"
    "{\"name\":\"deleted_files_count\",\"type\":\"int\",\"field-id\":506},"
    "{\"name\":\"added_rows_count\",\"type\":\"long\",\"field-id\":512},"
    "{\"name\":\"existing_rows_count\",\"type\":\"long\",\"field-id\":513},"
    "{\"name\":\"deleted_rows_count\",\"type\":\"long\",\"field-id\":514},"
    "{\"name\":\"partitions\",\"type\":[\"null\",{\"type\":\"array\",\"items\":"
    "{\"type\":\"record\",\"name\":\"r508\",\"fields\":["
    "{\"name\":\"contains_null\",\"type\":\"boolean\",\"field-id\":509},"
    "{\"name\":\"contains_nan\",\"type\":[\"null\",\"boolean\"],\"default\":null,"
    "\"field-id\":518},"
    "{\"name\":\"lower_bound\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"field-id\":510},"
    "{\"name\":\"upper_bound\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"field-id\":511}]},"
    "\"element-id\":508}],\"default\":null,\"field-id\":507},"
    "{\"name\":\"key_metadata\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"field-id\":519}"
    "]}";

static int64_t int_field(const struct avro_value *record, int32_t id, int64_t otherwise)
{
    const struct avro_value *v = avro_field(record, id);

    return v != NULL && (v->type == AVRO_INT || v->type == AVRO_LONG) ? v->u.i64 : otherwise;
}

static bool bytes_field(struct arena *a, const struct avro_value *record, int32_t id, bool *has,
                        struct span *out)
{
    const struct avro_value *v = avro_field(record, id);

    if (v == NULL || v->type != AVRO_BYTES) {
        return true;
    }
    out->len = v->u.bytes.len;
    out->data = (const uint8_t *)arena_strndup(a, v->u.bytes.data, v->u.bytes.len);
    *has = out->data != NULL;
    return *has;
}

static enum err_code read_partitions(struct arena *a, const struct avro_value *record,
                                     struct iceberg_manifest_row *row, struct err *e)
{
    const struct avro_value *list = avro_field(record, 507);

    if (list == NULL || list->type != AVRO_ARRAY) {
        return ERR_OK;
    }
    row->has_partitions = true;
    row->partitions = arena_alloc(a, list->u.list.count, sizeof *row->partitions);
    if (row->partitions == NULL) {
        return arena_fail(a, e, "manifest list");
    }
    row->partition_count = list->u.list.count;
    for (uint32_t i = 0; i < list->u.list.count; i++) {
        const struct avro_value *item = &list->u.list.items[i];
        struct iceberg_partition_summary *p = &row->partitions[i];

        if (item->type != AVRO_RECORD) {
            return err_set(e, ERR_CORRUPT, "manifest list: a partition summary is not a record");
        }
        const struct avro_value *null = avro_field(item, 509);
        const struct avro_value *nan = avro_field(item, 518);

        p->contains_null = null != NULL && null->type == AVRO_BOOLEAN && null->u.i64 != 0;
        p->has_nan = nan != NULL && nan->type == AVRO_BOOLEAN;
        p->contains_nan = p->has_nan && nan->u.i64 != 0;
        if (!bytes_field(a, item, 510, &p->has_lower, &p->lower) ||
            !bytes_field(a, item, 511, &p->has_upper, &p->upper)) {
            return arena_fail(a, e, "manifest list");
        }
    }
    return ERR_OK;
}

static bool fits_int32(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

static enum err_code read_row(struct arena *a, const struct avro_value *record,
                              struct iceberg_manifest_row *row, struct err *e)
{
    const struct avro_value *path = record->type == AVRO_RECORD ? avro_field(record, 500) : NULL;

    if (path == NULL || path->type != AVRO_STRING || path->u.bytes.len == 0 ||
        memchr(path->u.bytes.data, '\0', path->u.bytes.len) != NULL) {
        return err_set(e, ERR_CORRUPT, "manifest list: a row has no manifest_path");
    }
    int64_t spec_id = int_field(record, 502, 0);
    int64_t content = int_field(record, 517, ICEBERG_MANIFEST_DATA);
    int64_t files[3] = {int_field(record, 504, -1), int_field(record, 505, -1),
                        int_field(record, 506, -1)};
    bool has_key = false;

    row->path = arena_strndup(a, path->u.bytes.data, path->u.bytes.len);
    if (row->path == NULL) {
        return arena_fail(a, e, "manifest list");
    }
    if (!fits_int32(spec_id) || !fits_int32(files[0]) || !fits_int32(files[1]) ||
        !fits_int32(files[2])) {
        return err_set(e, ERR_CORRUPT, "manifest list: a number of %s is out of range", row->path);
    }
    if (content != ICEBERG_MANIFEST_DATA && content != ICEBERG_MANIFEST_DELETES) {
        return err_set(e, ERR_UNSUPPORTED, "manifest list: %s has content %" PRId64, row->path,
                       content);
    }
    row->content = content == 0 ? ICEBERG_MANIFEST_DATA : ICEBERG_MANIFEST_DELETES;
    row->length_bytes = int_field(record, 501, 0);
    row->spec_id = (int32_t)spec_id;
    row->sequence_number = int_field(record, 515, 0);
    row->min_sequence_number = int_field(record, 516, 0);
    row->added_snapshot_id = int_field(record, 503, -1);
    row->counts = (struct iceberg_manifest_counts){
        .added_files = (int32_t)files[0],
        .existing_files = (int32_t)files[1],
        .deleted_files = (int32_t)files[2],
        .added_rows = int_field(record, 512, -1),
        .existing_rows = int_field(record, 513, -1),
        .deleted_rows = int_field(record, 514, -1),
    };
    if (!bytes_field(a, record, 519, &has_key, &row->key_metadata)) {
        return arena_fail(a, e, "manifest list");
    }
    return read_partitions(a, record, row, e);
}

static enum err_code grow_rows(struct iceberg_manifest_list *l, uint32_t *capacity, struct err *e)
{
    if (l->count < *capacity) {
        return ERR_OK;
    }
    if (*capacity >= ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "manifest list: more than %u manifests", ROWS_MAX);
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    struct iceberg_manifest_row *rows = arena_alloc(&l->arena, *capacity, sizeof *rows);

    if (rows == NULL) {
        return arena_fail(&l->arena, e, "manifest list");
    }
    if (l->count > 0) {
        memcpy(rows, l->rows, l->count * sizeof *rows);
    }
    l->rows = rows;
    return ERR_OK;
}

enum err_code iceberg_manifest_list_read(struct span file, struct iceberg_manifest_list *out,
                                         struct err *e)
{
    struct avro_reader *r = NULL;
    uint32_t capacity = 0;

    *out = (struct iceberg_manifest_list){0};
    arena_init(&out->arena, ARENA_BYTES_MAX);
    enum err_code rc = avro_reader_open(file, &r, e);

    while (rc == ERR_OK) {
        const struct avro_value *record;

        rc = avro_reader_next(r, &record, e);
        if (rc != ERR_OK || record == NULL) {
            break;
        }
        rc = grow_rows(out, &capacity, e);
        if (rc == ERR_OK) {
            rc = read_row(&out->arena, record, &out->rows[out->count], e);
        }
        out->count += rc == ERR_OK ? 1 : 0;
    }
    avro_reader_free(r);
    if (rc != ERR_OK) {
        iceberg_manifest_list_deinit(out);
    }
    return rc;
}

void iceberg_manifest_list_deinit(struct iceberg_manifest_list *l)
{
    arena_deinit(&l->arena);
    *l = (struct iceberg_manifest_list){0};
}

static void put_optional_bytes(struct buf *b, bool has, struct span bytes)
{
    avro_put_long(b, has ? 1 : 0);
    if (has) {
        avro_put_bytes(b, bytes);
    }
}

static void put_partitions(struct buf *b, const struct iceberg_manifest_row *row)
{
    avro_put_long(b, row->has_partitions ? 1 : 0);
    if (!row->has_partitions) {
        return;
    }
    if (row->partition_count > 0) {
        avro_put_long(b, row->partition_count);
    }
    for (uint32_t i = 0; i < row->partition_count; i++) {
        const struct iceberg_partition_summary *p = &row->partitions[i];

        avro_put_bool(b, p->contains_null);
        avro_put_long(b, p->has_nan ? 1 : 0);
        if (p->has_nan) {
            avro_put_bool(b, p->contains_nan);
        }
        put_optional_bytes(b, p->has_lower, p->lower);
        put_optional_bytes(b, p->has_upper, p->upper);
    }
    avro_put_long(b, 0);
}

static void put_row(struct buf *b, const struct iceberg_manifest_row *row)
{
    avro_put_bytes(b, span_str(row->path));
    avro_put_long(b, row->length_bytes);
    avro_put_long(b, row->spec_id);
    avro_put_long(b, row->content);
    avro_put_long(b, row->sequence_number);
    avro_put_long(b, row->min_sequence_number);
    avro_put_long(b, row->added_snapshot_id);
    avro_put_long(b, row->counts.added_files);
    avro_put_long(b, row->counts.existing_files);
    avro_put_long(b, row->counts.deleted_files);
    avro_put_long(b, row->counts.added_rows);
    avro_put_long(b, row->counts.existing_rows);
    avro_put_long(b, row->counts.deleted_rows);
    put_partitions(b, row);
    put_optional_bytes(b, row->key_metadata.data != NULL, row->key_metadata);
}

enum err_code iceberg_manifest_list_write(const struct iceberg_manifest_list_head *head,
                                          const struct iceberg_manifest_row *const *rows,
                                          uint32_t count, struct buf *out, struct err *e)
{
    char id[24];
    char parent[24] = "null";
    char sequence[24];
    struct avro_writer w;
    enum err_code rc = ERR_OK;

    (void)snprintf(id, sizeof id, "%" PRId64, head->snapshot_id);
    (void)snprintf(sequence, sizeof sequence, "%" PRId64, head->sequence_number);
    if (head->parent_snapshot_id >= 0) {
        (void)snprintf(parent, sizeof parent, "%" PRId64, head->parent_snapshot_id);
    }
    const struct avro_meta meta[] = {
        {"snapshot-id", id},
        {"parent-snapshot-id", parent},
        {"sequence-number", sequence},
        {"format-version", "2"},
    };

    avro_writer_init(&w, out, list_schema, meta, sizeof meta / sizeof meta[0], AVRO_CODEC_DEFLATE,
                     head->rand);
    for (uint32_t i = 0; i < count && rc == ERR_OK; i++) {
        put_row(&w.block, rows[i]);
        rc = avro_writer_end_record(&w, e);
    }
    if (rc == ERR_OK) {
        rc = avro_writer_finish(&w, e);
    }
    avro_writer_deinit(&w);
    return rc;
}
