#include "app/source_url.h"

#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

static void put_part(struct buf *out, const char *name, const char *text)
{
    if (text != NULL) {
        buf_printf(out, "%s=%s ", name, text);
    }
}

TEST(test_source_url__parses)
{
    static const struct {
        const char *url;
        const char *want;
    } cases[] = {
        {"mysql://h", "host=h "},
        {"mariadb://h/", "host=h "},
        {"mysql://h:3307", "host=h port=3307 "},
        {"mysql://root@127.0.0.1:3306", "host=127.0.0.1 port=3306 user=root "},
        {"mysql://u:p@h", "host=h user=u password=p "},
        {"mysql://u:@h", "host=h user=u password= "},
        {"mysql://u:p%40ss%3Aw%2Frd%25@h", "host=h user=u password=p@ss:w/rd% "},
        {"mysql://u:p@ss:x@h:1", "host=h port=1 user=u password=p@ss:x "},
        {"mysql://%C3%BC@h", "host=h user=\xc3\xbc "},
        {"mysql://u@[::1]:3306", "host=::1 port=3306 user=u "},
        {"mysql://[2001:db8::1]", "host=2001:db8::1 "},
        {"mysql://u:p@db1:3306,db2:3307,[::1]:3308,[::2],db3/?tls=required",
         "host=db1:3306,db2:3307,[::1]:3308,[::2],db3 user=u password=p tls=required "},
        {"mysql://u@localhost/?socket=%2Frun%2Fm.sock",
         "host=localhost user=u socket=/run/m.sock "},
        {"mysql://u@/?socket=/run/m.sock&tls=required", "user=u socket=/run/m.sock tls=required "},
        {"mysql://h?tls=verify-ca", "host=h tls=verify-ca "},
        {"mysql://h/?", "host=h "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source_url url;
        struct arena arena;
        struct buf shown = {0};
        struct err e = {0};

        arena_init(&arena, 0);
        assert_ok(source_url_parse(cases[i].url, &arena, &url, &e), &e);
        put_part(&shown, "host", url.host);
        put_part(&shown, "port", url.port);
        put_part(&shown, "user", url.user);
        put_part(&shown, "password", url.password);
        put_part(&shown, "socket", url.socket);
        put_part(&shown, "tls", url.tls);
        assert_text_eq(buf_span(&shown), cases[i].want);
        buf_deinit(&shown);
        arena_deinit(&arena);
    }
}

TEST(test_source_url__refuses_without_telling_the_password)
{
    static const struct {
        const char *url;
        const char *want;
    } cases[] = {
        {"", "must look like mysql://"},
        {"h:3306", "must look like mysql://"},
        {"postgres://u:sesame@h", "must look like mysql://"},
        {"mysql://", "names no host"},
        {"mysql://u:sesame@", "names no host"},
        {"mysql://u:ses/ame@h", "write / as %2F"},
        {"mysql://h:0", "port is not a number"},
        {"mysql://h:65536", "port is not a number"},
        {"mysql://h:33x", "port is not a number"},
        {"mysql://h:", "port is not a number"},
        {"mysql://h/shop", "--table 'SCHEMA.*'"},
        {"mysql://h#x", "--table 'SCHEMA.*'"},
        {"mysql://::1:3306", "IPv6"},
        {"mysql://[::1", "IPv6"},
        {"mysql://[::1]x", "IPv6"},
        {"mysql://u:sesame@h,", "empty name"},
        {"mysql://u:sesame@h,,g", "empty name"},
        {"mysql://u:sesame@h,:3306", "empty name"},
        {"mysql://u:sesame@h,g:0", "port is not a number"},
        {"mysql://h,::1:3306", "IPv6"},
        {"mysql://u:%sesame@h", "password has a %"},
        {"mysql://u:a%4@h", "password has a %"},
        {"mysql://u:a%00@h", "password has a %"},
        {"mysql://u:a%", "port is not a number"},
        {"mysql://h?charset=utf8", "socket and tls only"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source_url url;
        struct arena arena;
        struct err e = {0};

        arena_init(&arena, 0);
        assert_err(source_url_parse(cases[i].url, &arena, &url, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, cases[i].want) == NULL) {
            fail_msg("'%s': no '%s' in '%s'", cases[i].url, cases[i].want, e.msg);
        }
        assert_null(strstr(e.msg, "same"));
        arena_deinit(&arena);
    }
}

TEST(test_source_url__masks_passwords)
{
    static const struct {
        const char *url;
        const char *want;
    } cases[] = {
        {"mysql://u:sesame@h:1/", "mysql://u:***@h:1/"},
        {"mysql://u:ses/a@me@h", "mysql://u:***@h"},
        {"--source=mysql://u:x@h", "--source=mysql://u:***@h"},
        {"mysql://u@h:1", "mysql://u@h:1"},
        {"mysql://u:@h", "mysql://u:@h"},
        {"mysql://[::1]:3306", "mysql://[::1]:3306"},
        {"not a url", "not a url"},
    };
    struct arena arena;

    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(source_url_masked(cases[i].url, &arena), cases[i].want);
    }
    arena_deinit(&arena);
}

TEST(test_source_url__survives_every_truncation)
{
    static const char url[] = "mariadb://us%65r:p%40@[::1]:3306/?socket=%2Fa&tls=required&x";

    for (size_t len = 0; len < sizeof url; len++) {
        struct source_url parsed;
        struct arena arena;
        struct err e = {0};
        char *copy = calloc(len + 1, 1);

        assert_non_null(copy);
        memcpy(copy, url, len);
        arena_init(&arena, 0);
        enum err_code rc = source_url_parse(copy, &arena, &parsed, &e);

        assert_true(rc == ERR_OK || rc == ERR_CONFIG);
        assert_non_null(source_url_masked(copy, &arena));
        free(copy);
        arena_deinit(&arena);
    }
}

TEST_MAIN(test_case(test_source_url__parses),
          test_case(test_source_url__refuses_without_telling_the_password),
          test_case(test_source_url__masks_passwords),
          test_case(test_source_url__survives_every_truncation))
