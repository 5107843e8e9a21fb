#include "mysql/position.h"

#include "test.h"

static struct binlog_position at(const char *text)
{
    struct binlog_position p;
    struct err e = {0};

    assert_ok(binlog_position_parse(text, &p, &e), &e);
    return p;
}

TEST(test_position__compares_by_number_then_offset)
{
    static const struct {
        const char *a;
        const char *b;
        int want;
    } cases[] = {
        {"binlog.000001:4", "binlog.000001:4", 0},
        {"binlog.000001:4", "binlog.000001:5", -1},
        {"binlog.000002:4", "binlog.000001:4294967296", 1},
        {"binlog.999999:4", "binlog.1000000:4", -1},
        {"a.b.000010:4", "a.b.000009:9", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binlog_position a = at(cases[i].a);
        struct binlog_position b = at(cases[i].b);

        assert_int_equal(binlog_position_compare(&a, &b), cases[i].want);
        assert_int_equal(binlog_position_compare(&b, &a), -cases[i].want);
    }
}

TEST(test_position__parses_names_with_colons_and_large_offsets)
{
    struct binlog_position p = at("C:log.000003:18446744073709551615");

    assert_string_equal(p.file, "C:log.000003");
    assert_u64_eq(p.offset, UINT64_MAX);
}

TEST(test_position__rejects_what_is_none)
{
    static const char *const bad[] = {"",
                                      "binlog.000001",
                                      ":4",
                                      "binlog.000001:",
                                      "binlog.000001:x",
                                      "binlog.000001:-4",
                                      "b:18446744073709551616"};
    char name[BINLOG_FILE_BYTES + 4];
    struct binlog_position p;
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(binlog_position_parse(bad[i], &p, &e), ERR_CONFIG, &e);
    }
    memset(name, 'x', sizeof name);
    memcpy(name + BINLOG_FILE_BYTES, ":4", 3);
    assert_err(binlog_position_parse(name, &p, &e), ERR_CONFIG, &e);
    memcpy(name + BINLOG_FILE_BYTES - 1, ":4", 3);
    assert_ok(binlog_position_parse(name, &p, &e), &e);
}

TEST_MAIN(test_case(test_position__compares_by_number_then_offset),
          test_case(test_position__parses_names_with_colons_and_large_offsets),
          test_case(test_position__rejects_what_is_none))
