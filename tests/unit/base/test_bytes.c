#include "base/bytes.h"

#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

static const uint8_t counting[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct bytes_reader reader(const void *data, size_t len)
{
    struct bytes_reader in;

    bytes_reader_init(&in, span_of(data, len));
    return in;
}

TEST(test_bytes__reads_integers_of_every_width)
{
    for (size_t width = 1; width <= 8; width++) {
        struct bytes_reader le = reader(counting, width);
        struct bytes_reader be = reader(counting, width);
        uint64_t want_le = 0;
        uint64_t want_be = 0;

        for (size_t i = 0; i < width; i++) {
            want_le |= (uint64_t)counting[i] << (8 * i);
            want_be |= (uint64_t)counting[i] << (8 * (width - 1 - i));
        }
        assert_u64_eq(bytes_uint_le(&le, width), want_le);
        assert_u64_eq(bytes_uint_be(&be, width), want_be);
        assert_u64_eq(bytes_left(&le), 0);
        assert_false(bytes_failed(&le));
        assert_false(bytes_failed(&be));
    }
    struct bytes_reader in = reader(counting, sizeof counting);

    assert_u64_eq(bytes_u8(&in), 0x01);
    assert_u64_eq(bytes_u16le(&in), 0x0302);
    assert_u64_eq(bytes_u24le(&in), 0x060504);
    assert_u64_eq(bytes_u32le(&in), 0x0a090807);
    assert_u64_eq(bytes_u48le(&in), 0x100f0e0d0c0b);
    assert_u64_eq(bytes_offset(&in), 16);
    in = reader(counting, sizeof counting);
    assert_u64_eq(bytes_u64le(&in), 0x0807060504030201);
}

TEST(test_bytes__fails_for_good_after_a_short_read)
{
    for (size_t len = 0; len < 8; len++) {
        /* Exactly as many bytes as are there, so that a sanitizer sees a read past them. */
        uint8_t *data = malloc(len + 1);

        assert_non_null(data);
        memset(data, 0xff, len);
        struct bytes_reader in = reader(data, len);

        assert_u64_eq(bytes_u64le(&in), 0);
        assert_true(bytes_failed(&in));
        assert_u64_eq(bytes_left(&in), 0);
        assert_u64_eq(bytes_offset(&in), len);
        /* Bytes were left before; they are not any more. */
        assert_u64_eq(bytes_u8(&in), 0);
        assert_null(bytes_take(&in, 1));
        assert_u64_eq(bytes_rest(&in).len, 0);
        assert_true(bytes_failed(&in));
        free(data);
    }
}

TEST(test_bytes__never_leaves_its_input_by_a_huge_length)
{
    static const size_t lengths[] = {17, 1 << 20, SIZE_MAX / 2, SIZE_MAX - 8, SIZE_MAX};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes_reader in = reader(counting, sizeof counting);
        struct bytes_reader skipped = reader(counting, sizeof counting);
        struct bytes_reader parent = reader(counting, sizeof counting);

        assert_null(bytes_span(&in, lengths[i]).data);
        assert_true(bytes_failed(&in));
        bytes_skip(&skipped, lengths[i]);
        assert_true(bytes_failed(&skipped));
        struct bytes_reader sub = bytes_sub(&parent, lengths[i]);

        assert_true(bytes_failed(&sub));
        assert_true(bytes_failed(&parent));
        assert_u64_eq(bytes_u8(&sub), 0);
    }
}

TEST(test_bytes__takes_nothing_from_nothing)
{
    struct bytes_reader in = reader(NULL, 0);

    assert_non_null(bytes_take(&in, 0));
    assert_u64_eq(bytes_rest(&in).len, 0);
    assert_false(bytes_failed(&in));
    assert_u64_eq(bytes_u8(&in), 0);
    assert_true(bytes_failed(&in));
    assert_true(span_eq((struct span){NULL, 0}, span_of("x", 0)));
    assert_true(span_eq_str((struct span){NULL, 0}, ""));
    assert_false(span_eq_str(span_str("a"), "ab"));
    assert_false(span_eq_str(span_str("ac"), "ab"));
}

TEST(test_bytes__keeps_a_sub_reader_inside_its_part)
{
    struct bytes_reader in = reader(counting, 8);
    struct bytes_reader sub = bytes_sub(&in, 3);

    assert_u64_eq(bytes_u16le(&sub), 0x0201);
    assert_u64_eq(bytes_u16le(&sub), 0);
    assert_true(bytes_failed(&sub));
    /* Its failure is its own; the parent goes on behind the part. */
    assert_false(bytes_failed(&in));
    assert_u64_eq(bytes_u8(&in), 4);
    bytes_fail(&in);
    sub = bytes_sub(&in, 0);
    assert_true(bytes_failed(&sub));
}

