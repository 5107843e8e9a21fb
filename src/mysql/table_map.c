/*
 * TABLE_MAP body:
 *
 *   table_id       6      0xFFFFFF in maps that stand for no table
 *   flags          2
 *   schema         1 + n + 1   length, bytes, NUL
 *   name           1 + n + 1   length, bytes, NUL
 *   columns        lenenc
 *   type           1 per column
 *   metadata       lenenc length, then per column what its type has
 *   nullable       one bit per column, first column in the lowest bit
 *   optional       until the end: type 1, length lenenc, value
 *
 * struct table_map_column.meta by type:
 *
 *   FLOAT, DOUBLE                       4, 8
 *   VARCHAR, VAR_STRING, STRING         most bytes that a value has
 *   141                                 the same and one more
 *   ENUM, SET                           bytes that a value has
 *   BIT                                 bits
 *   TIMESTAMP2, DATETIME2, TIME2        fraction digits
 *   BLOB, JSON, GEOMETRY, VECTOR, 140   bytes of the length prefix
 *   NEWDECIMAL                          precision | scale << 8
 */
#include "mysql/table_map.h"

#include <inttypes.h>

#include "mysql/wire_type.h"

enum optional_type {
    OPTIONAL_SIGNEDNESS = 1,
    OPTIONAL_DEFAULT_CHARSET = 2,
    OPTIONAL_COLUMN_CHARSET = 3,
    OPTIONAL_COLUMN_NAME = 4,
    OPTIONAL_SET_LABELS = 5,
    OPTIONAL_ENUM_LABELS = 6,
    OPTIONAL_KEY = 8,
    OPTIONAL_KEY_WITH_PREFIX = 9,
    OPTIONAL_ENUM_SET_DEFAULT_CHARSET = 10,
    OPTIONAL_ENUM_SET_COLUMN_CHARSET = 11,
    OPTIONAL_VISIBILITY = 12,
};

/* A row has at most 4096 columns in MySQL and in MariaDB. */
#define COLUMNS_MAX 4096u

/* Which columns an optional field speaks of. */
typedef bool column_filter(const struct table_map_column *c);

struct parser {
    struct arena *arena;
    struct table_map *map;
    struct err *e;
};

static bool is_numeric(const struct table_map_column *c)
{
    switch (c->type) {
    case WIRE_DECIMAL:
    case WIRE_TINY:
    case WIRE_SHORT:
    case WIRE_LONG:
    case WIRE_FLOAT:
    case WIRE_DOUBLE:
    case WIRE_LONGLONG:
    case WIRE_INT24:
    case WIRE_YEAR:
    case WIRE_NEWDECIMAL:
        return true;
    default:
        return false;
    }
}

static bool is_character(const struct table_map_column *c)
{
    return c->type == WIRE_STRING || c->type == WIRE_VAR_STRING || c->type == WIRE_VARCHAR ||
           c->type == WIRE_BLOB || c->type == WIRE_BLOB_COMPRESSED ||
           c->type == WIRE_VARCHAR_COMPRESSED;
}

static bool is_vector(const struct table_map_column *c)
{
    return c->type == WIRE_VECTOR;
}

static bool is_character_or_geometry(const struct table_map_column *c)
{
    return is_character(c) || c->type == WIRE_GEOMETRY;
}

static bool is_character_or_vector(const struct table_map_column *c)
{
    return is_character(c) || is_vector(c);
}

static bool is_set(const struct table_map_column *c)
{
    return c->type == WIRE_SET;
}

static bool is_enum(const struct table_map_column *c)
{
    return c->type == WIRE_ENUM;
}

static bool is_enum_or_set(const struct table_map_column *c)
{
    return is_enum(c) || is_set(c);
}

static bool is_any(const struct table_map_column *c)
{
    (void)c;
    return true;
}

static uint32_t count_columns(const struct table_map *map, column_filter *filter)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < map->column_count; i++) {
        n += filter(&map->columns[i]) ? 1u : 0u;
    }
    return n;
}

/*
 * The columns that some servers count among the character columns: MariaDB its GEOMETRY, MySQL 9.7
 * its VECTOR, which in MariaDB's maps is a VARCHAR. Nothing in the event says who wrote it.
 */
static column_filter *wide_filter(const struct table_map *map)
{
    return count_columns(map, is_vector) > 0 ? is_character_or_vector : is_character_or_geometry;
}

