#include "app/inspect_int.h"

#include "test.h"

TEST(test_inspect_bound__shows_every_type)
{
    static const struct {
        const char *type;
        const char *hex;
        const char *want;
    } cases[] = {
        {"boolean", "00", "false"},
        {"boolean", "01", "true"},
        {"int", "feffffff", "-2"},
        {"int", "ffffff7f", "2147483647"},
        {"long", "0000000000000080", "-9223372036854775808"},
        {"long", "01000000", "1"}, /* was an int when the file was written */
        {"float", "0000c03f", "1.5"},
        {"double", "9a9999999999b93f", "0.1"},
        {"double", "0000c03f", "1.5"}, /* was a float */
        {"double", "000000000000f87f", "null"},
        {"date", "2e510000", "\"2026-11-25\""},
        {"date", "ffffffff", "\"1969-12-31\""},
        {"date", "ffffffffffffff7f", "9223372036854775807"}, /* none, but to be seen */
        {"time", "40420f0000000000", "\"00:00:01.000000\""},
        {"time", "ffffffffffffffff", "-1"}, /* none, but to be seen */
        {"timestamp", "0000000000000000", "\"1970-01-01T00:00:00.000000\""},
        {"timestamp", "ffffffffffffffff", "\"1969-12-31T23:59:59.999999\""},
        {"timestamptz", "0100000000000000", "\"1970-01-01T00:00:00.000001Z\""},
        {"string", "c3bc220a", "\"\xc3\xbc\\\"\\n\""},
        {"string", "", "\"\""},
        {"string", "ff", "{\"base64\":\"/w==\"}"},
        {"uuid", "00112233445566778899aabbccddeeff", "\"00112233-4455-6677-8899-aabbccddeeff\""},
        {"uuid", "0011", "{\"base64\":\"ABE=\"}"},
        {"fixed[2]", "0011", "{\"base64\":\"ABE=\"}"},
        {"binary", "", "{\"base64\":\"\"}"},
        {"decimal(9, 2)", "04d2", "\"12.34\""},
        {"decimal(9, 2)", "fb2e", "\"-12.34\""},
        {"decimal(9, 2)", "ff", "\"-0.01\""},
        {"decimal(9,2)", "00", "\"0.00\""},
        {"decimal(9, 0)", "80", "\"-128\""},
        {"decimal(38, 0)", "4b3b4ca85a86c47a098a223fffffffff",
         "\"99999999999999999999999999999999999999\""},
        {"decimal(38, 38)", "b4c4b357a5793b85f675ddc000000001",
         "\"-0.99999999999999999999999999999999999999\""},
        {"decimal(38, 0)", "80000000000000000000000000000000",
         "\"-170141183460469231731687303715884105728\""},
        {"decimal(9, 2)", "", "{\"base64\":\"\"}"},
        {"decimal(9, 99)", "00", "{\"base64\":\"AA==\"}"},
        {"decimal(9, 2)", "0000000000000000000000000000000000",
         "{\"base64\":\"AAAAAAAAAAAAAAAAAAAAAAA=\"}"},
        {"int", "00", "{\"base64\":\"AA==\"}"},
        {"boolean", "", "{\"base64\":\"\"}"},
        {"float", "000000", "{\"base64\":\"AAAA\"}"},
        {"?", "2e510000", "{\"base64\":\"LlEAAA==\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[32];
        struct buf out = {0};
        size_t len = test_unhex(cases[i].hex, bytes, sizeof bytes);

        inspect_put_bound(cases[i].type, span_of(bytes, len), &out);
        if (!span_eq_str(buf_span(&out), cases[i].want)) {
            fail_msg("%s %s: %.*s, not %s", cases[i].type, cases[i].hex, (int)out.len,
                     (const char *)out.data, cases[i].want);
        }
        buf_deinit(&out);
    }
}

TEST(test_inspect_bound__takes_every_length)
{
    static const char *const types[] = {"boolean",  "int",           "long",        "float",
                                        "double",   "date",          "time",        "timestamp",
                                        "string",   "uuid",          "timestamptz", "binary",
                                        "fixed[4]", "decimal(9, 2)", "decimal(",    "?"};
    uint8_t bytes[24];

    memset(bytes, 0xa5, sizeof bytes);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (size_t len = 0; len <= sizeof bytes; len++) {
            struct buf out = {0};

            inspect_put_bound(types[i], span_of(bytes, len), &out);
            assert_true(out.len > 0 && out.failed == ERR_OK);
            buf_deinit(&out);
        }
    }
}

TEST(test_inspect_bound__plain_text_is_one_word)
{
    static const char *const cases[][2] = {
        {"shop.orders", "shop.orders"}, {"", "\"\""},           {"a b", "\"a b\""},
        {"\x1b[2J", "\"\\u001b[2J\""},  {"a\"b", "\"a\\\"b\""}, {"\xc3\xbc", "\"\xc3\xbc\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        inspect_put_plain(&out, cases[i][0]);
        assert_text_eq(buf_span(&out), cases[i][1]);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_inspect_bound__shows_every_type),
          test_case(test_inspect_bound__takes_every_length),
          test_case(test_inspect_bound__plain_text_is_one_word))
