/*
 * http_client.h - HTTP/1.1 requests over kept connections.
 *
 * One thread of the client's own drives libcurl's multi handle, so all callers share its
 * connections. A request is sent once: nothing is tried again here and no redirect is followed.
 * The one exception is a GET or HEAD without a body on a kept connection that turns out to be
 * closed; libcurl sends that again by itself. URL, header values and body go out byte by byte as
 * given.
 *
 * Thread: any; several callers at a time.
 */
#ifndef CALVE_NET_HTTP_CLIENT_H
#define CALVE_NET_HTTP_CLIENT_H

#include "base/buf.h"

#define HTTP_RESPONSE_BYTES_DEFAULT ((size_t)16 << 20)

struct http_client;

struct http_header {
    const char *name;
    const char *value;
};

/* Texts: "" is as good as NULL. */
struct http_client_options {
    int64_t connect_timeout_us; /* 0: 5 s; name, connection and TLS together */
    /* 0: 20 s. A request ends when from its start on no byte went or came for so long; a server
     * that thinks before it answers has no longer than that. */
    int64_t stall_timeout_us;
    uint32_t connections_max; /* to one host, others wait; 0: 16 */
    const char *proxy;        /* URL; NULL: http_proxy, https_proxy and all_proxy. no_proxy counts
                                 in both cases, as curl has it */
    const char *ca_bundle;    /* PEM file beside which no other certificate counts; NULL: system */
    const char *client_cert;  /* PEM files; NULL: none */
    const char *client_key;
    const char *user_agent; /* NULL: "calve" */
    bool insecure_tls;      /* takes any certificate */
    /* True: requests in flight end with ERR_CANCELLED, within half a second, and no other starts.
     * Asked on any thread. May be NULL. */
    bool (*cancelled)(void *ctx);
    void *cancelled_ctx;
};

/* Copies what it needs. Errors: ERR_CONFIG a file that cannot be read, a proxy that is none. */
MUST_USE enum err_code http_client_new(const struct http_client_options *options,
                                       struct http_client **out, struct err *e);
/* No request may be in flight. NULL is fine. */
void http_client_free(struct http_client *c);
/* What the options' cancelled() says, for those who wait between two requests. */
bool http_client_cancelled(const struct http_client *c);

struct http_request {
    const char *method;
    const char *url; /* absolute; percent-encoded as it is to go on the wire, no fragment */
    const struct http_header *headers; /* Host and Content-Length come by themselves */
    uint32_t header_count;
    struct span body;          /* has_body false: none; the caller's until http_send returns */
    bool has_body;             /* an empty body has a Content-Length of 0 */
    bool direct;               /* without a proxy, whatever is set: a machine about itself */
    int64_t timeout_us;        /* of the whole exchange; 0: 5 minutes */
    size_t response_bytes_max; /* 0: HTTP_RESPONSE_BYTES_DEFAULT */
};

struct http_response {
    int status;
    struct buf headers; /* "name\0value\0" each, as received; use http_response_header() */
    struct buf body;    /* as sent: no Content-Encoding is asked for */
    bool sent; /* also after a failure: the server may have got the request. False: it certainly has
                  not, so that the same request can have no effect yet */
};

/*
 * Waits for the whole response; any status is ERR_OK. *out is initialised here, also on failure;
 * free it with http_response_deinit().
 *
 * Errors: ERR_TIMEOUT, ERR_IO (retryable where another try may help: not for a certificate that is
 *         wrong); ERR_CONFIG a URL, method or header that is none, HEAD with a body; ERR_LIMIT a
 * body beyond response_bytes_max, or a head beyond 256 KiB; ERR_CANCELLED; ERR_NOMEM. Messages name
 *         host and port, what was going on and what may be the cause, and never a path or query.
 */
MUST_USE enum err_code http_send(struct http_client *c, const struct http_request *request,
                                 struct http_response *out, struct err *e);

void http_response_deinit(struct http_response *r); /* zeroed is fine */

/* The last header of that name, ASCII case ignored; NULL when there is none. Lives as long as r. */
const char *http_response_header(const struct http_response *r, const char *name);

#endif
