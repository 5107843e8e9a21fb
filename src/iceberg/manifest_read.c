/* manifest_read.c - manifest entries from Avro, by field id. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/manifest.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20)

/* The maps of a data file: where each lies in the Avro record, and in the metrics. */
enum metric_map {
    METRIC_COLUMN_BYTES,
    METRIC_VALUE_COUNT,
    METRIC_NULL_COUNT,
    METRIC_NAN_COUNT,
    METRIC_LOWER,
    METRIC_UPPER,
    METRIC_MAPS,
};

static const int32_t metric_field_ids[METRIC_MAPS] = {
    [METRIC_COLUMN_BYTES] = 108, [METRIC_VALUE_COUNT] = 109, [METRIC_NULL_COUNT] = 110,
    [METRIC_NAN_COUNT] = 137,    [METRIC_LOWER] = 125,       [METRIC_UPPER] = 128,
};

static bool is_int(const struct avro_value *v)
{
    return v != NULL && (v->type == AVRO_INT || v->type == AVRO_LONG);
}

static int64_t int_field(const struct avro_value *record, int32_t id, int64_t otherwise)
{
    const struct avro_value *v = avro_field(record, id);

    return is_int(v) ? v->u.i64 : otherwise;
}

static struct span bytes_field(const struct avro_value *record, int32_t id)
{
    const struct avro_value *v = avro_field(record, id);

    return v != NULL && (v->type == AVRO_BYTES || v->type == AVRO_STRING) ? v->u.bytes
                                                                          : (struct span){NULL, 0};
}

static const struct avro_value *list_field(const struct avro_value *record, int32_t id)
{
    const struct avro_value *v = avro_field(record, id);

    return v != NULL && v->type == AVRO_ARRAY && v->u.list.count > 0 ? v : NULL;
}

/* Key and value of a map's item; false when it is not {int, anything}. */
static bool map_item(const struct avro_value *item, int32_t *key, const struct avro_value **value)
{
    if (item->type != AVRO_RECORD || item->u.list.count != 2 || !is_int(&item->u.list.items[0]) ||
        item->u.list.items[0].u.i64 < INT32_MIN || item->u.list.items[0].u.i64 > INT32_MAX) {
        return false;
    }
    *key = (int32_t)item->u.list.items[0].u.i64;
    *value = &item->u.list.items[1];
    return true;
}

static void set_metric(struct iceberg_column_metrics *c, enum metric_map map,
                       const struct avro_value *value)
{
    switch (map) {
    case METRIC_COLUMN_BYTES:
        c->column_bytes = is_int(value) ? value->u.i64 : -1;
        break;
    case METRIC_VALUE_COUNT:
        c->value_count = is_int(value) ? value->u.i64 : -1;
        break;
    case METRIC_NULL_COUNT:
        c->null_count = is_int(value) ? value->u.i64 : -1;
        break;
    case METRIC_NAN_COUNT:
        c->nan_count = is_int(value) ? value->u.i64 : -1;
        break;
    case METRIC_LOWER:
        c->has_lower = value->type == AVRO_BYTES;
        c->lower = c->has_lower ? value->u.bytes : c->lower;
        break;
    case METRIC_UPPER:
        c->has_upper = value->type == AVRO_BYTES;
        c->upper = c->has_upper ? value->u.bytes : c->upper;
        break;
    case METRIC_MAPS:
        break;
    }
}

static int by_id(const void *a, const void *b)
{
    int32_t x = ((const struct iceberg_column_metrics *)a)->field_id;
    int32_t y = ((const struct iceberg_column_metrics *)b)->field_id;

    return (x > y) - (x < y);
}

/* One entry in columns for each id that any map names, ascending. */
static void collect_ids(const struct avro_value *const maps[METRIC_MAPS],
                        struct iceberg_data_file *f)
{
    uint32_t count = 0;

    for (unsigned m = 0; m < METRIC_MAPS; m++) {
        for (uint32_t i = 0; maps[m] != NULL && i < maps[m]->u.list.count; i++) {
            const struct avro_value *value;

            if (map_item(&maps[m]->u.list.items[i], &f->columns[count].field_id, &value)) {
                count++;
            }
        }
    }
    qsort(f->columns, count, sizeof *f->columns, by_id);
    for (uint32_t i = 0; i < count; i++) {
        if (f->column_count == 0 ||
            f->columns[f->column_count - 1].field_id != f->columns[i].field_id) {
            f->columns[f->column_count++] = (struct iceberg_column_metrics){
                .field_id = f->columns[i].field_id,
                .column_bytes = -1,
                .value_count = -1,
                .null_count = -1,
                .nan_count = -1,
            };
        }
    }
}

