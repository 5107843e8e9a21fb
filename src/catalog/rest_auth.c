/*
 * rest_auth.c - who we are: a bearer token as it is, one that OAuth2 client credentials give and
 * renew, or a user with a password.
 *
 * Token request (RFC 6749, 4.4), as a form: grant_type=client_credentials, scope, audience,
 * resource, and client_id with client_secret, or these two in a Basic header where the server wants
 * that (2.3.1). Answer: {"access_token": "x", "token_type": "bearer", "expires_in": 3600}.
 *
 * A token is renewed when a tenth of its life is left, at most five minutes before its end; if that
 * fails it serves until its end.
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"
#include "codec/base64.h"
#include "net/uri.h"

#define TOKEN_PATH           "v1/oauth/tokens"
#define RENEW_EARLY_MAX_US   (INT64_C(300) * 1000000)
#define RENEW_AGAIN_US       (INT64_C(30) * 1000000)
#define TOKEN_LIFETIME_MAX_S (INT64_C(10) * 365 * 86400)
#define TOKEN_WAIT_MIN_US    100000
#define TOKEN_WAIT_MAX_US    5000000
#define TOKEN_RESPONSE_BYTES ((size_t)1 << 20)

/* What may stand in a header behind "Bearer ". */
static bool is_header_text(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    return text[0] != '\0';
}

/* A number, also one written as text. */
static int64_t seconds_of(const json_t *v)
{
    int64_t seconds = -1;

    if (json_is_integer(v)) {
        seconds = json_integer_value(v);
    } else if (json_is_real(v) && json_real_value(v) < (double)TOKEN_LIFETIME_MAX_S) {
        seconds = (int64_t)json_real_value(v);
    } else if (json_is_string(v) && !str_to_i64(span_str(json_string_value(v)), &seconds)) {
        seconds = -1;
    }
    return seconds > TOKEN_LIFETIME_MAX_S ? TOKEN_LIFETIME_MAX_S : seconds;
}

enum err_code rest_token_parse(struct span body, struct rest_token *out, struct err *e)
{
    *out = (struct rest_token){0};
    ERR_TRY(rest_json_parse(body, &out->json, e));
    int64_t seconds = seconds_of(json_object_get(out->json, "expires_in"));

    out->text = rest_text(out->json, "access_token");
    out->lifetime_us = seconds > 0 ? seconds * 1000000 : -1;
    if (out->text == NULL || !is_header_text(out->text)) {
        rest_token_deinit(out);
        return err_set(e, ERR_CORRUPT, "the answer has no usable access_token");
    }
    return ERR_OK;
}

void rest_token_deinit(struct rest_token *t)
{
    json_decref(t->json);
    *t = (struct rest_token){0};
}

/* Basic authentication of a client has both texts encoded first. */
static enum err_code basic_header(const char *user, const char *password, bool encoded,
                                  struct secret *out, struct err *e)
{
    struct buf plain = {0};
    struct buf value = {0};

    if (encoded) {
        uri_encode(&plain, span_str(user), false);
        buf_u8(&plain, ':');
        uri_encode(&plain, span_str(password), false);
    } else {
        buf_printf(&plain, "%s:%s", user, password);
    }
    buf_append_str(&value, "Basic ");
    if (plain.failed == ERR_OK) {
        base64_encode(buf_span(&plain), &value);
    }
    enum err_code rc = buf_check(&plain, e, "Authorization header");

    if (rc == ERR_OK) {
        rc = buf_check(&value, e, "Authorization header");
    }
    if (rc == ERR_OK) {
        out->text = buf_take_text(&value);
        rc = out->text == NULL ? err_nomem(e) : ERR_OK;
    }
    struct secret done = {buf_take_text(&plain)};

    secret_wipe(&done);
    buf_deinit(&value);
    return rc;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* "id:secret" or "secret". */
static enum err_code take_credential(struct rest_auth *a, const char *credential, struct err *e)
{
    const char *colon = strchr(credential, ':');

