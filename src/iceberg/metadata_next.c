/*
 * metadata_next.c - the next metadata document: the base's, with a snapshot more, expired ones
 * less, and properties set. Parts that do not change are shared with the base, which stays as it
 * is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/commit_int.h"

#define PREVIOUS_VERSIONS_DEFAULT 100

static enum err_code set_new(json_t *object, const char *key, json_t *value, struct err *e)
{
    return json_object_set_new(object, key, value) == 0 ? ERR_OK : err_nomem(e);
}

static enum err_code append_new(json_t *array, json_t *value, struct err *e)
{
    return json_array_append_new(array, value) == 0 ? ERR_OK : err_nomem(e);
}

/* A new object with the same members; json_copy() forgets those that it has no memory for. */
static json_t *copy_object(json_t *from)
{
    json_t *to = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value)
    {
        if (json_object_set(to, key, value) != 0) {
            json_decref(to);
            return NULL;
        }
    }
    return to;
}

static enum err_code put_number(json_t *summary, const char *key, int64_t v, struct err *e)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, v);
    return set_new(summary, key, json_string(text), e);
}

static enum err_code put_positive(json_t *summary, const char *key, int64_t v, struct err *e)
{
    return v > 0 ? put_number(summary, key, v, e) : ERR_OK;
}

/* A total goes on from the parent's; where that has none or a wrong one, there is none. */
static enum err_code put_total(const struct commit *c, json_t *summary, const char *key,
                               int64_t plus, int64_t minus, struct err *e)
{
    int64_t total = 0;

    if (c->has_parent && !c->options->change->replace_all) {
        const char *before = snapshot_summary(&c->parent, key);

        if (before == NULL || !str_to_i64(span_str(before), &total) || total < 0) {
            return ERR_OK;
        }
    } else {
        /* All that is there is known. */
        minus = 0;
    }
    if (__builtin_add_overflow(total, plus, &total) || total < minus) {
        return ERR_OK;
    }
    return put_number(summary, key, total - minus, e);
}

static int by_partition(const void *a, const void *b)
{
    const struct partition_key *x = a;
    const struct partition_key *y = b;

    if (x->spec_id != y->spec_id) {
        return x->spec_id < y->spec_id ? -1 : 1;
    }
    if (x->has_day != y->has_day) {
        return x->has_day < y->has_day ? -1 : 1;
    }
    return (x->day > y->day) - (x->day < y->day);
}

static int64_t count_partitions(struct commit *c)
{
    size_t count = c->partitions.len / sizeof(struct partition_key);
    struct partition_key *keys = (struct partition_key *)(void *)c->partitions.data;
    int64_t distinct = 0;

    if (count == 0) {
        return 0;
    }
    qsort(keys, count, sizeof *keys, by_partition);
    for (size_t i = 0; i < count; i++) {
        distinct += i == 0 || by_partition(&keys[i - 1], &keys[i]) != 0 ? 1 : 0;
    }
    return distinct;
}

const char *commit_operation(const struct commit *c)
{
    if (c->removed.files == 0) {
        return "append";
    }
    return c->added.files == 0 ? "delete" : "overwrite";
}

static enum err_code put_metrics(struct commit *c, json_t *summary, struct err *e)
{
    ERR_TRY(set_new(summary, "operation", json_string(commit_operation(c)), e));
    ERR_TRY(put_positive(summary, "added-data-files", c->added.files, e));
    ERR_TRY(put_positive(summary, "deleted-data-files", c->removed.files, e));
    ERR_TRY(put_positive(summary, "added-records", c->added.records, e));
    ERR_TRY(put_positive(summary, "deleted-records", c->removed.records, e));
    ERR_TRY(put_positive(summary, "added-files-size", c->added.bytes, e));
    ERR_TRY(put_positive(summary, "removed-files-size", c->removed.bytes, e));
    ERR_TRY(put_number(summary, "changed-partition-count", count_partitions(c), e));
    ERR_TRY(put_total(c, summary, "total-records", c->added.records, c->removed.records, e));
    ERR_TRY(put_total(c, summary, "total-files-size", c->added.bytes, c->removed.bytes, e));
    ERR_TRY(put_total(c, summary, "total-data-files", c->added.files, c->removed.files, e));
    ERR_TRY(put_total(c, summary, "total-delete-files", 0, 0, e));
    ERR_TRY(put_total(c, summary, "total-position-deletes", 0, 0, e));
    return put_total(c, summary, "total-equality-deletes", 0, 0, e);
}

static enum err_code check_text(const struct iceberg_property *p, uint32_t count, const char *what,
                                struct err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!str_is_utf8(span_str(p[i].key)) || !str_is_utf8(span_str(p[i].value))) {
            return err_set(e, ERR_CONFIG, "a %s is not UTF-8", what);
        }
    }
    return ERR_OK;
}

