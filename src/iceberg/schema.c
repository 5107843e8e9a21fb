#include "iceberg/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_US          INT64_C(86400000000)
#define TYPE_NAME_BYTES 48u

/* The type as Iceberg JSON spells it. */
static void type_name(const struct iceberg_field *f, char out[TYPE_NAME_BYTES])
{
    const char *name = "";

    switch (f->type) {
    case ICEBERG_TYPE_BOOLEAN:
        name = "boolean";
        break;
    case ICEBERG_TYPE_INT:
        name = "int";
        break;
    case ICEBERG_TYPE_LONG:
        name = "long";
        break;
    case ICEBERG_TYPE_FLOAT:
        name = "float";
        break;
    case ICEBERG_TYPE_DOUBLE:
        name = "double";
        break;
    case ICEBERG_TYPE_DECIMAL:
        (void)snprintf(out, TYPE_NAME_BYTES, "decimal(%u, %u)", f->precision, f->scale);
        return;
    case ICEBERG_TYPE_DATE:
        name = "date";
        break;
    case ICEBERG_TYPE_TIME:
        name = "time";
        break;
    case ICEBERG_TYPE_TIMESTAMP:
        name = "timestamp";
        break;
    case ICEBERG_TYPE_TIMESTAMPTZ:
        name = "timestamptz";
        break;
    case ICEBERG_TYPE_STRING:
        name = "string";
        break;
    case ICEBERG_TYPE_UUID:
        name = "uuid";
        break;
    case ICEBERG_TYPE_FIXED:
        (void)snprintf(out, TYPE_NAME_BYTES, "fixed[%u]", f->length);
        return;
    case ICEBERG_TYPE_BINARY:
        name = "binary";
        break;
    }
    (void)snprintf(out, TYPE_NAME_BYTES, "%s", name);
}

static json_t *field_json(const struct iceberg_field *f)
{
    char type[TYPE_NAME_BYTES];

    type_name(f, type);
    return json_pack("{s:i, s:s, s:b, s:s}", "id", f->id, "name", f->name, "required",
                     f->required ? 1 : 0, "type", type);
}

char *iceberg_schema_json(const struct iceberg_schema *schema)
{
    json_t *fields = json_array();
    json_t *root = json_pack("{s:s, s:i}", "type", "struct", "schema-id", schema->schema_id);
    bool ok = fields != NULL && root != NULL;
    char *text = NULL;

    for (uint32_t i = 0; i < schema->field_count && ok; i++) {
        ok = json_array_append_new(fields, field_json(&schema->fields[i])) == 0;
    }
    if (ok && schema->identifier_count > 0) {
        json_t *ids = json_array();

        for (uint32_t i = 0; i < schema->identifier_count && ok; i++) {
            ok = json_array_append_new(ids, json_integer(schema->identifier_ids[i])) == 0;
        }
        ok = json_object_set_new(root, "identifier-field-ids", ids) == 0 && ok;
    }
    if (ok && json_object_set(root, "fields", fields) == 0) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(fields);
    json_decref(root);
    return text;
}

/* Bytes of the shortest two's complement number that holds every decimal of this precision. */
static uint32_t decimal_bytes(uint8_t precision)
{
    /* log2(10) is 3.32193; a sign bit on top. */
    uint32_t bits = (uint32_t)precision * 332193u / 100000u + 2;

    return (bits + 7) / 8;
}

struct parquet_column_spec iceberg_field_parquet(const struct iceberg_field *field)
{
    struct parquet_column_spec c = {
        .name = field->name,
        .field_id = field->id,
        .required = field->required,
        .kind = COLUMN_KIND_INT64,
        .logical = PARQUET_LOGICAL_NONE,
    };

    switch (field->type) {
    case ICEBERG_TYPE_BOOLEAN:
        c.kind = COLUMN_KIND_BOOL;
        break;
    case ICEBERG_TYPE_INT:
        c.kind = COLUMN_KIND_INT32;
        break;
    case ICEBERG_TYPE_LONG:
        break;
    case ICEBERG_TYPE_FLOAT:
        c.kind = COLUMN_KIND_FLOAT;
        break;
    case ICEBERG_TYPE_DOUBLE:
        c.kind = COLUMN_KIND_DOUBLE;
        break;
    case ICEBERG_TYPE_DECIMAL:
        c.logical = PARQUET_LOGICAL_DECIMAL;
        c.precision = field->precision;
        c.scale = field->scale;
        c.kind = field->precision <= 9    ? COLUMN_KIND_INT32
                 : field->precision <= 18 ? COLUMN_KIND_INT64
                                          : COLUMN_KIND_FIXED;
        c.fixed_bytes = field->precision > 18 ? decimal_bytes(field->precision) : 0;
        break;
    case ICEBERG_TYPE_DATE:
        c.kind = COLUMN_KIND_INT32;
        c.logical = PARQUET_LOGICAL_DATE;
        break;
    case ICEBERG_TYPE_TIME:
        c.logical = PARQUET_LOGICAL_TIME_US;
        break;
    case ICEBERG_TYPE_TIMESTAMP:
        c.logical = PARQUET_LOGICAL_TIMESTAMP_US;
        break;
    case ICEBERG_TYPE_TIMESTAMPTZ:
        c.logical = PARQUET_LOGICAL_TIMESTAMPTZ_US;
        break;
    case ICEBERG_TYPE_STRING:
        c.kind = COLUMN_KIND_BYTES;
        c.logical = PARQUET_LOGICAL_STRING;
        break;
    case ICEBERG_TYPE_UUID:
        c.kind = COLUMN_KIND_FIXED;
        c.fixed_bytes = 16;
        c.logical = PARQUET_LOGICAL_UUID;
        break;
    case ICEBERG_TYPE_FIXED:
        c.kind = COLUMN_KIND_FIXED;
        c.fixed_bytes = field->length;
        break;
    case ICEBERG_TYPE_BINARY:
        c.kind = COLUMN_KIND_BYTES;
        break;
    }
    return c;
}

int32_t iceberg_day_of_us(int64_t us)
{
    int64_t days = us / DAY_US;

    return (int32_t)(us % DAY_US < 0 ? days - 1 : days);
}
