#include "pipeline/checkpoint.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define CHECKPOINT_VERSION 1
#define PRECISION_MAX      65
#define FSP_MAX            6

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

/* Collects failures: a JSON object that was not made swallows what is put into it. */
struct printer {
    bool failed;
    const char *not_utf8; /* key of a text that JSON cannot hold */
};

/* Sets a key unless the value is its type's nothing. */
static void set_uint(struct printer *p, json_t *object, const char *key, uint64_t v)
{
    p->failed |= v > INT64_MAX ||
                 (v != 0 && json_object_set_new(object, key, json_integer((json_int_t)v)) != 0);
}

static json_t *text_to_json(struct printer *p, const char *key, const char *v)
{
    if (!str_is_utf8(span_str(v))) {
        p->not_utf8 = key;
    }
    return json_string(v);
}

static void set_text(struct printer *p, json_t *object, const char *key, const char *v)
{
    p->failed |= v != NULL && json_object_set_new(object, key, text_to_json(p, key, v)) != 0;
}

static json_t *column_to_json(struct printer *p, const struct column_def *c)
{
    json_t *o = json_object();

    set_text(p, o, "name", c->name);
    set_text(p, o, "type", column_type_name(c->type));
    set_text(p, o, "sql", c->type_text);
    set_text(p, o, "charset", c->charset);
    set_uint(p, o, "unsigned", c->is_unsigned);
    set_uint(p, o, "nullable", c->nullable);
    set_uint(p, o, "generated", c->generated);
    set_uint(p, o, "length", c->length);
    set_uint(p, o, "precision", c->precision);
    set_uint(p, o, "scale", c->scale);
    set_uint(p, o, "fsp", c->fsp);
    if (c->label_count > 0) {
        json_t *labels = json_array();

        for (uint32_t i = 0; i < c->label_count; i++) {
            json_t *label = text_to_json(p, "labels", c->labels[i]);

            p->failed |= json_array_append_new(labels, label) != 0;
        }
        p->failed |= json_object_set_new(o, "labels", labels) != 0;
    }
    return o;
}

static json_t *def_to_json(struct printer *p, const struct table_def *def)
{
    json_t *o = json_object();
    json_t *columns = json_array();
    json_t *key = json_array();

    set_text(p, o, "schema", def->schema);
    set_text(p, o, "name", def->name);
    set_text(p, o, "charset", def->charset);
    set_text(p, o, "engine", def->engine);
    set_uint(p, o, "generated-unlogged", def->generated_unlogged);
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

enum err_code checkpoint_print(const struct checkpoint *c, struct buf *out, struct err *e)
{
    struct printer p = {0};
    json_t *o = json_object();

    set_uint(&p, o, "version", CHECKPOINT_VERSION);
    set_uint(&p, o, "ordinal", c->ordinal);
    set_uint(&p, o, "data-ordinal", c->data_ordinal);
    set_text(&p, o, "run", c->run);
    set_text(&p, o, "source", c->source);
    set_text(&p, o, "file", c->position.file);
    set_uint(&p, o, "pos", c->position.offset);
    set_text(&p, o, "gtid", c->gtids);
    set_uint(&p, o, "time-us", c->time_us < 0 ? 0 : (uint64_t)c->time_us);
    set_uint(&p, o, "copied", c->copied);
    if (c->def != NULL) {
        p.failed |= json_object_set_new(o, "table", def_to_json(&p, c->def)) != 0;
    }
    char *text = p.failed ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (p.not_utf8 != NULL) {
        free(text);
        return err_set(e, ERR_CORRUPT, "checkpoint: '%s' is not UTF-8", p.not_utf8);
    }
    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return buf_check(out, e, "checkpoint");
}

/*
 * Reads keys of objects and remembers the first that is wrong. A key that is not there gives its
 * type's nothing; one that is there holds what it should, or the place to go on from would be
 * guessed.
 */
struct parser {
    struct arena *arena;
    const char *wrong;
    bool no_room; /* in the arena */
};

static bool parser_failed(const struct parser *p)
{
    return p->wrong != NULL || p->no_room;
}

static void set_wrong(struct parser *p, const char *key)
{
    if (p->wrong == NULL) {
        p->wrong = key;
    }
}

static uint64_t to_uint(struct parser *p, const json_t *value, const char *key, uint64_t max)
{
    json_int_t v = json_integer_value(value);

    if (!json_is_integer(value) || v < 0 || (uint64_t)v > max) {
        set_wrong(p, key);
        return 0;
    }
    return (uint64_t)v;
}

static uint64_t get_uint(struct parser *p, const json_t *o, const char *key, uint64_t max)
{
    const json_t *value = json_object_get(o, key);

    return value == NULL ? 0 : to_uint(p, value, key, max);
}

/* The text in place; NULL when it is not there. */
static const char *peek_text(struct parser *p, const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);

    if (value != NULL && !json_is_string(value)) {
        set_wrong(p, key);
    }
    return json_string_value(value);
}

static const char *take_text(struct parser *p, const char *text)
{
    const char *copy = text == NULL ? NULL : arena_strdup(p->arena, text);

    p->no_room |= text != NULL && copy == NULL;
    return copy;
}

static const char *need_text(struct parser *p, const json_t *o, const char *key)
{
    const char *text = peek_text(p, o, key);

    if (text == NULL) {
        set_wrong(p, key);
    }
    return take_text(p, text);
}

