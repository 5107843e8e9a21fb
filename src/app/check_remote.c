/*
 * check_remote.c - the lake's half of `calve check` where the lake is beyond this machine: each
 * thing that a run does is done, with an object and a table of its own that are removed again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/check_int.h"
#include "app/lake_remote.h"
#include "base/rand.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "pipeline/changelog.h"
#include "pipeline/watermarks.h"

#define LOCATION_BYTES 2048u
#define PATIENCE_US    INT64_C(20000000)
#define OBJECT_TEXT    "written by calve check, to be removed\n"

struct scratch {
    struct findings *f;
    struct store *store;
    const char *place;             /* for messages: the warehouse */
    char folder[LOCATION_BYTES];   /* of its own, with a '/' at the end */
    char location[LOCATION_BYTES]; /* of the object */
};

static bool report(struct findings *f, const char *subject, enum err_code rc, const struct err *why,
                   const char *ok)
{
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, subject, "%s", why->msg);
        return false;
    }
    finding_add(f, FINDING_OK, subject, "%s", ok);
    return true;
}

/* ---- keys ---- */

static void check_keys(struct findings *f, const struct lake_remote *r, const char *service)
{
    char subject[32];
    struct credentials keys = {0};
    struct err why = {0};

    (void)snprintf(subject, sizeof subject, "%s keys", service);
    if (credentials_get(lake_remote_keys(r, service), false, NULL, &keys, &why) != ERR_OK) {
        lake_remote_say_whose(service, &why);
        finding_add(f, FINDING_WRONG, subject, "%s", why.msg);
        return;
    }
    struct clock clock = clock_system();
    int64_t left_us = keys.expires_us == INT64_MAX ? -1 : keys.expires_us - clock_wall_us(&clock);

    if (left_us < 0) {
        finding_add(f, FINDING_OK, subject, "access key %s, from %s", keys.access_key_id,
                    keys.provider);
    } else {
        finding_add(f, FINDING_OK, subject, "access key %s, from %s, for %lld more minutes",
                    keys.access_key_id, keys.provider, (long long)(left_us / 60000000));
    }
    credentials_deinit(&keys);
}

static void check_region(struct findings *f, const struct lake_remote *r, const struct config *c,
                         const char *service, bool needed)
{
    char subject[32];
    char *region = NULL;
    struct err why = {0};

    (void)snprintf(subject, sizeof subject, "%s region", service);
    if (lake_remote_region(r, c, service, &region, &why) != ERR_OK) {
        finding_add(f, FINDING_WRONG, subject, "%s", why.msg);
    } else if (region != NULL) {
        finding_add(f, FINDING_OK, subject, "%s", region);
    } else {
        finding_add(f, needed ? FINDING_WRONG : FINDING_NOTE, subject,
                    "none is set: set client.region (AWS_REGION)%s",
                    needed ? "" : "; without one the bucket is asked for its own");
    }
    free(region);
}

/* ---- objects ---- */

static enum err_code find_own(void *ctx, const struct store_entry *entry, struct err *e)
{
    struct scratch *s = ctx;

    (void)e;
    if (strcmp(entry->location, s->location) == 0) {
        s->folder[0] = '\0'; /* found */
    }
    return ERR_OK;
}

static bool check_list(struct scratch *s)
{
    char prefix[LOCATION_BYTES];
    struct err why = {0};

    (void)snprintf(prefix, sizeof prefix, "%s", s->folder);
    enum err_code rc = store_list(s->store, prefix, find_own, s, &why);
    bool found = s->folder[0] == '\0';

    (void)snprintf(s->folder, sizeof s->folder, "%s", prefix);
    if (rc == ERR_OK && !found) {
        rc = err_set(&why, ERR_IO, "%s was written, and a list of %s does not show it", s->location,
                     prefix);
    }
    return report(s->f, "list", rc, &why, "objects can be listed");
}

static bool check_read(struct scratch *s)
{
    struct err why = {0};
    struct buf bytes;

    buf_init(&bytes, LOCATION_BYTES);
    enum err_code rc = store_get(s->store, s->location, &bytes, &why);

    if (rc == ERR_OK && !span_eq_str(buf_span(&bytes), OBJECT_TEXT)) {
        rc = err_set(&why, ERR_CORRUPT, "%s was read back as something else", s->location);
    }
    buf_deinit(&bytes);
    return report(s->f, "read", rc, &why, "objects can be read");
}