    if (colon != NULL) {
        a->client_id.text = str_ndup(credential, (size_t)(colon - credential));
    }
    a->client_secret.text = str_dup(colon == NULL ? credential : colon + 1);
    return a->client_secret.text == NULL || (colon != NULL && a->client_id.text == NULL)
               ? err_nomem(e)
               : ERR_OK;
}

static bool is_absolute(const char *uri)
{
    return strncmp(uri, "http://", strlen("http://")) == 0 ||
           strncmp(uri, "https://", strlen("https://")) == 0;
}

static enum err_code choose_server(struct rest_catalog *c, const char *given, struct err *e)
{
    struct rest_auth *a = &c->auth;
    struct uri own;
    struct uri other;

    if (given == NULL) {
        given = TOKEN_PATH;
    }
    if (is_absolute(given)) {
        ERR_TRY(rest_check_uri(given, "rest.oauth2-server-uri", e));
        a->server_uri = arena_strdup(&c->texts, given);
    } else {
        char *joined = str_format("%s/%s", c->uri, given + strspn(given, "/"));

        a->server_uri = joined == NULL ? NULL : arena_strdup(&c->texts, joined);
        free(joined);
    }
    if (a->server_uri == NULL) {
        return arena_fail(&c->texts, e, "settings of the catalog");
    }
    ERR_TRY(uri_parse(c->uri, &own, e));
    ERR_TRY(uri_parse(a->server_uri, &other, e));
    a->server_is_catalog =
        span_eq(own.scheme, other.scheme) && span_eq(own.authority, other.authority);
    return ERR_OK;
}

static enum err_code take_grant(struct rest_catalog *c, const struct catalog_rest_options *o,
                                struct err *e)
{
    struct rest_auth *a = &c->auth;
    const struct rest_config *config = &c->config;
    const char *scope = rest_setting(config, "scope", o->scope);

    a->scope = arena_strdup(&c->texts, scope == NULL ? "catalog" : scope);
    a->audience = arena_strdup(&c->texts, or_empty(rest_setting(config, "audience", o->audience)));
    a->resource = arena_strdup(&c->texts, or_empty(rest_setting(config, "resource", o->resource)));
    if (a->scope == NULL || a->audience == NULL || a->resource == NULL) {
        return arena_fail(&c->texts, e, "settings of the catalog");
    }
    return choose_server(c, rest_setting(config, "oauth2-server-uri", o->oauth2_server_uri), e);
}

static void forget(struct rest_auth *a)
{
    secret_wipe(&a->basic);
    secret_wipe(&a->client_id);
    secret_wipe(&a->client_secret);
    secret_wipe(&a->token);
    a->kind = REST_AUTH_NONE;
    a->basic_client = false;
}

enum err_code rest_auth_init(struct rest_catalog *c, const struct catalog_rest_options *options,
                             struct err *e)
{
    struct rest_auth *a = &c->auth;
    const char *token = rest_setting(&c->config, "token", options->token);
    const char *credential = rest_setting(&c->config, "credential", options->credential);

    forget(a);
    if (token != NULL) {
        if (!is_header_text(token)) {
            return err_set(e, ERR_CONFIG, "rest.token has a character that no token has");
        }
        a->kind = REST_AUTH_TOKEN;
        a->token.text = str_dup(token);
        a->generation++;
        a->renew_us = INT64_MAX;
        a->end_us = INT64_MAX;
        if (a->token.text == NULL) {
            return err_nomem(e);
        }
    }
    if (credential != NULL) {
        a->kind = REST_AUTH_CREDENTIAL;
        ERR_TRY(take_credential(a, credential, e));
        return take_grant(c, options, e);
    }
    if (a->kind == REST_AUTH_NONE && or_empty(options->basic_user)[0] != '\0') {
        a->kind = REST_AUTH_BASIC;
        return basic_header(options->basic_user, or_empty(options->basic_password), false,
                            &a->basic, e);
    }
    return ERR_OK;
}

void rest_auth_deinit(struct rest_auth *a)
{
    forget(a);
    (void)pthread_mutex_destroy(&a->mutex);
}

static enum err_code make_form(const struct rest_auth *a, bool basic_client, struct secret *out,
                               struct err *e)
{
    struct buf form = {0};

