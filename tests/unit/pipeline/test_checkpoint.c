#include "pipeline/checkpoint.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/str.h"
#include "test.h"

enum { TYPES = COLUMN_TYPE_INET6 + 1 };

/* One column of every type, with everything that a column can have somewhere. */
static struct table_def *every_type(struct arena *a)
{
    static const char *const names[] = {"id", "\xc3\xa4", "a\"b\\c\n", ""};
    struct table_def *def = arena_alloc(a, 1, sizeof *def);

    assert_non_null(def);
    *def = (struct table_def){.schema = "sh\"op",
                              .name = "\xf0\x9f\x98\x80",
                              .key_count = 2,
                              .charset = "latin1",
                              .engine = "InnoDB",
                              .versioned = true};
    def->column_count = TYPES;
    def->columns = arena_alloc(a, TYPES, sizeof *def->columns);
    def->key = arena_alloc(a, 2, sizeof *def->key);
    assert_non_null(def->columns);
    assert_non_null(def->key);
    def->key[0] = TYPES - 1;
    def->key[1] = 0;
    for (uint32_t i = 0; i < TYPES; i++) {
        struct column_def *c = &def->columns[i];

        c->name = names[i % 4];
        c->type = (enum column_type)i;
        c->is_unsigned = i % 2 == 0;
        c->nullable = i % 3 == 0;
        c->generated = i % 5 == 0;
        c->row_end = i == 13;
        c->length = i % 4 == 0 ? UINT32_MAX : i;
        c->precision = (uint8_t)(i % 66);
        c->scale = (uint8_t)(i % 31);
        c->fsp = (uint8_t)(i % 7);
        c->charset = i % 2 == 0 ? NULL : "utf8mb4";
        c->type_text = i % 6 == 0 ? NULL : "enum('a','b''c')";
        if (i == COLUMN_TYPE_ENUM || i == COLUMN_TYPE_SET) {
            c->label_count = 3;
            c->labels = arena_alloc(a, 3, sizeof *c->labels);
            assert_non_null(c->labels);
            c->labels[0] = "";
            c->labels[1] = "it's";
            c->labels[2] = "b\xc3\xbc";
        }
    }
    return def;
}

static struct checkpoint sample(void)
{
    return (struct checkpoint){
        .ordinal = 7,
        .data_ordinal = 5,
        .run = "0b2f9f1c-7d3c-4d4b-9a59-3a1f6b2c4d5e",
        .source = "3e11fa47-71ca-11e1-9e33-c80aa9429562",
        .position = {"binlog.000012", 4294967300},
        .log_created_s = 1767300000,
        .anonymous = true,
        .time_us = 1767323045678901,
    };
}

static void print(const struct checkpoint *c, struct buf *out)
{
    struct err e = {0};

    assert_ok(checkpoint_print(c, out, &e), &e);
    assert_non_null(buf_cstr(out));
}

/* Parses and expects an outcome; *c is to be deinit'ed. */
static void parse_fails(const char *json, enum err_code want, const char *message)
{
    struct checkpoint c = {0};
    struct err e = {0};
    enum err_code rc = checkpoint_parse(json, &c, &e);

    if (rc != want || (message != NULL && strstr(e.msg, message) == NULL)) {
        fail_msg("%s\n  gives %s: %s", json, err_code_name(rc), e.msg);
    }
    checkpoint_deinit(&c);
}

TEST(test_checkpoint__is_one_known_text)
{
    struct checkpoint c = sample();
    struct buf out = {0};

    print(&c, &out);
    assert_text_eq(buf_span(&out), "{\"version\":1,\"ordinal\":7,\"data-ordinal\":5,"
                                   "\"run\":\"0b2f9f1c-7d3c-4d4b-9a59-3a1f6b2c4d5e\","
                                   "\"source\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562\","
                                   "\"file\":\"binlog.000012\",\"pos\":4294967300,"
                                   "\"log-created\":1767300000,\"anonymous\":1,"
                                   "\"time-us\":1767323045678901}");
    buf_deinit(&out);
}

