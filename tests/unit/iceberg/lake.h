/*
 * lake.h - a small table in a fake store, committed to without a catalog, and the check that the
 * store holds exactly what the table names.
 */
#ifndef CALVE_TEST_LAKE_H
#define CALVE_TEST_LAKE_H

#include <stdlib.h>

#include "base/str.h"
#include "fake_store.h"
#include "iceberg/commit_int.h"
#include "test.h"

/* Sanitizers make everything several times slower: long runs are shorter under them. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LAKE_LONG_RUN(full) ((full) / 5)
#endif
#endif
#ifndef LAKE_LONG_RUN
#define LAKE_LONG_RUN(full) (full)
#endif

#define LAKE_ROOT "file:///lake/shop/orders"
#define DAY_MS    INT64_C(86400000)

struct lake {
    struct store *store;
    struct rand rand;
    struct iceberg_metadata *metadata;
    char *location; /* of the current metadata file */
    unsigned version;
    unsigned files; /* made so far */
    int64_t now_ms;
    struct iceberg_retention retention;
    uint32_t cleanup_skipped;
};

static const struct iceberg_field lake_fields[] = {
    {.id = 1, .name = "event_type", .type = ICEBERG_TYPE_STRING},
    {.id = 2, .name = "timestamp", .type = ICEBERG_TYPE_TIMESTAMP},
    {.id = 3, .name = "payload", .type = ICEBERG_TYPE_STRING},
};

/* Makes the metadata current, as a catalog would; what others will read of it is looked at now and
 * then. */
static inline void lake_swap(struct lake *l, struct iceberg_metadata *next)
{
    struct buf json = {0};
    struct err e = {0};
    char uuid[UUID_TEXT_BYTES];
    bool parses = l->version % 16 < 2;

    rand_uuid(&l->rand, uuid);
    free(l->location);
    l->location = str_format(LAKE_ROOT "/metadata/%05u-%s.metadata.json", l->version++, uuid);
    if (parses) {
        assert_ok(iceberg_metadata_print(next, &json, &e), &e);
    }
    assert_ok(store_put(l->store, l->location, buf_span(&json), &e), &e);
    iceberg_metadata_free(l->metadata);
    if (parses) {
        assert_ok(iceberg_metadata_parse(buf_span(&json), &l->metadata, &e), &e);
    } else {
        l->metadata = iceberg_metadata_share(next);
        assert_non_null(l->metadata);
    }
    buf_deinit(&json);
}

static inline void lake_open(struct lake *l, bool by_day, const struct iceberg_property *properties,
                             uint32_t property_count)
{
    const struct iceberg_schema schema = {.fields = lake_fields, .field_count = 3};
    struct iceberg_metadata *first;
    struct err e = {0};

    *l = (struct lake){
        .store = fake_store_new(),
        .now_ms = INT64_C(1700000000000),
        .retention = {.keep_us = 86400 * INT64_C(1000000), .keep_count = 100},
    };
    rand_seed(&l->rand, 1);
    assert_ok(
        iceberg_metadata_new(
            &(struct iceberg_table_options){
                .uuid = "6d0e6f4e-3c1b-4f0c-9d44-0a3d4e1a7b11",
                .location = LAKE_ROOT,
                .now_ms = l->now_ms,
                .schema = &schema,
                .partition = {.by_day = by_day, .source_id = 2, .field_id = 1000, .name = "date"},
                .properties = properties,
                .property_count = property_count,
            },
            &first, &e),
        &e);
    lake_swap(l, first);
    iceberg_metadata_free(first);
}

static inline void lake_close(struct lake *l)
{
    iceberg_metadata_free(l->metadata);
    store_free(l->store);
    free(l->location);
}

