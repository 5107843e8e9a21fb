#include "mysql/value_text.h"

#include <stdlib.h>

#include "rows_fixture.h"

static const char *labels[] = {"a", "bc", "it's"};
static const char *labels_64[64];

struct text_case {
    struct column_def def;
    const char *text;
    const char *want; /* NULL: ERR_CORRUPT */
};

static void check(const struct text_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct column_def def = cases[i].def;
        size_t len = strlen(cases[i].text);
        uint8_t *exact = malloc(len + 1);
        struct buf scratch = {0};
        struct value v = {0};
        struct err e = {0};
        char shown[300];

        def.name = "c";
        memcpy(exact, cases[i].text, len);
        (void)buf_reserve(&scratch, value_text_scratch_bytes(len) + 1);
        enum err_code rc = value_from_text(&def, span_of(exact, len), &scratch, &v, &e);

        if (cases[i].want == NULL) {
            if (rc != ERR_CORRUPT || strstr(e.msg, "column 'c'") == NULL) {
                fail_msg("%s: code %d %s", cases[i].text, rc, e.msg);
            }
        } else if (rc != ERR_OK ||
                   strcmp(show_value(&v, shown, sizeof shown), cases[i].want) != 0) {
            fail_msg("%s: %s, not %s", cases[i].text, rc == ERR_OK ? shown : e.msg, cases[i].want);
        }
        free(exact);
        buf_deinit(&scratch);
    }
}

#define CHECK(cases) check((cases), sizeof(cases) / sizeof((cases)[0]))

TEST(test_value_text__reads_numbers)
{
    static const struct text_case cases[] = {
        {{.type = COLUMN_TYPE_TINYINT}, "-128", "number -128"},
        {{.type = COLUMN_TYPE_SMALLINT}, "0", "number 0"},
        {{.type = COLUMN_TYPE_MEDIUMINT}, "16777215", "number 16777215"},
        {{.type = COLUMN_TYPE_INT, .is_unsigned = true}, "00000005", "number 5"},
        {{.type = COLUMN_TYPE_INT, .is_unsigned = true}, "0000", "number 0"},
        {{.type = COLUMN_TYPE_BIGINT}, "18446744073709551615", "number 18446744073709551615"},
        {{.type = COLUMN_TYPE_INT}, "", NULL},
        {{.type = COLUMN_TYPE_INT}, "-", NULL},
        {{.type = COLUMN_TYPE_INT}, "1.5", NULL},
        {{.type = COLUMN_TYPE_INT}, "+1", NULL},
        {{.type = COLUMN_TYPE_INT}, "1 ", NULL},
        {{.type = COLUMN_TYPE_INT}, "-0", NULL},
        {{.type = COLUMN_TYPE_INT}, "-01", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "-12.30", "decimal -12.30"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "-0.00", "decimal 0.00"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "-0.01", "decimal -0.01"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 9, .scale = 2}, "0000012.50", "decimal 12.50"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 9, .scale = 2}, "0000000.50", "decimal 0.50"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 65}, "-9", "decimal -9"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 65}, "-0", "decimal 0"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "12.3", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "12.345", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "12", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, ".50", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "1x.50", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2}, "-01.50", NULL},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 4}, "1.5", NULL},
        {{.type = COLUMN_TYPE_FLOAT}, "0.10000000149011612", "f32 0.100000001"},
        {{.type = COLUMN_TYPE_FLOAT}, "-0", "f32 -0"},
        {{.type = COLUMN_TYPE_FLOAT}, "1e300", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "1.7976931348623157e308", "f64 1.7976931348623157e+308"},
        {{.type = COLUMN_TYPE_DOUBLE}, "5e-324", "f64 4.9406564584124654e-324"},
        {{.type = COLUMN_TYPE_DOUBLE}, "1e999", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "nan", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "0x10", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "", NULL},
        {{.type = COLUMN_TYPE_DOUBLE}, "1e", NULL},
        {{.type = COLUMN_TYPE_YEAR}, "0000", "u64 0"},
        {{.type = COLUMN_TYPE_YEAR}, "2155", "u64 2155"},
        {{.type = COLUMN_TYPE_YEAR}, "1900", NULL},
        {{.type = COLUMN_TYPE_BIT, .length = 7}, "\x7f", "u64 127"},
        {{.type = COLUMN_TYPE_BIT, .length = 7}, "\x80", NULL},
        {{.type = COLUMN_TYPE_BIT, .length = 9}, "\x01\xfe", "u64 510"},
        {{.type = COLUMN_TYPE_BIT, .length = 9}, "\x01", NULL},
        {{.type = COLUMN_TYPE_BIT, .length = 64},
         "\xff\xff\xff\xff\xff\xff\xff\xff",
         "u64 18446744073709551615"},
    };

    CHECK(cases);
}

