#include "app/status_int.h"

#include "app_lake.h"
#include "pipeline/watermarks.h"

#define UUID_A "53254cee-e914-11f1-9485-02fc00000001"
#define UUID_B "00000000-e914-11f1-9485-02fc00000001"

static const char *const no_settings[] = {NULL};

/* A checkpoint of server `s` at binlog.000002:POS. */
static char *checkpoint(unsigned ordinal, unsigned pos, bool copied)
{
    char *text = str_format("{\"version\":1,\"ordinal\":%u,\"run\":\"r\",\"source\":\"s\",\"file\":"
                            "\"binlog.000002\",\"pos\":%u,\"gtid\":\"" UUID_A ":1-%u\","
                            "\"time-us\":1795640900000000%s}",
                            ordinal, pos, pos, copied ? ",\"copied\":1" : "");

    assert_non_null(text);
    return text;
}

static void create(struct app_lake *l, const char *name, unsigned ordinal, unsigned pos,
                   bool copied)
{
    char *text = checkpoint(ordinal, pos, copied);

    app_lake_create(l, "shop", name, text);
    free(text);
}

static void create_gone(struct app_lake *l, const char *name, unsigned pos)
{
    char *text = checkpoint(2, pos, false);
    char *gone = str_format("%.*s,\"gone\":1}", (int)strlen(text) - 1, text);

    assert_non_null(gone);
    app_lake_create(l, "shop", name, gone);
    free(text);
    free(gone);
}

/* Rows of a server id, all at one position. */
static void mark(struct app_lake *l, int64_t server_id, const struct watermark_update *updates,
                 uint32_t count, uint64_t pos)
{
    const struct log_place at = {
        .source = "s", .position = {"binlog.000002", pos}, .gtids = UUID_A ":1-99"};
    struct watermarks *w;
    struct err e = {0};
    char location[160];

    (void)snprintf(location, sizeof location, "file://%s/cdc_metadata/watermarks", l->folder.path);
    const struct watermarks_options options = {.catalog = l->catalog,
                                               .store = l->store,
                                               .location = location,
                                               .connection = "c1",
                                               .server_id = server_id,
                                               .zstd_level = 1,
                                               .retention = {.keep_count = 20},
                                               .clock = fake_clock(&l->time)};

    assert_ok(watermarks_new(&options, &w, &e), &e);
    assert_ok(watermarks_load(w, true, &e), &e);
    assert_ok(watermarks_commit(w, updates, count, &at, &e), &e);
    watermarks_free(w);
}

static void make(struct app_lake *l)
{
    static const struct watermark_update marks[] = {
        {.schema = "shop", .table = "copied", .backfill_complete = true},
        {.schema = "shop", .table = "moved", .backfill_complete = true},
        {.schema = "shop", .table = "gone", .backfill_complete = true}};
    static const struct watermark_update others[] = {
        {.schema = "shop", .table = "other_id", .backfill_complete = true}};

    app_lake_open(l);
    create(l, "copied", 1, 100, true);
    app_lake_append(l, "shop", "copied");
    create(l, "moved", 1, 50, true);
    create(l, "followed", 2, 300, true);
    create(l, "uncopied", 1, 300, false);
    create_gone(l, "ended", 300);
    app_lake_create(l, "shop", "foreign", NULL);
    app_lake_create(l, "shop", "broken", "{}");
    app_lake_create(l, "crm", "unlisted", NULL);
    mark(l, 1, marks, 3, 100);
    mark(l, 7, others, 1, 100);
}

static enum err_code run(const struct app_lake *l, const char *const *settings, bool json,
                         struct buf *out, struct err *e)
{
    const struct command_args args = {.json = json};
    struct config *c = app_lake_config(l, settings);
    enum err_code rc = app_capture(cmd_status, c, &args, out, e);

    config_free(c);
    return rc;
}

