#include "codec/json_writer.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "test.h"

TEST(test_json_writer__escapes_what_must_be)
{
    static const struct {
        const char *text;
        const char *json;
    } known[] = {
        {"", "\"\""},
        {"a", "\"a\""},
        {"plain text of some length, nothing to do",
         "\"plain text of some length, nothing to do\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"a\\b", "\"a\\\\b\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x0b\x1f", "\"\\u0001\\u000b\\u001f\""},
        {"a/b", "\"a/b\""},
        {"\x7f", "\"\x7f\""},
        {"gr\xc3\xb6\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"gr\xc3\xb6\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\"\"\"\"\"\"\"\"\"\"", "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\""},
    };
    struct buf out = {0};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        buf_reset(&out);
        json_put_string(&out, span_str(known[i].text));
        assert_text_eq(buf_span(&out), known[i].json);
    }
    buf_reset(&out);
    json_put_string(&out, span_of("a\0b", 3));
    assert_text_eq(buf_span(&out), "\"a\\u0000b\"");
    buf_deinit(&out);
}

/* The plain way to do it. */
static void put_slowly(struct buf *out, struct span text)
{
    static const char *const shorts[] = {"\\b", "\\t", "\\n", NULL, "\\f", "\\r"};

    buf_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", c);
        } else if (c >= 8 && c <= 13 && c != 11) {
            buf_append_str(out, shorts[c - 8]);
        } else if (c < 0x20) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_u8(out, c);
        }
    }
    buf_u8(out, '"');
}

/* One byte of every value at every place of texts around the width of the words that are scanned.
 */
TEST(test_json_writer__finds_every_byte_at_every_place)
{
    struct buf fast = {0};
    struct buf slow = {0};

    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                uint8_t *text = malloc(len);

                memset(text, at % 3 == 0 ? 0xff : at % 3 == 1 ? 0x20 : 'x', len);
                text[at] = (uint8_t)c;
                buf_reset(&fast);
                buf_reset(&slow);
                json_put_string(&fast, span_of(text, len));
                put_slowly(&slow, span_of(text, len));
                assert_bytes_eq(buf_span(&fast), buf_span(&slow));
                free(text);
            }
        }
    }
    buf_deinit(&fast);
    buf_deinit(&slow);
}

/* Neighbours of the bytes to escape, in all mixtures: a scan by words can be misled by borrows. */
TEST(test_json_writer__is_not_misled_by_neighbours)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0x1f, 0x20, 0x21, '"',  0x23, 0x5b,
                                    '\\', 0x5d, 0x7f, 0x80, 0x9f, 0xa0, 0xa2, 0xff};
    struct buf fast = {0};
    struct buf slow = {0};
    uint32_t x = 1;

    for (int round = 0; round < 20000; round++) {
        uint8_t text[33];
        size_t len = (size_t)round % sizeof text;

        for (size_t i = 0; i < len; i++) {
            x = x * 1664525u + 1013904223u;
            text[i] = bytes[x >> 28];
        }
        buf_reset(&fast);
        buf_reset(&slow);
        json_put_string(&fast, span_of(text, len));
        put_slowly(&slow, span_of(text, len));
        assert_bytes_eq(buf_span(&fast), buf_span(&slow));
    }
    buf_deinit(&fast);
    buf_deinit(&slow);
}

TEST(test_json_writer__writes_integers)
{
    struct buf out = {0};

    json_put_u64(&out, 0);
    buf_u8(&out, ' ');
    json_put_u64(&out, UINT64_MAX);
    buf_u8(&out, ' ');
    json_put_i64(&out, INT64_MIN);
    buf_u8(&out, ' ');
    json_put_i64(&out, -1);
    buf_u8(&out, ' ');
    json_put_i64(&out, INT64_MAX);
    assert_text_eq(buf_span(&out),
                   "0 18446744073709551615 -9223372036854775808 -1 9223372036854775807");
    buf_deinit(&out);
}

