/*
 * credentials_imds.c - the role of an EC2 instance, from its metadata service (version 2).
 *
 *   PUT /latest/api/token                                    a token for what follows
 *   GET /latest/meta-data/iam/security-credentials/          the role's name
 *   GET /latest/meta-data/iam/security-credentials/<role>    its keys
 *   GET /latest/meta-data/placement/region
 *
 * Elsewhere nobody answers, or somebody who is not asked for keys: the tries for the token are
 * short and few.
 *
 * Spec: Amazon EC2 User Guide, "Use IMDSv2".
 */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_int.h"
#include "aws/credentials_int.h"
#include "net/uri.h"

#define ROLES_PATH    "/latest/meta-data/iam/security-credentials/"
#define TIMEOUT_US    ((int64_t)1000000)
#define TOKEN_TRIES   2u
#define TOKEN_TTL_S   "21600"
#define NAME_BYTES    128u
#define SERVICE_NAME  "the instance metadata service"
#define ENDPOINT_IPV4 "http://169.254.169.254"
#define ENDPOINT_IPV6 "http://[fd00:ec2::254]"

struct imds {
    const struct credentials_context *context;
    char *endpoint; /* without '/' at its end */
    struct buf token;
};

static void imds_deinit(struct imds *s)
{
    free(s->endpoint);
    credentials_wipe(&s->token);
}

