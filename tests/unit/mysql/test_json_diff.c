#include "mysql/json_diff.h"

#include "test.h"

#define REPLACE 0
#define INSERT  1
#define REMOVE  2

struct diff {
    uint8_t operation;
    const char *path;  /* NULL: no more */
    const char *value; /* hex */
};

/* {"a":1,"b":[1,2,3],"c":{"x":"y"}} */
#define DOCUMENT                                                             \
    "0003003700190001001a0001001b000100050100021c0000290061626303000d000501" \
    "0005020005030001000e000b0001000c0c00780179"

#define ONE   "050100"
#define TWO   "050200"
#define Z     "0c017a"
#define K_ONE "0001000c000b0001000501006b" /* {"k":1} */
#define NESTED                                       \
    "0202001800020a00021100010007000501000100070005" \
    "0200" /* [[1],[2]] */
#define ESCAPED                                                  \
    "0003001e0019000000190002001b000300050000050200050100740961" \
    "2262"                     /* {"":0,"t\t":2,"a\"b":1} */
#define NO_OBJECT "0000000400" /* {} */
#define NO_ARRAY  "0200000400" /* [] */

static void put_diffs(struct buf *out, const struct diff *diffs)
{
    for (; diffs->path != NULL; diffs++) {
        uint8_t value[200];

        buf_u8(out, diffs->operation);
        buf_lenenc(out, strlen(diffs->path));
        buf_append_str(out, diffs->path);
        if (diffs->value != NULL) {
            size_t len = test_unhex(diffs->value, value, sizeof value);

            buf_lenenc(out, len);
            buf_append(out, value, len);
        }
    }
}

static enum err_code patch(const char *document, struct span diffs, struct buf *out, struct err *e)
{
    uint8_t bytes[400];
    size_t len = test_unhex(document, bytes, sizeof bytes);
    struct arena scratch;

    arena_init(&scratch, 0);
    buf_reset(out);
    enum err_code rc = json_diff_to_text(span_of(bytes, len), diffs, &scratch, out, e);

    arena_deinit(&scratch);
    return rc;
}

struct diff_case {
    const char *document;
    struct diff diffs[6];
    const char *want; /* NULL: ERR_CORRUPT, and the message has `says` */
    const char *says;
};

static void check(const struct diff_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf diffs = {0};
        struct buf out = {0};
        struct err e = {0};

        put_diffs(&diffs, cases[i].diffs);
        enum err_code rc = patch(cases[i].document, buf_span(&diffs), &out, &e);

        if (cases[i].want == NULL) {
            assert_err(rc, ERR_CORRUPT, &e);
            if (strstr(e.msg, cases[i].says) == NULL) {
                fail_msg("'%s' is not in: %s", cases[i].says, e.msg);
            }
        } else {
            assert_ok(rc, &e);
            assert_text_eq(buf_span(&out), cases[i].want);
        }
        buf_deinit(&diffs);
        buf_deinit(&out);
    }
}

#define CHECK(cases) check((cases), sizeof(cases) / sizeof((cases)[0]))

TEST(test_json_diff__without_diffs_is_the_document)
{
    static const struct diff_case cases[] = {
        {DOCUMENT, {{0}}, "{\"a\":1,\"b\":[1,2,3],\"c\":{\"x\":\"y\"}}", NULL},
        {"", {{0}}, "null", NULL},
        {Z, {{0}}, "\"z\"", NULL},
        {NO_ARRAY, {{0}}, "[]", NULL},
    };

    CHECK(cases);
}