static enum err_code make_summary(struct commit *c, json_t *summary, struct err *e)
{
    const struct iceberg_change *change = c->options->change;
    struct lineage lineage = lineage_next(c->base, c->removed.files == 0);
    char text[LINEAGE_TEXT_BYTES];

    ERR_TRY(check_text(change->summary, change->summary_count, "snapshot summary entry", e));
    ERR_TRY(put_metrics(c, summary, e));
    lineage_print(&lineage, c->sequence_number, text);
    ERR_TRY(set_new(summary, LINEAGE_KEY, json_string(text), e));
    for (uint32_t i = 0; i < change->summary_count; i++) {
        if (json_object_get(summary, change->summary[i].key) == NULL) {
            ERR_TRY(
                set_new(summary, change->summary[i].key, json_string(change->summary[i].value), e));
        }
    }
    return ERR_OK;
}

/* The new snapshot's object goes into s. */
static enum err_code make_snapshot(struct commit *c, json_t *s, struct err *e)
{
    ERR_TRY(set_new(s, "sequence-number", json_integer(c->sequence_number), e));
    ERR_TRY(set_new(s, "snapshot-id", json_integer(c->snapshot_id), e));
    if (c->has_parent) {
        ERR_TRY(set_new(s, "parent-snapshot-id", json_integer(c->parent.id), e));
    }
    ERR_TRY(set_new(s, "timestamp-ms", json_integer(c->now_ms), e));
    ERR_TRY(set_new(s, "summary", json_object(), e));
    ERR_TRY(make_summary(c, json_object_get(s, "summary"), e));
    ERR_TRY(set_new(s, "manifest-list", json_string(c->manifest_list), e));
    return set_new(s, "schema-id", json_integer(metadata_int(c->base, "current-schema-id", 0)), e);
}

static enum snapshot_fate fate_of(const struct expiry *x, const json_t *item)
{
    return expiry_fate(x, json_integer_value(json_object_get(item, "snapshot-id")));
}

/* Replaces an array of root by a copy without what belongs to expired snapshots. */
static enum err_code filter(json_t *root, const char *key, const struct expiry *x, struct err *e)
{
    const json_t *from = json_object_get(root, key);
    json_t *to = json_array();
    size_t i;
    json_t *item;

    if (to == NULL) {
        return err_nomem(e);
    }
    json_array_foreach(from, i, item)
    {
        if (fate_of(x, item) != SNAPSHOT_EXPIRED && json_array_append(to, item) != 0) {
            json_decref(to);
            return err_nomem(e);
        }
    }
    return set_new(root, key, to, e);
}

static enum err_code next_snapshots(struct commit *c, json_t *root, const struct expiry *x,
                                    struct err *e)
{
    ERR_TRY(filter(root, "snapshots", x, e));
    if (!commit_has_snapshot(c)) {
        return ERR_OK;
    }
    json_t *s = json_object();

    ERR_TRY(append_new(json_object_get(root, "snapshots"), s, e));
    return make_snapshot(c, s, e);
}

/*
 * An expired snapshot makes a gap in which nobody can tell what was current, so the entries before
 * it go with it; else a reader that asks for a time in the gap would get an older state for it.
 */
static enum err_code next_snapshot_log(const struct commit *c, json_t *root, const struct expiry *x,
                                       struct err *e)
{
    const json_t *from = json_object_get(c->base->root, "snapshot-log");
    json_t *to = json_array();
    size_t first = 0;
    size_t i;
    json_t *item;

    ERR_TRY(set_new(root, "snapshot-log", to, e));
    json_array_foreach(from, i, item)
    {
        if (fate_of(x, item) != SNAPSHOT_STAYS) {
            first = i + 1;
        }
    }
    for (i = first; i < json_array_size(from); i++) {
        if (json_array_append(to, json_array_get(from, i)) != 0) {
            return err_nomem(e);
        }
    }
    if (!commit_has_snapshot(c)) {
        return ERR_OK;
    }
    return append_new(to,
                      json_pack("{s:I, s:I}", "timestamp-ms", (json_int_t)c->now_ms, "snapshot-id",
                                (json_int_t)c->snapshot_id),
                      e);
}

static enum err_code next_refs(const struct commit *c, json_t *root, struct err *e)
{
    json_t *was = json_object_get(root, "refs");
    json_t *refs = json_is_object(was) ? copy_object(was) : json_object();

    ERR_TRY(set_new(root, "refs", refs, e));
    json_t *was_main = json_object_get(refs, "main");
    /* What somebody set about keeping snapshots of main stays. */
    json_t *main_ref = json_is_object(was_main)
                           ? copy_object(was_main)
                           : json_pack("{s:i, s:s}", "snapshot-id", 0, "type", "branch");