static enum err_code find_endpoint(const struct credentials_context *c, char **out, struct err *e)
{
    const char *set = credentials_variable(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = credentials_variable(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    bool ipv6 = mode != NULL && str_ieq(mode, "ipv6");
    struct uri uri;

    if (mode != NULL && !ipv6 && !str_ieq(mode, "ipv4")) {
        return err_set(e, ERR_CONFIG,
                       "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is '%s': expected IPv4 or IPv6",
                       mode);
    }
    if (set == NULL) {
        set = ipv6 ? ENDPOINT_IPV6 : ENDPOINT_IPV4;
    }
    enum err_code rc = uri_parse(set, &uri, e);

    if (rc != ERR_OK) {
        err_wrap(e, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
        return rc;
    }
    size_t len = strlen(set);

    while (len > 0 && set[len - 1] == '/') {
        len--;
    }
    *out = str_ndup(set, len);
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

/* ---- one request ---- */

struct ask {
    const char *method;
    const char *path;
    struct http_header header;
    unsigned tries;
};

/* Any status is ERR_OK; *what is malloc'd, for messages about the answer. */
static enum err_code imds_send(const struct imds *s, const struct ask *ask,
                               struct http_response *response, char **what, struct err *e)
{
    char *url = str_format("%s%s", s->endpoint, ask->path);

    *what = str_format("asking " SERVICE_NAME ": %s %s", ask->method, url == NULL ? "" : url);
    enum err_code rc = url == NULL || *what == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK) {
        const struct credentials_call call = {.what = *what,
                                              .request = {.method = ask->method,
                                                          .url = url,
                                                          .headers = &ask->header,
                                                          .header_count = 1,
                                                          .has_body = ask->method[0] == 'P',
                                                          .direct = true,
                                                          .timeout_us = TIMEOUT_US},
                                              .tries = ask->tries};

        rc = credentials_send(s->context, &call, response, e);
    }
    free(url);
    return rc;
}

static enum err_code take_token(const struct http_response *r, const char *what, struct buf *out,
                                struct err *e)
{
    buf_append_span(out, buf_span(&r->body));
    if (buf_cstr(out) == NULL) {
        return buf_check(out, e, "a token");
    }
    enum err_code rc = credentials_check_text((const char *)out->data, "token in the answer", e);

    if (rc != ERR_OK) {
        err_wrap(e, "%s", what);
    }
    return rc == ERR_OK ? ERR_OK : ERR_IO;
}

/*
 * Opens a session. *there false: this is no instance, or one that does not want to be asked.
 */
static enum err_code imds_init(struct imds *s, const struct credentials_context *c, bool *there,
                               struct err *e)
{
    const char *off = credentials_variable(c, "AWS_EC2_METADATA_DISABLED");
    const struct ask ask = {.method = "PUT",
                            .path = "/latest/api/token",
                            .header = {"x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_S},
                            .tries = TOKEN_TRIES};
    struct http_response response = {0};
    char *what = NULL;

    *s = (struct imds){.context = c};
    *there = false;
    if (off != NULL && str_ieq(off, "true")) {
        return err_set(e, ERR_CONFIG, SERVICE_NAME " is switched off by AWS_EC2_METADATA_DISABLED");
    }
    enum err_code rc = find_endpoint(c, &s->endpoint, e);

    if (rc != ERR_OK) {
        *there = true;
        return rc;
    }
    rc = imds_send(s, &ask, &response, &what, e);
    if (rc == ERR_OK && response.status != 200) {
        *there = response.status >= 500 || response.status == 429;
        rc = credentials_refused(what, response.status, NULL, NULL,
                                 "expected a token: is the service (version 2) switched on?", e);
    } else if (rc == ERR_OK) {
        *there = true;
        rc = take_token(&response, what, &s->token, e);
    } else {
        *there = rc == ERR_NOMEM || rc == ERR_CANCELLED;
    }
    credentials_response_deinit(&response);
    free(what);
    return rc;
}

/* Appends the body. *found false: 404, which is ERR_OK then; NULL: that is an error. */
static enum err_code imds_get(const struct imds *s, const char *path, struct buf *out, bool *found,
                              struct err *e)
{
    const struct ask ask = {.method = "GET",
                            .path = path,
                            .header = {"x-aws-ec2-metadata-token", (const char *)s->token.data}};
    struct http_response response = {0};
    char *what = NULL;
    enum err_code rc = imds_send(s, &ask, &response, &what, e);

    if (found != NULL) {
        *found = rc != ERR_OK || response.status != 404;
    }
    if (rc == ERR_OK && response.status == 200) {
        buf_append_span(out, buf_span(&response.body));
        rc = buf_cstr(out) == NULL ? buf_check(out, e, what) : ERR_OK;
    } else if (rc == ERR_OK && (found == NULL || *found)) {
        rc = credentials_json_refused(what, &response, NULL, e);
    }
    credentials_response_deinit(&response);
    free(what);
    return rc;
}

/* ---- keys ---- */

/* The first line, if it can be a role's name; "" when there is none. */
static enum err_code take_role(struct span body, char out[NAME_BYTES], struct err *e)
{
    size_t len = 0;

    while (len < body.len && body.data[len] != '\n' && body.data[len] != '\r') {
        uint8_t c = body.data[len];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (c == '\0' || strchr("_+=,.@-", c) == NULL)) {
            len = NAME_BYTES;
            break;
        }
        len++;
    }
    if (len >= NAME_BYTES) {
        return err_set(e, ERR_IO, SERVICE_NAME " names a role that cannot be one");
    }
    if (len > 0) {
        memcpy(out, body.data, len);
    }
    out[len] = '\0';
    return ERR_OK;
}

static enum err_code read_role(struct span body, struct credentials *out, struct err *e)
{
    json_t *answer;

    ERR_TRY(credentials_parse_json(body, &answer, e));
    const char *code = json_string_value(json_object_get(answer, "Code"));
    enum err_code rc =
        code != NULL && strcmp(code, "Success") != 0
            ? credentials_refused("its keys", 200, code,
                                  json_string_value(json_object_get(answer, "Message")),
                                  "see whether the instance may have this role", e)
            : credentials_from_json(answer, "Token", out, e);

    json_decref(answer);
    return rc;
}

static enum err_code get_role(const struct imds *s, const char *role, struct credentials *out,
                              struct err *e)
{
    struct buf body = {0};
    char *path = str_format(ROLES_PATH "%s", role);
    enum err_code rc = path == NULL ? err_nomem(e) : imds_get(s, path, &body, NULL, e);

    if (rc == ERR_OK) {
        rc = read_role(buf_span(&body), out, e);
        if (rc != ERR_OK) {
            err_wrap(e, SERVICE_NAME ", role %s", role);
        }
    }
    credentials_wipe(&body);
    free(path);
    credentials_set_provider(out, "instance metadata (role %s)", role);
    return rc;
}

static enum err_code get_keys(const struct imds *s, bool *configured, struct credentials *out,
                              struct err *e)
{
    char role[NAME_BYTES] = "";
    struct buf body = {0};
    bool found;
    enum err_code rc = imds_get(s, ROLES_PATH, &body, &found, e);

    if (rc == ERR_OK && found) {
        rc = take_role(buf_span(&body), role, e);
    }
    buf_deinit(&body);
    if (rc == ERR_OK && role[0] == '\0') {
        *configured = false;
        return err_set(e, ERR_CONFIG,
                       SERVICE_NAME " knows no role: none is attached to the "
                                    "instance");
    }
    return rc == ERR_OK ? get_role(s, role, out, e) : rc;
}

enum err_code credentials_from_imds(const struct credentials_context *c, bool *configured,
                                    struct credentials *out, struct err *e)
{
    struct imds s;
    enum err_code rc = imds_init(&s, c, configured, e);

    if (rc == ERR_OK) {
        rc = get_keys(&s, configured, out, e);
    }
    imds_deinit(&s);
    return rc;
}

enum err_code credentials_imds_region(const struct credentials_context *c, char **out,
                                      struct err *e)
{
    struct buf body = {0};
    struct imds s;
    bool there;
    enum err_code rc = imds_init(&s, c, &there, e);

    *out = NULL;
    if (rc == ERR_OK) {
        rc = imds_get(&s, "/latest/meta-data/placement/region", &body, NULL, e);
    }
    if (rc == ERR_OK && !aws_region_is_valid((const char *)body.data)) {
        rc = err_set(e, ERR_IO, SERVICE_NAME " names a region that cannot be one");
    }
    if (rc == ERR_OK) {
        *out = buf_take_text(&body);
        rc = *out == NULL ? err_nomem(e) : ERR_OK;
    }
    buf_deinit(&body);
    imds_deinit(&s);
    return rc;
}
