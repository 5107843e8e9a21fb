/* Every column type's value through a rows event of one column. */
#include <stdlib.h>

#include "rows_fixture.h"

static const char *three_labels[] = {"a", "b", "c"};
static const char *many_labels[300];

struct value_case {
    struct column_def def;
    const char *type; /* of the table map */
    const char *meta;
    const char *bytes;
    const char *want; /* NULL: ERR_CORRUPT */
};

static enum err_code decode(const struct value_case *c, struct span value, bool whole, char *out,
                            size_t out_bytes, struct err *e)
{
    struct column_def column = c->def;
    struct table_def def = {.schema = "shop", .name = "t", .columns = &column, .column_count = 1};
    struct row_plan *plan;
    struct row_reader r;
    struct buf map = {0};
    struct buf rows = {0};

    column.name = "c";
    put_map(&map, c->type, c->meta, "01", "");
    enum err_code rc = make_plan(buf_span(&map), &def, &plan, e);

    if (rc != ERR_OK) {
        fail_msg("%s %s: %s", c->type, c->meta, e->msg);
    }
    put_rows_head(&rows, BINLOG_EVENT_WRITE_ROWS, 1);
    buf_u8(&rows, 0xfe);
    buf_append_span(&rows, value);
    row_reader_init(&r);
    rc = row_reader_start(&r, plan, BINLOG_EVENT_WRITE_ROWS, buf_span(&rows), e);
    if (rc == ERR_OK) {
        rc = row_reader_next(&r, true, e);
    }
    if (rc == ERR_OK) {
        (void)show_value(&r.after[0], out, out_bytes);
        if (whole && row_reader_more(&r)) {
            fail_msg("%s: bytes left", c->bytes);
        }
    }
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&map);
    buf_deinit(&rows);
    return rc;
}

static void check(const struct value_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct value_case *c = &cases[i];
        struct err e = {0};
        char text[600];
        uint8_t bytes[600];
        size_t len = test_unhex(c->bytes, bytes, sizeof bytes);
        enum err_code rc = decode(c, span_of(bytes, len), true, text, sizeof text, &e);

        if (c->want == NULL) {
            if (rc != ERR_CORRUPT || strstr(e.msg, "column 'c'") == NULL) {
                fail_msg("type %s bytes %s: code %d, %s", c->type, c->bytes, rc, e.msg);
            }
            continue;
        }
        if (rc != ERR_OK || strcmp(text, c->want) != 0) {
            fail_msg("type %s bytes %s: %s, not %s", c->type, c->bytes, rc == ERR_OK ? text : e.msg,
                     c->want);
        }
        for (size_t cut = 0; cut < len; cut++) {
            assert_err(decode(c, span_of(bytes, cut), false, text, sizeof text, &e), ERR_CORRUPT,
                       &e);
        }
    }
}

#define CHECK(cases) check((cases), sizeof(cases) / sizeof((cases)[0]))

