/* rest_table.c - tables of a REST catalog: load, create, swap, one or several at once. */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "catalog/rest_int.h"
#include "iceberg/metadata_updates.h"

enum err_code rest_table_parse(struct span body, bool with_metadata, struct rest_table *out,
                               struct err *e)
{
    *out = (struct rest_table){0};
    ERR_TRY(rest_json_parse(body, &out->json, e));
    const char *location = rest_text(out->json, "metadata-location");
    json_t *metadata = json_object_get(out->json, "metadata");
    enum err_code rc =
        json_is_object(metadata) ? ERR_OK : err_set(e, ERR_CORRUPT, "the answer has no 'metadata'");

    if (rc == ERR_OK && location == NULL) {
        rc = err_set(e, ERR_CORRUPT, "the answer has no 'metadata-location'");
    }
    if (rc == ERR_OK) {
        out->metadata_location = str_dup(location);
        rc = out->metadata_location == NULL ? err_nomem(e) : ERR_OK;
    }
    if (rc == ERR_OK && with_metadata) {
        rc = iceberg_metadata_take_json(json_incref(metadata), &out->metadata, e);
    }
    if (rc != ERR_OK) {
        rest_table_deinit(out);
    }
    return rc;
}

void rest_table_deinit(struct rest_table *t)
{
    iceberg_metadata_free(t->metadata);
    free(t->metadata_location);
    json_decref(t->json);
    *t = (struct rest_table){0};
}

void rest_print_what(const char *doing, struct table_ident id, char out[REST_WHAT_BYTES])
{
    char name[TABLE_NAME_BYTES];

    table_ident_print(id, name);
    (void)snprintf(out, REST_WHAT_BYTES, "%s %s", doing, name);
}

enum err_code rest_check_offer(const struct rest_catalog *c, enum rest_endpoint endpoint,
                               const char *what, struct err *e)
{
    return c->config.offers[endpoint]
               ? ERR_OK
               : err_set(e, ERR_UNSUPPORTED,
                         "%s: the catalog does not offer that, as its list of endpoints says",
                         what);
}

