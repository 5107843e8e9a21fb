#include "parquet/hybrid.h"

#include <stdlib.h>

#include "test.h"

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

static void check_round_trip(const uint32_t *values, uint32_t count, unsigned width)
{
    uint32_t *back = malloc((count + 1) * sizeof *back);
    struct buf out = {0};
    struct bytes_reader in;
    struct err e = {0};

    hybrid_encode(values, count, width, &out);
    assert_ok(buf_check(&out, &e, "hybrid"), &e);
    bytes_reader_init(&in, buf_span(&out));
    assert_ok(hybrid_decode(&in, width, count, back, &e), &e);
    assert_u64_eq(bytes_left(&in), 0);
    assert_memory_equal(back, values, count * sizeof *values);
    /* Cut at every length, it is an error: no value may be made up. */
    for (size_t cut = 0; cut < out.len && count > 0; cut++) {
        uint8_t *copy = malloc(cut + 1);

        memcpy(copy, out.data, cut);
        bytes_reader_init(&in, span_of(copy, cut));
        enum err_code rc = hybrid_decode(&in, width, count, back, &e);

        /* Padding of the last group may be missing. */
        if (rc == ERR_OK) {
            assert_true(out.len - cut < width);
            assert_memory_equal(back, values, count * sizeof *values);
        } else {
            assert_int_equal(rc, ERR_CORRUPT);
        }
        free(copy);
    }
    buf_deinit(&out);
    free(back);
}

TEST(test_hybrid__width_holds_the_largest_value)
{
    static const struct {
        uint32_t max;
        unsigned width;
    } known[] = {{0, 1},   {1, 1},      {2, 2},      {3, 2},           {4, 3},         {255, 8},
                 {256, 9}, {65535, 16}, {65536, 17}, {UINT32_MAX, 32}, {INT32_MAX, 31}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(hybrid_width(known[i].max), known[i].width);
    }
}

TEST(test_hybrid__round_trips_every_width)
{
    uint32_t values[100];
    uint64_t seed = 1;

    for (unsigned width = 1; width <= 32; width++) {
        uint32_t mask = width == 32 ? UINT32_MAX : ((uint32_t)1 << width) - 1;

        for (uint32_t i = 0; i < 100; i++) {
            values[i] = next_random(&seed) & mask;
        }
        for (uint32_t count = 0; count <= 100; count += count < 20 ? 1 : 13) {
            check_round_trip(values, count, width);
        }
    }
}

TEST(test_hybrid__round_trips_runs_among_other_values)
{
    uint32_t values[1000];
    uint64_t seed = 7;

    for (int round = 0; round < 40; round++) {
        uint32_t count = 0;

        while (count < 600) {
            uint32_t run = 1 + next_random(&seed) % 60;
            uint32_t value = next_random(&seed) % 8;
            bool steady = next_random(&seed) % 2 == 0;

            for (uint32_t i = 0; i < run; i++) {
                values[count++] = steady ? value : next_random(&seed) % 8;
            }
        }
        check_round_trip(values, count, 3);
    }
}

TEST(test_hybrid__writes_long_runs_short)
{
    uint32_t values[20000];
    struct buf out = {0};

    for (uint32_t i = 0; i < 20000; i++) {
        values[i] = 300;
    }
    hybrid_encode(values, 20000, 9, &out);
    assert_bytes_eq(buf_span(&out), span_of("\xc0\xb8\x02\x2c\x01", 5));
    buf_deinit(&out);
}

