/*
 * fake_rest_tables.h - the tables behind fake_rest.h: what is in them, and another writer.
 *
 * Thread: as fake_rest.h.
 */
#ifndef CALVE_FAKE_REST_TABLES_H
#define CALVE_FAKE_REST_TABLES_H

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "fake_clock.h"
#include "fake_http.h"
#include "lake_fixture.h"
#include "rest_updates.h"

enum fake_rest_op {
    FAKE_REST_CONFIG,
    FAKE_REST_TOKEN,
    FAKE_REST_NAMESPACE,
    FAKE_REST_LIST,
    FAKE_REST_LOAD,
    FAKE_REST_CREATE,
    FAKE_REST_COMMIT,
    FAKE_REST_TRANSACTION,
    FAKE_REST_DROP,
    FAKE_REST_CREDENTIALS,
    FAKE_REST_OTHER,
    FAKE_REST_OPS,
};

/* What becomes of one request. */
enum fake_rest_turn {
    FAKE_REST_ANSWER,
    FAKE_REST_CONFLICT,      /* another writer commits first */
    FAKE_REST_TOUCH,         /* another writer sets a property first: main stays where it is */
    FAKE_REST_BRANCH,        /* another writer's branch takes the sequence number first */
    FAKE_REST_REFUSE,        /* answers `status`, without the effect */
    FAKE_REST_REFUSE_DONE,   /* answers `status`, after the effect */
    FAKE_REST_LOST,          /* no answer, no effect */
    FAKE_REST_LOST_DONE,     /* no answer, with the effect */
    FAKE_REST_LOST_LATE,     /* no answer; the effect comes before the next commit, if it can */
    FAKE_REST_LOST_PASSED,   /* no answer, no effect, and another writer commits */
    FAKE_REST_LOST_TOUCHED,  /* as LOST_LATE, and another writer sets a property */
    FAKE_REST_LOST_BRANCHED, /* as LOST_LATE, and another writer's branch commits */
    FAKE_REST_CUT,           /* half of the answer, with the effect */
    FAKE_REST_TWICE,         /* done twice, as by a gateway; the answer is that of the second */
    FAKE_REST_BODY,          /* answers `status` with `body` as it is, without the effect */
    FAKE_REST_BODY_DONE,     /* the same, after the effect */
    FAKE_REST_REVOKE,        /* the token does not count any more */
    FAKE_REST_TURNS,         /* those that take no time; also: */
    FAKE_REST_STALL,         /* no answer on an open connection, no effect */
    FAKE_REST_STALL_DONE,    /* the same with the effect */
};

struct fake_rest_plan {
    enum fake_rest_turn turn;
    int status;          /* 0: 503 */
    const char *headers; /* NULL: none; "Retry-After: 7\r\n" */
    const char *body;
};

#define FAKE_REST_PLANS  16
#define FAKE_REST_TABLES 16

struct fake_rest_table {
    char ns[64];
    char name[64];
    json_t *metadata; /* NULL: the place is free */
    char location[256];
    unsigned version;
};

struct fake_rest {
    struct fake_http *server;
    pthread_mutex_t mutex; /* held while a request is answered */
    struct store *store;
    struct rand rand;
    json_t *config;     /* what GET /v1/config answers */
    const char *prefix; /* in paths: "" or "x/" */
    char namespaces[8][64];
    struct fake_rest_table tables[FAKE_REST_TABLES];
    struct fake_rest_plan plans[FAKE_REST_OPS][FAKE_REST_PLANS];
    unsigned plan_at[FAKE_REST_OPS];
    unsigned plan_count[FAKE_REST_OPS];
    /* Decides when no plan does; may be NULL. */
    struct fake_rest_plan (*decide)(struct fake_rest *f, enum fake_rest_op op);
    json_t *late; /* a commit on its way */
    struct fake_rest_table *late_table;

    const char *want_authorization; /* NULL: anybody; "token": the last token that was given */
    const char *client;             /* "id:secret" that gets tokens */
    bool basic_client;              /* only in a Basic header */
    int64_t token_life_s;           /* 0: not said */
    unsigned token;                 /* the last one: "token-<n>" */
    bool revoked;
    bool was_revoked;            /* for a decide() that does not do it twice in a row */
    json_t *table_config;        /* "config" of a LoadTableResult; NULL: none */
    json_t *storage_credentials; /* NULL: none */
    bool lends_with_commits;
    size_t page; /* tables of a page; 0: all */

    unsigned requests[FAKE_REST_OPS];
    unsigned applied; /* commits with effect */
    unsigned others;  /* commits of the other writer */
    char query[256];  /* of the last request that was no token request */
    char path[256];
    char method[16];
    char authorization[256];
    char form[512];        /* the last token request */
    char token_header[64]; /* its X-Test */
    char token_who[256];   /* its Authorization */
    char delegation[64];
    char key[64]; /* Idempotency-Key of the last create or commit; "" none */
    char keys[4][64];
    unsigned key_count;
    char header[64]; /* X-Test */
    char signed_body[80];
    char original_authorization[256];
    char complaint[256];
};

