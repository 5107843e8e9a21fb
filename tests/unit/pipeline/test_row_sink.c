#include "pipeline/row_sink.h"

#include <float.h>
#include <jansson.h>
#include <stdlib.h>

#include "test.h"

static struct value text_value(enum value_kind kind, const char *text)
{
    return (struct value){.kind = kind, .u.bytes = span_str(text)};
}

static struct value civil_value(enum value_kind kind, struct civil civil)
{
    return (struct value){.kind = kind, .u.civil = civil};
}

static void put(const struct column_def *columns, uint32_t count, const struct value *values,
                struct buf *out)
{
    const struct table_def def = {
        .schema = "s",
        .name = "t",
        .columns = (struct column_def *)(uintptr_t)columns,
        .column_count = count,
    };
    struct json_sink *s = json_sink_new(&def);
    struct err e = {0};

    assert_non_null(s);
    json_sink_put(s, values, out);
    assert_ok(buf_check(out, &e, "row"), &e);
    json_sink_free(s);
}

/* The payload of a row of one column named v. */
static void check(struct column_def column, struct value value, const char *want)
{
    struct buf out = {0};
    char whole[1024];

    column.name = "v";
    put(&column, 1, &value, &out);
    (void)snprintf(whole, sizeof whole, "{\"v\":%s}", want);
    assert_text_eq(buf_span(&out), whole);
    /* It is JSON, and compact as JSON prints it. */
    json_t *o = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);

    if (o == NULL && strstr(want, "18446744073709551615") == NULL) {
        fail_msg("%s is not JSON", whole);
    }
    json_decref(o);
    buf_deinit(&out);
}

static struct column_def of(enum column_type type)
{
    return (struct column_def){.type = type};
}

TEST(test_row_sink__integers)
{
    static const struct {
        enum column_type type;
        int64_t value;
        const char *want;
    } with_sign[] = {
        {COLUMN_TYPE_TINYINT, -128, "-128"},
        {COLUMN_TYPE_TINYINT, 127, "127"},
        {COLUMN_TYPE_SMALLINT, -32768, "-32768"},
        {COLUMN_TYPE_MEDIUMINT, -8388608, "-8388608"},
        {COLUMN_TYPE_MEDIUMINT, -1, "-1"},
        {COLUMN_TYPE_INT, -2147483648LL, "-2147483648"},
        {COLUMN_TYPE_BIGINT, INT64_MIN, "-9223372036854775808"},
        {COLUMN_TYPE_BIGINT, INT64_MAX, "9223372036854775807"},
        {COLUMN_TYPE_BIGINT, 0, "0"},
    };
    static const struct {
        enum column_type type;
        uint64_t value;
        const char *want;
    } without[] = {
        {COLUMN_TYPE_TINYINT, 255, "255"},
        {COLUMN_TYPE_MEDIUMINT, 16777215, "16777215"},
        {COLUMN_TYPE_BIGINT, UINT64_MAX, "18446744073709551615"},
        {COLUMN_TYPE_YEAR, 0, "0"},
        {COLUMN_TYPE_YEAR, 1901, "1901"},
        {COLUMN_TYPE_YEAR, 2155, "2155"},
    };

    for (size_t i = 0; i < sizeof with_sign / sizeof with_sign[0]; i++) {
        check(of(with_sign[i].type), (struct value){.kind = VALUE_I64, .u.i64 = with_sign[i].value},
              with_sign[i].want);
        /* SELECT gives digits: the same bytes. */
        check(of(with_sign[i].type), text_value(VALUE_NUMBER, with_sign[i].want),
              with_sign[i].want);
    }
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        check(of(without[i].type), (struct value){.kind = VALUE_U64, .u.u64 = without[i].value},
              without[i].want);
        check(of(without[i].type), text_value(VALUE_NUMBER, without[i].want), without[i].want);
    }
}

TEST(test_row_sink__decimals_are_text)
{
    static const char *const values[] = {
        "-12.30",
        "0",
        "0.00",
        "0.000000000000000000000000000001",
        "-0.000000000000000000000000000001",
        "99999999999999999999999999999999999.999999999999999999999999999999",
        "-99999999999999999999999999999999999999999999999999999999999999999",
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char want[100];

        (void)snprintf(want, sizeof want, "\"%s\"", values[i]);
        check(of(COLUMN_TYPE_DECIMAL), text_value(VALUE_DECIMAL, values[i]), want);
    }
}

