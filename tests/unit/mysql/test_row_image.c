#include "mysql/row_image.h"

#include <stdlib.h>

#include "rows_fixture.h"

static const char *labels[] = {"new", "paid"};
static const char *labels_other[] = {"new", "void"};

/* id INT UNSIGNED, s VARCHAR latin1, d DECIMAL(4,2), b BINARY(4), j JSON, e ENUM */
static struct column_def columns[] = {
    {.name = "id", .type = COLUMN_TYPE_INT, .is_unsigned = true},
    {.name = "s", .type = COLUMN_TYPE_VARCHAR, .charset = "latin1", .nullable = true},
    {.name = "d", .type = COLUMN_TYPE_DECIMAL, .precision = 4, .scale = 2, .nullable = true},
    {.name = "b", .type = COLUMN_TYPE_BINARY, .length = 4, .nullable = true},
    {.name = "j", .type = COLUMN_TYPE_JSON, .nullable = true},
    {.name = "e",
     .type = COLUMN_TYPE_ENUM,
     .charset = "latin1",
     .labels = labels,
     .label_count = 2},
};
static const struct table_def order = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 6};

static struct row_plan *order_plan(void)
{
    struct buf map = {0};
    struct row_plan *plan;
    struct err e = {0};

    put_map(&map, "030ff6fef5fe", "3c00 0402 fe04 04 f701", "1e", "");
    assert_ok(make_plan(buf_span(&map), &order, &plan, &e), &e);
    buf_deinit(&map);
    return plan;
}

/* 7, 'é', -99.99, 0x01ff0000, {"a":1}, 'paid' */
static const char row_7[] =
    "00 07000000 01e9 1c9c 02 01ff 0d000000 00 0100 0c00 0b00 0100 050100 61 02";
/* 8, NULL, NULL, NULL, NULL, '' */
static const char row_8[] = "1e 08000000 00";

static void expect_row(const struct value *values, const char *const *want)
{
    char shown[200];

    for (int i = 0; i < 6; i++) {
        assert_string_equal(show_value(&values[i], shown, sizeof shown), want[i]);
    }
}

static const char *const want_7[] = {"u64 7",          "text \xc3\xa9",  "decimal -99.99",
                                     "bytes 01ff0000", "json {\"a\":1}", "text paid"};
static const char *const want_8[] = {"u64 8", "null", "null", "null", "null", "text "};

