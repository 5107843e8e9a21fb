#include "mysql/json_binary.h"

#include <stdlib.h>

#include "test.h"

static enum err_code convert(struct span document, struct buf *out, struct err *e)
{
    buf_reset(out);
    return json_binary_to_text(document, out, e);
}

struct json_case {
    const char *document; /* hex */
    const char *want;     /* NULL: ERR_CORRUPT */
};

static void check(const struct json_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[400];
        size_t len = test_unhex(cases[i].document, bytes, sizeof bytes);
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = convert(span_of(bytes, len), &out, &e);

        if (cases[i].want == NULL) {
            if (rc != ERR_CORRUPT) {
                fail_msg("%s: code %d", cases[i].document, rc);
            }
        } else {
            assert_ok(rc, &e);
            assert_text_eq(buf_span(&out), cases[i].want);
        }
        buf_deinit(&out);
    }
}

#define CHECK(cases) check((cases), sizeof(cases) / sizeof((cases)[0]))

TEST(test_json_binary__prints_scalars)
{
    static const struct json_case cases[] = {
        {"", "null"},
        {"0400", "null"},
        {"0401", "true"},
        {"0402", "false"},
        {"0403", NULL},
        {"050080", "-32768"},
        {"06ffff", "65535"},
        {"0700000080", "-2147483648"},
        {"08ffffffff", "4294967295"},
        {"090000000000000080", "-9223372036854775808"},
        {"0affffffffffffffff", "18446744073709551615"},
        {"0c00", "\"\""},
        {"0c0561225c0a01", "\"a\\\"\\\\\\n\\u0001\""},
        {"0c012f", "\"/\""},
        {"0c04f09f9880", "\"\xf0\x9f\x98\x80\""},
        {"0c01ff", NULL},
        {"0c8080808080", NULL}, /* a length of more than five bytes */
        {"0d00", NULL},
        {"", "null"},
    };

    CHECK(cases);
}

/* As MySQL 9.7 prints them. */
TEST(test_json_binary__prints_doubles_like_the_server)
{
    static const struct {
        double v;
        const char *want;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {-1.5, "-1.5"},
        {100.0, "100.0"},
        {0.1, "0.1"},
        {1e14, "100000000000000.0"},
        {1e15, "1e15"},
        {123456789012345.0, "123456789012345.0"},
        {1234567890123456.0, "1.234567890123456e15"},
        {1234567890123456.7, "1234567890123456.8"},
        {0.00001, "0.00001"},
        {-1.5e-10, "-0.00000000015"},
        {1e-15, "0.000000000000001"},
        {1e-16, "1e-16"},
        {1e20, "1e20"},
        {1.5e300, "1.5e300"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {1.0 / 17592186044416.0, "0.00000000000005684341886080802"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf in = {0};
        struct buf out = {0};
        struct err e = {0};

        buf_u8(&in, 0x0b);
        buf_append(&in, &cases[i].v, 8);
        assert_ok(convert(buf_span(&in), &out, &e), &e);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&in);
        buf_deinit(&out);
    }
    static const struct json_case not_finite[] = {{"0b000000000000f07f", NULL},
                                                  {"0b000000000000f87f", NULL}};
    CHECK(not_finite);
}

TEST(test_json_binary__prints_opaque_values)
{
    static const struct json_case cases[] = {
        {"0f 0a08 0000000000e48b19", "\"2012-03-18\""},
        {"0f 0c08 000000adb7e48b19", "\"2012-03-18 11:30:45.000000\""},
        {"0f 0708 000000adb7e48b19", "\"2012-03-18 11:30:45.000000\""},
        {"0f 0b08 f1fb09ee77050000", "\"87:31:46.654321\""},
        {"0f 0b08 ffffffffffffffff", "\"-00:00:00.000001\""},
        {"0f 0b08 ffffffffffffff7f", NULL},
        {"0f 0c08 ffffffffffffffff", NULL},
        {"0f 0a07 0000000000e48b", NULL},
        {"0f f606 0603 807b01c8", "123.456"},
        {"0f f607 0b02 8000000900", "9.00"},
        {"0f f606 0603 807b", NULL},
        {"0f f601 06", NULL},
        {"0f f602 0603", NULL},
        {"0f f602 4100", NULL},
        {"0f 0f01 55", "\"base64:type15:VQ==\""},
        {"0f 0f00", "\"base64:type15:\""},
        {"0f 1002 016d", "\"base64:type16:AW0=\""},
        {"0f fc39 616161616161616161616161616161616161616161616161616161616161616161616161616161"
         "616161616161616161616161616161616161",
         "\"base64:type252:"
         "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\""},
        {"0f fc3a 616161616161616161616161616161616161616161616161616161616161616161616161616161"
         "61616161616161616161616161616161616161",
         "\"base64:type252:"
         "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\\nYQ==\""},
    };

    CHECK(cases);
}

TEST(test_json_binary__prints_objects_and_arrays)
{
    static const struct json_case cases[] = {
        {"00 0000 0400", "{}"},
        {"02 0000 0400", "[]"},
        {"01 00000000 08000000", "{}"},
        {"03 00000000 08000000", "[]"},
        {"02 0300 0d00 050100 040100 06ffff", "[1,true,65535]"},
        /* {"":1,"b":{"a":[]}} */
        {"00 02002300120000001200010005010000130062010010000b000100020c006100000400",
         "{\"\":1,\"b\":{\"a\":[]}}"},
        /* A hole between, and the second value before the first. */
        {"02 0200 1100 0c 0e00 0c 0a00 0161 eeee 0162 00", "[\"b\",\"a\"]"},
        /* Large array: 32-bit integers stand inline. */
        {"03 02000000 12000000 07 feffffff 08 ffffffff", "[-2,4294967295]"},
        /* Small array: they do not. */
        {"02 0100 0b00 07 0700 feffffff", "[-2]"},
        {"01 01000000 14000000 13000000 0100 05 01000000 61", "{\"a\":1}"},
    };

    CHECK(cases);
}

TEST(test_json_binary__rejects_what_points_outside)
{
    static const struct json_case cases[] = {
        {"02 0100 0700 0c 0700", NULL}, /* value behind the end */
        {"02 0100 0700 0c ffff", NULL},
        {"02 ffff 0700 0c 0400", NULL},             /* more values than bytes */
        {"02 0000 0500", NULL},                     /* longer than the document */
        {"02 0000 0300", NULL},                     /* shorter than its own head */
        {"00 0100 0c00 0b00 0200 050100 61", NULL}, /* key behind the end */
        {"00 0100 0c00 ff00 0100 050100 61", NULL},
        {"03 ffffffff 08000000", NULL},
        {"01 ffffffff ffffffff", NULL},
        {"02 0100 0700 63 0000", NULL},
    };

    CHECK(cases);
}

/* An array that holds itself: the walk ends at the deepest level that is allowed. */
TEST(test_json_binary__ends_a_document_that_holds_itself)
{
    static const struct json_case cases[] = {
        {"02 0100 0700 02 0000", NULL},
        {"02 0200 0a00 02 0000 02 0000", NULL},
        {"00 0100 0b00 0000 0000 00 0000", NULL},
    };

    CHECK(cases);
}

/* Many values at one place: text far larger than the document. */
TEST(test_json_binary__bounds_the_text_of_overlapping_values)
{
    struct buf in = {0};
    struct buf out = {0};
    struct err e = {0};

    enum { COUNT = 1000 };
    buf_u8(&in, 0x02);
    buf_u16le(&in, COUNT);
    buf_u16le(&in, 4 + 3 * COUNT + 2 + 5000);
    for (int i = 0; i < COUNT; i++) {
        buf_u8(&in, 0x0c);
        buf_u16le(&in, 4 + 3 * COUNT);
    }
    buf_u8(&in, 0x88);
    buf_u8(&in, 0x27);
    for (int i = 0; i < 5000; i++) {
        buf_u8(&in, 'x');
    }
    assert_err(convert(buf_span(&in), &out, &e), ERR_CORRUPT, &e);
    assert_true(out.len < 16 * in.len);
    buf_deinit(&in);
    buf_deinit(&out);
}

static void nested(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        uint16_t inner = (uint16_t)((depth - 1 - i) * 7);

        buf_u16le(out, i + 1 < depth ? 1 : 0);
        buf_u16le(out, i + 1 < depth ? (uint16_t)(7 + inner) : 4);
        if (i + 1 < depth) {
            buf_u8(out, 0x02);
            buf_u16le(out, 7);
        }
    }
}