TEST(test_row_sink__floats_are_as_short_as_they_read_back)
{
    static const struct {
        double value;
        const char *want;
    } doubles[] = {
        {0.1, "0.1"},
        {-1.5, "-1.5"},
        {100, "100"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e308"},
        {5e-324, "5e-324"},
        {1e21, "1e21"},
        {-0.0, "-0.0"},
        {16777217, "16777217"},
    };
    static const struct {
        float value;
        const char *want;
    } floats[] = {
        {0.1F, "0.1"}, /* not 0.10000000149011612, as a double would say */
        {FLT_MAX, "3.4028235e38"},
        {-FLT_MIN, "-1.1754944e-38"},
        {16777216.0F, "16777216"},
        {3.14F, "3.14"},
    };

    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        check(of(COLUMN_TYPE_DOUBLE), (struct value){.kind = VALUE_F64, .u.f64 = doubles[i].value},
              doubles[i].want);
    }
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        check(of(COLUMN_TYPE_FLOAT), (struct value){.kind = VALUE_F32, .u.f32 = floats[i].value},
              floats[i].want);
    }
}

TEST(test_row_sink__bits)
{
    struct column_def column = {.type = COLUMN_TYPE_BIT, .length = 1};

    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 0}, "false");
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 1}, "true");
    column.length = 2;
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 1}, "1");
    column.length = 9;
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 511}, "511");
    column.length = 64;
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = UINT64_MAX}, "18446744073709551615");
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 0}, "0");
}

TEST(test_row_sink__texts)
{
    static const struct {
        const char *value;
        const char *want;
    } cases[] = {
        {"", "\"\""}, /* an invalid ENUM too */
        {"paid", "\"paid\""},
        {"trailing  ", "\"trailing  \""},
        {"b\xc3\xbc\xf0\x9f\x98\x80", "\"b\xc3\xbc\xf0\x9f\x98\x80\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\t\r\b\f\x01\x1f\x7f", "\"\\n\\t\\r\\b\\f\\u0001\\u001f\x7f\""},
        {"null", "\"null\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(of(COLUMN_TYPE_VARCHAR), text_value(VALUE_TEXT, cases[i].value), cases[i].want);
        check(of(COLUMN_TYPE_ENUM), text_value(VALUE_TEXT, cases[i].value), cases[i].want);
        check(of(COLUMN_TYPE_TEXT), text_value(VALUE_TEXT, cases[i].value), cases[i].want);
    }
    struct buf out = {0};
    struct column_def column = {.name = "v", .type = COLUMN_TYPE_CHAR};
    struct value nul = {.kind = VALUE_TEXT, .u.bytes = span_of("a\0b", 3)};

    put(&column, 1, &nul, &out);
    assert_text_eq(buf_span(&out), "{\"v\":\"a\\u0000b\"}");
    buf_deinit(&out);
    check(of(COLUMN_TYPE_UUID), text_value(VALUE_TEXT, "0b2f9f1c-7d3c-11ee-9a59-3a1f6b2c4d00"),
          "\"0b2f9f1c-7d3c-11ee-9a59-3a1f6b2c4d00\"");
    check(of(COLUMN_TYPE_INET6), text_value(VALUE_TEXT, "::1"), "\"::1\"");
    check(of(COLUMN_TYPE_INET4), text_value(VALUE_TEXT, "10.0.0.1"), "\"10.0.0.1\"");
}

TEST(test_row_sink__sets_are_arrays_in_definition_order)
{
    static const char *labels[] = {"a", "b\"", "c"};
    struct column_def column = {.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3};

    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 0}, "[]");
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 1}, "[\"a\"]");
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 5}, "[\"a\",\"c\"]");
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = 7}, "[\"a\",\"b\\\"\",\"c\"]");

    const char *many[64];
    char names[64][4];
    char want[600] = "[";

    for (unsigned i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%u", i);
        many[i] = names[i];
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s\"m%u\"",
                       i == 0 ? "" : ",", i);
    }
    (void)snprintf(want + strlen(want), sizeof want - strlen(want), "]");
    column.labels = many;
    column.label_count = 64;
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = UINT64_MAX}, want);
    check(column, (struct value){.kind = VALUE_U64, .u.u64 = (uint64_t)1 << 63}, "[\"m63\"]");
}