TEST(test_row_image__reads_inserts_and_deletes)
{
    static const uint8_t types[] = {BINLOG_EVENT_WRITE_ROWS, BINLOG_EVENT_DELETE_ROWS};

    for (size_t i = 0; i < 2; i++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};

        put_rows_head(&rows, types[i], 6);
        put_hex(&rows, row_7);
        put_hex(&rows, row_8);
        row_reader_init(&r);
        assert_ok(row_reader_start(&r, plan, types[i], buf_span(&rows), &e), &e);
        assert_true(r.stmt_end);
        assert_int_equal(r.change, i == 0 ? ROW_INSERT : ROW_DELETE);
        assert_u64_eq(r.column_count, 6);
        assert_true(row_reader_more(&r));
        /* want_before does not concern the row of a DELETE. */
        assert_ok(row_reader_next(&r, false, &e), &e);
        expect_row(i == 0 ? r.after : r.before, want_7);
        assert_ok(row_reader_next(&r, true, &e), &e);
        expect_row(i == 0 ? r.after : r.before, want_8);
        assert_false(row_reader_more(&r));
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

TEST(test_row_image__reads_updates_with_and_without_before)
{
    for (int want_before = 0; want_before < 2; want_before++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};

        put_rows_head(&rows, BINLOG_EVENT_UPDATE_ROWS, 6);
        for (int i = 0; i < 2; i++) {
            put_hex(&rows, i == 0 ? row_7 : row_8);
            put_hex(&rows, i == 0 ? row_8 : row_7);
        }
        row_reader_init(&r);
        assert_ok(row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, buf_span(&rows), &e), &e);
        assert_int_equal(r.change, ROW_UPDATE);
        for (int i = 0; i < 2; i++) {
            assert_ok(row_reader_next(&r, want_before == 1, &e), &e);
            expect_row(r.after, i == 0 ? want_8 : want_7);
            if (want_before == 1) {
                expect_row(r.before, i == 0 ? want_7 : want_8);
            }
        }
        assert_false(row_reader_more(&r));
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

TEST(test_row_image__reads_v1_and_extra_data)
{
    static const struct {
        uint8_t type;
        const char *head;
    } cases[] = {
        {BINLOG_EVENT_WRITE_ROWS_V1, "690000000000 0000 06 3f"},
        {BINLOG_EVENT_DELETE_ROWS_V1, "690000000000 0000 06 ff"},
        {BINLOG_EVENT_UPDATE_ROWS_V1, "690000000000 0000 06 3f 3f"},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0500 010200 06 3f"}, /* partition 2 */
        {BINLOG_EVENT_UPDATE_ROWS, "690000000000 0000 0700 0102000100 06 3f 3f"},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0600 000400ff 06 3f"}, /* NDB */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};
        uint64_t id;
        bool ends = true;

        put_hex(&rows, cases[i].head);
        put_hex(&rows, row_8);
        put_hex(&rows, row_8);
        row_reader_init(&r);
        assert_ok(rows_event_table_id(cases[i].type, buf_span(&rows), &id, &ends, &e), &e);
        assert_u64_eq(id, 0x69);
        assert_false(ends);
        assert_ok(row_reader_start(&r, plan, cases[i].type, buf_span(&rows), &e), &e);
        assert_false(r.stmt_end);
        while (row_reader_more(&r)) {
            assert_ok(row_reader_next(&r, true, &e), &e);
            expect_row(r.change == ROW_DELETE ? r.before : r.after, want_8);
        }
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

TEST(test_row_image__reads_events_without_rows)
{
    struct row_plan *plan = order_plan();
    struct row_reader r;
    struct buf rows = {0};
    struct err e = {0};

    row_reader_init(&r);
    put_rows_head(&rows, BINLOG_EVENT_WRITE_ROWS, 6);
    assert_ok(row_reader_start(&r, plan, BINLOG_EVENT_WRITE_ROWS, buf_span(&rows), &e), &e);
    assert_false(row_reader_more(&r));
    buf_reset(&rows);
    put_hex(&rows, "ffffff000000 0100 0200 00");
    assert_ok(row_reader_start(&r, NULL, BINLOG_EVENT_WRITE_ROWS, buf_span(&rows), &e), &e);
    assert_true(r.stmt_end);
    assert_false(row_reader_more(&r));
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&rows);
}

TEST(test_row_image__refuses_images_that_are_not_full)
{
    static const struct {
        uint8_t type;
        const char *head;
        const char *column;
    } cases[] = {
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0200 06 3d", "'s'"},
        {BINLOG_EVENT_DELETE_ROWS, "690000000000 0000 0200 06 01", "'s'"},
        {BINLOG_EVENT_UPDATE_ROWS, "690000000000 0000 0200 06 3e 3e", "'id'"},
        {BINLOG_EVENT_UPDATE_ROWS, "690000000000 0000 0200 06 1f 1f", "'e'"},
        {BINLOG_EVENT_UPDATE_ROWS, "690000000000 0000 0200 06 01 2e", "'j'"}, /* MINIMAL */
        {BINLOG_EVENT_PARTIAL_UPDATE_ROWS, "690000000000 0000 0200 06 01 2e", "'j'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};

        put_hex(&rows, cases[i].head);
        row_reader_init(&r);
        assert_err(row_reader_start(&r, plan, cases[i].type, buf_span(&rows), &e), ERR_UNSUPPORTED,
                   &e);
        assert_non_null(strstr(e.msg, "binlog_row_image=FULL"));
        assert_non_null(strstr(e.msg, cases[i].column));
        assert_false(row_reader_more(&r));
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

/* MariaDB's binlog_row_image=FULL_NODUP: only what changed is in the after image. */
TEST(test_row_image__keeps_what_an_after_image_lacks)
{
    static const char *const want_after[] = {"u64 7",          "null",           "decimal -99.99",
                                             "bytes 01ff0000", "json {\"a\":1}", "text "};

    for (int want_before = 0; want_before < 2; want_before++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};

        put_hex(&rows, "690000000000 0000 0200 06 3f 22"); /* s and e */
        size_t head = rows.len;

        for (int i = 0; i < 2; i++) {
            put_hex(&rows, row_7);
            put_hex(&rows, "01 00");
        }
        size_t row_bytes = (rows.len - head) / 2;

        row_reader_init(&r);
        assert_ok(row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, buf_span(&rows), &e), &e);
        for (int i = 0; i < 2; i++) {
            assert_ok(row_reader_next(&r, want_before == 1, &e), &e);
            expect_row(r.before, want_7);
            expect_row(r.after, want_after);
        }
        assert_false(row_reader_more(&r));
        for (size_t len = head + row_bytes + 1; len < rows.len; len++) {
            assert_ok(
                row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, span_of(rows.data, len), &e),
                &e);
            assert_ok(row_reader_next(&r, want_before == 1, &e), &e);
            assert_err(row_reader_next(&r, want_before == 1, &e), ERR_CORRUPT, &e);
        }
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

/* (id INT, a INT, gs INT AS (a*2) STORED, gv INT AS (a*3) VIRTUAL, b INT) */
static struct column_def with_generated[] = {
    {.name = "id", .type = COLUMN_TYPE_INT},
    {.name = "a", .type = COLUMN_TYPE_INT},
    {.name = "gs", .type = COLUMN_TYPE_INT, .generated = true},
    {.name = "gv", .type = COLUMN_TYPE_INT, .generated = true},
    {.name = "b", .type = COLUMN_TYPE_INT, .nullable = true},
};
static const struct table_def generated_def = {
    .schema = "shop", .name = "t", .columns = with_generated, .column_count = 5};

static void expect_ints(const struct value *values, const char *want)
{
    char all[200] = "";

    for (int i = 0; i < 5; i++) {
        char shown[40];
        const char *text = show_value(&values[i], shown, sizeof shown);

        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? " " : "",
                       strncmp(text, "i64 ", 4) == 0 ? text + 4 : text);
    }
    assert_string_equal(all, want);
}

/* As MariaDB 11.8 logs them: generated columns are in the images of an INSERT only. */
TEST(test_row_image__reads_images_without_generated_columns_when_asked)
{
    static const struct {
        uint8_t type;
        const char *head;
        const char *row;
        const char *before;
        const char *after;
    } cases[] = {
        {BINLOG_EVENT_WRITE_ROWS_V1, "690000000000 0100 05 1f",
         "f0 02000000 02000000 04000000 06000000", NULL, "2 2 4 6 null"},
        {BINLOG_EVENT_UPDATE_ROWS_V1, "690000000000 0100 05 13 13",
         "fc 02000000 02000000 f8 02000000 07000000 05000000", "2 2 null null null",
         "2 7 null null 5"},
        {BINLOG_EVENT_UPDATE_ROWS_V1, "690000000000 0100 05 13 02",
         "fc 02000000 02000000 fe 07000000", "2 2 null null null",
         "2 7 null null null"}, /* FULL_NODUP */
        {BINLOG_EVENT_DELETE_ROWS_V1, "690000000000 0100 05 13", "f8 02000000 02000000 05000000",
         "2 2 null null 5", NULL},
    };
    struct row_plan *plan;
    struct row_reader r;
    struct buf map = {0};
    struct err e = {0};

    put_map(&map, "0303030303", "", "10", "");
    assert_ok(make_plan(buf_span(&map), &generated_def, &plan, &e), &e);
    row_reader_init(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf rows = {0};

        put_hex(&rows, cases[i].head);
        size_t head = rows.len;

        put_hex(&rows, cases[i].row);
        r.generated_optional = false;
        assert_err(row_reader_start(&r, plan, cases[i].type, buf_span(&rows), &e),
                   i == 0 ? ERR_OK : ERR_UNSUPPORTED, &e);
        if (i > 0) {
            assert_non_null(strstr(e.msg, "generated column 'gs'"));
        }
        r.generated_optional = true;
        for (int want_before = 0; want_before < 2; want_before++) {
            for (size_t len = head + 1; len < rows.len; len++) {
                assert_ok(row_reader_start(&r, plan, cases[i].type, span_of(rows.data, len), &e),
                          &e);
                assert_err(row_reader_next(&r, want_before == 1, &e), ERR_CORRUPT, &e);
            }
            assert_ok(row_reader_start(&r, plan, cases[i].type, buf_span(&rows), &e), &e);
            assert_ok(row_reader_next(&r, want_before == 1, &e), &e);
            assert_false(row_reader_more(&r));
            if (cases[i].before != NULL && (r.change == ROW_DELETE || want_before == 1)) {
                expect_ints(r.before, cases[i].before);
            }
            if (cases[i].after != NULL) {
                expect_ints(r.after, cases[i].after);
            }
        }
        buf_deinit(&rows);
    }
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&map);
}

/* Its base may have changed, so a generated column is not taken from the before image. */
TEST(test_row_image__refuses_after_images_without_generated_columns)
{
    struct row_plan *plan;
    struct row_reader r;
    struct buf map = {0};
    struct buf rows = {0};
    struct err e = {0};

    put_map(&map, "0303030303", "", "10", "");
    assert_ok(make_plan(buf_span(&map), &generated_def, &plan, &e), &e);
    put_hex(&rows, "690000000000 0100 05 1f 13");
    row_reader_init(&r);
    assert_err(row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS_V1, buf_span(&rows), &e),
               ERR_UNSUPPORTED, &e);
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&map);
    buf_deinit(&rows);
}

