/* rest_list.c - the tables of a namespace, page by page; and dropping one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"
#include "net/uri.h"

#define LIST_TABLES_MAX 1000000u

static bool is_namespace(const json_t *list, const char *ns)
{
    const char *name = json_string_value(json_array_get(list, 0));

    return json_array_size(list) == 1 && name != NULL && strcmp(name, ns) == 0;
}

static enum err_code take_names(const json_t *json, const char *ns, struct locations *names,
                                struct err *e)
{
    const json_t *list = json_object_get(json, "identifiers");
    size_t i;
    json_t *item;

    if (!json_is_array(list)) {
        return err_set(e, ERR_CORRUPT, "the answer has no list 'identifiers'");
    }
    json_array_foreach(list, i, item)
    {
        const char *name = rest_text(item, "name");

        if (name == NULL) {
            return err_set(e, ERR_CORRUPT, "an entry of 'identifiers' has no name");
        }
        if (names->count >= LIST_TABLES_MAX) {
            return err_set(e, ERR_LIMIT, "there are more than %u tables", LIST_TABLES_MAX);
        }
        if (is_namespace(json_object_get(item, "namespace"), ns)) {
            ERR_TRY(locations_add(names, span_str(name), e));
        }
    }
    return ERR_OK;
}

enum err_code rest_list_parse(struct span body, const char *ns, struct locations *names,
                              char **next, struct err *e)
{
    json_t *json = NULL;

    *next = NULL;
    ERR_TRY(rest_json_parse(body, &json, e));
    const char *token = rest_text(json, "next-page-token");
    enum err_code rc = take_names(json, ns, names, e);

    if (rc == ERR_OK && token != NULL && token[0] != '\0') {
        *next = str_dup(token);
        rc = *next == NULL ? err_nomem(e) : ERR_OK;
    }
    json_decref(json);
    return rc;
}

/* One page; *token is that of the page, then of the next one or NULL. */
static enum err_code list_page(struct rest_catalog *c, const char *ns, const char *path,
                               struct locations *names, char **token, struct err *e)
{
    struct rest_answer answer = {0};
    struct buf query = {0};
    char *next = NULL;
    char what[REST_WHAT_BYTES];

    (void)snprintf(what, sizeof what, "listing the tables of %s", ns);
    uri_put_query(&query, "pageToken", *token == NULL ? "" : *token);
    const char *text = buf_cstr(&query);
    enum err_code rc = text == NULL ? err_nomem(e)
                                    : rest_send(c,
                                                &(struct rest_call){
                                                    .op = REST_OP_LIST,
                                                    .what = what,
                                                    .path = path,
                                                    .query = text,
                                                },
                                                &answer, e);

    if (rc == ERR_OK) {
        rc = rest_list_parse(buf_span(&answer.response.body), ns, names, &next, e);
        if (rc == ERR_OK && next != NULL && *token != NULL && strcmp(next, *token) == 0) {
            rc = err_set(e, ERR_CORRUPT, "the page behind the page '%s' is the same", next);
        }
        if (rc != ERR_OK) {
            err_wrap(e, "%s", what);
        }
    }
    free(*token);
    *token = next;
    rest_answer_deinit(&answer);
    buf_deinit(&query);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err_code rest_list(struct catalog *base, const char *ns,
                        enum err_code (*each)(void *ctx, struct table_ident id, struct err *e),
                        void *ctx, struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    struct locations names = {0};
    char *token = NULL;

    ERR_TRY(rest_check_offer(c, REST_ENDPOINT_LIST, "listing tables", e));
    char *path = rest_namespace_path(c, ns, "/tables");
    enum err_code rc = path == NULL ? err_nomem(e) : ERR_OK;

    do {
        rc = rc == ERR_OK ? list_page(c, ns, path, &names, &token, e) : rc;
    } while (rc == ERR_OK && token != NULL);
    if (names.count > 0) {
        qsort(names.items, names.count, sizeof *names.items, by_name);
    }
    for (uint32_t i = 0; i < names.count && rc == ERR_OK; i++) {
        if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0) {
            rc = each(ctx, (struct table_ident){ns, names.items[i]}, e);
        }
    }
    locations_deinit(&names);
    free(token);
    free(path);
    return rc;
}

enum err_code rest_drop(struct catalog *base, struct table_ident id, struct err *e)
{
    struct rest_catalog *c = (struct rest_catalog *)base;
    struct rest_answer answer;
    char what[REST_WHAT_BYTES];

    rest_print_what("dropping", id, what);
    ERR_TRY(rest_check_offer(c, REST_ENDPOINT_DROP, what, e));
    char *path = rest_table_path(c, id, "");

    if (path == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = rest_send(c,
                                 &(struct rest_call){
                                     .op = REST_OP_DROP,
                                     .what = what,
                                     .method = "DELETE",
                                     .path = path,
                                     .query = "purgeRequested=false",
                                 },
                                 &answer, e);

    if (rc == ERR_NOT_FOUND && answer.maybe_done) {
        /* By a try that got no answer. */
        rc = ERR_OK;
    }
    rest_answer_deinit(&answer);
    free(path);
    return rc;
}
