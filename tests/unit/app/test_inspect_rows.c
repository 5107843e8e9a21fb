#include "app/inspect_int.h"

#include <stdlib.h>

#include "test.h"

/*
 * CREATE TABLE s.t (a int, b varchar(20), c decimal(5,2), d enum(…), e set(…), f bit(9), g
 * datetime(2), h varbinary(4)), logged with binlog_row_metadata = NO_LOG: no names, charsets or
 * members.
 */
static const char map_body[] = "070000000000" /* table 7 */
                               "0100"         /* flags */
                               "017300"       /* "s" */
                               "017400"       /* "t" */
                               "08"           /* columns */
                               "030ff6fefe10120f"
                               "0d" /* bytes of metadata: b, c, d, e, f, g, h */
                               "5000"
                               "0502"
                               "f701"
                               "f801"
                               "0101"
                               "02"
                               "0400"
                               "ff"; /* all may be null */

static const char insert_body[] = "070000000000" /* table 7 */
                                  "0100"
                                  "0200" /* STMT_END; no extra data */
                                  "08"
                                  "ff"           /* columns, all present */
                                  "00"           /* none is null */
                                  "feffffff"     /* -2 */
                                  "03c3bc21"     /* "ü!" */
                                  "80010f"       /* 1.15 */
                                  "02"           /* second member */
                                  "05"           /* first and third member */
                                  "01ff"         /* 511 */
                                  "99b4fcd14500" /* 2024-11-30 13:05:05.00 */
                                  "02ff00";      /* not text */

struct fixture {
    uint8_t map[128];
    size_t map_len;
    uint8_t rows[128];
    size_t rows_len;
};

static void fixture_make(struct fixture *f)
{
    f->map_len = test_unhex(map_body, f->map, sizeof f->map);
    f->rows_len = test_unhex(insert_body, f->rows, sizeof f->rows);
}

static struct binlog_event event(uint8_t type, const uint8_t *body, size_t len)
{
    return (struct binlog_event){.header = {.type = type}, .body = span_of(body, len)};
}

TEST(test_inspect_rows__decodes_by_the_table_map_alone)
{
    struct fixture f;
    struct inspect_rows *r = inspect_rows_new();
    struct buf out = {0};
    struct err e = {0};
    uint64_t rows = 0;

    assert_non_null(r);
    fixture_make(&f);
    const struct binlog_event map = event(BINLOG_EVENT_TABLE_MAP, f.map, f.map_len);
    const struct binlog_event insert = event(BINLOG_EVENT_WRITE_ROWS, f.rows, f.rows_len);

    assert_null(inspect_rows_table(r, &insert));
    assert_err(inspect_rows_decode(r, &insert, false, NULL, &rows, &e), ERR_CORRUPT, &e);
    assert_ok(inspect_rows_map(r, &map, &e), &e);
    assert_string_equal(inspect_rows_table(r, &insert), "s.t");
    assert_ok(inspect_rows_decode(r, &insert, false, &out, &rows, &e), &e);
    assert_text_eq(buf_span(&out),
                   "  insert {\"@1\":-2,\"@2\":\"\xc3\xbc!\",\"@3\":\"1.15\",\"@4\":\"#2\","
                   "\"@5\":[\"#1\",\"#3\"],\"@6\":511,\"@7\":\"2024-11-30T13:05:05.00\","
                   "\"@8\":\"/wA=\"}\n");
    assert_u64_eq(rows, 1);
    buf_reset(&out);
    assert_ok(inspect_rows_decode(r, &insert, true, &out, &rows, &e), &e);
    assert_true(str_starts_with(buf_cstr(&out),
                                "{\"change\":\"insert\",\"table\":\"s.t\",\"after\":{\"@1\":-2,"));
    assert_u64_eq(rows, 2);
    buf_deinit(&out);
    inspect_rows_free(r);
}

