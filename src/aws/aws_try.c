#include <stdlib.h>

#include "aws/aws_int.h"
#include "aws/sigv4.h"
#include "base/str.h"

#define OWN_HEADERS 4u

/* What goes on the wire, in the pieces that are signed too. */
struct wire {
    struct buf url;
    struct buf host;
    struct buf path;
    struct sigv4_headers signature;
    struct http_header *headers;
    uint32_t header_count;
};

static void wire_deinit(struct wire *w)
{
    buf_deinit(&w->url);
    buf_deinit(&w->host);
    buf_deinit(&w->path);
    sigv4_headers_deinit(&w->signature);
    free(w->headers);
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum err_code put_target(const struct aws_try *t, struct wire *w, struct err *e)
{
    const struct aws_request *q = t->request;
    char *host = aws_place_host(t->place, t->home, t->region);

    if (host == NULL) {
        return err_nomem(e);
    }
    if (has_text(q->host_prefix)) {
        buf_printf(&w->host, "%s.", q->host_prefix);
    }
    buf_append_str(&w->host, host);
    free(host);
    if (t->place->port != 0) {
        buf_printf(&w->host, ":%u", (unsigned)t->place->port);
    }
    buf_append_str(&w->path, t->place->path);
    buf_append_str(&w->path, q->path);
    const char *authority = buf_cstr(&w->host);
    const char *path = buf_cstr(&w->path);

    ERR_TRY(buf_check(&w->host, e, "a request's host"));
    ERR_TRY(buf_check(&w->path, e, "a request's path"));
    buf_printf(&w->url, "%s://%s%s", t->place->scheme, authority, path);
    if (has_text(q->query)) {
        buf_u8(&w->url, '?');
        buf_append_str(&w->url, q->query);
    }
    (void)buf_cstr(&w->url);
    return buf_check(&w->url, e, "a request's URL");
}

static void add_header(struct wire *w, const char *name, const char *value)
{
    if (has_text(value)) {
        w->headers[w->header_count++] = (struct http_header){name, value};
    }
}

static enum err_code put_signature(const struct aws_try *t, struct wire *w, struct err *e)
{
    const struct aws_request *q = t->request;
    const struct sigv4_request request = {.method = q->method,
                                          .host = (const char *)w->host.data,
                                          .path = (const char *)w->path.data,
                                          .query = has_text(q->query) ? q->query : "",
                                          .headers = q->headers,
                                          .header_count = q->header_count,
                                          .payload_hash = t->payload_hash};
    const struct sigv4_key key = {.access_key_id = t->keys->access_key_id,
                                  .secret_access_key = t->keys->secret_access_key.text,
                                  .session_token = t->keys->session_token.text,
                                  .region = t->region,
                                  .service = t->service->name,
                                  .time_s = t->time_s,
                                  .path_as_is = t->service->path_as_is,
                                  .send_payload_hash = t->service->send_payload_hash};

    if (!has_text(key.access_key_id) || !has_text(key.secret_access_key)) {
        return err_set(e, ERR_CONFIG, "the keys (%s) lack their %s", t->keys->provider,
                       has_text(key.access_key_id) ? "secret" : "id");
    }
    ERR_TRY(sigv4_sign(&request, &key, &w->signature, e));
    add_header(w, "x-amz-date", w->signature.date);
    add_header(w, "x-amz-content-sha256", w->signature.payload_hash);
    add_header(w, "x-amz-security-token", w->signature.session_token);
    add_header(w, "authorization", (const char *)w->signature.authorization.data);
    return ERR_OK;
}

static enum err_code send_wire(const struct aws_try *t, struct wire *w, struct http_response *out,
                               struct err *e)
{
    const struct aws_request *q = t->request;

    ERR_TRY(put_target(t, w, e));
    w->headers = calloc((size_t)q->header_count + OWN_HEADERS, sizeof *w->headers);
    if (w->headers == NULL) {
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < q->header_count; i++) {
        w->headers[w->header_count++] = q->headers[i];
    }
    if (t->keys != NULL) {
        ERR_TRY(put_signature(t, w, e));
    }
    const struct http_request request = {.method = q->method,
                                         .url = (const char *)w->url.data,
                                         .headers = w->headers,
                                         .header_count = w->header_count,
                                         .body = q->body,
                                         .has_body = q->has_body,
                                         .timeout_us = t->timeout_us,
                                         .response_bytes_max = q->response_bytes_max};

    return http_send(t->http, &request, out, e);
}

enum err_code aws_try_send(const struct aws_try *t, struct http_response *out, struct err *e)
{
    struct wire w = {0};

    *out = (struct http_response){0};
    enum err_code rc = send_wire(t, &w, out, e);

    wire_deinit(&w);
    return rc;
}
