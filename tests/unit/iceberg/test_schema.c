#include "iceberg/schema.h"

#include <stdlib.h>

#include "test.h"

static const struct iceberg_field fields[] = {
    {.id = 1, .name = "bo", .type = ICEBERG_TYPE_BOOLEAN, .required = true},
    {.id = 2, .name = "in", .type = ICEBERG_TYPE_INT},
    {.id = 3, .name = "lo", .type = ICEBERG_TYPE_LONG},
    {.id = 4, .name = "fl", .type = ICEBERG_TYPE_FLOAT},
    {.id = 5, .name = "do", .type = ICEBERG_TYPE_DOUBLE},
    {.id = 6, .name = "de", .type = ICEBERG_TYPE_DECIMAL, .precision = 38, .scale = 2},
    {.id = 7, .name = "da", .type = ICEBERG_TYPE_DATE},
    {.id = 8, .name = "ti", .type = ICEBERG_TYPE_TIME},
    {.id = 9, .name = "ts", .type = ICEBERG_TYPE_TIMESTAMP},
    {.id = 10, .name = "tz", .type = ICEBERG_TYPE_TIMESTAMPTZ},
    {.id = 11, .name = "st", .type = ICEBERG_TYPE_STRING},
    {.id = 12, .name = "uu", .type = ICEBERG_TYPE_UUID},
    {.id = 13, .name = "fi", .type = ICEBERG_TYPE_FIXED, .length = 5},
    {.id = 14, .name = "b\"\xc3\xa9", .type = ICEBERG_TYPE_BINARY},
};

#define COUNT (sizeof fields / sizeof fields[0])

TEST(test_schema__spells_every_type)
{
    static const int32_t ids[] = {1, 3};
    char *text = iceberg_schema_json(&(struct iceberg_schema){.schema_id = 3,
                                                              .fields = fields,
                                                              .field_count = COUNT,
                                                              .identifier_ids = ids,
                                                              .identifier_count = 2});

    assert_string_equal(
        text, "{\"type\":\"struct\",\"schema-id\":3,\"identifier-field-ids\":[1,3],\"fields\":["
              "{\"id\":1,\"name\":\"bo\",\"required\":true,\"type\":\"boolean\"},"
              "{\"id\":2,\"name\":\"in\",\"required\":false,\"type\":\"int\"},"
              "{\"id\":3,\"name\":\"lo\",\"required\":false,\"type\":\"long\"},"
              "{\"id\":4,\"name\":\"fl\",\"required\":false,\"type\":\"float\"},"
              "{\"id\":5,\"name\":\"do\",\"required\":false,\"type\":\"double\"},"
              "{\"id\":6,\"name\":\"de\",\"required\":false,\"type\":\"decimal(38, 2)\"},"
              "{\"id\":7,\"name\":\"da\",\"required\":false,\"type\":\"date\"},"
              "{\"id\":8,\"name\":\"ti\",\"required\":false,\"type\":\"time\"},"
              "{\"id\":9,\"name\":\"ts\",\"required\":false,\"type\":\"timestamp\"},"
              "{\"id\":10,\"name\":\"tz\",\"required\":false,\"type\":\"timestamptz\"},"
              "{\"id\":11,\"name\":\"st\",\"required\":false,\"type\":\"string\"},"
              "{\"id\":12,\"name\":\"uu\",\"required\":false,\"type\":\"uuid\"},"
              "{\"id\":13,\"name\":\"fi\",\"required\":false,\"type\":\"fixed[5]\"},"
              "{\"id\":14,\"name\":\"b\\\"\xc3\xa9\",\"required\":false,\"type\":\"binary\"}]}");
    free(text);
    text = iceberg_schema_json(&(struct iceberg_schema){0});
    assert_string_equal(text, "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[]}");
    free(text);
}