static struct span read_name(struct bytes_reader *in)
{
    struct span name = bytes_span(in, bytes_u8(in));

    if (bytes_u8(in) != 0) {
        bytes_fail(in);
    }
    return name;
}

static void read_head(struct bytes_reader *in, struct table_map *out)
{
    out->table_id = bytes_u48le(in);
    out->flags = bytes_u16le(in);
    out->schema = read_name(in);
    out->name = read_name(in);
}

enum err_code table_map_peek(struct span body, uint64_t *table_id, struct span *schema,
                             struct span *name, struct err *e)
{
    struct bytes_reader in;
    struct table_map head;

    bytes_reader_init(&in, body);
    read_head(&in, &head);
    if (bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "table map event: %zu bytes end within its names", body.len);
    }
    *table_id = head.table_id;
    *schema = head.schema;
    *name = head.name;
    return ERR_OK;
}

/* CHAR, BINARY, ENUM and SET share a type; two bits of a length above 255 hide in the type's byte.
 */
static void read_string_meta(struct bytes_reader *in, struct table_map_column *c)
{
    unsigned type = bytes_u8(in);
    unsigned bytes = bytes_u8(in);

    if ((type & 0x30) != 0x30) {
        bytes |= ((type & 0x30) ^ 0x30) << 4;
        type |= 0x30;
    }
    c->type = (uint8_t)type;
    c->meta = (uint16_t)bytes;
}

static bool string_meta_valid(const struct table_map_column *c)
{
    switch (c->type) {
    case WIRE_STRING:
        return true;
    case WIRE_ENUM:
        return c->meta == 1 || c->meta == 2;
    case WIRE_SET:
        return (c->meta >= 1 && c->meta <= 4) || c->meta == 8;
    default:
        return false;
    }
}

/* BIT: bits above whole bytes, then whole bytes. */
static bool read_bit_meta(struct bytes_reader *in, struct table_map_column *c)
{
    unsigned bits = bytes_u8(in);
    unsigned bytes = bytes_u8(in);

    c->meta = (uint16_t)(bytes * 8 + bits);
    return bits < 8 && c->meta >= 1 && c->meta <= 64;
}

static bool read_decimal_meta(struct bytes_reader *in, struct table_map_column *c)
{
    unsigned precision = bytes_u8(in);
    unsigned scale = bytes_u8(in);

    c->meta = (uint16_t)(precision | scale << 8);
    return precision >= 1 && precision <= 65 && scale <= 30 && scale <= precision;
}

static bool read_meta_in(struct bytes_reader *in, struct table_map_column *c, unsigned low,
                         unsigned high)
{
    c->meta = bytes_u8(in);
    return c->meta >= low && c->meta <= high;
}

/* What the metadata of a type looks like. */
enum meta_form {
    META_UNKNOWN, /* not a type that may be in a map */
    META_NONE,
    META_FOUR,
    META_EIGHT,
    META_FRACTION,
    META_PREFIX,
    META_LENGTH,
    META_BIT,
    META_DECIMAL,
    META_STRING,
};

/* DECIMAL, the one before 5.0, has no metadata: row_plan_new refuses it by name. */
static const uint8_t meta_forms[256] = {
    [WIRE_DECIMAL] = META_NONE,
    [WIRE_TINY] = META_NONE,
    [WIRE_SHORT] = META_NONE,
    [WIRE_LONG] = META_NONE,
    [WIRE_NULL] = META_NONE,
    [WIRE_TIMESTAMP] = META_NONE,
    [WIRE_LONGLONG] = META_NONE,
    [WIRE_INT24] = META_NONE,
    [WIRE_DATE] = META_NONE,
    [WIRE_TIME] = META_NONE,
    [WIRE_DATETIME] = META_NONE,
    [WIRE_YEAR] = META_NONE,
    [WIRE_NEWDATE] = META_NONE,
    [WIRE_FLOAT] = META_FOUR,
    [WIRE_DOUBLE] = META_EIGHT,
    [WIRE_TIMESTAMP2] = META_FRACTION,
    [WIRE_DATETIME2] = META_FRACTION,
    [WIRE_TIME2] = META_FRACTION,
    [WIRE_BLOB_COMPRESSED] = META_PREFIX,
    [WIRE_VECTOR] = META_PREFIX,
    [WIRE_JSON] = META_PREFIX,
    [WIRE_BLOB] = META_PREFIX,
    [WIRE_GEOMETRY] = META_PREFIX,
    [WIRE_VARCHAR] = META_LENGTH,
    [WIRE_VAR_STRING] = META_LENGTH,
    [WIRE_VARCHAR_COMPRESSED] = META_LENGTH,
    [WIRE_BIT] = META_BIT,
    [WIRE_NEWDECIMAL] = META_DECIMAL,
    [WIRE_STRING] = META_STRING,
};

