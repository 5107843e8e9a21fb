/* manifest_out.c - a manifest of the new snapshot, from first entry to stored object; and reading
 * one. */
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/commit_int.h"

void manifest_out_deinit(struct manifest_out *m)
{
    iceberg_manifest_free(m->writer);
    buf_deinit(&m->bytes);
    free(m->fields_json);
    *m = (struct manifest_out){0};
}

enum err_code manifest_out_open(struct manifest_out *m, const struct commit *c,
                                const struct spec_view *spec, struct err *e)
{
    *m = (struct manifest_out){.spec = *spec, .c = c};
    m->fields_json = json_dumps(spec->fields, JSON_COMPACT);
    if (m->fields_json == NULL) {
        return err_nomem(e);
    }
    return iceberg_manifest_open(
        &(struct iceberg_manifest_options){
            .schema_json = c->schema_json,
            .schema_id = (int32_t)metadata_int(c->base, "current-schema-id", 0),
            .spec_id = spec->spec_id,
            .spec_fields_json = m->fields_json,
            .by_day = spec->by_day,
            .partition_field_id = spec->field_id,
            .partition_name = spec->name,
            .content = ICEBERG_MANIFEST_DATA,
            .rand = c->options->rand,
        },
        &m->bytes, &m->writer, e);
}

enum err_code manifest_out_finish(struct manifest_out *m, struct commit *c,
                                  struct iceberg_manifest_row **out, struct err *e)
{
    struct iceberg_manifest_row *row = arena_alloc(&c->arena, 1, sizeof *row);

    if (row == NULL) {
        return arena_fail(&c->arena, e, "manifest");
    }
    ERR_TRY(iceberg_manifest_finish(m->writer, &c->arena, row, e));
    row->sequence_number = c->sequence_number;
    row->added_snapshot_id = c->snapshot_id;
    if (row->min_sequence_number < 0) {
        row->min_sequence_number = c->sequence_number;
    }
    *out = row;
    return ERR_OK;
}

enum err_code manifest_out_store(const struct manifest_out *m, struct commit *c,
                                 struct iceberg_manifest_row *row, struct err *e)
{
    char *path = str_format("%s/%s-m%u.avro", c->folder, c->uuid, c->named);

    if (path == NULL) {
        return err_nomem(e);
    }
    row->path = arena_strdup(&c->arena, path);
    free(path);
    if (row->path == NULL) {
        return arena_fail(&c->arena, e, "manifest");
    }
    c->named++;
    return commit_put(c, row->path, buf_span(&m->bytes), e);
}

enum err_code commit_read_manifest(const struct commit *c, const struct iceberg_manifest_row *row,
                                   iceberg_entry_fn *each, void *ctx, struct err *e)
{
    struct buf file = {0};
    enum err_code rc = commit_fetch(c->options->store, row->path, "manifest", &file, e);

    if (rc == ERR_OK) {
        rc = iceberg_manifest_read(buf_span(&file), row, each, ctx, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s", row->path);
        }
    }
    buf_deinit(&file);
    return rc;
}
