/*
 * glue_world.h - a Glue catalog with a fake Glue, a store in memory and a clock that stands still.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_GLUE_WORLD_H
#define CALVE_GLUE_WORLD_H

#include "catalog/glue.h"
#include "fake_clock.h"
#include "fake_glue.h"
#include "lake_fixture.h"

struct world {
    struct fake_glue glue;
    struct store *store;
    struct fake_clock time;
    struct http_client *http;
    struct aws_client *client;
    struct catalog_glue_options options;
    struct catalog *catalog;
    struct catalog_table table; /* shop.orders after world_fill() */
    struct err e;
};

/* Only who meets a server that says nothing waits for less than a minute. */
static inline void world_init_for(struct world *w, enum fake_glue_turn turn)
{
    bool stalls = turn == FAKE_GLUE_STALL || turn == FAKE_GLUE_STALL_DONE;

    memset(w, 0, sizeof *w);
    fake_glue_init(&w->glue);
    w->store = fake_store_new();
    w->time.wall_us = 1700000000000000;
    assert_ok(http_client_new(&(struct http_client_options){0}, &w->http, &w->e), &w->e);
    assert_ok(aws_client_new(
                  &(struct aws_client_options){
                      .service = catalog_glue_service(),
                      .endpoint = fake_http_url(w->glue.server),
                      .region = "eu-west-1",
                      .anonymous = true,
                      .http = w->http,
                      .clock = fake_clock(&w->time),
                      .attempt_us = stalls ? 500000 : 0,
                  },
                  &w->client, &w->e),
              &w->e);
    w->options = (struct catalog_glue_options){
        .client = w->client, .store = w->store, .clock = fake_clock(&w->time)};
}

static inline void world_init(struct world *w)
{
    world_init_for(w, FAKE_GLUE_ANSWER);
}

static inline void world_open(struct world *w)
{
    assert_ok(catalog_glue_open(&w->options, &w->catalog, &w->e), &w->e);
    rand_seed(&w->catalog->rand, 7);
}

/* With the table shop.orders, loaded. */
static inline void world_fill_for(struct world *w, enum fake_glue_turn turn)
{
    world_init_for(w, turn);
    world_open(w);
    assert_ok(lake_create(w->catalog, lake_orders, LAKE_LOCATION, &w->e), &w->e);
    assert_ok(catalog_load(w->catalog, lake_orders, &w->table, &w->e), &w->e);
}

static inline void world_fill(struct world *w)
{
    world_fill_for(w, FAKE_GLUE_ANSWER);
}

static inline void world_close(struct world *w)
{
    catalog_table_deinit(&w->table);
    catalog_free(w->catalog);
    w->catalog = NULL;
}

static inline void world_deinit(struct world *w)
{
    world_close(w);
    aws_client_free(w->client);
    http_client_free(w->http);
    if (w->glue.complaint[0] != '\0') {
        fail_msg("Glue would not have taken it: %s", w->glue.complaint);
    }
    fake_glue_deinit(&w->glue);
    store_free(w->store);
}

/* A text of the table's Parameters in Glue; "" when there is none. */
static inline void glue_parameter(struct world *w, const char *table, const char *key,
                                  char out[256])
{
    fake_glue_lock(&w->glue);
    json_t *parameters = json_object_get(fake_glue_table_at(&w->glue, "shop", table), "Parameters");

    (void)snprintf(out, 256, "%s", fake_glue_str(parameters, key));
    fake_glue_unlock(&w->glue);
}

static inline void assert_parameter(struct world *w, const char *key, const char *want)
{
    char text[256];

    glue_parameter(w, "orders", key, text);
    assert_string_equal(text, want);
}

static inline void glue_set(struct world *w, const char *key, const char *value)
{
    fake_glue_lock(&w->glue);
    fake_glue_touch(&w->glue, "shop", "orders", key, value);
    fake_glue_unlock(&w->glue);
}

static inline size_t metadata_files(const struct world *w)
{
    return fake_store_count(w->store, LAKE_LOCATION "/metadata/");
}

/* The member of the last request's body, as JSON. */
static inline void assert_sent(struct world *w, const char *key, const char *want)
{
    fake_glue_lock(&w->glue);
    json_t *value = json_object_get(w->glue.last, key);
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    fake_glue_unlock(&w->glue);
    assert_string_equal(text == NULL ? "nothing" : text, want);
    free(text);
}

/* What others have in the database shop. */
static inline void glue_add(struct world *w, const char *name, const char *table_type)
{
    fake_glue_lock(&w->glue);
    json_t *input = json_pack("{s:s, s:s, s:{s:s}}", "Name", name, "TableType", "EXTERNAL_TABLE",
                              "Parameters", "table_type", table_type);

    fake_glue_put(&w->glue, "shop", input);
    fake_glue_unlock(&w->glue);
    json_decref(input);
}

static inline void glue_add_database(struct world *w, const char *name)
{
    fake_glue_lock(&w->glue);
    (void)json_object_set_new(w->glue.databases, name,
                              json_pack("{s:{s:s}, s:{}}", "Input", "Name", name, "Tables"));
    fake_glue_unlock(&w->glue);
}

/* A metadata that follows the loaded one. */
static inline struct iceberg_metadata *next_of(struct world *w)
{
    struct iceberg_attempt *a = NULL;
    struct iceberg_property property = {"swapped", "yes"};
    struct iceberg_change change = {
        .properties = &property, .property_count = 1, .retention = {.keep_count = 10}};

    assert_ok(iceberg_attempt_prepare(
                  &(struct iceberg_attempt_options){.store = w->store,
                                                    .rand = &w->catalog->rand,
                                                    .now_ms = 1700000001000,
                                                    .base_location = w->table.metadata_location,
                                                    .base = w->table.metadata,
                                                    .change = &change},
                  &a, &w->e),
              &w->e);
    struct iceberg_metadata *next = iceberg_metadata_share(a->next);

    iceberg_attempt_free(a);
    assert_non_null(next);
    return next;
}

#endif
