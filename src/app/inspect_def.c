/*
 * inspect_def.c - a table's definition, guessed from its table map, for a binlog file without its
 * server.
 */
#include "app/inspect_int.h"
#include "mysql/charset.h"
#include "mysql/wire_type.h"

#define COLLATION_BINARY 63u

struct guess {
    const struct table_map_column *map;
    struct column_def *def;
    struct arena *arena;
    struct err *e;
};

static bool is_text(const struct table_map_column *map)
{
    return map->collation != 0 && map->collation != COLLATION_BINARY;
}

static enum err_code guess_charset(const struct guess *g)
{
    g->def->charset = charset_of_collation(g->map->collation);
    return g->def->charset != NULL
               ? ERR_OK
               : err_set(g->e, ERR_UNSUPPORTED, "collation %u is not known", g->map->collation);
}

static enum err_code guess_string(const struct guess *g, enum column_type text,
                                  enum column_type bytes)
{
    g->def->type = is_text(g->map) ? text : bytes;
    g->def->length = g->map->meta;
    return is_text(g->map) ? guess_charset(g) : ERR_OK;
}

/* Members that are not logged: as many as fit, so that every value has one. */
static enum err_code number_labels(const struct guess *g, uint32_t count)
{
    const char **labels = arena_alloc(g->arena, count, sizeof *labels);

    for (uint32_t i = 0; labels != NULL && i < count; i++) {
        char text[16] = "#";
        char *copy = arena_strndup(g->arena, text, 1 + str_put_u64(text + 1, i + 1));

        if (copy == NULL) {
            labels = NULL;
        } else {
            labels[i] = copy;
        }
    }
    if (labels == NULL) {
        return arena_fail(g->arena, g->e, "members of an ENUM or SET");
    }
    g->def->labels = labels;
    g->def->label_count = count;
    return ERR_OK;
}

static enum err_code convert_labels(const struct guess *g)
{
    const struct charset *cs = charset_find(g->def->charset);
    const char **labels = arena_alloc(g->arena, g->map->label_count, sizeof *labels);
    struct charset_converter converter;
    struct buf text = {0};
    enum err_code rc = ERR_OK;

    if (labels == NULL) {
        return arena_fail(g->arena, g->e, "members");
    }
    if (cs == NULL) {
        return err_set(g->e, ERR_UNSUPPORTED, "charset %s is not supported", g->def->charset);
    }
    charset_converter_init(&converter);
    for (uint32_t i = 0; i < g->map->label_count && rc == ERR_OK; i++) {
        buf_reset(&text);
        rc = charset_to_utf8(cs, &converter, g->map->labels[i], &text, g->e);
        if (rc == ERR_OK) {
            labels[i] = arena_strndup(g->arena, text.data, text.len);
            rc = labels[i] == NULL ? arena_fail(g->arena, g->e, "members") : ERR_OK;
        }
    }
    charset_converter_deinit(&converter);
    buf_deinit(&text);
    g->def->labels = labels;
    g->def->label_count = rc == ERR_OK ? g->map->label_count : 0;
    return rc;
}

static enum err_code guess_labels(const struct guess *g, enum column_type type)
{
    g->def->type = type;
    if (g->map->labels != NULL && g->map->label_count > 0 && g->map->collation != 0) {
        ERR_TRY(guess_charset(g));
        return convert_labels(g);
    }
    if (type == COLUMN_TYPE_SET) {
        return number_labels(g, g->map->meta * 8u);
    }
    return number_labels(g, g->map->meta == 1 ? 255 : 65535);
}

