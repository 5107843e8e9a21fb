/*
 * fake_http.h - an HTTP/1.1 server on loopback that answers as a test's function says, and
 * misbehaves on demand.
 *
 *   static void answer(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
 *   {
 *       r->status = 200;
 *       buf_append_str(&r->body, "hello");
 *   }
 *   struct fake_http *server = fake_http_new(answer, NULL);
 *   ... fake_http_url(server) is "http://127.0.0.1:41234"
 *   fake_http_free(server);
 *
 * Connections are kept alive; each has a thread. The function is called by one thread at a time, on
 * the server's thread: it must not assert, as an assert jumps, but note what it saw for the test.
 * Allocations of these threads are not tortured.
 *
 * Thread: any.
 */
#ifndef CALVE_FAKE_HTTP_H
#define CALVE_FAKE_HTTP_H

#include "base/buf.h"

struct fake_http;

struct fake_http_request {
    unsigned index;      /* 0: the first one since the start, over all connections */
    unsigned connection; /* 0: the first one */
    const char *method;
    const char *target;  /* "/path?query" as it came */
    const char *path;    /* without the query */
    const char *query;   /* without '?'; "" for none */
    struct span body;    /* of a chunked one too */
    const void *headers; /* fake_http_header() reads them */
};

/* NULL when there is none; ASCII case ignored. Lives during the call. */
const char *fake_http_header(const struct fake_http_request *q, const char *name);

enum fake_http_fault {
    FAKE_HTTP_ANSWER,      /* as it should be */
    FAKE_HTTP_RESET,       /* closes with a reset, without an answer */
    FAKE_HTTP_CLOSE,       /* closes without an answer */
    FAKE_HTTP_STALL,       /* says nothing until the client leaves */
    FAKE_HTTP_TRUNCATE,    /* half of the body, then closes */
    FAKE_HTTP_CLOSE_AFTER, /* answers, then closes the connection */
    FAKE_HTTP_RAW,         /* the body as it is, without a status line, then closes */
};

struct fake_http_reply {
    int status;         /* 0 counts as 200 */
    struct buf headers; /* "Name: value\r\n" each; Content-Length comes by itself unless there is
                           one or a Transfer-Encoding here. HEAD gets the length, not the body */
    struct buf body;
    enum fake_http_fault fault;
    int64_t delay_us; /* before the answer */
    int64_t pause_us; /* in the middle of the body */
};

typedef void fake_http_fn(void *ctx, const struct fake_http_request *request,
                          struct fake_http_reply *reply);

/* Aborts the test program when it cannot listen. */
struct fake_http *fake_http_new(fake_http_fn *answer, void *ctx);
void fake_http_free(struct fake_http *s); /* waits for its threads; NULL is fine */

const char *fake_http_url(const struct fake_http *s); /* no trailing '/' */
unsigned fake_http_requests(struct fake_http *s);     /* so far */
unsigned fake_http_connections(struct fake_http *s);

#endif
