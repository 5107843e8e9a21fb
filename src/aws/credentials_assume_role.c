/*
 * credentials_assume_role.c - the keys of a role, from STS.
 *
 *   POST / with Action=AssumeRole                  signed with other keys
 *   POST / with Action=AssumeRoleWithWebIdentity   not signed: a token says who asks
 *   <…Response><…Result><Credentials><AccessKeyId>, <SecretAccessKey>, <SessionToken>, <Expiration>
 *   <ErrorResponse><Error><Code>, <Message>
 *
 * Spec: AWS Security Token Service API Reference, version 2011-06-15.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_int.h"
#include "aws/credentials_int.h"
#include "aws/sigv4.h"
#include "codec/civil_time.h"
#include "net/uri.h"
#include "net/xml.h"

#define DURATION_S_DEFAULT 3600
#define DURATION_S_MIN     900
#define DURATION_S_MAX     43200
#define TIMEOUT_US         ((int64_t)10000000)
#define FIELDS             5u
#define FIELD_BYTES_MAX    8192u

/* ---- the answer ---- */

struct answer {
    const char *names[FIELDS]; /* the ends of paths, in the order of values */
    char *values[FIELDS];
};

enum { FIELD_ID, FIELD_SECRET, FIELD_TOKEN, FIELD_EXPIRATION };
enum { FIELD_CODE, FIELD_MESSAGE };

static enum err_code on_close(void *ctx, const char *path, const char *text, struct err *e)
{
    struct answer *a = ctx;

    for (size_t i = 0; i < FIELDS; i++) {
        if (a->names[i] != NULL && a->values[i] == NULL && str_ends_with(path, a->names[i]) &&
            strlen(text) < FIELD_BYTES_MAX) {
            a->values[i] = str_dup(text);
            return a->values[i] == NULL ? err_nomem(e) : ERR_OK;
        }
    }
    return ERR_OK;
}

static void answer_deinit(struct answer *a)
{
    for (size_t i = 0; i < FIELDS; i++) {
        secret_wipe(&(struct secret){a->values[i]});
    }
}

static enum err_code read_keys(const struct http_response *r, struct credentials *out,
                               struct err *e)
{
    struct answer a = {
        .names = {"Result/Credentials/AccessKeyId", "Result/Credentials/SecretAccessKey",
                  "Result/Credentials/SessionToken", "Result/Credentials/Expiration"}};
    const struct xml_handler handler = {.close = on_close, .ctx = &a};
    int64_t expires_us = 0;
    enum err_code rc = xml_parse(buf_span(&r->body), &handler, e);

    if (rc == ERR_CORRUPT) {
        rc = ERR_IO;
    } else if (rc == ERR_OK && (a.values[FIELD_EXPIRATION] == NULL ||
                                !civil_time_parse(a.values[FIELD_EXPIRATION], &expires_us))) {
        rc = err_set(e, ERR_IO, "the answer has no Credentials with an Expiration");
    } else if (rc == ERR_OK) {
        rc = credentials_set(out, a.values[FIELD_ID], a.values[FIELD_SECRET], a.values[FIELD_TOKEN],
                             expires_us, e);
        rc = rc == ERR_CONFIG ? ERR_IO : rc;
    }
    if (e != NULL) {
        e->code = rc;
    }
    answer_deinit(&a);
    return rc;
}

static void read_error(const struct http_response *r, struct answer *a)
{
    const struct xml_handler handler = {.close = on_close, .ctx = a};

    *a = (struct answer){.names = {"Error/Code", "Error/Message"}};
    /* Without XML the status says it all. */
    (void)!xml_parse(buf_span(&r->body), &handler, NULL);
}

/* STS could not reach the one who signed the token. */
static bool asks_again(const struct http_response *r)
{
    struct answer a;

    if (r->status == 200) {
        return false;
    }
    read_error(r, &a);
    bool again =
        a.values[FIELD_CODE] != NULL && strcmp(a.values[FIELD_CODE], "IDPCommunicationError") == 0;

    answer_deinit(&a);
    return again;
}

