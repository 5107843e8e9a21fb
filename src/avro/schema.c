/*
 * A schema is JSON: a string names a primitive or an earlier named type, an array is a union, an
 * object defines. Names without a dot belong to the enclosing namespace.
 */
#include "avro/schema_int.h"

#include <jansson.h>

#define DEPTH_MAX        64
#define NAMES_MAX        1024u
#define SCHEMA_TEXT_MAX  ((size_t)1 << 20)
#define SHOWN_NAME_BYTES 100u

struct parser {
    struct arena *arena;
    struct avro_schema *named[NAMES_MAX];
    uint32_t named_count;
    struct err *err;
};

/* Where a type is written: the namespace around it ("" is none) and how deep. */
struct place {
    const char *space;
    int depth;
};

static enum err_code parse(struct parser *p, const json_t *json, struct place at,
                           struct avro_schema **out);

static struct place deeper(struct place at)
{
    return (struct place){at.space, at.depth + 1};
}

static enum err_code no_room(struct parser *p)
{
    return arena_fail(p->arena, p->err, "Avro schema");
}

static struct avro_schema *new_schema(struct parser *p, enum avro_type type)
{
    struct avro_schema *s = arena_alloc(p->arena, 1, sizeof *s);

    if (s != NULL) {
        s->type = type;
        s->takes_no_bytes = type == AVRO_NULL;
        s->element_id = s->key_id = s->value_id = -1;
    }
    return s;
}

/* A name for a message: one of the file's may be as long as it likes. */
static const char *shown(const char *name)
{
    return strlen(name) <= SHOWN_NAME_BYTES ? name : "(a very long name)";
}

/* "space.name", or the name alone when it has a dot already. NULL: no room. */
static char *full_name(struct parser *p, const char *space, const char *name)
{
    size_t space_len = strlen(space);
    size_t name_len = strlen(name);

    if (space_len == 0 || strchr(name, '.') != NULL) {
        return arena_strdup(p->arena, name);
    }
    char *full = arena_alloc(p->arena, space_len + 1 + name_len + 1, 1);

    if (full != NULL) {
        memcpy(full, space, space_len);
        full[space_len] = '.';
        memcpy(full + space_len + 1, name, name_len);
    }
    return full;
}

static struct avro_schema *find_named(const struct parser *p, const char *full)
{
    for (uint32_t i = 0; i < p->named_count; i++) {
        if (strcmp(p->named[i]->name, full) == 0) {
            return p->named[i];
        }
    }
    return NULL;
}

static bool primitive_of(const char *name, enum avro_type *type)
{
    static const struct {
        const char *name;
        enum avro_type type;
    } primitives[] = {
        {"null", AVRO_NULL},   {"boolean", AVRO_BOOLEAN}, {"int", AVRO_INT},
        {"long", AVRO_LONG},   {"float", AVRO_FLOAT},     {"double", AVRO_DOUBLE},
        {"bytes", AVRO_BYTES}, {"string", AVRO_STRING},
    };

    for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++) {
        if (strcmp(primitives[i].name, name) == 0) {
            *type = primitives[i].type;
            return true;
        }
    }
    return false;
}

static enum err_code parse_name(struct parser *p, const char *name, struct place at,
                                struct avro_schema **out)
{
    enum avro_type type;

    if (primitive_of(name, &type)) {
        *out = new_schema(p, type);
        return *out == NULL ? no_room(p) : ERR_OK;
    }
    const char *full = full_name(p, at.space, name);

    if (full == NULL) {
        return no_room(p);
    }
    *out = find_named(p, full);
    if (*out == NULL) {
        /* Java's writer refers to a type of no namespace like this, though inside of one. */
        *out = find_named(p, name);
    }
    return *out != NULL
               ? ERR_OK
               : err_set(p->err, ERR_CORRUPT, "Avro schema: unknown type '%s'", shown(name));
}

static enum err_code parse_union(struct parser *p, const json_t *json, struct place at,
                                 struct avro_schema **out)
{
    struct avro_schema *s = new_schema(p, AVRO_UNION);

    if (s == NULL) {
        return no_room(p);
    }
    s->count = (uint32_t)json_array_size(json);
    if (s->count == 0) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: a union of nothing");
    }
    s->branches = arena_alloc(p->arena, s->count, sizeof *s->branches);
    if (s->branches == NULL) {
        return no_room(p);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        ERR_TRY(parse(p, json_array_get(json, i), deeper(at), &s->branches[i]));
        if (s->branches[i]->type == AVRO_UNION) {
            return err_set(p->err, ERR_CORRUPT, "Avro schema: a union right inside a union");
        }
    }
    *out = s;
    return ERR_OK;
}