TEST(test_json_diff__replaces)
{
    static const struct diff_case cases[] = {
        {DOCUMENT, {{REPLACE, "$.a", Z}}, "{\"a\":\"z\",\"b\":[1,2,3],\"c\":{\"x\":\"y\"}}", NULL},
        {DOCUMENT,
         {{REPLACE, "$.b", K_ONE}},
         "{\"a\":1,\"b\":{\"k\":1},\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT, {{REPLACE, "$.c.x", ""}}, "{\"a\":1,\"b\":[1,2,3],\"c\":{\"x\":null}}", NULL},
        {DOCUMENT,
         {{REPLACE, "$.b[0]", Z}},
         "{\"a\":1,\"b\":[\"z\",2,3],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{REPLACE, "$.b[2]", Z}},
         "{\"a\":1,\"b\":[1,2,\"z\"],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{REPLACE, "$.b[last]", Z}},
         "{\"a\":1,\"b\":[1,2,\"z\"],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{REPLACE, "$.b[last-2]", Z}},
         "{\"a\":1,\"b\":[\"z\",2,3],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT, {{REPLACE, "$", Z}}, "\"z\"", NULL},
        {DOCUMENT, {{REPLACE, "$", K_ONE}, {REPLACE, "$.k", Z}}, "{\"k\":\"z\"}", NULL},
        {"", {{REPLACE, "$", NO_OBJECT}}, "{}", NULL},
        {NESTED, {{REPLACE, "$[1][0]", K_ONE}, {REPLACE, "$[0]", Z}}, "[\"z\",[{\"k\":1}]]", NULL},
        /* What was put in is changed again. */
        {DOCUMENT,
         {{REPLACE, "$.a", NESTED}, {REPLACE, "$.a[0][0]", Z}, {REPLACE, "$.a[0]", TWO}},
         "{\"a\":[2,[2]],\"b\":[1,2,3],\"c\":{\"x\":\"y\"}}",
         NULL},
        {ESCAPED, {{REPLACE, "$.\"\"", Z}}, "{\"\":\"z\",\"t\\t\":2,\"a\\\"b\":1}", NULL},
        {ESCAPED, {{REPLACE, "$.\"a\\\"b\"", Z}}, "{\"\":0,\"t\\t\":2,\"a\\\"b\":\"z\"}", NULL},
        {ESCAPED, {{REPLACE, "$.\"t\\t\"", Z}}, "{\"\":0,\"t\\t\":\"z\",\"a\\\"b\":1}", NULL},
        {ESCAPED, {{REPLACE, "$.\"t\\u0009\"", Z}}, "{\"\":0,\"t\\t\":\"z\",\"a\\\"b\":1}", NULL},
    };

    CHECK(cases);
}

TEST(test_json_diff__inserts)
{
    static const struct diff_case cases[] = {
        {NO_OBJECT,
         {{INSERT, "$.b", ONE}, {INSERT, "$.aa", TWO}, {INSERT, "$.a", Z}, {INSERT, "$.\"\"", ONE}},
         "{\"\":1,\"a\":\"z\",\"b\":1,\"aa\":2}",
         NULL},
        {DOCUMENT,
         {{INSERT, "$.bb", ONE}, {INSERT, "$.A", ONE}, {INSERT, "$.\xc3\xa9", ONE}},
         "{\"A\":1,\"a\":1,\"b\":[1,2,3],\"c\":{\"x\":\"y\"},\"bb\":1,\"\xc3\xa9\":1}",
         NULL},
        {DOCUMENT,
         {{INSERT, "$.b[3]", Z}, {INSERT, "$.b[99]", ONE}, {INSERT, "$.b[0]", TWO}},
         "{\"a\":1,\"b\":[2,1,2,3,\"z\",1],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{INSERT, "$.b[1]", Z}},
         "{\"a\":1,\"b\":[1,\"z\",2,3],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{INSERT, "$.b[last-9]", Z}, {INSERT, "$.b[last-1]", ONE}},
         "{\"a\":1,\"b\":[\"z\",1,1,2,3],\"c\":{\"x\":\"y\"}}",
         NULL},
        {NO_ARRAY, {{INSERT, "$[last]", Z}, {INSERT, "$[0]", ONE}}, "[1,\"z\"]", NULL},
        {NO_OBJECT,
         {{INSERT, "$.a", NO_OBJECT}, {INSERT, "$.a.b", NO_ARRAY}, {INSERT, "$.a.b[0]", K_ONE}},
         "{\"a\":{\"b\":[{\"k\":1}]}}",
         NULL},
    };

    CHECK(cases);
}

TEST(test_json_diff__removes)
{
    static const struct diff_case cases[] = {
        {DOCUMENT, {{REMOVE, "$.a", NULL}}, "{\"b\":[1,2,3],\"c\":{\"x\":\"y\"}}", NULL},
        {DOCUMENT, {{REMOVE, "$.c", NULL}}, "{\"a\":1,\"b\":[1,2,3]}", NULL},
        {DOCUMENT, {{REMOVE, "$.c.x", NULL}}, "{\"a\":1,\"b\":[1,2,3],\"c\":{}}", NULL},
        {DOCUMENT,
         {{REMOVE, "$.b[0]", NULL}, {REMOVE, "$.b[0]", NULL}, {REMOVE, "$.b[last]", NULL}},
         "{\"a\":1,\"b\":[],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{REMOVE, "$.b[1]", NULL}, {INSERT, "$.b[1]", Z}, {REMOVE, "$.b[last]", NULL}},
         "{\"a\":1,\"b\":[1,\"z\"],\"c\":{\"x\":\"y\"}}",
         NULL},
        {DOCUMENT,
         {{REMOVE, "$.a", NULL},
          {REMOVE, "$.b", NULL},
          {REMOVE, "$.c", NULL},
          {INSERT, "$.b", ONE}},
         "{\"b\":1}",
         NULL},
    };

    CHECK(cases);
}

TEST(test_json_diff__refuses_what_does_not_fit)
{
    static const struct diff_case cases[] = {
        {DOCUMENT, {{REPLACE, "$.d", ONE}}, NULL, "$.d"},
        {DOCUMENT, {{REPLACE, "$.b[3]", ONE}}, NULL, "$.b[3]"},
        {DOCUMENT, {{REPLACE, "$.b[last-3]", ONE}}, NULL, "nothing is there"},
        {DOCUMENT, {{REPLACE, "$.d.e", ONE}}, NULL, "nothing is there"},
        {DOCUMENT, {{REMOVE, "$.A", NULL}}, NULL, "nothing is there"},
        {DOCUMENT, {{INSERT, "$.a", ONE}}, NULL, "a key to insert that is there"},
        {DOCUMENT, {{INSERT, "$.a.b", ONE}}, NULL, "neither object nor array"},
        {DOCUMENT, {{REPLACE, "$.a[0]", ONE}}, NULL, "neither object nor array"},
        {DOCUMENT, {{REPLACE, "$.b.a", ONE}}, NULL, "has an array"},
        {DOCUMENT, {{REPLACE, "$[0]", ONE}}, NULL, "has an object"},
        {DOCUMENT, {{REMOVE, "$", NULL}}, NULL, "only be replaced"},
        {DOCUMENT, {{INSERT, "$", ONE}}, NULL, "only be replaced"},
        {DOCUMENT, {{3, "$.a", ONE}}, NULL, "an operation"},
        {DOCUMENT, {{REPLACE, "", ONE}}, NULL, "does not begin with $"},
        {DOCUMENT, {{REPLACE, "a", ONE}}, NULL, "does not begin with $"},
        {DOCUMENT, {{REPLACE, "$a", ONE}}, NULL, "a leg that is not known"},
        {DOCUMENT, {{REPLACE, "$**.a", ONE}}, NULL, "a leg that is not known"},
        {DOCUMENT, {{REPLACE, "$.", ONE}}, NULL, "a leg without a name"},
        {DOCUMENT, {{REPLACE, "$..a", ONE}}, NULL, "a leg without a name"},
        {DOCUMENT, {{REPLACE, "$.b[", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[*]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[-1]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[1", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[last", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[last+1]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[last-]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[4294967296]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.b[18446744073709551617]", ONE}}, NULL, "an index that is none"},
        {DOCUMENT, {{REPLACE, "$.\"a", ONE}}, NULL, "without an end"},
        {DOCUMENT, {{REPLACE, "$.\"a\\", ONE}}, NULL, "without an end"},
        {DOCUMENT, {{REPLACE, "$.\"\\q\"", ONE}}, NULL, "an escape"},
        {DOCUMENT, {{REPLACE, "$.\"\\u00e9\"", ONE}}, NULL, "an escape"},
        {DOCUMENT, {{REPLACE, "$.\"\\u00\"", ONE}}, NULL, "an escape"},
        {DOCUMENT, {{INSERT, "$.\xff", ONE}}, NULL, "not UTF-8"},
        {DOCUMENT, {{REPLACE, "$.a", "0503"}}, NULL, "it ends within a number"},
        {"0001000c00", {{REPLACE, "$.a", ONE}}, NULL, "JSON document"},
    };

    CHECK(cases);
}

/* $[0][0]...: as deep as documents get, and deeper. */
TEST(test_json_diff__stops_at_the_depth_of_documents)
{
    for (int levels = 99; levels <= 103; levels++) {
        struct buf diffs = {0};
        struct buf path = {0};
        struct buf out = {0};
        struct err e = {0};
        static const uint8_t empty[] = {0x02, 0, 0, 4, 0};

        buf_append_str(&path, "$");
        for (int i = 1; i < levels; i++) {
            buf_u8(&diffs, INSERT);
            buf_append_str(&path, "[0]");
            buf_lenenc(&diffs, path.len);
            buf_append_span(&diffs, buf_span(&path));
            buf_lenenc(&diffs, sizeof empty);
            buf_append(&diffs, empty, sizeof empty);
        }
        enum err_code rc = patch(NO_ARRAY, buf_span(&diffs), &out, &e);

        if (levels <= 101) {
            assert_ok(rc, &e);
            assert_u64_eq(out.len, 2 * levels);
        } else {
            assert_err(rc, ERR_CORRUPT, &e);
            assert_non_null(strstr(e.msg, "more than 100 levels"));
        }
        buf_deinit(&diffs);
        buf_deinit(&path);
        buf_deinit(&out);
    }
}

static const struct diff several[] = {
    {REPLACE, "$.b[1]", K_ONE},
    {INSERT, "$.d", NESTED},
    {REMOVE, "$.a", NULL},
    {REMOVE, "$.d[0][0]", NULL},
    {INSERT, "$.b[last]", TWO},
    {INSERT, "$.b[1].\"q\\\"\"", Z},
    {0},
};
static const char several_want[] =
    "{\"b\":[1,{\"k\":1,\"q\\\"\":\"z\"},2,3],\"c\":{\"x\":\"y\"},\"d\":[[],[2]]}";

/* A cut between two diffs gives another document; any other is seen. */
TEST(test_json_diff__survives_every_truncation)
{
    struct buf diffs = {0};
    struct buf out = {0};
    struct err e = {0};
    size_t whole = 0;

    put_diffs(&diffs, several);
    assert_ok(patch(DOCUMENT, buf_span(&diffs), &out, &e), &e);
    assert_text_eq(buf_span(&out), several_want);
    for (size_t len = 0; len < diffs.len; len++) {
        uint8_t exact[400];

        memcpy(exact, diffs.data, len);
        enum err_code rc = patch(DOCUMENT, span_of(exact, len), &out, &e);

        whole += rc == ERR_OK ? 1 : 0;
        if (rc != ERR_OK) {
            assert_err(rc, ERR_CORRUPT, &e);
        }
    }
    assert_u64_eq(whole, sizeof several / sizeof several[0] - 1);
    buf_deinit(&diffs);
    buf_deinit(&out);
}

/* Every byte of the diffs is turned: no crash, and what is left is JSON or an error. */
TEST(test_json_diff__survives_every_flipped_bit)
{
    struct buf diffs = {0};
    struct buf out = {0};
    struct err e = {0};
    size_t refused = 0;

    put_diffs(&diffs, several);
    for (size_t bit = 0; bit < diffs.len * 8; bit++) {
        diffs.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (patch(DOCUMENT, buf_span(&diffs), &out, &e) != ERR_OK) {
            assert_int_equal(e.code, ERR_CORRUPT);
            refused++;
        }
        diffs.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > diffs.len * 4);
    buf_deinit(&diffs);
    buf_deinit(&out);
}

TEST(test_json_diff__reports_every_failed_allocation)
{
    struct buf diffs = {0};
    struct buf out = {0};

    put_diffs(&diffs, several);
    TORTURE(nth)
    {
        struct err e = {0};
        enum err_code rc = patch(DOCUMENT, buf_span(&diffs), &out, &e);

        if (torture_hit()) {
            assert_err(rc, ERR_NOMEM, &e);
        } else {
            assert_ok(rc, &e);
        }
        torture_fail_at(0);
        buf_deinit(&out);
    }
    buf_deinit(&diffs);
}

TEST_MAIN(test_case(test_json_diff__without_diffs_is_the_document),
          test_case(test_json_diff__replaces), test_case(test_json_diff__inserts),
          test_case(test_json_diff__removes), test_case(test_json_diff__refuses_what_does_not_fit),
          test_case(test_json_diff__stops_at_the_depth_of_documents),
          test_case(test_json_diff__survives_every_truncation),
          test_case(test_json_diff__survives_every_flipped_bit),
          test_case(test_json_diff__reports_every_failed_allocation))
