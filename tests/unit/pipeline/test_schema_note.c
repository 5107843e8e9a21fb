#include "pipeline/schema_note.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

#define UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static struct schema *new_schema(void)
{
    struct schema *s = NULL;
    struct err e = {0};

    assert_ok(
        schema_new(&(struct schema_options){.version_number = 90000, .default_charset = "utf8mb4"},
                   &s, &e),
        &e);
    return s;
}

static struct table_def table(const char *name, struct column_def *column)
{
    *column = (struct column_def){
        .name = "id", .type = COLUMN_TYPE_INT, .nullable = true, .type_text = "int"};
    return (struct table_def){.schema = "shop",
                              .name = name,
                              .columns = column,
                              .column_count = 1,
                              .charset = "utf8mb4",
                              .engine = "InnoDB"};
}

static void put(struct schema *s, const char *name, bool pinned)
{
    struct column_def column;
    struct table_def def = table(name, &column);
    struct err e = {0};

    assert_ok(schema_set_table(s, &def, pinned, &e), &e);
}

static char *state_of(const struct schema *s, const struct schema_place *at)
{
    struct buf out = {0};
    struct err e = {0};

    assert_ok(schema_note_state(s, at, &out, &e), &e);
    char *text = str_dup(buf_cstr(&out));

    buf_deinit(&out);
    assert_non_null(text);
    return text;
}

static struct gtid_set *set_of(const char *text)
{
    struct gtid_set *set = NULL;
    struct err e = {0};

    assert_ok(gtid_set_parse(text, GTID_FLAVOR_MYSQL, &set, &e), &e);
    return set;
}

/* now: `ghost`, database `shop` and `further`, at 200 and :1-20; before: `older`, at 100, :1-10. */
static char *sample_note(bool gtids)
{
    struct schema *s = new_schema();
    struct err e = {0};
    struct buf out = {0};
    struct column_def column;
    struct table_def followed = table("followed", &column);
    struct table_def further = table("further", &column);
    const struct schema_was was[] = {{"shop", "followed", &followed}, {"shop", "new", NULL}};
    const struct schema_was ahead[] = {{"shop", "further", &further}, {"shop", "later", NULL}};
    struct gtid_set *first = set_of(UUID ":1-10");
    struct gtid_set *second = set_of(UUID ":1-20");

    put(s, "older", false);
    put(s, "followed", true);
    char *before =
        state_of(s, &(struct schema_place){{"binlog.000009", 100}, gtids ? first : NULL, "server"});

    schema_forget(s, "shop", "older");
    put(s, "ghost", false);
    assert_ok(schema_set_database(s, "shop", "latin1", &e), &e);
    char *now = state_of(
        s, &(struct schema_place){{"binlog.000010", 200}, gtids ? second : NULL, "server"});

    assert_ok(schema_note_print(&(struct schema_note){now, {ahead, 2}, before, {was, 2}}, &out, &e),
              &e);
    char *note = str_dup(buf_cstr(&out));

    assert_non_null(note);
    free(before);
    free(now);
    buf_deinit(&out);
    gtid_set_free(first);
    gtid_set_free(second);
    schema_free(s);
    return note;
}

static enum err_code note_changed(void *ctx, const char *schema, const char *name, struct err *e)
{
    char *names = ctx;

    (void)e;
    assert_string_equal(schema, "shop");
    strcat(strcat(names, name), " ");
    return ERR_OK;
}

static enum err_code load(const char *note, const struct schema_place *start, struct schema *s,
                          bool *taken, struct err *e)
{
    struct buf text = {0};
    char changed[64] = "";
    enum err_code rc = schema_note_load(note, start, s, &text, note_changed, changed, e);

    *taken = text.len > 0;
    buf_deinit(&text);
    if (rc == ERR_OK) {
        bool before = schema_find(s, "shop", "older") != NULL;

        assert_string_equal(changed, before ? "followed new " : (*taken ? "further later " : ""));
    }
    return rc;
}