/* Gives s its full name and makes it known from here on; *at becomes the place inside it. */
static enum err_code add_named(struct parser *p, const json_t *json, struct avro_schema *s,
                               struct place *at)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *space = json_string_value(json_object_get(json, "namespace"));

    if (name == NULL || name[0] == '\0') {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: a named type without a name");
    }
    if (p->named_count == NAMES_MAX) {
        return err_set(p->err, ERR_LIMIT, "Avro schema: more than %u named types", NAMES_MAX);
    }
    s->name = full_name(p, space == NULL ? at->space : space, name);
    if (s->name == NULL) {
        return no_room(p);
    }
    if (find_named(p, s->name) != NULL) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: '%s' is defined twice", shown(s->name));
    }
    p->named[p->named_count++] = s;

    const char *dot = strrchr(s->name, '.');

    if (dot == NULL) {
        at->space = "";
        return ERR_OK;
    }
    at->space = arena_strndup(p->arena, s->name, (size_t)(dot - s->name));
    return at->space == NULL ? no_room(p) : ERR_OK;
}

/* An Iceberg id among the attributes; -1 when there is none. */
static enum err_code read_id(struct parser *p, const json_t *json, const char *key, int32_t *out)
{
    const json_t *id = json_object_get(json, key);

    *out = -1;
    if (id == NULL) {
        return ERR_OK;
    }
    json_int_t v = json_integer_value(id);

    if (!json_is_integer(id) || v < 0 || v > INT32_MAX) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: %s is no id", key);
    }
    *out = (int32_t)v;
    return ERR_OK;
}

static enum err_code parse_field(struct parser *p, const json_t *json, struct place at,
                                 struct avro_schema_field *out)
{
    const char *name = json_string_value(json_object_get(json, "name"));

    if (name == NULL) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: a field without a name");
    }
    out->name = arena_strdup(p->arena, name);
    if (out->name == NULL) {
        return no_room(p);
    }
    ERR_TRY(read_id(p, json, "field-id", &out->id));
    return parse(p, json_object_get(json, "type"), deeper(at), &out->type);
}

static enum err_code parse_record(struct parser *p, const json_t *json, struct place at,
                                  struct avro_schema **out)
{
    const json_t *fields = json_object_get(json, "fields");
    struct avro_schema *s = new_schema(p, AVRO_RECORD);

    if (s == NULL) {
        return no_room(p);
    }
    if (!json_is_array(fields)) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: a record without fields");
    }
    ERR_TRY(add_named(p, json, s, &at));
    s->count = (uint32_t)json_array_size(fields);
    s->fields = arena_alloc(p->arena, s->count, sizeof *s->fields);
    if (s->fields == NULL) {
        return no_room(p);
    }
    bool takes_no_bytes = true;

    for (uint32_t i = 0; i < s->count; i++) {
        ERR_TRY(parse_field(p, json_array_get(fields, i), at, &s->fields[i]));
        takes_no_bytes = takes_no_bytes && s->fields[i].type->takes_no_bytes;
    }
    s->takes_no_bytes = takes_no_bytes;
    *out = s;
    return ERR_OK;
}

static enum err_code parse_array(struct parser *p, const json_t *json, struct place at,
                                 struct avro_schema **out)
{
    struct avro_schema *s = *out = new_schema(p, AVRO_ARRAY);

    if (s == NULL) {
        return no_room(p);
    }
    ERR_TRY(read_id(p, json, "element-id", &s->element_id));
    return parse(p, json_object_get(json, "items"), deeper(at), &s->items);
}

static enum err_code parse_map(struct parser *p, const json_t *json, struct place at,
                               struct avro_schema **out)
{
    struct avro_schema *s = *out = new_schema(p, AVRO_MAP);

    if (s == NULL) {
        return no_room(p);
    }
    ERR_TRY(read_id(p, json, "key-id", &s->key_id));
    ERR_TRY(read_id(p, json, "value-id", &s->value_id));
    return parse(p, json_object_get(json, "values"), deeper(at), &s->items);
}