/* MariaDB's COMPRESSED; the streams are Python's zlib. */
TEST(test_value__reads_compressed)
{
    static const struct column_def text = {.type = COLUMN_TYPE_VARCHAR, .charset = "latin1"};
    static const struct column_def utf8 = {.type = COLUMN_TYPE_TEXT, .charset = "utf8mb4"};
    static const struct column_def bytes = {.type = COLUMN_TYPE_VARBINARY};
    static const struct column_def blob = {.type = COLUMN_TYPE_BLOB};
    const struct value_case cases[] = {
        {text, "8d", "0c00", "00", "text "},
        {text, "8d", "0c00", "0100", "text "},
        {text, "8d", "0c00", "04 00 616263", "text abc"},
        {text, "8d", "0c00", "03 00 e961",
         "text \xc3\xa9"
         "a"},
        {text, "8d", "0c00", "0c 890bcb48cdc9c957c8009100", "text hello hello"},
        {text, "8d", "0c00", "12 810b789ccb48cdc9c957c800910019910449", "text hello hello"},
        {text, "8d", "0c00", "09 89054b2ffa733f1500",
         "text gr\xc3\xbc\xc3\x9f"
         "e"},
        {text, "8d", "2c01", "0c00 890bcb48cdc9c957c8009100", "text hello hello"},
        {utf8, "8c", "01", "0c 890bcb48cdc9c957c8009100", "text hello hello"},
        {utf8, "8c", "03", "0d0000 8a000bcb48cdc9c957c8009100", "text hello hello"},
        {utf8, "8c", "01", "09 89054b2ffa733f1500", NULL}, /* latin1 */
        {utf8, "8c", "01", "02 00ff", NULL},
        {bytes, "8d", "0c00", "0c 890bcb48cdc9c957c8009100", "bytes 68656c6c6f2068656c6c6f"},
        {bytes, "8d", "0c00", "00", "bytes "},
        {blob, "8c", "02", "0f00 8105789c4b2ffa733f150008e7031a", "bytes 6772fcdf65"},
        {blob, "8c", "02", "0200 00ff", "bytes ff"},
        /* Longer than the column, by its size or as it is. */
        {text, "8d", "0b00", "0c 890bcb48cdc9c957c8009100", NULL},
        {text, "8d", "0300", "04 00 616263", NULL},
        /* A size that is not that of the stream, none, and one that nothing can have. */
        {text, "8d", "0c00", "0c 890acb48cdc9c957c8009100", NULL},
        {blob, "8c", "02", "0c00 890ccb48cdc9c957c8009100", NULL},
        {blob, "8c", "02", "0b00 88cb48cdc9c957c8009100", NULL},
        {blob, "8c", "02", "0c00 8900cb48cdc9c957c8009100", NULL},
        {blob, "8c", "04", "0f000000 8cffffffffcb48cdc9c957c8009100", NULL},
        {blob, "8c", "02", "1000 8d000000000bcb48cdc9c957c8009100", NULL},
        /* Bytes behind the stream, a checksum that is wrong, a cut stream. */
        {blob, "8c", "02", "0d00 890bcb48cdc9c957c800910000", NULL},
        {blob, "8c", "02", "1200 810b789ccb48cdc9c957c800910019910448", NULL},
        {blob, "8c", "02", "0b00 890bcb48cdc9c957c80091", NULL},
        {blob, "8c", "02", "0200 890b", NULL},
        {blob, "8c", "02", "0100 89", NULL},
    };

    CHECK(cases);
}

TEST(test_value__refuses_a_compression_that_is_not_known)
{
    static const struct value_case c = {
        {.type = COLUMN_TYPE_BLOB}, "8c", "02", "0c00 790bcb48cdc9c957c8009100", NULL};
    struct err e = {0};
    char text[600];
    uint8_t bytes[600];
    size_t len = test_unhex(c.bytes, bytes, sizeof bytes);

    assert_err(decode(&c, span_of(bytes, len), true, text, sizeof text, &e), ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "0x79"));
}