TEST(test_checkpoint__round_trips)
{
    char gtids[] = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,\n5:1";
    struct checkpoint cases[4] = {sample(), sample(), sample(), sample()};

    cases[1].gtids = gtids;
    cases[1].position = (struct binlog_position){"", 0};
    cases[2].copied = true;
    cases[2].started = true;
    cases[2].inside = true;
    cases[1].gone = true;
    cases[2].data_ordinal = 0;
    cases[2].source[0] = '\0';
    cases[3].gtids = gtids;
    cases[3].ordinal = INT64_MAX;
    cases[3].position.offset = INT64_MAX;
    cases[3].time_us = 0;
    cases[3].log_created_s = UINT32_MAX;
    cases[3].anonymous = false;
    memset(cases[3].position.file, 'f', sizeof cases[3].position.file - 1);
    memset(cases[3].source, 's', sizeof cases[3].source - 1);
    for (size_t i = 0; i < 4; i++) {
        struct checkpoint back = {0};
        struct buf out = {0};
        struct err e = {0};

        print(&cases[i], &out);
        assert_ok(checkpoint_parse((const char *)out.data, &back, &e), &e);
        assert_u64_eq(back.ordinal, cases[i].ordinal);
        assert_u64_eq(back.data_ordinal, cases[i].data_ordinal);
        assert_string_equal(back.run, cases[i].run);
        assert_string_equal(back.source, cases[i].source);
        assert_string_equal(back.position.file, cases[i].position.file);
        assert_u64_eq(back.position.offset, cases[i].position.offset);
        assert_i64_eq(back.time_us, cases[i].time_us);
        assert_u64_eq(back.log_created_s, cases[i].log_created_s);
        assert_int_equal(back.anonymous, cases[i].anonymous);
        assert_int_equal(back.copied, cases[i].copied);
        assert_int_equal(back.started, cases[i].started);
        assert_int_equal(back.inside, cases[i].inside);
        assert_int_equal(back.gone, cases[i].gone);
        assert_null(back.def);
        if (cases[i].gtids == NULL) {
            assert_null(back.gtids);
        } else {
            assert_string_equal(back.gtids, cases[i].gtids);
        }
        buf_deinit(&out);
        checkpoint_deinit(&back);
    }
}

TEST(test_checkpoint__round_trips_a_definition_of_every_type)
{
    struct arena a = {0};
    struct checkpoint c = sample();
    struct checkpoint back = {0};
    struct buf out = {0};
    struct buf again = {0};
    struct err e = {0};
    char why[300] = "";

    c.def = every_type(&a);
    print(&c, &out);
    assert_ok(checkpoint_parse((const char *)out.data, &back, &e), &e);
    assert_non_null(back.def);
    if (table_def_differ(c.def, back.def, why, sizeof why)) {
        fail_msg("%s", why);
    }
    assert_string_equal(back.def->schema, c.def->schema);
    assert_string_equal(back.def->name, c.def->name);
    assert_string_equal(back.def->charset, "latin1");
    assert_string_equal(back.def->engine, "InnoDB");
    assert_int_equal(back.def->key_count, 2);
    assert_memory_equal(back.def->key, c.def->key, 2 * sizeof *c.def->key);
    for (uint32_t i = 0; i < TYPES; i++) {
        assert_int_equal(back.def->columns[i].nullable, c.def->columns[i].nullable);
        assert_int_equal(back.def->columns[i].generated, c.def->columns[i].generated);
    }
    /* What was read prints as the same text: nothing got lost on the way. */
    print(&back, &again);
    assert_bytes_eq(buf_span(&again), buf_span(&out));
    buf_deinit(&out);
    buf_deinit(&again);
    checkpoint_deinit(&back);
    arena_deinit(&a);
}

