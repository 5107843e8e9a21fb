/*
 * credentials_sso.c - the role of an IAM Identity Center user who signed in with `aws sso login`.
 *
 *   ~/.aws/sso/cache/<sha1 of the session's name or the start URL>.json
 *       {"accessToken", "expiresAt", and to renew it by ourselves: "refreshToken", "clientId",
 *        "clientSecret", "registrationExpiresAt"}
 *   POST oidc/token                          a new token, written back into that file
 *   GET portal/federation/credentials        the role's keys, for the token
 *
 * Spec: AWS SDKs and Tools Reference Guide, "IAM Identity Center credential provider"; IAM Identity
 * Center OIDC and portal API references.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_client.h"
#include "aws/credentials_int.h"
#include "codec/civil_time.h"
#include "codec/json_writer.h"
#include "net/uri.h"

#define CACHE_BYTES_MAX  ((size_t)256 << 10)
#define TIMEOUT_US       ((int64_t)10000000)
#define TOKEN_EARLY_US   ((int64_t)5 * 60 * 1000000)
#define EXPIRES_IN_S_MAX ((int64_t)365 * 86400)

struct sso {
    const struct credentials_context *context;
    const struct credentials_sso *options;
    char *cache_path;
    json_t *cache; /* an object */
};

static void sso_deinit(struct sso *s)
{
    free(s->cache_path);
    json_decref(s->cache);
}

static enum err_code sign_in_again(const struct sso *s, const char *why, struct err *e)
{
    return err_set(e, ERR_CONFIG, "%s: run `aws sso login --profile %s`", why, s->options->profile);
}

/* ---- the cache file ---- */

static enum err_code find_cache(struct sso *s, struct err *e)
{
    const struct credentials_sso *o = s->options;
    const char *key = o->session == NULL ? o->start_url : o->session;
    uint8_t digest[SHA_DIGEST_LENGTH];
    char hex[2 * SHA_DIGEST_LENGTH + 1];

    (void)SHA1((const unsigned char *)key, strlen(key), digest);
    str_hex(hex, digest, sizeof digest);
    char *name = str_format("~/.aws/sso/cache/%s.json", hex);
    enum err_code rc =
        name == NULL ? err_nomem(e) : credentials_path(s->context, name, &s->cache_path, e);

    free(name);
    return rc;
}

static enum err_code read_cache(struct sso *s, struct err *e)
{
    struct buf text = {0};
    bool missing = false;
    enum err_code rc = find_cache(s, e);

    if (rc == ERR_OK) {
        rc = credentials_read_file(s->cache_path, CACHE_BYTES_MAX, &text, &missing, e);
    }
    if (rc == ERR_OK && missing) {
        rc = sign_in_again(s, "nobody has signed in yet", e);
    } else if (rc == ERR_OK) {
        rc = credentials_parse_json(buf_span(&text), &s->cache, e);
        if (rc == ERR_IO) {
            rc = ERR_CONFIG;
            err_wrap(e, "%s", s->cache_path);
            if (e != NULL) {
                e->code = rc;
            }
        }
    }
    credentials_wipe(&text);
    return rc;
}

static const char *cached(const struct sso *s, const char *name)
{
    return json_string_value(json_object_get(s->cache, name));
}

/* When a time in the cache comes; INT64_MIN for none. */
static int64_t cached_time(const struct sso *s, const char *name)
{
    const char *text = cached(s, name);
    int64_t time_us;

    return text != NULL && civil_time_parse(text, &time_us) ? time_us : INT64_MIN;
}

/* ---- renewing the token ---- */

/* malloc'd; own is what the reference guide has for the service beside AWS_ENDPOINT_URL. */
static char *endpoint(const struct sso *s, const char *own, const char *service)
{
    const char *set = credentials_variable(s->context, own);
    char *url = set == NULL ? aws_endpoint(service, s->options->region, s->context->environment)
                            : str_dup(set);
    size_t len = url == NULL ? 0 : strlen(url);

    while (len > 0 && url[len - 1] == '/') {
        url[--len] = '\0';
    }
    return url;
}

static bool can_renew(const struct sso *s, int64_t now_us)
{
    return cached(s, "refreshToken") != NULL && cached(s, "clientId") != NULL &&
           cached(s, "clientSecret") != NULL && cached_time(s, "registrationExpiresAt") > now_us;
}

static void put_field(struct buf *out, const char *name, const char *text)
{
    buf_append_str(out, out->len == 0 ? "{" : ",");
    json_put_string(out, span_str(name));
    buf_u8(out, ':');
    json_put_string(out, span_str(text));
}

