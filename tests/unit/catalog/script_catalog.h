/*
 * script_catalog.h - a catalog in memory whose swaps and loads go as a test says: won by another
 * writer, without an answer before, after or long before their effect, failing.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_SCRIPT_CATALOG_H
#define CALVE_SCRIPT_CATALOG_H

#include <jansson.h>

#include "fake_clock.h"
#include "lake_fixture.h"

enum script_outcome {
    SCRIPT_OK,
    SCRIPT_CONFLICT,       /* another writer commits first */
    SCRIPT_UNKNOWN_DONE,   /* it happens, and no answer comes */
    SCRIPT_UNKNOWN_NEVER,  /* it does not happen, and no answer comes */
    SCRIPT_UNKNOWN_LATER,  /* no answer comes, and it happens before the next swap, if it still can
                            */
    SCRIPT_UNKNOWN_LOST,   /* it happens; then others commit, and it is gone from every history */
    SCRIPT_UNKNOWN_PASSED, /* it does not happen, and others commit */
    SCRIPT_BUSY,           /* a failure that may pass */
    SCRIPT_FAILED,         /* a failure that does not */
    SCRIPT_OUTCOMES,
};

struct script_catalog {
    struct catalog base;
    struct fake_clock time;
    char *current; /* in current_text; NULL: no table */
    char current_text[256];
    /* What the next swaps do, then SCRIPT_OK; or a function that decides. */
    enum script_outcome swaps[16];
    unsigned swap_at;
    unsigned swap_count;
    enum script_outcome (*next)(struct script_catalog *c);
    /* The next loads fail. */
    unsigned load_failures;
    enum err_code load_code;
    bool load_retryable;
    enum err_code create_code; /* of the next create; */
    bool create_happens;       /* with its effect all the same */
    bool create_blind;         /* it does not look whether there is a table */
    bool renames;              /* a table gets another UUID */
    char *later_from;          /* a swap on its way */
    char *later_to;
    unsigned swaps_tried;
    unsigned others; /* commits of the other writer */
    void *ctx;
};

static inline struct script_catalog *script_of(struct catalog *c)
{
    return (struct script_catalog *)c;
}

static inline void script_set(struct script_catalog *c, const char *location)
{
    char text[sizeof c->current_text];

    assert_true((size_t)snprintf(text, sizeof text, "%s", location) < sizeof text);
    memcpy(c->current_text, text, sizeof text);
    c->current = c->current_text;
}

/* A swap on its way arrives. */
static inline void script_land(struct script_catalog *c)
{
    if (c->later_to != NULL && c->current != NULL && strcmp(c->current, c->later_from) == 0) {
        script_set(c, c->later_to);
    }
    free(c->later_from);
    free(c->later_to);
    c->later_from = NULL;
    c->later_to = NULL;
}

static inline enum err_code script_read(struct script_catalog *c, struct catalog_table *out,
                                        struct err *e)
{
    struct buf bytes = {0};
    enum err_code rc = store_get(c->base.store, c->current, &bytes, e);

    if (rc == ERR_OK) {
        rc = iceberg_metadata_parse(buf_span(&bytes), &out->metadata, e);
    }
    if (rc == ERR_OK) {
        out->metadata_location = str_dup(c->current);
        rc = out->metadata_location == NULL ? err_nomem(e) : ERR_OK;
    }
    buf_deinit(&bytes);
    return rc;
}

static inline enum err_code script_load(struct catalog *base, struct table_ident id,
                                        struct catalog_table *out, struct err *e)
{
    struct script_catalog *c = script_of(base);

    if (c->load_failures > 0) {
        c->load_failures--;
        return c->load_retryable ? err_set_retryable(e, c->load_code, "the catalog is away")
                                 : err_set(e, c->load_code, "the catalog is broken");
    }
    return c->current == NULL ? err_set(e, ERR_NOT_FOUND, "no table %s", id.name)
                              : script_read(c, out, e);
}

