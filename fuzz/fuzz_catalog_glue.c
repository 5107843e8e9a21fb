/*
 * Answers of Glue: a table is read, checked and turned into the TableInput of its next version,
 * which holds nothing but what a TableInput has; a page of tables is read.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "catalog/glue_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct glue_name name = {
    .database = "shop", .table = "orders", .full = "shop.orders", .source = {"shop", "orders"}};

static const char metadata_json[] =
    "{\"format-version\":1,\"location\":\"s3://lake/shop/orders\",\"last-updated-ms\":1,"
    "\"last-column-id\":2,\"schema\":{\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,"
    "\"type\":\"long\"},{\"id\":2,\"name\":\"note\",\"required\":false,\"type\":\"string\"}]}}";

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void check_input(const json_t *input)
{
    static const char *const counted[] = {"VersionId", "CatalogId",    "CreateTime", "UpdateTime",
                                          "CreatedBy", "DatabaseName", "Status"};
    const json_t *parameters = json_object_get(input, "Parameters");
    const json_t *sd = json_object_get(input, "StorageDescriptor");

    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        must(json_object_get(input, counted[i]) == NULL);
    }
    must(strcmp(text_of(input, "Name"), "orders") == 0);
    must(strcmp(text_of(parameters, GLUE_LOCATION), "s3://lake/1") == 0);
    must(strcmp(text_of(parameters, GLUE_PREVIOUS_LOCATION), "s3://lake/0") == 0);
    must(strcmp(text_of(sd, "Location"), "s3://lake/shop/orders") == 0);
    must(json_array_size(json_object_get(sd, "Columns")) == 2);
}

/* Takes answer over. */
static void read_table(json_t *answer, const struct iceberg_metadata *metadata)
{
    struct glue_table table;
    struct err e = {0};
    enum err_code rc = glue_table_take(answer, &table, &e);

    if (rc != ERR_OK) {
        must(rc == ERR_CORRUPT && e.code == rc);
        return;
    }
    rc = glue_table_check(&table, &name, &e);
    must(rc == ERR_OK || rc == ERR_CONFIG || rc == ERR_CORRUPT);
    must(rc != ERR_OK || table.metadata_location != NULL);
    json_t *input = glue_table_input(&(struct glue_table_next){.name = &name,
                                                               .metadata = metadata,
                                                               .metadata_location = "s3://lake/1",
                                                               .existing = table.json,
                                                               .previous_location = "s3://lake/0"});

    must(input != NULL);
    check_input(input);
    json_decref(input);
    glue_table_deinit(&table);
}

static void read_page(const json_t *answer)
{
    struct locations names = {0};
    char *token = NULL;
    struct err e = {0};
    enum err_code rc = glue_page_read(answer, "shop", &names, &token, &e);

    must(rc == ERR_OK || rc == ERR_CORRUPT);
    free(token);
    locations_deinit(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iceberg_metadata *metadata = NULL;
    json_t *answer = NULL;
    struct err e = {0};
    enum err_code rc = glue_answer_parse(span_of(data, size), &answer, &e);

    if (rc != ERR_OK) {
        must(rc == ERR_CORRUPT && e.code == rc);
        return 0;
    }
    must(iceberg_metadata_parse(span_str(metadata_json), &metadata, &e) == ERR_OK);
    read_page(answer);
    read_table(answer, metadata);
    iceberg_metadata_free(metadata);
    return 0;
}
