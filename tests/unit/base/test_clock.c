#include "base/clock.h"

#include <time.h>

#include "fake_clock.h"
#include "test.h"

TEST(test_clock__tells_the_systems_time)
{
    struct clock clock = clock_system();
    int64_t before_s = (int64_t)time(NULL);
    int64_t wall_us = clock_wall_us(&clock);

    assert_true(wall_us / 1000000 >= before_s - 1);
    assert_true(wall_us / 1000000 <= (int64_t)time(NULL) + 1);
}

TEST(test_clock__never_goes_back)
{
    struct clock clock = clock_system();
    int64_t last_us = clock_mono_us(&clock);

    for (int i = 0; i < 1000; i++) {
        int64_t now_us = clock_mono_us(&clock);

        assert_true(now_us >= last_us);
        last_us = now_us;
    }
}

TEST(test_clock__sleeps_at_least_as_long_as_told)
{
    struct clock clock = clock_system();
    int64_t start_us = clock_mono_us(&clock);

    clock_sleep_us(&clock, 20000);
    assert_true(clock_mono_us(&clock) - start_us >= 20000);
    start_us = clock_mono_us(&clock);
    clock_sleep_us(&clock, 0);
    clock_sleep_us(&clock, -1000000);
    assert_true(clock_mono_us(&clock) - start_us < 1000000);
}

TEST(test_clock__goes_through_its_handle)
{
    struct fake_clock time = {.wall_us = 5000, .mono_us = 7};
    struct clock clock = fake_clock(&time);

    assert_i64_eq(clock_wall_us(&clock), 5000);
    clock_sleep_us(&clock, 60000000);
    assert_i64_eq(clock_wall_us(&clock), 60005000);
    assert_i64_eq(clock_mono_us(&clock), 60000007);
}

TEST_MAIN(test_case(test_clock__tells_the_systems_time), test_case(test_clock__never_goes_back),
          test_case(test_clock__sleeps_at_least_as_long_as_told),
          test_case(test_clock__goes_through_its_handle))
