/*
 * fake_glue.h - a Glue Data Catalog in memory behind fake_http, as strict as the real one about
 * what a TableInput may have, whose requests go as a test says: refused, without an answer before,
 * after or long before their effect, done twice, overtaken by another writer.
 *
 * What it did not like about requests is in `complaint`.
 *
 * Thread: the server's own; a test takes the lock (fake_glue_lock) to look at the fields below it.
 */
#ifndef CALVE_FAKE_GLUE_H
#define CALVE_FAKE_GLUE_H

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/str.h"
#include "fake_http.h"
#include "test.h"

enum fake_glue_turn {
    FAKE_GLUE_ANSWER,
    FAKE_GLUE_REFUSE,      /* answers `code`, without the effect */
    FAKE_GLUE_REFUSE_DONE, /* answers `code`, after the effect */
    FAKE_GLUE_LOST,        /* no answer, no effect */
    FAKE_GLUE_LOST_DONE,   /* no answer, with the effect */
    FAKE_GLUE_LOST_LATE, /* no answer; the effect comes before the next UpdateTable, if it still can
                          */
    FAKE_GLUE_TWICE,     /* done twice; the answer is that of the second time */
    FAKE_GLUE_TOUCH_FIRST, /* another writer changes a parameter of the table first */
    FAKE_GLUE_OTHER_FIRST, /* another writer makes `staged` the current metadata first */
    FAKE_GLUE_STALL,       /* as FAKE_GLUE_LOST, with an open connection */
    FAKE_GLUE_STALL_DONE,  /* as FAKE_GLUE_LOST_DONE, with an open connection */
    FAKE_GLUE_BODY,        /* answers 200 with `message` as it is, without the effect */
};

struct fake_glue_plan {
    const char *action; /* whose next request it is for */
    enum fake_glue_turn turn;
    const char *code;
    int status;          /* 0: as Glue has it for the code */
    const char *message; /* NULL: "told to" */
    unsigned times;      /* 0: once */
};

#define FAKE_GLUE_PLANS_MAX 8
#define FAKE_GLUE_PLACE     "s3://63a8e430--table-s3"

struct fake_glue {
    struct fake_http *server;
    pthread_mutex_t mutex; /* guards what follows */
    json_t *databases;     /* by name: {"Input": DatabaseInput, "Tables": {name: Table}} */
    bool blind;            /* takes any VersionId */
    bool managed;          /* S3 Tables: a new table gets a place, and its files go there */
    size_t page;           /* tables of a page; 0: 100 */
    struct fake_glue_plan plans[FAKE_GLUE_PLANS_MAX];
    /* Decides when no plan does; may be NULL. Called with the lock. */
    struct fake_glue_plan (*decide)(void *ctx, const char *action);
    void *decide_ctx;
    json_t *late; /* body of an UpdateTable on its way */
    char staged[256];
    char staged_base[256]; /* only then; "": whatever is current */
    bool staged_landed;
    json_t *last;  /* body of the last request */
    json_t *input; /* the last TableInput */
    unsigned gets;
    unsigned updates;
    unsigned creates;
    unsigned requests;
    unsigned archived;
    char complaint[256];
};

static inline void fake_glue_lock(struct fake_glue *g)
{
    (void)pthread_mutex_lock(&g->mutex);
}

static inline void fake_glue_unlock(struct fake_glue *g)
{
    (void)pthread_mutex_unlock(&g->mutex);
}

static inline void fake_glue_complain(struct fake_glue *g, const char *what, const char *which)
{
    if (g->complaint[0] == '\0') {
        (void)snprintf(g->complaint, sizeof g->complaint, "%s: %s", what, which);
    }
}