TEST(test_row_sink__bytes_are_base64)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xff, 0xfe, 0x00};

    check(of(COLUMN_TYPE_BINARY), (struct value){.kind = VALUE_BYTES, .u.bytes = {bytes, 2}},
          "\"AAE=\"");
    check(of(COLUMN_TYPE_VARBINARY), (struct value){.kind = VALUE_BYTES, .u.bytes = {bytes, 5}},
          "\"AAH//gA=\"");
    check(of(COLUMN_TYPE_BLOB), (struct value){.kind = VALUE_BYTES, .u.bytes = {NULL, 0}}, "\"\"");
    check(of(COLUMN_TYPE_VECTOR), (struct value){.kind = VALUE_BYTES, .u.bytes = {bytes, 4}},
          "\"AAH//g==\"");
}

TEST(test_row_sink__dates_and_times)
{
    static const struct {
        enum column_type type;
        enum value_kind kind;
        uint8_t fsp;
        struct civil civil;
        const char *want;
    } cases[] = {
        {COLUMN_TYPE_DATE, VALUE_DATE, 0, {.year = 2024, .month = 2, .day = 29}, "2024-02-29"},
        {COLUMN_TYPE_DATE, VALUE_DATE, 0, {0}, "0000-00-00"},
        {COLUMN_TYPE_DATE, VALUE_DATE, 0, {.year = 2024, .day = 10}, "2024-00-10"},
        {COLUMN_TYPE_DATE, VALUE_DATE, 0, {.year = 2024, .month = 2, .day = 31}, "2024-02-31"},
        {COLUMN_TYPE_DATE, VALUE_DATE, 0, {.year = 1, .month = 1, .day = 1}, "0001-01-01"},
        {COLUMN_TYPE_DATETIME,
         VALUE_DATETIME,
         6,
         {.year = 2024, .month = 2, .day = 29, .hour = 13, .minute = 5, .micros = 120000},
         "2024-02-29T13:05:00.120000"},
        {COLUMN_TYPE_DATETIME, VALUE_DATETIME, 0, {0}, "0000-00-00T00:00:00"},
        {COLUMN_TYPE_DATETIME, VALUE_DATETIME, 3, {0}, "0000-00-00T00:00:00.000"},
        {COLUMN_TYPE_DATETIME,
         VALUE_DATETIME,
         0,
         {.year = 1000, .month = 1, .day = 1},
         "1000-01-01T00:00:00"},
        {COLUMN_TYPE_DATETIME,
         VALUE_DATETIME,
         6,
         {.year = 9999,
          .month = 12,
          .day = 31,
          .hour = 23,
          .minute = 59,
          .second = 59,
          .micros = 999999},
         "9999-12-31T23:59:59.999999"},
        {COLUMN_TYPE_TIMESTAMP,
         VALUE_TIMESTAMP,
         0,
         {.year = 2024, .month = 2, .day = 29, .hour = 12, .minute = 5},
         "2024-02-29T12:05:00Z"},
        {COLUMN_TYPE_TIMESTAMP,
         VALUE_TIMESTAMP,
         0,
         {.year = 1970, .month = 1, .day = 1, .second = 1},
         "1970-01-01T00:00:01Z"},
        {COLUMN_TYPE_TIMESTAMP,
         VALUE_TIMESTAMP,
         6,
         {.year = 2038,
          .month = 1,
          .day = 19,
          .hour = 3,
          .minute = 14,
          .second = 7,
          .micros = 999999},
         "2038-01-19T03:14:07.999999Z"},
        {COLUMN_TYPE_TIMESTAMP, VALUE_TIMESTAMP, 2, {0}, "0000-00-00T00:00:00.00Z"},
        {COLUMN_TYPE_TIME,
         VALUE_TIME,
         6,
         {.hour = 838, .minute = 59, .second = 59, .micros = 1, .negative = true},
         "-838:59:59.000001"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 0, {.hour = 838, .minute = 59, .second = 59}, "838:59:59"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 6, {.micros = 1, .negative = true}, "-00:00:00.000001"},
        {COLUMN_TYPE_TIME,
         VALUE_TIME,
         2,
         {.second = 1, .micros = 10000, .negative = true},
         "-00:00:01.01"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 0, {0}, "00:00:00"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 1, {.hour = 9, .micros = 900000}, "09:00:00.9"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 0, {.hour = 100}, "100:00:00"},
        {COLUMN_TYPE_TIME, VALUE_TIME, 0, {.hour = 99}, "99:00:00"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct column_def column = {.type = cases[i].type, .fsp = cases[i].fsp};
        char want[64];

        (void)snprintf(want, sizeof want, "\"%s\"", cases[i].want);
        check(column, civil_value(cases[i].kind, cases[i].civil), want);
    }
}

TEST(test_row_sink__fractions_have_as_many_digits_as_the_column)
{
    static const char *const want[] = {"", ".1", ".12", ".123", ".1234", ".12345", ".123456"};

    for (uint8_t fsp = 0; fsp <= 6; fsp++) {
        struct column_def column = {.type = COLUMN_TYPE_DATETIME, .fsp = fsp};
        char text[64];

        (void)snprintf(text, sizeof text, "\"2001-02-03T04:05:06%s\"", want[fsp]);
        check(column,
              civil_value(VALUE_DATETIME, (struct civil){.year = 2001,
                                                         .month = 2,
                                                         .day = 3,
                                                         .hour = 4,
                                                         .minute = 5,
                                                         .second = 6,
                                                         .micros = 123456}),
              text);
    }
}

TEST(test_row_sink__json_and_geometry)
{
    static const uint8_t point[] = {0xe6, 0x10, 0,    0,    1, 1, 0, 0, 0, 0, 0, 0,   0,
                                    0,    0,    0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40};

    check(of(COLUMN_TYPE_JSON), text_value(VALUE_JSON, "{\"a\":[1,2.5]}"), "{\"a\":[1,2.5]}");
    check(of(COLUMN_TYPE_JSON), text_value(VALUE_JSON, "null"), "null");
    check(of(COLUMN_TYPE_JSON), text_value(VALUE_JSON, "\"x\""), "\"x\"");
    check(of(COLUMN_TYPE_GEOMETRY),
          (struct value){.kind = VALUE_GEOMETRY, .u.bytes = {point, sizeof point}},
          "{\"srid\":4326,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"}");
    check(of(COLUMN_TYPE_GEOMETRY),
          (struct value){.kind = VALUE_GEOMETRY, .u.bytes = span_of("\0\0\0\0", 4)},
          "{\"srid\":0,\"wkb\":\"\"}");
    check(of(COLUMN_TYPE_GEOMETRY), (struct value){.kind = VALUE_GEOMETRY, .u.bytes = {NULL, 0}},
          "{\"srid\":0,\"wkb\":\"\"}");
}

TEST(test_row_sink__null_of_every_type)
{
    for (int type = COLUMN_TYPE_TINYINT; type <= COLUMN_TYPE_INET6; type++) {
        check(of((enum column_type)type), (struct value){.kind = VALUE_NULL}, "null");
    }
}

TEST(test_row_sink__keys_come_in_column_order)
{
    static const struct column_def columns[] = {
        {.name = "z", .type = COLUMN_TYPE_INT},        {.name = "a\"\\\n", .type = COLUMN_TYPE_INT},
        {.name = "\xc3\xa4", .type = COLUMN_TYPE_INT}, {.name = "", .type = COLUMN_TYPE_INT},
        {.name = "b/c", .type = COLUMN_TYPE_INT},
    };
    struct value values[5];
    struct buf out = {0};

    for (int i = 0; i < 5; i++) {
        values[i] = (struct value){.kind = VALUE_I64, .u.i64 = i};
    }
    put(columns, 5, values, &out);
    assert_text_eq(buf_span(&out), "{\"z\":0,\"a\\\"\\\\\\n\":1,\"\xc3\xa4\":2,\"\":3,\"b/c\":4}");
    buf_deinit(&out);
    put(columns, 0, values, &out);
    assert_text_eq(buf_span(&out), "{}");
    buf_deinit(&out);
}

TEST(test_row_sink__appends_row_after_row)
{
    static struct column_def columns[] = {{.name = "a", .type = COLUMN_TYPE_INT}};
    static const struct table_def def = {
        .schema = "s", .name = "t", .columns = columns, .column_count = 1};
    struct json_sink *s = json_sink_new(&def);
    struct buf out = {0};

    assert_non_null(s);
    for (int i = 1; i <= 2; i++) {
        json_sink_put(s, &(struct value){.kind = VALUE_I64, .u.i64 = i}, &out);
    }
    assert_text_eq(buf_span(&out), "{\"a\":1}{\"a\":2}");
    buf_deinit(&out);
    json_sink_free(s);
    json_sink_free(NULL);
}

/* A table of 4096 columns, and every kind of value where the buffer is full. */
TEST(test_row_sink__fails_for_good_in_a_full_buffer)
{
    enum { COLUMNS = 4096 };
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    static const char *labels[] = {"a"};
    const struct value kinds[] = {
        {.kind = VALUE_NULL},
        {.kind = VALUE_I64, .u.i64 = -5},
        {.kind = VALUE_U64, .u.u64 = 1},
        {.kind = VALUE_F32, .u.f32 = 0.1F},
        {.kind = VALUE_F64, .u.f64 = 0.1},
        text_value(VALUE_NUMBER, "17"),
        text_value(VALUE_DECIMAL, "1.50"),
        text_value(VALUE_TEXT, "some text"),
        {.kind = VALUE_BYTES, .u.bytes = {bytes, 5}},
        text_value(VALUE_JSON, "[]"),
        {.kind = VALUE_GEOMETRY, .u.bytes = {bytes, 5}},
        civil_value(VALUE_DATE, (struct civil){0}),
        civil_value(VALUE_DATETIME, (struct civil){0}),
        civil_value(VALUE_TIMESTAMP, (struct civil){0}),
        civil_value(VALUE_TIME, (struct civil){0}),
    };
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    struct column_def *columns = calloc(COLUMNS, sizeof *columns);
    struct value *values = calloc(COLUMNS, sizeof *values);
    char(*names)[8] = calloc(COLUMNS, sizeof *names);
    struct buf whole = {0};

    assert_non_null(columns);
    assert_non_null(values);
    assert_non_null(names);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        (void)snprintf(names[i], sizeof names[i], "c%u", i);
        columns[i] = (struct column_def){.name = names[i],
                                         .type = i % 2 == 0 ? COLUMN_TYPE_SET : COLUMN_TYPE_BIT,
                                         .labels = labels,
                                         .label_count = 1,
                                         .length = 1};
        values[i] = kinds[i % KINDS];
    }
    put(columns, COLUMNS, values, &whole);
    assert_true(whole.len > COLUMNS * (size_t)6);
    const struct table_def def = {.columns = columns, .column_count = KINDS * 2};
    struct json_sink *s = json_sink_new(&def);

    assert_non_null(s);
    for (size_t cap = 1; cap < 500; cap++) {
        struct buf out;

        buf_init(&out, cap);
        json_sink_put(s, values, &out);
        assert_int_equal(out.failed, ERR_LIMIT);
        assert_true(out.len <= cap);
        /* What went out before it was full is the row's start, though a piece may be missing. */
        buf_deinit(&out);
    }
    json_sink_free(s);
    buf_deinit(&whole);
    free(columns);
    free(values);
    free(names);
}