static void expect_rows(struct inspect_rows *r, const struct binlog_event *ev, const char *want)
{
    struct buf out = {0};
    struct err e = {0};
    uint64_t rows = 0;

    assert_ok(inspect_rows_decode(r, ev, false, &out, &rows, &e), &e);
    if (strncmp((const char *)out.data, want, strlen(want)) != 0) {
        fail_msg("%.*s is not %s", (int)out.len, (const char *)out.data, want);
    }
    buf_deinit(&out);
}

/* The same map again changes nothing, another one of the same id does. */
TEST(test_inspect_rows__goes_by_the_last_table_map)
{
    uint8_t one[64];
    uint8_t two[64];
    uint8_t body[64];
    size_t one_len = test_unhex("0700000000000100 017300 017400 01 01 00 01", one, sizeof one);
    size_t two_len = test_unhex("0700000000000100 017300 017500 01 02 00 01", two, sizeof two);
    size_t len = test_unhex("070000000000 0100 0200 01 ff 00 0500", body, sizeof body);
    const struct binlog_event map_one = event(BINLOG_EVENT_TABLE_MAP, one, one_len);
    const struct binlog_event map_two = event(BINLOG_EVENT_TABLE_MAP, two, two_len);
    const struct binlog_event short_row = event(BINLOG_EVENT_WRITE_ROWS, body, len - 1);
    const struct binlog_event row = event(BINLOG_EVENT_WRITE_ROWS, body, len);
    struct inspect_rows *r = inspect_rows_new();
    struct err e = {0};

    assert_non_null(r);
    for (int i = 0; i < 3; i++) {
        assert_ok(inspect_rows_map(r, &map_one, &e), &e);
        assert_ok(inspect_rows_map(r, &map_one, &e), &e);
        assert_string_equal(inspect_rows_table(r, &row), "s.t");
        expect_rows(r, &short_row, "  insert {\"@1\":5}\n");
        assert_ok(inspect_rows_map(r, &map_two, &e), &e);
        assert_string_equal(inspect_rows_table(r, &row), "s.u");
        expect_rows(r, &row, "  insert {\"@1\":5}\n");
    }
    inspect_rows_free(r);
}

/* Row images that lack columns. */
TEST(test_inspect_rows__shows_images_as_far_as_they_go)
{
    uint8_t two_ints[64];
    uint8_t body[64];
    size_t map_len =
        test_unhex("0700000000000100 017300 017400 02 0101 00 02", two_ints, sizeof two_ints);
    size_t len = test_unhex("070000000000 0100 0200 02 01 02 00 05 00 06", body, sizeof body);
    const struct binlog_event map = event(BINLOG_EVENT_TABLE_MAP, two_ints, map_len);
    const struct binlog_event update = event(BINLOG_EVENT_UPDATE_ROWS, body, len);
    uint8_t gone[64];
    size_t gone_len = test_unhex("070000000000 0100 0200 02 01 00 05", gone, sizeof gone);
    const struct binlog_event delete = event(BINLOG_EVENT_DELETE_ROWS, gone, gone_len);
    struct inspect_rows *r = inspect_rows_new();
    struct err e = {0};
    uint64_t rows = 0;

    assert_non_null(r);
    assert_ok(inspect_rows_map(r, &map, &e), &e);
    expect_rows(r, &update, "  update {\"@1\":5,\"@2\":6}\n");
    expect_rows(r, &delete, "  not decoded: \"s.t: row image is not full");
    assert_err(inspect_rows_decode(r, &delete, false, NULL, &rows, &e), ERR_UNSUPPORTED, &e);
    inspect_rows_free(r);
}

