#include "iceberg/data_file.h"

#include <math.h>

#include "test.h"

#define A16   "0123456789abcdef"
#define MAX_C "\xf4\x8f\xbf\xbf" /* U+10FFFF */
#define E_C   "\xc3\xa9"         /* U+00E9 */
#define D7FF  "\xed\x9f\xbf"     /* the last before the surrogates */

#define TIMES4(x)  x x x x
#define TIMES16(x) TIMES4(TIMES4(x))

static struct iceberg_data_file *make(struct parquet_column_metrics *m, uint32_t count)
{
    const struct parquet_file_info info = {
        .row_count = 10, .file_bytes = 99, .columns = m, .column_count = count};
    struct iceberg_data_file *f = iceberg_data_file_new("file:///x.parquet", false, 0, &info);

    assert_non_null(f);
    return f;
}

struct bound_case {
    struct span lower;
    struct span upper;
    struct span want_lower;
    struct span want_upper; /* data NULL: none */
};

#define S(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static void check_bounds(enum column_kind kind, enum parquet_logical logical,
                         const struct bound_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct parquet_column_metrics m = {.field_id = 4,
                                           .kind = kind,
                                           .logical = logical,
                                           .has_bounds = true,
                                           .lower = cases[i].lower,
                                           .upper = cases[i].upper};
        struct iceberg_data_file *f = make(&m, 1);
        const struct iceberg_column_metrics *c = &f->columns[0];

        if (c->has_lower != (cases[i].want_lower.data != NULL) ||
            c->has_upper != (cases[i].want_upper.data != NULL)) {
            fail_msg("case %zu: lower %d upper %d", i, c->has_lower, c->has_upper);
        }
        if (c->has_lower) {
            assert_bytes_eq(c->lower, cases[i].want_lower);
        }
        if (c->has_upper) {
            assert_bytes_eq(c->upper, cases[i].want_upper);
        }
        iceberg_data_file_free(f);
    }
}

TEST(test_data_file__cuts_strings_to_sixteen_code_points)
{
    static const struct bound_case cases[] = {
        {S(""), S(""), S(""), S("")},
        {S("a"), S("b"), S("a"), S("b")},
        {S(A16), S(A16), S(A16), S(A16)},
        {S(A16 "g"), S(A16 "g"), S(A16), S("0123456789abcdeg")},
        {S(TIMES16(E_C) "x"), S(TIMES16(E_C)), S(TIMES16(E_C)), S(TIMES16(E_C))},
        {S("a"), S(TIMES16(E_C) "x"), S("a"),
         S(E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C E_C "\xc3\xaa")},
        /* The last before the surrogates goes on behind them. */
        {S("a"), S(TIMES16(D7FF) "x"), S("a"),
         S(D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF D7FF
           "\xee\x80\x80")},
        /* From one to two, two to three, three to four bytes. */
        {S("a"),
         S("0123456789abcde\x7f"
           "x"),
         S("a"), S("0123456789abcde\xc2\x80")},
        {S("a"),
         S("0123456789abcde\xdf\xbf"
           "x"),
         S("a"), S("0123456789abcde\xe0\xa0\x80")},
        {S("a"),
         S("0123456789abcde\xef\xbf\xbf"
           "x"),
         S("a"), S("0123456789abcde\xf0\x90\x80\x80")},
        /* The greatest code point has no next: the one before it goes up, or there is no bound. */
        {S("a"), S("0123456789abcd" MAX_C MAX_C "x"), S("a"), S("0123456789abce")},
        {S("a"), S("b" TIMES16(MAX_C)), S("a"), S("c")},
        {S("a"), S(TIMES16(MAX_C) "x"), S("a"), {NULL, 0}},
        {S("a"), S(TIMES16(MAX_C)), S("a"), S(TIMES16(MAX_C))},
        {S(TIMES16(MAX_C) "x"), S(TIMES16(MAX_C) "x"), S(TIMES16(MAX_C)), {NULL, 0}},
        /* Not UTF-8: no bound is better than one that nobody can read. */
        {S("a\xff"), S("b"), {NULL, 0}, {NULL, 0}},
        {S("a"), S("b\xc3"), {NULL, 0}, {NULL, 0}},
    };

    check_bounds(COLUMN_KIND_BYTES, PARQUET_LOGICAL_STRING, cases, sizeof cases / sizeof cases[0]);
}