static enum err_code read_metrics(const struct avro_value *record, struct iceberg_data_file *f,
                                  struct err *e)
{
    const struct avro_value *maps[METRIC_MAPS];
    size_t most = 0;

    for (unsigned m = 0; m < METRIC_MAPS; m++) {
        maps[m] = list_field(record, metric_field_ids[m]);
        most += maps[m] == NULL ? 0 : maps[m]->u.list.count;
    }
    if (most == 0) {
        return ERR_OK;
    }
    f->columns = arena_alloc(&f->arena, most, sizeof *f->columns);
    if (f->columns == NULL) {
        return arena_fail(&f->arena, e, "manifest entry");
    }
    collect_ids(maps, f);
    for (unsigned m = 0; m < METRIC_MAPS; m++) {
        for (uint32_t i = 0; maps[m] != NULL && i < maps[m]->u.list.count; i++) {
            struct iceberg_column_metrics key = {0};
            const struct avro_value *value;

            if (!map_item(&maps[m]->u.list.items[i], &key.field_id, &value)) {
                return err_set(e, ERR_CORRUPT, "manifest: a metrics map has a wrong item");
            }
            struct iceberg_column_metrics *c =
                bsearch(&key, f->columns, f->column_count, sizeof key, by_id);

            if (c != NULL) {
                set_metric(c, (enum metric_map)m, value);
            }
        }
    }
    return ERR_OK;
}

static enum err_code read_splits(const struct avro_value *record, struct iceberg_data_file *f,
                                 struct err *e)
{
    const struct avro_value *list = list_field(record, 132);

    if (list == NULL) {
        return ERR_OK;
    }
    f->split_offsets = arena_alloc(&f->arena, list->u.list.count, sizeof *f->split_offsets);
    if (f->split_offsets == NULL) {
        return arena_fail(&f->arena, e, "manifest entry");
    }
    for (uint32_t i = 0; i < list->u.list.count; i++) {
        if (!is_int(&list->u.list.items[i])) {
            return err_set(e, ERR_CORRUPT, "manifest: a split offset is not a number");
        }
        f->split_offsets[f->split_count++] = list->u.list.items[i].u.i64;
    }
    return ERR_OK;
}

static enum err_code read_equality_ids(const struct avro_value *record,
                                       struct iceberg_manifest_entry *entry, struct arena *a,
                                       struct err *e)
{
    const struct avro_value *list = list_field(record, 135);

    if (list == NULL) {
        return ERR_OK;
    }
    int32_t *ids = arena_alloc(a, list->u.list.count, sizeof *ids);

    if (ids == NULL) {
        return arena_fail(a, e, "manifest entry");
    }
    for (uint32_t i = 0; i < list->u.list.count; i++) {
        if (!is_int(&list->u.list.items[i])) {
            return err_set(e, ERR_CORRUPT, "manifest: an equality id is not a number");
        }
        ids[i] = (int32_t)list->u.list.items[i].u.i64;
    }
    entry->equality_ids = ids;
    entry->equality_count = list->u.list.count;
    return ERR_OK;
}

/* The only partition value that calve itself needs: a single day. */
static void read_day(const struct avro_value *partition, struct iceberg_data_file *f)
{
    if (partition->u.list.count == 1 && is_int(&partition->u.list.items[0])) {
        int64_t day = partition->u.list.items[0].u.i64;

        if (day >= INT32_MIN && day <= INT32_MAX) {
            f->has_day = true;
            f->day = (int32_t)day;
        }
    }
}

static enum err_code read_data_file(const struct avro_value *record,
                                    struct iceberg_manifest_entry *entry,
                                    struct iceberg_data_file *f, struct err *e)
{
    struct span path = bytes_field(record, 100);
    int64_t content = int_field(record, 134, ICEBERG_FILE_DATA);
    int64_t sort_order = int_field(record, 140, -1);