TEST(test_row_image__rejects_heads_that_cannot_be)
{
    static const struct {
        uint8_t type;
        const char *head;
        enum err_code want;
    } cases[] = {
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0100 06 3f", ERR_CORRUPT},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 ff00 06 3f", ERR_CORRUPT},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0200 05 3f", ERR_CORRUPT},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0200 07 3f", ERR_CORRUPT},
        {BINLOG_EVENT_WRITE_ROWS, "690000000000 0000 0200 fb 3f", ERR_CORRUPT},
        {BINLOG_EVENT_UPDATE_ROWS, "690000000000 0000 0200 06 3f", ERR_CORRUPT},
        {BINLOG_EVENT_TABLE_MAP, "690000000000 0000 0200 06 3f", ERR_UNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct row_plan *plan = order_plan();
        struct row_reader r;
        struct buf rows = {0};
        struct err e = {0};

        put_hex(&rows, cases[i].head);
        row_reader_init(&r);
        assert_err(row_reader_start(&r, plan, cases[i].type, buf_span(&rows), &e), cases[i].want,
                   &e);
        row_reader_deinit(&r);
        row_plan_free(plan);
        buf_deinit(&rows);
    }
}

/* A row cut anywhere fails, when it is read and when it is skipped. */
TEST(test_row_image__rejects_every_truncation)
{
    struct row_plan *plan = order_plan();
    struct buf rows = {0};
    struct row_reader r;

    put_rows_head(&rows, BINLOG_EVENT_UPDATE_ROWS, 6);
    size_t head = rows.len;

    put_hex(&rows, row_7);
    put_hex(&rows, row_7);
    row_reader_init(&r);
    for (int want_before = 0; want_before < 2; want_before++) {
        for (size_t len = 0; len < rows.len; len++) {
            uint8_t *exact = malloc(len > 0 ? len : 1);
            struct err e = {0};

            memcpy(exact, rows.data, len);
            enum err_code rc =
                row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, span_of(exact, len), &e);
            assert_int_equal(rc, len < head ? ERR_CORRUPT : ERR_OK);
            if (len > head) {
                assert_err(row_reader_next(&r, want_before == 1, &e), ERR_CORRUPT, &e);
                assert_false(row_reader_more(&r));
            }
            free(exact);
        }
    }
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&rows);
}

