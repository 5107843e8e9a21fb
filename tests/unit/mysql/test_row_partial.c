/* Images that lack columns, and JSON documents of which the log has only what changed. */
#include "mysql/row_image.h"

#include "rows_fixture.h"

/* id INT, a JSON, t VARCHAR(20), b JSON, c JSON */
static struct column_def columns[] = {
    {.name = "id", .type = COLUMN_TYPE_INT},
    {.name = "a", .type = COLUMN_TYPE_JSON, .nullable = true},
    {.name = "t", .type = COLUMN_TYPE_VARCHAR, .charset = "utf8mb4", .nullable = true},
    {.name = "b", .type = COLUMN_TYPE_JSON, .nullable = true},
    {.name = "c", .type = COLUMN_TYPE_JSON, .nullable = true},
};
static const struct table_def def = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 5};

static struct row_plan *make(void)
{
    struct buf map = {0};
    struct row_plan *plan;
    struct err e = {0};

    put_map(&map, "03f50ff5f5", "04 5000 04 04", "1e", "");
    assert_ok(make_plan(buf_span(&map), &def, &plan, &e), &e);
    buf_deinit(&map);
    return plan;
}

#define HEAD "690000000000 0100 0200 05 "

/* {"a":1} */
#define A1 "0d000000 0001000c000b0001000501 0061"
/* REPLACE $.a by 2: {"a":2} */
#define A_IS_2 "09000000 00 03 242e61 03 050200"
/* REMOVE $.a: {} */
#define NO_A "05000000 02 03 242e61"

struct row_case {
    uint8_t type;
    const char *present; /* hex, behind HEAD */
    const char *row;
    const char *before; /* NULL: of no interest */
    const char *after;  /* NULL: an error, and the message has `says` */
    const char *says;
    enum err_code code;
};

static void show(const struct row_reader *r, const struct value *values, bool before, char *out,
                 size_t out_bytes)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < r->column_count; i++) {
        char shown[100];
        const char *text = before && !row_reader_has_before(r, i)
                               ? "-"
                               : show_value(&values[i], shown, sizeof shown);

        (void)snprintf(out + strlen(out), out_bytes - strlen(out), "%s%s", i > 0 ? ", " : "", text);
    }
}

static void check_case(const struct row_case *c, const struct row_plan *plan, bool want_before)
{
    struct row_reader r;
    struct buf rows = {0};
    struct err e = {0};
    char shown[500];

    put_hex(&rows, HEAD);
    put_hex(&rows, c->present);
    size_t head = rows.len;

    put_hex(&rows, c->row);
    row_reader_init(&r);
    assert_ok(row_reader_start(&r, plan, c->type, buf_span(&rows), &e), &e);
    enum err_code rc = row_reader_next(&r, want_before, &e);

    assert_false(row_reader_more(&r));
    if (c->after == NULL) {
        assert_err(rc, c->code, &e);
        assert_non_null(strstr(e.msg, "shop.t"));
        if (strstr(e.msg, c->says) == NULL) {
            fail_msg("'%s' is not in: %s", c->says, e.msg);
        }
    } else {
        assert_ok(rc, &e);
        show(&r, r.after, false, shown, sizeof shown);
        assert_string_equal(shown, c->after);
        if (want_before && c->before != NULL) {
            show(&r, r.before, true, shown, sizeof shown);
            assert_string_equal(shown, c->before);
        }
        for (size_t len = head + 1; len < rows.len; len++) {
            assert_ok(row_reader_start(&r, plan, c->type, span_of(rows.data, len), &e), &e);
            assert_err(row_reader_next(&r, want_before, &e), ERR_CORRUPT, &e);
        }
    }
    row_reader_deinit(&r);
    buf_deinit(&rows);
}

static void check(const struct row_case *cases, size_t count)
{
    struct row_plan *plan = make();

    for (size_t i = 0; i < count; i++) {
        check_case(&cases[i], plan, false);
        check_case(&cases[i], plan, true);
    }
    row_plan_free(plan);
}

