/*
 * rest_error.c - what an answer means, and the words for it.
 *
 *   {"error": {"message": "m", "type": "NoSuchTableException", "code": 404}}   Iceberg
 *   {"error": "invalid_client", "error_description": "m"}                      OAuth2
 *   {"message": "m", "__type": "x#AccessDeniedException"}                      AWS
 *   <html>...                                                                  gateways
 */
#include <stdio.h>

#include "base/str.h"
#include "catalog/rest_int.h"

/* More of an answer is not looked at. */
#define PROBLEM_BYTES_MAX ((size_t)64 << 10)

/* Shorter ones are no secrets, and would hide common words. */
#define SECRET_BYTES_MIN  6
#define SECRET_PART_BYTES 12 /* of a longer one give it away */

enum rest_class rest_class_of(int status)
{
    if (status >= 200 && status < 300) {
        return REST_DONE;
    }
    if (status == 401 || status == 419) {
        return REST_WHO;
    }
    if (status == 429) {
        return REST_AGAIN_LATER;
    }
    if (status == 408 || (status >= 500 && status != 501 && status != 505)) {
        return REST_OPEN;
    }
    return REST_REFUSED;
}

/* A text that is being made readable: one line, UTF-8, cut to fit. */
struct line {
    char *out;
    size_t len;
    size_t max; /* without the NUL */
    bool space; /* one is due before the next character */
    bool full;
};

static void put_char(struct line *l, const uint8_t *data, size_t len)
{
    bool space = l->space && l->len > 0;

    if (l->full || l->len + len + (space ? 1 : 0) > l->max) {
        l->full = true;
        return;
    }
    if (space) {
        l->out[l->len++] = ' ';
    }
    memcpy(l->out + l->len, data, len);
    l->len += len;
    l->space = false;
}

static void put_text(struct line *l, struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        struct span rest = span_of(text.data + at, text.len - at);
        size_t len = str_utf8_char(rest);

        if (len == 0) {
            put_char(l, (const uint8_t *)"?", 1);
            len = 1;
        } else if (len == 1 && (rest.data[0] <= ' ' || rest.data[0] == 0x7f)) {
            l->space = true;
        } else {
            put_char(l, rest.data, len);
        }
        at += len;
    }
}

static void end_line(struct line *l)
{
    static const char dots[] = "...";

    if (l->full) {
        while (l->len > l->max - strlen(dots) || (l->len > 0 && (l->out[l->len] & 0xc0) == 0x80)) {
            l->len--;
        }
        memcpy(l->out + l->len, dots, strlen(dots));
        l->len += strlen(dots);
    }
    l->out[l->len] = '\0';
}

static void make_readable(struct span text, char *out, size_t out_bytes)
{
    struct line l = {.out = out, .max = out_bytes - 1};

    memset(out, 0, out_bytes);
    put_text(&l, text);
    end_line(&l);
}

static bool starts_tag(struct span rest, const char *name)
{
    return rest.len > strlen(name) + 1 && span_ieq_str(span_of(rest.data + 1, strlen(name)), name);
}

/* Bytes from a '<' to behind its '>', or to behind the end of what no reader sees. */
static size_t tag_bytes(struct span rest)
{
    static const char *const unseen[] = {"style", "script"};
    size_t at = 0;
    bool hidden = false;

    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
        hidden = hidden || starts_tag(rest, unseen[i]);
    }
    do {
        const uint8_t *end = memchr(rest.data + at, '>', rest.len - at);

        if (end == NULL) {
            return rest.len;
        }
        at = (size_t)(end - rest.data) + 1;
        const uint8_t *next = memchr(rest.data + at, '<', rest.len - at);

        if (next == NULL) {
            return hidden ? rest.len : at;
        }
        if (hidden) {
            at = (size_t)(next - rest.data);
            hidden = rest.len - at < 2 || rest.data[at + 1] != '/';
            continue;
        }
        return at;
    } while (true);
}

