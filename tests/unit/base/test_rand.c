#include "base/rand.h"

#include "test.h"

/* The published first outputs of the state 1, 2, 3, 4; splitmix64 of 0. */
TEST(test_rand__is_xoshiro256_starstar)
{
    struct rand r = {.state = {1, 2, 3, 4}};

    assert_u64_eq(rand_u64(&r), 11520);
    assert_u64_eq(rand_u64(&r), 0);
    assert_u64_eq(rand_u64(&r), 1509978240);
    assert_u64_eq(rand_u64(&r), 1215971899390074240);
    rand_seed(&r, 0);
    assert_u64_eq(r.state[0], 0xe220a8397b1dcdaf);
    assert_u64_eq(r.state[1], 0x6e789e6aa1b965f4);
}

TEST(test_rand__repeats_a_seed_and_differs_between_seeds)
{
    struct rand a;
    struct rand b;
    struct rand c;
    unsigned same = 0;

    rand_seed(&a, 7);
    rand_seed(&b, 7);
    rand_seed(&c, 8);
    for (int i = 0; i < 100; i++) {
        uint64_t v = rand_u64(&a);

        assert_u64_eq(rand_u64(&b), v);
        same += rand_u64(&c) == v ? 1 : 0;
    }
    assert_int_equal(same, 0);
    rand_init(&a);
    rand_init(&b);
    assert_true(rand_u64(&a) != rand_u64(&b));
}

TEST(test_rand__spreads_evenly)
{
    enum { BINS = 16, DRAWS = 160000 };
    struct rand r;
    unsigned bins[BINS] = {0};
    unsigned bits[64] = {0};
    double chi2 = 0;

    rand_seed(&r, 1);
    for (int i = 0; i < DRAWS; i++) {
        bins[rand_below(&r, BINS)]++;
        uint64_t v = rand_u64(&r);

        for (int bit = 0; bit < 64; bit++) {
            bits[bit] += (unsigned)(v >> bit & 1);
        }
    }
    for (int i = 0; i < BINS; i++) {
        double off = (double)bins[i] - DRAWS / BINS;

        chi2 += off * off / (DRAWS / BINS);
    }
    /* 15 degrees of freedom: above 37.7 once in a thousand seeds, and the seed is fixed. */
    assert_true(chi2 < 37.7);
    for (int bit = 0; bit < 64; bit++) {
        assert_in_range(bits[bit], DRAWS / 2 - 1000, DRAWS / 2 + 1000);
    }
}

TEST(test_rand__stays_below_its_bound)
{
    static const uint64_t bounds[] = {1, 2, 3, 1000, (uint64_t)1 << 32, UINT64_MAX};
    struct rand r;

    rand_seed(&r, 3);
    assert_u64_eq(rand_below(&r, 0), 0);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (int n = 0; n < 1000; n++) {
            assert_true(rand_below(&r, bounds[i]) < bounds[i]);
        }
    }
}

TEST(test_rand__makes_version_4_uuids)
{
    struct rand r;
    char last[UUID_TEXT_BYTES] = "";

    rand_seed(&r, 5);
    for (int n = 0; n < 1000; n++) {
        char uuid[UUID_TEXT_BYTES];

        memset(uuid, 'x', sizeof uuid);
        rand_uuid(&r, uuid);
        assert_int_equal(strlen(uuid), 36);
        for (size_t i = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                assert_int_equal(uuid[i], '-');
            } else {
                assert_non_null(strchr("0123456789abcdef", uuid[i]));
            }
        }
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        assert_string_not_equal(uuid, last);
        memcpy(last, uuid, sizeof last);
    }
}

TEST_MAIN(test_case(test_rand__is_xoshiro256_starstar),
          test_case(test_rand__repeats_a_seed_and_differs_between_seeds),
          test_case(test_rand__spreads_evenly), test_case(test_rand__stays_below_its_bound),
          test_case(test_rand__makes_version_4_uuids))
