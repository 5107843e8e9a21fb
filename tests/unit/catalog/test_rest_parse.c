/* test_rest_parse.c - what a REST server may say, in forms good and bad. */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_int.h"
#include "test.h"

static const char config_text[] =
    "{\"defaults\":{\"prefix\":\"a\",\"header.X\":\"1\"},\"overrides\":{\"uri\":\"http://b\"},"
    "\"endpoints\":[\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}\","
    "\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials\"],"
    "\"idempotency-key-lifetime\":\"PT30M\"}";

TEST(test_rest_parse__reads_a_configuration)
{
    struct rest_config c;
    struct err e = {0};

    assert_ok(rest_config_parse(span_str(config_text), &c, &e), &e);
    assert_string_equal(rest_text(c.defaults, "prefix"), "a");
    assert_string_equal(rest_text(c.overrides, "uri"), "http://b");
    assert_true(c.offers[REST_ENDPOINT_LOAD]);
    assert_true(c.offers[REST_ENDPOINT_CREDENTIALS]);
    assert_false(c.offers[REST_ENDPOINT_COMMIT]);
    assert_i64_eq(c.key_lifetime_us, INT64_C(1800) * 1000000);
    rest_config_deinit(&c);

    /* Before there was a list: all that was in the specification then. */
    static const char *const without[] = {"{}", "{\"endpoints\":null,\"defaults\":null}",
                                          "{\"endpoints\":[]}"};

    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        assert_ok(rest_config_parse(span_str(without[i]), &c, &e), &e);
        assert_true(c.offers[REST_ENDPOINT_COMMIT]);
        assert_true(c.offers[REST_ENDPOINT_DROP]);
        assert_false(c.offers[REST_ENDPOINT_CREDENTIALS]);
        assert_i64_eq(c.key_lifetime_us, 0);
        rest_config_deinit(&c);
    }
}

