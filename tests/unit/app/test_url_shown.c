#include "app/url_shown.h"

#include <stdlib.h>

#include "test.h"

static void assert_shown(const char *text, const char *want)
{
    struct buf out = {0};

    url_put_shown(&out, text);
    assert_text_eq(buf_span(&out), want);
    buf_deinit(&out);
}

TEST(test_url_shown__hides_users_passwords_and_queries)
{
    static const char *const cases[][2] = {
        {"http://u:sesame@proxy:3128", "http://***@proxy:3128"},
        {"http://token@proxy:3128/", "http://***@proxy:3128/"},
        {"http://u:ses@me@h", "http://***@h"},
        {"http://u:ses/a@me@h/x", "http://***@h/x"},
        {"http://u:ses?a#me@h", "http://***@h"},
        {"http://:sesame@[::1]:80", "http://***@[::1]:80"},
        {"u:sesame@proxy:3128", "***@proxy:3128"},
        {"https://h/path?key=sesame", "https://h/path?***"},
        {"https://u:sesame@h/path?key=sesame", "https://***@h/path?***"},
        {"https://h/path#sesame", "https://h/path#***"},
        {"postgresql+psycopg2://u:sesame@h/d", "postgresql+psycopg2://***@h/d"},
        {"jdbc:postgresql://h/d?user=u&password=sesame", "jdbc:postgresql://h/d?***"},
        {"jdbc:sqlserver://h;user=u;password=sesame", "jdbc:sqlserver://h;***"},
        {"jdbc:oracle:thin:u/sesame@h:1521/d", "***@h:1521/d"},
        {"sqlite:////lake/c.db?key=sesame", "sqlite:////lake/c.db?***"},
        {"s3n://ID:sesame@bucket/x", "s3n://***@bucket/x"},
        {"s3a://ID:ses/ame@bucket/x", "s3a://***@bucket/x"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_shown(cases[i][0], cases[i][1]);
    }
}

TEST(test_url_shown__shows_the_rest)
{
    static const char *const cases[] = {
        "",
        "https://h:8181/catalog/v1",
        "http://@h",
        "https://h?",
        "proxy:3128",
        "sqlite:////home/a@b/c.db",
        "jdbc:sqlite:/home/a@b/c.db",
        "s3://bucket/a@b/c?d;e#f",
        "file:///home/a@b?c",
        "/home/a:b@c?d",
        "http://",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_shown(cases[i], cases[i]);
    }
}

TEST(test_url_shown__survives_every_truncation)
{
    static const char url[] = "https://user:sesame@[::1]:3306/a@b?c=d;e#f";

    for (size_t len = 0; len < sizeof url; len++) {
        char *copy = calloc(len + 1, 1);
        struct buf out = {0};

        assert_non_null(copy);
        memcpy(copy, url, len);
        url_put_shown(&out, copy);
        assert_true(out.len <= len + 6);
        buf_deinit(&out);
        free(copy);
    }
}

TEST_MAIN(test_case(test_url_shown__hides_users_passwords_and_queries),
          test_case(test_url_shown__shows_the_rest),
          test_case(test_url_shown__survives_every_truncation))
