#include "base/retry.h"

#include "test.h"

/* The largest of many waits for the same try: close to the ceiling, never above. */
static int64_t longest(int64_t min_us, int64_t max_us, unsigned tries)
{
    struct rand rand;
    int64_t most = 0;

    rand_seed(&rand, 11);
    for (int i = 0; i < 2000; i++) {
        struct retry r = {min_us, max_us, tries};
        int64_t wait_us = retry_next_us(&r, &rand);

        assert_true(wait_us >= min_us);
        assert_int_equal(r.tries, tries + 1);
        most = wait_us > most ? wait_us : most;
    }
    return most;
}

TEST(test_retry__doubles_up_to_its_ceiling)
{
    static const int64_t ceilings[] = {1000, 2000, 4000, 8000, 10000, 10000};

    for (unsigned tries = 0; tries < 6; tries++) {
        int64_t most = longest(1000, 10000, tries);

        assert_true(most <= ceilings[tries]);
        assert_true(most > ceilings[tries] * 9 / 10);
    }
}

TEST(test_retry__waits_at_most_the_ceiling_after_any_number_of_tries)
{
    assert_true(longest(1000, 60000000, 1000000000) <= 60000000);
    assert_true(longest(1, INT64_MAX / 2, 4000000) <= INT64_MAX / 2);
    assert_i64_eq(longest(0, 1000, 50), 0);
    /* A ceiling below the floor is the floor. */
    assert_i64_eq(longest(5000, 1000, 3), 5000);
}

TEST(test_retry__starts_over)
{
    struct rand rand;
    struct retry r = {100, 100000, 0};

    rand_seed(&rand, 1);
    for (int i = 0; i < 20; i++) {
        (void)retry_next_us(&r, &rand);
    }
    retry_reset(&r);
    assert_i64_eq(retry_next_us(&r, &rand), 100);
    assert_int_equal(r.tries, 1);
}

TEST_MAIN(test_case(test_retry__doubles_up_to_its_ceiling),
          test_case(test_retry__waits_at_most_the_ceiling_after_any_number_of_tries),
          test_case(test_retry__starts_over))
