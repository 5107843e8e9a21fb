#include "base/str.h"
#include "catalog/glue_int.h"
#include "test.h"

#include <stdlib.h>

#define METADATA_HEAD                                                                         \
    "{\"format-version\":2,\"table-uuid\":\"u\",\"location\":\"s3://lake/shop/orders\","      \
    "\"last-sequence-number\":0,\"last-updated-ms\":1,\"last-column-id\":9,"                  \
    "\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[]}],"              \
    "\"last-partition-id\":999,\"default-sort-order-id\":0,\"sort-orders\":[{\"order-id\":0," \
    "\"fields\":[]}],"

static struct iceberg_metadata *metadata_of(const char *rest)
{
    struct iceberg_metadata *m = NULL;
    struct err e = {0};
    char *text = str_format(METADATA_HEAD "%s}", rest);

    assert_non_null(text);
    assert_ok(iceberg_metadata_parse(span_str(text), &m, &e), &e);
    free(text);
    return m;
}

static json_t *json_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    if (json == NULL) {
        fail_msg("not JSON: %s", text);
    }
    return json;
}

/* Takes got over. */
static void assert_json(json_t *got, const char *want)
{
    json_t *expected = json_of(want);
    bool same = json_equal(got, expected) != 0;

    if (!same) {
        char *text = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);

        print_error("got  %s\nwant %s\n", text == NULL ? "nothing" : text, want);
        free(text);
    }
    json_decref(got);
    json_decref(expected);
    assert_true(same);
}

static const struct glue_name orders = {
    .database = "shop",
    .table = "orders",
    .full = "shop.orders",
    .source = {"Shop", "Orders"},
};

#define ONE_COLUMN                                                                            \
    "\"current-schema-id\":0,\"schemas\":[{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{" \
    "\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"}]}]"

#define ONE_GLUE_COLUMN                                                                 \
    "[{\"Name\":\"id\",\"Type\":\"bigint\",\"Parameters\":{\"iceberg.field.id\":\"1\"," \
    "\"iceberg.field.optional\":\"false\",\"iceberg.field.current\":\"true\"}}]"

TEST(test_glue_table__has_a_type_for_each_of_icebergs)
{
    static const char *const types[][2] = {
        {"\"boolean\"", "boolean"},
        {"\"int\"", "int"},
        {"\"long\"", "bigint"},
        {"\"float\"", "float"},
        {"\"double\"", "double"},
        {"\"date\"", "date"},
        {"\"time\"", "string"},
        {"\"timestamp\"", "timestamp"},
        {"\"timestamptz\"", "timestamp"},
        {"\"string\"", "string"},
        {"\"uuid\"", "string"},
        {"\"binary\"", "binary"},
        {"\"fixed[16]\"", "binary"},
        {"\"decimal(38, 10)\"", "decimal(38,10)"},
        {"\"decimal(9,2)\"", "decimal(9,2)"},
        {"\"timestamp_ns\"", "timestamp_ns"},
        {"{\"type\":\"list\",\"element-id\":5,\"element\":\"long\",\"element-required\":true}",
         "array<bigint>"},
        {"{\"type\":\"map\",\"key-id\":5,\"key\":\"uuid\",\"value-id\":6,\"value\":\"fixed[2]\"}",
         "map<string,binary>"},
        {"{\"type\":\"struct\",\"fields\":[]}", "struct<>"},
        {"{\"type\":\"struct\",\"fields\":[{\"id\":5,\"name\":\"a\",\"type\":\"int\"},{\"id\":6,"
         "\"name\":\"b c\",\"type\":{\"type\":\"list\",\"element\":{\"type\":\"map\",\"key\":"
         "\"time\",\"value\":\"decimal(4, 0)\"}}}]}",
         "struct<a:int,b c:array<map<string,decimal(4,0)>>>"},
        {"{\"type\":\"other\"}", "other"},
        {"{}", "?"},
        {"7", "?"},
        {"{\"type\":\"list\"}", "array<?>"},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char *rest = str_format("\"current-schema-id\":0,\"schemas\":[{\"schema-id\":0,\"fields\":"
                                "[{\"id\":1,\"name\":\"c\",\"type\":%s}]}]",
                                types[i][0]);
        struct iceberg_metadata *m = metadata_of(rest);
        json_t *columns = glue_columns(m, NULL);
        const char *type = json_string_value(json_object_get(json_array_get(columns, 0), "Type"));

        assert_non_null(type);
        assert_string_equal(type, types[i][1]);
        json_decref(columns);
        iceberg_metadata_free(m);
        free(rest);
    }
}

