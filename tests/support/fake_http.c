#include "fake_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "torture.h"

#define HEAD_BYTES_MAX ((size_t)256 << 10)
#define BODY_BYTES_MAX ((size_t)256 << 20)
#define READ_BYTES     ((size_t)16 << 10)

struct connection {
    struct connection *next;
    struct fake_http *server;
    unsigned number;
    pthread_t thread;
    int fd;    /* of the thread */
    bool open; /* guarded by the server's mutex: fd is one */
    bool done; /* guarded by the server's mutex: the thread is about to end */
    /* Of the thread: */
    struct buf in; /* received and not yet used, from `used` on */
    size_t used;
};

struct fake_http {
    fake_http_fn *answer;
    void *ctx;
    int listener;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t answering; /* held while the test's function runs */
    pthread_cond_t stopped;    /* stopping is true */
    pthread_mutex_t mutex;     /* guards the fields below */
    bool stopping;
    struct connection *connections;
    unsigned connection_count;
    unsigned request_count;
};

static void die(const char *what)
{
    perror(what);
    abort();
}

static bool send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- reading a request ---- */

/* One more piece of bytes; false when the client has left or there is no memory. */
static bool receive(struct connection *c)
{
    uint8_t *room = buf_reserve(&c->in, READ_BYTES);

    if (room == NULL) {
        return false;
    }
    ssize_t n;

    do {
        n = recv(c->fd, room, READ_BYTES, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return false;
    }
    c->in.len += (size_t)n;
    return true;
}

/* The line at c->used without its end, as an offset into c->in. */
static bool read_line(struct connection *c, size_t *start, size_t *len)
{
    for (size_t at = c->used;; at++) {
        while (at >= c->in.len) {
            if (!receive(c)) {
                return false;
            }
        }
        if (c->in.data[at] == '\n') {
            *start = c->used;
            *len = at - c->used;
            if (*len > 0 && c->in.data[at - 1] == '\r') {
                (*len)--;
            }
            c->used = at + 1;
            return true;
        }
        if (at - c->used > HEAD_BYTES_MAX) {
            return false;
        }
    }
}

static bool read_bytes(struct connection *c, size_t len, struct buf *out)
{
    while (c->in.len - c->used < len) {
        if (!receive(c)) {
            return false;
        }
    }
    buf_append(out, c->in.data + c->used, len);
    c->used += len;
    return out->failed == ERR_OK;
}

struct incoming {
    struct buf line;    /* method, target, path and query with a NUL each */
    struct buf headers; /* "name\0value\0" each, and one more NUL */
    struct buf body;
    struct fake_http_request request;
};

const char *fake_http_header(const struct fake_http_request *q, const char *name)
{
    const char *at = q->headers;

    while (*at != '\0') {
        const char *value = at + strlen(at) + 1;

        if (str_ieq(at, name)) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* What is no request at all gets the answer that servers have for it: TLS for example. */
static bool starts_request(struct connection *c)
{
    static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

    if (c->in.len == 0 && !receive(c)) {
        return false;
    }
    uint8_t first = c->in.data[0];
    bool ok = (first >= 'A' && first <= 'Z') || first == '\r' || first == '\n';

    return ok || (send_all(c->fd, bad, sizeof bad - 1) && false);
}

/* "GET /path?query HTTP/1.1" */
static bool read_request_line(struct connection *c, struct incoming *in)
{
    size_t start;
    size_t len;

    do { /* RFC 9112, 2.2: an empty line before a request is to be ignored */
        if (!read_line(c, &start, &len)) {
            return false;
        }
    } while (len == 0);
    buf_append(&in->line, c->in.data + start, len);
    char *line = buf_take_text(&in->line);
    char *target = line == NULL ? NULL : strchr(line, ' ');
    char *end = target == NULL ? NULL : strchr(target + 1, ' ');
    bool ok = end != NULL && str_starts_with(end + 1, "HTTP/1.");

    if (ok) {
        *target++ = '\0';
        *end = '\0';
        char *query = strchr(target, '?');
        int path_len = (int)(query == NULL ? strlen(target) : (size_t)(query - target));

        buf_printf(&in->line, "%s%c%s%c%.*s%c%s", line, 0, target, 0, path_len, target, 0,
                   query == NULL ? "" : query + 1);
        ok = buf_cstr(&in->line) != NULL;
    }
    if (ok) {
        struct fake_http_request *q = &in->request;

        q->method = (const char *)in->line.data;
        q->target = q->method + strlen(q->method) + 1;
        q->path = q->target + strlen(q->target) + 1;
        q->query = q->path + strlen(q->path) + 1;
    }
    free(line);
    return ok;
}

static bool read_headers(struct connection *c, struct incoming *in)
{
    for (;;) {
        size_t start;
        size_t len;

        if (!read_line(c, &start, &len)) {
            return false;
        }
        if (len == 0) {
            break;
        }
        const char *line = (const char *)c->in.data + start;
        const char *colon = memchr(line, ':', len);

        if (colon == NULL || in->headers.len > HEAD_BYTES_MAX) {
            return false;
        }
        const char *value = colon + 1;
        size_t value_len = len - (size_t)(value - line);

        while (value_len > 0 && (*value == ' ' || *value == '\t')) {
            value++;
            value_len--;
        }
        while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t')) {
            value_len--;
        }
        buf_append(&in->headers, line, (size_t)(colon - line));
        buf_u8(&in->headers, 0);
        buf_append(&in->headers, value, value_len);
        buf_u8(&in->headers, 0);
    }
    buf_u8(&in->headers, 0);
    in->request.headers = in->headers.data;
    return in->headers.failed == ERR_OK;
}

static bool read_chunks(struct connection *c, struct buf *out)
{
    for (;;) {
        size_t start;
        size_t len;

        if (!read_line(c, &start, &len)) {
            return false;
        }
        char *end;
        char digits[20] = "";

        memcpy(digits, c->in.data + start, len < sizeof digits - 1 ? len : sizeof digits - 1);
        unsigned long size = strtoul(digits, &end, 16);

        if (end == digits || size > BODY_BYTES_MAX || !read_bytes(c, size, out)) {
            return false;
        }
        if (size > 0 && (!read_line(c, &start, &len) || len != 0)) {
            return false;
        }
        if (size == 0) {
            do { /* trailers */
                if (!read_line(c, &start, &len)) {
                    return false;
                }
            } while (len > 0);
            return true;
        }
    }
}

static bool read_body(struct connection *c, struct incoming *in)
{
    const char *encoding = fake_http_header(&in->request, "Transfer-Encoding");
    const char *length = fake_http_header(&in->request, "Content-Length");
    const char *expect = fake_http_header(&in->request, "Expect");
    uint64_t len = 0;
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (expect != NULL && !send_all(c->fd, go_on, sizeof go_on - 1)) {
        return false;
    }
    bool ok;

    if (encoding != NULL && str_ieq(encoding, "chunked")) {
        ok = read_chunks(c, &in->body);
    } else {
        ok = length == NULL || (str_to_u64(span_str(length), &len) && len <= BODY_BYTES_MAX &&
                                read_bytes(c, (size_t)len, &in->body));
    }
    in->request.body = buf_span(&in->body);
    return ok;
}

static bool read_request(struct connection *c, struct incoming *in)
{
    if (c->used > 0) { /* what came after the last request goes to the front */
        memmove(c->in.data, c->in.data + c->used, c->in.len - c->used);
        c->in.len -= c->used;
        c->used = 0;
    }
    return starts_request(c) && read_request_line(c, in) && read_headers(c, in) && read_body(c, in);
}

/* ---- answering it ---- */

/* False when the server is to stop. */
static bool wait_us(struct fake_http *s, int64_t us)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us % 1000000 * 1000;

    until.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    (void)pthread_mutex_lock(&s->mutex);
    while (!s->stopping && pthread_cond_timedwait(&s->stopped, &s->mutex, &until) == 0) {
    }
    bool go_on = !s->stopping;

    (void)pthread_mutex_unlock(&s->mutex);
    return go_on;
}

static void wait_for_leaving(const struct connection *c)
{
    uint8_t ignored[256];
    ssize_t n;

    do {
        n = recv(c->fd, ignored, sizeof ignored, 0);
    } while (n > 0 || (n < 0 && errno == EINTR));
}

/* Without what is waiting to be sent or read: the client sees a reset. */
static void make_reset(const struct connection *c)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static bool has_own_length(const struct buf *headers)
{
    static const char *const names[] = {"content-length:", "transfer-encoding:"};

    for (size_t at = 0; at < headers->len; at++) {
        bool starts_line = at == 0 || headers->data[at - 1] == '\n';

        for (size_t i = 0; starts_line && i < 2; i++) {
            size_t len = strlen(names[i]);

            if (headers->len - at >= len &&
                span_ieq_str(span_of(headers->data + at, len), names[i])) {
                return true;
            }
        }
    }
    return false;
}

static bool send_body(struct connection *c, const struct fake_http_reply *r)
{
    size_t half = r->body.len / 2;

    if (r->pause_us > 0) {
        if (!send_all(c->fd, r->body.data, half) || !wait_us(c->server, r->pause_us)) {
            return false;
        }
        return send_all(c->fd, r->body.data + half, r->body.len - half);
    }
    return send_all(c->fd, r->body.data, r->fault == FAKE_HTTP_TRUNCATE ? half : r->body.len);
}

/* False: the connection is to be closed. */
static bool send_reply(struct connection *c, const struct fake_http_request *q,
                       struct fake_http_reply *r)
{
    int status = r->status == 0 ? 200 : r->status;
    bool bodyless = status == 204 || status == 304 || status < 200;
    struct buf head = {0};

    buf_printf(&head, "HTTP/1.1 %d Fake\r\n", status);
    buf_append_span(&head, buf_span(&r->headers));
    if (!bodyless && !has_own_length(&r->headers)) {
        buf_printf(&head, "Content-Length: %zu\r\n", r->body.len);
    }
    buf_append_str(&head, r->fault == FAKE_HTTP_CLOSE_AFTER ? "Connection: close\r\n\r\n" : "\r\n");
    bool ok = head.failed == ERR_OK && send_all(c->fd, head.data, head.len);

    buf_deinit(&head);
    if (ok && !bodyless && strcmp(q->method, "HEAD") != 0) {
        ok = send_body(c, r);
    }
    return ok && r->fault == FAKE_HTTP_ANSWER;
}

static bool act(struct connection *c, const struct fake_http_request *q, struct fake_http_reply *r)
{
    if (r->delay_us > 0 && !wait_us(c->server, r->delay_us)) {
        return false;
    }
    switch (r->fault) {
    case FAKE_HTTP_ANSWER:
    case FAKE_HTTP_TRUNCATE:
    case FAKE_HTTP_CLOSE_AFTER:
        return send_reply(c, q, r);
    case FAKE_HTTP_RAW:
        (void)send_body(c, r);
        return false;
    case FAKE_HTTP_RESET:
        make_reset(c);
        return false;
    case FAKE_HTTP_CLOSE:
        return false;
    case FAKE_HTTP_STALL:
        wait_for_leaving(c);
        return false;
    }
    abort();
}

static bool serve_one(struct connection *c)
{
    struct fake_http *s = c->server;
    struct incoming in = {0};
    struct fake_http_reply reply = {0};
    bool go_on = read_request(c, &in);

    if (go_on) {
        (void)pthread_mutex_lock(&s->answering);
        (void)pthread_mutex_lock(&s->mutex);
        in.request.index = s->request_count++;
        (void)pthread_mutex_unlock(&s->mutex);
        in.request.connection = c->number;
        s->answer(s->ctx, &in.request, &reply);
        (void)pthread_mutex_unlock(&s->answering);
        const char *connection = fake_http_header(&in.request, "Connection");

        go_on =
            act(c, &in.request, &reply) && (connection == NULL || !str_ieq(connection, "close"));
    }
    buf_deinit(&reply.headers);
    buf_deinit(&reply.body);
    buf_deinit(&in.line);
    buf_deinit(&in.headers);
    buf_deinit(&in.body);
    return go_on;
}

static void *serve(void *arg)
{
    struct connection *c = arg;

    torture_spare_thread();
    while (serve_one(c)) {
    }
    (void)pthread_mutex_lock(&c->server->mutex);
    c->open = false;
    c->done = true;
    (void)pthread_mutex_unlock(&c->server->mutex);
    (void)close(c->fd);
    buf_deinit(&c->in);
    return NULL;
}

/* ---- connections ---- */

/* Joins threads that are done, or all of them. */
static void reap(struct fake_http *s, bool all)
{
    struct connection *gone = NULL;

    (void)pthread_mutex_lock(&s->mutex);
    for (struct connection **at = &s->connections; *at != NULL;) {
        struct connection *c = *at;

        if (all || c->done) {
            *at = c->next;
            c->next = gone;
            gone = c;
        } else {
            at = &c->next;
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    while (gone != NULL) {
        struct connection *next = gone->next;

        (void)pthread_join(gone->thread, NULL);
        free(gone);
        gone = next;
    }
}

static void take_in(struct fake_http *s, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    const int yes = 1;

    if (c == NULL) {
        die("fake_http");
    }
    /* Else a body waits for the acknowledgement of its head, which a client puts off. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    *c = (struct connection){.server = s, .fd = fd, .open = true};
    buf_init(&c->in, BODY_BYTES_MAX + HEAD_BYTES_MAX + READ_BYTES);
    (void)pthread_mutex_lock(&s->mutex);
    c->number = s->connection_count++;
    c->next = s->connections;
    s->connections = c;
    int failed = pthread_create(&c->thread, NULL, serve, c);

    (void)pthread_mutex_unlock(&s->mutex);
    if (failed != 0) {
        die("fake_http: pthread_create");
    }
}

static void *accept_all(void *arg)
{
    struct fake_http *s = arg;

    torture_spare_thread();
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);

        if (fd >= 0) {
            take_in(s, fd);
            reap(s, false);
            continue;
        }
        (void)pthread_mutex_lock(&s->mutex);
        bool stopping = s->stopping;

        (void)pthread_mutex_unlock(&s->mutex);
        if (stopping) {
            return NULL;
        }
        if (errno != EINTR && errno != ECONNABORTED) {
            die("fake_http: accept");
        }
    }
}

static void listen_on_loopback(struct fake_http *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (const struct sockaddr *)&address, len) != 0 ||
        listen(s->listener, 128) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) != 0) {
        die("fake_http: listen");
    }
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

struct fake_http *fake_http_new(fake_http_fn *answer, void *ctx)
{
    struct fake_http *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;

    if (s == NULL) {
        die("fake_http");
    }
    s->answer = answer;
    s->ctx = ctx;
    (void)pthread_mutex_init(&s->answering, NULL);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->stopped, &attr);
    (void)pthread_condattr_destroy(&attr);
    listen_on_loopback(s);
    if (pthread_create(&s->acceptor, NULL, accept_all, s) != 0) {
        die("fake_http: pthread_create");
    }
    return s;
}

void fake_http_free(struct fake_http *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->stopped);
    (void)pthread_mutex_unlock(&s->mutex);
    (void)shutdown(s->listener, SHUT_RDWR);
    (void)pthread_join(s->acceptor, NULL);
    (void)pthread_mutex_lock(&s->mutex);
    for (const struct connection *c = s->connections; c != NULL; c = c->next) {
        if (c->open) {
            (void)shutdown(c->fd, SHUT_RDWR);
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    reap(s, true);
    (void)close(s->listener);
    (void)pthread_cond_destroy(&s->stopped);
    (void)pthread_mutex_destroy(&s->mutex);
    (void)pthread_mutex_destroy(&s->answering);
    free(s);
}

const char *fake_http_url(const struct fake_http *s)
{
    return s->url;
}

unsigned fake_http_requests(struct fake_http *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    unsigned count = s->request_count;

    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

unsigned fake_http_connections(struct fake_http *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    unsigned count = s->connection_count;

    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}
