#include "pipeline/changelog.h"

static const struct iceberg_field changelog_fields[CHANGELOG_COLUMNS] = {
    [CHANGELOG_EVENT_TYPE] = {.id = 1, .name = "event_type", .type = ICEBERG_TYPE_STRING},
    [CHANGELOG_TIMESTAMP] = {.id = 2, .name = "timestamp", .type = ICEBERG_TYPE_TIMESTAMP},
    [CHANGELOG_LOG_FILE] = {.id = 3, .name = "log_file", .type = ICEBERG_TYPE_STRING},
    [CHANGELOG_LOG_POSITION] = {.id = 4, .name = "log_position", .type = ICEBERG_TYPE_LONG},
    [CHANGELOG_PAYLOAD] = {.id = 5, .name = "payload", .type = ICEBERG_TYPE_STRING},
};

static const struct iceberg_field watermarks_fields[WATERMARKS_COLUMNS] = {
    [WATERMARKS_CONNECTION_NAME] = {.id = 1,
                                    .name = "connection_name",
                                    .type = ICEBERG_TYPE_STRING,
                                    .required = true},
    [WATERMARKS_SERVER_ID] = {.id = 2,
                              .name = "server_id",
                              .type = ICEBERG_TYPE_LONG,
                              .required = true},
    [WATERMARKS_SCHEMA] = {.id = 3,
                           .name = "schema",
                           .type = ICEBERG_TYPE_STRING,
                           .required = true},
    [WATERMARKS_TABLE_NAME] = {.id = 4,
                               .name = "table",
                               .type = ICEBERG_TYPE_STRING,
                               .required = true},
    [WATERMARKS_LOG_FILE] = {.id = 5, .name = "log_file", .type = ICEBERG_TYPE_STRING},
    [WATERMARKS_LOG_POSITION] = {.id = 6, .name = "log_position", .type = ICEBERG_TYPE_LONG},
    [WATERMARKS_BACKFILL_COMPLETE] = {.id = 7,
                                      .name = "backfill_complete",
                                      .type = ICEBERG_TYPE_BOOLEAN},
    [WATERMARKS_UPDATED_AT] = {.id = 8, .name = "updated_at", .type = ICEBERG_TYPE_TIMESTAMP},
};

static const int32_t watermarks_identifiers[] = {1, 2, 3, 4};

static const struct iceberg_schema changelog = {
    .fields = changelog_fields,
    .field_count = CHANGELOG_COLUMNS,
};

static const struct iceberg_schema watermarks = {
    .fields = watermarks_fields,
    .field_count = WATERMARKS_COLUMNS,
    .identifier_ids = watermarks_identifiers,
    .identifier_count = 4,
};

const struct iceberg_schema *changelog_schema(void)
{
    return &changelog;
}

struct iceberg_partition changelog_partition(void)
{
    return (struct iceberg_partition){
        .by_day = true, .source_id = 2, .field_id = 1000, .name = "date"};
}

const struct iceberg_schema *watermarks_schema(void)
{
    return &watermarks;
}

void changelog_parquet_columns(const struct iceberg_schema *schema, struct parquet_column_spec *out)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        out[i] = iceberg_field_parquet(&schema->fields[i]);
    }
    if (schema == &changelog) {
        /* Hardly a payload or a position comes twice. */
        out[CHANGELOG_LOG_POSITION].no_dictionary = true;
        out[CHANGELOG_PAYLOAD].no_dictionary = true;
    }
}

struct column_batch *changelog_batch_new(const struct iceberg_schema *schema)
{
    struct parquet_column_spec specs[WATERMARKS_COLUMNS];
    enum column_kind kinds[WATERMARKS_COLUMNS];

    changelog_parquet_columns(schema, specs);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        kinds[i] = specs[i].kind;
    }
    return column_batch_new(kinds, schema->field_count);
}
