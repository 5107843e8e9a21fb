#include "pipeline/log_place.h"

#include "test.h"
#include "torture.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "3e11fa48-71ca-11e1-9e33-c80aa9429562"

/* "at" reaches "other" when everything before other is before at. */
TEST(test_log_place__goes_by_position_on_one_server_and_by_gtid_between_two)
{
    static const struct {
        const char *what;
        struct log_place at;
        struct log_place other;
        bool reaches;
    } cases[] = {
        {"one server, further",
         {A, {"b.000002", 4}, 0, NULL},
         {A, {"b.000001", 900}, 0, NULL},
         true},
        {"one server, the same",
         {A, {"b.000001", 9}, 0, NULL},
         {A, {"b.000001", 9}, 0, NULL},
         true},
        {"one server, behind", {A, {"b.000001", 8}, 0, NULL}, {A, {"b.000001", 9}, 0, NULL}, false},
        {"one server, further by position and not by set",
         {A, {"b.000001", 9}, 0, A ":1-5"},
         {A, {"b.000001", 8}, 0, A ":1-6"},
         false},
        {"one server, a set of one only",
         {A, {"b.000001", 9}, 0, A ":1-5"},
         {A, {"b.000001", 8}, 0, NULL},
         true},
        {"two servers, positions say nothing",
         {A, {"b.000009", 4}, 0, NULL},
         {B, {"b.000001", 4}, 0, NULL},
         false},
        {"two servers, by set",
         {B, {"b.000001", 4}, 0, A ":1-9," B ":1"},
         {A, {"b.000009", 4}, 0, A ":1-9"},
         true},
        {"two servers, a gap",
         {B, {"b.000019", 4}, 0, A ":1-4:6-9"},
         {A, {"b.000001", 4}, 0, A ":1-5"},
         false},
        {"two servers, a tag",
         {B, {"b.000019", 4}, 0, A ":1-9"},
         {A, {"b.000001", 4}, 0, A ":1-5:t:1"},
         false},
        {"two servers, a set of one only",
         {B, {"b.000019", 4}, 0, A ":1-9"},
         {A, {"b.000001", 4}, 0, NULL},
         false},
        {"no file, by set", {A, {"", 0}, 0, A ":1-9"}, {A, {"b.000001", 4}, 0, A ":1-9"}, true},
        {"MariaDB, one server: numbers may go back",
         {"mariadb-1-0", {"b.000002", 4}, 0, "0-1-5"},
         {"mariadb-1-0", {"b.000001", 4}, 0, "0-2-9"},
         true},
        {"MariaDB, two servers",
         {"mariadb-2-0", {"b.000001", 4}, 0, "0-2-10,1-1-3"},
         {"mariadb-1-0", {"b.000007", 4}, 0, "0-1-9,1-1-3"},
         true},
        {"MariaDB, two servers, a domain behind",
         {"mariadb-2-0", {"b.000009", 4}, 0, "0-2-10,1-1-2"},
         {"mariadb-1-0", {"b.000007", 4}, 0, "0-1-9,1-1-3"},
         false},
        {"MySQL and MariaDB",
         {"mariadb-2-0", {"b.000009", 4}, 0, "0-2-10"},
         {A, {"b.000001", 4}, 0, A ":1"},
         false},
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
    const struct log_place good = {B, {"b.000001", 4}, 0, A ":1"};
    const struct log_place bad = {A, {"b.000001", 4}, 0, "what"};
    bool reaches = true;
    struct err e = {0};

    assert_err(log_place_reaches(&good, &bad, &reaches, &e), ERR_CORRUPT, &e);
    assert_false(reaches);
    assert_err(log_place_reaches(&bad, &good, &reaches, &e), ERR_CORRUPT, &e);
    assert_false(reaches);
}

TEST(test_log_place__survives_lack_of_memory)
{
    const struct log_place a = {B, {"b.000001", 4}, 0, A ":1-5:7"};
    const struct log_place b = {A, {"b.000001", 4}, 0, A ":2," B ":9"};

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