/* Many decimals, so that scratch moves within a row: earlier values must follow it. */
TEST(test_row_image__values_follow_growing_scratch)
{
    enum { COUNT = 700 };
    static struct column_def many[COUNT];
    struct table_def def = {.schema = "shop", .name = "t", .columns = many, .column_count = COUNT};
    struct buf map = {0};
    struct buf rows = {0};
    struct row_plan *plan;
    struct row_reader r;
    struct err e = {0};

    put_hex(&map, "690000000000 0100 04 73686f70 00 01 74 00");
    buf_lenenc(&map, COUNT);
    for (int i = 0; i < COUNT; i++) {
        many[i] = (struct column_def){
            .name = "d", .type = COLUMN_TYPE_DECIMAL, .precision = 4, .nullable = true};
        buf_u8(&map, 246);
    }
    buf_lenenc(&map, 2 * COUNT);
    for (int i = 0; i < COUNT; i++) {
        put_hex(&map, "0400");
    }
    buf_zeros(&map, (COUNT + 7) / 8);
    assert_ok(make_plan(buf_span(&map), &def, &plan, &e), &e);
    put_rows_head(&rows, BINLOG_EVENT_UPDATE_ROWS, COUNT);
    for (int image = 0; image < 2; image++) {
        for (int i = 0; i < (COUNT + 7) / 8; i++) {
            buf_u8(&rows, i % 3 == 2 ? 0x01 : 0); /* some are NULL, far behind the 64th */
        }
        for (int i = 0; i < COUNT; i++) {
            if (i % 24 != 16) {
                buf_u8(&rows, (uint8_t)(0x80 | i >> 8));
                buf_u8(&rows, (uint8_t)i);
            }
        }
    }
    row_reader_init(&r);
    assert_ok(row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, buf_span(&rows), &e), &e);
    assert_ok(row_reader_next(&r, true, &e), &e);
    assert_false(row_reader_more(&r));
    for (int i = 0; i < COUNT; i++) {
        char want[40];
        char shown[40];

        (void)snprintf(want, sizeof want, "decimal %d", i);
        assert_string_equal(show_value(&r.before[i], shown, sizeof shown),
                            i % 24 == 16 ? "null" : want);
        assert_string_equal(show_value(&r.after[i], shown, sizeof shown),
                            i % 24 == 16 ? "null" : want);
    }
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&map);
    buf_deinit(&rows);
}