    uri_put_query(&form, "grant_type", "client_credentials");
    uri_put_query(&form, "scope", a->scope);
    if (!basic_client) {
        if (a->client_id.text != NULL) {
            uri_put_query(&form, "client_id", a->client_id.text);
        }
        uri_put_query(&form, "client_secret", a->client_secret.text);
    }
    if (a->audience[0] != '\0') {
        uri_put_query(&form, "audience", a->audience);
    }
    if (a->resource[0] != '\0') {
        uri_put_query(&form, "resource", a->resource);
    }
    enum err_code rc = buf_check(&form, e, "token request");

    out->text = buf_take_text(&form);
    return rc != ERR_OK ? rc : out->text == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code send_form(struct rest_catalog *c, const struct secret *form,
                               const struct secret *basic, struct http_response *out, struct err *e)
{
    const struct rest_auth *a = &c->auth;
    uint32_t own = a->server_is_catalog ? c->header_count : 0;
    struct http_header *headers = calloc((size_t)own + 3, sizeof *headers);
    uint32_t count = 0;

    if (headers == NULL) {
        return err_nomem(e);
    }
    headers[count++] = (struct http_header){"Content-Type", "application/x-www-form-urlencoded"};
    headers[count++] = (struct http_header){"Accept", "application/json"};
    if (basic->text != NULL) {
        headers[count++] = (struct http_header){"Authorization", basic->text};
    }
    for (uint32_t i = 0; i < own; i++) {
        headers[count++] = c->headers[i];
    }
    enum err_code rc = http_send(c->http,
                                 &(struct http_request){
                                     .method = "POST",
                                     .url = a->server_uri,
                                     .headers = headers,
                                     .header_count = count,
                                     .body = span_str(form->text),
                                     .has_body = true,
                                     .timeout_us = c->attempt_us,
                                     .response_bytes_max = TOKEN_RESPONSE_BYTES,
                                 },
                                 out, e);

    free(headers);
    return rc;
}

static enum err_code ask_server(struct rest_catalog *c, bool basic_client,
                                struct http_response *out, struct err *e)
{
    const struct rest_auth *a = &c->auth;
    struct secret form = {NULL};
    struct secret basic = {NULL};
    enum err_code rc = make_form(a, basic_client, &form, e);

    if (rc == ERR_OK && basic_client) {
        rc = basic_header(or_empty(a->client_id.text), a->client_secret.text, true, &basic, e);
    }
    if (rc == ERR_OK) {
        rc = send_form(c, &form, &basic, out, e);
    }
    secret_wipe(&form);
    secret_wipe(&basic);
    return rc;
}

/* Takes a token out of the answer; asked_us: when it was asked for. */
static enum err_code take_token(struct rest_auth *a, const struct http_response *response,
                                int64_t asked_us, struct err *e)
{
    struct rest_token token;

    ERR_TRY(rest_token_parse(buf_span(&response->body), &token, e));
    struct secret copy = {str_dup(token.text)};

    if (copy.text != NULL) {
        int64_t early_us = token.lifetime_us / 10;

        secret_wipe(&a->token);
        a->token = copy;
        a->generation++;
        early_us = early_us > RENEW_EARLY_MAX_US ? RENEW_EARLY_MAX_US : early_us;
        a->end_us = token.lifetime_us < 0 ? INT64_MAX : asked_us + token.lifetime_us;
        a->renew_us = token.lifetime_us < 0 ? INT64_MAX : a->end_us - early_us;
    }
    rest_token_deinit(&token);
    return copy.text == NULL ? err_nomem(e) : ERR_OK;
}

/* One exchange, and what it means. */
static enum err_code try_fetch(struct rest_catalog *c, bool basic_client,
                               struct http_response *response, enum rest_class *class,
                               struct rest_problem *problem, struct err *e)
{
    int64_t asked_us = clock_mono_us(&c->base.clock);
    enum err_code rc = ask_server(c, basic_client, response, e);