/* The metadata of one column; ERR_CORRUPT when it cannot be, ERR_UNSUPPORTED for unknown types. */
static enum err_code read_meta(struct bytes_reader *in, struct table_map_column *c)
{
    bool valid = true;

    switch ((enum meta_form)meta_forms[c->type]) {
    case META_UNKNOWN:
        return ERR_UNSUPPORTED;
    case META_NONE:
        break;
    case META_FOUR:
        valid = read_meta_in(in, c, 4, 4);
        break;
    case META_EIGHT:
        valid = read_meta_in(in, c, 8, 8);
        break;
    case META_FRACTION:
        valid = read_meta_in(in, c, 0, 6);
        break;
    case META_PREFIX:
        valid = read_meta_in(in, c, 1, 4);
        break;
    case META_LENGTH:
        c->meta = bytes_u16le(in);
        break;
    case META_BIT:
        valid = read_bit_meta(in, c);
        break;
    case META_DECIMAL:
        valid = read_decimal_meta(in, c);
        break;
    case META_STRING:
        read_string_meta(in, c);
        valid = string_meta_valid(c);
        break;
    }
    return bytes_failed(in) || !valid ? ERR_CORRUPT : ERR_OK;
}

static enum err_code read_columns(struct parser *p, struct bytes_reader *in)
{
    struct table_map *map = p->map;
    uint64_t count = bytes_lenenc(in);
    struct bytes_reader types;
    struct bytes_reader metas;
    const uint8_t *nullable;

    if (bytes_failed(in) || count > COLUMNS_MAX) {
        return err_set(p->e, ERR_CORRUPT, "%" PRIu64 " columns", count);
    }
    map->column_count = (uint32_t)count;
    types = bytes_sub(in, map->column_count);
    metas = bytes_sub(in, (size_t)bytes_lenenc(in));
    nullable = bytes_take(in, (map->column_count + 7) / 8);
    if (bytes_failed(in)) {
        return err_set(p->e, ERR_CORRUPT, "it ends within its columns");
    }
    map->columns = arena_alloc(p->arena, count > 0 ? count : 1, sizeof *map->columns);
    if (map->columns == NULL) {
        return arena_fail(p->arena, p->e, "table map");
    }
    for (uint32_t i = 0; i < map->column_count; i++) {
        struct table_map_column *c = &map->columns[i];

        c->type = bytes_u8(&types);
        c->nullable = (nullable[i / 8] >> (i % 8) & 1) != 0;
        enum err_code rc = read_meta(&metas, c);
        if (rc != ERR_OK) {
            return err_set(p->e, rc, "column %u: type %u with metadata %u%s", i + 1, c->type,
                           c->meta, rc == ERR_UNSUPPORTED ? " is not known" : " is not possible");
        }
    }
    if (bytes_left(&metas) != 0) {
        return err_set(p->e, ERR_CORRUPT, "%zu bytes of metadata too many", bytes_left(&metas));
    }
    return ERR_OK;
}

/* One bit per column of the filter, first column in the highest bit. */
static void read_bits(struct parser *p, struct bytes_reader *in, column_filter *filter,
                      void (*put)(struct table_map_column *c, bool bit))
{
    struct table_map *map = p->map;
    uint32_t n = count_columns(map, filter);
    const uint8_t *bits = bytes_take(in, (n + 7) / 8);
    uint32_t at = 0;

    if (bits == NULL) {
        return;
    }
    for (uint32_t i = 0; i < map->column_count; i++) {
        if (filter(&map->columns[i])) {
            put(&map->columns[i], (bits[at / 8] & (0x80u >> (at % 8))) != 0);
            at++;
        }
    }
}

