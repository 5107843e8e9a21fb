/*
 * http_bed.h - a misbehaving server, a client, and the last response: what tests of the HTTP client
 * stand on.
 */
#ifndef CALVE_HTTP_BED_H
#define CALVE_HTTP_BED_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "fake_http.h"
#include "net/http_client.h"
#include "test.h"

#define MS ((int64_t)1000)

/* What the server does with its first, second, … request; behind the end it answers "ok". */
struct plan {
    enum fake_http_fault fault;
    int status;
    const char *headers;
    const char *body;
    int64_t delay_us;
    int64_t pause_us;
};

#define PLANS_MAX 8u

struct bed {
    struct fake_http *server;
    struct http_client *client;
    struct http_response response;
    struct err e;
    struct plan plans[PLANS_MAX];
    char url[200];
    pthread_mutex_t mutex; /* guards what the server saw last; read it when the answer has come */
    char *seen;            /* "METHOD target\n", headers as "Name: value\n", "\n", body */
};

static inline void note_request(struct bed *b, const struct fake_http_request *q)
{
    struct buf text = {0};

    buf_printf(&text, "%s %s\n", q->method, q->target);
    for (const char *at = q->headers; *at != '\0';) {
        const char *value = at + strlen(at) + 1;

        buf_printf(&text, "%s: %s\n", at, value);
        at = value + strlen(value) + 1;
    }
    buf_u8(&text, '\n');
    buf_append_span(&text, q->body);
    (void)pthread_mutex_lock(&b->mutex);
    free(b->seen);
    b->seen = buf_take_text(&text);
    (void)pthread_mutex_unlock(&b->mutex);
}

static inline void answer(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
{
    struct bed *b = ctx;

    note_request(b, q);
    if (q->index < PLANS_MAX) {
        const struct plan *p = &b->plans[q->index];

        r->fault = p->fault;
        r->status = p->status;
        r->delay_us = p->delay_us;
        r->pause_us = p->pause_us;
        buf_append_str(&r->headers, p->headers == NULL ? "" : p->headers);
        buf_append_str(&r->body, p->body == NULL ? "ok" : p->body);
    } else {
        buf_append_str(&r->body, "ok");
    }
}

static inline void forget_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(unsetenv(names[i]), 0);
    }
}

/* options NULL: all defaults. None of the environment's proxies counts unless a test sets one. */
static inline void bed_init(struct bed *b, const struct http_client_options *options)
{
    static const struct http_client_options none;

    forget_proxies();
    (void)pthread_mutex_init(&b->mutex, NULL);
    b->server = fake_http_new(answer, b);
    assert_ok(http_client_new(options == NULL ? &none : options, &b->client, &b->e), &b->e);
}

static inline void bed_deinit(struct bed *b)
{
    http_client_free(b->client);
    fake_http_free(b->server);
    http_response_deinit(&b->response);
    free(b->seen);
    (void)pthread_mutex_destroy(&b->mutex);
}

/* With other options, and with the same server. */
static inline void change_client(struct bed *b, const struct http_client_options *options)
{
    http_client_free(b->client);
    assert_ok(http_client_new(options, &b->client, &b->e), &b->e);
}

static inline const char *url_of(struct bed *b, const char *target)
{
    (void)snprintf(b->url, sizeof b->url, "%s%s", fake_http_url(b->server), target);
    return b->url;
}

static inline enum err_code send_it(struct bed *b, struct http_request q)
{
    http_response_deinit(&b->response);
    return http_send(b->client, &q, &b->response, &b->e);
}

static inline enum err_code get(struct bed *b, const char *target)
{
    return send_it(b, (struct http_request){.method = "GET", .url = url_of(b, target)});
}

static inline enum err_code post(struct bed *b, const char *target, const char *body)
{
    return send_it(b, (struct http_request){.method = "POST",
                                            .url = url_of(b, target),
                                            .body = span_str(body),
                                            .has_body = true});
}

static inline void assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static inline void assert_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("\"%s\" is in \"%s\"", part, text);
    }
}

static inline void assert_names_server(struct bed *b)
{
    char peer[64];

    (void)snprintf(peer, sizeof peer, "%s: ", fake_http_url(b->server) + strlen("http://"));
    assert_int_equal(strncmp(b->e.msg, peer, strlen(peer)), 0);
}

/* A port of this machine where nobody listens, as long as the socket is open. */
static inline int closed_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void echo(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
{
    (void)ctx;
    buf_append_span(&r->body, q->body);
}

#endif