TEST(test_bytes__reads_length_encoded_integers)
{
    static const struct {
        const char *hex;
        bool good;
        uint64_t want;
    } cases[] = {
        {"00", true, 0},
        {"fa", true, 250},
        {"fb", false, 0}, /* NULL of a result set */
        {"fc fb00", true, 251},
        {"fc ffff", true, 65535},
        {"fd 000001", true, 65536},
        {"fd ffffff", true, 16777215},
        {"fe 0000000100000000", true, 16777216},
        {"fe ffffffffffffffff", true, UINT64_MAX},
        {"ff", false, 0},
        {"fc 0000", true, 0}, /* longer than needed */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[16];
        size_t len = test_unhex(cases[i].hex, data, sizeof data);
        struct bytes_reader in = reader(data, len);

        assert_u64_eq(bytes_lenenc(&in), cases[i].want);
        assert_int_equal(bytes_failed(&in), !cases[i].good);
        for (size_t cut = 0; cases[i].good && cut < len; cut++) {
            in = reader(data, cut);
            assert_u64_eq(bytes_lenenc(&in), 0);
            assert_true(bytes_failed(&in));
        }
    }
}

TEST(test_bytes__reads_length_encoded_strings)
{
    struct bytes_reader in = reader("\x03"
                                    "abcd",
                                    5);

    assert_text_eq(bytes_lenenc_span(&in), "abc");
    assert_u64_eq(bytes_left(&in), 1);
    in = reader("\x04"
                "abc",
                4);
    assert_null(bytes_lenenc_span(&in).data);
    assert_true(bytes_failed(&in));
    /* A length that wraps when it is added to a pointer. */
    in = reader("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"
                "abc",
                12);
    assert_null(bytes_lenenc_span(&in).data);
    assert_true(bytes_failed(&in));
    in = reader("\x00", 1);
    assert_u64_eq(bytes_lenenc_span(&in).len, 0);
    assert_false(bytes_failed(&in));
}

TEST(test_bytes__reads_varints)
{
    static const struct {
        const char *hex;
        bool good;
        uint64_t want;
    } cases[] = {
        {"00", true, 0},
        {"7f", true, 127},
        {"8001", true, 128},
        {"ac02", true, 300},
        {"ffffffffffffffffff01", true, UINT64_MAX},
        {"80808080808080808001", true, (uint64_t)1 << 63},
        {"ffffffffffffffffff02", false, 0},   /* the 65th bit */
        {"8080808080808080808000", false, 0}, /* 11 bytes */
        {"80808080808080808080", false, 0},   /* no end in 10 */
        {"8000", true, 0},                    /* longer than needed */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[16];
        size_t len = test_unhex(cases[i].hex, data, sizeof data);
        struct bytes_reader in = reader(data, len);

        assert_u64_eq(bytes_varint(&in), cases[i].want);
        assert_int_equal(bytes_failed(&in), !cases[i].good);
        for (size_t cut = 0; cut < len && cut < 10; cut++) {
            in = reader(data, cut);
            assert_u64_eq(bytes_varint(&in), 0);
            assert_true(bytes_failed(&in));
        }
    }
}

TEST(test_bytes__round_trips_zigzag)
{
    static const int64_t values[] = {
        0, -1, 1, -64, 64, 2147483647, -2147483648LL, INT64_MAX, INT64_MIN + 1, INT64_MIN};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b = {0};

        buf_zigzag(&b, values[i]);
        struct bytes_reader in = reader(b.data, b.len);

        assert_i64_eq(bytes_zigzag(&in), values[i]);
        assert_u64_eq(bytes_left(&in), 0);
        buf_deinit(&b);
    }
    struct bytes_reader in = reader("\x03", 1);

    assert_i64_eq(bytes_zigzag(&in), -2);
}

TEST_MAIN(test_case(test_bytes__reads_integers_of_every_width),
          test_case(test_bytes__fails_for_good_after_a_short_read),
          test_case(test_bytes__never_leaves_its_input_by_a_huge_length),
          test_case(test_bytes__takes_nothing_from_nothing),
          test_case(test_bytes__keeps_a_sub_reader_inside_its_part),
          test_case(test_bytes__reads_length_encoded_integers),
          test_case(test_bytes__reads_length_encoded_strings), test_case(test_bytes__reads_varints),
          test_case(test_bytes__round_trips_zigzag))