static const char *hint_of(const struct credentials_role *role, const char *code)
{
    bool web = role->base == NULL;

    if (code != NULL && strcmp(code, "SignatureDoesNotMatch") == 0) {
        return "see the secret access key, and this machine's clock";
    }
    if (code != NULL &&
        (strcmp(code, "ExpiredToken") == 0 || strcmp(code, "ExpiredTokenException") == 0)) {
        return web ? "does anybody still renew the token's file?"
                   : "the keys that the role is to be assumed with have ended";
    }
    if (code != NULL && strcmp(code, "ValidationError") == 0) {
        return "see the role's ARN, session name, external id and duration";
    }
    return web ? "see the role's trust policy: does it allow sts:AssumeRoleWithWebIdentity to the "
                 "token's issuer, subject and audience?"
               : "see the role's trust policy, and whether the keys' own policy allows "
                 "sts:AssumeRole";
}

static enum err_code refused(const struct credentials_role *role, const char *what,
                             const struct http_response *r, struct err *e)
{
    struct answer a;

    read_error(r, &a);
    enum err_code rc =
        credentials_refused(what, r->status, a.values[FIELD_CODE], a.values[FIELD_MESSAGE],
                            hint_of(role, a.values[FIELD_CODE]), e);

    answer_deinit(&a);
    return rc;
}

/* ---- the request ---- */

struct sts {
    const struct credentials_context *context;
    const struct credentials_role *role;
    char *region;
    struct aws_place place;
    char *host; /* as the Host header has it */
    char *path; /* the place's, with a '/' at its end */
    char *url;
    struct buf form;
};

static void sts_deinit(struct sts *s)
{
    free(s->region);
    aws_place_deinit(&s->place);
    free(s->host);
    free(s->path);
    free(s->url);
    credentials_wipe(&s->form);
}

/* Keys of any region are good in all of its partition, which the ARN names. */
static const char *region_of_arn(const char *arn)
{
    if (str_starts_with(arn, "arn:aws-cn:")) {
        return "cn-north-1";
    }
    return str_starts_with(arn, "arn:aws-us-gov:") ? "us-gov-west-1" : "us-east-1";
}

static enum err_code find_region(struct sts *s, struct err *e)
{
    const char *region = s->role->region;