TEST(test_hybrid__writes_known_bytes)
{
    /* Encodings.md: 0 to 7 with width 3 are 88 c6 fa. */
    static const uint32_t values[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint8_t levels[] = {1, 0, 1, 1, 0, 0, 0, 0, 1, 1};
    struct buf out = {0};

    hybrid_encode(values, 8, 3, &out);
    assert_bytes_eq(buf_span(&out), span_of("\x03\x88\xc6\xfa", 4));
    buf_reset(&out);
    assert_u64_eq(hybrid_encode_levels(levels, 10, &out), 5);
    assert_bytes_eq(buf_span(&out), span_of("\x05\x0d\x03", 3));
    buf_reset(&out);
    hybrid_encode_run(1, 64, 1, &out);
    assert_bytes_eq(buf_span(&out), span_of("\x80\x01\x01", 3));
    buf_deinit(&out);
}

TEST(test_hybrid__packs_bits_of_every_count)
{
    uint8_t bytes[70];
    uint64_t seed = 3;
    struct buf out = {0};

    for (uint32_t count = 0; count <= 70; count++) {
        uint32_t ones = 0;

        for (uint32_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)(next_random(&seed) & 1);
            ones += bytes[i];
        }
        buf_reset(&out);
        assert_u64_eq(hybrid_pack_bits(bytes, count, &out), ones);
        assert_u64_eq(out.len, (count + 7) / 8);
        for (uint32_t i = 0; i < out.len * 8; i++) {
            assert_int_equal(out.data[i / 8] >> (i % 8) & 1, i < count ? bytes[i] : 0);
        }
    }
    buf_deinit(&out);
}

TEST(test_hybrid__rejects_bad_input)
{
    static const struct {
        const char *hex;
        unsigned width;
        uint32_t count;
    } bad[] = {
        {"", 1, 1},
        {"00 01", 1, 1},                     /* a run of none */
        {"01", 1, 1},                        /* no groups */
        {"03", 1, 1},                        /* a group, but no bits */
        {"02", 1, 1},                        /* a run, but no value */
        {"04 01", 1, 3},                     /* two of three */
        {"ffffffffffffffffffff01 01", 1, 3}, /* eleven bytes of varint */
        {"ffffffff0f", 32, 8},
        {"02 01", 33, 1},
    };
    uint32_t out[16];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[32];
        size_t len = test_unhex(bad[i].hex, bytes, sizeof bytes);
        struct bytes_reader in;
        struct err e = {0};

        bytes_reader_init(&in, span_of(bytes, len));
        assert_err(hybrid_decode(&in, bad[i].width, bad[i].count, out, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_hybrid__reads_no_more_than_asked)
{
    /* A run that claims 2^62 values, a packed run of 2^60 groups, and width 0. */
    static const struct {
        const char *hex;
        unsigned width;
        uint32_t want;
    } known[] = {
        {"feffffffffffffff7f 01", 1, 1},
        {"ffffffffffffffff7f ff", 1, 1},
        {"06", 0, 0},
        {"03", 0, 0},
    };
    uint32_t out[4] = {9, 9, 9, 9};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t bytes[32];
        size_t len = test_unhex(known[i].hex, bytes, sizeof bytes);
        struct bytes_reader in;
        struct err e = {0};

        bytes_reader_init(&in, span_of(bytes, len));
        assert_ok(hybrid_decode(&in, known[i].width, 3, out, &e), &e);
        assert_u64_eq(out[2], known[i].want);
        assert_u64_eq(out[3], 9);
    }
}

TEST(test_hybrid__survives_failing_allocations)
{
    uint32_t values[600];
    struct err e = {0};

    for (uint32_t i = 0; i < 600; i++) {
        values[i] = i / 50 * (i % 3);
    }
    TORTURE(nth)
    {
        struct buf out = {0};

        hybrid_encode(values, 600, 10, &out);
        (void)hybrid_encode_levels((const uint8_t *)"\1\0\1\1\0\1\0\0\1", 9, &out);
        assert_true(out.failed == ERR_OK || buf_check(&out, &e, "x") == ERR_NOMEM);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_hybrid__width_holds_the_largest_value),
          test_case(test_hybrid__round_trips_every_width),
          test_case(test_hybrid__round_trips_runs_among_other_values),
          test_case(test_hybrid__writes_long_runs_short),
          test_case(test_hybrid__writes_known_bytes),
          test_case(test_hybrid__packs_bits_of_every_count),
          test_case(test_hybrid__rejects_bad_input),
          test_case(test_hybrid__reads_no_more_than_asked),
          test_case(test_hybrid__survives_failing_allocations))