static const struct {
    double v;
    const char *json;
} doubles[] = {
    {0.0, "0"},
    {-0.0, "-0.0"},
    {1, "1"},
    {-1, "-1"},
    {100, "100"},
    {0.1, "0.1"},
    {-0.1, "-0.1"},
    {0.5, "0.5"},
    {1.25, "1.25"},
    {12.34, "12.34"},
    {-99.99, "-99.99"},
    {1234567.891, "1234567.891"},
    {0.000001, "0.000001"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {3.141592653589793, "3.141592653589793"},
    {1e-5, "0.00001"},
    {1e-7, "0.0000001"},
    {1.5e-7, "0.00000015"},
    {9.5e-8, "9.5e-8"},
    {1e-8, "1e-8"},
    {1e20, "100000000000000000000"},
    {1.5e20, "150000000000000000000"},
    {123456789012345680000.0, "123456789012345680000"},
    {999999999999999868928.0, "999999999999999900000"},
    {1e21, "1e21"},
    {-1.5e21, "-1.5e21"},
    {1e100, "1e100"},
    {1e300, "1e300"},
    {9007199254740991.0, "9007199254740991"},
    {9007199254740992.0, "9007199254740992"},
    {9007199254740994.0, "9007199254740994"},
    {4503599627370495.5, "4503599627370495.5"},
    {999999999999999.9, "999999999999999.9"},
    {DBL_MAX, "1.7976931348623157e308"},
    {-DBL_MAX, "-1.7976931348623157e308"},
    {DBL_MIN, "2.2250738585072014e-308"},
    {5e-324, "5e-324"},
    {1.5e-323, "1.5e-323"},
    {0x1p-44, "5.684341886080802e-14"}, /* a power of two: not the nearest of 16 digits */
    {0x1p-24, "5.960464477539063e-8"},
    {0x1p89, "6.189700196426902e26"},
    {HUGE_VAL, "null"},
    {-HUGE_VAL, "null"},
};

static void check_doubles(void)
{
    struct buf out = {0};

    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        buf_reset(&out);
        json_put_f64(&out, doubles[i].v);
        assert_text_eq(buf_span(&out), doubles[i].json);
    }
    buf_reset(&out);
    json_put_f64(&out, (double)NAN);
    assert_text_eq(buf_span(&out), "null");
    buf_deinit(&out);
}

TEST(test_json_writer__writes_the_shortest_double)
{
    check_doubles();
}

/* The C locale's tables with a comma would do as well; none is promised to be installed. */
TEST(test_json_writer__has_no_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    const char *set = NULL;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && set == NULL; i++) {
        set = setlocale(LC_ALL, names[i]);
    }
    if (set == NULL) {
        skip();
    }
    check_doubles();
    (void)setlocale(LC_ALL, "C");
}

static const struct {
    float v;
    const char *json;
} floats[] = {
    {0.0f, "0"},
    {-0.0f, "-0.0"},
    {0.1f, "0.1"},
    {-3.14f, "-3.14"},
    {100.0f, "100"},
    {16777216.0f, "16777216"},
    {16777218.0f, "16777218"},
    {33554432.0f, "33554432"},
    {1e10f, "10000000000"},
    {3.4028235e38f, "3.4028235e38"},
    {1.17549435e-38f, "1.1754944e-38"},
    {1e-45f, "1e-45"},
    {1.0f / 3, "0.33333334"},
    {0.000001f, "0.000001"},
    {1e-8f, "1e-8"},
    {1e20f, "100000000000000000000"},
    {1e21f, "1e21"},
    {HUGE_VALF, "null"},
};

TEST(test_json_writer__writes_the_shortest_float)
{
    struct buf out = {0};

    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        buf_reset(&out);
        json_put_f32(&out, floats[i].v);
        assert_text_eq(buf_span(&out), floats[i].json);
    }
    buf_deinit(&out);
}

