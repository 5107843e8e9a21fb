#include "codec/decimal.h"

#include "test.h"

static const struct {
    unsigned precision;
    unsigned scale;
    const char *hex;
    const char *text;
} known[] = {
    {14, 4, "810dfb38d204d2", "1234567890.1234"},
    {14, 4, "7ef204c72dfb2d", "-1234567890.1234"},
    {4, 2, "1c9c", "-99.99"},
    {4, 2, "e363", "99.99"},
    {4, 2, "8000", "0.00"},
    {4, 2, "7fff", "0.00"}, /* negative zero */
    {4, 2, "8001", "0.01"},
    {4, 2, "7ffe", "-0.01"},
    {1, 0, "80", "0"},
    {1, 0, "7f", "0"},
    {1, 0, "89", "9"},
    {1, 0, "76", "-9"},
    {1, 1, "85", "0.5"},
    {9, 9, "80000001", "0.000000001"},
    {9, 0, "bb9ac9ff", "999999999"},
    {9, 0, "44653600", "-999999999"},
    {10, 9, "8100000000", "1.000000000"},
    {10, 0, "8000000005", "5"},
    {10, 0, "8900000000", "9000000000"},
    {18, 0, "8000000100000000", "1000000000"},
    {18, 0, "8000000000000000", "0"},
    {30, 30, "80000000 00000000 00000000 0100", "0.000000000000000000000000000256"},
    {65, 30, "80000000 00000000 00000000 00000000 00000000 00000000 00000000 00", NULL},
    {65, 30, "80000000 00000000 00000000 00000000 00000000 00000000 00000000 0000",
     "0.000000000000000000000000000000"},
    {65, 30, "7fffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff fffe",
     "-0.000000000000000000000000000001"},
    {65, 30, "85f5e0ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 03e7",
     "99999999999999999999999999999999999.999999999999999999999999999999"},
    {65, 0, "80000000 00000000 00000000 00000000 00000000 00000000 00000000 07", "7"},
};

TEST(test_decimal__gives_the_known_texts)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t packed[64];
        char text[DECIMAL_TEXT_BYTES];
        size_t bytes = test_unhex(known[i].hex, packed, sizeof packed);
        size_t len =
            decimal_to_text(span_of(packed, bytes), known[i].precision, known[i].scale, text);

        if (known[i].text == NULL) {
            assert_u64_eq(len, 0); /* a byte short */
        } else {
            assert_text_eq(span_of(text, len), known[i].text);
        }
    }
}

TEST(test_decimal__knows_the_packed_size)
{
    static const struct {
        unsigned precision;
        unsigned scale;
        size_t bytes;
    } sizes[] = {{1, 0, 1},  {2, 0, 1},  {3, 0, 2},   {5, 0, 3},    {7, 0, 4},   {9, 0, 4},
                 {10, 0, 5}, {14, 4, 7}, {4, 2, 2},   {65, 30, 30}, {65, 0, 29}, {30, 30, 14},
                 {0, 0, 0},  {66, 0, 0}, {65, 31, 0}, {5, 6, 0},    {31, 31, 0}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_u64_eq(decimal_packed_bytes(sizes[i].precision, sizes[i].scale), sizes[i].bytes);
    }
}

TEST(test_decimal__rejects_every_other_length)
{
    const uint8_t zeros[64] = {0x80};
    char text[DECIMAL_TEXT_BYTES];

    for (unsigned precision = 1; precision <= 65; precision++) {
        for (unsigned scale = 0; scale <= 30 && scale <= precision; scale++) {
            size_t right = decimal_packed_bytes(precision, scale);

            for (size_t len = 0; len < sizeof zeros; len++) {
                size_t got = decimal_to_text(span_of(zeros, len), precision, scale, text);

                assert_true((got != 0) == (len == right));
                assert_true(got <= DECIMAL_TEXT_BYTES);
            }
        }
    }
    assert_u64_eq(decimal_to_text(span_of(zeros, 1), 0, 0, text), 0);
    assert_u64_eq(decimal_to_text(span_of(zeros, 30), 66, 30, text), 0);
}

TEST(test_decimal__rejects_groups_with_too_many_digits)
{
    static const struct {
        unsigned precision;
        unsigned scale;
        const char *hex;
    } bad[] = {
        {9, 0, "bb9aca00"},        /* 1000000000 in nine digits */
        {9, 0, "ffffffff"},        /* the largest group there is */
        {9, 9, "bb9aca00"},        /* behind the point */
        {1, 0, "8a"},              /* 10 in one digit */
        {2, 0, "e4"},              /* 100 in two */
        {10, 0, "803b9aca00"},     /* the second group */
        {14, 4, "810dfb38d22710"}, /* 10000 in four fraction digits */
        {9, 0, "446535ff"},        /* -1000000000 */
    };
    char text[DECIMAL_TEXT_BYTES];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t packed[64];
        size_t bytes = test_unhex(bad[i].hex, packed, sizeof packed);

        assert_u64_eq(bytes, decimal_packed_bytes(bad[i].precision, bad[i].scale));
        assert_u64_eq(decimal_to_text(span_of(packed, bytes), bad[i].precision, bad[i].scale, text),
                      0);
    }
}

TEST_MAIN(test_case(test_decimal__gives_the_known_texts),
          test_case(test_decimal__knows_the_packed_size),
          test_case(test_decimal__rejects_every_other_length),
          test_case(test_decimal__rejects_groups_with_too_many_digits))
