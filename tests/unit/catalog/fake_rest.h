/*
 * fake_rest.h - an Iceberg REST catalog in memory behind fake_http, as strict as the specification
 * (rest_updates.h), whose requests go as a test says: refused, without an answer before, after or
 * long before their effect, overtaken by another writer.
 *
 * Metadata files are in the store, where the server writes them and removes the old ones. What it
 * did not like about requests is in `complaint`.
 *
 * Thread: the server's own; a test looks at the fields between requests, after fake_rest_sync()
 * when the last one got no answer.
 */
#ifndef CALVE_FAKE_REST_H
#define CALVE_FAKE_REST_H

#include "fake_rest_tables.h"
#include "net/uri.h"

static inline void fake_rest_note(char *out, size_t out_bytes, const char *text)
{
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static inline void fake_rest_error(struct fake_http_reply *r, int status, const char *type,
                                   const char *message)
{
    r->status = status;
    buf_append_str(&r->headers, "Content-Type: application/json\r\n");
    buf_printf(&r->body, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"code\":%d}}", message,
               type, status);
}

static inline void fake_rest_answer_json(struct fake_http_reply *r, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    r->status = 200;
    buf_append_str(&r->headers, "Content-Type: application/json\r\n");
    buf_append_str(&r->body, text == NULL ? "{}" : text);
    free(text);
    json_decref(json);
}

/* A LoadTableResult. */
static inline void fake_rest_show(struct fake_rest *f, const struct fake_rest_table *t, bool lends,
                                  struct fake_http_reply *r)
{
    json_t *json =
        json_pack("{s:s, s:O}", "metadata-location", t->location, "metadata", t->metadata);

    if (lends && f->table_config != NULL) {
        json_object_set(json, "config", f->table_config);
    }
    if (lends && f->storage_credentials != NULL) {
        json_object_set(json, "storage-credentials", f->storage_credentials);
    }
    fake_rest_answer_json(r, json);
}

static inline void fake_rest_do_commit(struct fake_rest *f, struct fake_rest_table *t,
                                       const json_t *request, struct fake_http_reply *r)
{
    const char *why = t == NULL ? "404" : fake_rest_commit(f, t, request);

    if (t == NULL) {
        fake_rest_error(r, 404, "NoSuchTableException", "Table does not exist");
    } else if (why == NULL) {
        fake_rest_show(f, t, f->lends_with_commits, r);
    } else if (strncmp(why, "409", 3) == 0) {
        fake_rest_error(r, 409, "CommitFailedException", why + 4);
    } else {
        fake_rest_error(r, 400, "BadRequestException", why + 4);
    }
}

static inline void fake_rest_do_create(struct fake_rest *f, const char *ns, const json_t *request,
                                       struct fake_http_reply *r)
{
    const char *name = rest_text_of(request, "name");
    struct fake_rest_table *t = f->tables;

    if (!fake_rest_has_namespace(f, ns)) {
        fake_rest_error(r, 404, "NoSuchNamespaceException", "Namespace does not exist");
        return;
    }
    if (fake_rest_find(f, ns, name) != NULL) {
        fake_rest_error(r, 409, "AlreadyExistsException", "Table already exists");
        return;
    }
    while (t->metadata != NULL) {
        t++;
    }
    *t = (struct fake_rest_table){0};
    (void)snprintf(t->ns, sizeof t->ns, "%s", ns);
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    t->metadata = fake_rest_first_metadata(f, ns, request);
    if (t->metadata == NULL) {
        fake_rest_error(r, 400, "BadRequestException", "no table can be made of this");
        return;
    }
    fake_rest_write(f, t);
    fake_rest_show(f, t, true, r);
}

static inline void fake_rest_do_list(struct fake_rest *f, const char *ns, const char *query,
                                     struct fake_http_reply *r)
{
    unsigned from = 0;
    unsigned seen = 0;
    json_t *list = json_array();
    json_t *json = json_pack("{s:o}", "identifiers", list);

    (void)sscanf(query, "pageToken=%u", &from);
    for (size_t i = 0; i < FAKE_REST_TABLES; i++) {
        const struct fake_rest_table *t = &f->tables[i];

        if (t->metadata == NULL || strcmp(t->ns, ns) != 0 || seen++ < from) {
            continue;
        }
        if (f->page > 0 && json_array_size(list) == f->page) {
            char token[16];

            (void)snprintf(token, sizeof token, "%u", from + (unsigned)f->page);
            json_object_set_new(json, "next-page-token", json_string(token));
            break;
        }
        json_array_append_new(list, json_pack("{s:[s], s:s}", "namespace", ns, "name", t->name));
    }
    if (!fake_rest_has_namespace(f, ns)) {
        json_decref(json);
        fake_rest_error(r, 404, "NoSuchNamespaceException", "Namespace does not exist");
        return;
    }
    fake_rest_answer_json(r, json);
}

static inline void fake_rest_do_token(struct fake_rest *f, const struct fake_http_request *q,
                                      struct fake_http_reply *r)
{
    const char *who = fake_http_header(q, "Authorization");
    char want[128];
    char id[64] = "";
    const char *colon = f->client == NULL ? NULL : strchr(f->client, ':');
    bool known;

    (void)snprintf(f->form, sizeof f->form, "%.*s", (int)q->body.len, (const char *)q->body.data);
    if (colon != NULL) {
        (void)snprintf(id, sizeof id, "client_id=%.*s&", (int)(colon - f->client), f->client);
    }
    (void)snprintf(want, sizeof want, "%sclient_secret=%s", id,
                   f->client == NULL ? "?"
                   : colon == NULL   ? f->client
                                     : colon + 1);
    known = f->basic_client ? who != NULL && strncmp(who, "Basic ", 6) == 0 &&
                                  strstr(f->form, "client_secret") == NULL
                            : who == NULL && strstr(f->form, want) != NULL;
    fake_rest_note(f->token_who, sizeof f->token_who, who);
    fake_rest_note(f->token_header, sizeof f->token_header, fake_http_header(q, "X-Test"));
    if (!known) {
        r->status = 401;
        buf_append_str(&r->body, "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}");
        return;
    }
    f->token++;
    f->revoked = false;
    r->status = 200;
    buf_printf(&r->body, "{\"access_token\":\"token-%u\",\"token_type\":\"bearer\"", f->token);
    if (f->token_life_s > 0) {
        buf_printf(&r->body, ",\"expires_in\":%lld", (long long)f->token_life_s);
    }
    buf_append_str(&r->body, "}");
}

static inline bool fake_rest_is_allowed(struct fake_rest *f, const struct fake_http_request *q)
{
    const char *who = fake_http_header(q, "Authorization");
    char want[64];

    (void)snprintf(f->authorization, sizeof f->authorization, "%s", who == NULL ? "" : who);
    if (f->want_authorization == NULL) {
        return true;
    }
    (void)snprintf(want, sizeof want, "Bearer token-%u", f->token);
    return who != NULL &&
           (strcmp(f->want_authorization, "token") == 0 ? !f->revoked && strcmp(who, want) == 0
                                                        : strcmp(who, f->want_authorization) == 0);
}

/* A part of the path up to '/', decoded; *at goes behind it. */
static inline void fake_rest_part(const char **at, char *out, size_t out_bytes)
{
    struct buf text = {0};
    size_t len = strcspn(*at, "/");

    (void)uri_decode(&text, span_of(*at, len));
    (void)snprintf(out, out_bytes, "%.*s", (int)text.len, (const char *)text.data);
    buf_deinit(&text);
    *at += len;
}

/* What a request asks for, and of which table. */
static inline enum fake_rest_op fake_rest_read(const struct fake_rest *f,
                                               const struct fake_http_request *q, char ns[64],
                                               char name[64])
{
    bool posts = strcmp(q->method, "POST") == 0;
    const char *at = q->path;
    char start[128];

    ns[0] = '\0';
    name[0] = '\0';
    if (strcmp(at, "/v1/config") == 0) {
        return FAKE_REST_CONFIG;
    }
    if (strcmp(at, "/v1/oauth/tokens") == 0) {
        return posts ? FAKE_REST_TOKEN : FAKE_REST_OTHER;
    }
    (void)snprintf(start, sizeof start, "/v1/%stransactions/commit", f->prefix);
    if (strcmp(at, start) == 0) {
        return posts ? FAKE_REST_TRANSACTION : FAKE_REST_OTHER;
    }
    (void)snprintf(start, sizeof start, "/v1/%snamespaces", f->prefix);
    if (!str_starts_with(at, start)) {
        return FAKE_REST_OTHER;
    }
    at += strlen(start);
    if (*at == '\0') {
        return posts ? FAKE_REST_NAMESPACE : FAKE_REST_OTHER;
    }
    at++;
    fake_rest_part(&at, ns, 64);
    if (strcmp(at, "/tables") == 0) {
        return posts ? FAKE_REST_CREATE : FAKE_REST_LIST;
    }
    if (!str_starts_with(at, "/tables/")) {
        return FAKE_REST_OTHER;
    }
    at += strlen("/tables/");
    fake_rest_part(&at, name, 64);
    if (strcmp(at, "/credentials") == 0) {
        return FAKE_REST_CREDENTIALS;
    }
    return *at != '\0'                        ? FAKE_REST_OTHER
           : posts                            ? FAKE_REST_COMMIT
           : strcmp(q->method, "DELETE") == 0 ? FAKE_REST_DROP
                                              : FAKE_REST_LOAD;
}

/* One request while it is answered. */
struct fake_rest_turning {
    enum fake_rest_op op;
    const struct fake_http_request *q;
    json_t *body;
    char ns[64];
    char name[64];
    struct fake_rest_table *table;
};

static inline void fake_rest_do(struct fake_rest *f, const struct fake_rest_turning *t,
                                struct fake_http_reply *r)
{
    switch (t->op) {
    case FAKE_REST_CONFIG:
        fake_rest_answer_json(r, json_incref(f->config));
        break;
    case FAKE_REST_TOKEN:
        fake_rest_do_token(f, t->q, r);
        break;
    case FAKE_REST_NAMESPACE: {
        const char *ns =
            json_string_value(json_array_get(json_object_get(t->body, "namespace"), 0));

        if (ns == NULL || fake_rest_has_namespace(f, ns)) {
            fake_rest_error(r, 409, "AlreadyExistsException", "Namespace already exists");
        } else {
            fake_rest_add_namespace(f, ns);
            fake_rest_answer_json(r, json_incref(t->body));
        }
        break;
    }
    case FAKE_REST_LIST:
        fake_rest_do_list(f, t->ns, t->q->query, r);
        break;
    case FAKE_REST_CREATE:
        fake_rest_do_create(f, t->ns, t->body, r);
        break;
    case FAKE_REST_COMMIT:
        fake_rest_do_commit(f, t->table, t->body, r);
        break;
    case FAKE_REST_TRANSACTION: {
        const char *why = fake_rest_commit_all(f, t->body);

        r->status = 204;
        if (why != NULL) {
            fake_rest_error(r, 409, "CommitFailedException", why);
        }
        break;
    }
    case FAKE_REST_LOAD:
    case FAKE_REST_CREDENTIALS:
        if (t->table == NULL) {
            fake_rest_error(r, 404, "NoSuchTableException", "Table does not exist");
        } else if (t->op == FAKE_REST_LOAD) {
            fake_rest_show(f, t->table,
                           fake_http_header(t->q, "X-Iceberg-Access-Delegation") != NULL, r);
        } else {
            fake_rest_answer_json(
                r, json_pack("{s:O}", "storage-credentials", f->storage_credentials));
        }
        break;
    case FAKE_REST_DROP:
        if (t->table == NULL) {
            fake_rest_error(r, 404, "NoSuchTableException", "Table does not exist");
        } else {
            json_decref(t->table->metadata);
            t->table->metadata = NULL;
            r->status = 204;
        }
        break;
    case FAKE_REST_OTHER:
    case FAKE_REST_OPS:
        fake_rest_error(r, 404, "NotFound", "No route for request");
        break;
    }
}

static inline struct fake_rest_plan fake_rest_next(struct fake_rest *f, enum fake_rest_op op)
{
    if (f->plan_at[op] < f->plan_count[op]) {
        return f->plans[op][f->plan_at[op]++];
    }
    return f->decide == NULL ? (struct fake_rest_plan){FAKE_REST_ANSWER, 0, NULL, NULL}
                             : f->decide(f, op);
}

/* What happens beside the request: to be lost is to get no answer. */
static inline void fake_rest_turn(struct fake_rest *f, const struct fake_rest_plan *plan,
                                  const struct fake_rest_turning *t, struct fake_http_reply *r)
{
    struct fake_http_reply ignored = {0};
    bool has_table = t->table != NULL;

    r->status = plan->status == 0 ? 503 : plan->status;
    if (plan->turn == FAKE_REST_REFUSE_DONE || plan->turn == FAKE_REST_LOST_DONE ||
        plan->turn == FAKE_REST_BODY_DONE || plan->turn == FAKE_REST_STALL_DONE) {
        fake_rest_do(f, t, &ignored);
    }
    switch (plan->turn) {
    case FAKE_REST_ANSWER:
    case FAKE_REST_TURNS:
        fake_rest_do(f, t, r);
        break;
    case FAKE_REST_CONFLICT:
    case FAKE_REST_TOUCH:
    case FAKE_REST_BRANCH:
        if (has_table && plan->turn == FAKE_REST_TOUCH) {
            fake_rest_touch(f, t->table);
        } else if (has_table) {
            fake_rest_other(f, t->table, plan->turn == FAKE_REST_BRANCH);
        }
        fake_rest_do(f, t, r);
        break;
    case FAKE_REST_REFUSE_DONE:
    case FAKE_REST_REFUSE:
        fake_rest_error(r, r->status, "ToldToException", "as the test says");
        break;
    case FAKE_REST_LOST_DONE:
    case FAKE_REST_LOST:
        r->fault = FAKE_HTTP_RESET;
        break;
    case FAKE_REST_STALL:
    case FAKE_REST_STALL_DONE:
        r->fault = FAKE_HTTP_STALL;
        break;
    case FAKE_REST_LOST_LATE:
    case FAKE_REST_LOST_TOUCHED:
    case FAKE_REST_LOST_BRANCHED:
        r->fault = FAKE_HTTP_CLOSE;
        f->late = json_incref(t->body);
        f->late_table = t->table;
        if (has_table && plan->turn == FAKE_REST_LOST_TOUCHED) {
            fake_rest_touch(f, t->table);
        } else if (has_table && plan->turn == FAKE_REST_LOST_BRANCHED) {
            fake_rest_other(f, t->table, true);
        }
        break;
    case FAKE_REST_LOST_PASSED:
        r->fault = FAKE_HTTP_CLOSE;
        if (has_table) {
            fake_rest_other(f, t->table, false);
        }
        break;
    case FAKE_REST_CUT:
        fake_rest_do(f, t, r);
        r->fault = FAKE_HTTP_TRUNCATE;
        break;
    case FAKE_REST_TWICE:
        fake_rest_do(f, t, &ignored);
        fake_rest_do(f, t, r);
        break;
    case FAKE_REST_BODY_DONE:
    case FAKE_REST_BODY:
        r->status = plan->status;
        buf_append_str(&r->body, plan->body);
        break;
    case FAKE_REST_REVOKE:
        f->revoked = true;
        fake_rest_error(r, 401, "NotAuthorizedException", "Token has expired");
        break;
    }
    if (plan->headers != NULL) {
        buf_append_str(&r->headers, plan->headers);
    }
    buf_deinit(&ignored.headers);
    buf_deinit(&ignored.body);
}

static inline void fake_rest_note_request(struct fake_rest *f, enum fake_rest_op op,
                                          const struct fake_http_request *q)
{
    const char *hash = fake_http_header(q, "x-amz-content-sha256");

    f->requests[op]++;
    if (op == FAKE_REST_TOKEN) {
        return;
    }
    fake_rest_note(f->query, sizeof f->query, q->query);
    fake_rest_note(f->path, sizeof f->path, q->path);
    fake_rest_note(f->method, sizeof f->method, q->method);
    fake_rest_note(f->header, sizeof f->header, fake_http_header(q, "X-Test"));
    fake_rest_note(f->signed_body, sizeof f->signed_body, hash);
    fake_rest_note(f->delegation, sizeof f->delegation,
                   fake_http_header(q, "X-Iceberg-Access-Delegation"));
    fake_rest_note(f->original_authorization, sizeof f->original_authorization,
                   fake_http_header(q, "Original-Authorization"));
    if (op == FAKE_REST_CREATE || op == FAKE_REST_COMMIT || op == FAKE_REST_TRANSACTION) {
        fake_rest_note(f->key, sizeof f->key, fake_http_header(q, "Idempotency-Key"));
        if (f->key_count < 4) {
            fake_rest_note(f->keys[f->key_count++], sizeof f->keys[0], f->key);
        }
    }
    if (q->body.len > 0 &&
        strcmp(fake_http_header(q, "Content-Type") == NULL ? ""
                                                           : fake_http_header(q, "Content-Type"),
               "application/json") != 0) {
        fake_rest_complain(f, "a body that is not said to be JSON");
    }
}

static inline void fake_rest_serve(void *ctx, const struct fake_http_request *q,
                                   struct fake_http_reply *r)
{
    struct fake_rest *f = ctx;
    struct fake_rest_turning t = {.q = q};

    (void)pthread_mutex_lock(&f->mutex);
    t.op = fake_rest_read(f, q, t.ns, t.name);
    fake_rest_note_request(f, t.op, q);
    if (t.op == FAKE_REST_COMMIT || t.op == FAKE_REST_TRANSACTION) {
        fake_rest_land(f);
    }
    t.table = fake_rest_find(f, t.ns, t.name);
    if (q->body.len > 0 && t.op != FAKE_REST_TOKEN) {
        t.body = json_loadb((const char *)q->body.data, q->body.len, 0, NULL);
        if (t.body == NULL) {
            fake_rest_complain(f, "a body that is no JSON");
        }
    }
    if (t.op == FAKE_REST_TRANSACTION) {
        const json_t *changes = json_object_get(t.body, "table-changes");

        t.table = fake_rest_named(f, json_array_get(changes, json_array_size(changes) - 1));
    }
    const struct fake_rest_plan plan = fake_rest_next(f, t.op);

    if (t.op != FAKE_REST_TOKEN && !fake_rest_is_allowed(f, q)) {
        fake_rest_error(r, 401, "NotAuthorizedException", "Not authorized");
    } else {
        fake_rest_turn(f, &plan, &t, r);
    }
    json_decref(t.body);
    (void)pthread_mutex_unlock(&f->mutex);
}

/* What the server did is seen by the calling thread from here on. */
static inline void fake_rest_sync(struct fake_rest *f)
{
    (void)pthread_mutex_lock(&f->mutex);
    (void)pthread_mutex_unlock(&f->mutex);
}

static inline void fake_rest_init(struct fake_rest *f, struct store *store)
{
    memset(f, 0, sizeof *f);
    f->store = store;
    f->prefix = "";
    f->config = json_pack("{s:{}, s:{}}", "defaults", "overrides");
    (void)pthread_mutex_init(&f->mutex, NULL);
    rand_seed(&f->rand, 5);
    fake_rest_add_namespace(f, "shop");
    f->server = fake_http_new(fake_rest_serve, f);
}

static inline void fake_rest_deinit(struct fake_rest *f)
{
    fake_http_free(f->server);
    (void)pthread_mutex_destroy(&f->mutex);
    for (size_t i = 0; i < FAKE_REST_TABLES; i++) {
        json_decref(f->tables[i].metadata);
    }
    json_decref(f->config);
    json_decref(f->late);
    json_decref(f->table_config);
    json_decref(f->storage_credentials);
}

/* The server's answer to GET /v1/config from now on. */
static inline void fake_rest_set_config(struct fake_rest *f, const char *json)
{
    json_decref(f->config);
    f->config = json_loads(json, 0, NULL);
    assert_non_null(f->config);
}

static inline void fake_rest_plan(struct fake_rest *f, enum fake_rest_op op,
                                  const struct fake_rest_plan *plans, unsigned count)
{
    assert_true(count <= FAKE_REST_PLANS);
    f->plan_at[op] = 0;
    f->plan_count[op] = count;
    for (unsigned i = 0; i < count; i++) {
        f->plans[op][i] = plans[i];
    }
}

#define FAKE_REST_PLAN(f, op, ...)                                          \
    fake_rest_plan((f), (op), (const struct fake_rest_plan[]){__VA_ARGS__}, \
                   sizeof((const struct fake_rest_plan[]){__VA_ARGS__}) /   \
                       sizeof(struct fake_rest_plan))

static inline void assert_no_complaint(const struct fake_rest *f)
{
    if (f->complaint[0] != '\0') {
        fail_msg("the server: %s", f->complaint);
    }
}

#endif