TEST(test_inspect_rows__survives_every_truncation)
{
    struct fixture f;

    fixture_make(&f);
    for (size_t cut = 0; cut < f.map_len + f.rows_len; cut++) {
        struct inspect_rows *r = inspect_rows_new();
        size_t map_len = cut < f.map_len ? cut : f.map_len;
        size_t rows_len = cut < f.map_len ? f.rows_len : cut - f.map_len;
        uint8_t *map_copy = malloc(map_len + 1);
        uint8_t *rows_copy = malloc(rows_len + 1);
        uint64_t rows = 0;
        struct err e = {0};

        assert_non_null(r);
        assert_non_null(map_copy);
        assert_non_null(rows_copy);
        memcpy(map_copy, f.map, map_len);
        memcpy(rows_copy, f.rows, rows_len);
        const struct binlog_event map = event(BINLOG_EVENT_TABLE_MAP, map_copy, map_len);
        const struct binlog_event insert = event(BINLOG_EVENT_WRITE_ROWS, rows_copy, rows_len);
        enum err_code map_rc = inspect_rows_map(r, &map, &e);
        enum err_code rows_rc = inspect_rows_decode(r, &insert, false, NULL, &rows, &e);

        assert_true(map_rc == ERR_OK || map_rc == ERR_CORRUPT);
        if (cut >= f.map_len) {
            assert_int_equal(map_rc, ERR_OK);
            /* An event may end after its head: then it has no rows. */
            assert_true(rows_rc == ERR_CORRUPT || rows == 0);
        }
        free(map_copy);
        free(rows_copy);
        inspect_rows_free(r);
    }
}

TEST(test_inspect_rows__survives_lack_of_memory)
{
    struct fixture f;

    fixture_make(&f);
    const struct binlog_event map = event(BINLOG_EVENT_TABLE_MAP, f.map, f.map_len);
    const struct binlog_event insert = event(BINLOG_EVENT_WRITE_ROWS, f.rows, f.rows_len);

    TORTURE(nth)
    {
        struct inspect_rows *r = inspect_rows_new();
        struct buf out = {0};
        uint64_t rows = 0;

        if (r != NULL) {
            enum err_code rc = inspect_rows_map(r, &map, NULL);

            assert_true(rc == ERR_OK || rc == ERR_NOMEM);
            if (rc == ERR_OK) {
                rc = inspect_rows_decode(r, &insert, true, &out, &rows, NULL);
                assert_true(rc == ERR_OK || rc == ERR_NOMEM);
            }
        }
        buf_deinit(&out);
        inspect_rows_free(r);
    }
}

/* Types of the wire that a plan takes or refuses, by a map of one column. */
TEST(test_inspect_rows__names_what_it_cannot_decode)
{
    static const char map_hex[] = "0700000000000100"
                                  "017300"
                                  "017400"
                                  "01"
                                  "06"
                                  "00"
                                  "01";
    uint8_t body[64];
    size_t len = test_unhex(map_hex, body, sizeof body);
    struct inspect_rows *r = inspect_rows_new();
    struct buf out = {0};
    uint8_t rows_body[64];
    size_t rows_len = test_unhex("070000000000"
                                 "0100"
                                 "0200"
                                 "01"
                                 "ff"
                                 "00"
                                 "0000",
                                 rows_body, sizeof rows_body);
    const struct binlog_event map = event(BINLOG_EVENT_TABLE_MAP, body, len);
    const struct binlog_event insert = event(BINLOG_EVENT_WRITE_ROWS, rows_body, rows_len);
    struct err e = {0};
    uint64_t rows = 0;

    assert_non_null(r);
    assert_ok(inspect_rows_map(r, &map, &e), &e);
    assert_ok(inspect_rows_decode(r, &insert, false, &out, &rows, &e), &e);
    assert_text_eq(buf_span(&out), "  not decoded: \"column @1: type 6 cannot be read\"\n");
    assert_u64_eq(rows, 0);
    buf_deinit(&out);
    inspect_rows_free(r);
}

TEST_MAIN(test_case(test_inspect_rows__decodes_by_the_table_map_alone),
          test_case(test_inspect_rows__goes_by_the_last_table_map),
          test_case(test_inspect_rows__shows_images_as_far_as_they_go),
          test_case(test_inspect_rows__survives_every_truncation),
          test_case(test_inspect_rows__survives_lack_of_memory),
          test_case(test_inspect_rows__names_what_it_cannot_decode))
