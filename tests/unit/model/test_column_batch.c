#include "model/column_batch.h"

#include <stdlib.h>

#include "test.h"

static const enum column_kind kinds[] = {COLUMN_KIND_BYTES, COLUMN_KIND_INT64, COLUMN_KIND_INT32};

static uint32_t offset_at(const struct column *c, size_t i)
{
    uint32_t at;

    assert_true((i + 1) * sizeof at <= c->offsets.len);
    memcpy(&at, c->offsets.data + i * sizeof at, sizeof at);
    return at;
}

TEST(test_column_batch__lays_bytes_out_as_plain_pages_want_them)
{
    struct column_batch *b = column_batch_new(kinds, 3);
    struct err e = {0};

    assert_non_null(b);
    struct column *c = &b->columns[0];

    column_put_bytes(c, span_str("ab"));
    column_put_bytes(c, span_str(""));
    column_put_bytes(c, (struct span){NULL, 0});
    column_put_bytes(c, span_str("cde"));
    assert_bytes_eq(buf_span(&c->values), span_of("\x02\0\0\0ab\0\0\0\0\0\0\0\0\x03\0\0\0cde", 21));
    assert_int_equal(c->value_count, 4);
    assert_u64_eq(c->offsets.len, 5 * sizeof(uint32_t));
    static const uint32_t offsets[] = {0, 6, 10, 14, 21};

    for (size_t i = 0; i < 5; i++) {
        assert_u64_eq(offset_at(c, i), offsets[i]);
    }
    assert_text_eq(column_bytes_at(c, 0), "ab");
    assert_text_eq(column_bytes_at(c, 1), "");
    assert_text_eq(column_bytes_at(c, 2), "");
    assert_text_eq(column_bytes_at(c, 3), "cde");
    assert_ok(column_batch_check(b, &e), &e);
    column_batch_free(b);
    column_batch_free(NULL);
}

TEST(test_column_batch__writes_numbers_as_they_are)
{
    struct column_batch *b = column_batch_new(kinds, 3);

    assert_non_null(b);
    column_put_i64(&b->columns[1], INT64_MIN);
    column_put_i64(&b->columns[1], -2);
    column_put_i32(&b->columns[2], INT32_MIN);
    assert_bytes_eq(buf_span(&b->columns[1].values),
                    span_of("\0\0\0\0\0\0\0\x80\xfe\xff\xff\xff\xff\xff\xff\xff", 16));
    assert_bytes_eq(buf_span(&b->columns[2].values), span_of("\0\0\0\x80", 4));
    assert_int_equal(b->columns[1].value_count, 2);
    assert_int_equal(b->columns[2].value_count, 1);
    assert_u64_eq(column_batch_bytes(b), 20);
    column_batch_free(b);
}

TEST(test_column_batch__takes_back_a_value_that_was_begun)
{
    struct column_batch *b = column_batch_new(kinds, 3);

    assert_non_null(b);
    struct column *c = &b->columns[0];

    /* The first value of all, before any offset is there. */
    column_begin_bytes(c);
    buf_append_str(&c->values, "gone");
    column_abandon_bytes(c);
    assert_u64_eq(c->values.len, 0);
    column_put_bytes(c, span_str("kept"));
    column_begin_bytes(c);
    buf_append_str(&c->values, "gone too");
    column_abandon_bytes(c);
    column_begin_bytes(c);
    buf_append_str(&c->values, "in ");
    buf_append_str(&c->values, "place");
    column_end_bytes(c);
    assert_int_equal(c->value_count, 2);
    assert_text_eq(column_bytes_at(c, 0), "kept");
    assert_text_eq(column_bytes_at(c, 1), "in place");
    column_batch_free(b);
}

TEST(test_column_batch__notes_nulls_only_where_there_are_some)
{
    struct column_batch *b = column_batch_new(kinds, 3);

    assert_non_null(b);
    struct column *first = &b->columns[0];
    struct column *late = &b->columns[1];
    struct column *none = &b->columns[2];

    for (uint32_t row = 0; row < 4; row++) {
        column_put_validity(first, row, row != 0);
        column_put_validity(late, row, row != 2);
        column_put_validity(none, row, true);
    }
    assert_bytes_eq(buf_span(&first->validity), span_of("\0\1\1\1", 4));
    assert_bytes_eq(buf_span(&late->validity), span_of("\1\1\0\1", 4));
    assert_u64_eq(none->validity.len, 0);
    column_batch_free(b);
}