static inline const char *fake_glue_str(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static inline void fake_glue_reply(struct fake_http_reply *r, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    buf_reset(&r->body);
    buf_append_str(&r->body, text == NULL ? "" : text);
    r->status = 200;
    free(text);
    json_decref(body);
}

static inline void fake_glue_refuse(struct fake_http_reply *r, const char *code, int status,
                                    const char *message)
{
    fake_glue_reply(r, json_pack("{s:s, s:s}", "__type", code, "Message", message));
    r->status = status != 0 ? status : strcmp(code, "InternalServiceException") == 0 ? 500 : 400;
}

static inline bool fake_glue_knows(const char *const *names, const char *name)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Members, text lengths and letters that the real one refuses. */
static inline void fake_glue_check_input(struct fake_glue *g, json_t *input)
{
    static const char *const members[] = {"Name",
                                          "Description",
                                          "Owner",
                                          "LastAccessTime",
                                          "Retention",
                                          "StorageDescriptor",
                                          "PartitionKeys",
                                          "LastAnalyzedTime",
                                          "TableType",
                                          "ViewOriginalText",
                                          "ViewExpandedText",
                                          "Parameters",
                                          "TargetTable",
                                          NULL};
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach(input, key, value)
    {
        if (!fake_glue_knows(members, key)) {
            fake_glue_complain(g, "no member of TableInput", key);
        }
    }
    json_object_foreach(json_object_get(input, "Parameters"), key, value)
    {
        if (!json_is_string(value)) {
            fake_glue_complain(g, "a parameter that is no text", key);
        }
    }
    json_array_foreach(json_object_get(json_object_get(input, "StorageDescriptor"), "Columns"), i,
                       value)
    {
        if (strlen(fake_glue_str(value, "Comment")) > 255 ||
            fake_glue_str(value, "Name")[0] == '\0' || fake_glue_str(value, "Type")[0] == '\0' ||
            strpbrk(fake_glue_str(value, "Comment"), "\r\n")) {
            fake_glue_complain(g, "no column of Glue's", fake_glue_str(value, "Name"));
        }
    }
    if (strlen(fake_glue_str(input, "Description")) > 2048) {
        fake_glue_complain(g, "too long", "Description");
    }
}

static inline json_t *fake_glue_tables(struct fake_glue *g, const char *database)
{
    return json_object_get(json_object_get(g->databases, database), "Tables");
}

static inline json_t *fake_glue_table_at(struct fake_glue *g, const char *database,
                                         const char *name)
{
    return json_object_get(fake_glue_tables(g, database), name);
}

/* The next version of a table: what it is told, and what Glue counts. */
static inline void fake_glue_put(struct fake_glue *g, const char *database, json_t *input)
{
    json_t *tables = fake_glue_tables(g, database);
    json_t *before = json_object_get(tables, fake_glue_str(input, "Name"));
    json_t *table = json_deep_copy(input);
    char version[24];

    (void)snprintf(version, sizeof version, "%d",
                   before == NULL ? 0 : atoi(fake_glue_str(before, "VersionId")) + 1);
    (void)json_object_set_new(table, "DatabaseName", json_string(database));
    (void)json_object_set_new(table, "VersionId", json_string(version));
    (void)json_object_set_new(table, "CatalogId", json_string("123456789012"));
    (void)json_object_set_new(table, "CreateTime", json_real(1700000000.5));
    (void)json_object_set_new(table, "CreatedBy", json_string("arn:aws:iam::123456789012:user/x"));
    (void)json_object_set_new(table, "IsRegisteredWithLakeFormation", json_false());
    (void)json_object_set_new(tables, fake_glue_str(input, "Name"), table);
}

static inline void fake_glue_no_database(struct fake_http_reply *r)
{
    fake_glue_refuse(r, "EntityNotFoundException", 0, "Database not found.");
}

static inline void fake_glue_do_get_table(struct fake_glue *g, json_t *body,
                                          struct fake_http_reply *r)
{
    json_t *table =
        fake_glue_table_at(g, fake_glue_str(body, "DatabaseName"), fake_glue_str(body, "Name"));

    g->gets++;
    if (table == NULL) {
        fake_glue_refuse(r, "EntityNotFoundException", 0, "Entity Not Found");
    } else {
        fake_glue_reply(r, json_pack("{s:O}", "Table", table));
    }
}

/* S3 Tables takes a bare name, and says where the files are to be. */
static inline void fake_glue_give_place(struct fake_glue *g, const char *database, json_t *input)
{
    const char *name = fake_glue_str(input, "Name");
    json_t *bare = json_pack("{s:s, s:{s:s}}", "Name", name, "Parameters", "format", "ICEBERG");

    if (!json_equal(bare, input)) {
        fake_glue_complain(g, "not what S3 Tables takes", name);
    }
    json_decref(bare);
    (void)json_object_set_new(fake_glue_table_at(g, database, name), "StorageDescriptor",
                              json_pack("{s:s}", "Location", FAKE_GLUE_PLACE));
}

static inline void fake_glue_do_create_table(struct fake_glue *g, json_t *body,
                                             struct fake_http_reply *r)
{
    const char *database = fake_glue_str(body, "DatabaseName");
    json_t *input = json_object_get(body, "TableInput");

    g->creates++;
    if (fake_glue_tables(g, database) == NULL) {
        fake_glue_no_database(r);
    } else if (fake_glue_table_at(g, database, fake_glue_str(input, "Name")) != NULL) {
        fake_glue_refuse(r, "AlreadyExistsException", 0, "Table already exists.");
    } else {
        fake_glue_put(g, database, input);
        fake_glue_reply(r, json_object());
        if (g->managed) {
            fake_glue_give_place(g, database, input);
        }
    }
}

static inline void fake_glue_do_update_table(struct fake_glue *g, json_t *body,
                                             struct fake_http_reply *r)
{
    const char *database = fake_glue_str(body, "DatabaseName");
    json_t *input = json_object_get(body, "TableInput");
    json_t *table = fake_glue_table_at(g, database, fake_glue_str(input, "Name"));

    g->updates++;
    if (table == NULL) {
        fake_glue_refuse(r, "EntityNotFoundException", 0, "Entity Not Found");
    } else if (!g->blind &&
               strcmp(fake_glue_str(table, "VersionId"), fake_glue_str(body, "VersionId")) != 0) {
        fake_glue_refuse(r, "ConcurrentModificationException", 0,
                         "Update table failed due to "
                         "concurrent modifications.");
    } else {
        g->archived += !json_is_true(json_object_get(body, "SkipArchive"));
        fake_glue_put(g, database, input);
        fake_glue_reply(r, json_object());
    }
}

static inline void fake_glue_do_delete_table(struct fake_glue *g, json_t *body,
                                             struct fake_http_reply *r)
{
    if (json_object_del(fake_glue_tables(g, fake_glue_str(body, "DatabaseName")),
                        fake_glue_str(body, "Name")) != 0) {
        fake_glue_refuse(r, "EntityNotFoundException", 0, "Entity Not Found");
    } else {
        fake_glue_reply(r, json_object());
    }
}

static inline void fake_glue_do_get_tables(struct fake_glue *g, json_t *body,
                                           struct fake_http_reply *r)
{
    json_t *tables = fake_glue_tables(g, fake_glue_str(body, "DatabaseName"));
    size_t at = (size_t)atoi(fake_glue_str(body, "NextToken"));
    size_t left = g->page == 0 ? 100 : g->page;
    json_t *list = json_array();
    size_t i = 0;
    const char *key;
    json_t *table;
    char token[24] = "";

    if (tables == NULL) {
        json_decref(list);
        fake_glue_no_database(r);
        return;
    }
    json_object_foreach(tables, key, table)
    {
        if (i++ < at) {
            continue;
        }
        if (left-- == 0) {
            (void)snprintf(token, sizeof token, "%zu", i - 1);
            break;
        }
        (void)json_array_append(list, table);
    }
    json_t *answer = json_pack("{s:o}", "TableList", list);

    if (token[0] != '\0') {
        (void)json_object_set_new(answer, "NextToken", json_string(token));
    }
    fake_glue_reply(r, answer);
}

static inline void fake_glue_do_get_database(struct fake_glue *g, json_t *body,
                                             struct fake_http_reply *r)
{
    json_t *database = json_object_get(g->databases, fake_glue_str(body, "Name"));

    if (database == NULL) {
        fake_glue_no_database(r);
    } else {
        fake_glue_reply(r, json_pack("{s:O}", "Database", json_object_get(database, "Input")));
    }
}

static inline void fake_glue_do_create_database(struct fake_glue *g, json_t *body,
                                                struct fake_http_reply *r)
{
    json_t *input = json_object_get(body, "DatabaseInput");

    if (json_object_get(g->databases, fake_glue_str(input, "Name")) != NULL) {
        fake_glue_refuse(r, "AlreadyExistsException", 0, "Database already exists.");
        return;
    }
    (void)json_object_set_new(g->databases, fake_glue_str(input, "Name"),
                              json_pack("{s:O, s:{}}", "Input", input, "Tables"));
    fake_glue_reply(r, json_object());
}

static inline void fake_glue_do(struct fake_glue *g, const char *action, json_t *body,
                                struct fake_http_reply *r)
{
    static const struct {
        const char *action;
        void (*run)(struct fake_glue *g, json_t *body, struct fake_http_reply *r);
    } actions[] = {
        {"GetTable", fake_glue_do_get_table},
        {"CreateTable", fake_glue_do_create_table},
        {"UpdateTable", fake_glue_do_update_table},
        {"GetTables", fake_glue_do_get_tables},
        {"GetDatabase", fake_glue_do_get_database},
        {"CreateDatabase", fake_glue_do_create_database},
        {"DeleteTable", fake_glue_do_delete_table},
    };

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].action, action) == 0) {
            actions[i].run(g, body, r);
            return;
        }
    }
    fake_glue_complain(g, "no such action", action);
    fake_glue_refuse(r, "UnknownOperationException", 0, "no such action");
}

