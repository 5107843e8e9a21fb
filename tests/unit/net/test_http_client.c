#include "net/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "fake_http.h"
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
    pthread_mutex_t mutex; /* guards what the server saw last */
    char *seen;            /* "METHOD target\n", headers as "Name: value\n", "\n", body */
};

static void note_request(struct bed *b, const struct fake_http_request *q)
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

static void answer(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
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

static void forget_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(unsetenv(names[i]), 0);
    }
}

/* Options of a bed; none of the environment's proxies counts unless a test sets one. */
static void bed_init(struct bed *b, const struct http_client_options *options)
{
    static const struct http_client_options none;

    forget_proxies();
    (void)pthread_mutex_init(&b->mutex, NULL);
    b->server = fake_http_new(answer, b);
    assert_ok(http_client_new(options == NULL ? &none : options, &b->client, &b->e), &b->e);
}

static void bed_deinit(struct bed *b)
{
    http_client_free(b->client);
    fake_http_free(b->server);
    http_response_deinit(&b->response);
    free(b->seen);
    (void)pthread_mutex_destroy(&b->mutex);
}

/* With other options, and with the same server. */
static void change_client(struct bed *b, const struct http_client_options *options)
{
    http_client_free(b->client);
    assert_ok(http_client_new(options, &b->client, &b->e), &b->e);
}

static const char *url_of(struct bed *b, const char *target)
{
    (void)snprintf(b->url, sizeof b->url, "%s%s", fake_http_url(b->server), target);
    return b->url;
}

static enum err_code send_it(struct bed *b, struct http_request q)
{
    http_response_deinit(&b->response);
    return http_send(b->client, &q, &b->response, &b->e);
}

static enum err_code get(struct bed *b, const char *target)
{
    return send_it(b, (struct http_request){.method = "GET", .url = url_of(b, target)});
}

static enum err_code post(struct bed *b, const char *target, const char *body)
{
    return send_it(b, (struct http_request){.method = "POST",
                                            .url = url_of(b, target),
                                            .body = span_str(body),
                                            .has_body = true});
}

static void assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static void assert_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("\"%s\" is in \"%s\"", part, text);
    }
}

/* ---- requests as they are sent ---- */

TEST(test_http_client__brings_the_whole_response)
{
    struct bed b = {.plans = {{.status = 404,
                               .headers = "X-One: 1\r\nx-two:  b c \t\r\nX-One: 2\r\nX-Empty:\r\n",
                               .body = "not here"}}};

    bed_init(&b, NULL);
    assert_ok(get(&b, "/a?b"), &b.e);
    assert_int_equal(b.response.status, 404);
    assert_text_eq(buf_span(&b.response.body), "not here");
    assert_true(b.response.sent);
    assert_string_equal(http_response_header(&b.response, "x-one"), "2");
    assert_string_equal(http_response_header(&b.response, "X-TWO"), "b c");
    assert_string_equal(http_response_header(&b.response, "X-Empty"), "");
    assert_string_equal(http_response_header(&b.response, "Content-Length"), "8");
    assert_null(http_response_header(&b.response, "X-On"));
    bed_deinit(&b);
}

TEST(test_http_client__sends_what_it_is_given)
{
    static const struct http_header headers[] = {
        {"Authorization", "AWS4-HMAC-SHA256 Credential=a/b, Signature=c"},
        {"x-amz-empty", ""},
        {"x-amz-blank", "  "},
        {"X-Case", "kept; as: it is"},
    };
    struct bed b = {0};

    bed_init(&b, NULL);
    assert_ok(send_it(&b, (struct http_request){.method = "PUT",
                                                .url = url_of(&b, "/b/k?x=1"),
                                                .headers = headers,
                                                .header_count = 4,
                                                .body = span_of("a\0b", 3),
                                                .has_body = true}),
              &b.e);
    assert_in(b.seen, "PUT /b/k?x=1\nHost: 127.0.0.1:");
    assert_in(b.seen, "\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c\n");
    assert_in(b.seen, "\nx-amz-empty: \nx-amz-blank: \nX-Case: kept; as: it is\n");
    assert_in(b.seen, "\nUser-Agent: calve\n");
    assert_in(b.seen, "\nContent-Length: 3\n");
    assert_in(b.seen, "\n\na");
    assert_not_in(b.seen, "Content-Type");
    assert_not_in(b.seen, "Expect");
    assert_not_in(b.seen, "Encoding");
    bed_deinit(&b);
}

static const struct {
    const char *method;
    const char *body; /* NULL: none */
    const char *length;
} bodies[] = {
    {"GET", NULL, NULL},        {"POST", NULL, NULL},    {"PUT", NULL, NULL},
    {"DELETE", NULL, NULL},     {"HEAD", NULL, NULL},    {"OPTIONS", NULL, NULL},
    {"POST", "", "0"},          {"PUT", "", "0"},        {"PUT", "1234567", "7"},
    {"DELETE", "1234567", "7"}, {"GET", "1234567", "7"}, {"PATCH", "1234567", "7"},
};