TEST(test_value_text__reads_dates_and_times)
{
    static const struct text_case cases[] = {
        {{.type = COLUMN_TYPE_DATE}, "0000-00-00", "date 0000-00-00"},
        {{.type = COLUMN_TYPE_DATE}, "2024-02-31", "date 2024-02-31"},
        {{.type = COLUMN_TYPE_DATE}, "2024-13-01", NULL},
        {{.type = COLUMN_TYPE_DATE}, "2024-1-01", NULL},
        {{.type = COLUMN_TYPE_DATE}, "2024-01-0x", NULL},
        {{.type = COLUMN_TYPE_DATE}, "2024/01/01", NULL},
        {{.type = COLUMN_TYPE_DATETIME},
         "2024-02-29 13:05:01",
         "datetime 2024-02-29 13:05:01.000000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "9999-12-31 23:59:59.987",
         "datetime 9999-12-31 23:59:59.987000"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6},
         "0000-00-00 00:00:00.000001",
         "datetime 0000-00-00 00:00:00.000001"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 6}, "2024-02-29 13:05:01", NULL},
        {{.type = COLUMN_TYPE_DATETIME}, "2024-02-29 13:05:01.0", NULL},
        {{.type = COLUMN_TYPE_DATETIME}, "2024-02-29 24:05:01", NULL},
        {{.type = COLUMN_TYPE_DATETIME}, "2024-02-29 13:60:01", NULL},
        {{.type = COLUMN_TYPE_DATETIME}, "2024-02-29T13:05:01", NULL},
        {{.type = COLUMN_TYPE_DATETIME}, "2024-02-29 13-05:01", NULL},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 1}, "2024-02-29 13:05:01,5", NULL},
        {{.type = COLUMN_TYPE_TIMESTAMP},
         "2038-01-19 03:14:07",
         "timestamp 2038-01-19 03:14:07.000000"},
        {{.type = COLUMN_TYPE_TIMESTAMP},
         "0000-00-00 00:00:00",
         "timestamp 0000-00-00 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME}, "-838:59:59", "time -838:59:59.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 6}, "-00:00:00.000001", "time -00:00:00.000001"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 1}, "-00:00:00.0", "time 00:00:00.000000"},
        {{.type = COLUMN_TYPE_TIME, .fsp = 2}, "01:02:03.45", "time 01:02:03.450000"},
        {{.type = COLUMN_TYPE_TIME}, "839:00:00", NULL},
        {{.type = COLUMN_TYPE_TIME}, "1:00:00", NULL},
        {{.type = COLUMN_TYPE_TIME}, "0001:00:00", NULL},
        {{.type = COLUMN_TYPE_TIME}, "01:00", NULL},
        {{.type = COLUMN_TYPE_TIME}, "01:00:60", NULL},
        {{.type = COLUMN_TYPE_TIME}, "", NULL},
        {{.type = COLUMN_TYPE_TIME}, "-", NULL},
        {{.type = COLUMN_TYPE_TIME}, "01", NULL},
        {{.type = COLUMN_TYPE_TIME}, "01:", NULL},
    };

    CHECK(cases);
}

TEST(test_value_text__reads_strings)
{
    const struct text_case cases[] = {
        {{.type = COLUMN_TYPE_CHAR}, "a", "text a"},
        {{.type = COLUMN_TYPE_VARCHAR}, "\xc3\xa9", "text \xc3\xa9"},
        {{.type = COLUMN_TYPE_TEXT}, "\xe9", NULL},
        {{.type = COLUMN_TYPE_TEXT}, "", "text "},
        {{.type = COLUMN_TYPE_UUID}, "f47ac10b", "text f47ac10b"},
        {{.type = COLUMN_TYPE_INET4}, "1.2.0.0", "text 1.2.0.0"},
        {{.type = COLUMN_TYPE_INET6}, "::", "text ::"},
        {{.type = COLUMN_TYPE_BINARY, .length = 3}, "\xff-\x01", "bytes ff2d01"},
        {{.type = COLUMN_TYPE_BINARY, .length = 4}, "\xff-\x01", NULL},
        {{.type = COLUMN_TYPE_VARBINARY, .length = 4}, "\xff", "bytes ff"},
        {{.type = COLUMN_TYPE_BLOB}, "", "bytes "},
        {{.type = COLUMN_TYPE_VECTOR}, "\xff", "bytes ff"},
        {{.type = COLUMN_TYPE_GEOMETRY}, "\xe6", "geometry e6"},
        {{.type = COLUMN_TYPE_ENUM, .labels = labels, .label_count = 3}, "it's", "text it's"},
        {{.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3}, "0", "u64 0"},
        {{.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3}, "7", "u64 7"},
        {{.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3}, "8", NULL},
        {{.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3}, "", NULL},
        {{.type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3}, "a", NULL},
        {{.type = COLUMN_TYPE_SET, .labels = labels_64, .label_count = 64},
         "18446744073709551615",
         "u64 18446744073709551615"},
        {{.type = COLUMN_TYPE_SET, .labels = labels_64, .label_count = 64},
         "18446744073709551616",
         NULL},
        {{.type = COLUMN_TYPE_JSON},
         "{\"a b\": [1, 2.50, \"x \\\" y\"], \"c\": null}",
         "json {\"a b\":[1,2.50,\"x \\\" y\"],\"c\":null}"},
        {{.type = COLUMN_TYPE_JSON}, "", NULL},
        {{.type = COLUMN_TYPE_JSON}, "\"\xff\"", NULL},
    };

    for (int i = 0; i < 64; i++) {
        labels_64[i] = "x";
    }
    CHECK(cases);
}