/* A data file with bounds, and an object for it. */
static inline struct iceberg_data_file *lake_file(struct lake *l, int32_t day, uint64_t rows)
{
    int64_t low = day * DAY_MS * 1000;
    int64_t high = low + 1000;
    struct parquet_column_metrics columns[] = {
        {.field_id = 1,
         .kind = COLUMN_KIND_BYTES,
         .logical = PARQUET_LOGICAL_STRING,
         .compressed_bytes = 40,
         .value_count = rows,
         .has_bounds = true,
         .lower = span_str("delete"),
         .upper = span_str("update")},
        {.field_id = 2,
         .kind = COLUMN_KIND_INT64,
         .logical = PARQUET_LOGICAL_TIMESTAMP_US,
         .compressed_bytes = 60,
         .value_count = rows,
         .has_bounds = true,
         .lower = span_of(&low, sizeof low),
         .upper = span_of(&high, sizeof high)},
        {.field_id = 3,
         .kind = COLUMN_KIND_BYTES,
         .logical = PARQUET_LOGICAL_STRING,
         .compressed_bytes = 600,
         .value_count = rows,
         .null_count = rows},
    };
    int64_t splits[] = {4};
    const struct parquet_file_info info = {
        .row_count = rows,
        .file_bytes = 1000 + rows,
        .columns = columns,
        .column_count = 3,
        .split_offsets = splits,
        .split_count = 1,
    };
    char uuid[UUID_TEXT_BYTES];
    struct err e = {0};

    rand_uuid(&l->rand, uuid);
    char *path = str_format(LAKE_ROOT "/data/%05u-%s.parquet", l->files++, uuid);

    assert_ok(store_put(l->store, path, span_str("PAR1"), &e), &e);
    struct iceberg_data_file *f = iceberg_data_file_new(path, true, day, &info);

    assert_non_null(f);
    free(path);
    return f;
}

static inline enum err_code lake_prepare(struct lake *l, const struct iceberg_change *change,
                                         struct iceberg_attempt **out, struct err *e)
{
    return iceberg_attempt_prepare(
        &(struct iceberg_attempt_options){
            .store = l->store,
            .rand = &l->rand,
            .now_ms = l->now_ms,
            .base_location = l->location,
            .base = l->metadata,
            .change = change,
        },
        out, e);
}

/* Prepares, swaps, cleans. */
static inline int64_t lake_commit(struct lake *l, const struct iceberg_change *change)
{
    struct iceberg_attempt *a;
    struct err e = {0};

    assert_ok(lake_prepare(l, change, &a, &e), &e);
    int64_t id = a->snapshot_id;

    lake_swap(l, a->next);
    l->cleanup_skipped += a->cleanup_skipped;
    assert_ok(iceberg_attempt_clean(a, l->store, &e), &e);
    iceberg_attempt_free(a);
    return id;
}

/* Appends (or puts in place of all) `count` files of consecutive days from day on. */
static inline int64_t lake_add(struct lake *l, uint32_t count, int32_t day, bool replace_all)
{
    static const struct iceberg_property summary[] = {{"calve.run", "r1"}};
    struct iceberg_data_file *files[16];

    assert_true(count <= 16);
    for (uint32_t i = 0; i < count; i++) {
        files[i] = lake_file(l, day + (int32_t)i, 10);
    }
    int64_t id = lake_commit(l, &(struct iceberg_change){
                                    .added = files,
                                    .added_count = count,
                                    .replace_all = replace_all,
                                    .summary = summary,
                                    .summary_count = 1,
                                    .retention = l->retention,
                                });

    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    return id;
}

/* Names, sorted once all are there. */
struct name_set {
    char **items;
    size_t count;
    size_t capacity;
};

static inline int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void name_add(struct name_set *s, const char *name)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 1024 : s->capacity * 2;
        s->items = realloc(s->items, s->capacity * sizeof *s->items);
        assert_non_null(s->items);
    }
    s->items[s->count++] = str_dup(name);
}

static inline void name_sort(struct name_set *s)
{
    size_t kept = 0;

    if (s->count == 0) {
        return;
    }
    qsort(s->items, s->count, sizeof *s->items, name_order);
    for (size_t i = 0; i < s->count; i++) {
        if (kept > 0 && strcmp(s->items[kept - 1], s->items[i]) == 0) {
            free(s->items[i]);
        } else {
            s->items[kept++] = s->items[i];
        }
    }
    s->count = kept;
}

static inline bool name_has(const struct name_set *s, const char *name)
{
    return s->count > 0 && bsearch(&name, s->items, s->count, sizeof *s->items, name_order) != NULL;
}

static inline void name_free(struct name_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i]);
    }
    free(s->items);
    *s = (struct name_set){0};
}

static inline enum err_code name_live(void *ctx, const struct iceberg_manifest_entry *entry,
                                      struct err *e)
{
    (void)e;
    if (entry->status != ICEBERG_ENTRY_DELETED) {
        name_add(ctx, entry->file->path);
    }
    return ERR_OK;
}