static inline enum err_code script_write(struct script_catalog *c, const struct iceberg_metadata *m,
                                         char **location, struct err *e)
{
    struct buf json = {0};
    char uuid[UUID_TEXT_BYTES];
    char *folder = iceberg_metadata_folder(m);

    rand_uuid(&c->base.rand, uuid);
    char *name = folder == NULL ? NULL : str_format("%s/00000-%s.metadata.json", folder, uuid);
    enum err_code rc = name == NULL ? err_nomem(e) : iceberg_metadata_print(m, &json, e);

    if (rc == ERR_OK) {
        rc = store_put(c->base.store, name, buf_span(&json), e);
    }
    if (rc == ERR_OK) {
        *location = name;
        name = NULL;
    }
    free(name);
    free(folder);
    buf_deinit(&json);
    return rc;
}

/* Under a UUID of the server's. */
static inline enum err_code script_write_renamed(struct script_catalog *c,
                                                 const struct iceberg_metadata *m, char **location,
                                                 struct err *e)
{
    struct buf json = {0};
    struct iceberg_metadata *renamed = NULL;
    enum err_code rc = iceberg_metadata_print(m, &json, e);
    json_t *root = json_loadb((const char *)json.data, json.len, 0, NULL);

    if (rc == ERR_OK &&
        json_object_set_new(root, "table-uuid", json_string("of-the-server")) == 0) {
        rc = iceberg_metadata_take_json(json_incref(root), &renamed, e);
    }
    if (rc == ERR_OK) {
        rc = script_write(c, renamed, location, e);
    }
    iceberg_metadata_free(renamed);
    json_decref(root);
    buf_deinit(&json);
    return rc;
}

static inline enum err_code script_create(struct catalog *base, struct table_ident id,
                                          const struct iceberg_metadata *m, struct err *e)
{
    struct script_catalog *c = script_of(base);
    char *location = NULL;
    enum err_code code = c->create_code;

    c->create_code = ERR_OK;
    if (c->current != NULL && !c->create_blind) {
        return err_set(e, ERR_EXISTS, "there is %s", id.name);
    }
    if (code == ERR_OK || c->create_happens) {
        ERR_TRY(c->renames ? script_write_renamed(c, m, &location, e)
                           : script_write(c, m, &location, e));
        script_set(c, location);
        free(location);
    }
    return code == ERR_OK ? ERR_OK : err_set(e, code, "as told");
}

/* Another writer's commit of one file; it gives up when the store fails. */
static inline void script_other_commit(struct script_catalog *c)
{
    struct catalog_table now = {0};
    struct iceberg_attempt *a = NULL;
    struct store *s = c->base.store;
    char path[64];
    char *location = NULL;
    struct iceberg_data_file file = {.path = path, .record_count = 1, .file_bytes = 10};
    struct iceberg_data_file *added = &file;
    struct iceberg_change change = {
        .added = &added, .added_count = 1, .retention = {.keep_count = 10}};

    (void)snprintf(path, sizeof path, LAKE_LOCATION "/data/other-%u", c->others + 1);
    enum err_code rc = script_read(c, &now, NULL);

    if (rc == ERR_OK) {
        rc = iceberg_attempt_prepare(
            &(struct iceberg_attempt_options){.store = s,
                                              .rand = &c->base.rand,
                                              .now_ms = clock_wall_us(&c->base.clock) / 1000,
                                              .base_location = now.metadata_location,
                                              .base = now.metadata,
                                              .change = &change},
            &a, NULL);
    }
    if (rc == ERR_OK) {
        rc = script_write(c, a->next, &location, NULL);
    }
    if (rc == ERR_OK) {
        assert_true(fake_store_set(s, path, span_str("0123456789")));
        script_set(c, location);
        c->others++;
        (void)!iceberg_attempt_clean(a, s, NULL);
    } else if (a != NULL) {
        (void)!iceberg_attempt_undo(a, s, NULL);
    }
    free(location);
    iceberg_attempt_free(a);
    catalog_table_deinit(&now);
}