static enum err_code parse_fixed(struct parser *p, const json_t *json, struct place at,
                                 struct avro_schema **out)
{
    const json_t *size = json_object_get(json, "size");
    json_int_t bytes = json_integer_value(size);
    struct avro_schema *s = *out = new_schema(p, AVRO_FIXED);

    if (s == NULL) {
        return no_room(p);
    }
    if (!json_is_integer(size) || bytes < 0 || bytes > INT32_MAX) {
        return err_set(p->err, ERR_CORRUPT, "Avro schema: a fixed of no valid size");
    }
    s->fixed_bytes = (uint32_t)bytes;
    s->takes_no_bytes = bytes == 0;
    return add_named(p, json, s, &at);
}

static enum err_code parse_enum(struct parser *p, const json_t *json, struct place at,
                                struct avro_schema **out)
{
    const json_t *symbols = json_object_get(json, "symbols");
    struct avro_schema *s = *out = new_schema(p, AVRO_ENUM);

    if (s == NULL) {
        return no_room(p);
    }
    s->count = (uint32_t)json_array_size(symbols);
    s->symbols = arena_alloc(p->arena, s->count, sizeof *s->symbols);
    if (s->symbols == NULL) {
        return no_room(p);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));

        if (symbol == NULL) {
            return err_set(p->err, ERR_CORRUPT, "Avro schema: an enum's symbol is no string");
        }
        s->symbols[i] = arena_strdup(p->arena, symbol);
        if (s->symbols[i] == NULL) {
            return no_room(p);
        }
    }
    return add_named(p, json, s, &at);
}

static enum err_code parse_object(struct parser *p, const json_t *json, struct place at,
                                  struct avro_schema **out)
{
    static const struct {
        const char *name;
        enum err_code (*parse)(struct parser *p, const json_t *json, struct place at,
                               struct avro_schema **out);
    } complex[] = {
        {"record", parse_record}, {"array", parse_array}, {"map", parse_map},
        {"fixed", parse_fixed},   {"enum", parse_enum},
    };
    const json_t *type = json_object_get(json, "type");
    const char *name = json_string_value(type);
    const char *logical = json_string_value(json_object_get(json, "logicalType"));
    bool own = false; /* *out was made here, so the attributes here are its own */

    if (name == NULL) {
        return parse(p, type, deeper(at), out);
    }
    for (size_t i = 0; i < sizeof complex / sizeof complex[0] && !own; i++) {
        if (strcmp(complex[i].name, name) == 0) {
            ERR_TRY(complex[i].parse(p, json, at, out));
            own = true;
        }
    }
    if (!own) {
        ERR_TRY(parse_name(p, name, at, out));
        own = (*out)->name == NULL;
    }
    if (own && logical != NULL) {
        (*out)->logical = arena_strdup(p->arena, logical);
        return (*out)->logical == NULL ? no_room(p) : ERR_OK;
    }
    return ERR_OK;
}

static enum err_code parse(struct parser *p, const json_t *json, struct place at,
                           struct avro_schema **out)
{
    if (at.depth > DEPTH_MAX) {
        return err_set(p->err, ERR_LIMIT, "Avro schema: nested deeper than %d", DEPTH_MAX);
    }
    if (json_is_string(json)) {
        return parse_name(p, json_string_value(json), at, out);
    }
    if (json_is_array(json)) {
        return parse_union(p, json, at, out);
    }
    if (json_is_object(json)) {
        return parse_object(p, json, at, out);
    }
    return err_set(p->err, ERR_CORRUPT, "Avro schema: a type that is no string, array or object");
}

enum err_code avro_schema_parse(struct span json, struct arena *arena, struct avro_schema **out,
                                struct err *e)
{
    if (json.len > SCHEMA_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, "Avro schema: %zu bytes of text", json.len);
    }
    struct parser *p = arena_alloc(arena, 1, sizeof *p);
    json_error_t why;

    if (p == NULL) {
        return arena_fail(arena, e, "Avro schema");
    }
    p->arena = arena;
    p->err = e;
    json_t *root =
        json_loadb(json.len == 0 ? "" : (const char *)json.data, json.len, JSON_DECODE_ANY, &why);

    if (root == NULL) {
        return json_error_code(&why) == json_error_out_of_memory
                   ? err_nomem(e)
                   : err_set(e, ERR_CORRUPT, "Avro schema: %s", why.text);
    }
    enum err_code rc = parse(p, root, (struct place){"", 0}, out);

    json_decref(root);
    return rc;
}