TEST(test_rest_parse__refuses_what_is_no_configuration)
{
    static const char *const bad[] = {
        "", "<html>", "[]", "7", "{\"defaults\":[]}", "{\"overrides\":\"x\"}", "{\"endpoints\":{}}",
    };
    struct rest_config c;
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(rest_config_parse(span_str(bad[i]), &c, &e), ERR_CORRUPT, &e);
    }
    for (size_t len = 0; len < strlen(config_text); len++) {
        assert_err(rest_config_parse(span_of(config_text, len), &c, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_rest_parse__the_servers_override_counts_most)
{
    static const struct {
        const char *override;
        const char *client;
        const char *other;
        const char *want;
    } rows[] = {
        {"o", "c", "d", "o"}, {NULL, "c", "d", "c"}, {NULL, NULL, "d", "d"},   {NULL, "", "d", "d"},
        {"", "c", "d", "c"},  {NULL, "", "", NULL},  {NULL, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_config c = {.defaults = json_object(), .overrides = json_object()};

        if (rows[i].override != NULL) {
            json_object_set_new(c.overrides, "k", json_string(rows[i].override));
        }
        if (rows[i].other != NULL) {
            json_object_set_new(c.defaults, "k", json_string(rows[i].other));
        }
        const char *is = rest_setting(&c, "k", rows[i].client);

        if ((is == NULL) != (rows[i].want == NULL) ||
            (is != NULL && strcmp(is, rows[i].want) != 0)) {
            fail_msg("row %zu: %s", i, is == NULL ? "nothing" : is);
        }
        rest_config_deinit(&c);
    }
}

TEST(test_rest_parse__reads_durations)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        {"PT30M", 1800}, {"PT1H", 3600},        {"P1D", 86400}, {"P1DT2H3M4S", 93784},
        {"PT0S", 0},     {"PT90S", 90},         {"", -1},       {"P", -1},
        {"PT", -1},      {"30M", -1},           {"PT30", -1},   {"P1M", -1},
        {"PTxM", -1},    {"PT1D", -1},          {"PTT1M", -1},  {"P1Y", -1},
        {"PT-1M", -1},   {"PT9999999999H", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t us = -1;
        bool ok = rest_duration_parse(rows[i].text, &us);

        if (ok != (rows[i].seconds >= 0) || (ok && us != rows[i].seconds * 1000000)) {
            fail_msg("%s: %d, %lld", rows[i].text, ok, (long long)us);
        }
    }
}

TEST(test_rest_parse__puts_prefixes_into_paths)
{
    static const struct {
        const char *prefix;
        const char *path;
    } rows[] = {
        {"", ""},
        {"a", "a/"},
        {"/a/b/", "a/b/"},
        {"a b", "a%20b/"},
        {"main|shop", "main%7Cshop/"},
        {"main%7Cshop", "main%7Cshop/"},
        {"arn%3Aaws%3As3tables%3Aeu-west-1%3A1%3Abucket%2Fx",
         "arn%3Aaws%3As3tables%3Aeu-west-1%3A1%3Abucket%2Fx/"},
        {"arn:aws:s3tables:eu-west-1:1:bucket/x", "arn:aws:s3tables:eu-west-1:1:bucket/x/"},
        {"50%", "50%25/"},
        {"5%zz", "5%25zz/"},
        {"\xc3\xa4?#", "%C3%A4%3F%23/"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path = rest_prefix_path(rows[i].prefix);

        assert_non_null(path);
        assert_string_equal(path, rows[i].path);
        free(path);
    }
}

TEST(test_rest_parse__names_tables_in_paths)
{
    const struct rest_catalog c = {.prefix = "p/"};
    char *path =
        rest_table_path(&c, (struct table_ident){"Sh op", "or/d\xc3\xa9rs"}, "/credentials");

    assert_string_equal(path, "/v1/p/namespaces/Sh%20op/tables/or%2Fd%C3%A9rs/credentials");
    free(path);
    path = rest_namespace_path(&c, "a.b", "/tables");
    assert_string_equal(path, "/v1/p/namespaces/a.b/tables");
    free(path);
}

TEST(test_rest_parse__takes_only_addresses)
{
    static const struct {
        const char *uri;
        bool good;
    } rows[] = {
        {"http://h", true},
        {"https://h:1/p", true},
        {"HTTPS://h/", true},
        {"ftp://h", false},
        {"h", false},
        {"", false},
        {"http://u:pw@h/", false},
        {"http://h:99999", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        enum err_code rc = rest_check_uri(rows[i].uri, "catalog.uri", &e);

        assert_int_equal(rc, rows[i].good ? ERR_OK : ERR_CONFIG);
        assert_null(strstr(e.msg, "pw"));
        assert_true(rows[i].good || strstr(e.msg, "catalog.uri") != NULL);
    }
}

TEST(test_rest_parse__reads_tokens)
{
    static const struct {
        const char *body;
        const char *token;   /* NULL: none */
        int64_t lifetime_us; /* -1: not said */
    } rows[] = {
        {"{\"access_token\":\"a.b-c\",\"token_type\":\"bearer\",\"expires_in\":3600}", "a.b-c",
         3600000000},
        {"{\"access_token\":\"t\",\"expires_in\":\"60\"}", "t", 60000000},
        {"{\"access_token\":\"t\",\"expires_in\":59.9}", "t", 59000000},
        {"{\"access_token\":\"t\"}", "t", -1},
        {"{\"access_token\":\"t\",\"expires_in\":0}", "t", -1},
        {"{\"access_token\":\"t\",\"expires_in\":-5}", "t", -1},
        {"{\"access_token\":\"t\",\"expires_in\":\"soon\"}", "t", -1},
        {"{\"access_token\":\"t\",\"expires_in\":null}", "t", -1},
        {"{\"access_token\":\"t\",\"expires_in\":99999999999999}", "t",
         INT64_C(315360000) * 1000000},
        {"{\"access_token\":\"t\",\"expires_in\":1e300}", "t", -1},
        {"{\"access_token\":\"\"}", NULL, 0},
        {"{\"access_token\":\"a\\nb\"}", NULL, 0},
        {"{\"access_token\":\"a b\"}", NULL, 0},
        {"{\"access_token\":7}", NULL, 0},
        {"{}", NULL, 0},
        {"<html>", NULL, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_token t;
        struct err e = {0};
        enum err_code rc = rest_token_parse(span_str(rows[i].body), &t, &e);

        if ((rc == ERR_OK) != (rows[i].token != NULL) || (rc != ERR_OK && rc != ERR_CORRUPT)) {
            fail_msg("%s: %s", rows[i].body, e.msg);
        }
        if (rc == ERR_OK) {
            assert_string_equal(t.text, rows[i].token);
            assert_i64_eq(t.lifetime_us, rows[i].lifetime_us);
        }
        rest_token_deinit(&t);
    }
    for (size_t len = 0; len < strlen(rows[0].body); len++) {
        struct rest_token t;
        struct err e = {0};

        assert_err(rest_token_parse(span_of(rows[0].body, len), &t, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_rest_parse__makes_problems_readable)
{
    static const struct {
        const char *body;
        const char *type;
        const char *message;
        bool is_iceberg;
    } rows[] = {
        {"{\"error\":{\"message\":\"no table\",\"type\":\"NoSuchTableException\",\"code\":404}}",
         "NoSuchTableException", "no table", true},
        {"{\"error\":{\"message\":\"a\\nb\\t c\",\"code\":500,\"stack\":[\"x\"]}}", "", "a b c",
         true},
        {"{\"error\":\"invalid_client\",\"error_description\":\"who?\"}", "invalid_client", "who?",
         false},
        {"{\"__type\":\"com.amazonaws#AccessDeniedException\",\"message\":\"no\"}",
         "AccessDeniedException", "no", false},
        {"{\"Message\":\"User is not authorized\"}", "", "User is not authorized", false},
        {"{\"status\":404,\"error\":\"Not Found\",\"path\":\"/x\"}", "Not Found", "", false},
        {"{}", "", "", false},
        {"{\"error\":null,\"message\":\"m\"}", "", "m", false},
        {"", "", "", false},
        {" \n", "", "", false},
        {"404 page not found\n", "", "404 page not found", false},
        {"[1,2]", "", "[1,2]", false},
        {"<html><head><title>502 Bad Gateway</title><style>b{x>y}</style></head>\r\n"
         "<body><script>if (a<b) alert('<p>');</script><h1>Bad\n Gateway</h1></body></html>",
         "", "502 Bad Gateway Bad Gateway", false},
        {"<p>cut in a <tag", "", "cut in a", false},
        {"<style>never ends", "", "", false},
        {"a\x80\xff"
         "b\x01"
         "c",
         "", "a??b c", false},
        {"{\"error\":{\"message\":\"\xc3\xa4\"", "", "{\"error\":{\"message\":\"\xc3\xa4\"", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_problem p;

        rest_problem_read(span_str(rows[i].body), &p);
        assert_string_equal(p.type, rows[i].type);
        assert_string_equal(p.message, rows[i].message);
        assert_int_equal(p.is_iceberg, rows[i].is_iceberg);
        for (size_t len = 0; len < strlen(rows[i].body); len++) {
            rest_problem_read(span_of(rows[i].body, len), &p);
            assert_true(str_is_utf8(span_str(p.message)));
        }
    }
}

TEST(test_rest_parse__cuts_long_problems_between_characters)
{
    char body[2000];
    struct rest_problem p;

    for (size_t shift = 0; shift < 4; shift++) {
        memset(body, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof body; i += 2) {
            memcpy(body + i, "\xc3\xa4", 3);
        }
        rest_problem_read(span_str(body), &p);
        assert_true(str_is_utf8(span_str(p.message)));
        assert_true(str_ends_with(p.message, "\xa4..."));
        assert_in_range(strlen(p.message), sizeof p.message - 4, sizeof p.message - 1);
    }
}

TEST(test_rest_parse__hides_secrets_that_come_back)
{
    static const char secret[] = "very-secret-token-of-some-length";
    struct rest_problem p;
    char body[600];

    (void)snprintf(body, sizeof body, "bad %s and %s!", secret, secret);
    rest_problem_read(span_str(body), &p);
    rest_problem_hide(&p, secret);
    assert_string_equal(p.message, "bad *** and ***!");
    /* Cut in the middle of it. */
    memset(body, 'x', sizeof body - 1);
    memcpy(body + 375, secret, strlen(secret));
    body[sizeof body - 1] = '\0';
    rest_problem_read(span_str(body), &p);
    assert_non_null(strstr(p.message, "very-secret-"));
    rest_problem_hide(&p, secret);
    assert_null(strstr(p.message, "very"));
    rest_problem_hide(&p, NULL);
    rest_problem_hide(&p, "x");
    assert_non_null(strstr(p.message, "xxx***"));
}

static const char table_text[] =
    "{\"metadata-location\":\"s3://b/t/metadata/1.json\",\"metadata\":{\"format-version\":2,"
    "\"table-uuid\":\"u\",\"location\":\"s3://b/t\",\"last-sequence-number\":0,"
    "\"last-updated-ms\":1,\"last-column-id\":1,\"current-schema-id\":0,\"schemas\":[{\"type\":"
    "\"struct\",\"schema-id\":0,\"fields\":[]}],\"default-spec-id\":0,\"partition-specs\":[{"
    "\"spec-id\":0,\"fields\":[]}],\"last-partition-id\":999,\"default-sort-order-id\":0,"
    "\"sort-orders\":[{\"order-id\":0,\"fields\":[]}]},\"config\":{}}";

TEST(test_rest_parse__reads_a_table)
{
    struct rest_table t;
    struct err e = {0};

    assert_ok(rest_table_parse(span_str(table_text), true, &t, &e), &e);
    assert_string_equal(t.metadata_location, "s3://b/t/metadata/1.json");
    assert_string_equal(iceberg_metadata_location(t.metadata), "s3://b/t");
    rest_table_deinit(&t);
    assert_ok(rest_table_parse(span_str(table_text), false, &t, &e), &e);
    assert_null(t.metadata);
    rest_table_deinit(&t);
    for (size_t len = 0; len < strlen(table_text); len++) {
        assert_err(rest_table_parse(span_of(table_text, len), true, &t, &e), ERR_CORRUPT, &e);
    }
    static const char *const bad[] = {
        "{}",
        "{\"metadata\":{}}",
        "{\"metadata-location\":\"x\"}",
        "{\"metadata-location\":\"x\",\"metadata\":[]}",
        "{\"metadata-location\":null,\"metadata\":{}}",
        "{\"metadata-location\":\"x\",\"metadata\":{}}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(rest_table_parse(span_str(bad[i]), true, &t, &e), ERR_CORRUPT, &e);
    }
    assert_err(rest_table_parse(span_str("{\"metadata-location\":\"x\",\"metadata\":{"
                                         "\"format-version\":3}}"),
                                true, &t, &e),
               ERR_UNSUPPORTED, &e);
}

TEST(test_rest_parse__reads_a_page_of_tables)
{
    static const char page[] =
        "{\"identifiers\":[{\"namespace\":[\"shop\"],\"name\":\"b\"},{\"namespace\":[\"shop\","
        "\"x\"],\"name\":\"deep\"},{\"namespace\":[\"other\"],\"name\":\"o\"},{\"namespace\":["
        "\"shop\"],\"name\":\"a\"}],\"next-page-token\":\"n\"}";
    static const char *const bad[] = {"{}", "{\"identifiers\":{}}", "{\"identifiers\":[7]}",
                                      "{\"identifiers\":[{\"namespace\":[\"shop\"]}]}"};
    struct locations names = {0};
    struct err e = {0};
    char *next = NULL;

    assert_ok(rest_list_parse(span_str(page), "shop", &names, &next, &e), &e);
    assert_u64_eq(names.count, 2);
    assert_string_equal(names.items[0], "b");
    assert_string_equal(names.items[1], "a");
    assert_string_equal(next, "n");
    free(next);
    locations_clear(&names);
    assert_ok(rest_list_parse(span_str("{\"identifiers\":[],\"next-page-token\":null}"), "shop",
                              &names, &next, &e),
              &e);
    assert_null(next);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(rest_list_parse(span_str(bad[i]), "shop", &names, &next, &e), ERR_CORRUPT, &e);
        assert_null(next);
    }
    for (size_t len = 0; len < strlen(page); len++) {
        assert_err(rest_list_parse(span_of(page, len), "shop", &names, &next, &e), ERR_CORRUPT, &e);
    }
    locations_deinit(&names);
}

TEST(test_rest_parse__knows_what_a_status_means)
{
    static const struct {
        int status;
        enum rest_class class;
    } rows[] = {
        {200, REST_DONE},        {204, REST_DONE},    {301, REST_REFUSED}, {400, REST_REFUSED},
        {401, REST_WHO},         {403, REST_REFUSED}, {404, REST_REFUSED}, {406, REST_REFUSED},
        {408, REST_OPEN},        {409, REST_REFUSED}, {419, REST_WHO},     {422, REST_REFUSED},
        {429, REST_AGAIN_LATER}, {500, REST_OPEN},    {501, REST_REFUSED}, {502, REST_OPEN},
        {503, REST_OPEN},        {504, REST_OPEN},    {599, REST_OPEN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rest_class_of(rows[i].status) != rows[i].class) {
            fail_msg("%d is %d", rows[i].status, (int)rest_class_of(rows[i].status));
        }
    }
}

TEST(test_rest_parse__explains_each_refusal)
{
    static const struct {
        enum rest_op op;
        int status;
        const char *body;
        enum err_code code;
        bool retryable;
        const char *hint;
    } rows[] = {
        {REST_OP_CONFIG, 400, "{\"error\":{\"message\":\"m\"}}", ERR_CONFIG, false,
         "rest.warehouse"},
        {REST_OP_CONFIG, 404, "{\"error\":{\"message\":\"m\"}}", ERR_CONFIG, false,
         "rest.warehouse"},
        {REST_OP_CONFIG, 404, "404 page not found", ERR_CONFIG, false, "catalog.uri"},
        {REST_OP_LOAD, 302, "", ERR_CONFIG, false, "catalog.uri"},
        {REST_OP_LOAD, 401, "", ERR_CONFIG, false, "rest.token"},
        {REST_OP_COMMIT, 419, "", ERR_CONFIG, false, "rest.token"},
        {REST_OP_COMMIT, 403, "", ERR_CONFIG, false, "rest.scope"},
        {REST_OP_LOAD, 404, "{\"error\":{\"type\":\"NoSuchTableException\"}}", ERR_NOT_FOUND, false,
         "NoSuchTableException"},
        {REST_OP_LOAD, 404, "", ERR_NOT_FOUND, false, "404"},
        {REST_OP_LOAD, 404, "{\"__type\":\"EntityNotFoundException\",\"message\":\"x\"}",
         ERR_NOT_FOUND, false, "EntityNotFound"},
        {REST_OP_LOAD, 404, "<h1>nginx</h1>", ERR_CONFIG, false, "catalog.uri"},
        {REST_OP_LOAD, 404, "{\"status\":404,\"message\":\"No static resource\"}", ERR_CONFIG,
         false, "catalog.uri"},
        {REST_OP_COMMIT, 400, "{\"error\":{\"message\":\"m\"}}", ERR_UNSUPPORTED, false, "m"},
        {REST_OP_COMMIT, 406, "", ERR_UNSUPPORTED, false, "406"},
        {REST_OP_COMMIT, 409, "", ERR_CONFLICT, false, "409"},
        {REST_OP_CREATE, 409, "", ERR_EXISTS, false, "409"},
        {REST_OP_NAMESPACE, 409, "", ERR_EXISTS, false, "409"},
        {REST_OP_COMMIT, 413, "", ERR_LIMIT, false, "413"},
        {REST_OP_COMMIT, 422, "", ERR_UNSUPPORTED, false, "422"},
        {REST_OP_LOAD, 429, "", ERR_IO, true, "429"},
        {REST_OP_LOAD, 500, "", ERR_IO, true, "500"},
        {REST_OP_LOAD, 501, "", ERR_UNSUPPORTED, false, "501"},
        {REST_OP_LOAD, 503, "<h1>busy</h1>", ERR_IO, true, "busy"},
        {REST_OP_TOKEN, 400, "{\"error\":\"invalid_scope\"}", ERR_CONFIG, false, "rest.scope"},
        {REST_OP_TOKEN, 401, "{\"error\":\"invalid_client\"}", ERR_CONFIG, false,
         "rest.credential"},
        {REST_OP_TOKEN, 403, "", ERR_CONFIG, false, "rest.credential"},
        {REST_OP_TOKEN, 404, "", ERR_CONFIG, false, "rest.oauth2-server-uri"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rest_catalog c = {.uri = "http://h"};
        struct rest_problem p;
        struct err e = {0};

        rest_problem_read(span_str(rows[i].body), &p);
        assert_err(rest_explain(&c, rows[i].op, rows[i].status, &p, &e), rows[i].code, &e);
        assert_int_equal(e.retryable, rows[i].retryable);
        if (strstr(e.msg, rows[i].hint) == NULL) {
            fail_msg("row %zu: no '%s' in: %s", i, rows[i].hint, e.msg);
        }
        assert_int_equal(rest_explain(&c, rows[i].op, rows[i].status, &p, NULL), rows[i].code);
    }
}

TEST(test_rest_parse__names_the_setting_of_who_we_are)
{
    static const struct {
        enum rest_auth_kind kind;
        bool sigv4;
        const char *hint;
    } rows[] = {
        {REST_AUTH_NONE, false, "rest.credential"},    {REST_AUTH_TOKEN, false, "rest.token"},
        {REST_AUTH_CREDENTIAL, false, "rest.scope"},   {REST_AUTH_BASIC, false, "rest.password"},
        {REST_AUTH_NONE, true, "rest.signing-region"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rest_catalog c = {.sigv4 = rows[i].sigv4, .auth = {.kind = rows[i].kind}};
        const struct rest_problem p = {0};
        struct err e = {0};

        assert_err(rest_explain(&c, REST_OP_LOAD, 401, &p, &e), ERR_CONFIG, &e);
        assert_non_null(strstr(e.msg, rows[i].hint));
        assert_err(rest_explain(&c, REST_OP_LOAD, 403, &p, &e), ERR_CONFIG, &e);
    }
}

TEST(test_rest_parse__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct rest_table t = {0};
        struct rest_config c = {0};
        struct rest_token k = {0};
        struct locations names = {0};
        struct err e = {0};
        char *next = NULL;
        enum err_code rc = rest_table_parse(span_str(table_text), true, &t, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        rest_table_deinit(&t);
        rc = rest_config_parse(span_str(config_text), &c, &e);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        rest_config_deinit(&c);
        rc = rest_token_parse(span_str("{\"access_token\":\"t\"}"), &k, &e);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        rest_token_deinit(&k);
        rc = rest_list_parse(span_str("{\"identifiers\":[{\"namespace\":[\"s\"],\"name\":\"a\"}],"
                                      "\"next-page-token\":\"n\"}"),
                             "s", &names, &next, &e);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        locations_deinit(&names);
        free(next);
        free(rest_prefix_path("a b"));
    }
}

TEST_MAIN(test_case(test_rest_parse__reads_a_configuration),
          test_case(test_rest_parse__refuses_what_is_no_configuration),
          test_case(test_rest_parse__the_servers_override_counts_most),
          test_case(test_rest_parse__reads_durations),
          test_case(test_rest_parse__puts_prefixes_into_paths),
          test_case(test_rest_parse__names_tables_in_paths),
          test_case(test_rest_parse__takes_only_addresses),
          test_case(test_rest_parse__reads_tokens),
          test_case(test_rest_parse__makes_problems_readable),
          test_case(test_rest_parse__cuts_long_problems_between_characters),
          test_case(test_rest_parse__hides_secrets_that_come_back),
          test_case(test_rest_parse__reads_a_table),
          test_case(test_rest_parse__reads_a_page_of_tables),
          test_case(test_rest_parse__knows_what_a_status_means),
          test_case(test_rest_parse__explains_each_refusal),
          test_case(test_rest_parse__names_the_setting_of_who_we_are),
          test_case(test_rest_parse__survives_lack_of_memory))
