#include "pipeline/changelog.h"

#include <stdlib.h>

#include "test.h"

/* Existing tables and queries rest on these two texts. */
TEST(test_changelog__schema_is_the_contract)
{
    char *json = iceberg_schema_json(changelog_schema());

    assert_string_equal(
        json, "{\"type\":\"struct\",\"schema-id\":0,\"fields\":["
              "{\"id\":1,\"name\":\"event_type\",\"required\":false,\"type\":\"string\"},"
              "{\"id\":2,\"name\":\"timestamp\",\"required\":false,\"type\":\"timestamp\"},"
              "{\"id\":3,\"name\":\"log_file\",\"required\":false,\"type\":\"string\"},"
              "{\"id\":4,\"name\":\"log_position\",\"required\":false,\"type\":\"long\"},"
              "{\"id\":5,\"name\":\"payload\",\"required\":false,\"type\":\"string\"}]}");
    free(json);
}

TEST(test_changelog__watermarks_schema_is_the_contract)
{
    char *json = iceberg_schema_json(watermarks_schema());

    assert_string_equal(
        json, "{\"type\":\"struct\",\"schema-id\":0,\"identifier-field-ids\":[1,2,3,4],\"fields\":["
              "{\"id\":1,\"name\":\"connection_name\",\"required\":true,\"type\":\"string\"},"
              "{\"id\":2,\"name\":\"server_id\",\"required\":true,\"type\":\"long\"},"
              "{\"id\":3,\"name\":\"schema\",\"required\":true,\"type\":\"string\"},"
              "{\"id\":4,\"name\":\"table\",\"required\":true,\"type\":\"string\"},"
              "{\"id\":5,\"name\":\"log_file\",\"required\":false,\"type\":\"string\"},"
              "{\"id\":6,\"name\":\"log_position\",\"required\":false,\"type\":\"long\"},"
              "{\"id\":7,\"name\":\"backfill_complete\",\"required\":false,\"type\":\"boolean\"},"
              "{\"id\":8,\"name\":\"updated_at\",\"required\":false,\"type\":\"timestamp\"}]}");
    free(json);
    assert_string_equal(WATERMARKS_NAMESPACE "." WATERMARKS_TABLE, "cdc_metadata.watermarks");
}

TEST(test_changelog__is_partitioned_by_day_of_the_timestamp)
{
    struct iceberg_partition p = changelog_partition();

    assert_true(p.by_day);
    assert_int_equal(p.source_id, 2);
    assert_int_equal(p.field_id, 1000);
    assert_string_equal(p.name, "date");
}

TEST(test_changelog__fields_are_where_the_enum_says)
{
    static const char *const names[] = {[CHANGELOG_EVENT_TYPE] = "event_type",
                                        [CHANGELOG_TIMESTAMP] = "timestamp",
                                        [CHANGELOG_LOG_FILE] = "log_file",
                                        [CHANGELOG_LOG_POSITION] = "log_position",
                                        [CHANGELOG_PAYLOAD] = "payload"};
    static const char *const watermarks[] = {[WATERMARKS_CONNECTION_NAME] = "connection_name",
                                             [WATERMARKS_SERVER_ID] = "server_id",
                                             [WATERMARKS_SCHEMA] = "schema",
                                             [WATERMARKS_TABLE_NAME] = "table",
                                             [WATERMARKS_LOG_FILE] = "log_file",
                                             [WATERMARKS_LOG_POSITION] = "log_position",
                                             [WATERMARKS_BACKFILL_COMPLETE] = "backfill_complete",
                                             [WATERMARKS_UPDATED_AT] = "updated_at"};

    assert_int_equal(changelog_schema()->field_count, CHANGELOG_COLUMNS);
    for (uint32_t i = 0; i < CHANGELOG_COLUMNS; i++) {
        assert_string_equal(changelog_schema()->fields[i].name, names[i]);
    }
    assert_int_equal(watermarks_schema()->field_count, WATERMARKS_COLUMNS);
    for (uint32_t i = 0; i < WATERMARKS_COLUMNS; i++) {
        assert_string_equal(watermarks_schema()->fields[i].name, watermarks[i]);
    }
}

TEST(test_changelog__parquet_columns_follow_the_schema)
{
    static const struct parquet_column_spec want[] = {
        {.kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING},
        {.kind = COLUMN_KIND_INT64, .logical = PARQUET_LOGICAL_TIMESTAMP_US},
        {.kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING},
        {.kind = COLUMN_KIND_INT64, .logical = PARQUET_LOGICAL_NONE, .no_dictionary = true},
        {.kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING, .no_dictionary = true},
    };
    struct parquet_column_spec got[WATERMARKS_COLUMNS];

    changelog_parquet_columns(changelog_schema(), got);
    for (uint32_t i = 0; i < CHANGELOG_COLUMNS; i++) {
        assert_int_equal(got[i].field_id, i + 1);
        assert_string_equal(got[i].name, changelog_schema()->fields[i].name);
        assert_false(got[i].required);
        assert_int_equal(got[i].kind, want[i].kind);
        assert_int_equal(got[i].logical, want[i].logical);
        assert_int_equal(got[i].no_dictionary, want[i].no_dictionary);
    }
    changelog_parquet_columns(watermarks_schema(), got);
    for (uint32_t i = 0; i < WATERMARKS_COLUMNS; i++) {
        assert_int_equal(got[i].required, i < 4);
        assert_false(got[i].no_dictionary);
    }
    assert_int_equal(got[WATERMARKS_BACKFILL_COMPLETE].kind, COLUMN_KIND_BOOL);
}

TEST(test_changelog__makes_batches_of_its_columns)
{
    struct column_batch *b = changelog_batch_new(changelog_schema());

    assert_non_null(b);
    assert_int_equal(b->column_count, CHANGELOG_COLUMNS);
    assert_int_equal(b->columns[CHANGELOG_PAYLOAD].kind, COLUMN_KIND_BYTES);
    assert_int_equal(b->columns[CHANGELOG_TIMESTAMP].kind, COLUMN_KIND_INT64);
    assert_int_equal(b->row_count, 0);
    column_batch_free(b);
    TORTURE(nth)
    {
        column_batch_free(changelog_batch_new(watermarks_schema()));
    }
}

TEST_MAIN(test_case(test_changelog__schema_is_the_contract),
          test_case(test_changelog__watermarks_schema_is_the_contract),
          test_case(test_changelog__is_partitioned_by_day_of_the_timestamp),
          test_case(test_changelog__fields_are_where_the_enum_says),
          test_case(test_changelog__parquet_columns_follow_the_schema),
          test_case(test_changelog__makes_batches_of_its_columns))