/* Types that the wire type alone tells. */
static bool guess_plain(const struct guess *g)
{
    static const struct {
        uint8_t wire;
        enum column_type type;
        bool has_fraction; /* meta: fraction digits */
    } plain[] = {
        {WIRE_TINY, COLUMN_TYPE_TINYINT, false},
        {WIRE_SHORT, COLUMN_TYPE_SMALLINT, false},
        {WIRE_INT24, COLUMN_TYPE_MEDIUMINT, false},
        {WIRE_LONG, COLUMN_TYPE_INT, false},
        {WIRE_LONGLONG, COLUMN_TYPE_BIGINT, false},
        {WIRE_FLOAT, COLUMN_TYPE_FLOAT, false},
        {WIRE_DOUBLE, COLUMN_TYPE_DOUBLE, false},
        {WIRE_YEAR, COLUMN_TYPE_YEAR, false},
        {WIRE_DATE, COLUMN_TYPE_DATE, false},
        {WIRE_NEWDATE, COLUMN_TYPE_DATE, false},
        {WIRE_TIME, COLUMN_TYPE_TIME, false},
        {WIRE_DATETIME, COLUMN_TYPE_DATETIME, false},
        {WIRE_TIMESTAMP, COLUMN_TYPE_TIMESTAMP, false},
        {WIRE_TIME2, COLUMN_TYPE_TIME, true},
        {WIRE_DATETIME2, COLUMN_TYPE_DATETIME, true},
        {WIRE_TIMESTAMP2, COLUMN_TYPE_TIMESTAMP, true},
        {WIRE_JSON, COLUMN_TYPE_JSON, false},
        {WIRE_GEOMETRY, COLUMN_TYPE_GEOMETRY, false},
        {WIRE_VECTOR, COLUMN_TYPE_VECTOR, false},
    };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].wire == g->map->type) {
            g->def->type = plain[i].type;
            g->def->fsp = plain[i].has_fraction ? (uint8_t)g->map->meta : 0;
            return true;
        }
    }
    return false;
}

static enum err_code guess_column(const struct guess *g)
{
    if (guess_plain(g)) {
        return ERR_OK;
    }
    switch (g->map->type) {
    case WIRE_NEWDECIMAL:
        g->def->type = COLUMN_TYPE_DECIMAL;
        g->def->precision = (uint8_t)(g->map->meta & 0xff);
        g->def->scale = (uint8_t)(g->map->meta >> 8);
        return ERR_OK;
    case WIRE_BIT:
        g->def->type = COLUMN_TYPE_BIT;
        g->def->length = g->map->meta;
        return ERR_OK;
    case WIRE_STRING:
        return guess_string(g, COLUMN_TYPE_CHAR, COLUMN_TYPE_BINARY);
    case WIRE_VARCHAR:
    case WIRE_VAR_STRING:
    case WIRE_VARCHAR_COMPRESSED:
        return guess_string(g, COLUMN_TYPE_VARCHAR, COLUMN_TYPE_VARBINARY);
    case WIRE_BLOB:
    case WIRE_BLOB_COMPRESSED:
        return guess_string(g, COLUMN_TYPE_TEXT, COLUMN_TYPE_BLOB);
    case WIRE_ENUM:
        return guess_labels(g, COLUMN_TYPE_ENUM);
    case WIRE_SET:
        return guess_labels(g, COLUMN_TYPE_SET);
    default:
        return err_set(g->e, ERR_UNSUPPORTED, "type %u cannot be read", g->map->type);
    }
}

static enum err_code guess_name(const struct guess *g, uint32_t index)
{
    char text[16] = "@";

    g->def->name = g->map->name.len > 0
                       ? arena_strndup(g->arena, g->map->name.data, g->map->name.len)
                       : arena_strndup(g->arena, text, 1 + str_put_u64(text + 1, index + 1));
    return g->def->name == NULL ? arena_fail(g->arena, g->e, "a table's definition") : ERR_OK;
}

enum err_code inspect_guess_def(const struct table_map *map, struct arena *arena,
                                struct table_def **out, struct err *e)
{
    struct table_def *def = arena_alloc(arena, 1, sizeof *def);

    *out = NULL;
    if (def == NULL) {
        return arena_fail(arena, e, "a table's definition");
    }
    def->schema = arena_strndup(arena, map->schema.data, map->schema.len);
    def->name = arena_strndup(arena, map->name.data, map->name.len);
    def->columns = arena_alloc(arena, map->column_count, sizeof *def->columns);
    def->column_count = map->column_count;
    if (def->schema == NULL || def->name == NULL || def->columns == NULL) {
        return arena_fail(arena, e, "a table's definition");
    }
    for (uint32_t i = 0; i < map->column_count; i++) {
        struct guess g = {.map = &map->columns[i], .def = &def->columns[i], .arena = arena, .e = e};

        g.def->nullable = g.map->nullable;
        g.def->is_unsigned = g.map->has_signedness && g.map->is_unsigned;
        ERR_TRY(guess_name(&g, i));
        if (guess_column(&g) != ERR_OK) {
            return err_wrap(e, "column %s", g.def->name);
        }
    }
    *out = def;
    return ERR_OK;
}
