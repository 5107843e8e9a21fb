#include "http_bed.h"

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

TEST(test_http_error__says_what_went_wrong)
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

TEST(test_http_error__goes_on_after_a_failure)
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

TEST(test_http_error__sends_nothing_twice_that_may_have_an_effect)
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

TEST(test_http_error__sends_no_large_body_twice)
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

TEST(test_http_error__knows_that_nothing_was_sent_without_a_connection)
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

TEST(test_http_error__knows_that_nothing_was_sent_without_an_address)
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

TEST(test_http_error__gives_up_connecting)
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

TEST(test_http_error__gives_up_on_a_silent_server)
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
TEST(test_http_error__gives_up_sending)
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

/* ---- proxies ---- */

TEST(test_http_error__asks_a_proxy)
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

TEST(test_http_error__names_a_proxy_that_fails)
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

TEST(test_http_error__mentions_a_proxy_that_may_be_involved)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}}};

    bed_init(&b, NULL);
    change_client(&b, &(struct http_client_options){.proxy = fake_http_url(b.server),
                                                    .stall_timeout_us = 200 * MS});
    assert_err(send_it(&b, (struct http_request){.method = "GET", .url = "http://lake.example/"}),
               ERR_TIMEOUT, &b.e);
    assert_in(b.e.msg, "lake.example:80: no byte came or went for ");
    assert_in(b.e.msg, " s, while waiting for the answer; by way of the proxy 127.0.0.1:");
    bed_deinit(&b);
}

/* Also where the environment has one, and no no_proxy. */
TEST(test_http_error__asks_no_proxy_when_told_so)
{
    for (int from_environment = 0; from_environment < 2; from_environment++) {
        struct bed b = {0};
        char proxy[100];
        char url[300];
        unsigned port;
        int fd = closed_port(&port);

        bed_init(&b, NULL);
        (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", port);
        (void)snprintf(url, sizeof url, "%s/latest", fake_http_url(b.server));
        if (from_environment == 1) {
            assert_int_equal(setenv("http_proxy", proxy, 1), 0);
        }
        change_client(&b,
                      &(struct http_client_options){.proxy = from_environment == 1 ? "" : proxy});
        struct http_request request = {.method = "GET", .url = url, .direct = true};

        assert_ok(send_it(&b, request), &b.e);
        assert_in(b.seen, "GET /latest\n");
        request.direct = false;
        assert_err(send_it(&b, request), ERR_IO, &b.e);
        assert_in(b.e.msg, "by the proxy 127.0.0.1:");
        (void)close(fd);
        /* What fails does not blame it. */
        (void)snprintf(url, sizeof url, "%s/latest", proxy);
        request.direct = true;
        assert_err(send_it(&b, request), ERR_IO, &b.e);
        assert_not_in(b.e.msg, "proxy");
        bed_deinit(&b);
        forget_proxies();
    }
}

TEST_MAIN(test_case(test_http_error__says_what_went_wrong),
          test_case(test_http_error__goes_on_after_a_failure),
          test_case(test_http_error__sends_nothing_twice_that_may_have_an_effect),
          test_case(test_http_error__sends_no_large_body_twice),
          test_case(test_http_error__knows_that_nothing_was_sent_without_a_connection),
          test_case(test_http_error__knows_that_nothing_was_sent_without_an_address),
          test_case(test_http_error__gives_up_connecting),
          test_case(test_http_error__gives_up_on_a_silent_server),
          test_case(test_http_error__gives_up_sending), test_case(test_http_error__asks_a_proxy),
          test_case(test_http_error__names_a_proxy_that_fails),
          test_case(test_http_error__mentions_a_proxy_that_may_be_involved),
          test_case(test_http_error__asks_no_proxy_when_told_so))
