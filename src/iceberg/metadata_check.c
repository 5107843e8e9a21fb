/*
 * metadata_check.c - whether a document is table metadata: what its readers need is there and of
 * the right type, and names that point inside the document point at something.
 */
#include "iceberg/metadata_int.h"

#define FORMAT_VERSION_MAX 2

static enum err_code missing(struct err *e, const char *key, const char *wanted)
{
    return err_set(e, ERR_CORRUPT, "table metadata: '%s' is missing or not %s", key, wanted);
}

static enum err_code need_int(const json_t *o, const char *key, struct err *e)
{
    return json_is_integer(json_object_get(o, key)) ? ERR_OK : missing(e, key, "a number");
}

static enum err_code need_string(const json_t *o, const char *key, struct err *e)
{
    return json_is_string(json_object_get(o, key)) ? ERR_OK : missing(e, key, "a string");
}

/* An array of objects each with an integer `id_key`; may be absent unless needed. */
static enum err_code check_array(const json_t *o, const char *key, const char *id_key, bool needed,
                                 struct err *e)
{
    const json_t *array = json_object_get(o, key);
    size_t i;
    json_t *item;

    if (array == NULL || json_is_null(array)) {
        return needed ? missing(e, key, "a list") : ERR_OK;
    }
    if (!json_is_array(array)) {
        return missing(e, key, "a list");
    }
    json_array_foreach(array, i, item)
    {
        if (!json_is_object(item) || !json_is_integer(json_object_get(item, id_key))) {
            return err_set(e, ERR_CORRUPT, "table metadata: an entry of '%s' has no number '%s'",
                           key, id_key);
        }
    }
    return ERR_OK;
}

/* An object whose values are all strings; may be absent. */
static enum err_code check_strings(const json_t *map, const char *key, struct err *e)
{
    const char *name;
    json_t *value;

    if (map == NULL || json_is_null(map)) {
        return ERR_OK;
    }
    if (!json_is_object(map)) {
        return missing(e, key, "an object");
    }
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        if (!json_is_string(value)) {
            return err_set(e, ERR_CORRUPT, "table metadata: '%s' of '%s' is not a string", name,
                           key);
        }
    }
    return ERR_OK;
}

static enum err_code check_snapshots(const json_t *root, bool v2, struct err *e)
{
    size_t i;
    json_t *s;

    ERR_TRY(check_array(root, "snapshots", "snapshot-id", false, e));
    json_array_foreach(json_object_get(root, "snapshots"), i, s)
    {
        const json_t *parent = json_object_get(s, "parent-snapshot-id");

        ERR_TRY(need_int(s, "timestamp-ms", e));
        /* Snapshots from a table's time as version 1 may list their manifests themselves. */
        if (v2 && !json_is_array(json_object_get(s, "manifests"))) {
            ERR_TRY(need_int(s, "sequence-number", e));
            ERR_TRY(need_string(s, "manifest-list", e));
        }
        if (parent != NULL && !json_is_null(parent) && !json_is_integer(parent)) {
            return missing(e, "parent-snapshot-id", "a number");
        }
        if (json_integer_value(json_object_get(s, "snapshot-id")) < 0) {
            return missing(e, "snapshot-id", "a positive number");
        }
        ERR_TRY(check_strings(json_object_get(s, "summary"), "summary", e));
    }
    return ERR_OK;
}

static enum err_code check_refs(const json_t *root, struct err *e)
{
    json_t *refs = json_object_get(root, "refs");
    const char *name;
    json_t *ref;

    if (refs == NULL || json_is_null(refs)) {
        return ERR_OK;
    }
    if (!json_is_object(refs)) {
        return missing(e, "refs", "an object");
    }
    json_object_foreach(refs, name, ref)
    {
        if (!json_is_object(ref) || !json_is_integer(json_object_get(ref, "snapshot-id")) ||
            !json_is_string(json_object_get(ref, "type"))) {
            return err_set(e, ERR_CORRUPT, "table metadata: ref '%s' lacks snapshot-id or type",
                           name);
        }
    }
    return ERR_OK;
}

static enum err_code check_logs(const json_t *root, struct err *e)
{
    size_t i;
    json_t *entry;

    ERR_TRY(check_array(root, "snapshot-log", "snapshot-id", false, e));
    ERR_TRY(check_array(root, "snapshot-log", "timestamp-ms", false, e));
    ERR_TRY(check_array(root, "metadata-log", "timestamp-ms", false, e));
    json_array_foreach(json_object_get(root, "metadata-log"), i, entry)
    {
        ERR_TRY(need_string(entry, "metadata-file", e));
    }
    return ERR_OK;
}