/* A text cut short would name another place: it is wrong instead. */
static void copy_text(struct parser *p, char *out, size_t out_bytes, const json_t *o,
                      const char *key)
{
    const char *text = peek_text(p, o, key);

    if (text != NULL && strlen(text) >= out_bytes) {
        set_wrong(p, key);
        text = NULL;
    }
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static void *take_array(struct parser *p, uint32_t count, size_t size)
{
    void *array = arena_alloc(p->arena, count, size);

    p->no_room |= array == NULL;
    return array;
}

static void read_labels(struct parser *p, const json_t *labels, struct column_def *out)
{
    if (labels == NULL) {
        return;
    }
    if (!json_is_array(labels)) {
        set_wrong(p, "labels");
    }
    out->label_count = (uint32_t)json_array_size(labels);
    out->labels = take_array(p, out->label_count, sizeof *out->labels);
    for (uint32_t i = 0; !parser_failed(p) && i < out->label_count; i++) {
        const char *label = json_string_value(json_array_get(labels, i));

        if (label == NULL) {
            set_wrong(p, "labels");
        }
        out->labels[i] = take_text(p, label);
    }
}

static void read_column(struct parser *p, const json_t *o, struct column_def *out)
{
    const char *type = peek_text(p, o, "type");

    if (type == NULL || !column_type_from_name(type, &out->type)) {
        set_wrong(p, "type");
    }
    out->name = need_text(p, o, "name");
    out->charset = take_text(p, peek_text(p, o, "charset"));
    out->type_text = take_text(p, peek_text(p, o, "sql"));
    out->is_unsigned = get_uint(p, o, "unsigned", 1) != 0;
    out->nullable = get_uint(p, o, "nullable", 1) != 0;
    out->generated = get_uint(p, o, "generated", 1) != 0;
    out->length = (uint32_t)get_uint(p, o, "length", UINT32_MAX);
    out->precision = (uint8_t)get_uint(p, o, "precision", PRECISION_MAX);
    out->scale = (uint8_t)get_uint(p, o, "scale", PRECISION_MAX);
    out->fsp = (uint8_t)get_uint(p, o, "fsp", FSP_MAX);
    read_labels(p, json_object_get(o, "labels"), out);
}

static struct table_def *read_def(struct parser *p, const json_t *o)
{
    const json_t *columns = json_object_get(o, "columns");
    const json_t *key = json_object_get(o, "key");
    struct table_def *def = take_array(p, 1, sizeof *def);

    if (json_array_size(columns) == 0) {
        set_wrong(p, "columns");
    }
    if (!json_is_array(key)) {
        set_wrong(p, "key");
    }
    if (parser_failed(p)) {
        return NULL;
    }
    def->schema = need_text(p, o, "schema");
    def->name = need_text(p, o, "name");
    def->charset = take_text(p, peek_text(p, o, "charset"));
    def->engine = take_text(p, peek_text(p, o, "engine"));
    def->generated_unlogged = get_uint(p, o, "generated-unlogged", 1) != 0;
    def->column_count = (uint32_t)json_array_size(columns);
    def->key_count = (uint32_t)json_array_size(key);
    def->columns = take_array(p, def->column_count, sizeof *def->columns);
    def->key = take_array(p, def->key_count, sizeof *def->key);
    for (uint32_t i = 0; !parser_failed(p) && i < def->column_count; i++) {
        read_column(p, json_array_get(columns, i), &def->columns[i]);
    }
    for (uint32_t i = 0; !parser_failed(p) && i < def->key_count; i++) {
        def->key[i] = (uint32_t)to_uint(p, json_array_get(key, i), "key", def->column_count - 1u);
    }
    return def;
}

static enum err_code read_fields(const json_t *o, struct checkpoint *out, struct err *e)
{
    struct parser p = {.arena = &out->arena};
    const json_t *table = json_object_get(o, "table");
    uint64_t version = get_uint(&p, o, "version", INT64_MAX);

    if (version != CHECKPOINT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, "checkpoint version %llu is not one this calve knows",
                       (unsigned long long)version);
    }
    out->ordinal = get_uint(&p, o, "ordinal", INT64_MAX);
    out->data_ordinal = get_uint(&p, o, "data-ordinal", INT64_MAX);
    out->position.offset = get_uint(&p, o, "pos", INT64_MAX);
    out->time_us = (int64_t)get_uint(&p, o, "time-us", INT64_MAX);
    out->copied = get_uint(&p, o, "copied", 1) != 0;
    copy_text(&p, out->run, sizeof out->run, o, "run");
    copy_text(&p, out->source, sizeof out->source, o, "source");
    copy_text(&p, out->position.file, sizeof out->position.file, o, "file");
    const char *gtids = peek_text(&p, o, "gtid");

    if (gtids != NULL) {
        out->gtids = str_dup(gtids);
        if (out->gtids == NULL) {
            return err_nomem(e);
        }
    }
    if (table != NULL) {
        out->def = read_def(&p, table);
    }
    if (p.no_room) {
        return arena_fail(&out->arena, e, "checkpoint");
    }
    if (p.wrong != NULL) {
        return err_set(e, ERR_CORRUPT, "checkpoint: '%s' is missing or wrong", p.wrong);
    }
    bool has_file = out->position.file[0] != '\0';

    if (out->ordinal == 0 || out->run[0] == '\0' || (!has_file && out->gtids == NULL) ||
        (has_file && out->position.offset == 0)) {
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
