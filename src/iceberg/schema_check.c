/* schema_check.c - whether a table has the columns that its writer is about to fill. */
#include <stdio.h>
#include <stdlib.h>

#include "iceberg/metadata_int.h"

static json_t *field_of(json_t *fields, json_int_t id)
{
    size_t i;
    json_t *field;

    json_array_foreach(fields, i, field)
    {
        if (json_integer_value(json_object_get(field, "id")) == id) {
            return field;
        }
    }
    return NULL;
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    return json_equal(json_object_get(a, key), json_object_get(b, key)) != 0;
}

/* Every wanted column is there as it should be. */
static bool has_all(json_t *wanted, json_t *fields, char *why, size_t why_bytes)
{
    size_t i;
    json_t *want;

    json_array_foreach(wanted, i, want)
    {
        json_int_t id = json_integer_value(json_object_get(want, "id"));
        const char *name = json_string_value(json_object_get(want, "name"));
        json_t *field = field_of(fields, id);

        if (field == NULL) {
            (void)snprintf(why, why_bytes, "it has no column with id %lld ('%s')", (long long)id,
                           name);
            return false;
        }
        if (!same_text(field, want, "name") || !same_text(field, want, "type")) {
            const char *other = json_string_value(json_object_get(field, "name"));

            (void)snprintf(why, why_bytes, "column %lld is '%s' and not '%s' of type %s",
                           (long long)id, other == NULL ? "?" : other, name,
                           json_string_value(json_object_get(want, "type")));
            return false;
        }
    }
    return true;
}

/* A column that is required and would not be filled. */
static bool wants_more(json_t *wanted, json_t *fields, char *why, size_t why_bytes)
{
    size_t i;
    json_t *field;

    json_array_foreach(fields, i, field)
    {
        json_int_t id = json_integer_value(json_object_get(field, "id"));
        const char *name = json_string_value(json_object_get(field, "name"));
        json_t *want = field_of(wanted, id);
        bool required = json_is_true(json_object_get(field, "required"));

        if (required && (want == NULL || json_is_false(json_object_get(want, "required")))) {
            (void)snprintf(why, why_bytes, "column '%s' is required", name == NULL ? "?" : name);
            return true;
        }
    }
    return false;
}

bool iceberg_metadata_has_fields(const struct iceberg_metadata *m,
                                 const struct iceberg_schema *schema, char *why, size_t why_bytes)
{
    char *text = iceberg_schema_json(schema);
    json_t *root = text == NULL ? NULL : json_loads(text, 0, NULL);
    json_t *wanted = json_object_get(root, "fields");
    json_t *fields = json_object_get(metadata_schema(m), "fields");
    bool fits = false;

    if (wanted == NULL || fields == NULL) {
        (void)snprintf(why, why_bytes, "its schema cannot be read");
    } else {
        fits =
            has_all(wanted, fields, why, why_bytes) && !wants_more(wanted, fields, why, why_bytes);
    }
    json_decref(root);
    free(text);
    return fits;
}
