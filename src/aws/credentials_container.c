/*
 * credentials_container.c - the role of an ECS task or an EKS pod, from the endpoint beside it.
 *
 * Spec: AWS SDKs and Tools Reference Guide, "Container credential provider".
 */
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_int.h"
#include "net/uri.h"

#define RELATIVE_HOST "http://169.254.170.2"
#define TIMEOUT_US    ((int64_t)2000000)

/* "127." and three more numbers, all of them digits: "127.evil.example" is a name. */
static bool is_loopback(struct span host)
{
    unsigned dots = 0;

    for (size_t i = 0; i < host.len; i++) {
        bool dot = host.data[i] == '.';

        if (!dot && (host.data[i] < '0' || host.data[i] > '9')) {
            return false;
        }
        dots += dot;
    }
    return dots == 3 && host.len > 4 && memcmp(host.data, "127.", 4) == 0;
}

/* This machine, or one of the addresses beside it: no proxy reaches them for us. */
static bool is_near(struct span host)
{
    static const char *const hosts[] = {"localhost", "::1", "169.254.170.2", "169.254.170.23",
                                        "fd00:ec2::23"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (span_ieq_str(host, hosts[i])) {
            return true;
        }
    }
    return is_loopback(host);
}

/* Whom the token in the header may be shown to. */
static bool is_trusted(const struct uri *uri)
{
    return span_ieq_str(uri->scheme, "https") ||
           (span_ieq_str(uri->scheme, "http") && is_near(uri->host));
}

enum err_code credentials_container_url(const struct credentials_context *c, struct buf *out,
                                        struct err *e)
{
    const char *relative = credentials_variable(c, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = credentials_variable(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct uri uri;

    if (relative != NULL) {
        if (relative[0] != '/') {
            return err_set(e, ERR_CONFIG,
                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is '%s': expected a path that "
                           "starts with '/'",
                           relative);
        }
        buf_append_str(out, RELATIVE_HOST);
        buf_append_str(out, relative);
    } else if (full != NULL) {
        if (uri_parse(full, &uri, e) != ERR_OK) {
            err_wrap(e, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
            return ERR_CONFIG;
        }
        if (!is_trusted(&uri)) {
            return err_set(e, ERR_CONFIG,
                           "AWS_CONTAINER_CREDENTIALS_FULL_URI names the host %.*s, to which keys "
                           "must not be entrusted: expected https, this machine, 169.254.170.2, "
                           "169.254.170.23 or [fd00:ec2::23]",
                           (int)uri.host.len, (const char *)uri.host.data);
        }
        buf_append_str(out, full);
    }
    return buf_check(out, e, "the container's endpoint");
}

/* Appends what goes into the header; nothing when none is to. */
static enum err_code read_authorization(const struct credentials_context *c, struct buf *out,
                                        struct err *e)
{
    const char *file = credentials_variable(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = credentials_variable(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file != NULL) {
        enum err_code rc = credentials_read_token(file, out, e);

        if (rc != ERR_OK) {
            err_wrap(e, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        }
        return rc;
    }
    for (const char *p = token; p != NULL && *p != '\0'; p++) {
        if (*p < ' ' || *p >= 0x7f) {
            return err_set(e, ERR_CONFIG,
                           "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line end or a "
                           "strange character in it");
        }
    }
    buf_append_str(out, token == NULL ? "" : token);
    return buf_check(out, e, "the container's token");
}

static enum err_code read_answer(const struct http_response *r, const char *what,
                                 struct credentials *out, struct err *e)
{
    json_t *answer;

    if (r->status != 200) {
        return credentials_json_refused(
            what, r,
            "see whether the task or pod has a role, and AWS_CONTAINER_AUTHORIZATION_TOKEN", e);
    }
    enum err_code rc = credentials_parse_json(buf_span(&r->body), &answer, e);

    if (rc == ERR_OK) {
        rc = credentials_from_json(answer, "Token", out, e);
        json_decref(answer);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "%s", what);
    }
    return rc;
}

static enum err_code ask(const struct credentials_context *c, const char *url,
                         const char *authorization, struct credentials *out, struct err *e)
{
    struct uri uri;

    ERR_TRY(uri_parse(url, &uri, e));
    const struct http_header header = {"Authorization", authorization};
    struct http_response response = {0};
    char *what = str_format("asking the container's endpoint %s for keys", url);
    struct credentials_call call = {.what = what,
                                    .request = {.method = "GET",
                                                .url = url,
                                                .headers = &header,
                                                .header_count = authorization[0] == '\0' ? 0 : 1,
                                                .direct = is_near(uri.host),
                                                .timeout_us = TIMEOUT_US}};

    if (what == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = credentials_send(c, &call, &response, e);

    if (rc == ERR_OK) {
        rc = read_answer(&response, what, out, e);
    }
    credentials_response_deinit(&response);
    free(what);
    return rc;
}

enum err_code credentials_from_container(const struct credentials_context *c, bool *configured,
                                         struct credentials *out, struct err *e)
{
    struct buf url = {0};
    struct buf token = {0};
    enum err_code rc = credentials_container_url(c, &url, e);

    *configured = rc != ERR_OK || url.len > 0;
    if (rc == ERR_OK && *configured) {
        rc = read_authorization(c, &token, e);
    }
    if (rc == ERR_OK && *configured) {
        const char *from = buf_cstr(&url);
        const char *shown = buf_cstr(&token);

        credentials_set_provider(out, "container");
        rc = from == NULL || shown == NULL ? err_nomem(e) : ask(c, from, shown, out, e);
    }
    buf_deinit(&url);
    credentials_wipe(&token);
    return rc;
}
