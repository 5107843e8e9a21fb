#include "pipeline/log_place.h"

#include "test.h"
#include "torture.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "3e11fa48-71ca-11e1-9e33-c80aa9429562"

/* clang-format off */
#define PLACE(s, f, o, g) {.source = s, .position = {f, o}, .gtids = g}
/* clang-format on */

/* "at" reaches "other" when everything before other is before at. */
TEST(test_log_place__goes_by_position_on_one_server_and_by_gtid_between_two)
{
    static const struct {
        const char *what;
        struct log_place at;
        struct log_place other;
        bool reaches;
    } cases[] = {
        {"one server, further", PLACE(A, "b.000002", 4, NULL), PLACE(A, "b.000001", 900, NULL),
         true},
        {"one server, the same", PLACE(A, "b.000001", 9, NULL), PLACE(A, "b.000001", 9, NULL),
         true},
        {"one server, behind", PLACE(A, "b.000001", 8, NULL), PLACE(A, "b.000001", 9, NULL), false},
        {"one server, further by position and not by set", PLACE(A, "b.000001", 9, A ":1-5"),
         PLACE(A, "b.000001", 8, A ":1-6"), false},
        {"one server, a set of one only", PLACE(A, "b.000001", 9, A ":1-5"),
         PLACE(A, "b.000001", 8, NULL), true},
        {"two servers, positions say nothing", PLACE(A, "b.000009", 4, NULL),
         PLACE(B, "b.000001", 4, NULL), false},
        {"two servers, by set", PLACE(B, "b.000001", 4, A ":1-9," B ":1"),
         PLACE(A, "b.000009", 4, A ":1-9"), true},
        {"two servers, a gap", PLACE(B, "b.000019", 4, A ":1-4:6-9"),
         PLACE(A, "b.000001", 4, A ":1-5"), false},
        {"two servers, a tag", PLACE(B, "b.000019", 4, A ":1-9"),
         PLACE(A, "b.000001", 4, A ":1-5:t:1"), false},
        {"two servers, a set of one only", PLACE(B, "b.000019", 4, A ":1-9"),
         PLACE(A, "b.000001", 4, NULL), false},
        {"no file, by set", PLACE(A, "", 0, A ":1-9"), PLACE(A, "b.000001", 4, A ":1-9"), true},
        {"MariaDB, one server: numbers may go back", PLACE("mariadb-1-0", "b.000002", 4, "0-1-5"),
         PLACE("mariadb-1-0", "b.000001", 4, "0-2-9"), true},
        {"MariaDB, two servers", PLACE("mariadb-2-0", "b.000001", 4, "0-2-10,1-1-3"),
         PLACE("mariadb-1-0", "b.000007", 4, "0-1-9,1-1-3"), true},
        {"MariaDB, two servers, a domain behind",
         PLACE("mariadb-2-0", "b.000009", 4, "0-2-10,1-1-2"),
         PLACE("mariadb-1-0", "b.000007", 4, "0-1-9,1-1-3"), false},
        {"MySQL and MariaDB", PLACE("mariadb-2-0", "b.000009", 4, "0-2-10"),
         PLACE(A, "b.000001", 4, A ":1"), false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool reaches = !cases[i].reaches;
        struct err e = {0};

        assert_ok(log_place_reaches(&cases[i].at, &cases[i].other, &reaches, &e), &e);
        if (reaches != cases[i].reaches) {
            fail_msg("%s", cases[i].what);
        }
    }
}

TEST(test_log_place__refuses_sets_that_are_none)
{
    const struct log_place good = PLACE(B, "b.000001", 4, A ":1");
    const struct log_place bad = PLACE(A, "b.000001", 4, "what");
    bool reaches = true;
    struct err e = {0};

    assert_err(log_place_reaches(&good, &bad, &reaches, &e), ERR_CORRUPT, &e);
    assert_false(reaches);
    assert_err(log_place_reaches(&bad, &good, &reaches, &e), ERR_CORRUPT, &e);
    assert_false(reaches);
}

TEST(test_log_place__survives_lack_of_memory)
{
    const struct log_place a = PLACE(B, "b.000001", 4, A ":1-5:7");
    const struct log_place b = PLACE(A, "b.000001", 4, A ":2," B ":9");

    TORTURE(nth)
    {
        bool reaches = true;
        enum err_code rc = log_place_reaches(&a, &b, &reaches, NULL);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        assert_false(reaches);
    }
}

TEST_MAIN(test_case(test_log_place__goes_by_position_on_one_server_and_by_gtid_between_two),
          test_case(test_log_place__refuses_sets_that_are_none),
          test_case(test_log_place__survives_lack_of_memory))