/* What a browser would show. */
static void read_html(struct span body, char *out, size_t out_bytes)
{
    struct line l = {.out = out, .max = out_bytes - 1};
    size_t at = 0;

    memset(out, 0, out_bytes);
    while (at < body.len) {
        struct span rest = span_of(body.data + at, body.len - at);
        const uint8_t *tag = memchr(rest.data, '<', rest.len);
        size_t text = tag == NULL ? rest.len : (size_t)(tag - rest.data);

        put_text(&l, span_of(rest.data, text));
        l.space = true;
        at += text;
        if (tag != NULL) {
            at += tag_bytes(span_of(tag, rest.len - text));
        }
    }
    end_line(&l);
}

static const char *first_text(const json_t *object, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const char *text = rest_text(object, *keys);

        if (text != NULL && text[0] != '\0') {
            return text;
        }
    }
    return "";
}

/* Behind the last '#', as AWS puts a namespace in front. */
static const char *without_namespace(const char *type)
{
    const char *hash = strrchr(type, '#');

    return hash == NULL ? type : hash + 1;
}

static bool read_json(struct span body, struct rest_problem *out)
{
    static const char *const messages[] = {
        "error_description", "message", "Message", "detail", "title", NULL};
    static const char *const types[] = {"__type", "type", "code", NULL};
    json_t *json = json_loadb((const char *)body.data, body.len, JSON_ALLOW_NUL, NULL);
    json_t *error = json_object_get(json, "error");

    if (!json_is_object(json)) {
        json_decref(json);
        return false;
    }
    out->is_iceberg = json_is_object(error);
    const json_t *from = out->is_iceberg ? error : json;
    const char *type = json_is_string(error) ? json_string_value(error) : first_text(from, types);

    make_readable(span_str(without_namespace(type)), out->type, sizeof out->type);
    make_readable(span_str(first_text(from, messages)), out->message, sizeof out->message);
    json_decref(json);
    return true;
}

void rest_problem_read(struct span body, struct rest_problem *out)
{
    size_t at = 0;

    *out = (struct rest_problem){0};
    body.len = body.len > PROBLEM_BYTES_MAX ? PROBLEM_BYTES_MAX : body.len;
    while (at < body.len && body.data[at] <= ' ') {
        at++;
    }
    if (at == body.len || read_json(body, out)) {
        return;
    }
    if (body.data[at] == '<') {
        read_html(body, out->message, sizeof out->message);
    } else {
        make_readable(body, out->message, sizeof out->message);
    }
}

/* How much of the secret's start stands here. */
static size_t common_bytes(const char *at, const char *secret)
{
    size_t len = 0;

    while (secret[len] != '\0' && at[len] == secret[len]) {
        len++;
    }
    return len;
}

void rest_problem_hide(struct rest_problem *p, const char *text)
{
    size_t whole = text == NULL ? 0 : strlen(text);

    if (whole < SECRET_BYTES_MIN) {
        return;
    }
    for (char *at = p->message; *at != '\0'; at++) {
        size_t len = common_bytes(at, text);

        /* The message may have been cut inside it. */
        if (len == whole || len >= SECRET_PART_BYTES) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + len, strlen(at + len) + 1);
        }
    }
}

static const char *who_hint(const struct rest_catalog *c)
{
    if (c->sigv4) {
        return "look at the AWS keys, rest.signing-name and rest.signing-region";
    }
    switch (c->auth.kind) {
    case REST_AUTH_NONE:
        return "the catalog wants to know who asks: set rest.token, rest.credential, rest.user or "
               "rest.sigv4";
    case REST_AUTH_TOKEN:
        return "rest.token is wrong, or its time is over; rest.credential would get new ones";
    case REST_AUTH_CREDENTIAL:
        return "it does not take the token that rest.credential got: look at rest.scope, "
               "rest.audience and rest.oauth2-server-uri";
    case REST_AUTH_BASIC:
        return "look at rest.user and rest.password";
    }
    return "";
}