    ERR_TRY(set_new(refs, "main", main_ref, e));
    return set_new(main_ref, "snapshot-id", json_integer(c->snapshot_id), e);
}

/* The base joins the log; who leaves it may be removed from the store, unless a server does. */
static enum err_code next_metadata_log(struct commit *c, json_t *root, struct err *e)
{
    const json_t *from = json_object_get(c->base->root, "metadata-log");
    size_t count = json_array_size(from);
    int64_t most = metadata_property_int(c->base, "write.metadata.previous-versions-max",
                                         PREVIOUS_VERSIONS_DEFAULT);
    bool removes =
        !c->options->server_writes_metadata &&
        metadata_property_bool(c->base, "write.metadata.delete-after-commit.enabled", false);
    size_t keep = most < 1 ? 0 : (size_t)most - 1; /* of those that are in the log now */
    size_t first = count > keep ? count - keep : 0;
    json_t *to = json_array();

    ERR_TRY(set_new(root, "metadata-log", to, e));
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(from, i);
        const char *file = json_string_value(json_object_get(item, "metadata-file"));

        if (i >= first) {
            if (json_array_append(to, item) != 0) {
                return err_nomem(e);
            }
        } else if (removes && strcmp(file, c->options->base_location) != 0) {
            ERR_TRY(locations_add(&c->attempt->expired, span_str(file), e));
        }
    }
    return append_new(to,
                      json_pack("{s:I, s:s}", "timestamp-ms",
                                (json_int_t)iceberg_metadata_last_updated_ms(c->base),
                                "metadata-file", c->options->base_location),
                      e);
}

static enum err_code next_properties(const struct commit *c, json_t *root, struct err *e)
{
    const struct iceberg_change *change = c->options->change;

    if (change->property_count == 0) {
        return ERR_OK;
    }
    ERR_TRY(check_text(change->properties, change->property_count, "table property", e));
    json_t *was = json_object_get(root, "properties");
    json_t *properties = json_is_object(was) ? copy_object(was) : json_object();

    ERR_TRY(set_new(root, "properties", properties, e));
    for (uint32_t i = 0; i < change->property_count; i++) {
        ERR_TRY(set_new(properties, change->properties[i].key,
                        json_string(change->properties[i].value), e));
    }
    return ERR_OK;
}

static bool names_file(const json_t *statistics, const char *path)
{
    size_t i;
    json_t *item;

    json_array_foreach(statistics, i, item)
    {
        const char *other = json_string_value(json_object_get(item, "statistics-path"));

        if (other != NULL && strcmp(other, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Statistics that somebody made of an expired snapshot go with it. */
static enum err_code next_statistics(struct commit *c, json_t *root, const char *key,
                                     const struct expiry *x, struct err *e)
{
    const json_t *from = json_object_get(c->base->root, key);
    size_t i;
    json_t *item;

    if (json_array_size(from) == 0 || x->expired_count == 0) {
        return ERR_OK;
    }
    ERR_TRY(filter(root, key, x, e));
    json_array_foreach(from, i, item)
    {
        const char *path = json_string_value(json_object_get(item, "statistics-path"));

        if (path != NULL && fate_of(x, item) == SNAPSHOT_EXPIRED &&
            !names_file(json_object_get(root, key), path)) {
            ERR_TRY(locations_add(&c->attempt->expired, span_str(path), e));
        }
    }
    return ERR_OK;
}

static enum err_code change_root(struct commit *c, json_t *root, const struct expiry *x,
                                 struct err *e)
{
    ERR_TRY(set_new(root, "last-updated-ms", json_integer(c->now_ms), e));
    ERR_TRY(next_properties(c, root, e));
    ERR_TRY(next_snapshots(c, root, x, e));
    ERR_TRY(next_snapshot_log(c, root, x, e));
    ERR_TRY(next_statistics(c, root, "statistics", x, e));
    ERR_TRY(next_statistics(c, root, "partition-statistics", x, e));
    ERR_TRY(next_metadata_log(c, root, e));
    if (!commit_has_snapshot(c)) {
        return ERR_OK;
    }
    ERR_TRY(set_new(root, "last-sequence-number", json_integer(c->sequence_number), e));
    ERR_TRY(set_new(root, "current-snapshot-id", json_integer(c->snapshot_id), e));
    return next_refs(c, root, e);
}

enum err_code commit_make_next(struct commit *c, const struct expiry *x, struct err *e)
{
    json_t *root = copy_object(c->base->root);

    if (root == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = change_root(c, root, x, e);

    if (rc != ERR_OK) {
        json_decref(root);
        return rc;
    }
    return metadata_wrap(root, &c->attempt->next, e);
}