static void put_signedness(struct table_map_column *c, bool bit)
{
    /* MySQL logs 0 for YEAR and MariaDB 1; it has no sign. */
    c->has_signedness = c->type != WIRE_YEAR;
    c->is_unsigned = bit || c->type == WIRE_YEAR;
}

static void put_visibility(struct table_map_column *c, bool bit)
{
    c->has_visibility = true;
    c->visible = bit;
}

static uint16_t read_collation(struct bytes_reader *in)
{
    uint64_t id = bytes_lenenc(in);

    if (id == 0 || id > UINT16_MAX) {
        bytes_fail(in);
    }
    return (uint16_t)id;
}

/* The column that is index-th among those of the filter; NULL when there are not as many. */
static struct table_map_column *nth_column(struct table_map *map, column_filter *filter,
                                           uint64_t index)
{
    for (uint32_t i = 0; i < map->column_count; i++) {
        if (filter(&map->columns[i]) && index-- == 0) {
            return &map->columns[i];
        }
    }
    return NULL;
}

static uint16_t *collation_of(struct table_map_column *c, bool wide)
{
    return wide ? &c->collation_wide : &c->collation;
}

/* A default, then pairs of index and collation for the columns that have another one. */
static void read_default_charset(struct table_map *map, struct bytes_reader *in,
                                 column_filter *filter, bool wide)
{
    uint16_t collation = read_collation(in);

    for (uint32_t i = 0; i < map->column_count; i++) {
        if (filter(&map->columns[i])) {
            *collation_of(&map->columns[i], wide) = collation;
        }
    }
    while (bytes_left(in) > 0) {
        struct table_map_column *c = nth_column(map, filter, bytes_lenenc(in));

        if (c == NULL) {
            bytes_fail(in);
            return;
        }
        *collation_of(c, wide) = read_collation(in);
    }
}

/* The count of columns moves the indexes: both readings are kept, row_plan_new takes the one that
 * fits. */
static void read_default_charset_both(struct table_map *map, struct bytes_reader *in)
{
    struct bytes_reader again = *in;
    column_filter *wide = wide_filter(map);

    read_default_charset(map, in, is_character, false);
    if (count_columns(map, is_character) == count_columns(map, wide)) {
        return;
    }
    bool plain_failed = bytes_failed(in);

    read_default_charset(map, &again, wide, true);
    for (uint32_t i = 0; i < map->column_count; i++) {
        struct table_map_column *c = &map->columns[i];

        if (plain_failed) {
            c->collation = is_character(c) ? c->collation_wide : 0;
        }
        if (plain_failed || bytes_failed(&again)) {
            c->collation_wide = 0;
        }
    }
    if (plain_failed) {
        *in = again;
    }
}

static void read_column_charset(struct table_map *map, struct bytes_reader *in,
                                column_filter *filter)
{
    for (uint32_t i = 0; i < map->column_count; i++) {
        if (filter(&map->columns[i])) {
            map->columns[i].collation = read_collation(in);
        }
    }
}

/* Here the number of collations tells which columns were counted. */
static void read_all_charsets(struct table_map *map, struct bytes_reader *in)
{
    struct bytes_reader count_in = *in;
    uint32_t count = 0;

    while (bytes_left(&count_in) > 0) {
        (void)bytes_lenenc(&count_in);
        count++;
    }
    bool plain = count == count_columns(map, is_character);

    read_column_charset(map, in, plain ? is_character : wide_filter(map));
}

static void read_names(struct parser *p, struct bytes_reader *in)
{
    for (uint32_t i = 0; i < p->map->column_count; i++) {
        p->map->columns[i].name = bytes_lenenc_span(in);
        if (p->map->columns[i].name.len == 0) {
            bytes_fail(in);
        }
    }
    p->map->has_names = true;
}

static enum err_code read_labels(struct parser *p, struct bytes_reader *in, column_filter *filter)
{
    for (uint32_t i = 0; i < p->map->column_count; i++) {
        struct table_map_column *c = &p->map->columns[i];

        if (!filter(c)) {
            continue;
        }
        uint64_t count = bytes_lenenc(in);
        /* A label takes at least the byte of its length. */
        if (count > bytes_left(in) || count > UINT16_MAX) {
            bytes_fail(in);
            return ERR_OK;
        }
        c->labels = arena_alloc(p->arena, count > 0 ? count : 1, sizeof *c->labels);
        if (c->labels == NULL) {
            return arena_fail(p->arena, p->e, "table map");
        }
        c->label_count = (uint32_t)count;
        for (uint32_t k = 0; k < c->label_count; k++) {
            c->labels[k] = bytes_lenenc_span(in);
        }
    }
    return ERR_OK;
}