/* Takes what the answer brings into the cache. */
static enum err_code take_token(struct sso *s, const json_t *answer, int64_t now_us, struct err *e)
{
    const char *token = json_string_value(json_object_get(answer, "accessToken"));
    const char *refresh = json_string_value(json_object_get(answer, "refreshToken"));
    const json_t *expires_in = json_object_get(answer, "expiresIn");
    int64_t seconds = json_is_integer(expires_in) ? json_integer_value(expires_in) : 0;
    char expires_at[CREDENTIALS_TIME_TEXT_BYTES];

    if (token == NULL || seconds <= 0 || seconds > EXPIRES_IN_S_MAX) {
        return err_set(e, ERR_IO, "the JSON has no \"accessToken\" with an \"expiresIn\"");
    }
    credentials_put_time(expires_at, now_us + seconds * 1000000);
    if (json_object_set_new(s->cache, "accessToken", json_string(token)) != 0 ||
        json_object_set_new(s->cache, "expiresAt", json_string(expires_at)) != 0 ||
        (refresh != NULL &&
         json_object_set_new(s->cache, "refreshToken", json_string(refresh)) != 0)) {
        return err_nomem(e);
    }
    return ERR_OK;
}

/* The new token serves us in any case; that the next one to read the file asks anew is no harm
 * unless the service took the old refresh token back. */
static void write_cache(const struct sso *s)
{
    struct err why = {0};
    char *text = json_dumps(s->cache, JSON_INDENT(2));
    enum err_code rc = text == NULL ? err_nomem(&why)
                                    : credentials_replace_file(s->cache_path, span_str(text), &why);

    if (rc != ERR_OK) {
        log_warn(s->context->log, "credentials.sso_cache_not_written",
                 LOG_STR("profile", s->options->profile), LOG_STR("reason", why.msg));
    }
    secret_wipe(&(struct secret){text});
}

static enum err_code read_token_answer(struct sso *s, const char *what,
                                       const struct http_response *r, int64_t now_us, struct err *e)
{
    json_t *answer;

    if (r->status != 200) {
        return credentials_json_refused(what, r, NULL, e);
    }
    enum err_code rc = credentials_parse_json(buf_span(&r->body), &answer, e);

    if (rc == ERR_OK) {
        rc = take_token(s, answer, now_us, e);
        json_decref(answer);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "%s", what);
    }
    return rc;
}

static enum err_code renew_token(struct sso *s, int64_t now_us, struct err *e)
{
    static const struct http_header header = {"Content-Type", "application/json"};
    char *base = endpoint(s, "AWS_ENDPOINT_URL_SSO_OIDC", "oidc");
    char *url = base == NULL ? NULL : str_format("%s/token", base);
    char *what = url == NULL ? NULL : str_format("renewing the SSO token at %s", url);
    struct http_response response = {0};
    struct buf body = {0};

    put_field(&body, "grantType", "refresh_token");
    put_field(&body, "clientId", cached(s, "clientId"));
    put_field(&body, "clientSecret", cached(s, "clientSecret"));
    put_field(&body, "refreshToken", cached(s, "refreshToken"));
    buf_u8(&body, '}');
    enum err_code rc = what == NULL ? err_nomem(e) : buf_check(&body, e, "a request for a token");

    if (rc == ERR_OK) {
        const struct credentials_call call = {.what = what,
                                              .request = {.method = "POST",
                                                          .url = url,
                                                          .headers = &header,
                                                          .header_count = 1,
                                                          .body = buf_span(&body),
                                                          .has_body = true,
                                                          .timeout_us = TIMEOUT_US}};

        rc = credentials_send(s->context, &call, &response, e);
    }
    if (rc == ERR_OK) {
        rc = read_token_answer(s, what, &response, now_us, e);
    }
    if (rc == ERR_OK) {
        write_cache(s);
    }
    credentials_response_deinit(&response);
    credentials_wipe(&body);
    free(what);
    free(url);
    free(base);
    return rc;
}

/* Makes sure that the cache holds a token that is good now. */
static enum err_code need_token(struct sso *s, struct err *e)
{
    int64_t now_us = clock_wall_us(&s->context->clock);
    int64_t ends_us = cached_time(s, "expiresAt");
    bool good = cached(s, "accessToken") != NULL && ends_us > now_us;
    struct err why = {0};