TEST(test_http_client__sends_a_length_when_there_is_a_body)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char want[64];

        assert_ok(send_it(&b, (struct http_request){.method = bodies[i].method,
                                                    .url = url_of(&b, "/"),
                                                    .body = span_str(bodies[i].body == NULL
                                                                         ? "not sent"
                                                                         : bodies[i].body),
                                                    .has_body = bodies[i].body != NULL}),
                  &b.e);
        (void)snprintf(want, sizeof want, "%s /\n", bodies[i].method);
        assert_int_equal(strncmp(b.seen, want, strlen(want)), 0);
        if (bodies[i].length == NULL) {
            assert_not_in(b.seen, "Content-Length");
        } else {
            (void)snprintf(want, sizeof want, "\nContent-Length: %s\n", bodies[i].length);
            assert_in(b.seen, want);
        }
        assert_not_in(b.seen, "Content-Type");
        assert_not_in(b.seen, "Transfer-Encoding");
        (void)snprintf(want, sizeof want, "\n\n%s", bodies[i].body == NULL ? "" : bodies[i].body);
        assert_true(str_ends_with(b.seen, want));
    }
    assert_int_equal(fake_http_connections(b.server), 1);
    bed_deinit(&b);
}

TEST(test_http_client__leaves_urls_as_they_are)
{
    static const char *const targets[] = {
        "/",
        "//a//b/",
        "/./a/../b/..",
        "/%7e/%2F/%c3%a4/%20",
        "/a~b*c'd(e)!$&+,;=:@",
        "/k?list-type=2&prefix=a%2Fb&x",
        "/k?a=b+c%20d/../?e",
        "/?uploads",
        "/k?x=[]{}|",
        "/%",
        "/arn%3Aaws%3As3tables%3Aeu%3A1%3Abucket%2Fname",
    };
    struct bed b = {0};

    bed_init(&b, NULL);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        char want[200];

        assert_ok(get(&b, targets[i]), &b.e);
        (void)snprintf(want, sizeof want, "GET %s\n", targets[i]);
        if (strncmp(b.seen, want, strlen(want)) != 0) {
            fail_msg("%s came as %s", targets[i], b.seen);
        }
    }
    assert_ok(get(&b, ""), &b.e);
    assert_in(b.seen, "GET /\n");
    bed_deinit(&b);
}

TEST(test_http_client__takes_a_content_type_and_an_agent)
{
    static const struct http_header headers[] = {{"content-type", "application/json"}};
    struct bed b = {0};

    bed_init(&b, &(struct http_client_options){.user_agent = "calve/1.2 (test)"});
    assert_ok(send_it(&b, (struct http_request){.method = "POST",
                                                .url = url_of(&b, "/"),
                                                .headers = headers,
                                                .header_count = 1,
                                                .body = span_str("{}"),
                                                .has_body = true}),
              &b.e);
    assert_in(b.seen, "\ncontent-type: application/json\n");
    assert_in(b.seen, "\nUser-Agent: calve/1.2 (test)\n");
    bed_deinit(&b);
}

static const struct {
    struct http_header header;
    const char *message;
} bad_headers[] = {
    {{"", "x"}, "\"\" cannot be the name"},
    {{"a b", "x"}, "\"a b\" cannot be the name"},
    {{"a:", "x"}, "\"a:\" cannot be the name"},
    {{"a\r\nb", "x"}, "cannot be the name"},
    {{"X-Key", "secret\r\nX-Evil: 1"},
     "the value of the HTTP header X-Key has a control character"},
    {{"X-Key", "secret\x7f"}, "the value of the HTTP header X-Key has a control character"},
};

TEST(test_http_client__refuses_what_cannot_be_sent)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
        assert_err(send_it(&b, (struct http_request){.method = "GET",
                                                     .url = url_of(&b, "/"),
                                                     .headers = &bad_headers[i].header,
                                                     .header_count = 1}),
                   ERR_CONFIG, &b.e);
        assert_in(b.e.msg, bad_headers[i].message);
        assert_not_in(b.e.msg, "secret");
        assert_false(b.response.sent);
        assert_false(b.e.retryable);
    }
    assert_err(send_it(&b, (struct http_request){.method = "GET /", .url = url_of(&b, "/")}),
               ERR_CONFIG, &b.e);
    assert_err(send_it(&b, (struct http_request){.method = "GET", .url = "file:///etc/passwd"}),
               ERR_CONFIG, &b.e);
    assert_err(send_it(&b, (struct http_request){.method = "GET", .url = "ftp://host/"}),
               ERR_CONFIG, &b.e);
    assert_string_equal(b.e.msg, "a URL has to start with http:// or https://, not ftp://");
    assert_err(send_it(&b, (struct http_request){.method = "GET", .url = "/path"}), ERR_CONFIG,
               &b.e);
    assert_int_equal(fake_http_requests(b.server), 0);
    bed_deinit(&b);
}

/* ---- responses ---- */