struct plan_case {
    struct column_def def;
    const char *type;
    const char *meta;
    const char *optional;
    enum err_code want;
    const char *message; /* a part of it */
};

static void check_plans(const struct plan_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct column_def column = cases[i].def;
        struct table_def def = {
            .schema = "shop", .name = "t", .columns = &column, .column_count = 1};
        struct row_plan *plan;
        struct buf map = {0};
        struct err e = {0};

        column.name = "c";
        put_map(&map, cases[i].type, cases[i].meta, "01", cases[i].optional);
        enum err_code rc = make_plan(buf_span(&map), &def, &plan, &e);

        if (rc != cases[i].want) {
            fail_msg("%zu (type %s): %s: %s", i, cases[i].type, err_code_name(rc), e.msg);
        }
        if (rc != ERR_OK) {
            if (strstr(e.msg, "column 1 'c'") == NULL || strstr(e.msg, cases[i].message) == NULL) {
                fail_msg("%zu: %s", i, e.msg);
            }
        }
        row_plan_free(plan);
        buf_deinit(&map);
    }
}

TEST(test_row_image__compares_map_and_definition)
{
    static const struct column_def uint = {.type = COLUMN_TYPE_INT, .is_unsigned = true};
    static const struct column_def text = {.type = COLUMN_TYPE_VARCHAR, .charset = "latin1"};
    static const struct column_def blob = {.type = COLUMN_TYPE_BLOB};
    static const struct column_def set = {
        .type = COLUMN_TYPE_SET, .charset = "latin1", .labels = labels, .label_count = 2};
    static const struct column_def enumeration = {
        .type = COLUMN_TYPE_ENUM, .charset = "latin1", .labels = labels, .label_count = 2};
    static const struct column_def other = {
        .type = COLUMN_TYPE_ENUM, .charset = "latin1", .labels = labels_other, .label_count = 2};
    const struct plan_case cases[] = {
        {uint, "03", "", "010180", ERR_OK, ""},
        {uint, "03", "", "010100", ERR_CONFLICT, "with a sign"},
        {uint, "08", "", "", ERR_CONFLICT, "BIGINT"},
        {uint, "03", "", "04020163", ERR_OK, ""},
        {uint, "03", "", "04020164", ERR_CONFLICT, "'d' in the binlog"},
        {text, "0f", "0a00", "020108", ERR_OK, ""},
        {text, "fd", "0a00", "030108", ERR_OK, ""},
        {text, "0f", "0a00", "02012d", ERR_CONFLICT, "utf8mb4 in the binlog and latin1"},
        {text, "0f", "0a00", "02013f", ERR_CONFLICT, "binary in the binlog and latin1"},
        {text, "0f", "0a00", "0203fcf0ff", ERR_OK, ""}, /* a collation that is not known */
        {{.type = COLUMN_TYPE_VARCHAR}, "0f", "0a00", "0203fcf0ff", ERR_UNSUPPORTED, "65520"},
        {{.type = COLUMN_TYPE_VARCHAR}, "0f", "0a00", "", ERR_UNSUPPORTED, "charset"},
        {{.type = COLUMN_TYPE_VARCHAR}, "0f", "0a00", "020108", ERR_OK, ""},
        {{.type = COLUMN_TYPE_VARCHAR, .charset = "klingon"},
         "0f",
         "0a00",
         "",
         ERR_UNSUPPORTED,
         "klingon"},
        {{.type = COLUMN_TYPE_VARCHAR, .charset = "binary"},
         "0f",
         "0a00",
         "",
         ERR_CONFLICT,
         "binary"},
        {text, "fc", "02", "", ERR_CONFLICT, "TEXT or BLOB"},
        {text, "8d", "0a00", "020108", ERR_OK, ""},
        {text, "8c", "02", "", ERR_CONFLICT, "TEXT or BLOB COMPRESSED"},
        {text, "8d", "0a00", "02013f", ERR_CONFLICT, "binary in the binlog and latin1"},
        {blob, "8c", "02", "02013f", ERR_OK, ""},
        {blob, "8c", "02", "020108", ERR_CONFLICT, "charset latin1"},
        {blob, "8d", "0a00", "", ERR_CONFLICT, "VARCHAR or VARBINARY COMPRESSED"},
        {{.type = COLUMN_TYPE_CHAR, .charset = "latin1"}, "8d", "0a00", "", ERR_CONFLICT, "CHAR"},
        {{.type = COLUMN_TYPE_JSON}, "8c", "04", "", ERR_CONFLICT, "COMPRESSED"},
        {blob, "fc", "02", "02013f", ERR_OK, ""},
        {blob, "fc", "02", "020108", ERR_CONFLICT, "charset latin1"},
        {blob, "00", "", "", ERR_UNSUPPORTED, "before 5.0"},
        {{.type = COLUMN_TYPE_DECIMAL, .precision = 5, .scale = 2},
         "f6",
         "0602",
         "",
         ERR_CONFLICT,
         "(6,2)"},
        {{.type = COLUMN_TYPE_BIT, .length = 9}, "10", "0001", "", ERR_CONFLICT, "8 bits"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3},
         "12",
         "06",
         "",
         ERR_CONFLICT,
         "6 fraction digits"},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3}, "0c", "", "", ERR_OK, ""},
        {{.type = COLUMN_TYPE_DATETIME, .fsp = 3}, "0b", "", "", ERR_CONFLICT, "before 5.6"},
        {{.type = COLUMN_TYPE_TIME}, "12", "00", "", ERR_CONFLICT, "DATETIME"},
        {{.type = COLUMN_TYPE_DATE}, "12", "00", "", ERR_CONFLICT, "DATETIME"},
        {{.type = COLUMN_TYPE_BINARY, .length = 8}, "fe", "fe07", "", ERR_CONFLICT, "7 bytes"},
        {{.type = COLUMN_TYPE_UUID}, "fe", "fe10", "02013f", ERR_OK, ""},
        {{.type = COLUMN_TYPE_UUID}, "fe", "fe04", "", ERR_CONFLICT, "4 bytes"},
        {{.type = COLUMN_TYPE_UUID}, "fe", "fe10", "020108", ERR_CONFLICT, "latin1"},
        {{.type = COLUMN_TYPE_YEAR}, "0d", "", "010100", ERR_OK, ""},
        {{.type = COLUMN_TYPE_YEAR}, "0d", "", "010180", ERR_OK, ""},
        {{.type = COLUMN_TYPE_CHAR, .charset = "latin1"}, "fe", "f701", "", ERR_CONFLICT, "ENUM"},
        {enumeration, "fe", "f701", "0a0108 060a 02 036e6577 0470616964", ERR_OK, ""},
        {other, "fe", "f701", "0a0108 060a 02 036e6577 0470616964", ERR_CONFLICT,
         "'paid' in the binlog and 'void'"},
        {enumeration, "fe", "f701", "0a0108 0605 01 036e6577", ERR_CONFLICT, "1 members"},
        {enumeration, "fe", "f702", "", ERR_CONFLICT, "2 bytes"},
        {enumeration, "fe", "f801", "", ERR_CONFLICT, "SET"},
        {set, "fe", "f801", "0b0108 050a 02 036e6577 0470616964", ERR_OK, ""},
        {set, "fe", "f802", "", ERR_CONFLICT, "2 bytes"},
        {{.type = COLUMN_TYPE_ENUM}, "fe", "f701", "", ERR_UNSUPPORTED, "members"},
    };

    check_plans(cases, sizeof cases / sizeof cases[0]);
}