TEST(test_glue_table__lists_current_columns_before_those_that_were)
{
    struct iceberg_metadata *m = metadata_of(
        "\"current-schema-id\":2,\"schemas\":["
        "{\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"int\"}"
        ","
        "{\"id\":2,\"name\":\"gone\",\"required\":true,\"type\":\"uuid\"}]},"
        "{\"schema-id\":2,\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":"
        "\"long\"},{\"id\":3,\"name\":\"note\",\"required\":false,\"type\":\"string\",\"doc\":"
        "\"a word\"}]},"
        "{\"schema-id\":1,\"fields\":[{\"id\":4,\"name\":\"NOTE\",\"type\":\"int\"},{\"id\":2,"
        "\"name\":\"gone\",\"type\":\"int\"},{\"id\":5,\"name\":\"late\",\"type\":\"int\"},{"
        "\"id\":6,\"type\":\"int\"}]}]");

    assert_json(glue_columns(m, NULL),
                "[{\"Name\":\"id\",\"Type\":\"bigint\",\"Parameters\":{\"iceberg.field.id\":\"1\","
                "\"iceberg.field.optional\":\"false\",\"iceberg.field.current\":\"true\"}},"
                "{\"Name\":\"note\",\"Type\":\"string\",\"Comment\":\"a word\",\"Parameters\":{"
                "\"iceberg.field.id\":\"3\",\"iceberg.field.optional\":\"true\","
                "\"iceberg.field.current\":\"true\"}},"
                "{\"Name\":\"gone\",\"Type\":\"string\",\"Parameters\":{\"iceberg.field.id\":\"2\","
                "\"iceberg.field.optional\":\"false\",\"iceberg.field.current\":\"false\"}},"
                "{\"Name\":\"late\",\"Type\":\"int\",\"Parameters\":{\"iceberg.field.id\":\"5\","
                "\"iceberg.field.optional\":\"true\",\"iceberg.field.current\":\"false\"}}]");
    iceberg_metadata_free(m);
}

TEST(test_glue_table__reads_the_schema_of_a_version_1_table)
{
    static const char json[] =
        "{\"format-version\":1,\"location\":\"s3://lake/t\",\"last-updated-ms\":1,"
        "\"last-column-id\":1,\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":"
        "\"id\",\"required\":true,\"type\":\"long\"}]},\"partition-spec\":[]}";
    struct iceberg_metadata *m = NULL;
    struct err e = {0};

    assert_ok(iceberg_metadata_parse(span_str(json), &m, &e), &e);
    assert_json(glue_columns(m, NULL), ONE_GLUE_COLUMN);
    iceberg_metadata_free(m);
}

TEST(test_glue_table__keeps_comments_that_the_schema_lacks)
{
    struct iceberg_metadata *m = metadata_of(
        "\"current-schema-id\":0,\"schemas\":[{\"schema-id\":0,\"fields\":["
        "{\"id\":1,\"name\":\"a\",\"type\":\"int\",\"doc\":\"ours\"},"
        "{\"id\":2,\"name\":\"b\",\"type\":\"int\"},{\"id\":3,\"name\":\"c\",\"type\":\"int\"}]}]");
    json_t *existing = json_of("[{\"Name\":\"a\",\"Comment\":\"theirs\"},{\"Name\":\"b\","
                               "\"Comment\":\"kept\"},{\"Name\":\"c\"},{\"Name\":\"d\","
                               "\"Comment\":\"of no column\"},{\"Comment\":\"of none\"},7]");
    json_t *columns = glue_columns(m, existing);

    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 0), "Comment")),
                        "ours");
    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 1), "Comment")),
                        "kept");
    assert_null(json_object_get(json_array_get(columns, 2), "Comment"));
    assert_int_equal(json_array_size(columns), 3);
    json_decref(columns);
    json_decref(existing);
    iceberg_metadata_free(m);
}

