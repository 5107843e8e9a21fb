/* test_table_new.c - the first metadata of a table. */
#include <stdlib.h>

#include "iceberg/metadata_int.h"
#include "test.h"

static const struct iceberg_field fields[] = {
    {.id = 1, .name = "id", .type = ICEBERG_TYPE_LONG, .required = true},
    {.id = 7, .name = "ts", .type = ICEBERG_TYPE_TIMESTAMP},
};

static const int32_t identifiers[] = {1};

static struct iceberg_schema schema = {
    .fields = fields, .field_count = 2, .identifier_ids = identifiers, .identifier_count = 1};

static const struct iceberg_property properties[] = {{"a", "gr\xc3\xbc"}, {"b", ""}};

static struct iceberg_table_options options(void)
{
    return (struct iceberg_table_options){
        .uuid = "6d0e6f4e-3c1b-4f0c-9d44-0a3d4e1a7b11",
        .location = "s3://bucket/x",
        .now_ms = 1700000000123,
        .schema = &schema,
        .partition = {.by_day = true, .source_id = 7, .field_id = 1000, .name = "date"},
        .properties = properties,
        .property_count = 2,
    };
}

TEST(test_table_new__makes_a_table_of_version_2)
{
    struct iceberg_table_options o = options();
    struct iceberg_metadata *m;
    struct buf out = {0};
    struct err e = {0};

    assert_ok(iceberg_metadata_new(&o, &m, &e), &e);
    assert_ok(iceberg_metadata_print(m, &out, &e), &e);
    assert_text_eq(
        buf_span(&out),
        "{\"format-version\":2,\"table-uuid\":\"6d0e6f4e-3c1b-4f0c-9d44-0a3d4e1a7b11\","
        "\"location\":\"s3://bucket/x\",\"last-sequence-number\":0,\"last-updated-ms\":"
        "1700000000123,\"last-column-id\":7,\"current-schema-id\":0,\"schemas\":[{\"type\":"
        "\"struct\",\"schema-id\":0,\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":"
        "\"id\",\"required\":true,\"type\":\"long\"},{\"id\":7,\"name\":\"ts\",\"required\":false,"
        "\"type\":\"timestamp\"}]}],\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,"
        "\"fields\":[{\"name\":\"date\",\"transform\":\"day\",\"source-id\":7,\"field-id\":1000}]}]"
        ",\"last-partition-id\":1000,\"default-sort-order-id\":0,\"sort-orders\":[{\"order-id\":0,"
        "\"fields\":[]}],\"properties\":{\"a\":\"gr\xc3\xbc\",\"b\":\"\"},\"current-snapshot-id\":"
        "-1,\"refs\":{},\"snapshots\":[],\"statistics\":[],\"partition-statistics\":[],"
        "\"snapshot-log\":[],\"metadata-log\":[]}");
    assert_i64_eq(iceberg_metadata_snapshot_id(m), -1);
    iceberg_metadata_free(m);

    o.partition = (struct iceberg_partition){0};
    assert_ok(iceberg_metadata_new(&o, &m, &e), &e);
    assert_i64_eq(metadata_int(m, "last-partition-id", 0), 999);
    struct spec_view spec;

    assert_true(metadata_spec(m, 0, &spec));
    assert_true(spec.writable && !spec.by_day);
    iceberg_metadata_free(m);
    buf_deinit(&out);
}

TEST(test_table_new__refuses_text_that_is_not_utf8)
{
    static const struct iceberg_property bad_property[] = {{"a", "\xc3("}};
    static const struct iceberg_property bad_key[] = {{"\xff", ""}};
    static const struct iceberg_field bad_field[] = {{.id = 1, .name = "\xe4"}};
    static const struct iceberg_schema bad_schema = {.fields = bad_field, .field_count = 1};
    struct iceberg_table_options o = options();
    struct iceberg_metadata *m;
    struct err e = {0};

    o.location = "file:///\xff";
    assert_err(iceberg_metadata_new(&o, &m, &e), ERR_CONFIG, &e);
    o = options();
    o.properties = bad_property;
    o.property_count = 1;
    assert_err(iceberg_metadata_new(&o, &m, &e), ERR_CONFIG, &e);
    o.properties = bad_key;
    assert_err(iceberg_metadata_new(&o, &m, &e), ERR_CONFIG, &e);
    o = options();
    o.schema = &bad_schema;
    assert_err(iceberg_metadata_new(&o, &m, &e), ERR_CONFIG, &e);
}

TEST(test_table_new__survives_lack_of_memory)
{
    struct iceberg_table_options o = options();

    json_set_alloc_funcs(malloc, free);
    TORTURE(nth)
    {
        struct iceberg_metadata *m = NULL;
        struct err e = {0};
        enum err_code rc = iceberg_metadata_new(&o, &m, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        iceberg_metadata_free(m);
    }
}

TEST_MAIN(test_case(test_table_new__makes_a_table_of_version_2),
          test_case(test_table_new__refuses_text_that_is_not_utf8),
          test_case(test_table_new__survives_lack_of_memory))