static const json_t *table_of(const json_t *o, const char *name)
{
    size_t i;
    json_t *t;

    json_array_foreach(json_object_get(o, "tables"), i, t)
    {
        if (strcmp(json_string_value(json_object_get(t, "table")), name) == 0) {
            return t;
        }
    }
    fail_msg("no table %s", name);
    return NULL;
}

static const char *text_of(const json_t *t, const char *key)
{
    const char *text = json_string_value(json_object_get(t, key));

    return text == NULL ? "null" : text;
}

TEST(test_status__tells_where_each_table_stands)
{
    static const struct {
        const char *table;
        const char *state;
        bool copied;
        int pos; /* 0: none */
        const char *gtids;
    } want[] = {
        {"broken", "unreadable", false, 0, "null"},
        {"copied", "copied", true, 100, UUID_A ":1-100"},
        {"ended", "gone", false, 300, UUID_A ":1-300"},
        {"followed", "following", true, 300, UUID_A ":1-300"},
        {"gone", "dropped", true, 100, UUID_A ":1-99"},
        {"moved", "following", true, 100, UUID_A ":1-99"},
        {"uncopied", "following", false, 300, UUID_A ":1-300"},
    };
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    make(&l);
    assert_err(run(&l, no_settings, true, &out, &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg, "shop.broken: table property calve.checkpoint.c1: checkpoint "
                               "version 0 is not one this calve knows");
    json_t *o = json_loadb((const char *)out.data, out.len, 0, NULL);

    assert_non_null(o);
    assert_u64_eq(json_array_size(json_object_get(o, "tables")), sizeof want / sizeof want[0]);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const json_t *t = json_array_get(json_object_get(o, "tables"), i);
        const json_t *watermark = json_object_get(t, "watermark");

        assert_string_equal(text_of(t, "schema"), "shop");
        assert_string_equal(text_of(t, "table"), want[i].table);
        assert_string_equal(text_of(t, "state"), want[i].state);
        assert_int_equal(json_is_true(json_object_get(t, "copied")), want[i].copied);
        assert_int_equal(json_integer_value(json_object_get(watermark, "pos")), want[i].pos);
        assert_string_equal(text_of(t, "gtids"), want[i].gtids);
        assert_true(json_is_null(json_object_get(t, "lag_bytes")));
    }
    const json_t *t = table_of(o, "copied");

    assert_int_equal(json_integer_value(json_object_get(t, "rows")), 7);
    assert_int_equal(json_integer_value(json_object_get(t, "snapshots")), 1);
    assert_string_equal(text_of(t, "committed"), "2026-11-25T21:08:25.254Z");
    assert_string_equal(text_of(t, "cut"), "2026-11-25T21:08:25.254Z");
    assert_string_equal(text_of(table_of(o, "followed"), "cut"), "2026-11-25T21:08:20.000Z");
    assert_true(json_is_null(json_object_get(table_of(o, "gone"), "rows")));
    assert_true(json_is_false(json_object_get(json_object_get(o, "source"), "configured")));
    json_decref(o);
    buf_deinit(&out);
    app_lake_close(&l);
}

TEST(test_status__shows_the_tables_asked_for)
{
    static const char *const settings[] = {"table", "shop.f*,crm.*,crm.nope,x.nope",
                                           "exclude-table", "*.foll*", NULL};
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    make(&l);
    assert_ok(run(&l, settings, false, &out, &e), &e);
    assert_text_eq(
        buf_span(&out),
        "TABLE         STATE         LAG s  LAG bytes  ROWS  SNAPSHOTS  COMMITTED                 "
        "WATERMARK  GTIDS\n"
        "crm.nope      never copied  -      -          -     -          -                         "
        "-          -\n"
        "crm.unlisted  no position   -      -          0     0          2026-11-25T21:08:25.254Z  "
        "-          -\n"
        "shop.foreign  no position   -      -          0     0          2026-11-25T21:08:25.254Z  "
        "-          -\n"
        "x.nope        never copied  -      -          -     -          -                         "
        "-          -\n");
    buf_deinit(&out);
    app_lake_close(&l);
}