TEST(test_value_text__reads_null_of_every_type)
{
    struct column_def def = {.name = "c"};

    for (int type = 0; type <= COLUMN_TYPE_INET6; type++) {
        struct value v = {.kind = VALUE_U64};
        struct buf scratch = {0};
        struct err e = {0};

        def.type = (enum column_type)type;
        assert_ok(value_from_text(&def, (struct span){NULL, 0}, &scratch, &v, &e), &e);
        assert_int_equal(v.kind, VALUE_NULL);
        buf_deinit(&scratch);
    }
}

/* No type crashes on any short text; each either fits or is an error that names the column. */
TEST(test_value_text__survives_any_text_of_any_type)
{
    static const char alphabet[] = "0-.:9 e,\xff{";
    struct buf scratch = {0};

    (void)buf_reserve(&scratch, 64);
    for (int type = 0; type <= COLUMN_TYPE_INET6; type++) {
        struct column_def def = {.name = "c",
                                 .type = (enum column_type)type,
                                 .length = 3,
                                 .labels = labels,
                                 .label_count = 3};

        for (unsigned n = 0; n < 10000; n++) {
            uint8_t *exact = malloc(4);
            struct value v;
            struct err e = {0};
            unsigned k = n;

            for (int i = 0; i < 4; i++, k /= 10) {
                exact[i] = (uint8_t)alphabet[k % 10];
            }
            buf_reset(&scratch);
            enum err_code rc = value_from_text(&def, span_of(exact, n % 5), &scratch, &v, &e);
            assert_true(rc == ERR_OK || rc == ERR_CORRUPT);
            free(exact);
        }
    }
    buf_deinit(&scratch);
}

TEST(test_value_text__never_moves_scratch)
{
    struct column_def def = {.name = "c", .type = COLUMN_TYPE_JSON};
    struct buf scratch = {0};
    struct value v;
    struct err e = {0};
    char big[200];

    memset(big, '1', sizeof big);
    assert_err(value_from_text(&def, span_of(big, sizeof big), &scratch, &v, &e), ERR_LIMIT, &e);
    (void)buf_reserve(&scratch, sizeof big);
    assert_ok(value_from_text(&def, span_of(big, sizeof big), &scratch, &v, &e), &e);
    assert_true(v.u.bytes.data == scratch.data);
    buf_deinit(&scratch);
}

TEST(test_value_text__selects)
{
    static const struct {
        struct column_def def;
        const char *want;
    } cases[] = {
        {{.name = "id", .type = COLUMN_TYPE_INT}, "`id`"},
        {{.name = "a`b", .type = COLUMN_TYPE_TEXT}, "`a``b`"},
        {{.name = "f", .type = COLUMN_TYPE_FLOAT}, "`f`*1E0"},
        {{.name = "d", .type = COLUMN_TYPE_DOUBLE}, "`d`*1E0"},
        {{.name = "s", .type = COLUMN_TYPE_SET, .labels = labels, .label_count = 3},
         "CAST(`s` AS UNSIGNED)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        value_text_select_expr(&cases[i].def, &out);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_value_text__reads_numbers),
          test_case(test_value_text__reads_dates_and_times),
          test_case(test_value_text__reads_strings),
          test_case(test_value_text__reads_null_of_every_type),
          test_case(test_value_text__survives_any_text_of_any_type),
          test_case(test_value_text__never_moves_scratch), test_case(test_value_text__selects))
