#include "pipeline/checkpoint.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define CHECKPOINT_VERSION 1

void checkpoint_deinit(struct checkpoint *c)
{
    free(c->gtids);
    arena_deinit(&c->arena);
    *c = (struct checkpoint){0};
}

char *checkpoint_property(const char *connection)
{
    return str_format("%s%s", CHECKPOINT_PROPERTY_PREFIX, connection);
}

/* Sets a key unless the value is its type's nothing; a failed json_t shows as NULL at the end. */
static int set_uint(json_t *object, const char *key, uint64_t v)
{
    return v == 0 ? 0 : json_object_set_new(object, key, json_integer((json_int_t)v));
}

static int set_text(json_t *object, const char *key, const char *v)
{
    return v == NULL ? 0 : json_object_set_new(object, key, json_string(v));
}

static json_t *column_to_json(const struct column_def *c)
{
    json_t *o = json_object();
    int bad = set_text(o, "name", c->name);

    bad |= set_text(o, "type", column_type_name(c->type));
    bad |= set_text(o, "sql", c->type_text);
    bad |= set_text(o, "charset", c->charset);
    bad |= set_uint(o, "unsigned", c->is_unsigned);
    bad |= set_uint(o, "nullable", c->nullable);
    bad |= set_uint(o, "generated", c->generated);
    bad |= set_uint(o, "length", c->length);
    bad |= set_uint(o, "precision", c->precision);
    bad |= set_uint(o, "scale", c->scale);
    bad |= set_uint(o, "fsp", c->fsp);
    if (c->label_count > 0) {
        json_t *labels = json_array();

        for (uint32_t i = 0; i < c->label_count; i++) {
            bad |= json_array_append_new(labels, json_string(c->labels[i]));
        }
        bad |= json_object_set_new(o, "labels", labels);
    }
    if (bad != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *def_to_json(const struct table_def *def)
{
    json_t *o = json_object();
    json_t *columns = json_array();
    json_t *key = json_array();
    int bad = set_text(o, "schema", def->schema);

    bad |= set_text(o, "name", def->name);
    for (uint32_t i = 0; i < def->column_count; i++) {
        bad |= json_array_append_new(columns, column_to_json(&def->columns[i]));
    }
    for (uint32_t i = 0; i < def->key_count; i++) {
        bad |= json_array_append_new(key, json_integer(def->key[i]));
    }
    bad |= json_object_set_new(o, "columns", columns);
    bad |= json_object_set_new(o, "key", key);
    if (bad != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

enum err_code checkpoint_print(const struct checkpoint *c, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    int bad = set_uint(o, "version", CHECKPOINT_VERSION);

    bad |= set_uint(o, "ordinal", c->ordinal);
    bad |= set_uint(o, "data-ordinal", c->data_ordinal);
    bad |= set_text(o, "run", c->run);
    bad |= set_text(o, "source", c->source);
    bad |= set_text(o, "file", c->position.file);
    bad |= set_uint(o, "pos", c->position.offset);
    bad |= set_text(o, "gtid", c->gtids);
    bad |= set_uint(o, "time-us", (uint64_t)c->time_us);
    bad |= set_uint(o, "copied", c->copied);
    if (c->def != NULL) {
        bad |= json_object_set_new(o, "table", def_to_json(c->def));
    }
    char *text = bad != 0 ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return buf_check(out, e, "checkpoint");
}

static uint64_t get_uint(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));

    return v < 0 ? 0 : (uint64_t)v;
}

static const char *get_text(struct arena *arena, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text == NULL ? NULL : arena_strdup(arena, text);
}

static bool column_from_json(const json_t *o, struct arena *arena, struct column_def *out)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const json_t *labels = json_object_get(o, "labels");

    out->name = get_text(arena, o, "name");
    out->charset = get_text(arena, o, "charset");
    out->type_text = get_text(arena, o, "sql");
    out->is_unsigned = get_uint(o, "unsigned") != 0;
    out->nullable = get_uint(o, "nullable") != 0;
    out->generated = get_uint(o, "generated") != 0;
    out->length = (uint32_t)get_uint(o, "length");
    out->precision = (uint8_t)get_uint(o, "precision");
    out->scale = (uint8_t)get_uint(o, "scale");
    out->fsp = (uint8_t)get_uint(o, "fsp");
    out->label_count = (uint32_t)json_array_size(labels);
    if (out->name == NULL || type == NULL || !column_type_from_name(type, &out->type) ||
        out->fsp > 6) {
        return false;
    }
    out->labels = arena_alloc(arena, out->label_count, sizeof *out->labels);
    for (uint32_t i = 0; out->labels != NULL && i < out->label_count; i++) {
        const char *label = json_string_value(json_array_get(labels, i));

        out->labels[i] = label == NULL ? NULL : arena_strdup(arena, label);
        if (out->labels[i] == NULL) {
            return false;
        }
    }
    return out->labels != NULL;
}

static struct table_def *def_from_json(const json_t *o, struct arena *arena)
{
    const json_t *columns = json_object_get(o, "columns");
    const json_t *key = json_object_get(o, "key");
    struct table_def *def = arena_alloc(arena, 1, sizeof *def);

    if (def == NULL) {
        return NULL;
    }
    def->schema = get_text(arena, o, "schema");
    def->name = get_text(arena, o, "name");
    def->column_count = (uint32_t)json_array_size(columns);
    def->key_count = (uint32_t)json_array_size(key);
    def->columns = arena_alloc(arena, def->column_count, sizeof *def->columns);
    def->key = arena_alloc(arena, def->key_count, sizeof *def->key);
    if (def->schema == NULL || def->name == NULL || def->columns == NULL || def->key == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (!column_from_json(json_array_get(columns, i), arena, &def->columns[i])) {
            return NULL;
        }
    }
    for (uint32_t i = 0; i < def->key_count; i++) {
        def->key[i] = (uint32_t)json_integer_value(json_array_get(key, i));
        if (def->key[i] >= def->column_count) {
            return NULL;
        }
    }
    return def;
}

static void copy_text(char *out, size_t out_bytes, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static enum err_code read_fields(const json_t *o, struct checkpoint *out, struct err *e)
{
    const char *gtids = json_string_value(json_object_get(o, "gtid"));
    const json_t *table = json_object_get(o, "table");

    if (get_uint(o, "version") != CHECKPOINT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, "checkpoint version %llu is not one this calve knows",
                       (unsigned long long)get_uint(o, "version"));
    }
    out->ordinal = get_uint(o, "ordinal");
    out->data_ordinal = get_uint(o, "data-ordinal");
    out->position.offset = get_uint(o, "pos");
    out->time_us = (int64_t)get_uint(o, "time-us");
    out->copied = get_uint(o, "copied") != 0;
    copy_text(out->run, sizeof out->run, o, "run");
    copy_text(out->source, sizeof out->source, o, "source");
    copy_text(out->position.file, sizeof out->position.file, o, "file");
    if (gtids != NULL) {
        out->gtids = str_dup(gtids);
        if (out->gtids == NULL) {
            return err_nomem(e);
        }
    }
    if (table != NULL) {
        out->def = def_from_json(table, &out->arena);
        if (out->def == NULL) {
            return err_set(e, ERR_CORRUPT, "checkpoint: the table definition cannot be read");
        }
    }
    if (out->ordinal == 0 || out->run[0] == '\0' ||
        (out->position.file[0] == '\0' && out->gtids == NULL)) {
        return err_set(e, ERR_CORRUPT, "checkpoint: ordinal, run or position is missing");
    }
    return ERR_OK;
}

enum err_code checkpoint_parse(const char *json, struct checkpoint *out, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &why);

    if (o == NULL) {
        return err_set(e, ERR_CORRUPT, "checkpoint: %s at column %d", why.text, why.column);
    }
    enum err_code rc = read_fields(o, out, e);

    json_decref(o);
    return rc;
}

enum err_code checkpoint_load(const struct iceberg_metadata *metadata, const char *connection,
                              struct checkpoint *out, bool *found, struct err *e)
{
    char *key = checkpoint_property(connection);

    *found = false;
    if (key == NULL) {
        return err_nomem(e);
    }
    const char *json = iceberg_metadata_property(metadata, key);
    enum err_code rc = ERR_OK;

    if (json != NULL) {
        *found = true;
        rc = checkpoint_parse(json, out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "table property %s", key);
        }
    }
    free(key);
    return rc;
}
