#include "pipeline/json_fields_int.h"

#include <stdio.h>

#include "base/str.h"

void json_fields_set_uint(struct json_fields_out *p, json_t *object, const char *key, uint64_t v)
{
    p->failed |= v > INT64_MAX ||
                 (v != 0 && json_object_set_new(object, key, json_integer((json_int_t)v)) != 0);
}

json_t *json_fields_text(struct json_fields_out *p, const char *key, const char *v)
{
    if (!str_is_utf8(span_str(v))) {
        p->not_utf8 = key;
    }
    return json_string(v);
}

void json_fields_set_text(struct json_fields_out *p, json_t *object, const char *key, const char *v)
{
    p->failed |= v != NULL && json_object_set_new(object, key, json_fields_text(p, key, v)) != 0;
}

bool json_fields_failed(const struct json_fields_in *p)
{
    return p->wrong != NULL || p->no_room;
}

void json_fields_wrong(struct json_fields_in *p, const char *key)
{
    if (p->wrong == NULL) {
        p->wrong = key;
    }
}

uint64_t json_fields_to_uint(struct json_fields_in *p, const json_t *value, const char *key,
                             uint64_t max)
{
    json_int_t v = json_integer_value(value);

    if (!json_is_integer(value) || v < 0 || (uint64_t)v > max) {
        json_fields_wrong(p, key);
        return 0;
    }
    return (uint64_t)v;
}

uint64_t json_fields_uint(struct json_fields_in *p, const json_t *o, const char *key, uint64_t max)
{
    const json_t *value = json_object_get(o, key);

    return value == NULL ? 0 : json_fields_to_uint(p, value, key, max);
}

const char *json_fields_peek_text(struct json_fields_in *p, const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);

    if (value != NULL && !json_is_string(value)) {
        json_fields_wrong(p, key);
    }
    return json_string_value(value);
}

const char *json_fields_take_text(struct json_fields_in *p, const char *text)
{
    const char *copy = text == NULL ? NULL : arena_strdup(p->arena, text);

    p->no_room |= text != NULL && copy == NULL;
    return copy;
}

const char *json_fields_need_text(struct json_fields_in *p, const json_t *o, const char *key)
{
    const char *text = json_fields_peek_text(p, o, key);

    if (text == NULL) {
        json_fields_wrong(p, key);
    }
    return json_fields_take_text(p, text);
}

void json_fields_copy_text(struct json_fields_in *p, char *out, size_t out_bytes, const json_t *o,
                           const char *key)
{
    const char *text = json_fields_peek_text(p, o, key);

    if (text != NULL && strlen(text) >= out_bytes) {
        json_fields_wrong(p, key);
        text = NULL;
    }
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

void *json_fields_array(struct json_fields_in *p, uint32_t count, size_t size)
{
    void *array = arena_alloc(p->arena, count, size);

    p->no_room |= array == NULL;
    return array;
}
