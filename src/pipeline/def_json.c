#include "pipeline/def_json_int.h"

#define PRECISION_MAX 65
#define FSP_MAX       6

static json_t *column_to_json(struct json_fields_out *p, const struct column_def *c)
{
    json_t *o = json_object();

    json_fields_set_text(p, o, "name", c->name);
    json_fields_set_text(p, o, "type", column_type_name(c->type));
    json_fields_set_text(p, o, "sql", c->type_text);
    json_fields_set_text(p, o, "charset", c->charset);
    json_fields_set_uint(p, o, "unsigned", c->is_unsigned);
    json_fields_set_uint(p, o, "nullable", c->nullable);
    json_fields_set_uint(p, o, "generated", c->generated);
    json_fields_set_uint(p, o, "row-end", c->row_end);
    json_fields_set_uint(p, o, "length", c->length);
    json_fields_set_uint(p, o, "precision", c->precision);
    json_fields_set_uint(p, o, "scale", c->scale);
    json_fields_set_uint(p, o, "fsp", c->fsp);
    if (c->label_count > 0) {
        json_t *labels = json_array();

        for (uint32_t i = 0; i < c->label_count; i++) {
            json_t *label = json_fields_text(p, "labels", c->labels[i]);

            p->failed |= json_array_append_new(labels, label) != 0;
        }
        p->failed |= json_object_set_new(o, "labels", labels) != 0;
    }
    return o;
}

json_t *def_to_json(struct json_fields_out *p, const struct table_def *def)
{
    json_t *o = json_object();
    json_t *columns = json_array();
    json_t *key = json_array();

    json_fields_set_text(p, o, "schema", def->schema);
    json_fields_set_text(p, o, "name", def->name);
    json_fields_set_text(p, o, "charset", def->charset);
    json_fields_set_text(p, o, "engine", def->engine);
    json_fields_set_uint(p, o, "generated-unlogged", def->generated_unlogged);
    json_fields_set_uint(p, o, "versioned", def->versioned);
    for (uint32_t i = 0; i < def->column_count; i++) {
        p->failed |= json_array_append_new(columns, column_to_json(p, &def->columns[i])) != 0;
    }
    for (uint32_t i = 0; i < def->key_count; i++) {
        p->failed |= json_array_append_new(key, json_integer(def->key[i])) != 0;
    }
    p->failed |= json_object_set_new(o, "columns", columns) != 0;
    p->failed |= json_object_set_new(o, "key", key) != 0;
    return o;
}

static void read_labels(struct json_fields_in *p, const json_t *labels, struct column_def *out)
{
    if (labels == NULL) {
        return;
    }
    if (!json_is_array(labels)) {
        json_fields_wrong(p, "labels");
    }
    out->label_count = (uint32_t)json_array_size(labels);
    out->labels = json_fields_array(p, out->label_count, sizeof *out->labels);
    for (uint32_t i = 0; !json_fields_failed(p) && i < out->label_count; i++) {
        const char *label = json_string_value(json_array_get(labels, i));

        if (label == NULL) {
            json_fields_wrong(p, "labels");
        }
        out->labels[i] = json_fields_take_text(p, label);
    }
}

static void read_column(struct json_fields_in *p, const json_t *o, struct column_def *out)
{
    const char *type = json_fields_peek_text(p, o, "type");

    if (type == NULL || !column_type_from_name(type, &out->type)) {
        json_fields_wrong(p, "type");
    }
    out->name = json_fields_need_text(p, o, "name");
    out->charset = json_fields_take_text(p, json_fields_peek_text(p, o, "charset"));
    out->type_text = json_fields_take_text(p, json_fields_peek_text(p, o, "sql"));
    out->is_unsigned = json_fields_uint(p, o, "unsigned", 1) != 0;
    out->nullable = json_fields_uint(p, o, "nullable", 1) != 0;
    out->generated = json_fields_uint(p, o, "generated", 1) != 0;
    out->row_end = json_fields_uint(p, o, "row-end", 1) != 0;
    out->length = (uint32_t)json_fields_uint(p, o, "length", UINT32_MAX);
    out->precision = (uint8_t)json_fields_uint(p, o, "precision", PRECISION_MAX);
    out->scale = (uint8_t)json_fields_uint(p, o, "scale", PRECISION_MAX);
    out->fsp = (uint8_t)json_fields_uint(p, o, "fsp", FSP_MAX);
    read_labels(p, json_object_get(o, "labels"), out);
}

struct table_def *def_from_json(struct json_fields_in *p, const json_t *o)
{
    const json_t *columns = json_object_get(o, "columns");
    const json_t *key = json_object_get(o, "key");
    struct table_def *def = json_fields_array(p, 1, sizeof *def);

    if (json_array_size(columns) == 0) {
        json_fields_wrong(p, "columns");
    }
    if (!json_is_array(key)) {
        json_fields_wrong(p, "key");
    }
    if (json_fields_failed(p)) {
        return NULL;
    }
    def->schema = json_fields_need_text(p, o, "schema");
    def->name = json_fields_need_text(p, o, "name");
    def->charset = json_fields_take_text(p, json_fields_peek_text(p, o, "charset"));
    def->engine = json_fields_take_text(p, json_fields_peek_text(p, o, "engine"));
    def->generated_unlogged = json_fields_uint(p, o, "generated-unlogged", 1) != 0;
    def->versioned = json_fields_uint(p, o, "versioned", 1) != 0;
    def->column_count = (uint32_t)json_array_size(columns);
    def->key_count = (uint32_t)json_array_size(key);
    def->columns = json_fields_array(p, def->column_count, sizeof *def->columns);
    def->key = json_fields_array(p, def->key_count, sizeof *def->key);
    for (uint32_t i = 0; !json_fields_failed(p) && i < def->column_count; i++) {
        read_column(p, json_array_get(columns, i), &def->columns[i]);
    }
    for (uint32_t i = 0; !json_fields_failed(p) && i < def->key_count; i++) {
        def->key[i] =
            (uint32_t)json_fields_to_uint(p, json_array_get(key, i), "key", def->column_count - 1u);
    }
    return def;
}
