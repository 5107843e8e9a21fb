#include "keys_world.h"

#include <stdlib.h>

TEST(test_credentials_container__trusts_only_hosts_of_this_machine_with_a_token)
{
    static const struct {
        const char *relative;
        const char *full;
        const char *want; /* NULL: refused */
    } cases[] = {
        {NULL, NULL, ""},
        {"/v2/credentials/1", NULL, "http://169.254.170.2/v2/credentials/1"},
        {"/v2/credentials/1", "https://other/", "http://169.254.170.2/v2/credentials/1"},
        {"v2/credentials/1", NULL, NULL},
        {"@other/", NULL, NULL},
        {NULL, "https://keys.example.com/x", "https://keys.example.com/x"},
        {NULL, "HTTPS://keys.example.com", "HTTPS://keys.example.com"},
        {NULL, "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"},
        {NULL, "http://169.254.170.2:80/x", "http://169.254.170.2:80/x"},
        {NULL, "http://[fd00:ec2::23]/v1", "http://[fd00:ec2::23]/v1"},
        {NULL, "http://localhost:8080/x", "http://localhost:8080/x"},
        {NULL, "http://LOCALHOST/x", "http://LOCALHOST/x"},
        {NULL, "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"},
        {NULL, "http://127.1.2.3/x", "http://127.1.2.3/x"},
        {NULL, "http://[::1]:8080/x", "http://[::1]:8080/x"},
        {NULL, "http://127.0.0.1.example.com/x", NULL},
        {NULL, "http://127.example/x", NULL},
        {NULL, "http://127./x", NULL},
        {NULL, "http://128.0.0.1/x", NULL},
        {NULL, "http://localhost.example.com/x", NULL},
        {NULL, "http://localhost@example.com/x", NULL},
        {NULL, "http://169.254.170.24/x", NULL},
        {NULL, "http://169.254.169.254/x", NULL},
        {NULL, "http://10.0.0.1/x", NULL},
        {NULL, "ftp://localhost/x", NULL},
        {NULL, "localhost/x", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct buf url = {0};

        world_init(&w);
        if (cases[i].relative != NULL) {
            world_set(&w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", cases[i].relative);
        }
        if (cases[i].full != NULL) {
            world_set(&w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", cases[i].full);
        }
        if (cases[i].want != NULL) {
            assert_ok(credentials_container_url(&w.context, &url, &w.e), &w.e);
            assert_text_eq(buf_span(&url), cases[i].want);
        } else {
            struct credentials c = {0};
            bool configured = false;

            assert_err(credentials_container_url(&w.context, &url, &w.e), ERR_CONFIG, &w.e);
            assert_err(credentials_from_container(&w.context, &configured, &c, &w.e), ERR_CONFIG,
                       &w.e);
            assert_true(configured);
            assert_says(&w.e, "AWS_CONTAINER_CREDENTIALS_");
        }
        buf_deinit(&url);
        world_deinit(&w);
    }
}

static void container_init(struct world *w)
{
    char *url;

    world_init(w);
    url = str_format("%s/v1/credentials", w->url);
    assert_non_null(url);
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    free(url);
}

TEST(test_credentials_container__is_not_configured_without_an_endpoint)
{
    struct world w;
    struct credentials c = {0};
    bool configured = true;

    world_init(&w);
    world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "sesame");
    world_set(&w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "");
    assert_ok(credentials_from_container(&w.context, &configured, &c, &w.e), &w.e);
    assert_false(configured);
    world_deinit(&w);
}

TEST(test_credentials_container__gets_keys)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    container_init(&w);
    world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic sesame");
    world_answer_times(&w, 1, "GET /v1/credentials", 502, "<html>");
    world_answer_keys(&w, "GET /v1/credentials", "ASIA1", 3600);
    assert_ok(credentials_from_container(&w.context, &configured, &c, &w.e), &w.e);
    assert_true(configured);
    assert_session(&c, "ASIA1", "container");
    assert_i64_eq(c.expires_us, WORLD_NOW_US + (int64_t)3600 * 1000000);
    assert_int_equal(world_requests(&w), 2);
    assert_string_equal(world_request(&w, 1).line, "GET /v1/credentials");
    assert_string_equal(world_request(&w, 1).authorization, "Basic sesame");
    credentials_deinit(&c);
    world_deinit(&w);
}

/* A proxy that would ask itself, or another machine's neighbour, and see the token. */
TEST(test_credentials_container__asks_what_is_near_without_a_proxy)
{
    static const char *const near[] = {
        "http://127.0.0.1:1/x", "http://127.1.2.3:1/x",    "http://localhost:1/x",
        "https://[::1]:1/x",    "http://[::1]:1/x",        "http://169.254.170.23/x",
        "http://169.254.170.2", "http://[fd00:ec2::23]/x", "http://[FD00:EC2::23]/x",
    };
    const struct http_client_options hasty = {.connect_timeout_us = 50000};

    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_int_equal(unsetenv("NO_PROXY"), 0);
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        world_init(&w);
        world_set(&w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", near[i]);
        assert_int_equal(setenv("http_proxy", w.url, 1), 0);
        assert_int_equal(setenv("https_proxy", w.url, 1), 0);
        http_client_free(w.http);
        assert_ok(http_client_new(&hasty, &w.http, &w.e), &w.e);
        w.context.http = w.http;
        /* Whatever there is at that address. */
        (void)!credentials_from_container(&w.context, &configured, &c, &w.e);
        if (world_requests(&w) > 0) {
            fail_msg("%s was asked through a proxy: %s", near[i], world_request(&w, 0).line);
        }
        credentials_deinit(&c);
        world_deinit(&w);
    }
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("https_proxy"), 0);
}