#define CHECK(cases) check((cases), sizeof(cases) / sizeof((cases)[0]))
#define DIFFS        BINLOG_EVENT_PARTIAL_UPDATE_ROWS
#define UPDATE       BINLOG_EVENT_UPDATE_ROWS

TEST(test_row_partial__fills_updates_up)
{
    static const struct row_case cases[] = {
        /* MINIMAL: the key before, all other columns set */
        {UPDATE, "01 1e", "00 01000000 0c" A1 "0178", "i64 1, -, -, -, -",
         "i64 1, json {\"a\":1}, text x, null, null", NULL, ERR_OK},
        /* MINIMAL without a key: all before, what was set after */
        {UPDATE, "1f 04", "1a 01000000 0178 01", "i64 1, null, text x, null, null",
         "i64 1, null, null, null, null", NULL, ERR_OK},
        /* NOBLOB where each BLOB was set */
        {UPDATE, "05 1f", "00 01000000 0178 18 02000000" A1 "0179", "i64 1, -, text x, -, -",
         "i64 2, json {\"a\":1}, text y, null, null", NULL, ERR_OK},
    };

    CHECK(cases);
}

/* One bit for each JSON column of the table: a, b, c. */
TEST(test_row_partial__applies_diffs_of_json)
{
    static const struct row_case cases[] = {
        {DIFFS, "1f 1f", "10 01000000" A1 "0178" A1 "01 01 10 01000000" A_IS_2 "0178" A1,
         "i64 1, json {\"a\":1}, text x, json {\"a\":1}, null",
         "i64 1, json {\"a\":2}, text x, json {\"a\":1}, null", NULL, ERR_OK},
        {DIFFS, "1f 1f", "10 01000000" A1 "0178" A1 "01 02 10 01000000" A1 "0178" NO_A, NULL,
         "i64 1, json {\"a\":1}, text x, json {}, null", NULL, ERR_OK},
        {DIFFS, "1f 1f",
         "00 01000000" A1 "0178" A1 A1 "01 07 00 01000000" NO_A "0179" A_IS_2 "00000000", NULL,
         "i64 1, json {}, text y, json {\"a\":2}, json {\"a\":1}", NULL, ERR_OK},
        /* No diffs in this row, with and without the bits. */
        {DIFFS, "1f 1f", "1a 01000000 0178 01 00 1a 02000000 0178", NULL,
         "i64 2, null, text x, null, null", NULL, ERR_OK},
        {DIFFS, "1f 1f", "1a 01000000 0178 00 1a 02000000 0178", NULL,
         "i64 2, null, text x, null, null", NULL, ERR_OK},
        /* MINIMAL without a key: what is not in the after image stays. */
        {DIFFS, "1f 08", "10 01000000" A1 "0178" A1 "01 02 00" A_IS_2, NULL,
         "i64 1, json {\"a\":1}, text x, json {\"a\":2}, null", NULL, ERR_OK},
        /* A column may become NULL whatever its bit says. */
        {DIFFS, "1f 1f", "18 01000000" A1 "0178 01 01 1a 01000000 0178", NULL,
         "i64 1, null, text x, null, null", NULL, ERR_OK},
    };

    CHECK(cases);
}

TEST(test_row_partial__refuses_diffs_without_their_document)
{
    static const struct row_case cases[] = {
        {DIFFS, "01 1e", "00 01000000 01 01 0c" A_IS_2 "0178", NULL, NULL,
         "binlog_row_value_options=''", ERR_UNSUPPORTED},
        {DIFFS, "1f 1f", "1a 01000000 0178 01 01 18 01000000" A_IS_2 "0178", NULL, NULL,
         "column 'a': there are changes of a document that was NULL", ERR_CORRUPT},
        {DIFFS, "1f 1f", "18 01000000" A1 "0178 01 01 18 01000000 05000000 02 03 242e62 0178", NULL,
         NULL, "column 'a': JSON diff at $.b: nothing is there", ERR_CORRUPT},
        {DIFFS, "1f 1f", "1a 01000000 0178 02 1a 01000000 0178", NULL, NULL, "options 2",
         ERR_UNSUPPORTED},
        {DIFFS, "1f 1f", "1a 01000000 0178 fb", NULL, NULL, "a row ends", ERR_CORRUPT},
    };

    CHECK(cases);
}

