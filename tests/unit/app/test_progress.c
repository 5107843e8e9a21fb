#include "app/progress.h"

#include "test.h"

TEST(test_progress__says_what_a_run_does)
{
    static const struct {
        struct run_progress now;
        double rows_per_s;
        const char *want;
    } cases[] = {
        {{.phase = RUN_PHASE_START}, 0, "starting"},
        {{.phase = RUN_PHASE_COPY, .rows = 12, .lag_s = -1}, 3.4, "copying: 12 rows, 3 rows/s"},
        {{.phase = RUN_PHASE_COPY, .rows = 250, .rows_expected = 1000},
         0.2,
         "copying: 250 of about 1000 rows (25 %), 0 rows/s"},
        {{.phase = RUN_PHASE_COPY, .rows = 250, .rows_expected = 1000},
         10,
         "copying: 250 of about 1000 rows (25 %), 10 rows/s, left 0:01:15"},
        /* An estimate that was too low. */
        {{.phase = RUN_PHASE_COPY, .rows = 1001, .rows_expected = 1000},
         10,
         "copying: 1001 rows, 10 rows/s"},
        {{.phase = RUN_PHASE_FOLLOW, .lag_s = -1},
         0,
         "following: 0 rows, 0 rows/s, last event none yet"},
        {{.phase = RUN_PHASE_FOLLOW,
          .rows = 7,
          .lag_s = 3725,
          .committed = {"binlog.000002", 4711}},
         1.5,
         "following: 7 rows, 2 rows/s, last event 1:02:05 ago, in the lake up to "
         "binlog.000002:4711"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];

        progress_text(&cases[i].now, cases[i].rows_per_s, text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

TEST(test_progress__keeps_to_its_room)
{
    const struct run_progress now = {.phase = RUN_PHASE_FOLLOW, .committed = {"binlog.000002", 4}};
    char text[16];

    progress_text(&now, 0, text, sizeof text);
    assert_string_equal(text, "following: 0 ro");
}

TEST_MAIN(test_case(test_progress__says_what_a_run_does),
          test_case(test_progress__keeps_to_its_room))
