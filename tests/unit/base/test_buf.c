#include "base/buf.h"

#include <stdlib.h>

#include "test.h"

TEST(test_buf__round_trips_integers)
{
    struct buf b = {0};
    struct bytes_reader in;

    buf_u16le(&b, 0x1234);
    buf_u64le(&b, UINT64_MAX);
    buf_lenenc(&b, 250);
    buf_lenenc(&b, 251);
    buf_lenenc(&b, 65536);
    buf_lenenc(&b, UINT64_MAX);
    buf_varint(&b, UINT64_MAX);
    buf_zigzag(&b, INT64_MIN);
    bytes_reader_init(&in, buf_span(&b));
    assert_u64_eq(bytes_u16le(&in), 0x1234);
    assert_u64_eq(bytes_u64le(&in), UINT64_MAX);
    assert_u64_eq(bytes_lenenc(&in), 250);
    assert_u64_eq(bytes_lenenc(&in), 251);
    assert_u64_eq(bytes_lenenc(&in), 65536);
    assert_u64_eq(bytes_lenenc(&in), UINT64_MAX);
    assert_u64_eq(bytes_varint(&in), UINT64_MAX);
    assert_i64_eq(bytes_zigzag(&in), INT64_MIN);
    assert_false(bytes_failed(&in));
    assert_u64_eq(bytes_left(&in), 0);
    buf_deinit(&b);
}

TEST(test_buf__fails_for_good_at_its_ceiling)
{
    struct buf b;
    struct err e = {0};

    buf_init(&b, 4);
    buf_u32le(&b, 1);
    assert_ok(buf_check(&b, &e, "it"), &e);
    buf_u8(&b, 1);
    assert_err(buf_check(&b, &e, "it"), ERR_LIMIT, &e);
    assert_string_equal(e.msg, "it is larger than its limit of 4 bytes");
    assert_u64_eq(b.len, 4);
    buf_reset(&b);
    buf_u8(&b, 1);
    assert_ok(buf_check(&b, &e, "it"), &e);
    buf_deinit(&b);
}

TEST(test_buf__hands_over_a_text)
{
    struct buf b;

    buf_init(&b, 4);
    buf_append_str(&b, "abc");
    char *text = buf_take_text(&b);

    assert_string_equal(text, "abc");
    assert_null(b.data);
    free(text);
    buf_append_str(&b, "abcde");
    assert_null(buf_take_text(&b));
    assert_null(b.data);
}

TEST(test_buf__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct buf b = {0};

        for (int i = 0; i < 1000; i++) {
            buf_printf(&b, "%d,", i);
        }
        assert_true(b.failed == ERR_OK || b.failed == ERR_NOMEM);
        buf_deinit(&b);
    }
}

TEST_MAIN(test_case(test_buf__round_trips_integers),
          test_case(test_buf__fails_for_good_at_its_ceiling),
          test_case(test_buf__hands_over_a_text), test_case(test_buf__survives_lack_of_memory))