static enum err_code read_key(struct parser *p, struct bytes_reader *in, bool with_prefix)
{
    struct table_map *map = p->map;

    map->key_count = 0;
    map->key = arena_alloc(p->arena, map->column_count + 1u, sizeof *map->key);
    if (map->key == NULL) {
        return arena_fail(p->arena, p->e, "table map");
    }
    while (bytes_left(in) > 0) {
        uint64_t index = bytes_lenenc(in);

        if (with_prefix) {
            (void)bytes_lenenc(in);
        }
        if (bytes_failed(in) || index >= map->column_count || map->key_count == map->column_count) {
            bytes_fail(in);
            break;
        }
        map->key[map->key_count++] = (uint32_t)index;
    }
    return ERR_OK;
}

static enum err_code read_optional(struct parser *p, uint8_t type, struct bytes_reader *in)
{
    enum err_code rc = ERR_OK;

    switch (type) {
    case OPTIONAL_SIGNEDNESS:
        read_bits(p, in, is_numeric, put_signedness);
        break;
    case OPTIONAL_DEFAULT_CHARSET:
        read_default_charset_both(p->map, in);
        break;
    case OPTIONAL_COLUMN_CHARSET:
        read_all_charsets(p->map, in);
        break;
    case OPTIONAL_COLUMN_NAME:
        read_names(p, in);
        break;
    case OPTIONAL_SET_LABELS:
        rc = read_labels(p, in, is_set);
        break;
    case OPTIONAL_ENUM_LABELS:
        rc = read_labels(p, in, is_enum);
        break;
    case OPTIONAL_KEY:
    case OPTIONAL_KEY_WITH_PREFIX:
        rc = read_key(p, in, type == OPTIONAL_KEY_WITH_PREFIX);
        break;
    case OPTIONAL_ENUM_SET_DEFAULT_CHARSET:
        read_default_charset(p->map, in, is_enum_or_set, false);
        break;
    case OPTIONAL_ENUM_SET_COLUMN_CHARSET:
        read_column_charset(p->map, in, is_enum_or_set);
        break;
    case OPTIONAL_VISIBILITY:
        read_bits(p, in, is_any, put_visibility);
        break;
    default: /* a wire value: geometry types, vector sizes and later additions do not steer decoding
              */
        return ERR_OK;
    }
    if (rc == ERR_OK && (bytes_failed(in) || bytes_left(in) != 0)) {
        rc = err_set(p->e, ERR_CORRUPT, "optional field %u does not fit the columns", type);
    }
    return rc;
}

static enum err_code read_body(struct parser *p, struct bytes_reader *in)
{
    read_head(in, p->map);
    if (bytes_failed(in)) {
        return err_set(p->e, ERR_CORRUPT, "it ends within its names");
    }
    ERR_TRY(read_columns(p, in));
    while (bytes_left(in) > 0) {
        uint8_t type = bytes_u8(in);
        struct span value = bytes_lenenc_span(in);
        struct bytes_reader field;

        if (bytes_failed(in)) {
            return err_set(p->e, ERR_CORRUPT, "it ends within optional field %u", type);
        }
        bytes_reader_init(&field, value);
        ERR_TRY(read_optional(p, type, &field));
    }
    return ERR_OK;
}

enum err_code table_map_parse(struct span body, struct arena *arena, struct table_map *out,
                              struct err *e)
{
    struct parser p = {.arena = arena, .map = out, .e = e};
    struct bytes_reader in;
    uint8_t *copy = arena_alloc(arena, body.len > 0 ? body.len : 1, 1);
    enum err_code rc;

    *out = (struct table_map){0};
    if (copy == NULL) {
        rc = arena_fail(arena, e, "table map");
    } else {
        if (body.len > 0) {
            memcpy(copy, body.data, body.len);
        }
        bytes_reader_init(&in, span_of(copy, body.len));
        rc = read_body(&p, &in);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "table map event of %.*s.%.*s", (int)out->schema.len,
                 (const char *)out->schema.data, (int)out->name.len, (const char *)out->name.data);
    }
    return rc;
}
