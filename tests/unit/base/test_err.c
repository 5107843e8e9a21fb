#include "base/err.h"

#include <errno.h>

#include "base/str.h"
#include "test.h"

TEST(test_err__sets_code_and_message)
{
    struct err e;

    memset(&e, 0xff, sizeof e);
    assert_int_equal(err_set(&e, ERR_CORRUPT, "%s at %d", "bad length", 7), ERR_CORRUPT);
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_int_equal(e.os_errno, 0);
    assert_int_equal(e.source_errno, 0);
    assert_false(e.retryable);
    assert_string_equal(e.msg, "bad length at 7");
    assert_int_equal(err_set_retryable(&e, ERR_IO, "reset by %s", "peer"), ERR_IO);
    assert_true(e.retryable);
    assert_string_equal(e.msg, "reset by peer");
    assert_int_equal(err_nomem(&e), ERR_NOMEM);
    assert_false(e.retryable);
    assert_string_equal(e.msg, "out of memory");
}

TEST(test_err__names_the_systems_reason)
{
    struct err e = {0};

    assert_int_equal(err_set_os(&e, ERR_IO, ENOENT, "opening %s", "a.yaml"), ERR_IO);
    assert_int_equal(e.os_errno, ENOENT);
    assert_string_equal(e.msg, "opening a.yaml: No such file or directory");
    assert_int_equal(err_set_os(&e, ERR_IO, 99999, "x"), ERR_IO);
    assert_non_null(strstr(e.msg, "99999"));
}

TEST(test_err__allows_nobody_to_listen)
{
    assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
    assert_int_equal(err_set_os(NULL, ERR_IO, EIO, "x"), ERR_IO);
    assert_int_equal(err_set_retryable(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(err_wrap(NULL, "x"), ERR_OK);
    assert_int_equal(err_nomem(NULL), ERR_NOMEM);
}

TEST(test_err__wraps_from_the_outside)
{
    struct err e = {0};

    (void)err_set_retryable(&e, ERR_IO, "PUT 503");
    e.os_errno = 5;
    assert_int_equal(err_wrap(&e, "writing %s", "m7.avro"), ERR_IO);
    assert_int_equal(err_wrap(&e, "committing shop.orders"), ERR_IO);
    assert_string_equal(e.msg, "committing shop.orders: writing m7.avro: PUT 503");
    assert_true(e.retryable);
    assert_int_equal(e.os_errno, 5);
}

TEST(test_err__stays_on_one_line)
{
    struct err e = {0};

    (void)err_set(&e, ERR_SOURCE, "syntax\nerror\r\nnear");
    (void)err_wrap(&e, "a\nb");
    assert_string_equal(e.msg, "a b: syntax error  near");
}

TEST(test_err__may_quote_its_own_message)
{
    struct err e = {0};

    (void)err_set(&e, ERR_IO, "inner");
    (void)err_set(&e, ERR_CONFIG, "outer (%s)", e.msg);
    assert_string_equal(e.msg, "outer (inner)");
    (void)err_wrap(&e, "again %s", e.msg);
    assert_string_equal(e.msg, "again outer (inner): outer (inner)");
}

TEST(test_err__cuts_long_messages_between_characters)
{
    char text[3000];

    /* Every length around the border, of characters of one to four bytes. */
    static const char *const characters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    for (size_t c = 0; c < 4; c++) {
        size_t width = strlen(characters[c]);

        for (size_t shift = 0; shift < 8; shift++) {
            struct err e = {0};
            size_t len = 0;

            while (len < shift) {
                text[len++] = '.';
            }
            while (len + width < sizeof text) {
                memcpy(text + len, characters[c], width);
                len += width;
            }
            text[len] = '\0';
            (void)err_set(&e, ERR_IO, "%s", text);
            assert_in_range(strlen(e.msg), sizeof e.msg - 4, sizeof e.msg - 1);
            assert_true(str_is_utf8(span_str(e.msg)));
            (void)err_wrap(&e, "outer");
            assert_true(str_starts_with(e.msg, "outer: "));
            assert_in_range(strlen(e.msg), sizeof e.msg - 4, sizeof e.msg - 1);
            assert_true(str_is_utf8(span_str(e.msg)));
            /* What is outside is so long that nothing of the inside is left. */
            (void)err_wrap(&e, "%s", text);
            assert_true(strlen(e.msg) < sizeof e.msg);
        }
    }
}

TEST(test_err__names_every_code)
{
    for (int code = ERR_OK; code <= ERR_DIFFERENT; code++) {
        const char *name = err_code_name((enum err_code)code);

        assert_non_null(name);
        for (int other = ERR_OK; other < code; other++) {
            assert_string_not_equal(name, err_code_name((enum err_code)other));
        }
    }
    assert_string_equal(err_code_name(ERR_NOT_FOUND), "not_found");
}

TEST_MAIN(test_case(test_err__sets_code_and_message), test_case(test_err__names_the_systems_reason),
          test_case(test_err__allows_nobody_to_listen), test_case(test_err__wraps_from_the_outside),
          test_case(test_err__stays_on_one_line), test_case(test_err__may_quote_its_own_message),
          test_case(test_err__cuts_long_messages_between_characters),
          test_case(test_err__names_every_code))