/* Another writer's change of one parameter, as Athena or Lake Formation make them. */
static inline void fake_glue_touch(struct fake_glue *g, const char *database, const char *name,
                                   const char *key, const char *value)
{
    json_t *table = fake_glue_table_at(g, database, name);
    char version[24];

    if (table != NULL) {
        (void)snprintf(version, sizeof version, "%d", atoi(fake_glue_str(table, "VersionId")) + 1);
        (void)json_object_set_new(table, "VersionId", json_string(version));
        (void)json_object_set_new(json_object_get(table, "Parameters"), key, json_string(value));
    }
}

static inline void fake_glue_land_staged(struct fake_glue *g, const char *database,
                                         const char *name)
{
    json_t *parameters = json_object_get(fake_glue_table_at(g, database, name), "Parameters");

    if (g->staged[0] != '\0' && !g->staged_landed &&
        (g->staged_base[0] == '\0' ||
         strcmp(fake_glue_str(parameters, "metadata_location"), g->staged_base) == 0)) {
        fake_glue_touch(g, database, name, "metadata_location", g->staged);
        g->staged_landed = true;
    }
}

static inline void fake_glue_land_late(struct fake_glue *g)
{
    struct fake_http_reply ignored = {0};

    if (g->late != NULL) {
        fake_glue_do_update_table(g, g->late, &ignored);
        g->updates--;
        json_decref(g->late);
        g->late = NULL;
    }
    buf_deinit(&ignored.body);
}