static const struct {
    const char *method;
    struct plan plan;
    int status;
    const char *body;
    const char *header; /* "X-A"'s value */
} responses[] = {
    {"GET", {.status = 204, .headers = "X-A: 1\r\n"}, 204, "", "1"},
    {"GET", {.status = 304}, 304, "", NULL},
    {"GET", {.body = ""}, 200, "", NULL},
    {"GET",
     {.status = 307, .headers = "Location: /elsewhere\r\nX-A: r\r\n", .body = "there"},
     307,
     "there",
     "r"},
    {"GET",
     {.status = 401, .headers = "WWW-Authenticate: Basic\r\n", .body = "no"},
     401,
     "no",
     NULL},
    {"GET", {.status = 417, .body = "no"}, 417, "no", NULL},
    {"GET", {.status = 503, .body = "busy"}, 503, "busy", NULL},
    {"GET",
     {.headers = "Content-Encoding: gzip\r\n", .body = "\x1f\x8bno gzip"},
     200,
     "\x1f\x8bno gzip",
     NULL},
    {"GET",
     {.headers = "Transfer-Encoding: chunked\r\n", .body = "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"},
     200,
     "abcd",
     NULL},
    {"GET",
     {.headers = "Transfer-Encoding: chunked\r\nX-A: 1\r\n",
      .body = "3\r\nabc\r\n0\r\nX-A: 2\r\nX-B: 3\r\n\r\n"},
     200,
     "abc",
     "1"},
    {"GET",
     {.fault = FAKE_HTTP_RAW,
      .body = "HTTP/1.1 103 Early Hints\r\nX-A: early\r\nX-B: 1\r\n\r\n"
              "HTTP/1.1 200 OK\r\nX-A: late\r\nContent-Length: 2\r\n\r\nok"},
     200,
     "ok",
     "late"},
    {"GET",
     {.fault = FAKE_HTTP_RAW, .body = "HTTP/1.0 200\r\nX-A:1\r\n\r\nuntil the end"},
     200,
     "until the end",
     "1"},
    {"HEAD", {.headers = "Content-Length: 123456789\r\nX-A: h\r\n"}, 200, "", "h"},
    {"HEAD", {.status = 404, .body = "not sent"}, 404, "", NULL},
};

TEST(test_http_client__takes_responses_as_they_are)
{
    for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++) {
        struct bed b = {.plans = {responses[i].plan}};

        bed_init(&b, NULL);
        assert_ok(send_it(&b, (struct http_request){.method = responses[i].method,
                                                    .url = url_of(&b, "/")}),
                  &b.e);
        assert_int_equal(b.response.status, responses[i].status);
        assert_text_eq(buf_span(&b.response.body), responses[i].body);
        const char *header = http_response_header(&b.response, "X-A");

        assert_string_equal(header == NULL ? "none" : header,
                            responses[i].header == NULL ? "none" : responses[i].header);
        assert_null(http_response_header(&b.response, "X-B"));
        assert_int_equal(fake_http_requests(b.server), 1);
        bed_deinit(&b);
    }
}

TEST(test_http_client__limits_bodies)
{
    struct bed b = {.plans = {{.body = "12345678"}, {.body = "123456789"}}};
    struct http_request q = {.method = "GET", .response_bytes_max = 8};

    bed_init(&b, NULL);
    q.url = url_of(&b, "/");
    assert_ok(send_it(&b, q), &b.e);
    assert_err(send_it(&b, q), ERR_LIMIT, &b.e);
    assert_in(b.e.msg, ": the answer is larger than its limit of 8 bytes");
    assert_true(b.response.sent);
    assert_ok(send_it(&b, q), &b.e);
    bed_deinit(&b);
}

TEST(test_http_client__limits_heads)
{
    struct buf headers = {0};
    struct bed b = {0};

    for (int i = 0; i < 4000; i++) {
        buf_printf(&headers, "X-%d: %070d\r\n", i, i);
    }
    b.plans[0].headers = buf_cstr(&headers);
    bed_init(&b, NULL);
    assert_err(get(&b, "/"), ERR_LIMIT, &b.e);
    assert_in(b.e.msg, ": the head of the answer is larger than its limit of 262144 bytes");
    buf_deinit(&headers);
    bed_deinit(&b);
}

static void echo(void *ctx, const struct fake_http_request *q, struct fake_http_reply *r)
{
    (void)ctx;
    buf_append_span(&r->body, q->body);
}

TEST(test_http_client__carries_large_bodies)
{
    struct fake_http *server = fake_http_new(echo, NULL);
    struct http_client *client;
    struct http_response r;
    struct buf body = {0};
    struct err e = {0};

    for (uint32_t i = 0; i < 3u << 20; i++) {
        buf_u32le(&body, i * 2654435761u);
    }
    assert_ok(body.failed, &e);
    forget_proxies();
    assert_ok(http_client_new(&(struct http_client_options){0}, &client, &e), &e);
    struct http_request q = {
        .method = "PUT", .url = fake_http_url(server), .body = buf_span(&body), .has_body = true};

    for (int i = 0; i < 2; i++) {
        assert_ok(http_send(client, &q, &r, &e), &e);
        assert_bytes_eq(buf_span(&r.body), buf_span(&body));
        http_response_deinit(&r);
    }
    assert_int_equal(fake_http_connections(server), 1);
    http_client_free(client);
    fake_http_free(server);
    buf_deinit(&body);
}

/* ---- what goes wrong ---- */