/* Every written number reads back, and without its last digit it would not. */
TEST(test_json_writer__reads_back_and_wastes_no_digit)
{
    struct buf out = {0};
    uint64_t x = 88172645463325252u;

    for (int round = 0; round < 20000; round++) {
        double v;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (round % 2 == 0) {
            memcpy(&v, &x, sizeof v);
        } else {
            v = (double)(int64_t)(x >> 24) / (double)(1 << (round % 20));
        }
        if (!isfinite(v)) {
            continue;
        }
        buf_reset(&out);
        json_put_f64(&out, v);
        const char *text = buf_cstr(&out);

        assert_true(strtod(text, NULL) == v);
        if (strchr(text, '.') != NULL && strchr(text, 'e') == NULL) {
            out.len--;
            assert_false(strtod(buf_cstr(&out), NULL) == v);
        }
    }
    buf_deinit(&out);
}

TEST(test_json_writer__minifies)
{
    static const struct {
        const char *in;
        const char *out;
    } known[] = {
        {"", ""},
        {"  \t\r\n ", ""},
        {"{ \"a\" : [ 1 , 2.50 , -0e+1 ] ,\n\t\"b c\" : \"d  e\" }",
         "{\"a\":[1,2.50,-0e+1],\"b c\":\"d  e\"}"},
        {"\" \\\" \" , 1", "\" \\\" \",1"},
        {"\" \\\\\" , 1", "\" \\\\\",1"},
        {"\"\\u0020 \" ", "\"\\u0020 \""},
        {"[true , false , null]", "[true,false,null]"},
        /* Not JSON: copied as it goes, never past the end. */
        {"\"open ", "\"open "},
        {"\"\\", "\"\\"},
    };
    struct buf out = {0};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        buf_reset(&out);
        json_put_minified(&out, span_str(known[i].in));
        assert_text_eq(buf_span(&out), known[i].out);
    }
    buf_deinit(&out);
}

TEST(test_json_writer__quotes_base64)
{
    struct buf out = {0};

    json_put_base64(&out, span_str("foobar"));
    json_put_base64(&out, span_str(""));
    assert_text_eq(buf_span(&out), "\"Zm9vYmFy\"\"\"");
    buf_deinit(&out);
}

static void put_all(struct buf *out)
{
    json_put_string(out, span_str("text with \"quotes\" and\nlines, long enough to need room"));
    json_put_base64(out, span_str("0123456789012345678901234567890123456789"));
    json_put_u64(out, UINT64_MAX);
    json_put_f64(out, 1.0 / 3);
    json_put_f32(out, 1.0f / 3);
    json_put_minified(out, span_str("[ 1, 2, 3 ]"));
}

TEST(test_json_writer__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct buf out = {0};

        put_all(&out);
        assert_true(out.failed == ERR_OK || out.failed == ERR_NOMEM);
        buf_deinit(&out);
    }
}

TEST(test_json_writer__stays_under_every_ceiling)
{
    struct buf whole = {0};

    put_all(&whole);
    for (size_t cap = 1; cap < whole.len; cap++) {
        struct buf out;

        buf_init(&out, cap);
        put_all(&out);
        assert_true(out.failed == ERR_LIMIT);
        assert_true(out.len <= cap);
        /* What is there is the beginning of the whole. */
        assert_bytes_eq(buf_span(&out), span_of(whole.data, out.len));
        buf_deinit(&out);
    }
    buf_deinit(&whole);
}

TEST_MAIN(test_case(test_json_writer__escapes_what_must_be),
          test_case(test_json_writer__finds_every_byte_at_every_place),
          test_case(test_json_writer__is_not_misled_by_neighbours),
          test_case(test_json_writer__writes_integers),
          test_case(test_json_writer__writes_the_shortest_double),
          test_case(test_json_writer__has_no_locale),
          test_case(test_json_writer__writes_the_shortest_float),
          test_case(test_json_writer__reads_back_and_wastes_no_digit),
          test_case(test_json_writer__minifies), test_case(test_json_writer__quotes_base64),
          test_case(test_json_writer__survives_lack_of_memory),
          test_case(test_json_writer__stays_under_every_ceiling))