TEST(test_status__needs_a_lake_and_makes_none)
{
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    app_lake_open(&l);
    assert_ok(run(&l, no_settings, false, &out, &e), &e);
    assert_text_eq(buf_span(&out), "no tables of connection c1 (server id 1)\n");
    buf_reset(&out);
    app_lake_close(&l);
    assert_err(run(&l, no_settings, false, &out, &e), ERR_NOT_FOUND, &e);
    assert_non_null(strstr(e.msg, "there is no lake yet: "));
    assert_u64_eq(out.len, 0);
    assert_int_equal(access(l.folder.path, F_OK), -1);
    buf_deinit(&out);
}

TEST(test_status__counts_bytes_behind_the_source)
{
    static struct status_log logs[] = {
        {"binlog.000003", 1000}, {"binlog.000004", 50}, {"binlog.000005", 700}};
    static const struct {
        struct binlog_position position;
        const char *source;
        int64_t want;
    } cases[] = {
        {{"binlog.000005", 700}, "s", 0},
        {{"binlog.000005", 4}, "", 696},
        {{"binlog.000004", 50}, "s", 700},
        {{"binlog.000003", 4}, "s", 1746},
        {{"binlog.000005", 701}, "s", -1}, /* was reset */
        {{"binlog.000002", 4}, "s", -1},   /* purged */
        {{"", 0}, "s", -1},
        {{"binlog.000005", 4}, "another", -1},
    };
    const struct status_source source = {.identity = "s", .logs = logs, .log_count = 3};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_i64_eq(status_lag_bytes(&source, &cases[i].position, cases[i].source),
                      cases[i].want);
    }
    assert_true(status_has_log(&source, "binlog.000004"));
    assert_false(status_has_log(&source, "binlog.000002"));
    logs[2].bytes = UINT64_MAX;
    assert_i64_eq(status_lag_bytes(&source, &cases[3].position, "s"), -1);
}

TEST(test_status__shortens_gtids)
{
    static const struct {
        const char *gtids;
        size_t columns;
        const char *want;
    } cases[] = {
        {"", 10, ""},
        {"0-1-100", 20, "0-1-100"},
        {"0-1-100,1-1-5", 20, "0-1-100,1-1-5"},
        {"0-1-100,1-1-5", 9, "0-1-100,…"},
        {"0-1-100,1", 9, "0-1-100,1"},
        {UUID_A ":1-77", 32, "53254cee…:1-77"},
        {UUID_A ":1-77,\n" UUID_B ":5", 32, "53254cee…:1-77,00000000…:5"},
        {UUID_A ":1-77," UUID_B ":5-6:8-9", 26, "53254cee…:1-77,00000000…:…"},
        {UUID_A ":1-77," UUID_B ":5-6:8-9", 20, "53254cee…:1-77,0000…"},
        {UUID_A ":tag:1-5", 32, "53254cee…:tag:1-5"},
        {UUID_A, 12, "53254cee-e9…"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        status_put_short_gtids(cases[i].gtids, cases[i].columns, &out);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&out);
    }
}