/* Two writers of one name must not both succeed. */
static bool check_once(struct scratch *s)
{
    struct err why = {0};
    enum err_code rc = store_put(s->store, s->location, span_str(OBJECT_TEXT), &why);

    if (rc == ERR_EXISTS) {
        rc = ERR_OK;
    } else if (rc == ERR_OK) {
        rc = err_set(&why, ERR_UNSUPPORTED,
                     "%s was written twice: the store must refuse If-None-Match", s->location);
    }
    return report(s->f, "write once", rc, &why, "an object is never written over");
}

/* False when nothing can be written. */
static bool check_objects(struct scratch *s)
{
    char ok[LOCATION_BYTES + 64];
    struct err why = {0};

    enum err_code rc = store_put(s->store, s->location, span_str(OBJECT_TEXT), &why);

    (void)snprintf(ok, sizeof ok, "%s can be written", s->place);
    if (!report(s->f, "write", rc, &why, ok)) {
        return false;
    }
    (void)check_read(s);
    (void)check_list(s);
    (void)check_once(s);
    rc = store_remove(s->store, s->location, &why);
    (void)report(s->f, "delete", rc, &why, "objects can be deleted");
    return true;
}

static void scratch_init(struct scratch *s, struct findings *f, struct store *store,
                         const char *place, const char *id)
{
    *s = (struct scratch){.f = f, .store = store, .place = place};
    (void)snprintf(s->folder, sizeof s->folder, "%s/calve-check-%s/", place, id);
    (void)snprintf(s->location, sizeof s->location, "%s/calve-check-%s/object.txt", place, id);
}

/* ---- tables ---- */

static enum err_code no_table(void *ctx, struct table_ident id, struct err *e)
{
    (void)ctx;
    (void)id;
    (void)e;
    return ERR_OK;
}

static enum err_code remove_entry(void *ctx, const struct store_entry *entry, struct err *e)
{
    return store_remove(ctx, entry->location, e);
}

/* A commit tries without end what may pass; a check does not. */
static bool has_waited(void *ctx)
{
    const int64_t *end_us = ctx;
    struct clock clock = clock_system();

    return clock_mono_us(&clock) > *end_us;
}

static void check_change(struct catalog *catalog, struct table_ident id, struct findings *f)
{
    static const struct iceberg_property mark = {"calve.check", "true"};
    struct clock clock = clock_system();
    int64_t end_us = clock_mono_us(&clock) + PATIENCE_US;
    const struct catalog_change change = {
        .change = {.properties = &mark, .property_count = 1, .retention = {.keep_count = 1}},
        .cancelled = has_waited,
        .cancelled_ctx = &end_us,
    };
    struct catalog_commit_result result;
    struct err why = {0};

    enum err_code rc = catalog_commit(catalog, id, &change, &result, &why);

    (void)report(f, "change table", rc, &why, "tables can be changed");
}

/* What the server left; without a store that can be written there is nobody to ask. */
static void remove_scratch(struct store *store, struct findings *f, const char *location)
{
    char folder[LOCATION_BYTES + 1];
    struct err why = {0};

    (void)snprintf(folder, sizeof folder, "%s/", location);
    if (store_list(store, folder, remove_entry, store, &why) != ERR_OK) {
        finding_add(f, FINDING_NOTE, "scratch", "%s stays behind: %s", folder, why.msg);
    }
}

/* Where it is says the table itself: a REST server may choose. */
static void check_table(const struct config *c, const struct lake *lake, struct findings *f,
                        const char *id_text)
{
    char name[64];
    char location[LOCATION_BYTES] = "";
    struct catalog_table table = {0};
    struct err why = {0};
    bool writable = true;

    (void)snprintf(name, sizeof name, "calve_check_%.8s", id_text);
    if (c->warehouse_location[0] != '\0') {
        (void)snprintf(location, sizeof location, "%s/calve-check-%s", c->warehouse_location,
                       id_text);
    }
    const struct table_ident id = {WATERMARKS_NAMESPACE, name};
    const struct catalog_create_options options = {
        .location = location,
        .schema = changelog_schema(),
        .partition = changelog_partition(),
    };

    enum err_code rc = catalog_create(lake->catalog, id, &options, &why);

    if (!report(f, "create table", rc, &why, "tables can be created in " WATERMARKS_NAMESPACE)) {
        return;
    }
    rc = catalog_load(lake->catalog, id, &table, &why);
    if (report(f, "read table", rc, &why, "tables can be read")) {
        (void)snprintf(location, sizeof location, "%s", iceberg_metadata_location(table.metadata));
        if (c->catalog_type == CONFIG_CATALOG_REST) { /* it says where, and with which keys */
            struct scratch s;

            scratch_init(&s, f, lake->store, location, id_text);
            writable = check_objects(&s);
        }
        if (writable) {
            check_change(lake->catalog, id, f);
        }
    }
    catalog_table_deinit(&table);
    rc = catalog_drop(lake->catalog, id, &why);
    bool dropped = report(f, "drop table", rc, &why, "tables can be dropped (only check does)");

    if (!dropped) {
        finding_add(f, FINDING_NOTE, "scratch",
                    "the table " WATERMARKS_NAMESPACE ".%s stays behind", name);
    } else if (location[0] != '\0' && writable) {
        remove_scratch(lake->store, f, location);
    } else if (location[0] != '\0') {
        finding_add(f, FINDING_NOTE, "scratch", "%s/ may stay behind", location);
    }
}