/* Rows of MariaDB 10.11 and 11.8 with mysql56_temporal_format=OFF. */
TEST(test_value__reads_old_times_with_fractions)
{
    static const struct value_case cases[] = {
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "01cce060", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "0b", "", "1200c3c0", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 3}, "0b", "", "00b407a580", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 4}, "0b", "", "07084c7700", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 5}, "0b", "", "4652fca600", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "02bf3dde7bff", "time -00:00:00.000001"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "0399c0bf", "time 838:59:59.900000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "0b", "", "2401877f", "time 838:59:59.990000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 3}, "0b", "", "01680f4aff", "time 838:59:59.999000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 4}, "0b", "", "0e1098edff", "time 838:59:59.999900"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 5}, "0b", "", "8ca5f94bff", "time 838:59:59.999990"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "057e7bbcf7ff", "time 838:59:59.999999"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "00000001", "time -838:59:59.900000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "0b", "", "00000001", "time -838:59:59.990000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 3}, "0b", "", "0000000001", "time -838:59:59.999000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 4}, "0b", "", "0000000001", "time -838:59:59.999900"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 5}, "0b", "", "0000000001", "time -838:59:59.999990"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "000000000001", "time -838:59:59.999999"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "01cc4eed", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "0b", "", "11fb1542", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 3}, "0b", "", "00b3ced494", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 4}, "0b", "", "0706144dc8", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 5}, "0b", "", "463ccb09d0", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "02be5fee6220", "time -01:02:03.500000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "01d3c9c1", "time 12:34:56.100000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "0b", "", "1245e18c", "time 12:34:56.120000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 3}, "0b", "", "00b6bacf7b", "time 12:34:56.123000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 4}, "0b", "", "07234c1ad2", "time 12:34:56.123400"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 5}, "0b", "", "4760f90c39", "time 12:34:56.123450"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "02c9c9ba7a40", "time 12:34:56.123456"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1},
         "0c",
         "",
         "000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 2},
         "0c",
         "",
         "000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "0c",
         "",
         "00000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 4},
         "0c",
         "",
         "00000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 5},
         "0c",
         "",
         "00000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6},
         "0c",
         "",
         "0000000000000000",
         "datetime 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1},
         "0c",
         "",
         "0344d965ffff",
         "datetime 9999-12-31 23:59:59.900000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 2},
         "0c",
         "",
         "20b07dfbffff",
         "datetime 9999-12-31 23:59:59.990000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "0c",
         "",
         "0146e4ebd7ffff",
         "datetime 9999-12-31 23:59:59.999000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 4},
         "0c",
         "",
         "0cc4f1366fffff",
         "datetime 9999-12-31 23:59:59.999900"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 5},
         "0c",
         "",
         "7fb16c205fffff",
         "datetime 9999-12-31 23:59:59.999990"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6},
         "0c",
         "",
         "04fcee3943bfffff",
         "datetime 9999-12-31 23:59:59.999999"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1},
         "0c",
         "",
         "0053b10a0f00",
         "datetime 1000-01-01 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 2},
         "0c",
         "",
         "0344ea649600",
         "datetime 1000-01-01 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "0c",
         "",
         "0020b127eddc00",
         "datetime 1000-01-01 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 4},
         "0c",
         "",
         "0146eb8f4a9800",
         "datetime 1000-01-01 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 5},
         "0c",
         "",
         "0cc53398e9f000",
         "datetime 1000-01-01 00:00:00.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6},
         "0c",
         "",
         "007fb403f9236001",
         "datetime 1000-01-01 00:00:00.000001"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1},
         "0c",
         "",
         "00a96160fd87",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 2},
         "0c",
         "",
         "069dcdc9e746",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "0c",
         "",
         "00422a09e308bc",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 4},
         "0c",
         "",
         "0295a462de5758",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 5},
         "0c",
         "",
         "19d86bdcaf6970",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6},
         "0c",
         "",
         "010274369eda1e60",
         "datetime 2024-00-10 11:12:13.500000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 1},
         "07",
         "",
         "0000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 2},
         "07",
         "",
         "0000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 3},
         "07",
         "",
         "000000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 4},
         "07",
         "",
         "000000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 5},
         "07",
         "",
         "00000000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 6},
         "07",
         "",
         "00000000000000",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 1},
         "07",
         "",
         "0000000100",
         "timestamp 1970-01-01 00:00:01.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 2},
         "07",
         "",
         "0000000100",
         "timestamp 1970-01-01 00:00:01.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 3},
         "07",
         "",
         "000000010000",
         "timestamp 1970-01-01 00:00:01.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 4},
         "07",
         "",
         "000000010000",
         "timestamp 1970-01-01 00:00:01.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 5},
         "07",
         "",
         "00000001000000",
         "timestamp 1970-01-01 00:00:01.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 6},
         "07",
         "",
         "00000001000001",
         "timestamp 1970-01-01 00:00:01.000001"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 1},
         "07",
         "",
         "7fffffff09",
         "timestamp 2038-01-19 03:14:07.900000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 2},
         "07",
         "",
         "7fffffff63",
         "timestamp 2038-01-19 03:14:07.990000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 3},
         "07",
         "",
         "7fffffff03e7",
         "timestamp 2038-01-19 03:14:07.999000"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 4},
         "07",
         "",
         "7fffffff270f",
         "timestamp 2038-01-19 03:14:07.999900"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 5},
         "07",
         "",
         "7fffffff01869f",
         "timestamp 2038-01-19 03:14:07.999990"},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 6},
         "07",
         "",
         "7fffffff0f423f",
         "timestamp 2038-01-19 03:14:07.999999"},
        /* Beyond what the types have. */
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "0b", "", "000000000000", NULL},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "0399c0c0", NULL},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "0b", "", "ffffffff", NULL},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1}, "0c", "", "ffffffffffff", NULL},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6}, "0c", "", "7fffffffffffffff", NULL},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6}, "0c", "", "ffffffffffffffff", NULL},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 1}, "07", "", "7fffffff0a", NULL},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 6}, "07", "", "7fffffff0f4240", NULL},
        {{.type = COLUMN_TYPE_TIMESTAMP, .fsp = 3},
         "07",
         "",
         "ffffffff03e7",
         "timestamp 2106-02-07 06:28:15.999000"},
    };

    CHECK(cases);
}