TEST(test_status__prints_what_the_source_says)
{
    static struct status_log logs[] = {{"binlog.000003", 1000}};
    struct status_table tables[] = {{.schema = "s",
                                     .name = "t",
                                     .state = STATUS_FOLLOWING,
                                     .position = {"binlog.000003", 900},
                                     .gtids = "0-1-5",
                                     .source = "s",
                                     .cut_us = LAKE_NOW_US - 12345678,
                                     .has_rows = true,
                                     .rows = 18446744073709551615u,
                                     .committed_ms = LAKE_NOW_US / 1000,
                                     .snapshots = 3,
                                     .lag_bytes = 100}};
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    app_lake_open(&l);
    struct config *c = app_lake_config(&l, no_settings);
    const struct status_report r = {.config = c,
                                    .names = {.count = 1},
                                    .tables = tables,
                                    .source = {.configured = true,
                                               .reachable = true,
                                               .identity = "s",
                                               .logs = logs,
                                               .log_count = 1},
                                    .now_us = LAKE_NOW_US};

    assert_ok(status_put_text(&r, &out, &e), &e);
    assert_text_eq(
        buf_span(&out),
        "TABLE  STATE               LAG s  LAG bytes  ROWS                  SNAPSHOTS  COMMITTED   "
        "              WATERMARK          GTIDS\n"
        "s.t    following, no copy  12     100        18446744073709551615  3          "
        "2026-11-25T21:08:25.254Z  binlog.000003:900  0-1-5\n");
    buf_reset(&out);
    status_put_json(&r, &out);
    assert_text_eq(
        buf_span(&out),
        "{\"connection\":\"c1\",\"server_id\":1,\"source\":{\"configured\":true,\"reachable\":true,"
        "\"identity\":\"s\",\"position\":{\"file\":\"binlog.000003\",\"pos\":1000},\"error\":null},"
        "\"tables\":[{\"schema\":\"s\",\"table\":\"t\",\"state\":\"following\",\"copied\":false,"
        "\"lag_s\":12,\"lag_bytes\":100,\"rows\":18446744073709551615,\"snapshots\":3,"
        "\"committed\":\"2026-11-25T21:08:25.254Z\",\"cut\":\"2026-11-25T21:08:12.908Z\","
        "\"watermark\":{\"file\":\"binlog.000003\",\"pos\":900},\"gtids\":\"0-1-5\",\"source\":"
        "\"s\",\"danger\":null,\"error\":null}]}\n");
    buf_deinit(&out);
    config_free(c);
    app_lake_close(&l);
}

TEST(test_status__goes_on_without_the_source)
{
    static const char *const settings[] = {"mysql.socket", "/nowhere/sock", NULL};
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    app_lake_open(&l);
    create(&l, "copied", 1, 100, true);
    mark(&l, 1,
         &(struct watermark_update){.schema = "shop", .table = "copied", .backfill_complete = true},
         1, 100);
    assert_ok(run(&l, settings, true, &out, &e), &e);
    app_assert_has(&out, "\"source\":{\"configured\":true,\"reachable\":false,\"identity\":null,"
                         "\"position\":null,\"error\":\"");
    app_assert_has(&out, "\"table\":\"copied\",\"state\":\"copied\"");
    buf_deinit(&out);
    app_lake_close(&l);
}

TEST(test_status__survives_missing_memory)
{
    static const char *const settings[] = {"table", "shop.*", NULL};
    struct app_lake l;
    unsigned long wrong = 0;

    app_lake_open(&l);
    create(&l, "copied", 1, 100, true);
    mark(&l, 1,
         &(struct watermark_update){.schema = "shop", .table = "copied", .backfill_complete = true},
         1, 100);
    struct config *c = app_lake_config(&l, settings);
    int sink = open("/dev/null", O_WRONLY);
    int saved = dup(STDOUT_FILENO);

    assert_true(sink >= 0 && saved >= 0 && fflush(stdout) == 0);
    assert_true(dup2(sink, STDOUT_FILENO) >= 0);
    TORTURE(nth)
    {
        const struct command_args args = {.json = (nth & 1) == 0};
        struct err e = {0};
        enum err_code rc = cmd_status(c, &args, NULL, &e);

        wrong += rc == ERR_OK || rc == ERR_NOMEM ? 0 : 1;
    }
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    assert_int_equal(close(sink), 0);
    assert_u64_eq(wrong, 0);
    config_free(c);
    app_lake_close(&l);
}

TEST_MAIN(test_case(test_status__tells_where_each_table_stands),
          test_case(test_status__shows_the_tables_asked_for),
          test_case(test_status__needs_a_lake_and_makes_none),
          test_case(test_status__counts_bytes_behind_the_source),
          test_case(test_status__shortens_gtids),
          test_case(test_status__prints_what_the_source_says),
          test_case(test_status__goes_on_without_the_source),
          test_case(test_status__survives_missing_memory))
