#include "avro/schema_int.h"

#include "test.h"

static enum err_code parse(struct arena *a, const char *json, struct avro_schema **out,
                           struct err *e)
{
    arena_reset(a);
    return avro_schema_parse(span_str(json), a, out, e);
}

TEST(test_schema__resolves_names_by_namespace)
{
    static const char json[] =
        "{\"type\":\"record\",\"name\":\"outer\",\"namespace\":\"a.b\",\"fields\":["
        "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"t\",\"size\":1}},"
        "{\"name\":\"g\",\"type\":{\"type\":\"fixed\",\"name\":\"t\",\"namespace\":\"c\",\"size\":"
        "2}},"
        "{\"name\":\"h\",\"type\":{\"type\":\"record\",\"name\":\"c.inner\",\"fields\":["
        "{\"name\":\"t\",\"type\":\"t\"},{\"name\":\"u\",\"type\":\"a.b.t\"}]}},"
        "{\"name\":\"i\",\"type\":\"t\"},{\"name\":\"j\",\"type\":\"c.t\"},"
        "{\"name\":\"k\",\"type\":{\"type\":\"fixed\",\"name\":\"bare\",\"namespace\":\"\","
        "\"size\":3}},{\"name\":\"l\",\"type\":\"bare\"}]}";
    struct arena a;
    struct avro_schema *s;
    struct err e = {0};

    arena_init(&a, 0);
    assert_ok(parse(&a, json, &s, &e), &e);
    assert_string_equal(s->name, "a.b.outer");
    assert_string_equal(s->fields[0].type->name, "a.b.t");
    assert_string_equal(s->fields[1].type->name, "c.t");
    const struct avro_schema *inner = s->fields[2].type;

    assert_string_equal(inner->name, "c.inner");
    assert_u64_eq(inner->fields[0].type->fixed_bytes, 2);
    assert_u64_eq(inner->fields[1].type->fixed_bytes, 1);
    assert_u64_eq(s->fields[3].type->fixed_bytes, 1);
    assert_u64_eq(s->fields[4].type->fixed_bytes, 2);
    assert_string_equal(s->fields[5].type->name, "bare");
    assert_u64_eq(s->fields[6].type->fixed_bytes, 3);
    arena_deinit(&a);
}

TEST(test_schema__knows_what_takes_no_bytes)
{
    static const struct {
        const char *json;
        bool nothing;
    } known[] = {
        {"\"null\"", true},
        {"\"int\"", false},
        {"[\"null\"]", false},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":0}", true},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":1}", false},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}", true},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"null\"}]}",
         true},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"null\"},"
         "{\"name\":\"b\",\"type\":\"int\"}]}",
         false},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
         "{\"name\":\"b\",\"type\":\"null\"}]}",
         false},
        {"{\"type\":\"array\",\"items\":\"null\"}", false},
    };
    struct arena a;
    struct avro_schema *s;
    struct err e = {0};

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_ok(parse(&a, known[i].json, &s, &e), &e);
        assert_true(s->takes_no_bytes == known[i].nothing);
    }
    arena_deinit(&a);
}

TEST(test_schema__leaves_a_named_type_as_it_was_defined)
{
    static const char json[] =
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":["
        "{\"name\":\"a\",\"type\":{\"type\":\"fixed\",\"name\":\"f\",\"size\":16,"
        "\"logicalType\":\"uuid\"}},"
        "{\"name\":\"b\",\"type\":{\"type\":\"f\",\"logicalType\":\"decimal\"}}]}";
    struct arena a;
    struct avro_schema *s;
    struct err e = {0};

    arena_init(&a, 0);
    assert_ok(parse(&a, json, &s, &e), &e);
    assert_ptr_equal(s->fields[0].type, s->fields[1].type);
    assert_string_equal(s->fields[0].type->logical, "uuid");
    arena_deinit(&a);
}

