#include "app/inspect_table_int.h"

#include <sys/time.h>

#include "app_lake.h"

#define CHECKPOINT                                                                              \
    "{\"version\":1,\"ordinal\":3,\"data-ordinal\":2,\"run\":\"r\",\"source\":\"s\",\"file\":"  \
    "\"binlog.000002\",\"pos\":4711,\"gtid\":\"0-1-9\",\"time-us\":1795640905254000,\"copied\"" \
    ":1,\"table\":{\"schema\":\"shop\",\"name\":\"orders\",\"columns\":[{\"name\":\"id\","      \
    "\"type\":\"int\",\"sql\":\"int unsigned\"},{\"name\":\"a b\",\"type\":\"text\"}],"         \
    "\"key\":[0]}}"

static const char *const no_settings[] = {NULL};

static enum err_code inspect(const struct app_lake *l, const char *what, bool json, struct buf *out,
                             struct err *e)
{
    const char *const words[] = {"table", what};
    const struct command_args args = {.words = words, .word_count = 2, .json = json};
    struct config *c = app_lake_config(l, no_settings);
    enum err_code rc = app_capture(cmd_inspect, c, &args, out, e);

    config_free(c);
    return rc;
}

static void make(struct app_lake *l)
{
    app_lake_open(l);
    app_lake_create(l, "shop", "orders", CHECKPOINT);
    app_lake_append(l, "shop", "orders");
}

TEST(test_inspect_table__shows_text)
{
    static const char *const parts[] = {
        "table        shop.orders\n",
        "format       2\n",
        "updated      2026-11-25T21:08:25.254Z\n",
        "\nschema 0\n  ID  COLUMN        TYPE       REQUIRED\n  1   event_type    string     no\n",
        "\npartitions, spec 0\n  date = day(timestamp), field 1000\n",
        "\n  write.metadata.delete-after-commit.enabled = true\n",
        "\ncheckpoint of connection c1\n"
        "  position   binlog.000002:4711\n"
        "  gtids      0-1-9\n"
        "  source     s\n"
        "  cut        2026-11-25T21:08:25.254Z\n"
        "  copied     yes\n"
        "  commits    3, the last with rows was 2\n"
        "  run        r\n"
        "  columns    id int unsigned, \"a b\" text\n"
        "  key        id\n",
        "\nsnapshots: 1\n  ID  ",
        "  append     added-data-files=1 added-records=7 ",
        "\nmanifests: 1\n",
        "sequence 1; files: 1 added, 0 existing, 0 deleted; rows: 7 added, 0 existing, 0 deleted\n",
        "/shop/orders/data/x.parquet\n"
        "    data, 7 rows, 1234 bytes, sequence 1, partition {\"date\":\"2026-11-25\"}\n"
        "      event_type from \"delete\" to \"update\", 0 nulls, 40 bytes\n"
        "      timestamp from \"2026-11-25T21:08:25.254000\" to \"2026-11-25T21:08:25.254000\", 0 "
        "nulls, 60 bytes\n"
        "      payload from ? to ?, 7 nulls, 50 bytes\n"
        "files: 1, rows: 7, bytes: 1234\n",
    };
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    make(&l);
    assert_ok(inspect(&l, "shop.orders", false, &out, &e), &e);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        app_assert_has(&out, parts[i]);
    }
    app_assert_lacks(&out, "\ncalve.checkpoint");
    buf_deinit(&out);
    app_lake_close(&l);
}