    problem->type[0] = '\0';
    if (rc != ERR_OK) {
        *class = e->retryable ? REST_AGAIN_LATER : REST_REFUSED;
        if (e->retryable && !c->auth.answered) {
            rest_doubt_address(e, "rest.oauth2-server-uri, without it catalog.uri");
        }
        return rc;
    }
    c->auth.answered = true;
    *class = rest_class_of(response->status);
    if (*class == REST_DONE) {
        rc = take_token(&c->auth, response, asked_us, e);
        *class = rc == ERR_OK ? REST_DONE : REST_REFUSED;
        return rc;
    }
    rest_problem_read(buf_span(&response->body), problem);
    rest_problem_hide(problem, c->auth.client_secret.text);
    return rest_explain(c, REST_OP_TOKEN, response->status, problem, e);
}

/* Gets a token; the mutex is held. Asking twice does no harm. */
static enum err_code fetch(struct rest_catalog *c, struct err *e)
{
    struct rest_auth *a = &c->auth;
    struct retry backoff = {TOKEN_WAIT_MIN_US, a->answered ? TOKEN_WAIT_MAX_US : REST_FIRST_WAIT_US,
                            0};
    int64_t start_us = clock_mono_us(&c->base.clock);
    bool basic_client = a->basic_client;
    bool again = true;
    enum err_code rc = ERR_OK;

    while (again) {
        struct http_response response = {0};
        struct rest_problem problem;
        enum rest_class class;

        rc = try_fetch(c, basic_client, &response, &class, &problem, e);
        again = false;
        if (class == REST_DONE) {
            a->basic_client = basic_client;
        } else if (!basic_client && strcmp(problem.type, "invalid_client") == 0) {
            basic_client = true;
            again = true;
        } else if (class == REST_AGAIN_LATER || class == REST_OPEN) {
            again = rest_wait(c, http_response_header(&response, "Retry-After"), &backoff,
                              start_us + rest_patience_us(c, a->answered));
        }
        http_response_deinit(&response);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "getting a token from %s", a->server_uri);
    }
    return rc;
}

/* A token that is valid now; the mutex is held. */
static enum err_code keep_valid(struct rest_catalog *c, struct err *e)
{
    struct rest_auth *a = &c->auth;
    int64_t now_us = clock_mono_us(&c->base.clock);
    struct err why = {0};

    if (a->kind != REST_AUTH_CREDENTIAL || (a->token.text != NULL && now_us < a->renew_us)) {
        return ERR_OK;
    }
    enum err_code rc = fetch(c, &why);

    if (rc == ERR_OK) {
        return ERR_OK;
    }
    now_us = clock_mono_us(&c->base.clock);
    if (a->token.text == NULL || now_us >= a->end_us) {
        if (e != NULL) {
            *e = why;
        }
        return rc;
    }
    log_warn(c->base.log, "catalog.token", LOG_STR("reason", why.msg),
             LOG_I64("ends_in_s", (a->end_us - now_us) / 1000000));
    a->renew_us = now_us + RENEW_AGAIN_US;
    return ERR_OK;
}

enum err_code rest_auth_header(struct rest_catalog *c, struct secret *out, uint64_t *generation,
                               struct err *e)
{
    struct rest_auth *a = &c->auth;

    *out = (struct secret){NULL};
    *generation = 0;
    if (a->kind == REST_AUTH_NONE) {
        return ERR_OK;
    }
    if (a->kind == REST_AUTH_BASIC) {
        out->text = str_dup(a->basic.text);
        return out->text == NULL ? err_nomem(e) : ERR_OK;
    }
    (void)pthread_mutex_lock(&a->mutex);
    enum err_code rc = keep_valid(c, e);

    if (rc == ERR_OK) {
        out->text = str_format("Bearer %s", a->token.text);
        *generation = a->generation;
        rc = out->text == NULL ? err_nomem(e) : ERR_OK;
    }
    (void)pthread_mutex_unlock(&a->mutex);
    return rc;
}

enum err_code rest_auth_renew(struct rest_catalog *c, uint64_t generation, bool *renewed,
                              struct err *e)
{
    struct rest_auth *a = &c->auth;
    enum err_code rc = ERR_OK;

    *renewed = a->kind == REST_AUTH_CREDENTIAL;
    if (!*renewed) {
        return ERR_OK;
    }
    (void)pthread_mutex_lock(&a->mutex);
    if (generation == a->generation) {
        rc = fetch(c, e);
    }
    (void)pthread_mutex_unlock(&a->mutex);
    return rc;
}
