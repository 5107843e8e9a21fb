/*
 * glue_call.c - JSON requests to Glue.
 *
 *   POST /
 *   Content-Type: application/x-amz-json-1.1
 *   X-Amz-Target: AWSGlue.GetTable
 *
 *   {"CatalogId": "...", "DatabaseName": "shop", "Name": "orders"}
 */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/glue_int.h"

/* A page has up to 100 tables with all their columns. */
#define ANSWER_BYTES_MAX ((size_t)64 << 20)

const struct aws_service *catalog_glue_service(void)
{
    static const struct aws_service service = {
        .name = "glue",
        .label = "Glue",
        .read_error = aws_read_json_error,
    };

    return &service;
}

json_t *glue_body(const struct glue_catalog *c)
{
    return c->catalog_id == NULL ? json_object() : json_pack("{s:s}", "CatalogId", c->catalog_id);
}

enum err_code glue_answer_parse(struct span text, json_t **out, struct err *e)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, &why);

    /* An allocation that fails has its own code in some places, and no message in others. */
    if (root == NULL &&
        (json_error_code(&why) == json_error_out_of_memory || why.text[0] == '\0')) {
        return err_nomem(e);
    }
    if (root == NULL) {
        return err_set(e, ERR_CORRUPT,
                       "Glue's answer is not JSON: %s (line %d, column %d): look at glue.endpoint",
                       why.text, why.line, why.column);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(e, ERR_CORRUPT, "Glue's answer is not a JSON object: look at glue.endpoint");
    }
    *out = root;
    return ERR_OK;
}

static enum err_code read_outcome(const struct glue_request *r, const struct aws_answer *answer,
                                  enum err_code rc, json_t **out, struct glue_refusal *refusal,
                                  struct err *why)
{
    if (rc != ERR_OK) {
        if (refusal != NULL) {
            (void)snprintf(refusal->code, sizeof refusal->code, "%s", answer->error.code);
            refusal->reached =
                answer->response.sent || answer->error.status != 0 || answer->maybe_done;
            refusal->maybe_done = answer->maybe_done;
        }
        return glue_explain(r, &answer->error, why);
    }
    if (out == NULL) {
        return ERR_OK;
    }
    rc = glue_answer_parse(buf_span(&answer->response.body), out, why);
    return rc == ERR_OK ? ERR_OK : err_wrap(why, "%s %s", r->action, r->object);
}

enum err_code glue_send(struct glue_catalog *c, const struct glue_request *request, json_t **answer,
                        struct glue_refusal *refusal, struct err *e)
{
    char target[64];
    char what[3 * GLUE_NAME_BYTES];
    char *text = request->body == NULL ? NULL : json_dumps(request->body, JSON_COMPACT);
    const struct http_header headers[] = {
        {"Content-Type", "application/x-amz-json-1.1"},
        {"X-Amz-Target", target},
    };
    struct aws_answer reply = {0};
    struct err why = {0};

    json_decref(request->body);
    if (text == NULL) {
        return err_nomem(e);
    }
    (void)snprintf(target, sizeof target, "AWSGlue.%s", request->action);
    (void)snprintf(what, sizeof what, "%s %s", request->action, request->object);
    enum err_code rc = aws_call(c->client,
                                &(struct aws_request){
                                    .what = what,
                                    .method = "POST",
                                    .path = "/",
                                    .headers = headers,
                                    .header_count = sizeof headers / sizeof headers[0],
                                    .body = span_str(text),
                                    .has_body = true,
                                    .repeatable = request->repeatable,
                                    .response_bytes_max = ANSWER_BYTES_MAX,
                                },
                                &reply, &why);

    rc = read_outcome(request, &reply, rc, answer, refusal, &why);
    aws_answer_deinit(&reply);
    free(text);
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}