    if (region == NULL) {
        ERR_TRY(credentials_named_region(s->context, &s->region, e));
        region = region_of_arn(s->role->arn);
    }
    if (s->region == NULL) {
        s->region = str_dup(region);
    }
    return s->region == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code find_url(struct sts *s, struct err *e)
{
    struct aws_place *p = &s->place;
    char *endpoint = aws_endpoint("sts", s->region, s->context->environment);
    enum err_code rc = endpoint == NULL ? err_nomem(e) : aws_place_init(p, endpoint, e);

    free(endpoint);
    if (rc != ERR_OK) {
        err_wrap(e, "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL");
        return rc;
    }
    s->host = p->port == 0 ? str_dup(p->host) : str_format("%s:%u", p->host, (unsigned)p->port);
    s->path = str_format("%s/", p->path);
    s->url = s->host == NULL || s->path == NULL
                 ? NULL
                 : str_format("%s://%s%s", p->scheme, s->host, s->path);
    return s->url == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code put_token(struct sts *s, struct err *e)
{
    struct buf token = {0};
    enum err_code rc = credentials_read_token(s->role->token_file, &token, e);

    if (rc == ERR_OK) {
        uri_put_query(&s->form, "WebIdentityToken", (const char *)token.data);
    } else {
        err_wrap(e, "the token of the web identity");
    }
    credentials_wipe(&token);
    return rc;
}

static enum err_code make_form(struct sts *s, struct err *e)
{
    const struct credentials_role *role = s->role;
    int64_t duration_s = role->duration_us / 1000000;
    char number[32];

    if (duration_s == 0) {
        duration_s = DURATION_S_DEFAULT;
    }
    if (duration_s < DURATION_S_MIN || duration_s > DURATION_S_MAX) {
        return err_set(e, ERR_CONFIG,
                       "the keys of a role cannot last %lld s: expected %d s to %d s",
                       (long long)duration_s, DURATION_S_MIN, DURATION_S_MAX);
    }
    (void)snprintf(number, sizeof number, "%lld", (long long)duration_s);
    uri_put_query(&s->form, "Action",
                  role->base == NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole");
    uri_put_query(&s->form, "Version", "2011-06-15");
    uri_put_query(&s->form, "RoleArn", role->arn);
    uri_put_query(&s->form, "RoleSessionName",
                  role->session_name == NULL ? CREDENTIALS_SESSION_NAME : role->session_name);
    uri_put_query(&s->form, "DurationSeconds", number);
    if (role->external_id != NULL) {
        uri_put_query(&s->form, "ExternalId", role->external_id);
    }
    if (role->base == NULL) {
        ERR_TRY(put_token(s, e));
    }
    return buf_check(&s->form, e, "a request to STS");
}

static enum err_code sign(const struct sts *s, const struct http_header *header,
                          struct sigv4_headers *out, struct err *e)
{
    const struct credentials *base = s->role->base;
    char hash[SIGV4_HASH_TEXT_BYTES];
    const struct sigv4_request request = {.method = "POST",
                                          .host = s->host,
                                          .path = s->path,
                                          .query = "",
                                          .headers = header,
                                          .header_count = 1,
                                          .payload_hash = hash};
    const struct sigv4_key key = {.access_key_id = base->access_key_id,
                                  .secret_access_key = base->secret_access_key.text,
                                  .session_token = base->session_token.text,
                                  .region = s->region,
                                  .service = "sts",
                                  .time_s = clock_wall_us(&s->context->clock) / 1000000};

    sigv4_hash(buf_span(&s->form), hash);
    return sigv4_sign(&request, &key, out, e);
}

static enum err_code ask(const struct sts *s, const char *what, struct credentials *out,
                         struct err *e)
{
    struct http_header headers[5] = {{"Content-Type", "application/x-www-form-urlencoded"}};
    struct http_response response = {0};
    struct sigv4_headers signature = {0};
    struct credentials_call call = {.what = what,
                                    .request = {.method = "POST",
                                                .url = s->url,
                                                .headers = headers,
                                                .header_count = 1,
                                                .body = buf_span(&s->form),
                                                .has_body = true,
                                                .timeout_us = TIMEOUT_US},
                                    .again = asks_again};
    enum err_code rc = s->role->base == NULL ? ERR_OK : sign(s, headers, &signature, e);

    if (rc == ERR_OK && s->role->base != NULL) {
        const char *token = signature.session_token;

        headers[1] = (struct http_header){"X-Amz-Date", signature.date};
        headers[2] =
            (struct http_header){"Authorization", (const char *)signature.authorization.data};
        headers[3] = (struct http_header){"X-Amz-Security-Token", token};
        call.request.header_count = token == NULL || token[0] == '\0' ? 3 : 4;
    }
    if (rc == ERR_OK) {
        rc = credentials_send(s->context, &call, &response, e);
        if (rc == ERR_OK && response.status != 200) {
            rc = refused(s->role, what, &response, e);
        } else if (rc == ERR_OK) {
            rc = read_keys(&response, out, e);
            if (rc != ERR_OK) {
                err_wrap(e, "%s", what);
            }
        }
    }
    sigv4_headers_deinit(&signature);
    credentials_response_deinit(&response);
    return rc;
}

enum err_code credentials_assume_role(const struct credentials_context *c,
                                      const struct credentials_role *role, struct credentials *out,
                                      struct err *e)
{
    struct sts s = {.context = c, .role = role};
    char *what = NULL;
    enum err_code rc = find_region(&s, e);

    if (rc == ERR_OK) {
        rc = find_url(&s, e);
    }
    if (rc == ERR_OK) {
        what = str_format("asking STS at %s for %s", s.url, role->arn);
        rc = what == NULL ? err_nomem(e) : make_form(&s, e);
    }
    if (rc == ERR_OK) {
        rc = ask(&s, what, out, e);
    }
    if (rc == ERR_OK && role->base != NULL) {
        credentials_set_provider(out, "%s then role %s", role->base->provider, role->arn);
    }
    free(what);
    sts_deinit(&s);
    return rc;
}