TEST(test_json_binary__follows_100_levels)
{
    struct buf in = {0};
    struct buf out = {0};
    struct err e = {0};

    buf_u8(&in, 0x02);
    nested(&in, 100);
    buf_zeros(&in, 3);
    assert_ok(convert(buf_span(&in), &out, &e), &e);
    assert_u64_eq(out.len, 200);
    buf_reset(&in);
    buf_u8(&in, 0x02);
    nested(&in, 103);
    buf_zeros(&in, 3);
    assert_err(convert(buf_span(&in), &out, &e), ERR_CORRUPT, &e);
    buf_deinit(&in);
    buf_deinit(&out);
}

TEST(test_json_binary__rejects_every_truncation)
{
    /* {"":1,"b":{"a":[]}} and a string of 200 bytes, so that its length has two. */
    static const char *const documents[] = {
        "00 02002300120000001200010005010000130062010010000b000100020c006100000400",
        "0b 000000000000f03f",
        "0f f606 0603 807b01c8",
        "0c 8101 "
        "616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
        "61616161"
        "616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
        "6161616161616161"
        "616161616161616161616161616161616161616161616161616161",
    };

    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        uint8_t bytes[400];
        size_t len = test_unhex(documents[i], bytes, sizeof bytes);
        struct buf out = {0};
        struct err e = {0};

        assert_ok(convert(span_of(bytes, len), &out, &e), &e);
        for (size_t cut = 1; cut < len; cut++) {
            uint8_t *exact = malloc(cut);

            memcpy(exact, bytes, cut);
            assert_err(convert(span_of(exact, cut), &out, &e), ERR_CORRUPT, &e);
            free(exact);
        }
        buf_deinit(&out);
    }
}

TEST(test_json_binary__reports_a_full_buffer)
{
    uint8_t bytes[64];
    size_t len = test_unhex("02 0300 0d00 050100 040100 06ffff", bytes, sizeof bytes);
    struct buf out;
    struct err e = {0};

    buf_init(&out, 8);
    assert_err(json_binary_to_text(span_of(bytes, len), &out, &e), ERR_LIMIT, &e);
    buf_deinit(&out);
}

TEST_MAIN(test_case(test_json_binary__prints_scalars),
          test_case(test_json_binary__prints_doubles_like_the_server),
          test_case(test_json_binary__prints_opaque_values),
          test_case(test_json_binary__prints_objects_and_arrays),
          test_case(test_json_binary__rejects_what_points_outside),
          test_case(test_json_binary__ends_a_document_that_holds_itself),
          test_case(test_json_binary__bounds_the_text_of_overlapping_values),
          test_case(test_json_binary__follows_100_levels),
          test_case(test_json_binary__rejects_every_truncation),
          test_case(test_json_binary__reports_a_full_buffer))