/* ---- system versioning ---- */

static struct column_def plain_columns[] = {
    {.name = "id", .type = COLUMN_TYPE_INT},
    {.name = "v", .type = COLUMN_TYPE_VARCHAR, .charset = "latin1", .nullable = true},
};
static const struct table_def hidden_def = {
    .schema = "shop", .name = "t", .columns = plain_columns, .column_count = 2, .versioned = true};
static struct column_def declared_columns[] = {
    {.name = "id", .type = COLUMN_TYPE_INT},
    {.name = "v", .type = COLUMN_TYPE_VARCHAR, .charset = "latin1", .nullable = true},
    {.name = "a", .type = COLUMN_TYPE_TIMESTAMP, .fsp = 6, .generated = true},
    {.name = "z", .type = COLUMN_TYPE_TIMESTAMP, .fsp = 6, .generated = true, .row_end = true},
};
static const struct table_def declared_def = {.schema = "shop",
                                              .name = "t",
                                              .columns = declared_columns,
                                              .column_count = 4,
                                              .versioned = true};

/* Moments as MariaDB 10.11 and 11.8 logged them. */
#define BEGAN   "6b07793004689b"
#define ENDED   "6b07793004819c"
#define LAST_31 "7fffffff0f423f"
#define LAST_32 "ffffffff0f423f"

struct version_case {
    uint8_t type;
    const char *row;
    enum row_change change;
    bool past;
    const char *says; /* of an error */
};

static void check_versions(const struct table_def *d, const struct version_case *c)
{
    bool two = c->type == BINLOG_EVENT_UPDATE_ROWS_V1;
    struct buf map = {0};
    struct buf rows = {0};
    struct row_plan *plan;
    struct row_reader r;
    struct err e = {0};
    char shown[100];

    put_map(&map, "030f1111", "0a00 06 06", "02", "");
    assert_ok(make_plan(buf_span(&map), d, &plan, &e), &e);
    assert_u64_eq(row_plan_def(plan)->column_count, d->column_count);
    put_hex(&rows, two ? "690000000000 0100 04 0f 0f" : "690000000000 0100 04 0f");
    put_hex(&rows, c->row);
    row_reader_init(&r);
    for (int want_before = 0; want_before < 2; want_before++) {
        assert_ok(row_reader_start(&r, plan, c->type, buf_span(&rows), &e), &e);
        enum err_code rc = row_reader_next(&r, want_before == 1, &e);

        assert_false(row_reader_more(&r));
        if (c->says != NULL) {
            assert_err(rc, ERR_UNSUPPORTED, &e);
            assert_non_null(strstr(e.msg, c->says));
            continue;
        }
        assert_ok(rc, &e);
        assert_int_equal(r.past, c->past);
        if (!c->past) {
            assert_int_equal(r.change, c->change);
            const struct value *v = c->change == ROW_DELETE ? r.before : r.after;

            assert_string_equal(show_value(&v[1], shown, sizeof shown), "text c");
        }
    }
    row_reader_deinit(&r);
    row_plan_free(plan);
    buf_deinit(&rows);
    buf_deinit(&map);
}

