#include "base/clock.h"
#include "http_bed.h"

#include <fcntl.h>

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
    assert_err(send_it(&b, (struct http_request){.method = "HEAD",
                                                 .url = url_of(&b, "/"),
                                                 .body = span_str("x"),
                                                 .has_body = true}),
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

/* A process that is started meanwhile, to ask for keys for example, gets no connection of ours. */
TEST(test_http_client__keeps_its_connections_to_itself)
{
    struct bed b = {0};
    unsigned port = 0;
    unsigned found = 0;

    bed_init(&b, NULL);
    assert_ok(get(&b, "/"), &b.e);
    assert_int_equal(sscanf(fake_http_url(b.server), "http://127.0.0.1:%u", &port), 1);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;

        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && ntohs(peer.sin_port) == port) {
            assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            found++;
        }
    }
    assert_int_equal(found, 1);
    bed_deinit(&b);
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
    assert_in(b.e.msg, ": stopped on request while it had not begun");
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
          test_case(test_http_client__keeps_its_connections_to_itself),
          test_case(test_http_client__serves_many_threads_over_few_connections),
          test_case(test_http_client__waits_for_nobody_elses_request_and_stops_when_told),
          test_case(test_http_client__keeps_the_time_of_those_that_wait),
          test_case(test_http_client__refuses_options_that_cannot_be),
          test_case(test_http_client__takes_empty_texts_as_none),
          test_case(test_http_client__says_nothing_where_nobody_listens),
          test_case(test_http_client__survives_lack_of_memory))