TEST(test_value__reads_integers)
{
    static const struct value_case cases[] = {
        {{.type = COLUMN_TYPE_TINYINT}, "01", "", "80", "i64 -128"},
        {{.type = COLUMN_TYPE_TINYINT}, "01", "", "7f", "i64 127"},
        {{.type = COLUMN_TYPE_TINYINT, .is_unsigned = true}, "01", "", "ff", "u64 255"},
        {{.type = COLUMN_TYPE_SMALLINT}, "02", "", "0080", "i64 -32768"},
        {{.type = COLUMN_TYPE_SMALLINT, .is_unsigned = true}, "02", "", "ffff", "u64 65535"},
        {{.type = COLUMN_TYPE_MEDIUMINT}, "09", "", "ffffff", "i64 -1"},
        {{.type = COLUMN_TYPE_MEDIUMINT}, "09", "", "000080", "i64 -8388608"},
        {{.type = COLUMN_TYPE_MEDIUMINT}, "09", "", "ffff7f", "i64 8388607"},
        {{.type = COLUMN_TYPE_MEDIUMINT, .is_unsigned = true}, "09", "", "ffffff", "u64 16777215"},
        {{.type = COLUMN_TYPE_INT}, "03", "", "00000080", "i64 -2147483648"},
        {{.type = COLUMN_TYPE_INT, .is_unsigned = true}, "03", "", "ffffffff", "u64 4294967295"},
        {{.type = COLUMN_TYPE_BIGINT}, "08", "", "0000000000000080", "i64 -9223372036854775808"},
        {{.type = COLUMN_TYPE_BIGINT, .is_unsigned = true},
         "08",
         "",
         "ffffffffffffffff",
         "u64 18446744073709551615"},
        {{.type = COLUMN_TYPE_YEAR}, "0d", "", "00", "u64 0"},
        {{.type = COLUMN_TYPE_YEAR}, "0d", "", "01", "u64 1901"},
        {{.type = COLUMN_TYPE_YEAR}, "0d", "", "ff", "u64 2155"},
        {{.type = COLUMN_TYPE_BIT, .length = 1}, "10", "0100", "01", "u64 1"},
        {{.type = COLUMN_TYPE_BIT, .length = 3}, "10", "0300", "04", "u64 4"},
        {{.type = COLUMN_TYPE_BIT, .length = 3}, "10", "0300", "08", NULL},
        {{.type = COLUMN_TYPE_BIT, .length = 7}, "10", "0700", "7f", "u64 127"},
        {{.type = COLUMN_TYPE_BIT, .length = 8}, "10", "0001", "ff", "u64 255"},
        {{.type = COLUMN_TYPE_BIT, .length = 9}, "10", "0101", "01fe", "u64 510"},
        {{.type = COLUMN_TYPE_BIT, .length = 63},
         "10",
         "0707",
         "7fffffffffffffff",
         "u64 9223372036854775807"},
        {{.type = COLUMN_TYPE_BIT, .length = 64},
         "10",
         "0008",
         "ffffffffffffffff",
         "u64 18446744073709551615"},
    };

    CHECK(cases);
}