TEST(test_row_image__compares_column_counts)
{
    struct buf map = {0};
    struct row_plan *plan;
    struct err e = {0};

    put_map(&map, "0303", "", "00", "");
    assert_err(make_plan(buf_span(&map), &order, &plan, &e), ERR_CONFLICT, &e);
    assert_string_equal(e.msg, "shop.t has 2 columns in the binlog and 6 in the table definition");
    assert_null(plan);
    buf_deinit(&map);
}

/* (g GEOMETRY, b VARBINARY, c VARBINARY, d TEXT latin1) as MySQL and as MariaDB log its charsets.
 */
TEST(test_row_image__takes_the_reading_of_charsets_that_fits)
{
    static struct column_def geo[] = {
        {.name = "g", .type = COLUMN_TYPE_GEOMETRY},
        {.name = "b", .type = COLUMN_TYPE_VARBINARY},
        {.name = "c", .type = COLUMN_TYPE_VARBINARY},
        {.name = "d", .type = COLUMN_TYPE_TEXT, .charset = "latin1"},
    };
    static struct column_def geo_last[] = {
        {.name = "g", .type = COLUMN_TYPE_GEOMETRY},
        {.name = "b", .type = COLUMN_TYPE_VARBINARY},
        {.name = "c", .type = COLUMN_TYPE_TEXT, .charset = "latin1"},
        {.name = "d", .type = COLUMN_TYPE_BLOB},
    };
    static const struct {
        struct column_def *columns;
        const char *types;
        const char *pair;
        enum err_code want;
    } cases[] = {
        {geo, "ff0f0ffc", "02033f0208", ERR_OK},       /* MySQL */
        {geo, "ff0f0ffc", "02033f0308", ERR_OK},       /* MariaDB */
        {geo, "ff0f0ffc", "02033f0108", ERR_CONFLICT}, /* fits neither way */
        {geo_last, "ff0ffcfc", "02033f0108", ERR_OK},  /* MySQL */
        {geo_last, "ff0ffcfc", "02033f0208", ERR_OK},  /* MariaDB */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table_def def = {
            .schema = "shop", .name = "t", .columns = cases[i].columns, .column_count = 4};
        struct row_plan *plan;
        struct buf map = {0};
        struct err e = {0};

        put_map(&map, cases[i].types,
                strcmp(cases[i].types, "ff0f0ffc") == 0 ? "04 0500 0500 02" : "04 0500 02 02", "0f",
                cases[i].pair);
        assert_err(make_plan(buf_span(&map), &def, &plan, &e), cases[i].want, &e);
        row_plan_free(plan);
        buf_deinit(&map);
    }
}