static const struct {
    struct plan plan;
    enum err_code code;
    bool retryable;
    const char *message;
} faults[] = {
    {{.fault = FAKE_HTTP_RESET}, ERR_IO, true, ": the connection broke off ("},
    {{.fault = FAKE_HTTP_CLOSE}, ERR_IO, true, ": the connection was closed without an answer"},
    {{.fault = FAKE_HTTP_TRUNCATE}, ERR_IO, true, ": the answer was cut off ("},
    {{.fault = FAKE_HTTP_RAW, .body = "SSH-2.0-OpenSSH_9.2\r\n"},
     ERR_IO,
     false,
     ": the answer is no HTTP: is it the right port?"},
    {{.fault = FAKE_HTTP_RAW, .body = "HTTP/1.1 200 OK\r\nX-Half: "},
     ERR_IO,
     true,
     ": the answer was cut off in its head"},
    {{.fault = FAKE_HTTP_RAW,
      .body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
     ERR_IO,
     true,
     ": the connection broke off ("},
    {{.fault = FAKE_HTTP_RAW,
      .body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"},
     ERR_IO,
     true,
     ": the answer was cut off ("},
};

static void assert_names_server(struct bed *b)
{
    char peer[64];

    (void)snprintf(peer, sizeof peer, "%s: ", fake_http_url(b->server) + strlen("http://"));
    assert_int_equal(strncmp(b->e.msg, peer, strlen(peer)), 0);
}

TEST(test_http_client__says_what_went_wrong)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct bed b = {.plans = {faults[i].plan}};

        bed_init(&b, NULL);
        assert_err(post(&b, "/path?secret", "x"), faults[i].code, &b.e);
        assert_true(b.response.sent);
        assert_int_equal(b.e.retryable, faults[i].retryable);
        assert_in(b.e.msg, faults[i].message);
        assert_not_in(b.e.msg, "secret");
        assert_names_server(&b);
        assert_int_equal(fake_http_requests(b.server), 1);
        bed_deinit(&b);
    }
}

TEST(test_http_client__goes_on_after_a_failure)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_RESET},
                              {.fault = FAKE_HTTP_CLOSE_AFTER},
                              {.fault = FAKE_HTTP_TRUNCATE}}};

    bed_init(&b, NULL);
    assert_err(post(&b, "/", "x"), ERR_IO, &b.e);
    assert_ok(post(&b, "/", "x"), &b.e);
    assert_err(post(&b, "/", "x"), ERR_IO, &b.e);
    assert_ok(post(&b, "/", "x"), &b.e);
    assert_ok(post(&b, "/", "x"), &b.e);
    assert_int_equal(fake_http_requests(b.server), 5);
    bed_deinit(&b);
}

/*
 * A server that closes a kept connection as the next request arrives: libcurl would send it again,
 * and the server may have done it.
 */
static const struct {
    enum fake_http_fault fault;
    const char *method;
    bool has_body;
    bool again;
} kept[] = {
    {FAKE_HTTP_CLOSE, "POST", true, false},    {FAKE_HTTP_RESET, "POST", true, false},
    {FAKE_HTTP_CLOSE, "PUT", true, false},     {FAKE_HTTP_CLOSE, "POST", false, false},
    {FAKE_HTTP_CLOSE, "DELETE", false, false}, {FAKE_HTTP_RESET, "DELETE", false, false},
    {FAKE_HTTP_CLOSE, "GET", true, false},     {FAKE_HTTP_CLOSE, "GET", false, true},
    {FAKE_HTTP_RESET, "GET", false, true},     {FAKE_HTTP_CLOSE, "HEAD", false, true},
};

TEST(test_http_client__sends_nothing_twice_that_may_have_an_effect)
{
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct bed b = {.plans = {{0}, {.fault = kept[i].fault}}};

        bed_init(&b, NULL);
        assert_ok(get(&b, "/"), &b.e);
        enum err_code rc = send_it(&b, (struct http_request){.method = kept[i].method,
                                                             .url = url_of(&b, "/"),
                                                             .body = span_str("x"),
                                                             .has_body = kept[i].has_body});

        assert_true(b.response.sent);
        if (kept[i].again) {
            assert_ok(rc, &b.e);
        } else {
            assert_err(rc, ERR_IO, &b.e);
            assert_true(b.e.retryable);
            assert_in(b.e.msg, "it was not sent again");
            assert_names_server(&b);
        }
        assert_int_equal(fake_http_requests(b.server), kept[i].again ? 3 : 2);
        assert_ok(get(&b, "/"), &b.e);
        bed_deinit(&b);
    }
}

TEST(test_http_client__sends_no_large_body_twice)
{
    struct bed b = {.plans = {{0}, {.fault = FAKE_HTTP_RESET}}};
    struct buf body = {0};

    buf_zeros(&body, 4 << 20);
    bed_init(&b, NULL);
    assert_ok(get(&b, "/"), &b.e);
    assert_err(send_it(&b, (struct http_request){.method = "PUT",
                                                 .url = url_of(&b, "/"),
                                                 .body = buf_span(&body),
                                                 .has_body = true}),
               ERR_IO, &b.e);
    assert_true(b.response.sent);
    assert_int_equal(fake_http_requests(b.server), 2);
    buf_deinit(&body);
    bed_deinit(&b);
}

