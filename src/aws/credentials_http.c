#include <stdio.h>
#include <string.h>

#include "aws/credentials_int.h"
#include "base/retry.h"

#define TRIES       3u
#define WAIT_MIN_US 50000
#define WAIT_MAX_US 400000
#define SHOWN_BYTES 240u

static bool may_pass(const struct credentials_call *call, const struct http_response *r)
{
    return r->status == 429 || r->status >= 500 || (call->again != NULL && call->again(r));
}

enum err_code credentials_send(const struct credentials_context *c,
                               const struct credentials_call *call, struct http_response *out,
                               struct err *e)
{
    unsigned tries = call->tries == 0 ? TRIES : call->tries;
    struct retry retry = {.min_us = WAIT_MIN_US, .max_us = WAIT_MAX_US};
    struct http_request request = call->request;
    struct err why = {0};
    struct rand rand;

    if (request.response_bytes_max == 0) {
        request.response_bytes_max = CREDENTIALS_ANSWER_BYTES_MAX;
    }
    rand_init(&rand);
    for (unsigned i = 1;; i++) {
        enum err_code rc = http_send(c->http, &request, out, &why);
        bool again = rc == ERR_OK ? may_pass(call, out) : why.retryable || rc == ERR_TIMEOUT;

        if (rc == ERR_OK && (!again || i == tries)) {
            return ERR_OK;
        }
        if (rc == ERR_NOMEM || rc == ERR_CANCELLED || !again || i == tries) {
            /* A body that is too large is one more answer that is not as it should be. */
            rc = err_set(e, rc == ERR_LIMIT ? ERR_IO : rc, "%s: %s", call->what, why.msg);
            if (e != NULL) {
                e->retryable = why.retryable;
            }
            return rc;
        }
        credentials_response_deinit(out);
        clock_sleep_us(&c->clock, retry_next_us(&retry, &rand));
    }
}

void credentials_response_deinit(struct http_response *r)
{
    credentials_wipe(&r->body);
    http_response_deinit(r);
}

/* Whole characters of a service's text, without those that a terminal would obey. */
static void put_shown(char out[SHOWN_BYTES], const char *text)
{
    struct span left = span_str(text);
    size_t len = 0;

    while (left.len > 0) {
        size_t n = str_utf8_char(left);
        bool plain = n > 1 || (n == 1 && left.data[0] >= ' ' && left.data[0] != 0x7f);
        size_t used = n == 0 ? 1 : n;

        if (len + used >= SHOWN_BYTES) {
            break;
        }
        if (plain) {
            memcpy(out + len, left.data, n);
            len += n;
        } else {
            out[len++] = ' ';
        }
        left = span_of(left.data + used, left.len - used);
    }
    out[len] = '\0';
}

enum err_code credentials_refused(const char *what, int status, const char *code,
                                  const char *message, const char *hint, struct err *e)
{
    char shown_code[SHOWN_BYTES];
    char shown[SHOWN_BYTES];

    put_shown(shown_code, code == NULL ? "" : code);
    put_shown(shown, message == NULL ? "" : message);
    bool passes = status == 429 || status >= 500;
    const char *blank = shown_code[0] == '\0' ? "" : " ";
    const char *colon = shown[0] == '\0' ? "" : ": ";
    const char *semicolon = hint == NULL || passes ? "" : "; ";
    enum err_code rc =
        err_set(e, passes ? ERR_IO : ERR_CONFIG, "%s: the answer is %d%s%s%s%s%s%s", what, status,
                blank, shown_code, colon, shown, semicolon, semicolon[0] == '\0' ? "" : hint);

    if (e != NULL) {
        e->retryable = passes;
    }
    return rc;
}

/* The first of the names that is a text; NULL when none is. */
static const char *first_text(const json_t *o, const char *const *names)
{
    const char *text = NULL;

    for (size_t i = 0; names[i] != NULL && text == NULL; i++) {
        text = json_string_value(json_object_get(o, names[i]));
    }
    return text;
}

enum err_code credentials_json_refused(const char *what, const struct http_response *r,
                                       const char *hint, struct err *e)
{
    static const char *const codes[] = {"code", "Code", "__type", "error", NULL};
    static const char *const messages[] = {"message", "Message", "error_description", NULL};
    json_t *answer = NULL;

    /* Without JSON the status says it all. */
    if (credentials_parse_json(buf_span(&r->body), &answer, NULL) != ERR_OK) {
        answer = NULL;
    }
    enum err_code rc = credentials_refused(what, r->status, first_text(answer, codes),
                                           first_text(answer, messages), hint, e);

    json_decref(answer);
    return rc;
}