static inline void fake_rest_complain(struct fake_rest *f, const char *what)
{
    if (f->complaint[0] == '\0') {
        (void)snprintf(f->complaint, sizeof f->complaint, "%s", what);
    }
}

static inline struct fake_rest_table *fake_rest_find(struct fake_rest *f, const char *ns,
                                                     const char *name)
{
    for (size_t i = 0; i < FAKE_REST_TABLES; i++) {
        struct fake_rest_table *t = &f->tables[i];

        if (t->metadata != NULL && strcmp(t->ns, ns) == 0 && strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}

static inline bool fake_rest_has_namespace(const struct fake_rest *f, const char *ns)
{
    for (size_t i = 0; i < 8; i++) {
        if (strcmp(f->namespaces[i], ns) == 0) {
            return true;
        }
    }
    return false;
}

static inline void fake_rest_add_namespace(struct fake_rest *f, const char *ns)
{
    size_t i = 0;

    while (i < 7 && f->namespaces[i][0] != '\0') {
        i++;
    }
    (void)snprintf(f->namespaces[i], sizeof f->namespaces[i], "%s", ns);
}

/* The document becomes a file, and the one before it joins the log. */
static inline void fake_rest_write(struct fake_rest *f, struct fake_rest_table *t)
{
    char uuid[UUID_TEXT_BYTES];
    json_t *log = rest_member(t->metadata, "metadata-log", true);

    if (t->location[0] != '\0') {
        json_array_append_new(log, json_pack("{s:O, s:s}", "timestamp-ms",
                                             json_object_get(t->metadata, "last-updated-ms"),
                                             "metadata-file", t->location));
    }
    while (json_array_size(log) > 3) {
        (void)!store_remove(f->store, rest_text_of(json_array_get(log, 0), "metadata-file"), NULL);
        json_array_remove(log, 0);
    }
    rand_uuid(&f->rand, uuid);
    (void)snprintf(t->location, sizeof t->location, "%s/metadata/%05u-%s.metadata.json",
                   rest_text_of(t->metadata, "location"), t->version++, uuid);
    char *text = json_dumps(t->metadata, JSON_COMPACT);

    if (text == NULL || store_put(f->store, t->location, span_str(text), NULL) != ERR_OK) {
        fake_rest_complain(f, "the server could not write metadata");
    }
    free(text);
}

/* Applies a commit; NULL or why not. */
static inline const char *fake_rest_commit(struct fake_rest *f, struct fake_rest_table *t,
                                           const json_t *request)
{
    const char *why = rest_apply(&t->metadata, request);

    if (why == NULL) {
        fake_rest_write(f, t);
        f->applied++;
    }
    return why;
}

static inline struct fake_rest_table *fake_rest_named(struct fake_rest *f, const json_t *change)
{
    const json_t *id = json_object_get(change, "identifier");
    const char *ns = json_string_value(json_array_get(json_object_get(id, "namespace"), 0));

    return fake_rest_find(f, ns == NULL ? "" : ns, rest_text_of(id, "name"));
}

/* Applies all of a transaction or nothing; NULL or why not. */
static inline const char *fake_rest_commit_all(struct fake_rest *f, const json_t *request)
{
    const json_t *changes = json_object_get(request, "table-changes");
    json_t *next[FAKE_REST_TABLES] = {NULL};
    const char *why = NULL;
    size_t count = json_array_size(changes);

    assert_true(count <= FAKE_REST_TABLES);
    for (size_t i = 0; why == NULL && i < count; i++) {
        struct fake_rest_table *t = fake_rest_named(f, json_array_get(changes, i));

        next[i] = t == NULL ? NULL : json_deep_copy(t->metadata);
        why = t == NULL ? "no such table" : rest_apply(&next[i], json_array_get(changes, i));
    }
    for (size_t i = 0; i < count; i++) {
        struct fake_rest_table *t = fake_rest_named(f, json_array_get(changes, i));

        if (why == NULL) {
            json_decref(t->metadata);
            t->metadata = next[i];
            fake_rest_write(f, t);
            f->applied++;
        } else {
            json_decref(next[i]);
        }
    }
    return why;
}

/* A commit on its way arrives. */
static inline void fake_rest_land(struct fake_rest *f)
{
    if (json_object_get(f->late, "table-changes") != NULL) {
        (void)fake_rest_commit_all(f, f->late);
    } else if (f->late != NULL && f->late_table->metadata != NULL) {
        (void)fake_rest_commit(f, f->late_table, f->late);
    }
    json_decref(f->late);
    f->late = NULL;
}

static inline void fake_rest_touch(struct fake_rest *f, struct fake_rest_table *t)
{
    char value[24];

    (void)snprintf(value, sizeof value, "%u", t->version);
    json_object_set_new(rest_member(t->metadata, "properties", false), "touched",
                        json_string(value));
    fake_rest_write(f, t);
}

/* Another writer's snapshot of one file. */
static inline struct iceberg_attempt *fake_rest_attempt(struct fake_rest *f,
                                                        struct fake_rest_table *t)
{
    char path[128];
    struct iceberg_data_file file = {.path = path, .record_count = 1, .file_bytes = 10};
    struct iceberg_data_file *added = &file;
    const struct iceberg_change change = {
        .added = &added, .added_count = 1, .retention = {.keep_count = 1000}};
    struct iceberg_metadata *base = NULL;
    struct iceberg_attempt *a = NULL;

    (void)snprintf(path, sizeof path, "%s/data/other-%u", rest_text_of(t->metadata, "location"),
                   ++f->others);
    if (iceberg_metadata_take_json(json_deep_copy(t->metadata), &base, NULL) != ERR_OK ||
        iceberg_attempt_prepare(
            &(struct iceberg_attempt_options){
                .store = f->store,
                .rand = &f->rand,
                .now_ms = rest_number_of(t->metadata, "last-updated-ms") + 1,
                .base_location = t->location,
                .base = base,
                .change = &change,
                .server_writes_metadata = true,
            },
            &a, NULL) != ERR_OK) {
        fake_rest_complain(f, "the other writer could not commit");
        a = NULL;
    } else if (!fake_store_set(f->store, path, span_str("0123456789"))) {
        fake_rest_complain(f, "the other writer could not write");
    }
    iceberg_metadata_free(base);
    return a;
}

static inline void fake_rest_other(struct fake_rest *f, struct fake_rest_table *t, bool on_branch)
{
    struct iceberg_attempt *a = fake_rest_attempt(f, t);
    struct buf text = {0};

    if (a != NULL && iceberg_metadata_print(a->next, &text, NULL) == ERR_OK) {
        json_t *next = json_loadb((const char *)text.data, text.len, 0, NULL);
        json_t *refs = rest_member(next, "refs", false);
        json_t *old_main = json_object_get(json_object_get(t->metadata, "refs"), "main");

        if (on_branch) {
            json_object_set(refs, "audit", json_object_get(refs, "main"));
            json_object_set(next, "current-snapshot-id",
                            json_object_get(t->metadata, "current-snapshot-id"));
            json_object_set(next, "snapshot-log", json_object_get(t->metadata, "snapshot-log"));
            if (old_main != NULL) {
                json_object_set(refs, "main", old_main);
            } else {
                json_object_del(refs, "main");
            }
        }
        json_object_set(next, "metadata-log", json_object_get(t->metadata, "metadata-log"));
        json_decref(t->metadata);
        t->metadata = next;
        fake_rest_write(f, t);
    }
    iceberg_attempt_free(a);
    buf_deinit(&text);
}

static inline json_t *fake_rest_first_metadata(struct fake_rest *f, const char *ns,
                                               const json_t *request)
{
    char uuid[UUID_TEXT_BYTES];
    char location[256];
    json_t *schema = json_object_get(request, "schema");
    json_t *properties = json_deep_copy(json_object_get(request, "properties"));

    /* Reserved: it is the version of the table. */
    if (strcmp(rest_text_of(properties, "format-version"), "2") != 0) {
        fake_rest_complain(f, "a table that is not of version 2");
    }
    json_object_del(properties, "format-version");
    rand_uuid(&f->rand, uuid);
    (void)snprintf(location, sizeof location, "file:///lake/%s/%s", ns,
                   rest_text_of(request, "name"));
    if (json_object_get(request, "location") != NULL) {
        (void)snprintf(location, sizeof location, "%s", rest_text_of(request, "location"));
    }
    return json_pack(
        "{s:i, s:s, s:s, s:i, s:I, s:I, s:O, s:[O], s:i, s:[O], s:i, s:i, s:[{s:i, s:[]}], s:o, "
        "s:i, s:{}, s:[], s:[], s:[]}",
        "format-version", 2, "table-uuid", uuid, "location", location, "last-sequence-number", 0,
        "last-updated-ms", (json_int_t)1700000000000, "last-column-id",
        (json_int_t)json_array_size(json_object_get(schema, "fields")), "current-schema-id",
        json_object_get(schema, "schema-id"), "schemas", schema, "default-spec-id", 0,
        "partition-specs", json_object_get(request, "partition-spec"), "last-partition-id", 999,
        "default-sort-order-id", 0, "sort-orders", "order-id", 0, "fields", "properties",
        properties, "current-snapshot-id", -1, "refs", "snapshots", "snapshot-log", "metadata-log");
}

#endif
