#include "parquet/dictionary.h"

#include "parquet_files.h"

/* Checks that ids lead to the column's values; returns how many entries there are. */
static uint32_t check_ids(struct dictionary *d, const struct column *c)
{
    uint32_t *ids = malloc((c->value_count + 1) * sizeof *ids);
    size_t starts_bytes;

    assert_true(dictionary_ids(d, c, ids));
    starts_bytes = d->starts.len;
    assert_u64_eq(starts_bytes, d->count * sizeof(uint32_t));
    for (uint32_t i = 0; i < c->value_count; i++) {
        struct span want = column_value(c, i);
        uint32_t start;

        assert_true(ids[i] < d->count);
        memcpy(&start, d->starts.data + ids[i] * sizeof start, sizeof start);
        assert_true(start + want.len <= d->values.len);
        assert_bytes_eq(span_of(d->values.data + start, want.len), want);
        if (c->kind == COLUMN_KIND_BYTES) {
            uint32_t len;

            memcpy(&len, d->values.data + start - 4, sizeof len);
            assert_u64_eq(len, want.len);
        }
    }
    free(ids);
    return d->count;
}

TEST(test_dictionary__gives_one_id_to_each_value)
{
    const struct filling f = {NULLS_NONE, 37};
    struct column_batch *b = new_batch(all_specs, ALL_SPECS);
    struct filling fillings[ALL_SPECS];

    for (uint32_t i = 0; i < ALL_SPECS; i++) {
        fillings[i] = f;
    }
    fill_batch(b, all_specs, fillings, 0, 500);
    for (uint32_t i = 0; i < ALL_SPECS; i++) {
        struct dictionary d = {.count = 0};

        assert_u64_eq(check_ids(&d, &b->columns[i]),
                      all_specs[i].kind == COLUMN_KIND_BOOL ? 2 : 37);
        /* The next page finds the same ones. */
        assert_u64_eq(check_ids(&d, &b->columns[i]),
                      all_specs[i].kind == COLUMN_KIND_BOOL ? 2 : 37);
        dictionary_reset(&d);
        assert_u64_eq(d.values.len, 0);
        assert_u64_eq(check_ids(&d, &b->columns[i]),
                      all_specs[i].kind == COLUMN_KIND_BOOL ? 2 : 37);
        dictionary_deinit(&d);
    }
    column_batch_free(b);
}

TEST(test_dictionary__tells_values_apart_that_look_alike)
{
    static const char *const texts[] = {"",  "a",  "a\0",      "aa",       "",
                                        "a", "\0", "aaaaaaaa", "aaaaaaaaa"};
    static const size_t lens[] = {0, 1, 2, 2, 0, 1, 1, 8, 9};
    struct column c = {.kind = COLUMN_KIND_BYTES};
    struct dictionary d = {.count = 0};
    uint32_t ids[9];

    for (int i = 0; i < 9; i++) {
        column_put_bytes(&c, span_of(texts[i], lens[i]));
    }
    assert_true(dictionary_ids(&d, &c, ids));
    assert_u64_eq(d.count, 7);
    assert_u64_eq(ids[0], ids[4]);
    assert_u64_eq(ids[1], ids[5]);
    assert_u64_eq(ids[8], 6);
    dictionary_deinit(&d);
    column_deinit(&c);
}

TEST(test_dictionary__keeps_zeros_and_nans_as_they_are)
{
    static const uint64_t bits[] = {0, 0x8000000000000000u, 0x7ff8000000000000u,
                                    0x7ff8000000000001u, 0x8000000000000000u};
    struct column c = {.kind = COLUMN_KIND_DOUBLE};
    struct dictionary d = {.count = 0};
    uint32_t ids[5];

    for (int i = 0; i < 5; i++) {
        put_value(&c, span_of(&bits[i], 8));
    }
    assert_true(dictionary_ids(&d, &c, ids));
    assert_u64_eq(d.count, 4);
    assert_bytes_eq(buf_span(&d.values), span_of(bits, 32));
    assert_u64_eq(ids[4], 1);
    dictionary_deinit(&d);
    column_deinit(&c);
}

static void put_numbers(struct column *c, int64_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        column_put_i64(c, first + i);
    }
}

TEST(test_dictionary__stops_at_its_limit_and_keeps_what_it_had)
{
    struct column c = {.kind = COLUMN_KIND_INT64};
    struct column more = {.kind = COLUMN_KIND_INT64};
    struct dictionary d = {.count = 0};
    uint32_t *ids = malloc((DICTIONARY_ENTRIES_MAX + 1) * sizeof *ids);

    put_numbers(&c, 0, DICTIONARY_ENTRIES_MAX - 10);
    put_numbers(&more, 10000000, 11);
    assert_true(dictionary_ids(&d, &c, ids));
    assert_false(dictionary_ids(&d, &more, ids));
    assert_u64_eq(d.count, DICTIONARY_ENTRIES_MAX - 10);
    assert_bytes_eq(buf_span(&d.values), buf_span(&c.values));
    /* Not even values that are there: the slots know of entries that were taken back. */
    assert_false(dictionary_ids(&d, &c, ids));
    assert_bytes_eq(buf_span(&d.values), buf_span(&c.values));
    dictionary_reset(&d);
    assert_true(dictionary_ids(&d, &more, ids));
    assert_u64_eq(d.count, 11);
    dictionary_deinit(&d);
    column_deinit(&c);
    column_deinit(&more);
    free(ids);
}

TEST(test_dictionary__stops_at_its_bytes)
{
    struct column c = {.kind = COLUMN_KIND_BYTES};
    struct dictionary d = {.count = 0};
    uint8_t *value = calloc(1, DICTIONARY_BYTES_MAX / 4);
    uint32_t ids[8];

    for (uint8_t i = 0; i < 5; i++) {
        value[0] = i;
        column_put_bytes(&c, span_of(value, DICTIONARY_BYTES_MAX / 4));
    }
    assert_false(dictionary_ids(&d, &c, ids));
    assert_u64_eq(d.count, 0);
    assert_u64_eq(d.values.len, 0);
    dictionary_deinit(&d);
    column_deinit(&c);
    free(value);
}

TEST(test_dictionary__survives_failing_allocations)
{
    struct column c = {.kind = COLUMN_KIND_BYTES};
    struct column more = {.kind = COLUMN_KIND_BYTES};
    uint32_t ids[1000];
    char text[32];

    for (int i = 0; i < 1000; i++) {
        int len = snprintf(text, sizeof text, "text %d", i);

        column_put_bytes(i < 500 ? &c : &more, span_of(text, (size_t)len));
    }
    TORTURE(nth)
    {
        struct dictionary d = {.count = 0};

        if (dictionary_ids(&d, &c, ids)) {
            assert_bytes_eq(buf_span(&d.values), buf_span(&c.values));
            if (!dictionary_ids(&d, &more, ids)) {
                assert_u64_eq(d.count, 500);
                assert_bytes_eq(buf_span(&d.values), buf_span(&c.values));
            }
        } else {
            assert_u64_eq(d.count, 0);
            assert_u64_eq(d.values.len, 0);
        }
        dictionary_deinit(&d);
    }
    column_deinit(&c);
    column_deinit(&more);
}

TEST_MAIN(test_case(test_dictionary__gives_one_id_to_each_value),
          test_case(test_dictionary__tells_values_apart_that_look_alike),
          test_case(test_dictionary__keeps_zeros_and_nans_as_they_are),
          test_case(test_dictionary__stops_at_its_limit_and_keeps_what_it_had),
          test_case(test_dictionary__stops_at_its_bytes),
          test_case(test_dictionary__survives_failing_allocations))
