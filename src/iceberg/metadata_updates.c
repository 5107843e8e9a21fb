/*
 * metadata_updates.c - the difference of two metadata documents as a list of updates.
 *
 *   add-snapshot, set-snapshot-ref   each new snapshot, and main on the last of them
 *   set-properties, remove-properties
 *   remove-statistics, remove-partition-statistics, remove-snapshots   what was expired
 *
 * Servers before Iceberg 1.9 take one id in a remove-snapshots, so each gets an update of its own.
 */
#include "iceberg/metadata_updates.h"

#include "iceberg/metadata_int.h"

/* What this file looks after, and what a server derives; all else must be the same. */
static const char *const changing[] = {
    "last-sequence-number",
    "last-updated-ms",
    "properties",
    "current-snapshot-id",
    "refs",
    "snapshots",
    "statistics",
    "partition-statistics",
    "snapshot-log",
    "metadata-log",
};

struct updates {
    const struct iceberg_metadata *base;
    const struct iceberg_metadata *next;
    json_t *list;
};

static enum err_code add(json_t *array, json_t *item, struct err *e)
{
    return json_array_append_new(array, item) == 0 ? ERR_OK : err_nomem(e);
}

static enum err_code unsupported(struct err *e, const char *key)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "the change of '%s' in the table's metadata has no form in which a REST catalog "
                   "would take it",
                   key);
}