/* A REST catalog before its first table: whether it lends keys for the warehouse shows with that.
 */
static void check_rest_warehouse(const struct config *c, const struct lake *lake,
                                 struct findings *f, const char *id)
{
    struct scratch s;
    struct err why = {0};

    scratch_init(&s, f, lake->store, c->warehouse_location, id);
    enum err_code rc = store_put(s.store, s.location, span_str(OBJECT_TEXT), &why);

    if (rc != ERR_OK) {
        finding_add(f, FINDING_NOTE, "write",
                    "the warehouse cannot be written, so the catalog must lend keys for it: %s",
                    why.msg);
        return;
    }
    rc = store_remove(s.store, s.location, &why);
    (void)report(f, "write", rc, &why, "objects can be written to the warehouse");
}

static void check_catalog(const struct config *c, const struct lake *lake, struct findings *f,
                          const char *id, bool writable)
{
    struct err why = {0};
    enum err_code rc = catalog_list(lake->catalog, WATERMARKS_NAMESPACE, no_table, NULL, &why);

    if (rc == ERR_NOT_FOUND) {
        finding_add(f, FINDING_NOTE, "catalog",
                    "it can be asked; " WATERMARKS_NAMESPACE
                    " is not there yet, run will make it: whether it may, and whether tables can "
                    "be made, shows then");
        if (c->catalog_type == CONFIG_CATALOG_REST && c->warehouse_location[0] != '\0') {
            check_rest_warehouse(c, lake, f, id);
        }
    } else if (!report(f, "catalog", rc, &why, "tables can be listed")) {
        return;
    } else if (writable) {
        check_table(c, lake, f, id);
    } else {
        finding_add(f, FINDING_NOTE, "create table",
                    "not tried, as nothing can be written to the warehouse");
    }
}

/* ---- all ---- */

/* False when nothing can be written to the warehouse. */
static bool check_s3(const struct config *c, struct lake *lake, struct findings *f, const char *id)
{
    struct scratch s;

    if (str_starts_with(c->warehouse_location, "s3://")) {
        check_region(f, lake->remote, c, "s3", false);
        if (!c->s3.anonymous) {
            check_keys(f, lake->remote, "s3");
        }
    }
    if (c->warehouse_location[0] != '\0' && c->catalog_type != CONFIG_CATALOG_REST) {
        scratch_init(&s, f, lake->store, c->warehouse_location, id);
        return check_objects(&s);
    }
    return true;
}

enum err_code check_remote(const struct config *c, struct log *log, struct findings *f,
                           struct err *e)
{
    char id[UUID_TEXT_BYTES];
    struct rand rand;
    struct lake lake = {NULL, NULL, NULL};
    struct err why = {0};

    rand_init(&rand);
    rand_uuid(&rand, id);
    ERR_TRY(lake_open_store(c, log, &lake, e));
    if (c->catalog_type == CONFIG_CATALOG_GLUE) {
        check_region(f, lake.remote, c, "glue", true);
        check_keys(f, lake.remote, "glue");
    }
    bool writable = check_s3(c, &lake, f, id);

    lake_close(&lake);
    if (c->catalog_type == CONFIG_CATALOG_SQLITE) {
        return ERR_OK;
    }
    if (lake_open_existing(c, log, &lake, &why) != ERR_OK) {
        finding_add(f, FINDING_WRONG, "catalog", "%s", why.msg);
        return ERR_OK;
    }
    check_catalog(c, &lake, f, id, writable);
    lake_close(&lake);
    return ERR_OK;
}
