/*
 * rest_updates.h - what a REST catalog does with the requirements and updates of a commit, as its
 * specification has it: applied to a metadata document. Strict: what a server may refuse is
 * refused.
 *
 *   const char *why = rest_apply(&document, request);   NULL: done
 *
 * "409 ..." is a requirement that does not hold, "400 ..." a request that is wrong. The document is
 * replaced by a new one; derived are times and the snapshot-log, not the metadata-log.
 *
 * Thread: any; it does not assert.
 */
#ifndef CALVE_REST_UPDATES_H
#define CALVE_REST_UPDATES_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static inline const char *rest_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static inline json_int_t rest_number_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* Where the entry with this id is in a list; its size when it is not there. */
static inline size_t rest_index_of(const json_t *list, json_int_t id)
{
    size_t i = 0;

    while (i < json_array_size(list) &&
           rest_number_of(json_array_get(list, i), "snapshot-id") != id) {
        i++;
    }
    return i;
}

/* A member that is an array or object, made when it is missing. */
static inline json_t *rest_member(json_t *document, const char *key, bool is_array)
{
    json_t *member = json_object_get(document, key);

    if (member == NULL || json_is_null(member)) {
        json_object_set_new(document, key, is_array ? json_array() : json_object());
        member = json_object_get(document, key);
    }
    return member;
}

static inline const char *rest_require(const json_t *document, const json_t *requirement)
{
    const char *type = rest_text_of(requirement, "type");

    if (strcmp(type, "assert-table-uuid") == 0) {
        return strcmp(rest_text_of(document, "table-uuid"), rest_text_of(requirement, "uuid")) == 0
                   ? NULL
                   : "409 Requirement failed: UUID does not match";
    }
    if (strcmp(type, "assert-ref-snapshot-id") == 0) {
        const json_t *wanted = json_object_get(requirement, "snapshot-id");
        const json_t *ref =
            json_object_get(json_object_get(document, "refs"), rest_text_of(requirement, "ref"));

        if (!json_is_null(wanted) && !json_is_integer(wanted)) {
            return "400 assert-ref-snapshot-id has no snapshot-id";
        }
        if (json_is_null(wanted)) {
            return ref == NULL ? NULL : "409 Requirement failed: branch was created concurrently";
        }
        return rest_number_of(ref, "snapshot-id") == json_integer_value(wanted)
                   ? NULL
                   : "409 Requirement failed: branch has changed";
    }
    return "400 an unknown requirement";
}

static inline const char *rest_add_snapshot(json_t *document, const json_t *update)
{
    static const char *const texts[] = {"manifest-list"};
    static const char *const numbers[] = {"snapshot-id", "sequence-number", "timestamp-ms",
                                          "schema-id"};
    json_t *s = json_object_get(update, "snapshot");
    json_t *snapshots = rest_member(document, "snapshots", true);
    json_int_t parent = rest_number_of(s, "parent-snapshot-id");

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (rest_number_of(s, numbers[i]) < 0) {
            return "400 the snapshot lacks a number";
        }
    }
    if (rest_text_of(s, texts[0])[0] == '\0' ||
        rest_text_of(json_object_get(s, "summary"), "operation")[0] == '\0') {
        return "400 the snapshot lacks a text";
    }
    if (rest_index_of(snapshots, rest_number_of(s, "snapshot-id")) < json_array_size(snapshots)) {
        return "400 Snapshot already exists";
    }
    if (parent >= 0 && rest_index_of(snapshots, parent) == json_array_size(snapshots)) {
        return "400 the parent is not there";
    }
    if (rest_number_of(s, "sequence-number") <= rest_number_of(document, "last-sequence-number")) {
        return "400 Cannot add snapshot with sequence number older than last sequence number";
    }
    if (rest_number_of(s, "timestamp-ms") < rest_number_of(document, "last-updated-ms") - 60000) {
        return "400 Invalid snapshot timestamp";
    }
    json_array_append(snapshots, s);
    json_object_set(document, "last-sequence-number", json_object_get(s, "sequence-number"));
    json_object_set(document, "last-updated-ms", json_object_get(s, "timestamp-ms"));
    return NULL;
}

static inline const char *rest_set_ref(json_t *document, const json_t *update)
{
    json_t *snapshots = rest_member(document, "snapshots", true);
    json_int_t id = rest_number_of(update, "snapshot-id");
    const char *name = rest_text_of(update, "ref-name");
    json_t *ref = json_deep_copy(update);

    if (ref == NULL || rest_index_of(snapshots, id) == json_array_size(snapshots) ||
        name[0] == '\0' || rest_text_of(update, "type")[0] == '\0') {
        json_decref(ref);
        return "400 the ref cannot be set";
    }
    json_object_del(ref, "action");
    json_object_del(ref, "ref-name");
    json_object_set_new(rest_member(document, "refs", false), name, ref);
    if (strcmp(name, "main") == 0) {
        json_object_set_new(document, "current-snapshot-id", json_integer(id));
        json_array_append_new(
            rest_member(document, "snapshot-log", true),
            json_pack("{s:O, s:I}", "timestamp-ms",
                      json_object_get(json_array_get(snapshots, rest_index_of(snapshots, id)),
                                      "timestamp-ms"),
                      "snapshot-id", id));
    }
    return NULL;
}