TEST(test_schema_note__takes_the_state_that_holds_at_the_start)
{
    static const struct {
        struct binlog_position start;
        const char *gtids;
        const char *source;
        const char *known; /* of ghost, further, older, followed; "" none, and no state */
    } cases[] = {
        {{"binlog.000010", 200}, NULL, "server", "ghost,further"},
        {{"binlog.000011", 4}, NULL, "server", "ghost,further"},
        {{"binlog.000010", 199}, NULL, "server", "older,followed"},
        {{"binlog.000009", 100}, NULL, "server", "older,followed"},
        {{"binlog.000009", 99}, NULL, "server", ""},
        {{"binlog.000011", 4}, NULL, "another", ""},
        {{"", 0}, UUID ":1-20", "server", "ghost,further"},
        {{"binlog.000001", 4}, UUID ":1-21", "another", "ghost,further"},
        {{"binlog.000011", 4}, UUID ":1-19", "server", "older,followed"},
        {{"binlog.000011", 4}, UUID ":2-9", "server", ""},
    };
    static const char *const names[] = {"ghost", "further", "older", "followed"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *note = sample_note(cases[i].gtids != NULL);
        struct gtid_set *gtids = cases[i].gtids == NULL ? NULL : set_of(cases[i].gtids);
        const struct schema_place start = {cases[i].start, gtids, cases[i].source};
        struct schema *s = new_schema();
        struct err e = {0};
        bool taken;

        assert_ok(load(note, &start, s, &taken, &e), &e);
        assert_int_equal(taken, cases[i].known[0] != '\0');
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            assert_int_equal(schema_find(s, "shop", names[k]) != NULL,
                             strstr(cases[i].known, names[k]) != NULL);
        }
        schema_free(s);
        gtid_set_free(gtids);
        free(note);
    }
}

TEST(test_schema_note__tells_whether_it_is_of_a_later_place)
{
    static const struct {
        struct binlog_position at;
        const char *gtids;
        const char *source;
        bool later;
    } cases[] = {
        {{"binlog.000010", 199}, NULL, "server", true},
        {{"binlog.000001", 4}, NULL, "server", true},
        {{"binlog.000010", 200}, NULL, "server", false},
        {{"binlog.000011", 4}, NULL, "server", false},
        {{"binlog.000001", 4}, NULL, "another", false}, /* nobody can tell */
        {{"", 0}, NULL, "server", false},
        {{"binlog.000011", 4}, UUID ":1-19", "server", true},
        {{"binlog.000001", 4}, UUID ":1-20", "another", false},
    };
    struct err e = {0};
    bool later;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *note = sample_note(cases[i].gtids != NULL);
        struct gtid_set *gtids = cases[i].gtids == NULL ? NULL : set_of(cases[i].gtids);
        const struct schema_place at = {cases[i].at, gtids, cases[i].source};

        assert_ok(schema_note_is_later(note, &at, &later, &e), &e);
        assert_int_equal(later, cases[i].later);
        gtid_set_free(gtids);
        free(note);
    }
    assert_err(schema_note_is_later("{}", &(struct schema_place){{"", 0}, NULL, ""}, &later, &e),
               ERR_CORRUPT, &e);
    assert_err(schema_note_is_later("{", &(struct schema_place){{"", 0}, NULL, ""}, &later, &e),
               ERR_CORRUPT, &e);
}