static bool has_id(const json_t *array, const char *id_key, int64_t id)
{
    size_t i;
    json_t *item;

    json_array_foreach(array, i, item)
    {
        if (json_integer_value(json_object_get(item, id_key)) == id) {
            return true;
        }
    }
    return false;
}

/* What version 2 needs and version 1 may lack. */
static enum err_code check_v2(const json_t *root, struct err *e)
{
    static const char *const numbers[] = {
        "last-sequence-number", "current-schema-id",     "default-spec-id",
        "last-partition-id",    "default-sort-order-id",
    };

    ERR_TRY(need_string(root, "table-uuid", e));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ERR_TRY(need_int(root, numbers[i], e));
    }
    ERR_TRY(check_array(root, "schemas", "schema-id", true, e));
    ERR_TRY(check_array(root, "partition-specs", "spec-id", true, e));
    ERR_TRY(check_array(root, "sort-orders", "order-id", true, e));
    if (!has_id(json_object_get(root, "schemas"), "schema-id",
                json_integer_value(json_object_get(root, "current-schema-id")))) {
        return err_set(e, ERR_CORRUPT,
                       "table metadata: 'current-schema-id' names none of 'schemas'");
    }
    if (!has_id(json_object_get(root, "partition-specs"), "spec-id",
                json_integer_value(json_object_get(root, "default-spec-id")))) {
        return err_set(e, ERR_CORRUPT,
                       "table metadata: 'default-spec-id' names none of 'partition-specs'");
    }
    return ERR_OK;
}

static enum err_code check_v1(const json_t *root, struct err *e)
{
    ERR_TRY(check_array(root, "schemas", "schema-id", false, e));
    ERR_TRY(check_array(root, "partition-specs", "spec-id", false, e));
    return json_is_object(json_object_get(root, "schema")) ||
                   json_array_size(json_object_get(root, "schemas")) > 0
               ? ERR_OK
               : missing(e, "schema", "an object");
}

/* The current snapshot is there, and main names no other. */
static enum err_code check_current(const json_t *root, struct err *e)
{
    const json_t *current = json_object_get(root, "current-snapshot-id");
    const json_t *main_ref = json_object_get(json_object_get(root, "refs"), "main");
    json_int_t id = json_is_integer(current) ? json_integer_value(current) : -1;

    if (current != NULL && !json_is_null(current) && !json_is_integer(current)) {
        return missing(e, "current-snapshot-id", "a number");
    }
    if (id != -1 && !has_id(json_object_get(root, "snapshots"), "snapshot-id", id)) {
        return err_set(e, ERR_CORRUPT,
                       "table metadata: 'current-snapshot-id' names none of 'snapshots'");
    }
    if (main_ref != NULL && json_integer_value(json_object_get(main_ref, "snapshot-id")) != id) {
        return err_set(e, ERR_CORRUPT,
                       "table metadata: 'current-snapshot-id' is not the snapshot of ref 'main'");
    }
    return ERR_OK;
}

static enum err_code check_version(const json_t *root, json_int_t *version, struct err *e)
{
    if (!json_is_object(root)) {
        return err_set(e, ERR_CORRUPT, "table metadata is not a JSON object");
    }
    ERR_TRY(need_int(root, "format-version", e));
    *version = json_integer_value(json_object_get(root, "format-version"));
    if (*version < 1) {
        return missing(e, "format-version", "1 or more");
    }
    if (*version > FORMAT_VERSION_MAX) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the table has Iceberg format version %lld; this program reads up to %d",
                       (long long)*version, FORMAT_VERSION_MAX);
    }
    return ERR_OK;
}

enum err_code metadata_check(const json_t *root, struct err *e)
{
    json_int_t version = 0;

    ERR_TRY(check_version(root, &version, e));
    ERR_TRY(need_string(root, "location", e));
    ERR_TRY(need_int(root, "last-updated-ms", e));
    ERR_TRY(need_int(root, "last-column-id", e));
    ERR_TRY(version == 2 ? check_v2(root, e) : check_v1(root, e));
    ERR_TRY(check_strings(json_object_get(root, "properties"), "properties", e));
    ERR_TRY(check_snapshots(root, version == 2, e));
    ERR_TRY(check_refs(root, e));
    ERR_TRY(check_logs(root, e));
    ERR_TRY(check_array(root, "statistics", "snapshot-id", false, e));
    ERR_TRY(check_array(root, "partition-statistics", "snapshot-id", false, e));
    return check_current(root, e);
}