/* Takes the metadata-log and all old snapshots out of the current metadata, as a new file. */
static inline void script_forget_history(struct script_catalog *c)
{
    struct span bytes = fake_store_peek(c->base.store, c->current);
    json_t *root = json_loadb((const char *)bytes.data, bytes.len, 0, NULL);
    json_t *snapshots = json_object_get(root, "snapshots");
    json_t *last = json_incref(json_array_get(snapshots, json_array_size(snapshots) - 1));

    (void)json_array_clear(snapshots);
    (void)json_array_append_new(snapshots, last);
    (void)json_object_set_new(root, "metadata-log", json_array());
    (void)json_object_set_new(root, "snapshot-log", json_array());
    char *text = json_dumps(root, JSON_COMPACT);
    char name[128];

    (void)snprintf(name, sizeof name, LAKE_LOCATION "/metadata/forgot-%u", c->swaps_tried);
    assert_true(fake_store_set(c->base.store, name, span_str(text)));
    script_set(c, name);
    free(text);
    json_decref(root);
}

static inline enum err_code script_unknown(struct script_catalog *c, enum script_outcome outcome,
                                           const char *from, const char *to, struct err *e)
{
    if (outcome == SCRIPT_UNKNOWN_LATER) {
        c->later_from = str_dup(from);
        c->later_to = str_dup(to);
    } else if (outcome == SCRIPT_UNKNOWN_DONE || outcome == SCRIPT_UNKNOWN_LOST) {
        script_set(c, to);
    }
    if (outcome == SCRIPT_UNKNOWN_LOST || outcome == SCRIPT_UNKNOWN_PASSED) {
        script_other_commit(c);
    }
    if (outcome == SCRIPT_UNKNOWN_LOST) {
        script_forget_history(c);
    }
    return err_set(e, ERR_UNKNOWN, "no answer");
}

static inline enum script_outcome script_next(struct script_catalog *c)
{
    if (c->next != NULL) {
        return c->next(c);
    }
    return c->swap_at < c->swap_count ? c->swaps[c->swap_at++] : SCRIPT_OK;
}

static inline enum err_code script_swap(struct catalog *base, const struct catalog_swap *swap,
                                        struct err *e)
{
    struct script_catalog *c = script_of(base);
    enum script_outcome outcome = script_next(c);
    const char *from = swap->base->metadata_location;
    char *written = NULL;
    enum err_code rc = ERR_OK;

    c->swaps_tried++;
    script_land(c);
    if (outcome == SCRIPT_CONFLICT) {
        script_other_commit(c);
    }
    if (base->server_writes_metadata) {
        assert_null(swap->location);
        ERR_TRY(script_write(c, swap->next, &written, e));
    }
    const char *to = written == NULL ? swap->location : written;

    if (outcome == SCRIPT_BUSY) {
        rc = err_set_retryable(e, ERR_IO, "the catalog is busy");
    } else if (outcome == SCRIPT_FAILED) {
        rc = err_set(e, ERR_IO, "the catalog is broken");
    } else if (strcmp(c->current, from) != 0) {
        rc = err_set(e, ERR_CONFLICT, "%s changed", swap->id.name);
    } else if (outcome != SCRIPT_OK) {
        rc = script_unknown(c, outcome, from, to, e);
    } else {
        script_set(c, to);
    }
    if (written != NULL && rc != ERR_OK && rc != ERR_UNKNOWN) {
        (void)!store_remove(base->store, written, NULL);
    }
    free(written);
    return rc;
}

static inline void script_free(struct catalog *base)
{
    struct script_catalog *c = script_of(base);

    free(c->later_from);
    free(c->later_to);
    c->current = NULL;
    c->later_from = NULL;
    c->later_to = NULL;
}

static inline void script_init(struct script_catalog *c, struct store *store)
{
    static const struct catalog_ops ops = {
        .load = script_load,
        .create = script_create,
        .swap = script_swap,
        .free = script_free,
    };

    memset(c, 0, sizeof *c);
    c->time.wall_us = 1700000000000000;
    c->base.ops = &ops;
    c->base.store = store;
    c->base.clock = fake_clock(&c->time);
    rand_seed(&c->base.rand, 7);
}

static inline void script_plan(struct script_catalog *c, const enum script_outcome *outcomes,
                               unsigned count)
{
    c->swap_at = 0;
    c->swap_count = count;
    for (unsigned i = 0; i < count; i++) {
        c->swaps[i] = outcomes[i];
    }
}

#define SCRIPT(c, ...)                                           \
    script_plan((c), (const enum script_outcome[]){__VA_ARGS__}, \
                sizeof((const enum script_outcome[]){__VA_ARGS__}) / sizeof(enum script_outcome))

#endif