/* A port of this machine where nobody listens, as long as the socket is open. */
static int closed_port(unsigned *port)
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

TEST(test_http_client__knows_that_nothing_was_sent_without_a_connection)
{
    struct bed b = {0};
    unsigned port;
    int fd = closed_port(&port);
    char url[64];
    char want[96];

    bed_init(&b, NULL);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x", port);
    assert_err(send_it(&b, (struct http_request){.method = "DELETE", .url = url}), ERR_IO, &b.e);
    assert_false(b.response.sent);
    assert_true(b.e.retryable);
    assert_int_equal(b.e.os_errno, ECONNREFUSED);
    (void)snprintf(want, sizeof want, "127.0.0.1:%u: could not connect: Connection refused", port);
    assert_string_equal(b.e.msg, want);
    (void)close(fd);
    bed_deinit(&b);
}

TEST(test_http_client__knows_that_nothing_was_sent_without_an_address)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    /* A label has at most 63 characters, so no server has to be asked. */
    assert_err(send_it(&b, (struct http_request){.method = "DELETE",
                                                 .url = "https://a123456789a123456789a123456789a123"
                                                        "456789a123456789a123456789a123456789.x/"}),
               ERR_IO, &b.e);
    assert_false(b.response.sent);
    assert_true(b.e.retryable);
    assert_in(b.e.msg, ".x:443: the host's name could not be resolved");
    bed_deinit(&b);
}

/* It listens, and its queue is full: a connection is neither taken nor refused. */
struct full_port {
    int fds[8];
    unsigned port;
};

static void full_port_init(struct full_port *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    f->fds[0] = closed_port(&f->port);
    assert_int_equal(listen(f->fds[0], 0), 0);
    address.sin_port = htons((uint16_t)f->port);
    for (int i = 1; i < 8; i++) {
        f->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(f->fds[i] >= 0);
        (void)connect(f->fds[i], (const struct sockaddr *)&address, sizeof address);
    }
}

static void full_port_deinit(struct full_port *f)
{
    for (int i = 0; i < 8; i++) {
        (void)close(f->fds[i]);
    }
}

TEST(test_http_client__gives_up_connecting)
{
    static const struct {
        const char *scheme;
        int queue; /* of the listener; -1: full */
        const char *message;
    } cases[] = {
        {"http", -1, ": no connection in 0.2 s, while connecting (http.connect-timeout)"},
        {"https", -1, ": no connection in 0.2 s, while connecting (http.connect-timeout)"},
        {"https", 8, ": no connection in 0.2 s, while in the handshake of TLS or of the proxy"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b = {0};
        struct full_port full;
        char url[64];

        full_port_init(&full);
        if (cases[i].queue > 0) {
            assert_int_equal(listen(full.fds[0], cases[i].queue), 0);
        }
        bed_init(&b, &(struct http_client_options){.connect_timeout_us = 200 * MS});
        (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/x", cases[i].scheme, full.port);
        assert_err(send_it(&b, (struct http_request){.method = "DELETE", .url = url}), ERR_TIMEOUT,
                   &b.e);
        assert_false(b.response.sent);
        assert_true(b.e.retryable);
        assert_in(b.e.msg, cases[i].message);
        bed_deinit(&b);
        full_port_deinit(&full);
    }
}

static const struct {
    struct plan plan;
    const char *message;
} stalls[] = {
    {{.fault = FAKE_HTTP_STALL}, " s, while waiting for the answer"},
    {{.pause_us = 60000 * MS, .body = "two halves"}, " s, while receiving the answer"},
};

TEST(test_http_client__gives_up_on_a_silent_server)
{
    for (size_t i = 0; i < sizeof stalls / sizeof stalls[0]; i++) {
        struct bed b = {.plans = {stalls[i].plan, stalls[i].plan}};

        bed_init(&b, &(struct http_client_options){.stall_timeout_us = 200 * MS});
        assert_err(post(&b, "/", "x"), ERR_TIMEOUT, &b.e);
        assert_true(b.response.sent);
        assert_true(b.e.retryable);
        assert_in(b.e.msg, ": no byte came or went for 0.");
        assert_in(b.e.msg, stalls[i].message);
        assert_names_server(&b);

        change_client(&b, &(struct http_client_options){.stall_timeout_us = 60000 * MS});
        assert_err(send_it(&b, (struct http_request){.method = "GET",
                                                     .url = url_of(&b, "/"),
                                                     .timeout_us = 200 * MS}),
                   ERR_TIMEOUT, &b.e);
        assert_true(b.response.sent);
        assert_true(b.e.retryable);
        assert_in(b.e.msg, ": not done in 0.");
        assert_in(b.e.msg, stalls[i].message);
        bed_deinit(&b);
    }
}

/* A server that reads nothing of a large body. */
TEST(test_http_client__gives_up_sending)
{
    struct bed b = {0};
    struct full_port deaf;
    struct buf body = {0};
    char url[64];

    buf_zeros(&body, 32 << 20);
    full_port_init(&deaf);
    assert_int_equal(listen(deaf.fds[0], 16), 0);
    bed_init(&b, &(struct http_client_options){.stall_timeout_us = 300 * MS});
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x", deaf.port);
    assert_err(send_it(&b,
                       (struct http_request){
                           .method = "PUT", .url = url, .body = buf_span(&body), .has_body = true}),
               ERR_TIMEOUT, &b.e);
    assert_true(b.response.sent);
    assert_in(b.e.msg, " s, while sending the request");
    buf_deinit(&body);
    bed_deinit(&b);
    full_port_deinit(&deaf);
}

/* ---- threads ---- */

struct caller {
    struct http_client *client;
    const char *url;
    unsigned number;
    unsigned count;
    unsigned done;
    int64_t timeout_us;
    bool sent;
    enum err_code rc;
    struct err e;
};

/* Until one fails: each body comes back to its own caller. */
static void *call(void *arg)
{
    struct caller *c = arg;

    for (c->done = 0; c->done < c->count; c->done++) {
        struct http_response r;
        char body[64];

        (void)snprintf(body, sizeof body, "caller %u, request %u", c->number, c->done);
        c->rc = http_send(c->client,
                          &(struct http_request){.method = "POST",
                                                 .url = c->url,
                                                 .body = span_str(body),
                                                 .has_body = true,
                                                 .timeout_us = c->timeout_us},
                          &r, &c->e);
        bool right = c->rc == ERR_OK && span_eq_str(buf_span(&r.body), body);

        c->sent = r.sent;
        http_response_deinit(&r);
        if (!right) {
            break;
        }
    }
    return NULL;
}

TEST(test_http_client__serves_many_threads_over_few_connections)
{
    enum { CALLERS = 24, REQUESTS = 40, CONNECTIONS = 4 };
    struct fake_http *server = fake_http_new(echo, NULL);
    struct http_client *client;
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    struct err e = {0};

    forget_proxies();
    assert_ok(
        http_client_new(&(struct http_client_options){.connections_max = CONNECTIONS}, &client, &e),
        &e);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){
            .client = client, .url = fake_http_url(server), .number = i, .count = REQUESTS};
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_ok(callers[i].rc, &callers[i].e);
        assert_int_equal(callers[i].done, REQUESTS);
    }
    assert_int_equal(fake_http_requests(server), CALLERS * REQUESTS);
    assert_true(fake_http_connections(server) <= CONNECTIONS);
    http_client_free(client);
    fake_http_free(server);
}