TEST(test_glue_table__leaves_out_columns_whose_names_glue_refuses)
{
    char longest[256];
    char longer[257];
    char wide[4 * 128 + 1] = "";

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (int i = 0; i < 128; i++) { /* 256 UTF-16 units */
        memcpy(wide + (size_t)i * 4, "\xf0\x9f\x8c\x8a", 4);
    }
    char *rest = str_format("\"current-schema-id\":0,\"schemas\":[{\"schema-id\":0,\"fields\":["
                            "{\"id\":1,\"name\":\"%s\",\"type\":\"int\"},"
                            "{\"id\":2,\"name\":\"%s\",\"type\":\"int\"},"
                            "{\"id\":3,\"name\":\"%s\",\"type\":\"int\"},"
                            "{\"id\":4,\"name\":\"\",\"type\":\"int\"},"
                            "{\"id\":5,\"name\":\"a\\nb\",\"type\":\"int\"},"
                            "{\"id\":6,\"name\":\"\xc3\xa4\\tb\",\"type\":\"int\"}]}]",
                            longest, longer, wide);
    struct iceberg_metadata *m = metadata_of(rest);
    json_t *columns = glue_columns(m, NULL);

    assert_int_equal(json_array_size(columns), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 0), "Name")),
                        longest);
    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 1), "Name")),
                        "\xc3\xa4\tb");
    json_decref(columns);
    iceberg_metadata_free(m);
    free(rest);
}