TEST(test_inspect_table__shows_json)
{
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};
    json_int_t rows;
    json_int_t ordinal;
    json_int_t added;
    const char *day;
    const char *low;
    const char *location;
    const char *column;

    make(&l);
    assert_ok(inspect(&l, "shop.orders", true, &out, &e), &e);
    json_t *o = json_loadb((const char *)out.data, out.len, 0, NULL);

    assert_non_null(o);
    assert_int_equal(json_unpack(o, "{s:s, s:{s:[{s:{s:s}}]}, s:{s:{s:I, s:{s:[{s:s}]}}}}",
                                 "metadata_location", &location, "metadata", "snapshots", "summary",
                                 "operation", &low, "checkpoints", "c1", "ordinal", &ordinal,
                                 "table", "columns", "name", &column),
                     0);
    assert_string_equal(low, "append");
    assert_int_equal(ordinal, 3);
    assert_string_equal(column, "id");
    assert_true(str_ends_with(location, ".metadata.json"));
    assert_int_equal(json_unpack(o, "{s:[{s:I}], s:[{s:I, s:{s:s}, s:{s:{s:s}}}]}", "manifests",
                                 "added_rows", &added, "files", "rows", &rows, "partition", "date",
                                 &day, "columns", "event_type", "lower", &low),
                     0);
    assert_int_equal(added, 7);
    assert_int_equal(rows, 7);
    assert_string_equal(day, "2026-11-25");
    assert_string_equal(low, "delete");
    json_decref(o);
    buf_deinit(&out);
    app_lake_close(&l);
}

/* The current metadata file, by what JSON says of the table's name. */
static void current_file(const struct app_lake *l, char out[512])
{
    struct buf text = {0};
    struct err e = {0};

    assert_ok(inspect(l, "shop.orders", true, &text, &e), &e);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    const char *location = json_string_value(json_object_get(o, "metadata_location"));

    assert_non_null(location);
    (void)snprintf(out, 512, "%s", location + strlen("file://"));
    json_decref(o);
    buf_deinit(&text);
}

static void assert_finds(const struct app_lake *l, const char *what, const char *file)
{
    struct buf out = {0};
    struct err e = {0};
    char *line = str_format("\nmetadata     %s\n", file);

    assert_ok(inspect(l, what, false, &out, &e), &e);
    app_assert_has(&out, line);
    free(line);
    buf_deinit(&out);
}

static void copy_file(const char *from, const char *to, time_t modified)
{
    const struct timeval times[2] = {{.tv_sec = modified}, {.tv_sec = modified}};
    struct store *store;
    struct buf bytes = {0};
    struct err e = {0};

    assert_ok(store_local_new(&store, &e), &e);
    assert_ok(store_get(store, from, &bytes, &e), &e);
    assert_ok(store_put(store, to, buf_span(&bytes), &e), &e);
    assert_int_equal(utimes(to, times), 0);
    store_free(store);
    buf_deinit(&bytes);
}

TEST(test_inspect_table__takes_paths)
{
    struct app_lake l;
    char file[512];
    char path[512];

    make(&l);
    current_file(&l, file);
    assert_finds(&l, file, file);
    (void)snprintf(path, sizeof path, "%s/shop/orders", l.folder.path);
    assert_finds(&l, path, file);
    (void)snprintf(path, sizeof path, "file://%s/shop/orders", l.folder.path);
    assert_finds(&l, path, file);
    (void)snprintf(path, sizeof path, "%s/shop/orders/metadata", l.folder.path);
    assert_finds(&l, path, file);
    /* An older one of the same number; then a younger one; then one of a greater number. */
    (void)snprintf(path, sizeof path, "%s/shop/orders/metadata/00001-a.metadata.json",
                   l.folder.path);
    copy_file(file, path, 1000);
    (void)snprintf(path, sizeof path, "%s/shop/orders/metadata/x.metadata.json", l.folder.path);
    copy_file(file, path, 1000);
    (void)snprintf(path, sizeof path, "%s/shop/orders", l.folder.path);
    assert_finds(&l, path, file);
    (void)snprintf(path, sizeof path, "%s/shop/orders/metadata/v1.metadata.json", l.folder.path);
    copy_file(file, path, 4000000000);
    (void)snprintf(file, sizeof file, "%s", path);
    (void)snprintf(path, sizeof path, "%s/shop/orders", l.folder.path);
    assert_finds(&l, path, file);
    (void)snprintf(path, sizeof path, "%s/shop/orders/metadata/00010-a.metadata.json",
                   l.folder.path);
    copy_file(file, path, 1000);
    (void)snprintf(file, sizeof file, "%s", path);
    (void)snprintf(path, sizeof path, "%s/shop/orders", l.folder.path);
    assert_finds(&l, path, file);
    app_lake_close(&l);
}