TEST(test_schema__rejects_what_is_none)
{
    static const char *const bad[] = {
        "",
        "{",
        "1",
        "null",
        "\"nothing\"",
        "\"record\"",
        "{}",
        "{\"type\":1}",
        "[]",
        "[\"null\",[\"int\"]]",
        "[\"null\",{\"type\":[\"int\"]}]",
        "{\"type\":\"record\",\"name\":\"r\"}",
        "{\"type\":\"record\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[1]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\"}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"type\":\"int\"}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\","
        "\"field-id\":\"1\"}]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\","
        "\"field-id\":4294967296}]}",
        "{\"type\":\"array\"}",
        "{\"type\":\"array\",\"items\":\"int\",\"element-id\":-1}",
        "{\"type\":\"map\"}",
        "{\"type\":\"map\",\"values\":\"int\",\"key-id\":1.5}",
        "{\"type\":\"fixed\",\"name\":\"f\"}",
        "{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}",
        "{\"type\":\"fixed\",\"name\":\"f\",\"size\":2147483648}",
        "{\"type\":\"fixed\",\"size\":1}",
        "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[1]}",
        "[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},"
        "{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}]",
        /* used before it is defined, and in another namespace */
        "[\"f\",{\"type\":\"fixed\",\"name\":\"f\",\"size\":1}]",
        "[{\"type\":\"fixed\",\"name\":\"a.f\",\"size\":1},\"f\"]",
        "\"int\" \"int\"",
        "\"in\\u0000t\"",
        "\"\xff\"",
    };
    struct arena a;
    struct avro_schema *s;
    struct err e = {0};

    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum err_code rc = parse(&a, bad[i], &s, &e);

        if (rc != ERR_CORRUPT) {
            fail_msg("%s: %s", bad[i], err_code_name(rc));
        }
        assert_true(strlen(e.msg) < 300);
    }
    arena_deinit(&a);
}

/* `depth` arrays, each the element of the one around it. */
static enum err_code parse_nested(struct arena *a, int depth, struct err *e)
{
    struct buf json = {0};
    struct avro_schema *s;

    for (int i = 0; i < depth; i++) {
        buf_append_str(&json, "{\"type\":\"array\",\"items\":");
    }
    buf_append_str(&json, "\"int\"");
    for (int i = 0; i < depth; i++) {
        buf_u8(&json, '}');
    }
    arena_reset(a);
    enum err_code rc = avro_schema_parse(buf_span(&json), a, &s, e);

    buf_deinit(&json);
    return rc;
}

TEST(test_schema__has_limits)
{
    struct arena a;
    struct avro_schema *s;
    struct buf json = {0};
    struct err e = {0};

    arena_init(&a, 0);
    assert_ok(parse_nested(&a, 60, &e), &e);
    assert_err(parse_nested(&a, 70, &e), ERR_LIMIT, &e);
    /* Here the JSON reader has its own limit. */
    assert_err(parse_nested(&a, 30000, &e), ERR_CORRUPT, &e);
    buf_u8(&json, '[');
    for (int i = 0; i <= 1024; i++) {
        buf_printf(&json, "%s{\"type\":\"fixed\",\"name\":\"f%d\",\"size\":1}", i > 0 ? "," : "",
                   i);
    }
    buf_u8(&json, ']');
    assert_err(parse(&a, buf_cstr(&json), &s, &e), ERR_LIMIT, &e);
    buf_reset(&json);
    buf_zeros(&json, ((size_t)1 << 20) + 1);
    arena_reset(&a);
    assert_err(avro_schema_parse(buf_span(&json), &a, &s, &e), ERR_LIMIT, &e);
    buf_deinit(&json);
    arena_deinit(&a);
}

TEST(test_schema__stays_under_the_arenas_ceiling)
{
    struct arena a;
    struct avro_schema *s;
    struct err e = {0};
    size_t refused = 0;

    for (size_t cap = 0; cap < 1000; cap += 8) {
        arena_init(&a, 8192 + 64 + cap); /* the parser's table of names takes the most */
        enum err_code rc = parse(
            &a,
            "{\"type\":\"record\",\"name\":\"a.r\",\"fields\":[{\"name\":\"e\",\"type\":"
            "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}},{\"name\":\"u\",\"type\":"
            "[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}]}]}",
            &s, &e);

        assert_true(rc == ERR_OK || rc == ERR_LIMIT);
        refused += rc == ERR_LIMIT ? 1 : 0;
        arena_deinit(&a);
    }
    assert_true(refused > 10 && refused < 120);
}

TEST_MAIN(test_case(test_schema__resolves_names_by_namespace),
          test_case(test_schema__knows_what_takes_no_bytes),
          test_case(test_schema__leaves_a_named_type_as_it_was_defined),
          test_case(test_schema__rejects_what_is_none), test_case(test_schema__has_limits),
          test_case(test_schema__stays_under_the_arenas_ceiling))