TEST(test_data_file__cuts_binary_to_sixteen_bytes)
{
    static const struct bound_case cases[] = {
        {S("\x00"), S("\xff"), S("\x00"), S("\xff")},
        {S(A16), S(A16), S(A16), S(A16)},
        {S(A16 "\x00"), S(A16 "\x00"), S(A16), S("0123456789abcdeg")},
        {S(""), S("0123456789abcd\xff\xff\xff"), S(""), S("0123456789abce")},
        {S(""), S(TIMES16("\xff")), S(""), S(TIMES16("\xff"))},
        {S(""), S(TIMES16("\xff") "\x00"), S(""), {NULL, 0}},
        {S(""), S("\xfe" TIMES16("\xff")), S(""), S("\xff")},
    };

    check_bounds(COLUMN_KIND_BYTES, PARQUET_LOGICAL_NONE, cases, sizeof cases / sizeof cases[0]);
}

TEST(test_data_file__writes_decimals_as_short_as_they_get)
{
    static const struct bound_case four[] = {
        {S("\x00\x00\x00\x00"), S("\x7f\x00\x00\x00"), S("\x00"), S("\x7f")},
        {S("\xff\xff\xff\xff"), S("\x80\x00\x00\x00"), S("\xff"), S("\x00\x80")},
        {S("\x80\xff\xff\xff"), S("\x8c\x05\x00\x00"), S("\x80"), S("\x05\x8c")}, /* 14.20 */
        {S("\x7f\xff\xff\xff"), S("\xff\x00\x00\x00"), S("\xff\x7f"), S("\x00\xff")},
        {S("\x00\x00\x00\x80"), S("\xff\xff\xff\x7f"), S("\x80\x00\x00\x00"),
         S("\x7f\xff\xff\xff")},
    };
    static const struct bound_case eight[] = {
        {S("\x00\x00\x00\x00\x00\x00\x00\x80"), S("\x01\x00\x00\x00\x00\x00\x00\x00"),
         S("\x80\x00\x00\x00\x00\x00\x00\x00"), S("\x01")},
    };
    static const struct bound_case fixed[] = {
        {S("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), S("\x00\x00\x00\x00\x00\x00\x00\x00\xc8"),
         S("\xff\x7f"), S("\x00\xc8")},
        {S("\x80\x00\x00\x00\x00\x00\x00\x00\x00"), S("\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
         S("\x80\x00\x00\x00\x00\x00\x00\x00\x00"), S("\x00")},
    };

    check_bounds(COLUMN_KIND_INT32, PARQUET_LOGICAL_DECIMAL, four, sizeof four / sizeof four[0]);
    check_bounds(COLUMN_KIND_INT64, PARQUET_LOGICAL_DECIMAL, eight, sizeof eight / sizeof eight[0]);
    check_bounds(COLUMN_KIND_FIXED, PARQUET_LOGICAL_DECIMAL, fixed, sizeof fixed / sizeof fixed[0]);
}

TEST(test_data_file__gives_zeros_the_sign_that_holds_both)
{
    static const struct bound_case doubles[] = {
        {S("\0\0\0\0\0\0\0\0"), S("\0\0\0\0\0\0\0\x80"), S("\0\0\0\0\0\0\0\x80"),
         S("\0\0\0\0\0\0\0\0")},
        {S("\0\0\0\0\0\0\xf0\xbf"), S("\0\0\0\0\0\0\xf0\x3f"), S("\0\0\0\0\0\0\xf0\xbf"),
         S("\0\0\0\0\0\0\xf0\x3f")},
        {S("\0\0\0\0\0\0\xf8\x7f"), S("\0\0\0\0\0\0\xf0\x3f"), {NULL, 0}, {NULL, 0}},
        {S("\0\0\0\0\0\0\xf0\xff"), S("\0\0\0\0\0\0\xf0\x7f"), S("\0\0\0\0\0\0\xf0\xff"),
         S("\0\0\0\0\0\0\xf0\x7f")},
    };
    static const struct bound_case floats[] = {
        {S("\0\0\0\0"), S("\0\0\0\x80"), S("\0\0\0\x80"), S("\0\0\0\0")},
        {S("\0\0\x80\xbf"), S("\0\0\xc0\x7f"), {NULL, 0}, {NULL, 0}},
        {S("\0\0\x80\xbf"), S("\0\0\x80\x3f"), S("\0\0\x80\xbf"), S("\0\0\x80\x3f")},
    };

    check_bounds(COLUMN_KIND_DOUBLE, PARQUET_LOGICAL_NONE, doubles,
                 sizeof doubles / sizeof doubles[0]);
    check_bounds(COLUMN_KIND_FLOAT, PARQUET_LOGICAL_NONE, floats, sizeof floats / sizeof floats[0]);
}

TEST(test_data_file__takes_other_bounds_as_they_are)
{
    static const struct bound_case bools[] = {{S("\0"), S("\x01"), S("\0"), S("\x01")}};
    static const struct bound_case longs[] = {
        {S("12345678"), S("abcdefgh"), S("12345678"), S("abcdefgh")}};
    static const struct bound_case fixed[] = {{S(A16 A16), S(A16 A16), S(A16 A16), S(A16 A16)}};

    check_bounds(COLUMN_KIND_BOOL, PARQUET_LOGICAL_NONE, bools, 1);
    check_bounds(COLUMN_KIND_INT64, PARQUET_LOGICAL_TIMESTAMP_US, longs, 1);
    check_bounds(COLUMN_KIND_INT32, PARQUET_LOGICAL_DATE,
                 (const struct bound_case[]){{S("1234"), S("5678"), S("1234"), S("5678")}}, 1);
    check_bounds(COLUMN_KIND_FIXED, PARQUET_LOGICAL_NONE, fixed, 1);
}

TEST(test_data_file__takes_counts_and_splits)
{
    struct parquet_column_metrics m[] = {
        {.field_id = 1,
         .kind = COLUMN_KIND_DOUBLE,
         .compressed_bytes = 7,
         .value_count = 10,
         .null_count = 2,
         .nan_count = 8},
        {.field_id = 2, .kind = COLUMN_KIND_INT32, .nan_count = 5},
    };
    int64_t splits[] = {4, 900};
    const struct parquet_file_info info = {.row_count = 10,
                                           .file_bytes = 99,
                                           .columns = m,
                                           .column_count = 2,
                                           .split_offsets = splits,
                                           .split_count = 2};
    struct iceberg_data_file *f = iceberg_data_file_new("p", true, -4, &info);

    assert_non_null(f);
    struct iceberg_data_file *copy = iceberg_data_file_copy(f);

    iceberg_data_file_free(f);
    assert_non_null(copy);
    assert_string_equal(copy->path, "p");
    assert_true(copy->has_day);
    assert_int_equal(copy->day, -4);
    assert_i64_eq(copy->record_count, 10);
    assert_i64_eq(copy->file_bytes, 99);
    assert_u64_eq(copy->split_count, 2);
    assert_i64_eq(copy->split_offsets[1], 900);
    assert_u64_eq(copy->column_count, 2);
    assert_i64_eq(copy->columns[0].column_bytes, 7);
    assert_i64_eq(copy->columns[0].value_count, 10);
    assert_i64_eq(copy->columns[0].null_count, 2);
    assert_i64_eq(copy->columns[0].nan_count, 8);
    assert_false(copy->columns[0].has_lower || copy->columns[0].has_upper);
    assert_i64_eq(copy->columns[1].nan_count, -1);
    iceberg_data_file_free(copy);
    iceberg_data_file_free(NULL);

    f = make(NULL, 0);
    assert_u64_eq(f->column_count, 0);
    assert_u64_eq(f->split_count, 0);
    iceberg_data_file_free(f);
}

TEST(test_data_file__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct parquet_column_metrics m = {.field_id = 1,
                                           .kind = COLUMN_KIND_BYTES,
                                           .logical = PARQUET_LOGICAL_STRING,
                                           .has_bounds = true,
                                           .lower = span_str("a"),
                                           .upper = span_str(A16 A16)};
        int64_t splits[] = {4};
        const struct parquet_file_info info = {
            .columns = &m, .column_count = 1, .split_offsets = splits, .split_count = 1};
        struct iceberg_data_file *f = iceberg_data_file_new("p", false, 0, &info);
        struct iceberg_data_file *copy = f == NULL ? NULL : iceberg_data_file_copy(f);

        if (copy != NULL) {
            assert_bytes_eq(copy->columns[0].upper, f->columns[0].upper);
        }
        iceberg_data_file_free(f);
        iceberg_data_file_free(copy);
    }
}

TEST_MAIN(test_case(test_data_file__cuts_strings_to_sixteen_code_points),
          test_case(test_data_file__cuts_binary_to_sixteen_bytes),
          test_case(test_data_file__writes_decimals_as_short_as_they_get),
          test_case(test_data_file__gives_zeros_the_sign_that_holds_both),
          test_case(test_data_file__takes_other_bounds_as_they_are),
          test_case(test_data_file__takes_counts_and_splits),
          test_case(test_data_file__survives_lack_of_memory))