static inline struct fake_glue_plan fake_glue_next_plan(struct fake_glue *g, const char *action)
{
    for (size_t i = 0; i < FAKE_GLUE_PLANS_MAX; i++) {
        struct fake_glue_plan *p = &g->plans[i];
        struct fake_glue_plan now = *p;

        if (p->action != NULL && strcmp(p->action, action) == 0) {
            if (p->times <= 1) {
                p->action = NULL;
            } else {
                p->times--;
            }
            return now;
        }
    }
    return g->decide == NULL ? (struct fake_glue_plan){0} : g->decide(g->decide_ctx, action);
}

static inline void fake_glue_take_turn(struct fake_glue *g, const char *action, json_t *body,
                                       struct fake_http_reply *r)
{
    struct fake_glue_plan p = fake_glue_next_plan(g, action);
    const char *database = fake_glue_str(body, "DatabaseName");
    json_t *input = json_object_get(body, "TableInput");
    const char *name = fake_glue_str(input == NULL ? body : input, "Name");
    const char *message = p.message == NULL ? "told to" : p.message;

    if (strcmp(action, "UpdateTable") == 0) {
        fake_glue_land_late(g);
    }
    switch (p.turn) {
    case FAKE_GLUE_ANSWER:
        fake_glue_do(g, action, body, r);
        return;
    case FAKE_GLUE_REFUSE_DONE:
        fake_glue_do(g, action, body, r);
        fake_glue_refuse(r, p.code, p.status, message);
        return;
    case FAKE_GLUE_REFUSE:
        fake_glue_refuse(r, p.code, p.status, message);
        return;
    case FAKE_GLUE_LOST_DONE:
        fake_glue_do(g, action, body, r);
        r->fault = FAKE_HTTP_RESET;
        return;
    case FAKE_GLUE_LOST_LATE:
        json_decref(g->late);
        g->late = json_incref(body);
        r->fault = FAKE_HTTP_CLOSE;
        return;
    case FAKE_GLUE_LOST:
        r->fault = FAKE_HTTP_RESET;
        return;
    case FAKE_GLUE_STALL_DONE:
        fake_glue_do(g, action, body, r);
        r->fault = FAKE_HTTP_STALL;
        return;
    case FAKE_GLUE_STALL:
        r->fault = FAKE_HTTP_STALL;
        return;
    case FAKE_GLUE_TWICE:
        fake_glue_do(g, action, body, r);
        fake_glue_do(g, action, body, r);
        return;
    case FAKE_GLUE_TOUCH_FIRST:
        fake_glue_touch(g, database, name, "touched", "yes");
        fake_glue_do(g, action, body, r);
        return;
    case FAKE_GLUE_OTHER_FIRST:
        fake_glue_land_staged(g, database, name);
        fake_glue_do(g, action, body, r);
        return;
    case FAKE_GLUE_BODY:
        r->status = p.status;
        buf_append_str(&r->body, message);
        return;
    }
    abort();
}