static void assert_fails(const struct app_lake *l, const char *what, enum err_code code,
                         const char *part)
{
    struct buf out = {0};
    struct err e = {0};

    assert_err(inspect(l, what, false, &out, &e), code, &e);
    if (strstr(e.msg, part) == NULL) {
        fail_msg("no '%s' in: %s", part, e.msg);
    }
    buf_deinit(&out);
}

TEST(test_inspect_table__says_what_is_wrong)
{
    struct app_lake l;
    char path[512];

    make(&l);
    assert_fails(&l, "orders", ERR_CONFIG, "neither SCHEMA.TABLE nor the path");
    assert_fails(&l, ".orders", ERR_CONFIG, "neither SCHEMA.TABLE nor the path");
    assert_fails(&l, "shop.", ERR_CONFIG, "neither SCHEMA.TABLE nor the path");
    assert_fails(&l, "shop.nope", ERR_NOT_FOUND, "no table shop.nope in ");
    assert_fails(&l, "/nowhere", ERR_NOT_FOUND, "opening /nowhere: ");
    assert_fails(&l, l.folder.path, ERR_NOT_FOUND, "it is no table's folder");
    assert_fails(&l, l.db, ERR_CORRUPT, "catalog.db: ");
    /* The metadata names a manifest list that is gone. */
    (void)snprintf(path, sizeof path, "rm %s/shop/orders/metadata/snap-*", l.folder.path);
    assert_int_equal(system(path), 0);
    assert_fails(&l, "shop.orders", ERR_NOT_FOUND, "manifest list file://");
    app_lake_close(&l);
    assert_fails(&l, "shop.orders", ERR_NOT_FOUND, "there is no lake yet: ");
}

TEST(test_inspect_table__shows_a_checkpoint_it_cannot_read)
{
    struct app_lake l;
    struct buf out = {0};
    struct err e = {0};

    app_lake_open(&l);
    app_lake_create(&l, "shop", "orders", "{\"version\":99}\x1b");
    assert_ok(inspect(&l, "shop.orders", false, &out, &e), &e);
    app_assert_has(&out, "\ncheckpoint of connection c1\n  not readable: checkpoint: ");
    app_assert_has(&out, "\n  \"{\\\"version\\\":99}\\u001b\"\n");
    app_assert_has(&out, "\nsnapshot     none\n");
    app_assert_has(&out, "\nsnapshots: 0\n\nmanifests: 0\n");
    buf_reset(&out);
    assert_ok(inspect(&l, "shop.orders", true, &out, &e), &e);
    app_assert_has(&out, "\"checkpoints\":{\"c1\":null},\"manifests\":[],\"files\":[]}");
    buf_deinit(&out);
    app_lake_close(&l);
}

