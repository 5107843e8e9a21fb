/* table_new.c - the first metadata of a table. */
#include <stdlib.h>

#include "base/str.h"
#include "iceberg/metadata_int.h"

#define PARTITION_ID_NONE 999

static json_t *partition_fields(const struct iceberg_partition *p)
{
    return p->by_day ? json_pack("[{s:s, s:s, s:i, s:i}]", "name", p->name, "transform", "day",
                                 "source-id", p->source_id, "field-id", p->field_id)
                     : json_array();
}

static json_t *properties_json(const struct iceberg_table_options *o)
{
    json_t *map = json_object();

    for (uint32_t i = 0; i < o->property_count && map != NULL; i++) {
        if (json_object_set_new(map, o->properties[i].key, json_string(o->properties[i].value)) !=
            0) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

static json_t *schema_document(const struct iceberg_schema *schema)
{
    char *text = iceberg_schema_json(schema);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);

    free(text);
    return json;
}

static enum err_code check_text(const struct iceberg_table_options *o, struct err *e)
{
    for (uint32_t i = 0; i < o->schema->field_count; i++) {
        if (!str_is_utf8(span_str(o->schema->fields[i].name))) {
            return err_set(e, ERR_CONFIG, "the name of column %d is not UTF-8",
                           o->schema->fields[i].id);
        }
    }
    for (uint32_t i = 0; i < o->property_count; i++) {
        if (!str_is_utf8(span_str(o->properties[i].key)) ||
            !str_is_utf8(span_str(o->properties[i].value))) {
            return err_set(e, ERR_CONFIG, "a table property is not UTF-8");
        }
    }
    return str_is_utf8(span_str(o->location))
               ? ERR_OK
               : err_set(e, ERR_CONFIG, "the table location is not UTF-8");
}

enum err_code iceberg_metadata_new(const struct iceberg_table_options *options,
                                   struct iceberg_metadata **out, struct err *e)
{
    int32_t last_column_id = 0;
    int last_partition_id =
        options->partition.by_day ? options->partition.field_id : PARTITION_ID_NONE;

    ERR_TRY(check_text(options, e));
    for (uint32_t i = 0; i < options->schema->field_count; i++) {
        if (options->schema->fields[i].id > last_column_id) {
            last_column_id = options->schema->fields[i].id;
        }
    }
    /* json_pack takes each new part over, also when it fails. */
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:i, s:I, s:i, s:i, s:[o], s:i, s:[{s:i, s:o}], s:i, s:i, s:[{s:i, "
        "s:[]}], "
        "s:o, s:I, s:{}, s:[], s:[], s:[], s:[], s:[]}",
        "format-version", 2, "table-uuid", options->uuid, "location", options->location,
        "last-sequence-number", 0, "last-updated-ms", (json_int_t)options->now_ms, "last-column-id",
        last_column_id, "current-schema-id", options->schema->schema_id, "schemas",
        schema_document(options->schema), "default-spec-id", 0, "partition-specs", "spec-id", 0,
        "fields", partition_fields(&options->partition), "last-partition-id", last_partition_id,
        "default-sort-order-id", 0, "sort-orders", "order-id", 0, "fields", "properties",
        properties_json(options), "current-snapshot-id", (json_int_t)-1, "refs", "snapshots",
        "statistics", "partition-statistics", "snapshot-log", "metadata-log");

    return metadata_wrap(root, out, e);
}