TEST(test_value__reads_floats)
{
    static const struct value_case cases[] = {
        {{.type = COLUMN_TYPE_FLOAT}, "04", "04", "cdcccc3d", "f32 0.100000001"},
        {{.type = COLUMN_TYPE_FLOAT}, "04", "04", "00000080", "f32 -0"},
        {{.type = COLUMN_TYPE_FLOAT}, "04", "04", "0000807f", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "05", "08", "9a9999999999b93f", "f64 0.10000000000000001"},
        {{.type = COLUMN_TYPE_DOUBLE}, "05", "08", "000000000000f87f", NULL},
    };

    CHECK(cases);
}

TEST(test_value__reads_decimals)
{
    static const struct column_def d14_4 = {
        .type = COLUMN_TYPE_DECIMAL, .precision = 14, .scale = 4};
    static const struct column_def d65_30 = {
        .type = COLUMN_TYPE_DECIMAL, .precision = 65, .scale = 30};
    const struct value_case cases[] = {
        {d14_4, "f6", "0e04", "810dfb38d204d2", "decimal 1234567890.1234"},
        {d14_4, "f6", "0e04", "7ef204c72dfb2d", "decimal -1234567890.1234"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2},
         "f6",
         "0402",
         "1c9c",
         "decimal -99.99"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2},
         "f6",
         "0402",
         "7fff",
         "decimal 0.00"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 1, .scale = 0},
         "f6",
         "0100",
         "89",
         "decimal 9"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 1, .scale = 0}, "f6", "0100", "8a", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 9, .scale = 9},
         "f6",
         "0909",
         "80000001",
         "decimal 0.000000001"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 10, .scale = 9},
         "f6",
         "0a09",
         "813b9ac9ff",
         "decimal 1.999999999"},
        {d65_30, "f6", "411e", "800000000000000000000000000000000000000000000000000000000000",
         "decimal 0.000000000000000000000000000000"},
        {d65_30, "f6", "411e", "7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
         "decimal -0.000000000000000000000000000001"},
        {d65_30, "f6", "411e", "85f5e0ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff03e7",
         "decimal 99999999999999999999999999999999999.999999999999999999999999999999"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], 1);
    }
}

