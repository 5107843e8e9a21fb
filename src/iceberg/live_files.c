/* live_files.c - the data files of a snapshot. */
#include <inttypes.h>
#include <stdlib.h>

#include "iceberg/commit_int.h"

struct file_list {
    struct iceberg_data_file **items;
    uint32_t count;
    uint32_t capacity;
};

static enum err_code grow(struct file_list *l, struct err *e)
{
    if (l->count < l->capacity) {
        return ERR_OK;
    }
    if (l->capacity > UINT32_MAX / 2) {
        return err_set(e, ERR_LIMIT, "the table has more than %u files", l->capacity);
    }
    uint32_t capacity = l->capacity == 0 ? 64 : l->capacity * 2;
    struct iceberg_data_file **items = realloc(l->items, capacity * sizeof *items);

    if (items == NULL) {
        return err_nomem(e);
    }
    l->items = items;
    l->capacity = capacity;
    return ERR_OK;
}

static enum err_code add_live(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct file_list *l = ctx;

    if (entry->status == ICEBERG_ENTRY_DELETED || entry->content != ICEBERG_FILE_DATA) {
        return ERR_OK;
    }
    ERR_TRY(grow(l, e));
    l->items[l->count] = iceberg_data_file_copy(entry->file);
    if (l->items[l->count] == NULL) {
        return err_nomem(e);
    }
    l->count++;
    return ERR_OK;
}

static enum err_code read_manifests(struct store *store, const struct iceberg_manifest_list *list,
                                    struct file_list *out, struct err *e)
{
    struct buf file = {0};
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; i < list->count && rc == ERR_OK; i++) {
        const struct iceberg_manifest_row *row = &list->rows[i];

        if (row->content != ICEBERG_MANIFEST_DATA) {
            continue;
        }
        buf_reset(&file);
        rc = commit_fetch(store, row->path, "manifest", &file, e);
        if (rc == ERR_OK) {
            rc = iceberg_manifest_read(buf_span(&file), row, add_live, out, e);
            if (rc != ERR_OK) {
                err_wrap(e, "%s", row->path);
            }
        }
    }
    buf_deinit(&file);
    return rc;
}

enum err_code commit_refuse_deletes(const struct iceberg_manifest_list *list, struct err *e)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct iceberg_manifest_row *row = &list->rows[i];

        if (row->content == ICEBERG_MANIFEST_DELETES && iceberg_manifest_live_files(row) > 0) {
            return err_set(e, ERR_UNSUPPORTED,
                           "the table has delete files, which another writer made by an UPDATE, "
                           "DELETE or MERGE that merges on read: calve does not apply them. Let "
                           "an engine rewrite its files, and start again (Spark: CALL "
                           "system.rewrite_data_files, then system.rewrite_position_delete_files, "
                           "both with rewrite-all=true; Athena: OPTIMIZE ... REWRITE DATA USING "
                           "BIN_PACK with optimize_rewrite_delete_file_threshold=1)");
        }
    }
    return ERR_OK;
}

enum err_code iceberg_live_files(struct store *store, const struct iceberg_metadata *m,
                                 int64_t snapshot_id, struct iceberg_data_file ***out,
                                 uint32_t *count, struct err *e)
{
    struct snapshot_view s;
    struct iceberg_manifest_list list = {0};
    struct file_list files = {0};
    struct buf bytes = {0};

    if (!metadata_snapshot(m, snapshot_id, &s)) {
        return err_set(e, ERR_NOT_FOUND, "the table has no snapshot %" PRId64, snapshot_id);
    }
    if (s.manifest_list == NULL) {
        return err_set(e, ERR_UNSUPPORTED, "snapshot %" PRId64 " has no manifest list",
                       snapshot_id);
    }
    enum err_code rc = commit_fetch(store, s.manifest_list, "manifest list", &bytes, e);

    if (rc == ERR_OK) {
        rc = iceberg_manifest_list_read(buf_span(&bytes), &list, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s", s.manifest_list);
        }
    }
    buf_deinit(&bytes);
    if (rc == ERR_OK) {
        rc = commit_refuse_deletes(&list, e);
        if (rc == ERR_OK) {
            rc = read_manifests(store, &list, &files, e);
        }
        iceberg_manifest_list_deinit(&list);
    }
    if (rc != ERR_OK) {
        for (uint32_t i = 0; i < files.count; i++) {
            iceberg_data_file_free(files.items[i]);
        }
        free(files.items);
        return rc;
    }
    *out = files.items;
    *count = files.count;
    return ERR_OK;
}