TEST(test_glue_table__cuts_texts_where_glue_wants_it)
{
    static const struct {
        const char *text;
        size_t max;
        bool lines;
        const char *want;
    } cases[] = {
        {"", 3, false, ""},
        {"abc", 3, false, "abc"},
        {"abcd", 3, false, "abc"},
        {"\xc3\xa4\xc3\xb6\xc3\xbc", 2, false, "\xc3\xa4\xc3\xb6"},
        {"a\xf0\x9f\x8c\x8a", 2, false, "a"}, /* two units in one character */
        {"a\xf0\x9f\x8c\x8a", 3, false, "a\xf0\x9f\x8c\x8a"},
        {"a\nb\tc\x01", 9, false, "a b\tc "},
        {"a\r\nb\tc\x01", 9, true, "a\r\nb\tc "},
        {"ab\xff", 9, true, "ab"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *text = glue_text(cases[i].text, cases[i].max, cases[i].lines);

        assert_non_null(text);
        assert_string_equal(json_string_value(text), cases[i].want);
        json_decref(text);
    }
}

TEST(test_glue_table__describes_a_new_table)
{
    struct iceberg_metadata *m = metadata_of(ONE_COLUMN);

    assert_json(
        glue_table_input(&(struct glue_table_next){
            .name = &orders, .metadata = m, .metadata_location = "s3://lake/m0"}),
        "{\"Name\":\"orders\",\"TableType\":\"EXTERNAL_TABLE\",\"Parameters\":{"
        "\"table_type\":\"ICEBERG\",\"metadata_location\":\"s3://lake/m0\","
        "\"calve.schema\":\"Shop\",\"calve.table\":\"Orders\"},"
        "\"StorageDescriptor\":{\"Location\":\"s3://lake/shop/orders\",\"Columns\":" ONE_GLUE_COLUMN
        "}}");
    iceberg_metadata_free(m);
}

TEST(test_glue_table__keeps_what_others_put_there)
{
    struct iceberg_metadata *m = metadata_of(ONE_COLUMN);
    json_t *existing = json_of(
        "{\"Name\":\"orders\",\"DatabaseName\":\"shop\",\"Description\":\"theirs\",\"Owner\":"
        "\"them\",\"CreateTime\":1.5E9,\"UpdateTime\":1.6E9,\"LastAccessTime\":1.7E9,"
        "\"LastAnalyzedTime\":1,\"Retention\":7,\"PartitionKeys\":[],\"ViewOriginalText\":\"v\","
        "\"ViewExpandedText\":null,\"TableType\":\"VIRTUAL\",\"TargetTable\":{\"Name\":\"x\"},"
        "\"CreatedBy\":\"arn\",\"IsRegisteredWithLakeFormation\":true,\"CatalogId\":\"1\","
        "\"VersionId\":\"3\",\"FederatedTable\":{},\"ViewDefinition\":{},\"IsMultiDialectView\":"
        "false,\"Status\":{},\"Novelty\":1,"
        "\"Parameters\":{\"table_type\":\"iceberg\",\"metadata_location\":\"s3://lake/m0\","
        "\"previous_metadata_location\":\"s3://lake/"
        "older\",\"calve.schema\":\"Shop\",\"optimizer\":"
        "\"on\"},"
        "\"StorageDescriptor\":{\"Columns\":[{\"Name\":\"id\",\"Type\":\"int\",\"Comment\":\"c\"},{"
        "\"Name\":\"stale\",\"Type\":\"int\"}],\"Location\":\"s3://moved\",\"Compressed\":false,"
        "\"NumberOfBuckets\":0,\"AdditionalLocations\":[\"s3://there\"],\"SortColumns\":[]}}");
    json_t *before = json_deep_copy(existing);

    assert_json(
        glue_table_input(&(struct glue_table_next){.name = &orders,
                                                   .metadata = m,
                                                   .metadata_location = "s3://lake/m1",
                                                   .existing = existing,
                                                   .previous_location = "s3://lake/m0"}),
        "{\"Name\":\"orders\",\"Description\":\"theirs\",\"Owner\":\"them\",\"LastAccessTime\":"
        "1.7E9,\"LastAnalyzedTime\":1,\"Retention\":7,\"PartitionKeys\":[],\"ViewOriginalText\":"
        "\"v\",\"TableType\":\"EXTERNAL_TABLE\",\"TargetTable\":{\"Name\":\"x\"},"
        "\"Parameters\":{\"table_type\":\"ICEBERG\",\"metadata_location\":\"s3://lake/m1\","
        "\"previous_metadata_location\":\"s3://lake/m0\",\"calve.schema\":\"Shop\",\"optimizer\":"
        "\"on\"},"
        "\"StorageDescriptor\":{\"Location\":\"s3://lake/shop/orders\",\"Compressed\":false,"
        "\"NumberOfBuckets\":0,\"AdditionalLocations\":[\"s3://there\"],\"SortColumns\":[],"
        "\"Columns\":[{\"Name\":\"id\",\"Type\":\"bigint\",\"Comment\":\"c\",\"Parameters\":{"
        "\"iceberg.field.id\":\"1\",\"iceberg.field.optional\":\"false\","
        "\"iceberg.field.current\":\"true\"}}]}}");
    assert_true(json_equal(existing, before));
    json_decref(before);
    json_decref(existing);
    iceberg_metadata_free(m);
}

TEST(test_glue_table__names_other_places_and_the_comment)
{
    struct iceberg_metadata *m = metadata_of(
        ONE_COLUMN ",\"properties\":{\"comment\":\"all\\norders\",\"write.data.path\":\"s3://d\","
                   "\"write.metadata.path\":\"s3://m\"}");
    json_t *existing = json_of("{\"Description\":\"theirs\",\"StorageDescriptor\":{"
                               "\"AdditionalLocations\":[\"s3://old\"]}}");
    json_t *input = glue_table_input(&(struct glue_table_next){.name = &orders,
                                                               .metadata = m,
                                                               .metadata_location = "s3://lake/m1",
                                                               .existing = existing,
                                                               .previous_location = "s3://m0"});

    assert_string_equal(json_string_value(json_object_get(input, "Description")), "all\norders");
    assert_json(json_incref(json_object_get(json_object_get(input, "StorageDescriptor"),
                                            "AdditionalLocations")),
                "[\"s3://d\",\"s3://m\"]");
    json_decref(input);
    json_decref(existing);
    iceberg_metadata_free(m);
}

/* ---- answers ---- */

static enum err_code take_text(const char *text, struct glue_table *out, struct err *e)
{
    json_t *answer = NULL;

    ERR_TRY(glue_answer_parse(span_str(text), &answer, e));
    return glue_table_take(answer, out, e);
}

TEST(test_glue_table__reads_a_table)
{
    struct glue_table t = {0};
    struct err e = {0};

    assert_ok(take_text("{\"Table\":{\"Name\":\"orders\",\"VersionId\":\"12\",\"Parameters\":{"
                        "\"table_type\":\"Iceberg\",\"metadata_location\":\"s3://m\"}}}",
                        &t, &e),
              &e);
    assert_string_equal(t.metadata_location, "s3://m");
    assert_string_equal(t.version_id, "12");
    assert_true(glue_table_is_iceberg(t.json));
    glue_table_deinit(&t);
    assert_ok(take_text("{\"Table\":{\"VersionId\":\"\",\"Parameters\":{\"metadata_location\":7}}}",
                        &t, &e),
              &e);
    assert_null(t.metadata_location);
    assert_null(t.version_id);
    assert_false(glue_table_is_iceberg(t.json));
    glue_table_deinit(&t);
}

TEST(test_glue_table__says_what_is_no_answer)
{
    static const char *const answers[] = {
        "", "<html>", "[]", "{}", "{\"Table\":7}", "\"x\"", "{\"Table\":{\"Name\":\"a\\u0000b\"}}"};

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct glue_table t = {0};
        struct err e = {0};

        assert_err(take_text(answers[i], &t, &e), ERR_CORRUPT, &e);
        assert_non_null(strstr(e.msg, "glue.endpoint"));
        assert_null(t.answer);
    }
}

