#include "codec/base64.h"

#include "test.h"

/* RFC 4648, section 10, and one with both characters that are no letters. */
static const struct {
    const char *bytes;
    const char *text;
} pairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xef\xff", "++//"},
};

TEST(test_base64__encodes_the_vectors_of_the_rfc)
{
    struct buf out = {0};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buf_reset(&out);
        base64_encode(span_str(pairs[i].bytes), &out);
        assert_text_eq(buf_span(&out), pairs[i].text);
    }
    buf_deinit(&out);
}

TEST(test_base64__decodes_the_vectors_of_the_rfc)
{
    struct buf out = {0};
    struct err e = {0};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buf_reset(&out);
        assert_ok(base64_decode(span_str(pairs[i].text), &out, &e), &e);
        assert_text_eq(buf_span(&out), pairs[i].bytes);
    }
    buf_deinit(&out);
}

TEST(test_base64__round_trips_all_bytes_at_all_lengths)
{
    uint8_t bytes[256];
    struct buf text = {0};
    struct buf back = {0};
    struct err e = {0};

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37);
    }
    for (size_t len = 0; len <= sizeof bytes; len++) {
        buf_reset(&text);
        buf_reset(&back);
        base64_encode(span_of(bytes, len), &text);
        assert_u64_eq(text.len, (len + 2) / 3 * 4);
        assert_ok(base64_decode(buf_span(&text), &back, &e), &e);
        assert_bytes_eq(buf_span(&back), span_of(bytes, len));
    }
    buf_deinit(&text);
    buf_deinit(&back);
}

TEST(test_base64__rejects_what_is_none_and_appends_nothing)
{
    static const char *const bad[] = {
        "Z",        "Zg",   "Zg=",      "Zm9vY", "====", "=Zg=",     "Zg=g", "Z===",
        "Zm9v====", "Zm 9", "Zm9v\nYg", "Zm-v",  "Zm_v", "Zg==Zm9v", "Zh==", /* a bit that belongs
                                                                                to no byte */
        "Zm9=",
    };
    struct buf out = {0};
    struct err e = {0};

    buf_append_str(&out, "kept");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(base64_decode(span_str(bad[i]), &out, &e), ERR_CORRUPT, &e);
        assert_text_eq(buf_span(&out), "kept");
    }
    buf_deinit(&out);
}

TEST(test_base64__stays_under_the_ceiling_of_its_buffer)
{
    struct buf out;
    struct err e = {0};

    buf_init(&out, 3);
    base64_encode(span_str("foo"), &out);
    assert_err(buf_check(&out, &e, "it"), ERR_LIMIT, &e);
    buf_reset(&out);
    assert_ok(base64_decode(span_str("Zm9v"), &out, &e), &e);
    assert_err(base64_decode(span_str("Zg=="), &out, &e), ERR_LIMIT, &e);
    buf_deinit(&out);
}

TEST(test_base64__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct buf text = {0};
        struct buf back = {0};
        struct err e = {0};

        base64_encode(span_str("some bytes"), &text);
        enum err_code rc = base64_decode(span_str("c29tZSBieXRlcw=="), &back, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        assert_true(text.failed == ERR_OK || text.failed == ERR_NOMEM);
        buf_deinit(&text);
        buf_deinit(&back);
    }
}

TEST_MAIN(test_case(test_base64__encodes_the_vectors_of_the_rfc),
          test_case(test_base64__decodes_the_vectors_of_the_rfc),
          test_case(test_base64__round_trips_all_bytes_at_all_lengths),
          test_case(test_base64__rejects_what_is_none_and_appends_nothing),
          test_case(test_base64__stays_under_the_ceiling_of_its_buffer),
          test_case(test_base64__survives_lack_of_memory))