    if (good && ends_us - now_us > TOKEN_EARLY_US) {
        return ERR_OK;
    }
    if (!can_renew(s, now_us)) {
        return good ? ERR_OK : sign_in_again(s, "the SSO token has ended", e);
    }
    enum err_code rc = renew_token(s, now_us, &why);

    if (rc == ERR_OK) {
        return ERR_OK;
    }
    if (good && rc != ERR_NOMEM && rc != ERR_CANCELLED) {
        log_warn(s->context->log, "credentials.sso_token_not_renewed",
                 LOG_STR("profile", s->options->profile), LOG_STR("reason", why.msg));
        return ERR_OK;
    }
    if (rc == ERR_CONFIG) {
        return sign_in_again(s, why.msg, e);
    }
    if (e != NULL) {
        *e = why;
    }
    return rc;
}

/* ---- keys ---- */

static enum err_code read_keys(const json_t *answer, struct credentials *out, struct err *e)
{
    const json_t *keys = json_object_get(answer, "roleCredentials");
    const json_t *ends = json_object_get(keys, "expiration");
    int64_t ends_ms = json_is_integer(ends) ? json_integer_value(ends) : 0;

    if (ends_ms <= 0 || ends_ms > INT64_MAX / 1000) {
        return err_set(e, ERR_IO, "the JSON has no \"roleCredentials\" with an \"expiration\"");
    }
    enum err_code rc = credentials_set(out, json_string_value(json_object_get(keys, "accessKeyId")),
                                       json_string_value(json_object_get(keys, "secretAccessKey")),
                                       json_string_value(json_object_get(keys, "sessionToken")),
                                       ends_ms * 1000, e);

    return rc == ERR_CONFIG ? err_set(e, ERR_IO, "the JSON is wrong: %s", e == NULL ? "" : e->msg)
                            : rc;
}

static enum err_code read_keys_answer(const struct sso *s, const char *what,
                                      const struct http_response *r, struct credentials *out,
                                      struct err *e)
{
    json_t *answer;

    if (r->status == 401) {
        return sign_in_again(s, "the SSO token is no longer accepted", e);
    }
    if (r->status != 200) {
        return credentials_json_refused(
            what, r, "see sso_account_id and sso_role_name: may this user have that role?", e);
    }
    enum err_code rc = credentials_parse_json(buf_span(&r->body), &answer, e);

    if (rc == ERR_OK) {
        rc = read_keys(answer, out, e);
        json_decref(answer);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "%s", what);
    }
    return rc;
}

/* malloc'd; NULL without memory. */
static char *keys_url(const struct sso *s)
{
    char *base = endpoint(s, "AWS_ENDPOINT_URL_SSO", "portal.sso");
    struct buf query = {0};

    uri_put_query(&query, "role_name", s->options->role_name);
    uri_put_query(&query, "account_id", s->options->account_id);
    const char *text = buf_cstr(&query);
    char *url = base == NULL || text == NULL
                    ? NULL
                    : str_format("%s/federation/credentials?%s", base, text);

    buf_deinit(&query);
    free(base);
    return url;
}

static enum err_code ask_keys(const struct sso *s, struct credentials *out, struct err *e)
{
    const struct http_header header = {"x-amz-sso_bearer_token", cached(s, "accessToken")};
    char *url = keys_url(s);
    char *what = url == NULL ? NULL : str_format("asking for SSO keys: GET %s", url);
    struct http_response response = {0};
    enum err_code rc =
        what == NULL ? err_nomem(e) : credentials_check_text(header.value, "SSO token", e);

    if (rc == ERR_OK) {
        const struct credentials_call call = {.what = what,
                                              .request = {.method = "GET",
                                                          .url = url,
                                                          .headers = &header,
                                                          .header_count = 1,
                                                          .timeout_us = TIMEOUT_US}};

        rc = credentials_send(s->context, &call, &response, e);
    }
    if (rc == ERR_OK) {
        rc = read_keys_answer(s, what, &response, out, e);
    }
    credentials_response_deinit(&response);
    free(what);
    free(url);
    return rc;
}

enum err_code credentials_from_sso(const struct credentials_context *c,
                                   const struct credentials_sso *sso, struct credentials *out,
                                   struct err *e)
{
    struct sso s = {.context = c, .options = sso};
    enum err_code rc = read_cache(&s, e);

    if (rc == ERR_OK) {
        rc = need_token(&s, e);
    }
    if (rc == ERR_OK) {
        rc = ask_keys(&s, out, e);
    }
    sso_deinit(&s);
    return rc;
}
