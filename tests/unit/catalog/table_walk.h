/*
 * table_walk.h - everything a table's metadata names: each must be in the store, and what else the
 * store has is stray.
 */
#ifndef CALVE_TABLE_WALK_H
#define CALVE_TABLE_WALK_H

#include <jansson.h>

#include "iceberg/locations.h"
#include "iceberg/manifest.h"
#include "iceberg/manifest_list.h"
#include "lake_fixture.h"

struct table_walk {
    struct store *store;
    struct locations named;
    unsigned missing;
    char first_missing[256];
};

static inline bool walk_names(const struct table_walk *w, const char *location)
{
    for (uint32_t i = 0; i < w->named.count; i++) {
        if (strcmp(w->named.items[i], location) == 0) {
            return true;
        }
    }
    return false;
}

/* False when it was named before. */
static inline bool walk_add(struct table_walk *w, const char *location)
{
    struct err e = {0};

    if (walk_names(w, location)) {
        return false;
    }
    assert_ok(locations_add(&w->named, span_str(location), &e), &e);
    if (!fake_store_has(w->store, location) && w->missing++ == 0) {
        (void)snprintf(w->first_missing, sizeof w->first_missing, "%s", location);
    }
    return true;
}

static inline enum err_code walk_entry(void *ctx, const struct iceberg_manifest_entry *entry,
                                       struct err *e)
{
    (void)e;
    if (entry->status != ICEBERG_ENTRY_DELETED) {
        (void)walk_add(ctx, entry->file->path);
    }
    return ERR_OK;
}

static inline void walk_list(struct table_walk *w, const char *location)
{
    struct iceberg_manifest_list list = {0};
    struct err e = {0};

    if (!walk_add(w, location) || !fake_store_has(w->store, location)) {
        return;
    }
    assert_ok(iceberg_manifest_list_read(fake_store_peek(w->store, location), &list, &e), &e);
    for (uint32_t i = 0; i < list.count; i++) {
        if (walk_add(w, list.rows[i].path) && fake_store_has(w->store, list.rows[i].path)) {
            assert_ok(iceberg_manifest_read(fake_store_peek(w->store, list.rows[i].path),
                                            &list.rows[i], walk_entry, w, &e),
                      &e);
        }
    }
    iceberg_manifest_list_deinit(&list);
}

/* Adds what another table names. */
static inline void walk_on(struct table_walk *w, const char *metadata)
{
    struct span bytes = fake_store_peek(w->store, metadata);
    json_t *root = json_loadb((const char *)bytes.data, bytes.len, 0, NULL);
    size_t i;
    json_t *item;

    assert_non_null(root);
    (void)walk_add(w, metadata);
    json_array_foreach(json_object_get(root, "metadata-log"), i, item)
    {
        (void)walk_add(w, json_string_value(json_object_get(item, "metadata-file")));
    }
    json_array_foreach(json_object_get(root, "snapshots"), i, item)
    {
        walk_list(w, json_string_value(json_object_get(item, "manifest-list")));
    }
    json_decref(root);
}

static inline void walk_table(struct table_walk *w, struct store *store, const char *metadata)
{
    memset(w, 0, sizeof *w);
    w->store = store;
    walk_on(w, metadata);
}

static inline void walk_deinit(struct table_walk *w)
{
    locations_deinit(&w->named);
}

/* Objects that no table of the walk names; *first is one of them. */
static inline unsigned walk_strays(const struct table_walk *w, const char **first)
{
    unsigned strays = 0;

    *first = "";
    for (size_t i = 0; i < fake_store_count(w->store, ""); i++) {
        const char *name = fake_store_name(w->store, i);

        if (!walk_names(w, name)) {
            *first = strays++ == 0 ? name : *first;
        }
    }
    return strays;
}

/* All that is named is there, and nothing else. */
static inline void assert_tidy(struct store *store, const char *metadata, unsigned strays_allowed)
{
    struct table_walk w;
    const char *first;

    walk_table(&w, store, metadata);
    if (w.missing > 0) {
        fail_msg("%u files are missing, among them %s", w.missing, w.first_missing);
    }
    unsigned strays = walk_strays(&w, &first);

    if (strays > strays_allowed) {
        fail_msg("%u files are stray, among them %s", strays, first);
    }
    walk_deinit(&w);
}

#endif