/* INFORMATION_SCHEMA shows a question mark for U+1F600; the binlog has the label itself. */
TEST(test_row_image__takes_labels_that_the_catalog_cannot_show_from_the_map)
{
    static const char *shown[] = {"?0", "a?"};
    static const struct {
        const char *labels; /* of the map */
        enum err_code want;
        const char *first;
    } cases[] = {
        {"060a 02 05f09f988030 02613f", ERR_OK,
         "\xf0\x9f\x98\x80"
         "0"},
        {"0607 02 023f30 02613f", ERR_OK, "?0"},
        {"060a 02 05f09f988031 02613f", ERR_CONFLICT, ""},
        {"0608 02 03c3a930 02613f", ERR_CONFLICT, ""}, /* what the catalog can show */
        {"0609 02 04f09f9880 02613f", ERR_CONFLICT, ""},
        {"060b 02 06f09f98803030 02613f", ERR_CONFLICT, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct column_def column = {.name = "c",
                                    .type = COLUMN_TYPE_ENUM,
                                    .charset = "utf8mb4",
                                    .labels = shown,
                                    .label_count = 2};
        struct table_def def = {
            .schema = "shop", .name = "t", .columns = &column, .column_count = 1};
        struct buf map = {0};
        struct row_plan *plan;
        struct err e = {0};
        char optional[100];

        (void)snprintf(optional, sizeof optional, "0a012d %s", cases[i].labels);
        put_map(&map, "fe", "f701", "01", optional);
        assert_err(make_plan(buf_span(&map), &def, &plan, &e), cases[i].want, &e);
        if (plan != NULL) {
            assert_string_equal(row_plan_def(plan)->columns[0].labels[0], cases[i].first);
            assert_string_equal(row_plan_def(plan)->columns[0].labels[1], "a?");
        }
        assert_string_equal(column.labels[0], "?0");
        row_plan_free(plan);
        buf_deinit(&map);
    }
}

TEST(test_row_image__keeps_a_copy_of_the_definition)
{
    struct row_plan *plan = order_plan();
    const struct table_def *def = row_plan_def(plan);

    assert_true(def != &order && def->columns != order.columns);
    assert_string_equal(def->columns[5].labels[1], "paid");
    row_plan_free(plan);
    row_plan_free(NULL);
}

TEST(test_row_image__survives_failing_allocations)
{
    struct buf map = {0};
    struct buf rows = {0};
    bool passed = false;

    put_map(&map, "030ff6fef5fe", "3c00 0402 fe04 04 f701", "1e",
            "0a0108 060a 02 036e6577 0470616964");
    put_rows_head(&rows, BINLOG_EVENT_UPDATE_ROWS, 6);
    put_hex(&rows, row_7);
    put_hex(&rows, row_7);
    TORTURE(run)
    {
        struct row_plan *plan;
        struct row_reader r;
        struct err e = {0};
        enum err_code rc = make_plan(buf_span(&map), &order, &plan, &e);

        row_reader_init(&r);
        if (rc == ERR_OK) {
            rc = row_reader_start(&r, plan, BINLOG_EVENT_UPDATE_ROWS, buf_span(&rows), &e);
        }
        if (rc == ERR_OK) {
            rc = row_reader_next(&r, true, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            expect_row(r.before, want_7);
            expect_row(r.after, want_7);
        }
        passed = rc == ERR_OK;
        row_reader_deinit(&r);
        row_plan_free(plan);
    }
    assert_true(passed);
    buf_deinit(&map);
    buf_deinit(&rows);
}

TEST_MAIN(test_case(test_row_image__reads_inserts_and_deletes),
          test_case(test_row_image__reads_updates_with_and_without_before),
          test_case(test_row_image__reads_v1_and_extra_data),
          test_case(test_row_image__reads_events_without_rows),
          test_case(test_row_image__refuses_images_that_are_not_full),
          test_case(test_row_image__keeps_what_an_after_image_lacks),
          test_case(test_row_image__reads_images_without_generated_columns_when_asked),
          test_case(test_row_image__refuses_after_images_without_generated_columns),
          test_case(test_row_image__rejects_heads_that_cannot_be),
          test_case(test_row_image__rejects_every_truncation),
          test_case(test_row_image__values_follow_growing_scratch),
          test_case(test_row_image__compares_map_and_definition),
          test_case(test_row_image__compares_column_counts),
          test_case(test_row_image__takes_the_reading_of_charsets_that_fits),
          test_case(test_row_image__takes_labels_that_the_catalog_cannot_show_from_the_map),
          test_case(test_row_image__keeps_a_copy_of_the_definition),
          test_case(test_row_image__survives_failing_allocations))
