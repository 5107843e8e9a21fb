#include "catalog/catalog.h"

#include <stdlib.h>

#include "base/retry.h"
#include "catalog/catalog_int.h"

#define CREATE_LOOKS       5
#define CREATE_WAIT_MIN_US 200000
#define CREATE_WAIT_MAX_US 3000000

void catalog_table_deinit(struct catalog_table *t)
{
    iceberg_metadata_free(t->metadata);
    free(t->metadata_location);
    *t = (struct catalog_table){0};
}

void catalog_free(struct catalog *c)
{
    if (c != NULL) {
        c->ops->free(c);
    }
}

bool catalog_folds_case(const struct catalog *c)
{
    return c->folds_case;
}

enum err_code catalog_load(struct catalog *c, struct table_ident id, struct catalog_table *out,
                           struct err *e)
{
    *out = (struct catalog_table){0};
    enum err_code rc = c->ops->load(c, id, out, e);

    if (rc != ERR_OK) {
        catalog_table_deinit(out);
    }
    return rc;
}

enum err_code catalog_list(struct catalog *c, const char *ns,
                           enum err_code (*each)(void *ctx, struct table_ident id, struct err *e),
                           void *ctx, struct err *e)
{
    return c->ops->list(c, ns, each, ctx, e);
}

enum err_code catalog_drop(struct catalog *c, struct table_ident id, struct err *e)
{
    return c->ops->drop(c, id, e);
}

enum err_code catalog_data_files(struct catalog *c, const struct catalog_table *table,
                                 struct iceberg_data_file ***out, uint32_t *count, struct err *e)
{
    int64_t snapshot_id = iceberg_metadata_snapshot_id(table->metadata);

    *out = NULL;
    *count = 0;
    return snapshot_id < 0
               ? ERR_OK
               : iceberg_live_files(c->store, table->metadata, snapshot_id, out, count, e);
}

/* Whether it is the table that was to be created with this UUID. */
static bool is_created_as(const struct iceberg_metadata *m, const char *uuid)
{
    const char *create_id = iceberg_metadata_property(m, CATALOG_CREATE_ID);

    return strcmp(iceberg_metadata_uuid(m), uuid) == 0 ||
           (create_id != NULL && strcmp(create_id, uuid) == 0);
}

/* No definite answer came: the table is there as ours, as another's, or not at all. */
static enum err_code settle_create(struct catalog *c, struct table_ident id, const char *uuid,
                                   struct err *e)
{
    struct retry wait = {CREATE_WAIT_MIN_US, CREATE_WAIT_MAX_US, 0};
    struct err first = *e;
    enum err_code rc = ERR_UNKNOWN;

    for (int i = 0; i < CREATE_LOOKS && rc == ERR_UNKNOWN; i++) {
        struct catalog_table found;
        struct err why = {0};
        enum err_code loaded = catalog_load(c, id, &found, &why);

        if (loaded == ERR_OK) {
            if (is_created_as(found.metadata, uuid)) {
                rc = ERR_OK;
            } else if (first.code == ERR_EXISTS) {
                rc = ERR_EXISTS;
            } else {
                rc = err_set(e, ERR_EXISTS, "another process created the table %s.%s", id.ns,
                             id.name);
            }
            catalog_table_deinit(&found);
        } else if (loaded == ERR_NOT_FOUND) {
            rc = err_set_retryable(e, ERR_IO, "the table %s.%s was not created: %s", id.ns, id.name,
                                   first.msg);
        } else {
            clock_sleep_us(&c->clock, retry_next_us(&wait, &c->rand));
        }
    }
    return rc;
}

static bool is_given(const struct catalog_create_options *o, const char *key)
{
    for (uint32_t i = 0; i < o->property_count; i++) {
        if (strcmp(o->properties[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Defaults of ours that are not given, what is given, and the mark of the creation. */
static struct iceberg_property *all_properties(const struct catalog *c,
                                               const struct catalog_create_options *options,
                                               const char *uuid, uint32_t *count)
{
    static const struct iceberg_property defaults[] = {
        {"write.metadata.delete-after-commit.enabled", "true"},
        {"write.metadata.previous-versions-max", "100"},
    };
    uint32_t default_count = sizeof defaults / sizeof defaults[0];
    struct iceberg_property *all =
        calloc((size_t)default_count + options->property_count + 1, sizeof *all);

    *count = 0;
    if (all == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < default_count; i++) {
        if (!is_given(options, defaults[i].key)) {
            all[(*count)++] = defaults[i];
        }
    }
    for (uint32_t i = 0; i < options->property_count; i++) {
        all[(*count)++] = options->properties[i];
    }
    if (c->server_writes_metadata) {
        all[(*count)++] = (struct iceberg_property){CATALOG_CREATE_ID, uuid};
    }
    return all;
}

enum err_code catalog_create(struct catalog *c, struct table_ident id,
                             const struct catalog_create_options *options, struct err *e)
{
    char uuid[UUID_TEXT_BYTES];
    struct iceberg_metadata *metadata = NULL;
    struct err why = {0};
    uint32_t count;

    if (options->location[0] == '\0' && !c->places_tables) {
        return err_set(e, ERR_CONFIG,
                       "the table %s.%s needs a place, which this catalog does not choose: set "
                       "warehouse",
                       id.ns, id.name);
    }
    rand_uuid(&c->rand, uuid);
    struct iceberg_property *all = all_properties(c, options, uuid, &count);

    if (all == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = iceberg_metadata_new(
        &(struct iceberg_table_options){
            .uuid = uuid,
            .location = options->location,
            .now_ms = clock_wall_us(&c->clock) / 1000,
            .schema = options->schema,
            .partition = options->partition,
            .properties = all,
            .property_count = count,
        },
        &metadata, &why);
    if (rc == ERR_OK) {
        rc = c->ops->create(c, id, metadata, &why);
    }
    /* Of a request that was sent twice on its way, the second finds the table of the first. */
    if (rc == ERR_UNKNOWN || (rc == ERR_EXISTS && c->server_writes_metadata)) {
        rc = settle_create(c, id, uuid, &why);
    }
    iceberg_metadata_free(metadata);
    free(all);
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}