static bool is_true(void *ctx)
{
    return atomic_load((atomic_bool *)ctx);
}

/* Waits until the server has so many requests. */
static void await_requests(struct fake_http *server, unsigned count)
{
    struct clock clock = clock_system();

    while (fake_http_requests(server) < count) {
        clock_sleep_us(&clock, MS);
    }
}

TEST(test_http_client__waits_for_nobody_elses_request_and_stops_when_told)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}, {.fault = FAKE_HTTP_STALL}}};
    atomic_bool stop = false;
    struct caller stuck[2];
    pthread_t threads[2];
    struct clock clock = clock_system();

    bed_init(&b, &(struct http_client_options){.stall_timeout_us = 600000 * MS,
                                               .cancelled = is_true,
                                               .cancelled_ctx = &stop});
    for (int i = 0; i < 2; i++) {
        stuck[i] = (struct caller){.client = b.client, .url = fake_http_url(b.server), .count = 1};
        assert_int_equal(pthread_create(&threads[i], NULL, call, &stuck[i]), 0);
    }
    await_requests(b.server, 2);
    for (int i = 0; i < 20; i++) {
        assert_ok(get(&b, "/"), &b.e);
    }
    int64_t from_us = clock_mono_us(&clock);

    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_err(stuck[i].rc, ERR_CANCELLED, &stuck[i].e);
        assert_true(stuck[i].sent);
        assert_in(stuck[i].e.msg, ": stopped on request while waiting for the answer");
    }
    assert_true(clock_mono_us(&clock) - from_us < 60000 * MS);
    assert_err(get(&b, "/"), ERR_CANCELLED, &b.e);
    assert_false(b.response.sent);
    assert_int_equal(fake_http_requests(b.server), 22);
    bed_deinit(&b);
}

TEST(test_http_client__keeps_the_time_of_those_that_wait)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}}};
    struct bed other = {0};
    atomic_bool stop = false;
    pthread_t thread;

    bed_init(&b, &(struct http_client_options){
                     .connections_max = 1, .cancelled = is_true, .cancelled_ctx = &stop});
    bed_init(&other, NULL);
    struct caller stuck = {.client = b.client, .url = fake_http_url(b.server), .count = 1};

    assert_int_equal(pthread_create(&thread, NULL, call, &stuck), 0);
    await_requests(b.server, 1);
    assert_err(send_it(&b, (struct http_request){.method = "DELETE",
                                                 .url = url_of(&b, "/"),
                                                 .timeout_us = 200 * MS}),
               ERR_TIMEOUT, &b.e);
    assert_false(b.response.sent);
    assert_in(b.e.msg, " s, while waiting for other requests to the host");
    /* Another host has connections of its own. */
    assert_ok(send_it(&b, (struct http_request){.method = "GET", .url = url_of(&other, "/")}),
              &b.e);
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    assert_err(stuck.rc, ERR_CANCELLED, &stuck.e);
    assert_int_equal(fake_http_requests(b.server), 1);
    bed_deinit(&b);
    bed_deinit(&other);
}