TEST(test_credentials_container__asks_others_as_anybody)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    world_init(&w);
    world_set(&w, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://keys.example/x");
    assert_int_equal(setenv("https_proxy", w.url, 1), 0);
    assert_err(credentials_from_container(&w.context, &configured, &c, &w.e), ERR_IO, &w.e);
    assert_string_equal(world_request(&w, 0).line, "CONNECT keys.example:443");
    assert_int_equal(unsetenv("https_proxy"), 0);
    world_deinit(&w);
}

TEST(test_credentials_container__reads_the_token_s_file_each_time)
{
    struct world w;
    struct credentials c = {0};
    bool configured = false;

    container_init(&w);
    world_answer_keys(&w, "GET /v1/credentials", "ASIA1", 3600);
    world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this one");
    world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world_file(&w, "token", "first\n"));
    assert_ok(credentials_from_container(&w.context, &configured, &c, &w.e), &w.e);
    (void)world_file(&w, "token", "second");
    assert_ok(credentials_from_container(&w.context, &configured, &c, &w.e), &w.e);
    assert_string_equal(world_request(&w, 0).authorization, "first");
    assert_string_equal(world_request(&w, 1).authorization, "second");
    credentials_deinit(&c);
    world_deinit(&w);
}

TEST(test_credentials_container__refuses_tokens_that_are_none)
{
    static const struct {
        const char *file; /* what it holds; NULL: not there */
        const char *token;
        const char *want;
    } cases[] = {
        {NULL, NULL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: reading "},
        {"", NULL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "},
        {" \n", NULL, "is empty: expected a token"},
        {"sesame\nsesame", NULL, "holds no token"},
        {"sesame\x01", NULL, "holds no token"},
        {NULL, "sesame\r\nX: y", "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line end"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        container_init(&w);
        if (cases[i].token != NULL) {
            world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN", cases[i].token);
        } else if (cases[i].file != NULL) {
            world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                      world_file(&w, "t", cases[i].file));
        } else {
            world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent/t");
        }
        assert_err(credentials_from_container(&w.context, &configured, &c, &w.e), ERR_CONFIG, &w.e);
        assert_true(configured);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), 0);
        world_deinit(&w);
    }
}

TEST(test_credentials_container__tells_wrong_answers)
{
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        unsigned requests;
        const char *want;
    } cases[] = {
        {200, "", ERR_IO, 1, "/v1/credentials for keys: expected JSON"},
        {200, "<html>sesame</html>", ERR_IO, 1, "/v1/credentials for keys: expected JSON"},
        {200, "{}", ERR_IO, 1, "no text \"AccessKeyId\""},
        {403, "{\"code\":\"Denied\",\"message\":\"no\"}", ERR_CONFIG, 1,
         "the answer is 403 Denied: no; see whether"},
        {404, "", ERR_CONFIG, 1, "the answer is 404; see whether"},
        {500, "{\"code\":\"Oops\"}", ERR_IO, 3, "the answer is 500 Oops"},
        {301, "", ERR_CONFIG, 1, "the answer is 301"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        container_init(&w);
        world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "sesame");
        world_answer(&w, "GET /v1/credentials", cases[i].status, cases[i].body);
        assert_err(credentials_from_container(&w.context, &configured, &c, &w.e), cases[i].code,
                   &w.e);
        assert_true(configured);
        assert_says(&w.e, cases[i].want);
        assert_no_secret(&w.e);
        assert_int_equal(world_requests(&w), cases[i].requests);
        assert_int_equal(w.e.retryable, cases[i].status == 500);
        credentials_deinit(&c);
        world_deinit(&w);
    }
}

TEST(test_credentials_container__tells_broken_connections)
{
    static const enum fake_http_fault faults[] = {FAKE_HTTP_RESET, FAKE_HTTP_CLOSE,
                                                  FAKE_HTTP_TRUNCATE};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct world w;
        struct credentials c = {0};
        bool configured = false;

        container_init(&w);
        world_misbehave(&w, WORLD_FOR_EVER, "GET /v1/credentials", faults[i]);
        assert_err(credentials_from_container(&w.context, &configured, &c, &w.e), ERR_IO, &w.e);
        assert_true(configured);
        assert_true(w.e.retryable);
        assert_int_equal(world_requests(&w), 3);
        assert_says(&w.e, "asking the container's endpoint http://127.0.0.1");
        world_deinit(&w);
    }
}

TEST(test_credentials_container__survives_without_memory)
{
    struct world w;

    container_init(&w);
    world_set(&w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world_file(&w, "token", "sesame\n"));
    world_answer_keys(&w, "GET /v1/credentials", "ASIA1", 3600);
    TORTURE(nth)
    {
        struct credentials c = {0};
        bool configured = false;
        enum err_code rc = credentials_from_container(&w.context, &configured, &c, &w.e);

        assert_true(rc == ERR_OK || (rc == ERR_NOMEM && w.e.code == ERR_NOMEM));
        assert_true(configured);
        credentials_deinit(&c);
    }
    world_deinit(&w);
}

TEST_MAIN(test_case(test_credentials_container__trusts_only_hosts_of_this_machine_with_a_token),
          test_case(test_credentials_container__is_not_configured_without_an_endpoint),
          test_case(test_credentials_container__gets_keys),
          test_case(test_credentials_container__asks_what_is_near_without_a_proxy),
          test_case(test_credentials_container__asks_others_as_anybody),
          test_case(test_credentials_container__reads_the_token_s_file_each_time),
          test_case(test_credentials_container__refuses_tokens_that_are_none),
          test_case(test_credentials_container__tells_wrong_answers),
          test_case(test_credentials_container__tells_broken_connections),
          test_case(test_credentials_container__survives_without_memory))