TEST(test_row_partial__knows_the_current_rows_of_versioned_tables)
{
    static const struct version_case cases[] = {
        {BINLOG_EVENT_WRITE_ROWS_V1, "f0 01000000 0163" BEGAN LAST_31, ROW_INSERT, false, NULL},
        {BINLOG_EVENT_WRITE_ROWS_V1, "f0 01000000 0163" BEGAN LAST_32, ROW_INSERT, false, NULL},
        {BINLOG_EVENT_WRITE_ROWS_V1, "f0 01000000 0163" BEGAN ENDED, ROW_INSERT, true, NULL},
        {BINLOG_EVENT_UPDATE_ROWS_V1,
         "f0 01000000 0161" BEGAN LAST_31 "f0 01000000 0163" ENDED LAST_31, ROW_UPDATE, false,
         NULL},
        {BINLOG_EVENT_UPDATE_ROWS_V1,
         "f0 01000000 0163" BEGAN LAST_32 "f0 01000000 0163" BEGAN ENDED, ROW_DELETE, false, NULL},
        {BINLOG_EVENT_UPDATE_ROWS_V1, "f0 01000000 0163" BEGAN ENDED "f0 01000000 0164" BEGAN ENDED,
         ROW_UPDATE, true, NULL},
        {BINLOG_EVENT_UPDATE_ROWS_V1,
         "f0 01000000 0163" BEGAN ENDED "f0 01000000 0163" BEGAN LAST_32, ROW_UPDATE, false,
         "makes a row of the past current"},
        {BINLOG_EVENT_DELETE_ROWS_V1, "f0 01000000 0163" BEGAN LAST_31, ROW_DELETE, false, NULL},
        {BINLOG_EVENT_DELETE_ROWS_V1, "f0 01000000 0163" BEGAN ENDED, ROW_DELETE, true, NULL},
        {BINLOG_EVENT_WRITE_ROWS_V1, "f8 01000000 0163" BEGAN, ROW_INSERT, false,
         "binlog_row_image=FULL"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_versions(&hidden_def, &cases[i]);
        check_versions(&declared_def, &cases[i]);
    }
}

TEST(test_row_partial__wants_the_hidden_columns_of_versioned_tables)
{
    static struct column_def by_transaction[] = {
        {.name = "id", .type = COLUMN_TYPE_INT},
        {.name = "z", .type = COLUMN_TYPE_BIGINT, .is_unsigned = true, .row_end = true},
    };
    const struct table_def transactions = {.schema = "shop",
                                           .name = "t",
                                           .columns = by_transaction,
                                           .column_count = 2,
                                           .versioned = true};
    const struct {
        const char *types;
        const char *metas;
        const struct table_def *def;
        enum err_code want;
        const char *says;
    } cases[] = {
        {"030f", "0a00", &hidden_def, ERR_CONFLICT, "2 columns in the binlog and 4"},
        {"030f110303", "0a00 06", &hidden_def, ERR_CONFLICT, "5 columns in the binlog and 4"},
        {"030f1103", "0a00 06", &hidden_def, ERR_CONFLICT, "'row_end'"},
        {"030f1111", "0a00 06 03", &hidden_def, ERR_CONFLICT, "3 fraction digits"},
        {"0308", "", &transactions, ERR_UNSUPPORTED, "versioning by transaction"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf map = {0};
        struct row_plan *plan;
        struct err e = {0};

        put_map(&map, cases[i].types, cases[i].metas, "02", "");
        assert_err(make_plan(buf_span(&map), cases[i].def, &plan, &e), cases[i].want, &e);
        if (strstr(e.msg, cases[i].says) == NULL) {
            fail_msg("'%s' is not in: %s", cases[i].says, e.msg);
        }
        buf_deinit(&map);
    }
}

TEST(test_row_partial__survives_failing_allocations)
{
    struct row_plan *plan = make();
    struct buf rows = {0};
    bool passed = false;

    put_hex(&rows, HEAD "1f 1f 10 01000000" A1 "0178" A1 "01 03 10 01000000" A_IS_2 "0178" NO_A);
    TORTURE(run)
    {
        struct row_reader r;
        struct err e = {0};

        row_reader_init(&r);
        enum err_code rc = row_reader_start(&r, plan, DIFFS, buf_span(&rows), &e);

        if (rc == ERR_OK) {
            rc = row_reader_next(&r, true, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        passed = rc == ERR_OK;
        row_reader_deinit(&r);
    }
    assert_true(passed);
    row_plan_free(plan);
    buf_deinit(&rows);
}

TEST_MAIN(test_case(test_row_partial__fills_updates_up),
          test_case(test_row_partial__applies_diffs_of_json),
          test_case(test_row_partial__refuses_diffs_without_their_document),
          test_case(test_row_partial__knows_the_current_rows_of_versioned_tables),
          test_case(test_row_partial__wants_the_hidden_columns_of_versioned_tables),
          test_case(test_row_partial__survives_failing_allocations))