/* ---- proxies ---- */

TEST(test_http_client__asks_a_proxy)
{
    struct bed b = {0};
    char proxy[100];

    bed_init(&b, NULL);
    (void)snprintf(proxy, sizeof proxy, "http://user:hush@%s",
                   fake_http_url(b.server) + strlen("http://"));
    change_client(&b, &(struct http_client_options){.proxy = proxy});
    assert_ok(
        send_it(&b, (struct http_request){.method = "GET", .url = "http://lake.example/a/../b?c"}),
        &b.e);
    assert_in(b.seen, "GET http://lake.example/a/../b?c\nHost: lake.example\n");
    assert_in(b.seen, "\nProxy-Authorization: Basic dXNlcjpodXNo\n");

    assert_int_equal(setenv("http_proxy", fake_http_url(b.server), 1), 0);
    change_client(&b, &(struct http_client_options){.proxy = ""});
    assert_ok(send_it(&b, (struct http_request){.method = "GET", .url = "http://lake.example/e"}),
              &b.e);
    assert_in(b.seen, "GET http://lake.example/e\n");
    assert_int_equal(setenv("no_proxy", "other.example,127.0.0.1", 1), 0);
    assert_ok(get(&b, "/direct"), &b.e);
    assert_in(b.seen, "GET /direct\n");
    bed_deinit(&b);
    forget_proxies();
}

static const struct {
    int status; /* of the proxy's answer; 0: it cannot be reached */
    bool from_environment;
    bool retryable;
    const char *message;
} proxies[] = {
    {407, false, false, " (http.proxy): it answered 407 to CONNECT"},
    {403, true, false, " (https_proxy): it answered 403 to CONNECT"},
    {502, false, true, " (http.proxy): it answered 502 to CONNECT"},
    {0, false, true, " (http.proxy): could not connect: Connection refused"},
    {0, true, true, " (https_proxy): could not connect: Connection refused"},
};

TEST(test_http_client__names_a_proxy_that_fails)
{
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        struct bed b = {.plans = {{.status = proxies[i].status, .body = "no"}}};
        unsigned port;
        int fd = closed_port(&port);
        char proxy[100];
        char want[100];

        bed_init(&b, NULL);
        if (proxies[i].status != 0) {
            (void)sscanf(fake_http_url(b.server), "http://127.0.0.1:%u", &port);
        }
        (void)snprintf(proxy, sizeof proxy, "http://user:hush@127.0.0.1:%u/", port);
        if (proxies[i].from_environment) {
            assert_int_equal(setenv("https_proxy", proxy, 1), 0);
        }
        change_client(
            &b, &(struct http_client_options){.proxy = proxies[i].from_environment ? NULL : proxy});
        assert_err(
            send_it(&b, (struct http_request){.method = "DELETE", .url = "https://lake.example/x"}),
            ERR_IO, &b.e);
        assert_false(b.response.sent);
        assert_int_equal(b.e.retryable, proxies[i].retryable);
        (void)snprintf(want, sizeof want, "lake.example:443: by the proxy 127.0.0.1:%u", port);
        assert_in(b.e.msg, want);
        assert_in(b.e.msg, proxies[i].message);
        assert_not_in(b.e.msg, "hush");
        (void)close(fd);
        bed_deinit(&b);
        forget_proxies();
    }
}

TEST(test_http_client__mentions_a_proxy_that_may_be_involved)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}}};

    bed_init(&b, NULL);
    change_client(&b, &(struct http_client_options){.proxy = fake_http_url(b.server),
                                                    .stall_timeout_us = 200 * MS});
    assert_err(send_it(&b, (struct http_request){.method = "GET", .url = "http://lake.example/"}),
               ERR_TIMEOUT, &b.e);
    assert_in(b.e.msg, "lake.example:80: no byte came or went for ");
    assert_in(b.e.msg, " s, while waiting for the answer; a proxy is set: 127.0.0.1:");
    bed_deinit(&b);
}

TEST(test_http_client__asks_no_proxy_for_metadata)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    change_client(&b, &(struct http_client_options){.proxy = fake_http_url(b.server),
                                                    .connect_timeout_us = 50 * MS});
    /* Whatever there is at that address, it is not the proxy that is asked. */
    (void)!send_it(&b, (struct http_request){.method = "GET",
                                             .url = "http://169.254.255.254/latest/",
                                             .timeout_us = 100 * MS});
    assert_int_equal(fake_http_requests(b.server), 0);
    bed_deinit(&b);
}

/* ---- options ---- */

