#include "parquet/value_json.h"

#include "test.h"

struct known {
    struct parquet_reader_column column;
    const char *hex;
    const char *json;
};

static const struct known values[] = {
    {{.type = PARQUET_BOOLEAN}, "00", "false"},
    {{.type = PARQUET_BOOLEAN}, "01", "true"},
    {{.type = PARQUET_INT32}, "ffffffff", "-1"},
    {{.type = PARQUET_INT64}, "0000000000000080", "-9223372036854775808"},
    {{.type = PARQUET_FLOAT}, "cdcccc3d", "0.1"},
    {{.type = PARQUET_FLOAT}, "0000c07f", "\"NaN\""},
    {{.type = PARQUET_DOUBLE}, "000000000000f07f", "\"Infinity\""},
    {{.type = PARQUET_DOUBLE}, "000000000000f0ff", "\"-Infinity\""},
    {{.type = PARQUET_DOUBLE}, "0000000000000440", "2.5"},
    {{.type = PARQUET_BYTE_ARRAY}, "ff00", "\"/wA=\""},
    {{.type = PARQUET_BYTE_ARRAY}, "", "\"\""},
    {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_STRING},
     "6122c3a9",
     "\"a\\\"\xc3\xa9\""},
    {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_STRING}, "ff", "\"/w==\""},
    {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_bytes = 3}, "010203", "\"AQID\""},
    {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_bytes = 16, .logical = PARQUET_LOGICAL_UUID},
     "000102030405060708090a0b0c0d0eff",
     "\"00010203-0405-0607-0809-0a0b0c0d0eff\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "00000000", "\"1970-01-01\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "ffffffff", "\"1969-12-31\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "5805f5ff", "\"0000-01-01\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "5705f5ff", "\"-000001-12-31\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "a1c02c00", "\"+010000-01-01\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIME_US},
     "0000000000000000",
     "\"00:00:00\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIME_US},
     "ff5fd71d14000000",
     "\"23:59:59.999999\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIME_US},
     "0060d71d14000000",
     "86400000000"},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMP_US},
     "ffffffffffffffff",
     "\"1969-12-31T23:59:59.999999\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMPTZ_US},
     "0000000000000000",
     "\"1970-01-01T00:00:00Z\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMPTZ_US},
     "0000000000000080",
     "\"-290308-12-21T19:59:05.224192Z\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 2},
     "39300000",
     "\"123.45\""},
    {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 2},
     "ffffffff",
     "\"-0.01\""},
    {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 0},
     "0000000000000080",
     "\"-9223372036854775808\""},
    {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY,
      .type_bytes = 16,
      .logical = PARQUET_LOGICAL_DECIMAL,
      .scale = 38},
     "4b3b4ca85a86c47a098a223fffffffff",
     "\"0.99999999999999999999999999999999999999\""},
    {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY,
      .type_bytes = 16,
      .logical = PARQUET_LOGICAL_DECIMAL,
      .scale = 0},
     "80000000000000000000000000000000",
     "\"-170141183460469231731687303715884105728\""},
    {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 3}, "", "\"0.000\""},
    {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 3},
     "00",
     "\"0.000\""},
    {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_DECIMAL, .scale = 1},
     "ff38",
     "\"-20.0\""},
};

TEST(test_value_json__prints_every_type)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t bytes[32];
        size_t len = test_unhex(values[i].hex, bytes, sizeof bytes);
        struct buf out = {0};

        parquet_put_value(&values[i].column, span_of(bytes, len), &out);
        if (!span_eq_str(buf_span(&out), values[i].json)) {
            fail_msg("case %zu: %.*s instead of %s", i, (int)out.len, (const char *)out.data,
                     values[i].json);
        }
        buf_deinit(&out);
    }
}

TEST(test_value_json__prints_wide_decimals)
{
    const struct parquet_reader_column c = {.type = PARQUET_BYTE_ARRAY,
                                            .logical = PARQUET_LOGICAL_DECIMAL};
    uint8_t bytes[65];
    struct buf out = {0};

    /* -2^511 has 154 digits; 65 bytes are more than anybody writes. */
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 0x80;
    parquet_put_value(&c, span_of(bytes, 64), &out);
    assert_u64_eq(out.len, 154 + 3);
    assert_memory_equal(out.data, "\"-67039039649712985497870124991029", 34);
    buf_reset(&out);
    parquet_put_value(&c, span_of(bytes, 65), &out);
    assert_u64_eq(out.len, 88 + 2);
    buf_deinit(&out);
}

TEST(test_value_json__names_types)
{
    static const struct {
        struct parquet_reader_column column;
        const char *name;
    } known[] = {
        {{.type = PARQUET_BOOLEAN}, "boolean"},
        {{.type = PARQUET_INT32}, "int"},
        {{.type = PARQUET_INT64}, "long"},
        {{.type = PARQUET_INT96}, "int96"},
        {{.type = PARQUET_FLOAT}, "float"},
        {{.type = PARQUET_DOUBLE}, "double"},
        {{.type = PARQUET_BYTE_ARRAY}, "binary"},
        {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_bytes = 7}, "fixed[7]"},
        {{.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_STRING}, "string"},
        {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE}, "date"},
        {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIME_US}, "time"},
        {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMP_US}, "timestamp"},
        {{.type = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMPTZ_US}, "timestamptz"},
        {{.type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DECIMAL, .precision = 9, .scale = 2},
         "decimal(9,2)"},
        {{.type = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_bytes = 16, .logical = PARQUET_LOGICAL_UUID},
         "uuid"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buf out = {0};

        parquet_put_type(&known[i].column, &out);
        assert_text_eq(buf_span(&out), known[i].name);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_value_json__prints_every_type),
          test_case(test_value_json__prints_wide_decimals), test_case(test_value_json__names_types))