static inline void fake_glue_serve(void *ctx, const struct fake_http_request *q,
                                   struct fake_http_reply *r)
{
    struct fake_glue *g = ctx;
    const char *target = fake_http_header(q, "X-Amz-Target");
    const char *type = fake_http_header(q, "Content-Type");
    json_t *body = json_loadb((const char *)q->body.data, q->body.len, 0, NULL);

    fake_glue_lock(g);
    g->requests++;
    if (strcmp(q->method, "POST") != 0 || strcmp(q->target, "/") != 0) {
        fake_glue_complain(g, q->method, q->target);
    }
    if (target == NULL || !str_starts_with(target, "AWSGlue.") || type == NULL ||
        strcmp(type, "application/x-amz-json-1.1") != 0 || !json_is_object(body)) {
        fake_glue_complain(g, "no request to Glue", target == NULL ? "" : target);
        fake_glue_refuse(r, "SerializationException", 0, "not understood");
    } else {
        json_t *input = json_object_get(body, "TableInput");

        json_decref(g->last);
        g->last = json_incref(body);
        if (input != NULL) {
            json_decref(g->input);
            g->input = json_incref(input);
            fake_glue_check_input(g, input);
        }
        fake_glue_take_turn(g, target + strlen("AWSGlue."), body, r);
    }
    fake_glue_unlock(g);
    json_decref(body);
}

static inline void fake_glue_init(struct fake_glue *g)
{
    memset(g, 0, sizeof *g);
    (void)pthread_mutex_init(&g->mutex, NULL);
    g->databases = json_object();
    g->server = fake_http_new(fake_glue_serve, g);
}

static inline void fake_glue_deinit(struct fake_glue *g)
{
    fake_http_free(g->server);
    json_decref(g->databases);
    json_decref(g->late);
    json_decref(g->last);
    json_decref(g->input);
    (void)pthread_mutex_destroy(&g->mutex);
}

static inline void fake_glue_plan(struct fake_glue *g, struct fake_glue_plan plan)
{
    fake_glue_lock(g);
    for (size_t i = 0; i < FAKE_GLUE_PLANS_MAX; i++) {
        if (g->plans[i].action == NULL) {
            g->plans[i] = plan;
            break;
        }
    }
    fake_glue_unlock(g);
}

/* TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException") initialises a plan. */
#define TURN(action_, ...)                       \
    {                                            \
        .action = (action_), .turn = __VA_ARGS__ \
    }

#define FAKE_GLUE_PLAN(g, ...) fake_glue_plan((g), (struct fake_glue_plan)TURN(__VA_ARGS__))

#endif
