#include "net/http_client.h"

#include <pthread.h>
#include <stdlib.h>
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

static void bed_init(struct bed *b, const struct http_client_options *options)
{
    static const struct http_client_options none;

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
    {{.fault = FAKE_HTTP_RAW,
      .body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
     ERR_IO,
     true,
     ": the connection broke off ("},
};

TEST(test_http_client__says_what_went_wrong)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct bed b = {.plans = {faults[i].plan}};
        char peer[64];

        bed_init(&b, NULL);
        assert_err(post(&b, "/", "x"), faults[i].code, &b.e);
        assert_true(b.response.sent);
        assert_int_equal(b.e.retryable, faults[i].retryable);
        assert_in(b.e.msg, faults[i].message);
        (void)snprintf(peer, sizeof peer, "%s: ", fake_http_url(b.server) + strlen("http://"));
        assert_int_equal(strncmp(b.e.msg, peer, strlen(peer)), 0);
        assert_int_equal(fake_http_requests(b.server), 1);
        bed_deinit(&b);
    }
}

TEST_MAIN(test_case(test_http_client__brings_the_whole_response),
          test_case(test_http_client__sends_what_it_is_given),
          test_case(test_http_client__says_what_went_wrong))