TEST(test_value__reads_dates_and_times)
{
    static const struct column_def date = {.type = COLUMN_TYPE_DATE};
    static const struct column_def time0 = {.type = COLUMN_TYPE_TIME};
    static const struct column_def time2 = {.type = COLUMN_TYPE_TIME, .fsp = 2};
    static const struct column_def time4 = {.type = COLUMN_TYPE_TIME, .fsp = 4};
    static const struct column_def time6 = {.type = COLUMN_TYPE_TIME, .fsp = 6};
    static const struct column_def datetime0 = {.type = COLUMN_TYPE_DATETIME};
    static const struct column_def datetime3 = {.type = COLUMN_TYPE_DATETIME, .fsp = 3};
    static const struct column_def datetime6 = {.type = COLUMN_TYPE_DATETIME, .fsp = 6};
    static const struct column_def timestamp0 = {.type = COLUMN_TYPE_TIMESTAMP};
    static const struct column_def timestamp6 = {.type = COLUMN_TYPE_TIMESTAMP, .fsp = 6};
    const struct value_case cases[] = {
        {date, "0a", "", "000000", "date 0000-00-00"},
        {date, "0a", "", "0ad00f", "date 2024-00-10"},
        {date, "0e", "", "5fd00f", "date 2024-02-31"},
        {date, "0a", "", "9f1f4e", "date 9999-12-31"},
        {date, "0a", "", "bf1f4e", NULL}, /* month 13 */
        {date, "0a", "", "9f214e", NULL}, /* year 10000 */
        {time0, "13", "00", "6043e5", "time -507:48:27.000000"},
        {time0, "13", "00", "4b9105", "time -838:59:59.000000"},
        {time0, "13", "00", "800000", "time 00:00:00.000000"},
        {time0, "13", "00", "b46efb", "time 838:59:59.000000"},
        {time0, "13", "00", "b47000", NULL}, /* 839 hours */
        {time0, "13", "00", "80003c", NULL}, /* second 60 */
        {time6, "13", "06", "7efdfbffd875", "time -16:08:04.010123"},
        {time6, "13", "06", "7fffffffffff", "time -00:00:00.000001"},
        {time6, "13", "06", "b46efb0f423f", "time 838:59:59.999999"},
        {time6, "13", "06", "8000000f4240", NULL}, /* a million microseconds */
        {time2, "13", "02", "7fffffff", "time -00:00:00.010000"},
        {time2, "13", "02", "7ffffeff", "time -00:00:01.010000"},
        {time2, "13", "02", "80000163", "time 00:00:01.990000"},
        {time4, "13", "04", "7ffffefffb", "time -00:00:01.000500"},
        {time0, "0b", "", "590a80", "time -838:59:59.000000"},
        {time0, "0b", "", "a7f57f", "time 838:59:59.000000"},
        {time0, "0b", "", "ffffff", "time -00:00:01.000000"},
        {time0, "0b", "", "000000", "time 00:00:00.000000"},
        {time0, "0b", "", "0bf67f", NULL}, /* minute 60 */
        {datetime0, "12", "00", "8000000000", "datetime 0000-00-00 00:00:00.000000"},
        {datetime6, "12", "06", "8000000000000000", "datetime 0000-00-00 00:00:00.000000"},
        {datetime0, "12", "00", "99b2bad140", "datetime 2024-02-29 13:05:00.000000"},
        {datetime0, "12", "00", "8cb2420000", "datetime 1000-01-01 00:00:00.000000"},
        {datetime0, "12", "00", "8003820000", "datetime 0001-01-01 00:00:00.000000"},
        {datetime0, "12", "00", "99b2018000", NULL}, /* hour 24 */
        {datetime3, "12", "03", "fef3ff7efb2706", "datetime 9999-12-31 23:59:59.999000"},
        {datetime3, "12", "03", "fef3ff7efb2710", NULL}, /* 10000 of 1/10000 */
        {datetime6, "12", "06", "fef3ff7efb0f423f", "datetime 9999-12-31 23:59:59.999999"},
        {datetime0, "12", "00", "7fffffffff", NULL},
        {timestamp0, "11", "00", "00000000", "timestamp 0000-00-00 00:00:00.000000"},
        {timestamp0, "11", "00", "00000001", "timestamp 1970-01-01 00:00:01.000000"},
        {timestamp6, "11", "06", "7fffffff0f423f", "timestamp 2038-01-19 03:14:07.999999"},
        {timestamp0, "11", "00", "ffffffff", "timestamp 2106-02-07 06:28:15.000000"},
        {timestamp6, "11", "06", "00000000000000", "timestamp 0000-00-00 00:00:00.000000"},
        {timestamp6, "11", "06", "00000000000001", "timestamp 1970-01-01 00:00:00.000001"},
        {timestamp6, "11", "06", "000000010f4240", NULL},
        {timestamp0, "07", "", "01000000", "timestamp 1970-01-01 00:00:01.000000"},
        {timestamp0, "07", "", "00000000", "timestamp 0000-00-00 00:00:00.000000"},
        {datetime0, "0c", "", "05e1aa8b68120000", "datetime 2024-02-29 13:05:01.000000"},
        {datetime0, "0c", "", "7787d105f15a0000", "datetime 9999-12-31 23:59:59.000000"},
        {datetime0, "0c", "", "b7c9e005f15a0000", NULL},
        {datetime0, "0c", "", "0000000000000000", "datetime 0000-00-00 00:00:00.000000"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], 1);
    }
}