    if (path.len == 0 || memchr(path.data, '\0', path.len) != NULL) {
        return err_set(e, ERR_CORRUPT, "manifest: an entry has no file_path");
    }
    f->path = arena_strndup(&f->arena, path.data, path.len);
    if (f->path == NULL) {
        return arena_fail(&f->arena, e, "manifest entry");
    }
    if (content < ICEBERG_FILE_DATA || content > ICEBERG_FILE_EQUALITY_DELETES) {
        return err_set(e, ERR_UNSUPPORTED, "manifest: %s has content %" PRId64, f->path, content);
    }
    entry->partition = avro_field(record, 102);
    if (entry->partition == NULL || entry->partition->type != AVRO_RECORD) {
        return err_set(e, ERR_CORRUPT, "manifest: %s has no partition", f->path);
    }
    read_day(entry->partition, f);
    f->record_count = int_field(record, 103, -1);
    f->file_bytes = int_field(record, 104, -1);
    if (f->record_count < 0 || f->file_bytes < 0) {
        return err_set(e, ERR_CORRUPT, "manifest: %s has no record count or size", f->path);
    }
    entry->content = (enum iceberg_file_content)content;
    entry->format = bytes_field(record, 101);
    entry->key_metadata = bytes_field(record, 131);
    entry->referenced_data_file = bytes_field(record, 143);
    entry->has_sort_order = sort_order >= 0 && sort_order <= INT32_MAX;
    entry->sort_order_id = entry->has_sort_order ? (int32_t)sort_order : 0;
    entry->file = f;
    ERR_TRY(read_metrics(record, f, e));
    ERR_TRY(read_splits(record, f, e));
    return read_equality_ids(record, entry, &f->arena, e);
}

static enum err_code inherit(const struct avro_value *record,
                             const struct iceberg_manifest_row *row,
                             struct iceberg_manifest_entry *entry, struct err *e)
{
    bool may = entry->status == ICEBERG_ENTRY_ADDED || row->sequence_number == 0;

    entry->snapshot_id = int_field(record, 1, row->added_snapshot_id);
    entry->sequence_number = int_field(record, 3, may ? row->sequence_number : -1);
    entry->file_sequence_number = int_field(record, 4, may ? row->sequence_number : -1);
    if (entry->status == ICEBERG_ENTRY_EXISTING && entry->sequence_number < 0) {
        return err_set(e, ERR_CORRUPT, "manifest: an existing entry has no sequence number");
    }
    return ERR_OK;
}

static enum err_code read_entry(const struct avro_value *record,
                                const struct iceberg_manifest_row *row, struct iceberg_data_file *f,
                                iceberg_entry_fn *each, void *ctx, struct err *e)
{
    struct iceberg_manifest_entry entry = {0};
    const struct avro_value *file = record->type == AVRO_RECORD ? avro_field(record, 2) : NULL;

    if (file == NULL || file->type != AVRO_RECORD) {
        return err_set(e, ERR_CORRUPT, "manifest: an entry has no data_file");
    }
    int64_t status = int_field(record, 0, -1);

    if (status < ICEBERG_ENTRY_EXISTING || status > ICEBERG_ENTRY_DELETED) {
        return err_set(e, ERR_CORRUPT, "manifest: an entry has status %" PRId64, status);
    }
    entry.status = (enum iceberg_entry_status)status;
    ERR_TRY(inherit(record, row, &entry, e));
    ERR_TRY(read_data_file(file, &entry, f, e));
    return each(ctx, &entry, e);
}

enum err_code iceberg_manifest_read(struct span file, const struct iceberg_manifest_row *row,
                                    iceberg_entry_fn *each, void *ctx, struct err *e)
{
    struct avro_reader *r = NULL;
    struct arena arena;
    enum err_code rc = avro_reader_open(file, &r, e);

    arena_init(&arena, ARENA_BYTES_MAX);
    while (rc == ERR_OK) {
        const struct avro_value *record;

        rc = avro_reader_next(r, &record, e);
        if (rc != ERR_OK || record == NULL) {
            break;
        }
        struct iceberg_data_file f = {.arena = arena};

        arena_reset(&f.arena);
        rc = read_entry(record, row, &f, each, ctx, e);
        arena = f.arena;
    }
    arena_deinit(&arena);
    avro_reader_free(r);
    return rc;
}