TEST(test_inspect_table__names_nested_columns)
{
    static const char doc[] =
        "{\"schema\":{\"fields\":["
        "{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":{\"type\":\"struct\",\"fields\":["
        "{\"id\":2,\"name\":\"b\",\"type\":\"int\"}]}},"
        "{\"id\":3,\"name\":\"l\",\"type\":{\"type\":\"list\",\"element-id\":4,\"element-required\""
        ":true,\"element\":\"decimal(9, 2)\"}},"
        "{\"id\":5,\"name\":\"m\",\"type\":{\"type\":\"map\",\"key-id\":6,\"key\":\"string\","
        "\"value-id\":7,\"value\":{\"type\":\"struct\",\"fields\":[{\"id\":8,\"name\":\"c\","
        "\"type\":\"uuid\"}]}}},"
        "{\"id\":-9,\"type\":7}, 5]}}";
    static const struct {
        int32_t id;
        const char *name;
        const char *type;
        bool required;
    } want[] = {
        {1, "a", "struct", true},        {2, "a.b", "int", false},
        {3, "l", "list", false},         {4, "l.element", "decimal(9, 2)", true},
        {5, "m", "map", false},          {6, "m.key", "string", true},
        {7, "m.value", "struct", false}, {8, "m.value.c", "uuid", false},
        {-1, "?", "?", false},           {0, "?", "?", false},
    };
    struct inspected_columns columns;
    struct err e = {0};
    json_t *o = json_loads(doc, 0, NULL);

    assert_non_null(o);
    assert_ok(inspect_columns_load(o, &columns, &e), &e);
    assert_u64_eq(columns.count, sizeof want / sizeof want[0]);
    for (uint32_t i = 0; i < columns.count; i++) {
        assert_int_equal(columns.items[i].id, want[i].id);
        assert_string_equal(columns.items[i].name, want[i].name);
        assert_string_equal(columns.items[i].type, want[i].type);
        assert_int_equal(columns.items[i].required, want[i].required);
    }
    assert_string_equal(inspect_columns_find(&columns, 8)->name, "m.value.c");
    assert_null(inspect_columns_find(&columns, 99));
    inspect_columns_deinit(&columns);
    json_decref(o);
}

TEST(test_inspect_table__limits_nesting)
{
    struct buf doc = {0};
    struct inspected_columns columns;
    struct err e = {0};

    buf_append_str(&doc, "{\"schema\":{\"fields\":[{\"id\":1,\"name\":\"a\",\"type\":");
    for (int i = 0; i < 100; i++) {
        buf_append_str(&doc, "{\"type\":\"list\",\"element-id\":2,\"element\":");
    }
    buf_append_str(&doc, "\"int\"");
    for (int i = 0; i < 100; i++) {
        buf_u8(&doc, '}');
    }
    buf_append_str(&doc, "}]}}");
    json_t *o = json_loadb((const char *)doc.data, doc.len, 0, NULL);

    assert_non_null(o);
    assert_err(inspect_columns_load(o, &columns, &e), ERR_LIMIT, &e);
    inspect_columns_deinit(&columns);
    json_decref(o);
    buf_deinit(&doc);
}

TEST(test_inspect_table__survives_missing_memory)
{
    const char *const words[] = {"table", "shop.orders"};
    struct app_lake l;

    make(&l);
    struct config *c = app_lake_config(&l, no_settings);
    int sink = open("/dev/null", O_WRONLY);
    int saved = dup(STDOUT_FILENO);

    assert_true(sink >= 0 && saved >= 0 && fflush(stdout) == 0);
    assert_true(dup2(sink, STDOUT_FILENO) >= 0);
    unsigned long wrong = 0;

    TORTURE(nth)
    {
        const struct command_args args = {.words = words, .word_count = 2, .json = (nth & 1) == 0};
        struct err e = {0};
        enum err_code rc = cmd_inspect(c, &args, NULL, &e);

        wrong += rc == ERR_OK || rc == ERR_NOMEM ? 0 : 1;
    }
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    assert_int_equal(close(sink), 0);
    assert_u64_eq(wrong, 0);
    config_free(c);
    app_lake_close(&l);
}

TEST_MAIN(test_case(test_inspect_table__shows_text), test_case(test_inspect_table__shows_json),
          test_case(test_inspect_table__takes_paths),
          test_case(test_inspect_table__says_what_is_wrong),
          test_case(test_inspect_table__shows_a_checkpoint_it_cannot_read),
          test_case(test_inspect_table__names_nested_columns),
          test_case(test_inspect_table__limits_nesting),
          test_case(test_inspect_table__survives_missing_memory))