static const struct {
    struct http_client_options options;
    const char *message;
} bad_options[] = {
    {{.ca_bundle = "/nowhere/ca.pem"}, "http.ca-bundle: /nowhere/ca.pem cannot be read"},
    {{.client_cert = "/nowhere/c.pem"}, "http.client-cert: /nowhere/c.pem cannot be read"},
    {{.client_key = "/nowhere/c.key"}, "http.client-key: /nowhere/c.key cannot be read"},
    {{.proxy = "ftp://proxy"}, "http.proxy: scheme \"ftp\" is none of http, https, socks4, "},
    {{.proxy = "http://u:hush@p:x"}, "http.proxy: \"http://***@p:x\" is no URI: its port is no "},
    {{.proxy = "u:hush@p:99999"}, "http.proxy: \"http://***@p:99999\" is no URI: its port is no "},
};

TEST(test_http_client__refuses_options_that_cannot_be)
{
    for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
        struct http_client *client;
        struct err e = {0};

        assert_err(http_client_new(&bad_options[i].options, &client, &e), ERR_CONFIG, &e);
        assert_null(client);
        assert_in(e.msg, bad_options[i].message);
    }
}

TEST(test_http_client__takes_empty_texts_as_none)
{
    struct bed b = {0};

    bed_init(
        &b,
        &(struct http_client_options){
            .proxy = "", .ca_bundle = "", .client_cert = "", .client_key = "", .user_agent = ""});
    assert_ok(get(&b, "/"), &b.e);
    assert_in(b.seen, "\nUser-Agent: calve\n");
    bed_deinit(&b);
    http_client_free(NULL);
}

TEST(test_http_client__says_nothing_where_nobody_listens)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_RESET}}};
    struct http_response r;

    bed_init(&b, NULL);
    assert_int_equal(http_send(b.client,
                               &(struct http_request){.method = "GET", .url = url_of(&b, "/")}, &r,
                               NULL),
                     ERR_IO);
    http_response_deinit(&r);
    assert_int_equal(
        http_send(b.client, &(struct http_request){.method = "GET", .url = "x"}, &r, NULL),
        ERR_CONFIG);
    http_response_deinit(&r);
    assert_int_equal(
        http_client_new(&(struct http_client_options){.proxy = "ftp://p"}, &b.client, NULL),
        ERR_CONFIG);
    fake_http_free(b.server);
    free(b.seen);
}

TEST(test_http_client__survives_lack_of_memory)
{
    struct fake_http *server = fake_http_new(echo, NULL);
    static const struct http_header headers[] = {{"X-A", "1"}, {"Content-Type", "text/plain"}};

    forget_proxies();
    TORTURE(nth)
    {
        struct http_client *client = NULL;
        struct http_response r = {0};
        struct err e = {0};
        enum err_code rc = http_client_new(
            &(struct http_client_options){.user_agent = "a", .proxy = ""}, &client, &e);

        if (rc == ERR_OK) {
            rc = http_send(client,
                           &(struct http_request){.method = "POST",
                                                  .url = fake_http_url(server),
                                                  .headers = headers,
                                                  .header_count = 2,
                                                  .body = span_str("x"),
                                                  .has_body = true},
                           &r, &e);
        }
        http_response_deinit(&r);
        http_client_free(client);
        if (rc != ERR_OK) {
            torture_fail_at(0);
            assert_err(rc, ERR_NOMEM, &e);
        }
    }
    fake_http_free(server);
}

TEST_MAIN(test_case(test_http_client__brings_the_whole_response),
          test_case(test_http_client__sends_what_it_is_given),
          test_case(test_http_client__sends_a_length_when_there_is_a_body),
          test_case(test_http_client__leaves_urls_as_they_are),
          test_case(test_http_client__takes_a_content_type_and_an_agent),
          test_case(test_http_client__refuses_what_cannot_be_sent),
          test_case(test_http_client__takes_responses_as_they_are),
          test_case(test_http_client__limits_bodies), test_case(test_http_client__limits_heads),
          test_case(test_http_client__carries_large_bodies),
          test_case(test_http_client__says_what_went_wrong),
          test_case(test_http_client__goes_on_after_a_failure),
          test_case(test_http_client__sends_nothing_twice_that_may_have_an_effect),
          test_case(test_http_client__sends_no_large_body_twice),
          test_case(test_http_client__knows_that_nothing_was_sent_without_a_connection),
          test_case(test_http_client__knows_that_nothing_was_sent_without_an_address),
          test_case(test_http_client__gives_up_connecting),
          test_case(test_http_client__gives_up_on_a_silent_server),
          test_case(test_http_client__gives_up_sending),
          test_case(test_http_client__serves_many_threads_over_few_connections),
          test_case(test_http_client__waits_for_nobody_elses_request_and_stops_when_told),
          test_case(test_http_client__keeps_the_time_of_those_that_wait),
          test_case(test_http_client__asks_a_proxy),
          test_case(test_http_client__names_a_proxy_that_fails),
          test_case(test_http_client__mentions_a_proxy_that_may_be_involved),
          test_case(test_http_client__asks_no_proxy_for_metadata),
          test_case(test_http_client__refuses_options_that_cannot_be),
          test_case(test_http_client__takes_empty_texts_as_none),
          test_case(test_http_client__says_nothing_where_nobody_listens),
          test_case(test_http_client__survives_lack_of_memory))