static enum err_code check_text(const char *table, struct err *e)
{
    struct glue_table t = {0};

    ERR_TRY(take_text(table, &t, e));
    enum err_code rc = glue_table_check(&t, &orders, e);

    glue_table_deinit(&t);
    return rc;
}

TEST(test_glue_table__takes_only_the_table_that_is_meant)
{
    static const struct {
        const char *parameters; /* and what else there is */
        enum err_code rc;
        const char *part;
    } cases[] = {
        {"{\"table_type\":\"ICEBERG\",\"metadata_location\":\"s3://m\"}", ERR_OK, ""},
        {"{\"table_type\":\"iceberg\",\"metadata_location\":\"s3://m\",\"calve.schema\":\"Shop\","
         "\"calve.table\":\"Orders\"}",
         ERR_OK, ""},
        {"{\"table_type\":\"ICEBERG\",\"metadata_location\":\"s3://m\",\"calve.schema\":\"shop\","
         "\"calve.table\":\"Orders\"}",
         ERR_CONFIG, "made for shop.Orders"},
        {"{\"table_type\":\"ICEBERG\",\"metadata_location\":\"s3://m\",\"calve.schema\":\"Shop\","
         "\"calve.table\":\"ORDERS\"}",
         ERR_CONFIG, "made for Shop.ORDERS"},
        {"{\"table_type\":\"ICEBERG\"}", ERR_CORRUPT, "without parameter metadata_location"},
        {"{\"EXTERNAL\":\"TRUE\"}", ERR_CONFIG, "table_type is missing"},
        {"{\"table_type\":\"HUDI\",\"metadata_location\":\"s3://m\"}", ERR_CONFIG,
         "table_type is 'HUDI'"},
        {"{},\"TargetTable\":{\"CatalogId\":\"99\",\"DatabaseName\":\"d\",\"Name\":\"t\"}",
         ERR_CONFIG, "a link to d.t of catalog 99"},
        {"{},\"TargetTable\":{}", ERR_CONFIG, "a link to ?.? of catalog ?"},
        {"null", ERR_CONFIG, "table_type is missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        char *table = str_format("{\"Table\":{\"Parameters\":%s}}", cases[i].parameters);

        assert_err(check_text(table, &e), cases[i].rc, &e);
        if (strstr(e.msg, cases[i].part) == NULL) {
            fail_msg("'%s' is not in: %s", cases[i].part, e.msg);
        }
        free(table);
    }
}

TEST(test_glue_table__reads_pages)
{
    static const char page[] =
        "{\"TableList\":["
        "{\"Name\":\"a\",\"Parameters\":{\"table_type\":\"ICEBERG\"}},"
        "{\"Name\":\"hive\",\"Parameters\":{}},{\"Name\":\"view\"},"
        "{\"Name\":\"b\",\"Parameters\":{\"table_type\":\"iceberg\",\"calve.schema\":\"Shop\","
        "\"calve.table\":\"B\"}},"
        "{\"Name\":\"c\",\"Parameters\":{\"table_type\":\"iceberg\",\"calve.schema\":\"SHOP\","
        "\"calve.table\":\"C\"}}],\"NextToken\":\"more\"}";
    struct locations names = {0};
    char *token = NULL;
    struct err e = {0};
    json_t *answer = json_of(page);

    assert_ok(glue_page_read(answer, "Shop", &names, &token, &e), &e);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "a");
    assert_string_equal(names.items[1], "B");
    assert_string_equal(token, "more");
    free(token);
    json_decref(answer);
    answer = json_of("{\"TableList\":[],\"NextToken\":\"\"}");
    assert_ok(glue_page_read(answer, "Shop", &names, &token, &e), &e);
    assert_null(token);
    json_decref(answer);
    answer = json_of("{\"TableList\":[{\"Parameters\":{\"table_type\":\"ICEBERG\"}}]}");
    assert_err(glue_page_read(answer, "Shop", &names, &token, &e), ERR_CORRUPT, &e);
    json_decref(answer);
    answer = json_of("{}");
    assert_err(glue_page_read(answer, "Shop", &names, &token, &e), ERR_CORRUPT, &e);
    json_decref(answer);
    locations_deinit(&names);
}

