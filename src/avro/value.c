/* The values of a record: finding them, and showing them as JSON. */
#include "avro/schema_int.h"
#include "codec/json_writer.h"

const struct avro_value *avro_field(const struct avro_value *record, int32_t field_id)
{
    if (record != NULL && record->type == AVRO_RECORD && field_id >= 0) {
        for (uint32_t i = 0; i < record->u.list.count; i++) {
            if (record->schema->fields[i].id == field_id) {
                return &record->u.list.items[i];
            }
        }
    }
    return NULL;
}

const struct avro_value *avro_field_named(const struct avro_value *record, const char *name)
{
    if (record != NULL && record->type == AVRO_RECORD) {
        for (uint32_t i = 0; i < record->u.list.count; i++) {
            if (strcmp(record->schema->fields[i].name, name) == 0) {
                return &record->u.list.items[i];
            }
        }
    }
    return NULL;
}

const char *avro_field_name(const struct avro_value *record, uint32_t i)
{
    return record->schema->fields[i].name;
}

int32_t avro_field_id(const struct avro_value *record, uint32_t i)
{
    return record->schema->fields[i].id;
}

const char *avro_enum_symbol(const struct avro_value *v)
{
    return v->type == AVRO_ENUM ? v->schema->symbols[v->u.i64] : NULL;
}

/* A map's keys have no schema of their own. */
const char *avro_logical_type(const struct avro_value *v)
{
    return v->schema == NULL ? NULL : v->schema->logical;
}

int32_t avro_element_id(const struct avro_value *array)
{
    return array->schema == NULL ? -1 : array->schema->element_id;
}

int32_t avro_key_id(const struct avro_value *map)
{
    return map->schema == NULL ? -1 : map->schema->key_id;
}

int32_t avro_value_id(const struct avro_value *map)
{
    return map->schema == NULL ? -1 : map->schema->value_id;
}

static void list_json(const struct avro_value *v, struct buf *out)
{
    bool object = v->type != AVRO_ARRAY;

    buf_u8(out, object ? '{' : '[');
    for (uint32_t i = 0; i < v->u.list.count; i++) {
        if (i > 0) {
            buf_u8(out, ',');
        }
        if (v->type == AVRO_RECORD) {
            json_put_string(out, span_str(avro_field_name(v, i)));
            buf_u8(out, ':');
        } else if (v->type == AVRO_MAP) {
            json_put_string(out, v->u.list.items[i++].u.bytes);
            buf_u8(out, ':');
        }
        avro_value_json(&v->u.list.items[i], out);
    }
    buf_u8(out, object ? '}' : ']');
}

void avro_value_json(const struct avro_value *v, struct buf *out)
{
    switch (v->type) {
    case AVRO_NULL:
    case AVRO_UNION:
        buf_append_str(out, "null");
        break;
    case AVRO_BOOLEAN:
        buf_append_str(out, v->u.i64 != 0 ? "true" : "false");
        break;
    case AVRO_INT:
    case AVRO_LONG:
        json_put_i64(out, v->u.i64);
        break;
    case AVRO_ENUM:
        json_put_string(out, span_str(avro_enum_symbol(v)));
        break;
    case AVRO_FLOAT:
        json_put_f32(out, (float)v->u.f64);
        break;
    case AVRO_DOUBLE:
        json_put_f64(out, v->u.f64);
        break;
    case AVRO_STRING:
        json_put_string(out, v->u.bytes);
        break;
    case AVRO_BYTES:
    case AVRO_FIXED:
        json_put_base64(out, v->u.bytes);
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_RECORD:
        list_json(v, out);
        break;
    }
}
