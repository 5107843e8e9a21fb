#include "net/uri.h"

#include "test.h"

static const struct {
    const char *text;
    const char *scheme;
    const char *authority;
    const char *host;
    uint32_t port;
    const char *path;
    const char *query;
} good[] = {
    {"http://h", "http", "h", "h", 0, "", ""},
    {"https://host.example:8443/a/b?x=1&y=2", "https", "host.example:8443", "host.example", 8443,
     "/a/b", "x=1&y=2"},
    {"http://h/?", "http", "h", "h", 0, "/", ""},
    {"http://h?q", "http", "h", "h", 0, "", "q"},
    {"http://h#part", "http", "h", "h", 0, "", ""},
    {"http://h/p#part?no=query", "http", "h", "h", 0, "/p", ""},
    {"http://h/p?q?q/q#part", "http", "h", "h", 0, "/p", "q?q/q"},
    {"http://user:pa%40ss@h:1/p@x:9", "http", "user:pa%40ss@h:1", "h", 1, "/p@x:9", ""},
    {"http://@h/", "http", "@h", "h", 0, "/", ""},
    {"http://[::1]/", "http", "[::1]", "::1", 0, "/", ""},
    {"http://u@[fe80::1%25eth0]:65535", "http", "u@[fe80::1%25eth0]:65535", "fe80::1%25eth0", 65535,
     "", ""},
    {"s3://bucket.name/key//with%20blank/", "s3", "bucket.name", "bucket.name", 0,
     "/key//with%20blank/", ""},
    {"A1+-.://h", "A1+-.", "h", "h", 0, "", ""},
    {"http://h:0080/", "http", "h:0080", "h", 80, "/", ""},
};

TEST(test_uri__parses_each_part)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct uri u;
        struct err e = {0};

        assert_ok(uri_parse(good[i].text, &u, &e), &e);
        assert_text_eq(u.scheme, good[i].scheme);
        assert_text_eq(u.authority, good[i].authority);
        assert_text_eq(u.host, good[i].host);
        assert_u64_eq(u.port, good[i].port);
        assert_text_eq(u.path, good[i].path);
        assert_text_eq(u.query, good[i].query);
    }
}

static const struct {
    const char *text;
    const char *message;
} bad[] = {
    {"", "\"\" is no URI: it does not start with a scheme and \"://\""},
    {"host:80/x", "it does not start with a scheme"},
    {"://h", "it does not start with a scheme"},
    {"1http://h", "it does not start with a scheme"},
    {"ht_tp://h", "it does not start with a scheme"},
    {"http:/h", "it does not start with a scheme"},
    {"http//h", "it does not start with a scheme"},
    {"/p?u=http://h", "it does not start with a scheme"},
    {"http://", "\"http://\" is no URI: it has no host"},
    {"http:///p", "it has no host"},
    {"http://:80/", "it has no host"},
    {"http://u@/", "it has no host"},
    {"http://[]/", "it has no host"},
    {"http://[::1/", "its host has no ']'"},
    {"http://[::1]80/", "may only be a port"},
    {"http://h:/", "its port is no number from 1 to 65535"},
    {"http://h:0/", "its port is no number"},
    {"http://h:65536/", "its port is no number"},
    {"http://h:99999999999999999999/", "its port is no number"},
    {"http://h:8o/", "its port is no number"},
    {"http://h:-1/", "its port is no number"},
    {"http://::1/", "an IPv6 address has to stand in brackets"},
    {"http://a@b@h/", "of two '@' one has to be written as %40"},
    {"http://h/a b", "\"http://h/a b\" is no URI: it has a blank or a control character"},
    {"http://h/\x01\xff\x7f", "\"http://h/???\" is no URI: it has a blank or a control character"},
    {"http://h/a\r\nX: y", "\"http://h/a??X: y\" is no URI: it has a blank or a control"},
    {" http://h", "it has a blank"},
};

TEST(test_uri__refuses_what_is_none)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct uri u;
        struct err e = {0};

        assert_err(uri_parse(bad[i].text, &u, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, bad[i].message) == NULL) {
            fail_msg("%s: %s", bad[i].text, e.msg);
        }
    }
}