TEST(test_column_batch__is_as_new_after_a_reset)
{
    struct column_batch *b = column_batch_new(kinds, 3);
    struct err e = {0};

    assert_non_null(b);
    for (int round = 0; round < 2; round++) {
        column_put_bytes(&b->columns[0], span_str("ab"));
        column_put_validity(&b->columns[0], 0, true);
        column_put_validity(&b->columns[0], 1, false);
        column_put_i64(&b->columns[1], 7);
        b->row_count = 2;
        assert_text_eq(column_bytes_at(&b->columns[0], 0), "ab");
        assert_u64_eq(b->columns[0].validity.len, 2);
        assert_u64_eq(column_batch_bytes(b), 14);
        column_batch_reset(b);
        assert_int_equal(b->row_count, 0);
        assert_u64_eq(column_batch_bytes(b), 0);
        assert_int_equal(b->columns[0].value_count, 0);
        assert_u64_eq(b->columns[0].offsets.len, 0);
        assert_u64_eq(b->columns[0].validity.len, 0);
    }
    /* Memory of everyday size is kept, that of one huge value is not. */
    assert_true(b->columns[0].values.cap > 0);
    uint8_t *p = buf_reserve(&b->columns[0].values, 8 * COLUMN_BATCH_BYTES_TARGET);

    assert_non_null(p);
    column_batch_reset(b);
    assert_u64_eq(b->columns[0].values.cap, 0);
    /* A failure is forgotten. */
    b->columns[1].values.failed = ERR_LIMIT;
    assert_err(column_batch_check(b, &e), ERR_LIMIT, &e);
    column_batch_reset(b);
    assert_ok(column_batch_check(b, &e), &e);
    column_batch_free(b);
}

TEST(test_column_batch__reports_the_buffer_that_failed)
{
    struct column_batch *b = column_batch_new(kinds, 3);
    struct err e = {0};

    assert_non_null(b);
    struct column *c = &b->columns[0];

    buf_init(&c->values, 16);
    column_put_bytes(c, span_str("0123456789"));
    assert_ok(column_batch_check(b, &e), &e);
    column_put_bytes(c, span_str("0123456789"));
    assert_err(column_batch_check(b, &e), ERR_LIMIT, &e);
    /* The value that did not fit is not counted, and those before it stand. */
    assert_int_equal(c->value_count, 1);
    assert_text_eq(column_bytes_at(c, 0), "0123456789");
    column_batch_free(b);
}

TEST(test_column_batch__survives_lack_of_memory)
{
    unsigned long failures = 0;

    TORTURE(nth)
    {
        struct column_batch *b = column_batch_new(kinds, 3);
        struct err e = {0};

        for (uint32_t row = 0; b != NULL && row < 200; row++) {
            column_put_bytes(&b->columns[0], span_str("some text of a row"));
            column_put_validity(&b->columns[0], row, true);
            column_put_i64(&b->columns[1], row);
            column_put_validity(&b->columns[1], row, row % 2 == 0);
            b->row_count++;
        }
        if (b == NULL || column_batch_check(b, &e) != ERR_OK) {
            assert_true(b == NULL || e.code == ERR_NOMEM);
            failures++;
        } else {
            assert_int_equal(b->columns[0].value_count, 200);
            assert_text_eq(column_bytes_at(&b->columns[0], 199), "some text of a row");
            assert_u64_eq(b->columns[1].validity.len, 200);
        }
        column_batch_free(b);
    }
    assert_true(failures > 5);
}

TEST_MAIN(test_case(test_column_batch__lays_bytes_out_as_plain_pages_want_them),
          test_case(test_column_batch__writes_numbers_as_they_are),
          test_case(test_column_batch__takes_back_a_value_that_was_begun),
          test_case(test_column_batch__notes_nulls_only_where_there_are_some),
          test_case(test_column_batch__is_as_new_after_a_reset),
          test_case(test_column_batch__reports_the_buffer_that_failed),
          test_case(test_column_batch__survives_lack_of_memory))