TEST(test_checkpoint__rejects_every_truncation)
{
    struct arena a = {0};
    struct checkpoint c = sample();
    struct buf out = {0};

    c.def = every_type(&a);
    print(&c, &out);
    for (size_t len = 0; len < out.len; len++) {
        char *cut = str_ndup(out.data, len);

        assert_non_null(cut);
        parse_fails(cut, ERR_CORRUPT, NULL);
        free(cut);
    }
    buf_append_str(&out, "}");
    parse_fails(buf_cstr(&out), ERR_CORRUPT, NULL);
    buf_deinit(&out);
    arena_deinit(&a);
}

#define WHOLE  "\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":4"
#define COLUMN "\"name\":\"a\",\"type\":\"int\""

TEST(test_checkpoint__passes_over_keys_it_does_not_know)
{
    struct checkpoint c = {0};
    struct err e = {0};

    assert_ok(checkpoint_parse("{" WHOLE ",\"later\":{\"a\":[1,2]},\"table\":{\"schema\":\"s\","
                               "\"name\":\"t\",\"columns\":[{" COLUMN ",\"mood\":null}],"
                               "\"key\":[],\"owner\":\"x\"}}",
                               &c, &e),
              &e);
    assert_int_equal(c.def->column_count, 1);
    assert_int_equal(c.def->key_count, 0);
    assert_string_equal(c.def->columns[0].name, "a");
    /* Checkpoints of old do not have them. */
    assert_null(c.def->charset);
    assert_null(c.def->engine);
    checkpoint_deinit(&c);
}

TEST(test_checkpoint__rejects_what_is_missing_or_wrong)
{
    static const struct {
        const char *json;
        enum err_code want;
        const char *message;
    } cases[] = {
        {"", ERR_CORRUPT, NULL},
        {"[]", ERR_UNSUPPORTED, "version 0"},
        {"null", ERR_CORRUPT, NULL},
        {"{}", ERR_UNSUPPORTED, "version 0"},
        {"{\"version\":2,\"anything\":1}", ERR_UNSUPPORTED, "version 2"},
        {"{\"version\":\"1\"}", ERR_UNSUPPORTED, "version 0"},
        {"{" WHOLE "} x", ERR_CORRUPT, NULL},
        {"{" WHOLE ",\"pos\":5}", ERR_CORRUPT, "duplicate"},
        {"{\"version\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":4}", ERR_CORRUPT, "missing"},
        {"{\"version\":1,\"ordinal\":1,\"file\":\"b.1\",\"pos\":4}", ERR_CORRUPT, "missing"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"pos\":4}", ERR_CORRUPT, "missing"},
        /* A file without an offset is no place: following it from its start would double rows. */
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\"}", ERR_CORRUPT, "missing"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":\"4\"}", ERR_CORRUPT,
         "'pos'"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":-4}", ERR_CORRUPT,
         "'pos'"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":4.5}", ERR_CORRUPT,
         "'pos'"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"b.1\",\"pos\":"
         "9223372036854775808}",
         ERR_CORRUPT, NULL},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":7,\"pos\":4}", ERR_CORRUPT, "'file'"},
        {"{\"version\":1,\"ordinal\":1,\"run\":\"0123456789012345678901234567890123456\","
         "\"file\":\"b.1\",\"pos\":4}",
         ERR_CORRUPT, "'run'"},
        {"{\"version\":1,\"ordinal\":\"1\",\"run\":\"r\",\"file\":\"b.1\",\"pos\":4}", ERR_CORRUPT,
         "'ordinal'"},
        {"{" WHOLE ",\"gtid\":5}", ERR_CORRUPT, "'gtid'"},
        {"{" WHOLE ",\"source\":[]}", ERR_CORRUPT, "'source'"},
        {"{" WHOLE ",\"copied\":2}", ERR_CORRUPT, "'copied'"},
        {"{" WHOLE ",\"copied\":true}", ERR_CORRUPT, "'copied'"},
        {"{" WHOLE ",\"time-us\":-1}", ERR_CORRUPT, "'time-us'"},
        {"{" WHOLE ",\"source\":\"a\\u0000b\"}", ERR_CORRUPT, NULL},
        {"{" WHOLE ",\"source\":\"\xff\"}", ERR_CORRUPT, NULL},
        {"{" WHOLE ",\"table\":null}", ERR_CORRUPT, "'columns'"},
        {"{" WHOLE ",\"table\":[]}", ERR_CORRUPT, "'columns'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse_fails(cases[i].json, cases[i].want, cases[i].message);
    }
    /* A name that does not fit is not cut to another one. */
    char longer[800];
    char file[300];

    memset(file, 'f', sizeof file - 1);
    file[sizeof file - 1] = '\0';
    (void)snprintf(longer, sizeof longer,
                   "{\"version\":1,\"ordinal\":1,\"run\":\"r\",\"file\":\"%s\",\"pos\":4}", file);
    parse_fails(longer, ERR_CORRUPT, "'file'");
}