TEST(test_value__reads_enum_and_set)
{
    static const struct column_def e3 = {
        .type = COLUMN_TYPE_ENUM, .labels = three_labels, .label_count = 3};
    static const struct column_def s3 = {
        .type = COLUMN_TYPE_SET, .labels = three_labels, .label_count = 3};
    static const struct column_def e300 = {
        .type = COLUMN_TYPE_ENUM, .labels = many_labels, .label_count = 300};
    static const struct column_def e255 = {
        .type = COLUMN_TYPE_ENUM, .labels = many_labels, .label_count = 255};
    static const struct column_def s64 = {
        .type = COLUMN_TYPE_SET, .labels = many_labels, .label_count = 64};
    static const struct column_def s17 = {
        .type = COLUMN_TYPE_SET, .labels = many_labels, .label_count = 17};
    const struct value_case cases[] = {
        {e3, "fe", "f701", "00", "text "},
        {e3, "fe", "f701", "03", "text c"},
        {e3, "fe", "f701", "04", NULL},
        {e255, "fe", "f701", "ff", "text last of 255"},
        {e300, "fe", "f702", "2c01", "text last of 300"},
        {e300, "fe", "f702", "2d01", NULL},
        {s3, "fe", "f801", "00", "u64 0"},
        {s3, "fe", "f801", "05", "u64 5"},
        {s3, "fe", "f801", "08", NULL},
        {s17, "fe", "f803", "ffff01", "u64 131071"},
        {s17, "fe", "f803", "000002", NULL},
        {s64, "fe", "f808", "ffffffffffffffff", "u64 18446744073709551615"},
    };

    for (size_t i = 0; i < 300; i++) {
        many_labels[i] = i == 254 ? "last of 255" : i == 299 ? "last of 300" : "x";
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], 1);
    }
}