TEST(test_schema_note__tells_whether_all_may_have_got_past_it)
{
    static const struct {
        struct binlog_position start;
        const char *gtids;
        const char *source;
        bool left;
    } cases[] = {
        {{"binlog.000010", 201}, NULL, "server", true},
        {{"binlog.000011", 4}, NULL, "server", true},
        {{"binlog.000011", 4}, UUID ":1-21", "server", true},
        {{"binlog.000010", 200}, NULL, "server", false},
        {{"binlog.000010", 199}, NULL, "server", false},
        {{"binlog.000011", 4}, NULL, "another", false},
        {{"binlog.000011", 4}, UUID ":1-21", "another", false},
        {{"binlog.000011", 4}, UUID ":1-19", "server", false},
        {{"", 0}, UUID ":1-21", "server", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *note = sample_note(cases[i].gtids != NULL);
        struct gtid_set *gtids = cases[i].gtids == NULL ? NULL : set_of(cases[i].gtids);
        const struct schema_place start = {cases[i].start, gtids, cases[i].source};
        struct binlog_position at = {.offset = 0};
        struct gtid_set *there = NULL;
        struct err e = {0};
        bool left;

        assert_ok(schema_note_is_left(note, &start, &left, &at, &there, &e), &e);
        assert_int_equal(left, cases[i].left);
        if (left) {
            assert_string_equal(at.file, "binlog.000010");
            assert_u64_eq(at.offset, 200);
            assert_int_equal(there != NULL, gtids != NULL);
        }
        gtid_set_free(there);
        gtid_set_free(gtids);
        free(note);
    }
}

TEST(test_schema_note__a_state_reads_back_as_it_was)
{
    char *note = sample_note(false);
    const struct schema_place start = {{"binlog.000010", 200}, NULL, "server"};
    struct schema *s = new_schema();
    struct err e = {0};
    struct buf text = {0};

    assert_ok(schema_note_load(note, &start, s, &text, note_changed, (char[64]){""}, &e), &e);
    char *again = state_of(s, &start);

    assert_string_equal(again, buf_cstr(&text));
    assert_non_null(strstr(again, "\"databases\":{\"shop\":\"latin1\"}"));
    free(again);
    free(note);
    buf_deinit(&text);
    schema_free(s);
}

/* A session's temporary table hides another one, also after a restart; at another server not. */
TEST(test_schema_note__keeps_temporary_tables_of_the_same_server)
{
    static const struct binlog_query truncate = {.thread_id = 7, .explicit_timestamps = -1};
    static const char *const sources[] = {"server", "another"};

    for (size_t i = 0; i < 2; i++) {
        struct schema *s = new_schema();
        struct gtid_set *gtids = set_of(UUID ":1-10");
        const struct schema_place at = {{"binlog.000009", 100}, gtids, "server"};
        const struct schema_place start = {{"binlog.000009", 100}, gtids, sources[i]};
        struct binlog_query query = truncate;
        struct schema_changes changes;
        struct buf note = {0};
        struct buf text = {0};
        struct err e = {0};

        query.sql = span_str("CREATE TEMPORARY TABLE shop.t (a INT)");
        assert_ok(schema_apply(s, &query, &changes, &e), &e);
        schema_keep(s);
        char *noted = state_of(s, &at);

        schema_free(s);
        assert_ok(schema_note_print(&(struct schema_note){.now = noted}, &note, &e), &e);
        s = new_schema();
        assert_ok(
            schema_note_load(buf_cstr(&note), &start, s, &text, note_changed, (char[64]){""}, &e),
            &e);
        query.sql = span_str("TRUNCATE TABLE shop.t");
        assert_ok(schema_apply(s, &query, &changes, &e), &e);
        assert_int_equal(changes.count, i);
        query.thread_id = 8;
        assert_ok(schema_apply(s, &query, &changes, &e), &e);
        assert_int_equal(changes.count, 1);
        free(noted);
        buf_deinit(&note);
        buf_deinit(&text);
        gtid_set_free(gtids);
        schema_free(s);
    }
}

TEST(test_schema_note__refuses_what_is_none)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"version\":2,\"now\":{}}",
        "{\"version\":1}",
        "{\"version\":1,\"now\":{\"source\":\"server\",\"file\":\"binlog.000001\",\"pos\":4,"
        "\"tables\":[{}]}}",
        "{\"version\":1,\"now\":{\"source\":\"server\",\"file\":\"binlog.000001\",\"pos\":4,"
        "\"databases\":{\"a\":1}}}",
        "{\"version\":1,\"now\":{\"source\":\"server\",\"file\":\"binlog.000001\",\"pos\":4,"
        "\"temporary\":[{\"thread\":0,\"schema\":\"a\",\"name\":\"b\"}]}}",
    };
    const struct schema_place start = {{"binlog.000010", 200}, NULL, "server"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema *s = new_schema();
        struct err e = {0};
        bool taken;

        assert_err(load(cases[i], &start, s, &taken, &e), ERR_CORRUPT, &e);
        schema_free(s);
    }
}

TEST(test_schema_note__rejects_every_truncation)
{
    char *note = sample_note(true);
    const struct schema_place start = {{"binlog.000010", 200}, NULL, "server"};

    for (size_t len = 0; len < strlen(note); len++) {
        char *part = str_ndup(note, len);
        struct schema *s = new_schema();
        struct err e = {0};
        bool taken;

        assert_non_null(part);
        assert_err(load(part, &start, s, &taken, &e), ERR_CORRUPT, &e);
        schema_free(s);
        free(part);
    }
    free(note);
}

TEST_MAIN(test_case(test_schema_note__takes_the_state_that_holds_at_the_start),
          test_case(test_schema_note__tells_whether_it_is_of_a_later_place),
          test_case(test_schema_note__tells_whether_all_may_have_got_past_it),
          test_case(test_schema_note__a_state_reads_back_as_it_was),
          test_case(test_schema_note__keeps_temporary_tables_of_the_same_server),
          test_case(test_schema_note__refuses_what_is_none),
          test_case(test_schema_note__rejects_every_truncation))
