#include "iceberg/metadata.h"

#include <stdlib.h>

#include "base/str.h"
#include "iceberg/metadata_int.h"

/* Order in which keys are written; keys not named here follow as they came. */
static const char *const key_order[] = {
    "format-version",
    "table-uuid",
    "location",
    "last-sequence-number",
    "last-updated-ms",
    "last-column-id",
    "current-schema-id",
    "schemas",
    "default-spec-id",
    "partition-specs",
    "last-partition-id",
    "default-sort-order-id",
    "sort-orders",
    "properties",
    "current-snapshot-id",
    "refs",
    "snapshots",
    "statistics",
    "partition-statistics",
    "snapshot-log",
    "metadata-log",
};

enum err_code metadata_wrap(json_t *root, struct iceberg_metadata **out, struct err *e)
{
    struct iceberg_metadata *m = calloc(1, sizeof *m);
    enum err_code rc = root == NULL || m == NULL ? err_nomem(e) : metadata_check(root, e);

    if (rc != ERR_OK || m == NULL) {
        json_decref(root);
        free(m);
        return rc;
    }
    m->root = root;
    *out = m;
    return ERR_OK;
}

enum err_code iceberg_metadata_parse(struct span json, struct iceberg_metadata **out, struct err *e)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)json.data, json.len, JSON_ALLOW_NUL, &why);

    /* An allocation that fails has its own code in some places, and no message in others. */
    if (root == NULL &&
        (json_error_code(&why) == json_error_out_of_memory || why.text[0] == '\0')) {
        return err_nomem(e);
    }
    if (root == NULL) {
        return err_set(e, ERR_CORRUPT, "table metadata is not JSON: %s (line %d, column %d)",
                       why.text, why.line, why.column);
    }
    return metadata_wrap(root, out, e);
}

enum err_code iceberg_metadata_take_json(struct json_t *root, struct iceberg_metadata **out,
                                         struct err *e)
{
    return metadata_wrap(root, out, e);
}

struct iceberg_metadata *iceberg_metadata_share(const struct iceberg_metadata *m)
{
    struct iceberg_metadata *copy = calloc(1, sizeof *copy);

    if (copy != NULL) {
        copy->root = json_incref(m->root);
    }
    return copy;
}

void iceberg_metadata_free(struct iceberg_metadata *m)
{
    if (m != NULL) {
        json_decref(m->root);
        free(m);
    }
}

static json_t *in_order(json_t *root)
{
    json_t *ordered = json_object();
    bool ok = ordered != NULL;
    const char *key;
    json_t *value;

    for (size_t i = 0; i < sizeof key_order / sizeof key_order[0] && ok; i++) {
        value = json_object_get(root, key_order[i]);
        ok = value == NULL || json_object_set(ordered, key_order[i], value) == 0;
    }
    json_object_foreach(root, key, value)
    {
        ok = ok && json_object_set(ordered, key, value) == 0;
    }
    if (!ok) {
        json_decref(ordered);
        return NULL;
    }
    return ordered;
}

static int dump_to_buf(const char *bytes, size_t len, void *ctx)
{
    struct buf *out = ctx;

    buf_append(out, bytes, len);
    return out->failed == ERR_OK ? 0 : -1;
}

enum err_code iceberg_metadata_print(const struct iceberg_metadata *m, struct buf *out,
                                     struct err *e)
{
    json_t *ordered = in_order(m->root);

    if (ordered == NULL) {
        return err_nomem(e);
    }
    int failed = json_dump_callback(ordered, dump_to_buf, out, JSON_COMPACT);

    json_decref(ordered);
    ERR_TRY(buf_check(out, e, "table metadata"));
    return failed != 0 ? err_nomem(e) : ERR_OK;
}

const struct json_t *iceberg_metadata_document(const struct iceberg_metadata *m)
{
    return m->root;
}

const char *iceberg_metadata_location(const struct iceberg_metadata *m)
{
    return json_string_value(json_object_get(m->root, "location"));
}

const char *iceberg_metadata_uuid(const struct iceberg_metadata *m)
{
    const char *uuid = json_string_value(json_object_get(m->root, "table-uuid"));

    return uuid == NULL ? "" : uuid;
}

const char *iceberg_metadata_property(const struct iceberg_metadata *m, const char *key)
{
    return json_string_value(json_object_get(json_object_get(m->root, "properties"), key));
}

enum err_code iceberg_metadata_each_property(const struct iceberg_metadata *m, const char *prefix,
                                             enum err_code (*each)(void *ctx, const char *key,
                                                                   const char *value,
                                                                   struct err *e),
                                             void *ctx, struct err *e)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(m->root, "properties"), key, value)
    {
        if (str_starts_with(key, prefix) && json_is_string(value)) {
            ERR_TRY(each(ctx, key, json_string_value(value), e));
        }
    }
    return ERR_OK;
}

int64_t iceberg_metadata_snapshot_id(const struct iceberg_metadata *m)
{
    return metadata_int(m, "current-snapshot-id", -1);
}

uint32_t iceberg_metadata_snapshot_count(const struct iceberg_metadata *m)
{
    return (uint32_t)json_array_size(json_object_get(m->root, "snapshots"));
}

const char *iceberg_metadata_summary(const struct iceberg_metadata *m, int64_t snapshot_id,
                                     const char *key)
{
    struct snapshot_view s;

    return metadata_snapshot(m, snapshot_id, &s) ? snapshot_summary(&s, key) : NULL;
}

bool iceberg_metadata_has_snapshot(const struct iceberg_metadata *m, int64_t snapshot_id)
{
    struct snapshot_view s;

    return metadata_snapshot(m, snapshot_id, &s);
}