TEST(test_glue_table__rejects_every_truncation)
{
    static const char text[] =
        "{\"Table\":{\"Name\":\"orders\",\"VersionId\":\"12\",\"Parameters\":{\"table_type\":"
        "\"ICEBERG\",\"metadata_location\":\"s3://m\"}}}";

    for (size_t len = 0; len < sizeof text - 1; len++) {
        json_t *answer = NULL;
        struct err e = {0};

        assert_err(glue_answer_parse(span_of(text, len), &answer, &e), ERR_CORRUPT, &e);
    }
}

/* ---- refusals ---- */

TEST(test_glue_table__knows_what_a_refusal_means)
{
    static const struct {
        const char *action;
        const char *code;
        const char *message;
        bool repeatable;
        enum err_code said; /* by aws_call() */
        enum err_code rc;
        bool retryable;
        const char *part;
    } cases[] = {
        {"GetTable", "EntityNotFoundException", "", true, ERR_IO, ERR_NOT_FOUND, false, "said"},
        {"CreateTable", "AlreadyExistsException", "", false, ERR_IO, ERR_EXISTS, false, "said"},
        {"UpdateTable", "ConcurrentModificationException", "", false, ERR_IO, ERR_CONFLICT, false,
         "said"},
        {"GetTable", "InvalidInputException", "", true, ERR_IO, ERR_CONFIG, false, "glue.id"},
        {"GetTable", "ValidationException", "", true, ERR_IO, ERR_CONFIG, false, "glue.id"},
        {"GetTable", "GlueEncryptionException", "", true, ERR_IO, ERR_CONFIG, false, "kms:"},
        {"UpdateTable", "ResourceNumberLimitExceededException", "", false, ERR_IO, ERR_LIMIT, false,
         "glue.skip-archive"},
        {"GetTable", "ResourceNotReadyException", "", true, ERR_IO, ERR_IO, true, "said"},
        {"UpdateTable", "ResourceNotReadyException", "", false, ERR_IO, ERR_IO, true, "said"},
        {"GetTable", "OperationTimeoutException", "", true, ERR_IO, ERR_TIMEOUT, true, "said"},
        {"UpdateTable", "OperationTimeoutException", "", false, ERR_IO, ERR_UNKNOWN, false, "said"},
        {"GetTable", "InternalServiceException", "", true, ERR_IO, ERR_IO, true, "said"},
        {"CreateTable", "InternalServiceException", "", false, ERR_IO, ERR_UNKNOWN, false, "said"},
        {"GetTable", "FederationSourceException", "", true, ERR_IO, ERR_IO, false, "window"},
        {"UpdateTable", "FederationSourceException", "", false, ERR_IO, ERR_UNKNOWN, false,
         "window"},
        {"GetTable", "FederationSourceRetryableException", "", true, ERR_IO, ERR_IO, true, "said"},
        {"GetTable", "AccessDeniedException", "not authorized to perform: glue:GetTable", true,
         ERR_CONFIG, ERR_CONFIG, false, "where Lake Formation guards"},
        {"UpdateTable", "AccessDeniedException",
         "Insufficient Lake Formation permission(s): Required Alter on orders", false, ERR_CONFIG,
         ERR_CONFIG, false, "grant the caller there: Alter on the table shop.orders"},
        {"CreateTable", "AccessDeniedException",
         "Insufficient Lake Formation permission(s): Required Create Table on shop", false,
         ERR_CONFIG, ERR_CONFIG, false, "Create table on the database of shop.orders"},
        {"CreateTable", "AccessDeniedException",
         "Insufficient Lake Formation permission(s) on s3://lake/shop/orders", false, ERR_CONFIG,
         ERR_CONFIG, false, "data location access"},
        {"CreateDatabase", "AccessDenied", "Lake Formation", true, ERR_CONFIG, ERR_CONFIG, false,
         "Create database on the catalog, to make shop.orders"},
        {"GetDatabase", "AccessDeniedException", "Lake Formation", true, ERR_CONFIG, ERR_CONFIG,
         false, "Describe on the database shop.orders"},
        {"GetTables", "AccessDeniedException", "Lake Formation", true, ERR_CONFIG, ERR_CONFIG,
         false, "Describe on the tables of shop.orders"},
        {"GetTable", "AccessDeniedException", "Lake Formation", true, ERR_CONFIG, ERR_CONFIG, false,
         "Describe on the table shop.orders"},
        {"DeleteTable", "AccessDeniedException", "Lake Formation", true, ERR_CONFIG, ERR_CONFIG,
         false, "Drop on the table shop.orders"},
        /* What is no answer of Glue's at all says nothing about tables. */
        {"GetTable", "", "", true, ERR_NOT_FOUND, ERR_CONFIG, false, "glue.endpoint"},
        {"GetTable", "NoSuchBucket", "", true, ERR_NOT_FOUND, ERR_CONFIG, false, "glue.endpoint"},
        {"CreateTable", "", "", false, ERR_EXISTS, ERR_CONFIG, false, "glue.endpoint"},
        {"UpdateTable", "", "", false, ERR_CONFLICT, ERR_CONFIG, false, "glue.endpoint"},
        /* What aws_call() knows better stays. */
        {"UpdateTable", "EntityNotFoundException", "", false, ERR_UNKNOWN, ERR_UNKNOWN, false,
         "said"},
        {"GetTable", "InternalServiceException", "", true, ERR_CANCELLED, ERR_CANCELLED, false,
         "said"},
        {"GetTable", "ThrottlingException", "", true, ERR_IO, ERR_IO, true, "said"},
        {"GetTable", "", "", true, ERR_TIMEOUT, ERR_TIMEOUT, true, "said"},
        {"GetTable", "UnrecognizedClientException", "", true, ERR_CONFIG, ERR_CONFIG, true, "said"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct glue_request request = {cases[i].action, "shop.orders", NULL,
                                             cases[i].repeatable};
        struct aws_error said = {.status = 400};
        struct err e = {0};

        (void)snprintf(said.code, sizeof said.code, "%s", cases[i].code);
        (void)snprintf(said.message, sizeof said.message, "%s", cases[i].message);
        (void)err_set_retryable(&e, cases[i].said, "said: %s", cases[i].message);
        enum err_code rc = glue_explain(&request, &said, &e);

        if (rc != cases[i].rc || e.code != rc) {
            fail_msg("case %zu (%s %s) gives %s", i, cases[i].action, cases[i].code,
                     err_code_name(rc));
        }
        if (strstr(e.msg, cases[i].part) == NULL || strstr(e.msg, "said") == NULL) {
            fail_msg("case %zu: '%s' is not in: %s", i, cases[i].part, e.msg);
        }
        if (rc != ERR_UNKNOWN && rc != ERR_CANCELLED && e.retryable != cases[i].retryable) {
            fail_msg("case %zu (%s) is %sretryable", i, cases[i].code, e.retryable ? "" : "not ");
        }
    }
}

/* ---- memory ---- */

TEST(test_glue_table__survives_every_failed_allocation)
{
    struct iceberg_metadata *m = metadata_of(
        ONE_COLUMN ",\"properties\":{\"comment\":\"c\",\"write.data.path\":\"s3://d\"}");
    json_t *existing = json_of("{\"StorageDescriptor\":{\"Columns\":[{\"Name\":\"id\","
                               "\"Comment\":\"c\"}]}}");
    json_t *page = json_of("{\"TableList\":[{\"Name\":\"a\",\"Parameters\":{\"table_type\":"
                           "\"ICEBERG\"}}],\"NextToken\":\"more\"}");
    bool made = false;
    bool read = false;

    TORTURE(nth)
    {
        struct locations names = {0};
        char *token = NULL;
        struct err e = {0};
        json_t *input =
            glue_table_input(&(struct glue_table_next){.name = &orders,
                                                       .metadata = m,
                                                       .metadata_location = "s3://lake/m1",
                                                       .existing = existing,
                                                       .previous_location = "s3://lake/m0"});
        enum err_code rc = glue_page_read(page, "shop", &names, &token, &e);

        made = input != NULL;
        read = rc == ERR_OK;
        if (rc != ERR_OK && rc != ERR_NOMEM) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), e.msg);
        }
        json_decref(input);
        free(token);
        locations_deinit(&names);
    }
    assert_true(made && read);
    json_decref(page);
    json_decref(existing);
    iceberg_metadata_free(m);
}

TEST_MAIN(test_case(test_glue_table__has_a_type_for_each_of_icebergs),
          test_case(test_glue_table__lists_current_columns_before_those_that_were),
          test_case(test_glue_table__reads_the_schema_of_a_version_1_table),
          test_case(test_glue_table__keeps_comments_that_the_schema_lacks),
          test_case(test_glue_table__leaves_out_columns_whose_names_glue_refuses),
          test_case(test_glue_table__cuts_texts_where_glue_wants_it),
          test_case(test_glue_table__describes_a_new_table),
          test_case(test_glue_table__keeps_what_others_put_there),
          test_case(test_glue_table__names_other_places_and_the_comment),
          test_case(test_glue_table__reads_a_table),
          test_case(test_glue_table__says_what_is_no_answer),
          test_case(test_glue_table__takes_only_the_table_that_is_meant),
          test_case(test_glue_table__reads_pages),
          test_case(test_glue_table__rejects_every_truncation),
          test_case(test_glue_table__knows_what_a_refusal_means),
          test_case(test_glue_table__survives_every_failed_allocation))