TEST(test_uri__shows_no_secret_in_a_message)
{
    static const char *const texts[] = {
        "http://joe:hush@h:x/", "http://joe:hu/sh@h:x/",     "http://joe:hu?sh@h:x/",
        "joe:hush@h:x/",        "http://h:x/?token=hush",    "http://joe@hush:x@h/",
        "http://h:x/#hush",     "joe:hush@h:x/?u=http://h/",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct uri u;
        struct err e = {0};

        assert_err(uri_parse(texts[i], &u, &e), ERR_CONFIG, &e);
        assert_null(strstr(e.msg, "hu"));
        assert_null(strstr(e.msg, "joe"));
    }
}

TEST(test_uri__cuts_a_long_one_at_a_whole_character)
{
    char text[700];
    struct uri u;
    struct err e = {0};

    for (size_t shift = 0; shift < 4; shift++) {
        size_t at = (size_t)snprintf(text, sizeof text, "http:/%.*s", (int)shift, "xxxx");

        while (at + 3 < sizeof text) {
            memcpy(text + at, "\xe2\x82\xac", 4);
            at += 3;
        }
        assert_err(uri_parse(text, &u, &e), ERR_CONFIG, &e);
        assert_true(strlen(e.msg) < 300);
        assert_non_null(strstr(e.msg, "\xe2\x82\xac\" is no URI"));
    }
}

TEST(test_uri__knows_default_ports)
{
    assert_u64_eq(uri_default_port(span_str("https")), 443);
    assert_u64_eq(uri_default_port(span_str("HTTP")), 80);
    assert_u64_eq(uri_default_port(span_str("s3")), 0);
    assert_u64_eq(uri_default_port(span_str("")), 0);
}

TEST(test_uri__encodes_all_but_unreserved_characters)
{
    struct buf out = {0};

    uri_encode(&out, span_str("AZaz09-._~/ +*'()&=%\xc3\xa4\x7f"), true);
    assert_text_eq(buf_span(&out), "AZaz09-._~/%20%2B%2A%27%28%29%26%3D%25%C3%A4%7F");
    buf_reset(&out);
    uri_encode(&out, span_str("a/b"), false);
    assert_text_eq(buf_span(&out), "a%2Fb");
    buf_deinit(&out);
}

TEST(test_uri__decodes_what_it_encodes)
{
    uint8_t all[256];
    struct buf text = {0};
    struct buf back = {0};

    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    for (int keep_slash = 0; keep_slash < 2; keep_slash++) {
        buf_reset(&text);
        buf_reset(&back);
        uri_encode(&text, span_of(all, sizeof all), keep_slash == 1);
        assert_true(uri_decode(&back, buf_span(&text)));
        assert_bytes_eq(buf_span(&back), span_of(all, sizeof all));
    }
    buf_reset(&back);
    assert_true(uri_decode(&back, span_str("a%2fb%2Fc+d")));
    assert_text_eq(buf_span(&back), "a/b/c+d");
    buf_deinit(&text);
    buf_deinit(&back);
}

TEST(test_uri__stops_at_a_wrong_escape)
{
    static const char *const texts[] = {"ab%",    "ab%4",  "ab%4g", "ab%g4",
                                        "ab%%41", "ab%-1", "ab%@@"};
    struct buf out = {0};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        buf_reset(&out);
        assert_false(uri_decode(&out, span_str(texts[i])));
        assert_text_eq(buf_span(&out), "ab");
    }
    buf_deinit(&out);
}

TEST(test_uri__puts_queries_together)
{
    struct buf out = {0};

    uri_put_query(&out, "list-type", "2");
    uri_put_query(&out, "prefix", "a/b c&");
    uri_put_query(&out, "uploads", "");
    assert_text_eq(buf_span(&out), "list-type=2&prefix=a%2Fb%20c%26&uploads=");
    buf_deinit(&out);
}

TEST_MAIN(test_case(test_uri__parses_each_part), test_case(test_uri__refuses_what_is_none),
          test_case(test_uri__shows_no_secret_in_a_message),
          test_case(test_uri__cuts_a_long_one_at_a_whole_character),
          test_case(test_uri__knows_default_ports),
          test_case(test_uri__encodes_all_but_unreserved_characters),
          test_case(test_uri__decodes_what_it_encodes),
          test_case(test_uri__stops_at_a_wrong_escape), test_case(test_uri__puts_queries_together))