static bool is_changing(const char *key)
{
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++) {
        if (strcmp(changing[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static enum err_code check_rest(const struct updates *u, struct err *e)
{
    const char *key;
    json_t *value;

    json_object_foreach(u->base->root, key, value)
    {
        if (!is_changing(key) && !json_equal(value, json_object_get(u->next->root, key))) {
            return unsupported(e, key);
        }
    }
    json_object_foreach(u->next->root, key, value)
    {
        if (!is_changing(key) && json_object_get(u->base->root, key) == NULL) {
            return unsupported(e, key);
        }
    }
    return ERR_OK;
}

/* One list of both documents: next has it in base's order, with some left out and new ones behind.
 */
static enum err_code compare_lists(const struct updates *u, const char *key, json_t *gone,
                                   json_t *added, struct err *e)
{
    json_t *was = json_object_get(u->base->root, key);
    json_t *is = json_object_get(u->next->root, key);
    size_t kept = 0;
    size_t i;
    json_t *item;

    json_array_foreach(was, i, item)
    {
        if (kept < json_array_size(is) && json_equal(item, json_array_get(is, kept))) {
            kept++;
        } else if (json_array_append(gone, item) != 0) {
            return err_nomem(e);
        }
    }
    for (i = kept; i < json_array_size(is); i++) {
        if (json_array_append(added, json_array_get(is, i)) != 0) {
            return err_nomem(e);
        }
    }
    return ERR_OK;
}

/* Number of an object; -1 when it has none. */
static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static enum err_code add_snapshots(const struct updates *u, const json_t *added, struct err *e)
{
    int64_t parent = iceberg_metadata_snapshot_id(u->base);
    size_t i;
    json_t *s;

    json_array_foreach(added, i, s)
    {
        if (iceberg_metadata_has_snapshot(u->base, number_of(s, "snapshot-id")) ||
            number_of(s, "parent-snapshot-id") != parent) {
            return unsupported(e, "snapshots");
        }
        parent = number_of(s, "snapshot-id");
        ERR_TRY(add(u->list, json_pack("{s:s, s:O}", "action", "add-snapshot", "snapshot", s), e));
    }
    return ERR_OK;
}

/* An object with the members of `more` behind its own. */
static json_t *with_members(json_t *object, json_t *more)
{
    if (object != NULL && json_object_update_missing(object, more) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static enum err_code check_refs(const struct updates *u, bool moved, struct err *e)
{
    json_t *was = json_object_get(u->base->root, "refs");
    json_t *is = json_object_get(u->next->root, "refs");
    const char *name;
    json_t *ref;

    json_object_foreach(was, name, ref)
    {
        if (!(moved && strcmp(name, "main") == 0) && !json_equal(ref, json_object_get(is, name))) {
            return unsupported(e, "refs");
        }
    }
    json_object_foreach(is, name, ref)
    {
        if (!(moved && strcmp(name, "main") == 0) && json_object_get(was, name) == NULL) {
            return unsupported(e, "refs");
        }
    }
    return ERR_OK;
}

/* main is on the last new snapshot, or where it was. */
static enum err_code move_main(const struct updates *u, const json_t *added, struct err *e)
{
    size_t count = json_array_size(added);
    bool moved = count > 0;
    const json_t *last = json_array_get(added, count - 1);
    int64_t id = moved ? number_of(last, "snapshot-id") : iceberg_metadata_snapshot_id(u->base);
    int64_t sequence = moved ? number_of(last, "sequence-number")
                             : metadata_int(u->base, "last-sequence-number", 0);

    if (iceberg_metadata_snapshot_id(u->next) != id) {
        return unsupported(e, "current-snapshot-id");
    }
    if (metadata_int(u->next, "last-sequence-number", 0) != sequence) {
        return unsupported(e, "last-sequence-number");
    }
    ERR_TRY(check_refs(u, moved, e));
    if (!moved) {
        return ERR_OK;
    }
    /* With all that it says about keeping snapshots, which would be lost otherwise. */
    json_t *ref = json_object_get(json_object_get(u->next->root, "refs"), "main");

    if (number_of(ref, "snapshot-id") != id) {
        return unsupported(e, "refs");
    }
    return add(u->list,
               with_members(
                   json_pack("{s:s, s:s}", "action", "set-snapshot-ref", "ref-name", "main"), ref),
               e);
}

static enum err_code add_properties(const struct updates *u, struct err *e)
{
    json_t *was = json_object_get(u->base->root, "properties");
    json_t *is = json_object_get(u->next->root, "properties");
    json_t *set = json_object();
    json_t *removed = json_array();
    enum err_code rc = set == NULL || removed == NULL ? err_nomem(e) : ERR_OK;
    const char *key;
    json_t *value;

    json_object_foreach(is, key, value)
    {
        if (rc == ERR_OK && !json_equal(value, json_object_get(was, key)) &&
            json_object_set(set, key, value) != 0) {
            rc = err_nomem(e);
        }
    }
    json_object_foreach(was, key, value)
    {
        if (rc == ERR_OK && json_object_get(is, key) == NULL) {
            rc = add(removed, json_string(key), e);
        }
    }
    if (rc == ERR_OK && json_object_size(set) > 0) {
        rc = add(u->list, json_pack("{s:s, s:O}", "action", "set-properties", "updates", set), e);
    }
    if (rc == ERR_OK && json_array_size(removed) > 0) {
        rc = add(u->list,
                 json_pack("{s:s, s:O}", "action", "remove-properties", "removals", removed), e);
    }
    json_decref(set);
    json_decref(removed);
    return rc;
}

/* Statistics only go, and all of a snapshot at once. */
static enum err_code remove_statistics(const struct updates *u, const char *key, const char *action,
                                       struct err *e)
{
    json_t *gone = json_array();
    json_t *added = json_array();
    enum err_code rc =
        gone == NULL || added == NULL ? err_nomem(e) : compare_lists(u, key, gone, added, e);
    int64_t last = -1;
    size_t i;
    json_t *item;

    if (rc == ERR_OK && json_array_size(added) > 0) {
        rc = unsupported(e, key);
    }
    json_array_foreach(gone, i, item)
    {
        int64_t id = number_of(item, "snapshot-id");

        if (rc == ERR_OK && id != last) {
            rc = add(u->list,
                     json_pack("{s:s, s:I}", "action", action, "snapshot-id", (json_int_t)id), e);
            last = id;
        }
    }
    json_decref(gone);
    json_decref(added);
    return rc;
}

static enum err_code remove_snapshots(const struct updates *u, const json_t *gone, struct err *e)
{
    size_t i;
    json_t *s;

    json_array_foreach(gone, i, s)
    {
        ERR_TRY(add(u->list,
                    json_pack("{s:s, s:[I]}", "action", "remove-snapshots", "snapshot-ids",
                              (json_int_t)number_of(s, "snapshot-id")),
                    e));
    }
    return ERR_OK;
}

static enum err_code add_updates(const struct updates *u, const json_t *gone, const json_t *added,
                                 struct err *e)
{
    ERR_TRY(check_rest(u, e));
    ERR_TRY(add_snapshots(u, added, e));
    ERR_TRY(move_main(u, added, e));
    ERR_TRY(add_properties(u, e));
    ERR_TRY(remove_statistics(u, "statistics", "remove-statistics", e));
    ERR_TRY(remove_statistics(u, "partition-statistics", "remove-partition-statistics", e));
    return remove_snapshots(u, gone, e);
}

static json_t *requirements_of(const struct iceberg_metadata *base)
{
    int64_t id = iceberg_metadata_snapshot_id(base);

    return json_pack("[{s:s, s:s}, {s:s, s:s, s:o}]", "type", "assert-table-uuid", "uuid",
                     iceberg_metadata_uuid(base), "type", "assert-ref-snapshot-id", "ref", "main",
                     "snapshot-id", id < 0 ? json_null() : json_integer(id));
}

enum err_code iceberg_updates_between(const struct iceberg_metadata *base,
                                      const struct iceberg_metadata *next, struct json_t **out,
                                      struct err *e)
{
    struct updates u = {base, next, json_array()};
    json_t *gone = json_array();
    json_t *added = json_array();
    enum err_code rc = u.list == NULL || gone == NULL || added == NULL
                           ? err_nomem(e)
                           : compare_lists(&u, "snapshots", gone, added, e);

    if (rc == ERR_OK) {
        rc = add_updates(&u, gone, added, e);
    }
    if (rc == ERR_OK) {
        *out = json_pack("{s:o, s:O}", "requirements", requirements_of(base), "updates", u.list);
        rc = *out == NULL ? err_nomem(e) : ERR_OK;
    }
    json_decref(u.list);
    json_decref(gone);
    json_decref(added);
    return rc;
}

static json_t *properties_of(const struct iceberg_metadata *m)
{
    char version[16];

    /* Servers make of this property the version of the table. */
    (void)snprintf(version, sizeof version, "%d", (int)metadata_format_version(m));
    json_t *properties = json_pack("{s:s}", "format-version", version);
    json_t *own = json_object_get(m->root, "properties");

    return json_is_object(own) ? with_members(properties, own) : properties;
}

enum err_code iceberg_create_request(const char *name, const struct iceberg_metadata *first,
                                     struct json_t **out, struct err *e)
{
    const char *location = iceberg_metadata_location(first);
    struct spec_view spec;

    if (iceberg_metadata_snapshot_count(first) > 0) {
        return unsupported(e, "snapshots");
    }
    if (!metadata_spec(first, (int32_t)metadata_int(first, "default-spec-id", 0), &spec)) {
        return unsupported(e, "partition-specs");
    }
    json_t *request = json_pack("{s:s, s:O, s:{s:i, s:O}, s:o}", "name", name, "schema",
                                metadata_schema(first), "partition-spec", "spec-id", spec.spec_id,
                                "fields", spec.fields, "properties", properties_of(first));

    if (request != NULL && location[0] != '\0' &&
        json_object_set_new(request, "location", json_string(location)) != 0) {
        json_decref(request);
        request = NULL;
    }
    if (request == NULL) {
        return err_nomem(e);
    }
    *out = request;
    return ERR_OK;
}
