#include "mysql/xid.h"

#include <stdlib.h>

#include "mysql/savepoint.h"
#include "test.h"

/* As MySQL 9.7 and MariaDB 10.11 log them. */
TEST(test_xid__reads_statements)
{
    static const struct {
        const char *sql;
        enum xa_verb verb;
        const char *xid;
    } cases[] = {
        {"XA START X'61',X'',1", XA_START, "X'61',X'',1"},
        {"XA BEGIN X'61',X'',1", XA_START, "X'61',X'',1"},
        {"XA END X'61',X'62',7", XA_END, "X'61',X'62',7"},
        {"XA PREPARE X'61',X'62',7", XA_PREPARE, "X'61',X'62',7"},
        {"XA COMMIT X'00ffAB',X'',2147483647", XA_COMMIT, "X'00ffab',X'',2147483647"},
        {"XA ROLLBACK X'',X'',0", XA_ROLLBACK, "X'',X'',0"},
        {"xa  rollback  x'61',x'',1 ", XA_ROLLBACK, "X'61',X'',1"},
        {"XA COMMIT X'61',X'',4294967295", XA_COMMIT, "X'61',X'',4294967295"},
        {"XA COMMIT X'61',X'',-1", XA_COMMIT, "X'61',X'',4294967295"},
        {"XA COMMIT X'61',X'',18446744073709551615", XA_COMMIT, "X'61',X'',4294967295"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum xa_verb verb;
        struct xid xid;
        struct xid again;
        char text[XID_TEXT_BYTES];
        struct err e = {0};

        assert_ok(xid_parse_statement(span_str(cases[i].sql), &verb, &xid, &e), &e);
        assert_int_equal(verb, cases[i].verb);
        xid_print(&xid, text);
        assert_string_equal(text, cases[i].xid);
        assert_ok(xid_parse(span_str(text), &again, &e), &e);
        assert_true(xid_equal(&xid, &again));
    }
}

TEST(test_xid__rejects_what_servers_do_not_write)
{
    static const char *const cases[] = {
        "",
        "XA",
        "XA START",
        "XA START 'a'",
        "XA START X'61'",
        "XA START X'61',X''",
        "XA START X'61',X'',",
        "XA START X'61',X'',1 JOIN",
        "XA START X'6',X'',1",
        "XA START X'6g',X'',1",
        "XA START X'61,X'',1",
        "XA START X61',X'',1",
        "XA START X'61' X'',1",
        "XA START X'61',X'',x",
        "XA START X'61',X'',99999999999999999999",
        "XA STOP X'61',X'',1",
        "XB START X'61',X'',1",
        "XA START X'61',X'',1;",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum xa_verb verb;
        struct xid xid;
        struct err e = {0};

        assert_err(xid_parse_statement(span_str(cases[i]), &verb, &xid, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_xid__rejects_names_that_are_too_long)
{
    for (unsigned bytes = 64; bytes <= 65; bytes++) {
        char sql[256];
        enum xa_verb verb;
        struct xid xid;
        struct err e = {0};

        (void)snprintf(sql, sizeof sql, "XA START X'%0*d',X'',1", 2 * bytes, 0);
        assert_err(xid_parse_statement(span_str(sql), &verb, &xid, &e),
                   bytes == 64 ? ERR_OK : ERR_CORRUPT, &e);
    }
}

TEST(test_xid__rejects_every_truncation)
{
    static const char sql[] = "XA START X'6162',X'63',1";

    for (size_t len = 0; len < sizeof sql - 1; len++) {
        enum xa_verb verb;
        struct xid xid;
        struct err e = {0};

        assert_err(xid_parse_statement(span_of(sql, len), &verb, &xid, &e), ERR_CORRUPT, &e);
        assert_err(xid_parse(span_of(sql + 9, len < 9 ? 0 : len - 9), &xid, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_xid__compares_all_of_a_name)
{
    static const char *const names[] = {"X'61',X'',1",   "X'61',X'',2",   "X'',X'61',1",
                                        "X'6162',X'',1", "X'61',X'62',1", "X'63',X'',1"};
    enum { COUNT = sizeof names / sizeof names[0] };

    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < COUNT; k++) {
            struct xid a;
            struct xid b;
            struct err e = {0};

            assert_ok(xid_parse(span_str(names[i]), &a, &e), &e);
            assert_ok(xid_parse(span_str(names[k]), &b, &e), &e);
            assert_int_equal(xid_equal(&a, &b), i == k);
        }
    }
}

/* The first is from a recording of MySQL 8.0; one byte more at the end is padding of no meaning. */
TEST(test_xid__reads_prepare_events)
{
    static const struct {
        const char *hex;
        bool one_phase;
        const char *xid;
    } cases[] = {
        {"00 01000000 01000000 00000000 78", false, "X'78',X'',1"},
        {"01 07000000 02000000 01000000 616263", true, "X'6162',X'63',7"},
        {"00 ffffffff 00000000 00000000", false, "X'',X'',4294967295"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(cases[i].hex, bytes, sizeof bytes);
        bool one_phase;
        struct xid xid;
        char text[XID_TEXT_BYTES];
        struct err e = {0};

        assert_ok(binlog_event_xa_prepare(span_of(bytes, len), &one_phase, &xid, &e), &e);
        assert_int_equal(one_phase, cases[i].one_phase);
        xid_print(&xid, text);
        assert_string_equal(text, cases[i].xid);
        for (size_t cut = 0; cut < len; cut++) {
            assert_err(binlog_event_xa_prepare(span_of(bytes, cut), &one_phase, &xid, &e),
                       ERR_CORRUPT, &e);
        }
        bytes[5] = 65; /* longer than any */
        assert_err(binlog_event_xa_prepare(span_of(bytes, sizeof bytes), &one_phase, &xid, &e),
                   ERR_CORRUPT, &e);
        bytes[5] = 1;
        bytes[12] = 0x80;
        assert_err(binlog_event_xa_prepare(span_of(bytes, sizeof bytes), &one_phase, &xid, &e),
                   ERR_CORRUPT, &e);
    }
}

TEST(test_xid__reads_names_of_savepoints)
{
    static const struct {
        const char *sql;
        bool ansi;
        const char *name; /* NULL: none */
    } cases[] = {
        {"SAVEPOINT `sp`", false, "sp"},
        {"SAVEPOINT `s``p`", false, "s`p"},
        {"SAVEPOINT \"s\"\"p\"", true, "s\"p"},
        {"savepoint s1", false, "s1"},
        {"ROLLBACK TO `s``p`", false, "s`p"},
        {"ROLLBACK TO SAVEPOINT `sp`", false, "sp"},
        {"ROLLBACK WORK TO sp", false, "sp"},
        {"ROLLBACK TO SAVEPOINT", false, "SAVEPOINT"},
        {"ROLLBACK TO `SAVEPOINT`", false, "SAVEPOINT"},
        {"ROLLBACK", false, NULL},
        {"ROLLBACK TO", false, NULL},
        {"ROLLBACK WORK", false, NULL},
        {"SAVEPOINT", false, NULL},
        {"RELEASE SAVEPOINT sp", false, NULL},
        {"", false, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[SAVEPOINT_NAME_BYTES] = "";
        bool found = savepoint_name(span_str(cases[i].sql), cases[i].ansi, name);

        assert_int_equal(found, cases[i].name != NULL);
        if (found) {
            assert_string_equal(name, cases[i].name);
        }
    }
    char longest[300];
    char name[SAVEPOINT_NAME_BYTES];

    memset(longest, 'x', sizeof longest);
    memcpy(longest, "SAVEPOINT ", 10);
    assert_false(savepoint_name(span_of(longest, sizeof longest), false, name));
    assert_true(savepoint_name(span_of(longest, 10 + 255), false, name));
}

TEST_MAIN(test_case(test_xid__reads_statements),
          test_case(test_xid__rejects_what_servers_do_not_write),
          test_case(test_xid__rejects_names_that_are_too_long),
          test_case(test_xid__rejects_every_truncation),
          test_case(test_xid__compares_all_of_a_name), test_case(test_xid__reads_prepare_events),
          test_case(test_xid__reads_names_of_savepoints))