TEST(test_value__reads_text)
{
    static const struct column_def utf8 = {.type = COLUMN_TYPE_VARCHAR, .charset = "utf8mb4"};
    static const struct column_def latin1 = {.type = COLUMN_TYPE_VARCHAR, .charset = "latin1"};
    static const struct column_def utf16 = {.type = COLUMN_TYPE_VARCHAR, .charset = "utf16"};
    static const struct column_def gbk = {.type = COLUMN_TYPE_TEXT, .charset = "gbk"};
    static const struct column_def ascii = {.type = COLUMN_TYPE_CHAR, .charset = "ascii"};
    const struct value_case cases[] = {
        {utf8, "0f", "ff00", "00", "text "},
        {utf8, "0f", "ff00", "03616263", "text abc"},
        {utf8, "0f", "ff00", "04f09f9880", "text \xf0\x9f\x98\x80"},
        {utf8, "fd", "0001", "020061c3", NULL},
        {utf8, "0f", "0001", "0200c3a9", "text \xc3\xa9"},
        {utf8, "0f", "ff00", "03edbfbf", NULL},
        {latin1, "0f", "ff00", "0361e980", "text a\xc3\xa9\xe2\x82\xac"},
        {latin1, "0f", "ff00", "0181", "text \xc2\x81"},
        {utf16, "0f", "ff00", "00", "text "},
        {utf16, "0f", "ff00", "060061d83dde00", "text a\xf0\x9f\x98\x80"},
        {utf16, "0f", "ff00", "02d83d", NULL},
        {gbk, "fc", "02", "0300 61c4e3", "text a\xe4\xbd\xa0"},
        {gbk, "fc", "01", "02 ffff", NULL},
        {gbk, "fc", "03", "020000 6162", "text ab"},
        {gbk, "fc", "04", "02000000 c4e3", "text \xe4\xbd\xa0"},
        {ascii, "fe", "fe0a", "016a", "text j"},
        {ascii, "fe", "fe0a", "01c3", NULL},
        {{.type = COLUMN_TYPE_CHAR, .charset = "utf8mb4"}, "fe", "de00", "0100 7a", "text z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], 1);
    }
}

TEST(test_value__names_charset_and_bytes_that_are_not_valid)
{
    static const struct value_case c = {
        {.type = COLUMN_TYPE_VARCHAR, .charset = "utf8mb4"}, "0f", "ff00", "", NULL};
    uint8_t bytes[16];
    char text[64];
    struct err e = {0};
    size_t len = test_unhex("05 6162ff3031", bytes, sizeof bytes);

    assert_err(decode(&c, span_of(bytes, len), true, text, sizeof text, &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg,
                        "shop.t column 'c': not valid utf8mb4 from byte 2 of 5 on: 0xff3031");
}

TEST(test_value__reads_bytes)
{
    static const struct column_def b16 = {.type = COLUMN_TYPE_BINARY, .length = 16};
    static const struct column_def uuid = {.type = COLUMN_TYPE_UUID};
    static const struct column_def inet4 = {.type = COLUMN_TYPE_INET4};
    static const struct column_def inet6 = {.type = COLUMN_TYPE_INET6};
    static const struct column_def vector = {.type = COLUMN_TYPE_VECTOR};
    const struct value_case cases[] = {
        {b16, "fe", "fe10", "00", "bytes 00000000000000000000000000000000"},
        {b16, "fe", "fe10", "02 01ff", "bytes 01ff0000000000000000000000000000"},
        {b16, "fe", "fe10", "10 000102030405060708090a0b0c0d0e0f",
         "bytes 000102030405060708090a0b0c0d0e0f"},
        {b16, "fe", "fe10", "11 000102030405060708090a0b0c0d0e0f10", NULL},
        {{.type = COLUMN_TYPE_VARBINARY, .length = 9}, "0f", "0900", "03 010000", "bytes 010000"},
        {{.type = COLUMN_TYPE_BLOB}, "fc", "02", "0000", "bytes "},
        {{.type = COLUMN_TYPE_BLOB}, "fc", "03", "020000 00ff", "bytes 00ff"},
        {vector, "f2", "04", "04000000 0000803f", "bytes 0000803f"},
        {vector, "0f", "0c00", "04 0000803f", "bytes 0000803f"},
        {{.type = COLUMN_TYPE_GEOMETRY}, "ff", "04", "00000000", "geometry "},
        {{.type = COLUMN_TYPE_GEOMETRY}, "ff", "04", "05000000 e610000001", "geometry e610000001"},
        {uuid, "fe", "fe10", "0f f47ac10b58cc4372a5670e02b2c3d4",
         "text f47ac10b-58cc-4372-a567-0e02b2c3d400"},
        {uuid, "fe", "fe10", "00", "text 00000000-0000-0000-0000-000000000000"},
        {uuid, "fe", "fe10", "11 0000000000000000000000000000000000", NULL},
        {inet4, "fe", "fe04", "02 0102", "text 1.2.0.0"},
        {inet4, "fe", "fe04", "04 ffffffff", "text 255.255.255.255"},
        {inet6, "fe", "fe10", "00", "text ::"},
        {inet6, "fe", "fe10", "10 00000000000000000000000000000001", "text ::1"},
        {inet6, "fe", "fe10", "02 2001", "text 2001::"},
        {inet6, "fe", "fe10", "10 20010db8000000000001000000000001", "text 2001:db8::1:0:0:1"},
        {inet6, "fe", "fe10", "10 00000000000000000000ffff01020304", "text ::ffff:1.2.3.4"},
        {inet6, "fe", "fe10", "10 00000000000000000000000001020304", "text ::1.2.3.4"},
        {inet6, "fe", "fe10", "10 00010000000200030004000500060007", "text 1::2:3:4:5:6:7"},
        {inet6, "fe", "fe10", "10 ffffffffffffffffffffffffffffffff",
         "text ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(&cases[i], 1);
    }
}

TEST(test_value__reads_json)
{
    static const struct column_def json = {.type = COLUMN_TYPE_JSON};
    const struct value_case cases[] = {
        {json, "f5", "04", "00000000", "json null"},
        {json, "f5", "04", "02000000 0401", "json true"},
        {json, "f5", "02", "0400 0c026162", "json \"ab\""},
        {json, "f5", "02", "0100 0e", NULL},
    };

    CHECK(cases);
}

TEST_MAIN(test_case(test_value__reads_old_times_with_fractions),
          test_case(test_value__reads_compressed),
          test_case(test_value__refuses_a_compression_that_is_not_known),
          test_case(test_value__reads_integers), test_case(test_value__reads_floats),
          test_case(test_value__reads_decimals), test_case(test_value__reads_dates_and_times),
          test_case(test_value__reads_enum_and_set), test_case(test_value__reads_text),
          test_case(test_value__names_charset_and_bytes_that_are_not_valid),
          test_case(test_value__reads_bytes), test_case(test_value__reads_json))
