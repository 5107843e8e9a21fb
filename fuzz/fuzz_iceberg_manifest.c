/*
 * Manifests and manifest lists: each input is read as both. What can be read as a list is written
 * again and reads the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "iceberg/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static enum err_code each(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct iceberg_manifest_writer *w = ctx;
    struct iceberg_data_file *copy = iceberg_data_file_copy(entry->file);

    check(copy != NULL && strcmp(copy->path, entry->file->path) == 0 &&
          copy->column_count == entry->file->column_count);
    iceberg_data_file_free(copy);
    return iceberg_manifest_add(w, entry, e);
}

static enum err_code count(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    int64_t *entries = ctx;

    (void)entry;
    (void)e;
    (*entries)++;
    return ERR_OK;
}

/* What a rewrite of the entries writes can be read, all of it. */
static void read_as_manifest(struct span file, struct rand *rand)
{
    const struct iceberg_manifest_options options = {
        .schema_json = "{}",
        .spec_fields_json = "[]",
        .rand = rand,
    };
    const struct iceberg_manifest_row row = {.sequence_number = 3, .added_snapshot_id = 7};
    struct iceberg_manifest_row written;
    struct iceberg_manifest_writer *w;
    struct buf out = {0};
    struct arena arena;
    struct err e = {0};
    int64_t entries = 0;

    arena_init(&arena, 0);
    check(iceberg_manifest_open(&options, &out, &w, &e) == ERR_OK);
    enum err_code rc = iceberg_manifest_read(file, &row, each, w, &e);

    check(rc == ERR_OK || rc == e.code);
    if (rc == ERR_OK) {
        check(iceberg_manifest_finish(w, &arena, &written, &e) == ERR_OK);
        check(iceberg_manifest_read(buf_span(&out), &row, count, &entries, &e) == ERR_OK);
        check(entries == (int64_t)written.counts.added_files + written.counts.existing_files +
                             written.counts.deleted_files);
    }
    iceberg_manifest_free(w);
    buf_deinit(&out);
    arena_deinit(&arena);
}

static void read_as_list(struct span file, struct rand *rand)
{
    const struct iceberg_manifest_list_head head = {
        .snapshot_id = 7, .parent_snapshot_id = -1, .sequence_number = 3, .rand = rand};
    struct iceberg_manifest_list list;
    struct iceberg_manifest_list again;
    struct buf out = {0};
    struct err e = {0};
    enum err_code rc = iceberg_manifest_list_read(file, &list, &e);

    check(rc == ERR_OK || rc == e.code);
    if (rc != ERR_OK) {
        return;
    }
    const struct iceberg_manifest_row **rows = calloc(list.count + (size_t)1, sizeof *rows);

    check(rows != NULL);
    for (uint32_t i = 0; i < list.count; i++) {
        rows[i] = &list.rows[i];
    }
    check(iceberg_manifest_list_write(&head, rows, list.count, &out, &e) == ERR_OK);
    check(iceberg_manifest_list_read(buf_span(&out), &again, &e) == ERR_OK);
    check(again.count == list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        const struct iceberg_manifest_row *a = &list.rows[i];
        const struct iceberg_manifest_row *b = &again.rows[i];

        check(strcmp(a->path, b->path) == 0 && a->length_bytes == b->length_bytes &&
              a->content == b->content && a->spec_id == b->spec_id &&
              a->partition_count == b->partition_count &&
              memcmp(&a->counts, &b->counts, sizeof a->counts) == 0 &&
              span_eq(a->key_metadata, b->key_metadata));
    }
    iceberg_manifest_list_deinit(&again);
    iceberg_manifest_list_deinit(&list);
    free(rows);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rand rand;

    rand_seed(&rand, 1);
    read_as_manifest(span_of(data, size), &rand);
    read_as_list(span_of(data, size), &rand);
    return 0;
}