static inline bool rest_is_named(json_t *document, json_int_t id)
{
    const char *name;
    json_t *ref;

    json_object_foreach(json_object_get(document, "refs"), name, ref)
    {
        if (rest_number_of(ref, "snapshot-id") == id) {
            return true;
        }
    }
    return false;
}

/* Entries of the log up to the last one of a snapshot that is gone go with it. */
static inline void rest_cut_log(json_t *document)
{
    json_t *log = rest_member(document, "snapshot-log", true);
    json_t *snapshots = rest_member(document, "snapshots", true);
    size_t first = 0;

    for (size_t i = 0; i < json_array_size(log); i++) {
        json_int_t id = rest_number_of(json_array_get(log, i), "snapshot-id");

        first = rest_index_of(snapshots, id) == json_array_size(snapshots) ? i + 1 : first;
    }
    while (first-- > 0) {
        json_array_remove(log, 0);
    }
}

static inline const char *rest_remove_snapshot(json_t *document, const json_t *update)
{
    const json_t *ids = json_object_get(update, "snapshot-ids");
    json_int_t id = json_integer_value(json_array_get(ids, 0));
    json_t *snapshots = rest_member(document, "snapshots", true);
    size_t at = rest_index_of(snapshots, id);

    if (json_array_size(ids) != 1) {
        return "400 Invalid set of snapshot ids to remove. Expected one value";
    }
    if (rest_is_named(document, id)) {
        return "400 the snapshot is that of a ref";
    }
    /* One that is gone already is no matter. */
    if (at < json_array_size(snapshots)) {
        json_array_remove(snapshots, at);
        rest_cut_log(document);
    }
    return NULL;
}

static inline const char *rest_remove_from(json_t *document, const char *key, const json_t *update)
{
    json_t *list = rest_member(document, key, true);
    json_int_t id = rest_number_of(update, "snapshot-id");

    if (id < 0) {
        return "400 statistics of no snapshot";
    }
    for (size_t at = rest_index_of(list, id); at < json_array_size(list);
         at = rest_index_of(list, id)) {
        json_array_remove(list, at);
    }
    return NULL;
}

static inline const char *rest_set_properties(json_t *document, const json_t *update)
{
    json_t *map = json_object_get(update, "updates");
    const char *key;
    json_t *value;

    json_object_foreach(map, key, value)
    {
        if (!json_is_string(value)) {
            return "400 a property is no text";
        }
    }
    return json_object_size(map) > 0 &&
                   json_object_update(rest_member(document, "properties", false), map) == 0
               ? NULL
               : "400 no properties to set";
}

static inline const char *rest_remove_properties(json_t *document, const json_t *update)
{
    const json_t *list = json_object_get(update, "removals");
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        json_object_del(rest_member(document, "properties", false), json_string_value(item));
    }
    return json_array_size(list) > 0 ? NULL : "400 no properties to remove";
}

static inline const char *rest_update(json_t *document, const json_t *update)
{
    const char *action = rest_text_of(update, "action");

    if (strcmp(action, "add-snapshot") == 0) {
        return rest_add_snapshot(document, update);
    }
    if (strcmp(action, "set-snapshot-ref") == 0) {
        return rest_set_ref(document, update);
    }
    if (strcmp(action, "remove-snapshots") == 0) {
        return rest_remove_snapshot(document, update);
    }
    if (strcmp(action, "set-properties") == 0) {
        return rest_set_properties(document, update);
    }
    if (strcmp(action, "remove-properties") == 0) {
        return rest_remove_properties(document, update);
    }
    if (strcmp(action, "remove-statistics") == 0) {
        return rest_remove_from(document, "statistics", update);
    }
    if (strcmp(action, "remove-partition-statistics") == 0) {
        return rest_remove_from(document, "partition-statistics", update);
    }
    return "400 an unknown update";
}

static inline const char *rest_apply(json_t **document, const json_t *request)
{
    const json_t *requirements = json_object_get(request, "requirements");
    const json_t *updates = json_object_get(request, "updates");
    const char *why = json_is_array(requirements) && json_is_array(updates)
                          ? NULL
                          : "400 requirements or updates are missing";
    size_t i;
    json_t *item;

    json_array_foreach(requirements, i, item)
    {
        why = why != NULL ? why : rest_require(*document, item);
    }
    json_t *next = json_deep_copy(*document);

    json_array_foreach(updates, i, item)
    {
        why = why != NULL ? why : rest_update(next, item);
    }
    if (why != NULL) {
        json_decref(next);
        return why;
    }
    json_decref(*document);
    *document = next;
    return NULL;
}

#endif