TEST(test_schema__maps_every_type_to_parquet)
{
    static const struct {
        enum column_kind kind;
        enum parquet_logical logical;
        uint32_t fixed_bytes;
    } want[COUNT] = {
        {COLUMN_KIND_BOOL, PARQUET_LOGICAL_NONE, 0},
        {COLUMN_KIND_INT32, PARQUET_LOGICAL_NONE, 0},
        {COLUMN_KIND_INT64, PARQUET_LOGICAL_NONE, 0},
        {COLUMN_KIND_FLOAT, PARQUET_LOGICAL_NONE, 0},
        {COLUMN_KIND_DOUBLE, PARQUET_LOGICAL_NONE, 0},
        {COLUMN_KIND_FIXED, PARQUET_LOGICAL_DECIMAL, 16},
        {COLUMN_KIND_INT32, PARQUET_LOGICAL_DATE, 0},
        {COLUMN_KIND_INT64, PARQUET_LOGICAL_TIME_US, 0},
        {COLUMN_KIND_INT64, PARQUET_LOGICAL_TIMESTAMP_US, 0},
        {COLUMN_KIND_INT64, PARQUET_LOGICAL_TIMESTAMPTZ_US, 0},
        {COLUMN_KIND_BYTES, PARQUET_LOGICAL_STRING, 0},
        {COLUMN_KIND_FIXED, PARQUET_LOGICAL_UUID, 16},
        {COLUMN_KIND_FIXED, PARQUET_LOGICAL_NONE, 5},
        {COLUMN_KIND_BYTES, PARQUET_LOGICAL_NONE, 0},
    };

    for (size_t i = 0; i < COUNT; i++) {
        struct parquet_column_spec c = iceberg_field_parquet(&fields[i]);

        assert_string_equal(c.name, fields[i].name);
        assert_int_equal(c.field_id, fields[i].id);
        assert_int_equal(c.required, fields[i].required);
        assert_int_equal(c.kind, want[i].kind);
        assert_int_equal(c.logical, want[i].logical);
        assert_int_equal(c.fixed_bytes, want[i].fixed_bytes);
    }
}

/* The widths that the spec's formula gives: the least n with 10^p <= 2^(8n - 1). */
TEST(test_schema__stores_decimals_in_the_least_bytes)
{
    static const uint8_t bytes_from_19[] = {9,  9,  9,  10, 10, 11, 11, 11, 12, 12,
                                            13, 13, 13, 14, 14, 15, 15, 16, 16, 16};

    for (uint8_t p = 1; p <= 38; p++) {
        struct parquet_column_spec c = iceberg_field_parquet(&(struct iceberg_field){
            .name = "d", .type = ICEBERG_TYPE_DECIMAL, .precision = p, .scale = 1});

        assert_int_equal(c.precision, p);
        assert_int_equal(c.scale, 1);
        assert_int_equal(c.kind, p <= 9    ? COLUMN_KIND_INT32
                                 : p <= 18 ? COLUMN_KIND_INT64
                                           : COLUMN_KIND_FIXED);
        assert_int_equal(c.fixed_bytes, p <= 18 ? 0 : bytes_from_19[p - 19]);
    }
}

TEST(test_schema__floors_days)
{
    static const struct {
        int64_t us;
        int32_t day;
    } known[] = {
        {0, 0},
        {-1, -1},
        {INT64_C(86399999999), 0},
        {INT64_C(86400000000), 1},
        {INT64_C(-86400000000), -1},
        {INT64_C(-86400000001), -2},
        {INT64_C(1709210096000000), 19782},     /* 2024-02-29 12:34:56 */
        {INT64_C(253402300799999999), 2932896}, /* 9999-12-31 */
        {INT64_C(-62167219200000000), -719528}, /* 0000-01-01 */
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(iceberg_day_of_us(known[i].us), known[i].day);
    }
}

TEST_MAIN(test_case(test_schema__spells_every_type),
          test_case(test_schema__maps_every_type_to_parquet),
          test_case(test_schema__stores_decimals_in_the_least_bytes),
          test_case(test_schema__floors_days))
