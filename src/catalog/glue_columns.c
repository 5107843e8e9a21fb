/*
 * glue_columns.c - a table's columns as people see them in Glue.
 *
 *   Iceberg                                    Glue, in Hive's words
 *   boolean, int, float, double, date, string  the same
 *   long                                       bigint
 *   time, uuid                                 string
 *   timestamp, timestamptz                     timestamp
 *   fixed[L], binary                           binary
 *   decimal(P, S)                              decimal(P,S)
 *   struct, list, map                          struct<a:int>, array<int>, map<string,int>
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/glue_int.h"

#define COMMENT_UNITS_MAX 255
#define NAME_UNITS_MAX    255

struct columns {
    json_t *list;
    json_t *names;    /* an object whose keys are the names so far, in lower case */
    json_t *comments; /* of the existing columns, by name */
};

static void put_primitive(struct buf *out, const char *type)
{
    static const char *const names[][2] = {
        {"long", "bigint"},
        {"time", "string"},
        {"uuid", "string"},
        {"timestamptz", "timestamp"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(type, names[i][0]) == 0) {
            buf_append_str(out, names[i][1]);
            return;
        }
    }
    if (str_starts_with(type, "fixed[")) {
        buf_append_str(out, "binary");
        return;
    }
    for (const char *p = type; *p != '\0'; p++) {
        if (*p != ' ') {
            buf_u8(out, (uint8_t)*p);
        }
    }
}

static void put_type(struct buf *out, const json_t *type);

static void put_struct(struct buf *out, const json_t *fields)
{
    size_t i;
    json_t *field;

    buf_append_str(out, "struct<");
    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));

        buf_append_str(out, i == 0 ? "" : ",");
        buf_append_str(out, name == NULL ? "?" : name);
        buf_u8(out, ':');
        put_type(out, json_object_get(field, "type"));
    }
    buf_u8(out, '>');
}

/* As deep as jansson takes a document: 2048. */
static void put_type(struct buf *out, const json_t *type)
{
    const char *kind = json_string_value(json_object_get(type, "type"));

    if (json_is_string(type)) {
        put_primitive(out, json_string_value(type));
    } else if (kind == NULL) {
        buf_u8(out, '?');
    } else if (strcmp(kind, "struct") == 0) {
        put_struct(out, json_object_get(type, "fields"));
    } else if (strcmp(kind, "list") == 0) {
        buf_append_str(out, "array<");
        put_type(out, json_object_get(type, "element"));
        buf_u8(out, '>');
    } else if (strcmp(kind, "map") == 0) {
        buf_append_str(out, "map<");
        put_type(out, json_object_get(type, "key"));
        buf_u8(out, ',');
        put_type(out, json_object_get(type, "value"));
        buf_u8(out, '>');
    } else {
        put_primitive(out, kind);
    }
}

static json_t *type_text(const json_t *type)
{
    struct buf text = {0};

    put_type(&text, type);
    const char *s = buf_cstr(&text);
    json_t *json = s == NULL ? NULL : json_stringn(s, text.len);

    buf_deinit(&text);
    return json;
}

/* Glue refuses a table for one name that it does not take; then it goes without that column. */
static bool takes_name(const char *name)
{
    size_t units = 0;

    for (const char *p = name; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;

        if (c < 0x20 && c != '\t') {
            return false;
        }
        units += (c & 0xc0) == 0x80 ? 0 : c >= 0xf0 ? 2 : 1;
    }
    return units > 0 && units <= NAME_UNITS_MAX;
}

/* True when the name is new. *ok becomes false when there is no memory. */
static bool claim_name(struct columns *c, const char *name, bool *ok)
{
    char *folded = str_dup(name);

    for (char *p = folded; p != NULL && *p != '\0'; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    }
    bool is_new = folded != NULL && json_object_get(c->names, folded) == NULL;

    *ok = folded != NULL && (!is_new || json_object_set_new(c->names, folded, json_true()) == 0);
    free(folded);
    return is_new && *ok;
}

static json_t *column_of(const struct columns *c, const json_t *field, const char *name,
                         bool current)
{
    const char *doc = json_string_value(json_object_get(field, "doc"));
    const char *optional = json_is_true(json_object_get(field, "required")) ? "false" : "true";
    char id[24];

    id[str_put_i64(id, json_integer_value(json_object_get(field, "id")))] = '\0';
    if (doc == NULL) {
        doc = json_string_value(json_object_get(c->comments, name));
    }
    json_t *column = json_pack("{s:s, s:o, s:{s:s, s:s, s:s}}", "Name", name, "Type",
                               type_text(json_object_get(field, "type")), "Parameters",
                               "iceberg.field.id", id, "iceberg.field.optional", optional,
                               "iceberg.field.current", current ? "true" : "false");

    if (doc != NULL &&
        json_object_set_new(column, "Comment", glue_text(doc, COMMENT_UNITS_MAX, false)) != 0) {
        json_decref(column);
        return NULL;
    }
    return column;
}

static bool add_schema(struct columns *c, const json_t *schema, bool current)
{
    size_t i;
    json_t *field;

    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        bool ok = true;

        if (name != NULL && takes_name(name) && claim_name(c, name, &ok)) {
            ok = json_array_append_new(c->list, column_of(c, field, name, current)) == 0;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool read_comments(struct columns *c, const json_t *existing)
{
    size_t i;
    json_t *column;

    json_array_foreach(existing, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "Name"));
        json_t *comment = json_object_get(column, "Comment");

        if (name != NULL && json_is_string(comment) &&
            json_object_set(c->comments, name, comment) != 0) {
            return false;
        }
    }
    return true;
}

static bool add_all(struct columns *c, const json_t *metadata)
{
    const json_t *schemas = json_object_get(metadata, "schemas");
    json_int_t current = json_integer_value(json_object_get(metadata, "current-schema-id"));
    size_t i;
    json_t *schema;

    if (json_array_size(schemas) == 0) {
        return add_schema(c, json_object_get(metadata, "schema"), true);
    }
    for (int pass = 0; pass < 2; pass++) {
        bool is_current = pass == 0;

        json_array_foreach(schemas, i, schema)
        {
            json_int_t id = json_integer_value(json_object_get(schema, "schema-id"));

            if ((id == current) == is_current && !add_schema(c, schema, is_current)) {
                return false;
            }
        }
    }
    return true;
}

json_t *glue_columns(const struct iceberg_metadata *metadata, const json_t *existing)
{
    struct columns c = {json_array(), json_object(), json_object()};
    bool ok = c.list != NULL && c.names != NULL && c.comments != NULL &&
              read_comments(&c, existing) && add_all(&c, iceberg_metadata_document(metadata));

    json_decref(c.names);
    json_decref(c.comments);
    if (!ok) {
        json_decref(c.list);
        return NULL;
    }
    return c.list;
}