TEST(test_checkpoint__rejects_a_definition_that_is_wrong)
{
    static const struct {
        const char *table;
        const char *message;
    } cases[] = {
        {"", "'columns'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[],\"key\":[]", "'columns'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":{\"a\":1},\"key\":[]", "'columns'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}]", "'key'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":0", "'key'"},
        {"\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":[]", "'schema'"},
        {"\"schema\":\"s\",\"columns\":[{" COLUMN "}],\"key\":[]", "'name'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":[1]", "'key'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":[-1]", "'key'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":[4294967296]",
         "'key'"},
        {"\"schema\":\"s\",\"name\":\"t\",\"columns\":[{" COLUMN "}],\"key\":[\"0\"]", "'key'"},
    };
    static const struct {
        const char *column;
        const char *message;
    } columns[] = {
        {"5", "'type'"},
        {"null", "'type'"},
        {"{\"name\":\"a\"}", "'type'"},
        {"{\"name\":\"a\",\"type\":\"integer\"}", "'type'"},
        {"{\"name\":\"a\",\"type\":3}", "'type'"},
        {"{\"type\":\"int\"}", "'name'"},
        {"{\"name\":null,\"type\":\"int\"}", "'name'"},
        {"{" COLUMN ",\"charset\":1}", "'charset'"},
        {"{" COLUMN ",\"sql\":1}", "'sql'"},
        {"{" COLUMN ",\"unsigned\":2}", "'unsigned'"},
        {"{" COLUMN ",\"nullable\":-1}", "'nullable'"},
        {"{" COLUMN ",\"generated\":\"\"}", "'generated'"},
        {"{" COLUMN ",\"length\":4294967296}", "'length'"},
        {"{" COLUMN ",\"precision\":66}", "'precision'"},
        {"{" COLUMN ",\"precision\":256}", "'precision'"},
        {"{" COLUMN ",\"scale\":257}", "'scale'"},
        {"{" COLUMN ",\"fsp\":7}", "'fsp'"},
        {"{" COLUMN ",\"fsp\":259}", "'fsp'"},
        {"{" COLUMN ",\"labels\":\"a\"}", "'labels'"},
        {"{" COLUMN ",\"labels\":[1]}", "'labels'"},
        {"{" COLUMN ",\"labels\":[\"a\",null]}", "'labels'"},
    };
    char json[512];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(json, sizeof json, "{" WHOLE ",\"table\":{%s}}", cases[i].table);
        parse_fails(json, ERR_CORRUPT, cases[i].message);
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)snprintf(json, sizeof json,
                       "{" WHOLE ",\"table\":{\"schema\":\"s\",\"name\":\"t\",\"key\":[],"
                       "\"columns\":[{" COLUMN "},%s]}}",
                       columns[i].column);
        parse_fails(json, ERR_CORRUPT, columns[i].message);
    }
}

TEST(test_checkpoint__prints_no_text_that_is_not_utf8)
{
    char gtids[] = "\xff";
    struct checkpoint c = sample();
    struct buf out = {0};
    struct err e = {0};

    memcpy(c.position.file, "b\xe9.000001", 10);
    assert_err(checkpoint_print(&c, &out, &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg, "checkpoint: 'file' is not UTF-8");
    c = sample();
    c.gtids = gtids;
    assert_err(checkpoint_print(&c, &out, &e), ERR_CORRUPT, &e);
    c = sample();
    c.position.offset = UINT64_MAX;
    assert_int_not_equal(checkpoint_print(&c, &out, &e), ERR_OK);
    assert_u64_eq(out.len, 0);
    buf_deinit(&out);
}

static const char metadata_head[] =
    "{\"format-version\":2,\"table-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\","
    "\"location\":\"file:///t\",\"last-sequence-number\":0,\"last-updated-ms\":1602638573590,"
    "\"last-column-id\":1,\"current-schema-id\":0,\"schemas\":[{\"type\":\"struct\","
    "\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"x\",\"required\":false,\"type\":\"long\"}]}],"
    "\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[]}],"
    "\"last-partition-id\":999,\"default-sort-order-id\":0,\"sort-orders\":[{\"order-id\":0,"
    "\"fields\":[]}],\"current-snapshot-id\":-1,\"snapshots\":[],\"properties\":";

static struct iceberg_metadata *metadata_with(const char *properties)
{
    struct iceberg_metadata *m = NULL;
    struct err e = {0};
    char *json = str_format("%s%s}", metadata_head, properties);

    assert_non_null(json);
    assert_ok(iceberg_metadata_parse(span_str(json), &m, &e), &e);
    free(json);
    return m;
}

TEST(test_checkpoint__loads_its_connections_own)
{
    struct iceberg_metadata *m =
        metadata_with("{\"calve.checkpoint.other\":\"nonsense\","
                      "\"calve.checkpoint.mine\":\"{\\\"version\\\":1,\\\"ordinal\\\":9,"
                      "\\\"run\\\":\\\"r\\\",\\\"file\\\":\\\"b.1\\\",\\\"pos\\\":4}\"}");
    struct checkpoint c = {0};
    struct err e = {0};
    bool found = false;
    char *key = checkpoint_property("mine");

    assert_string_equal(key, "calve.checkpoint.mine");
    free(key);
    assert_ok(checkpoint_load(m, "mine", &c, &found, &e), &e);
    assert_true(found);
    assert_u64_eq(c.ordinal, 9);
    checkpoint_deinit(&c);
    assert_ok(checkpoint_load(m, "nobody", &c, &found, &e), &e);
    assert_false(found);
    checkpoint_deinit(&c);
    assert_err(checkpoint_load(m, "other", &c, &found, &e), ERR_CORRUPT, &e);
    assert_true(found);
    assert_true(str_starts_with(e.msg, "table property calve.checkpoint.other: checkpoint: "));
    checkpoint_deinit(&c);
    iceberg_metadata_free(m);
}

/* jansson's own allocations are not the test's to fail; ours are. */
TEST(test_checkpoint__survives_lack_of_memory)
{
    struct arena a = {0};
    struct checkpoint c = sample();
    char gtids[] = "u:1";
    struct buf text = {0};

    c.def = every_type(&a);
    c.gtids = gtids;
    print(&c, &text);
    TORTURE(nth)
    {
        struct checkpoint back = {0};
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = checkpoint_parse((const char *)text.data, &back, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            rc = checkpoint_print(&back, &out, &e);
            assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        }
        free(checkpoint_property("mine"));
        buf_deinit(&out);
        checkpoint_deinit(&back);
    }
    buf_deinit(&text);
    arena_deinit(&a);
}

TEST_MAIN(test_case(test_checkpoint__is_one_known_text), test_case(test_checkpoint__round_trips),
          test_case(test_checkpoint__round_trips_a_definition_of_every_type),
          test_case(test_checkpoint__rejects_every_truncation),
          test_case(test_checkpoint__passes_over_keys_it_does_not_know),
          test_case(test_checkpoint__rejects_what_is_missing_or_wrong),
          test_case(test_checkpoint__rejects_a_definition_that_is_wrong),
          test_case(test_checkpoint__prints_no_text_that_is_not_utf8),
          test_case(test_checkpoint__loads_its_connections_own),
          test_case(test_checkpoint__survives_lack_of_memory))