static const char *denied_hint(const struct rest_catalog *c)
{
    return c->sigv4 ? "grant it to the AWS keys in use (IAM, Lake Formation), or look at "
                      "rest.signing-name and rest.signing-region"
                    : "grant it to the principal in use, or look at rest.scope and rest.warehouse";
}

static bool names_missing_thing(const struct rest_problem *p)
{
    return p->is_iceberg || p->message[0] == '\0' || str_starts_with(p->type, "NoSuch") ||
           strstr(p->type, "NotFound") != NULL;
}

/* Codes and hints of what is certainly without effect and stays so. */
static enum err_code refusal(const struct rest_catalog *c, enum rest_op op, int status,
                             const struct rest_problem *p, const char **hint)
{
    *hint = "";
    if (status < 400) {
        *hint = "it sends requests on to another address: set catalog.uri to that";
        return ERR_CONFIG;
    }
    if (status == 403) {
        *hint = op == REST_OP_TOKEN ? "look at rest.credential and rest.scope" : denied_hint(c);
        return ERR_CONFIG;
    }
    if (op == REST_OP_TOKEN) {
        *hint = "look at rest.credential, rest.scope and rest.oauth2-server-uri";
        return ERR_CONFIG;
    }
    if (op == REST_OP_CONFIG) {
        *hint = names_missing_thing(p) ? "look at rest.warehouse and catalog.uri"
                                       : "is catalog.uri the address of an Iceberg REST catalog?";
        return ERR_CONFIG;
    }
    if (status == 404 && names_missing_thing(p)) {
        return ERR_NOT_FOUND;
    }
    if (status == 404) {
        *hint = "is catalog.uri the address of an Iceberg REST catalog, and rest.prefix right?";
        return ERR_CONFIG;
    }
    if (status == 409) {
        return op == REST_OP_CREATE || op == REST_OP_NAMESPACE ? ERR_EXISTS : ERR_CONFLICT;
    }
    return status == 413 ? ERR_LIMIT : ERR_UNSUPPORTED;
}

enum err_code rest_explain(const struct rest_catalog *c, enum rest_op op, int status,
                           const struct rest_problem *problem, struct err *e)
{
    bool may_pass = false;
    const char *hint = "";
    enum err_code code = ERR_IO;

    switch (rest_class_of(status)) {
    case REST_DONE:
        return ERR_OK;
    case REST_AGAIN_LATER:
    case REST_OPEN:
        may_pass = true;
        break;
    case REST_WHO:
        code = ERR_CONFIG;
        hint = op == REST_OP_TOKEN ? "look at rest.credential" : who_hint(c);
        break;
    case REST_REFUSED:
        code = refusal(c, op, status, problem, &hint);
        break;
    }
    bool typed = problem->type[0] != '\0';

    (void)err_set(e, code, "%s answered %d%s%s%s%s%s%s%s",
                  op == REST_OP_TOKEN ? "the token server" : "the catalog", status,
                  typed ? " (" : "", problem->type, typed ? ")" : "",
                  problem->message[0] == '\0' ? "" : ": ", problem->message,
                  hint[0] == '\0' ? "" : "; ", hint);
    if (e != NULL) {
        e->retryable = may_pass;
    }
    return code;
}

void rest_doubt_address(struct err *e, const char *setting)
{
    struct err cause = *e;

    (void)err_set_retryable(e, cause.code, "%s; is the address right (%s)?", cause.msg, setting);
    e->os_errno = cause.os_errno;
}

bool rest_read_aws_error(const struct http_response *response, struct aws_error *out)
{
    struct rest_problem p;

    (void)aws_read_json_error(response, out);
    out->status = response->status;
    rest_problem_read(buf_span(&response->body), &p);
    if (p.type[0] != '\0') {
        (void)snprintf(out->code, sizeof out->code, "%s", p.type);
    }
    if (p.message[0] != '\0') {
        (void)snprintf(out->message, sizeof out->message, "%s", p.message);
    }
    return response->status >= 300;
}