TEST(test_row_sink__survives_lack_of_memory)
{
    static struct column_def columns[] = {
        {.name = "a", .type = COLUMN_TYPE_INT},
        {.name = "a name that is longer than the first piece of memory of a buffer, by a lot",
         .type = COLUMN_TYPE_TEXT},
    };
    static const struct table_def def = {.columns = columns, .column_count = 2};
    unsigned long failures = 0;

    TORTURE(nth)
    {
        struct json_sink *s = json_sink_new(&def);
        const struct value values[] = {{.kind = VALUE_I64, .u.i64 = 1},
                                       text_value(VALUE_TEXT, "x")};
        struct buf out = {0};

        if (s != NULL) {
            json_sink_put(s, values, &out);
            assert_true(out.failed == ERR_OK || out.failed == ERR_NOMEM);
        }
        failures += s == NULL || out.failed != ERR_OK ? 1 : 0;
        buf_deinit(&out);
        json_sink_free(s);
    }
    assert_true(failures >= 4);
}

TEST_MAIN(test_case(test_row_sink__integers), test_case(test_row_sink__decimals_are_text),
          test_case(test_row_sink__floats_are_as_short_as_they_read_back),
          test_case(test_row_sink__bits), test_case(test_row_sink__texts),
          test_case(test_row_sink__sets_are_arrays_in_definition_order),
          test_case(test_row_sink__bytes_are_base64), test_case(test_row_sink__dates_and_times),
          test_case(test_row_sink__fractions_have_as_many_digits_as_the_column),
          test_case(test_row_sink__json_and_geometry), test_case(test_row_sink__null_of_every_type),
          test_case(test_row_sink__keys_come_in_column_order),
          test_case(test_row_sink__appends_row_after_row),
          test_case(test_row_sink__fails_for_good_in_a_full_buffer),
          test_case(test_row_sink__survives_lack_of_memory))