enum err_code rest_load(struct catalog *base, struct table_ident id, struct catalog_table *out,
                        struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    struct rest_answer answer;
    struct rest_table table = {0};
    char what[REST_WHAT_BYTES];

    rest_print_what("loading", id, what);
    ERR_TRY(rest_check_offer(c, REST_ENDPOINT_LOAD, what, e));
    char *path = rest_table_path(c, id, "");

    if (path == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = rest_send(c,
                                 &(struct rest_call){
                                     .op = REST_OP_LOAD,
                                     .what = what,
                                     .path = path,
                                     .query = "snapshots=all",
                                     .lend = c->vended && rest_lent_wanted(c, id),
                                     .response_bytes_max = REST_TABLE_BYTES_MAX,
                                 },
                                 &answer, e);

    if (rc == ERR_OK) {
        rc = rest_table_parse(buf_span(&answer.response.body), true, &table, e);
        if (rc != ERR_OK) {
            err_wrap(e, "%s", what);
        }
    }
    if (rc == ERR_OK) {
        rc = rest_lent_note(c, id, table.json, e);
    }
    if (rc == ERR_OK) {
        *out = (struct catalog_table){table.metadata, table.metadata_location};
        table.metadata = NULL;
        table.metadata_location = NULL;
    }
    rest_table_deinit(&table);
    rest_answer_deinit(&answer);
    free(path);
    return rc;
}

static enum err_code create_namespace(struct rest_catalog *c, const char *ns, struct err *e)
{
    struct rest_answer answer = {0};
    char what[REST_WHAT_BYTES];
    json_t *json = json_pack("{s:[s], s:{}}", "namespace", ns, "properties");
    char *body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    char *path = str_format("/v1/%snamespaces", c->prefix);

    (void)snprintf(what, sizeof what, "creating the namespace %s", ns);
    enum err_code rc = body == NULL || path == NULL
                           ? err_nomem(e)
                           : rest_check_offer(c, REST_ENDPOINT_NAMESPACE, what, e);

    if (rc == ERR_OK) {
        /* Twice is like once: the second finds it there. */
        rc = rest_send(c,
                       &(struct rest_call){
                           .op = REST_OP_NAMESPACE,
                           .what = what,
                           .path = path,
                           .body = body,
                       },
                       &answer, e);
    }
    rest_answer_deinit(&answer);
    json_decref(json);
    free(body);
    free(path);
    return rc == ERR_EXISTS ? ERR_OK : rc;
}

/* What became of it is in the answer, or open. */
static enum err_code read_created(struct rest_catalog *c, struct table_ident id,
                                  const struct rest_answer *answer, const char *what, struct err *e)
{
    struct rest_table table;
    struct err why = {0};

    enum err_code rc = rest_table_parse(buf_span(&answer->response.body), false, &table, &why);

    if (rc == ERR_OK) {
        rc = rest_lent_note(c, id, table.json, &why);
    }
    rest_table_deinit(&table);
    return rc == ERR_OK ? ERR_OK : err_set(e, ERR_UNKNOWN, "%s: %s", what, why.msg);
}

static enum err_code send_create(struct rest_catalog *c, struct table_ident id, const char *path,
                                 const char *body, struct err *e)
{
    char what[REST_WHAT_BYTES];
    bool made = false;

    rest_print_what("creating", id, what);
    ERR_TRY(rest_check_offer(c, REST_ENDPOINT_CREATE, what, e));
    for (;;) {
        struct rest_answer answer;
        enum err_code rc = rest_send(c,
                                     &(struct rest_call){
                                         .op = REST_OP_CREATE,
                                         .what = what,
                                         .path = path,
                                         .body = body,
                                         .changes = true,
                                         .lend = c->vended,
                                         .key = rest_change_key(c, path, body),
                                         .response_bytes_max = REST_TABLE_BYTES_MAX,
                                     },
                                     &answer, e);

        if (rc == ERR_OK) {
            rc = read_created(c, id, &answer, what, e);
        }
        rest_answer_deinit(&answer);
        rest_key_used(c, rc);
        if (rc != ERR_NOT_FOUND || made) {
            return rc;
        }
        ERR_TRY(create_namespace(c, id.ns, e));
        made = true;
    }
}

enum err_code rest_create(struct catalog *base, struct table_ident id,
                          const struct iceberg_metadata *metadata, struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    json_t *request = NULL;

    ERR_TRY(iceberg_create_request(id.name, metadata, &request, e));
    char *body = json_dumps(request, JSON_COMPACT);
    char *path = rest_namespace_path(c, id.ns, "/tables");
    enum err_code rc =
        body == NULL || path == NULL ? err_nomem(e) : send_create(c, id, path, body, e);

    json_decref(request);
    free(body);
    free(path);
    return rc;
}

enum err_code rest_table_change(struct table_ident id, const struct iceberg_metadata *base,
                                const struct iceberg_metadata *next, json_t **out, struct err *e)
{
    json_t *updates = NULL;

    ERR_TRY(iceberg_updates_between(base, next, &updates, e));
    json_t *change =
        json_pack("{s:{s:[s], s:s}}", "identifier", "namespace", id.ns, "name", id.name);

    if (change != NULL && json_object_update(change, updates) != 0) {
        json_decref(change);
        change = NULL;
    }
    json_decref(updates);
    *out = change;
    return change == NULL ? err_nomem(e) : ERR_OK;
}

/*
 * A change that was refused as wrong may only have come late: servers check what follows from the
 * table as it is (sequence numbers) beside the requirements.
 */
static bool is_late(struct rest_catalog *c, const struct catalog_swap *swap)
{
    struct catalog_table now;
    struct err why = {0};

    if (catalog_load(&c->base, swap->id, &now, &why) != ERR_OK) {
        return false;
    }
    bool late = iceberg_metadata_snapshot_id(now.metadata) !=
                    iceberg_metadata_snapshot_id(swap->base->metadata) ||
                iceberg_metadata_sequence_number(now.metadata) >=
                    iceberg_metadata_sequence_number(swap->next);

    catalog_table_deinit(&now);
    return late;
}

/* Few servers lend keys with a commit. It is done, whatever becomes of them. */
static void note_keys(struct rest_catalog *c, struct table_ident id, const json_t *result)
{
    struct err why = {0};

    if (rest_lent_note(c, id, result, &why) != ERR_OK) {
        log_warn(c->base.log, "catalog.keys", LOG_STR("reason", why.msg));
    }
}

static enum err_code send_change(struct rest_catalog *c, struct table_ident id, const char *path,
                                 const char *body, int *status, struct err *e)
{
    struct rest_answer answer;
    struct rest_table table = {0};
    struct err why = {0};
    char what[REST_WHAT_BYTES];

    rest_print_what("committing to", id, what);
    ERR_TRY(rest_check_offer(c, REST_ENDPOINT_COMMIT, what, e));
    enum err_code rc = rest_send(c,
                                 &(struct rest_call){
                                     .op = REST_OP_COMMIT,
                                     .what = what,
                                     .path = path,
                                     .body = body,
                                     .changes = true,
                                     .key = rest_change_key(c, path, body),
                                     .response_bytes_max = REST_TABLE_BYTES_MAX,
                                 },
                                 &answer, e);

    *status = answer.status;
    rest_key_used(c, rc);
    if (rc == ERR_OK) {
        /* A page of a gateway's, say, is no proof. */
        if (rest_table_parse(buf_span(&answer.response.body), false, &table, &why) != ERR_OK) {
            rc = err_set(e, ERR_UNKNOWN, "%s: %s", what, why.msg);
        } else {
            note_keys(c, id, table.json);
        }
    }
    rest_table_deinit(&table);
    rest_answer_deinit(&answer);
    return rc;
}

enum err_code rest_swap(struct catalog *base, const struct catalog_swap *swap, struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    json_t *change = NULL;
    struct err why = {0};
    int status = 0;

    ERR_TRY(rest_table_change(swap->id, swap->base->metadata, swap->next, &change, e));
    char *body = json_dumps(change, JSON_COMPACT);
    char *path = rest_table_path(c, swap->id, "");
    enum err_code rc = body == NULL || path == NULL
                           ? err_nomem(&why)
                           : send_change(c, swap->id, path, body, &status, &why);

    if (rc == ERR_UNSUPPORTED && status == 400 && is_late(c, swap)) {
        why.code = ERR_CONFLICT;
        rc = ERR_CONFLICT;
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    json_decref(change);
    free(body);
    free(path);
    return rc;
}

static enum err_code send_transaction(struct rest_catalog *c, const char *body, uint32_t count,
                                      struct err *e)
{
    struct rest_answer answer;
    char what[REST_WHAT_BYTES];
    char *path = str_format("/v1/%stransactions/commit", c->prefix);

    if (path == NULL) {
        return err_nomem(e);
    }
    (void)snprintf(what, sizeof what, "committing to %u tables at once", count);
    enum err_code rc = rest_send(c,
                                 &(struct rest_call){
                                     .op = REST_OP_TRANSACTION,
                                     .what = what,
                                     .path = path,
                                     .body = body,
                                     .changes = true,
                                     .key = rest_change_key(c, path, body),
                                 },
                                 &answer, e);

    rest_key_used(c, rc);
    /* There is nothing to be said. A page of a gateway's, say, is no proof. */
    if (rc == ERR_OK && answer.response.body.len > 0) {
        rc = err_set(e, ERR_UNKNOWN, "%s: the catalog answered %d with a text, not 204 without",
                     what, answer.status);
    }
    rest_answer_deinit(&answer);
    free(path);
    return rc;
}

enum err_code rest_swap_all(struct catalog *base, const struct catalog_swap *swaps, uint32_t count,
                            struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    json_t *changes = json_array();
    json_t *request = json_pack("{s:O?}", "table-changes", changes);
    enum err_code rc = changes == NULL || request == NULL ? err_nomem(e) : ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        json_t *change = NULL;

        rc = rest_table_change(swaps[i].id, swaps[i].base->metadata, swaps[i].next, &change, e);
        if (rc == ERR_OK && json_array_append_new(changes, change) != 0) {
            rc = err_nomem(e);
        }
    }
    char *body = rc == ERR_OK ? json_dumps(request, JSON_COMPACT) : NULL;

    if (rc == ERR_OK) {
        rc = body == NULL ? err_nomem(e) : send_transaction(c, body, count, e);
    }
    free(body);
    json_decref(request);
    json_decref(changes);
    return rc;
}