static inline void lake_read_list(const struct lake *l, const char *location,
                                  struct iceberg_manifest_list *out)
{
    struct span bytes = fake_store_peek(l->store, location);
    struct err e = {0};

    if (bytes.data == NULL) {
        fail_msg("%s is missing", location);
    }
    assert_ok(iceberg_manifest_list_read(bytes, out, &e), &e);
}

static inline void lake_read_manifest(const struct lake *l, const struct iceberg_manifest_row *row,
                                      iceberg_entry_fn *each, void *ctx)
{
    struct span bytes = fake_store_peek(l->store, row->path);
    struct err e = {0};

    if (bytes.data == NULL) {
        fail_msg("%s is missing", row->path);
    }
    assert_i64_eq(row->length_bytes, bytes.len);
    assert_ok(iceberg_manifest_read(bytes, row, each, ctx, &e), &e);
}

static inline int row_order(const void *a, const void *b)
{
    return strcmp((*(const struct iceberg_manifest_row *const *)a)->path,
                  (*(const struct iceberg_manifest_row *const *)b)->path);
}

/* The manifests of all lists and their live files. */
static inline void name_manifests(const struct lake *l, const struct iceberg_manifest_list *lists,
                                  uint32_t count, struct name_set *out)
{
    const struct iceberg_manifest_row **rows;
    size_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        total += lists[i].count;
    }
    rows = calloc(total + 1, sizeof *rows);
    total = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t r = 0; r < lists[i].count; r++) {
            rows[total++] = &lists[i].rows[r];
        }
    }
    if (total > 0) {
        qsort(rows, total, sizeof *rows, row_order);
    }
    for (size_t i = 0; i < total; i++) {
        if (i == 0 || row_order(&rows[i - 1], &rows[i]) != 0) {
            name_add(out, rows[i]->path);
            lake_read_manifest(l, rows[i], name_live, out);
        }
    }
    free(rows);
}

/* Everything that the metadata names, at any depth. */
static inline void lake_names(const struct lake *l, struct name_set *out)
{
    struct snapshot_views all;
    struct err e = {0};
    size_t i;
    json_t *entry;

    name_add(out, l->location);
    json_array_foreach(json_object_get(l->metadata->root, "metadata-log"), i, entry)
    {
        name_add(out, json_string_value(json_object_get(entry, "metadata-file")));
    }
    assert_ok(metadata_snapshots(l->metadata, &all, &e), &e);
    struct iceberg_manifest_list *lists = calloc(all.count + (size_t)1, sizeof *lists);

    for (uint32_t s = 0; s < all.count; s++) {
        name_add(out, all.items[s].manifest_list);
        lake_read_list(l, all.items[s].manifest_list, &lists[s]);
    }
    name_manifests(l, lists, all.count, out);
    for (uint32_t s = 0; s < all.count; s++) {
        iceberg_manifest_list_deinit(&lists[s]);
    }
    free(lists);
    free(all.items);
    name_sort(out);
}

/* All that is named is there, and nothing else is. */
static inline void lake_check(const struct lake *l)
{
    struct name_set names = {0};
    const char *name;

    lake_names(l, &names);
    for (size_t i = 0; i < names.count; i++) {
        if (!fake_store_has(l->store, names.items[i])) {
            fail_msg("%s is named and not there", names.items[i]);
        }
    }
    for (size_t i = 0; (name = fake_store_name(l->store, i)) != NULL; i++) {
        if (!name_has(&names, name)) {
            fail_msg("%s is there and not named", name);
        }
    }
    name_free(&names);
}

/* The current snapshot's manifest list. */
static inline void lake_list(const struct lake *l, struct iceberg_manifest_list *out)
{
    struct snapshot_view s;

    assert_true(metadata_snapshot(l->metadata, iceberg_metadata_snapshot_id(l->metadata), &s));
    lake_read_list(l, s.manifest_list, out);
}

static inline const char *lake_summary(const struct lake *l, const char *key)
{
    const char *v =
        iceberg_metadata_summary(l->metadata, iceberg_metadata_snapshot_id(l->metadata), key);

    return v == NULL ? "(none)" : v;
}

#endif