bool iceberg_metadata_was_at(const struct iceberg_metadata *m, const char *metadata_location)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(m->root, "metadata-log"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "metadata-file")), metadata_location) ==
            0) {
            return true;
        }
    }
    return false;
}

int64_t iceberg_metadata_last_updated_ms(const struct iceberg_metadata *m)
{
    return metadata_int(m, "last-updated-ms", 0);
}

int64_t iceberg_metadata_sequence_number(const struct iceberg_metadata *m)
{
    return metadata_int(m, "last-sequence-number", 0);
}

static char *without_slash(const char *folder, const char *more)
{
    size_t len = strlen(folder);

    while (len > 0 && folder[len - 1] == '/') {
        len--;
    }
    return str_format("%.*s%s", (int)len, folder, more);
}

char *iceberg_metadata_folder(const struct iceberg_metadata *m)
{
    const char *path = iceberg_metadata_property(m, "write.metadata.path");

    return path != NULL ? without_slash(path, "")
                        : without_slash(iceberg_metadata_location(m), "/metadata");
}

static void view_snapshot(json_t *json, struct snapshot_view *out)
{
    json_t *parent = json_object_get(json, "parent-snapshot-id");

    *out = (struct snapshot_view){
        .id = json_integer_value(json_object_get(json, "snapshot-id")),
        .parent_id = json_is_integer(parent) ? json_integer_value(parent) : -1,
        .sequence_number = json_integer_value(json_object_get(json, "sequence-number")),
        .timestamp_ms = json_integer_value(json_object_get(json, "timestamp-ms")),
        .manifest_list = json_string_value(json_object_get(json, "manifest-list")),
        .json = json,
    };
}

static int by_sequence(const void *a, const void *b)
{
    const struct snapshot_view *x = a;
    const struct snapshot_view *y = b;

    if (x->sequence_number != y->sequence_number) {
        return x->sequence_number < y->sequence_number ? -1 : 1;
    }
    return (x->timestamp_ms > y->timestamp_ms) - (x->timestamp_ms < y->timestamp_ms);
}

enum err_code metadata_snapshots(const struct iceberg_metadata *m, struct snapshot_views *out,
                                 struct err *e)
{
    const json_t *array = json_object_get(m->root, "snapshots");
    size_t i;
    json_t *item;

    out->count = (uint32_t)json_array_size(array);
    out->items = calloc(out->count + (size_t)1, sizeof *out->items);
    if (out->items == NULL) {
        return err_nomem(e);
    }
    json_array_foreach(array, i, item)
    {
        view_snapshot(item, &out->items[i]);
    }
    qsort(out->items, out->count, sizeof *out->items, by_sequence);
    return ERR_OK;
}

bool metadata_snapshot(const struct iceberg_metadata *m, int64_t snapshot_id,
                       struct snapshot_view *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(m->root, "snapshots"), i, item)
    {
        if (json_integer_value(json_object_get(item, "snapshot-id")) == snapshot_id) {
            view_snapshot(item, out);
            return true;
        }
    }
    return false;
}

bool snapshot_is_ours(const struct snapshot_view *s)
{
    json_t *summary = json_object_get(s->json, "summary");
    const char *key;
    json_t *value;

    json_object_foreach(summary, key, value)
    {
        if (str_starts_with(key, "calve.")) {
            return true;
        }
    }
    return false;
}

const char *snapshot_summary(const struct snapshot_view *s, const char *key)
{
    return json_string_value(json_object_get(json_object_get(s->json, "summary"), key));
}

int32_t metadata_format_version(const struct iceberg_metadata *m)
{
    return (int32_t)metadata_int(m, "format-version", 0);
}

int64_t metadata_int(const struct iceberg_metadata *m, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(m->root, key);

    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static json_t *find_by_id(json_t *array, const char *id_key, int64_t id)
{
    size_t i;
    json_t *item;

    json_array_foreach(array, i, item)
    {
        if (json_integer_value(json_object_get(item, id_key)) == id) {
            return item;
        }
    }
    return NULL;
}

bool metadata_spec(const struct iceberg_metadata *m, int32_t spec_id, struct spec_view *out)
{
    json_t *spec = find_by_id(json_object_get(m->root, "partition-specs"), "spec-id", spec_id);
    json_t *fields = json_object_get(spec, "fields");

    if (!json_is_array(fields)) {
        return false;
    }
    *out = (struct spec_view){.spec_id = spec_id, .fields = fields};
    if (json_array_size(fields) == 0) {
        out->writable = true;
        return true;
    }
    json_t *field = json_array_get(fields, 0);
    const char *transform = json_string_value(json_object_get(field, "transform"));

    out->name = json_string_value(json_object_get(field, "name"));
    out->source_id = (int32_t)json_integer_value(json_object_get(field, "source-id"));
    out->field_id = (int32_t)json_integer_value(json_object_get(field, "field-id"));
    out->by_day = json_array_size(fields) == 1 && transform != NULL &&
                  strcmp(transform, "day") == 0 && out->name != NULL && out->field_id > 0;
    out->writable = out->by_day;
    return true;
}

json_t *metadata_schema(const struct iceberg_metadata *m)
{
    json_t *schema = find_by_id(json_object_get(m->root, "schemas"), "schema-id",
                                metadata_int(m, "current-schema-id", 0));

    return schema != NULL ? schema : json_object_get(m->root, "schema");
}

int64_t metadata_property_int(const struct iceberg_metadata *m, const char *key, int64_t otherwise)
{
    const char *text = iceberg_metadata_property(m, key);
    int64_t v;

    return text != NULL && str_to_i64(span_str(text), &v) ? v : otherwise;
}

bool metadata_property_bool(const struct iceberg_metadata *m, const char *key, bool otherwise)
{
    const char *text = iceberg_metadata_property(m, key);

    return text == NULL ? otherwise : str_ieq(text, "true");
}
