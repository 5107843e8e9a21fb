#include <stdio.h>
#include <stdlib.h>

#include "codec/decimal.h"
#include "mysql/row_plan_int.h"
#include "mysql/value_inet.h"
#include "mysql/value_temporal.h"
#include "mysql/wire_type.h"

/* One column being planned. */
struct planner {
    const struct table_map_column *map;
    struct column_def *def; /* the plan's own */
    struct row_op *op;
    struct arena *arena;
    uint16_t collation; /* as logged, by the reading of the map that fits; 0 when not logged */
    struct charset_converter *charsets;
    struct err *e;
};

static const char *wire_name(uint8_t type)
{
    static const char *const names[256] = {
        [WIRE_DECIMAL] = "DECIMAL (before 5.0)",
        [WIRE_TINY] = "TINYINT",
        [WIRE_SHORT] = "SMALLINT",
        [WIRE_LONG] = "INT",
        [WIRE_FLOAT] = "FLOAT",
        [WIRE_DOUBLE] = "DOUBLE",
        [WIRE_NULL] = "NULL",
        [WIRE_TIMESTAMP] = "TIMESTAMP (before 5.6)",
        [WIRE_LONGLONG] = "BIGINT",
        [WIRE_INT24] = "MEDIUMINT",
        [WIRE_DATE] = "DATE",
        [WIRE_TIME] = "TIME (before 5.6)",
        [WIRE_DATETIME] = "DATETIME (before 5.6)",
        [WIRE_YEAR] = "YEAR",
        [WIRE_NEWDATE] = "DATE",
        [WIRE_VARCHAR] = "VARCHAR or VARBINARY",
        [WIRE_BIT] = "BIT",
        [WIRE_TIMESTAMP2] = "TIMESTAMP",
        [WIRE_DATETIME2] = "DATETIME",
        [WIRE_TIME2] = "TIME",
        [WIRE_BLOB_COMPRESSED] = "TEXT or BLOB COMPRESSED",
        [WIRE_VARCHAR_COMPRESSED] = "VARCHAR or VARBINARY COMPRESSED",
        [WIRE_VECTOR] = "VECTOR",
        [WIRE_JSON] = "JSON",
        [WIRE_NEWDECIMAL] = "DECIMAL",
        [WIRE_ENUM] = "ENUM",
        [WIRE_SET] = "SET",
        [WIRE_BLOB] = "TEXT or BLOB",
        [WIRE_VAR_STRING] = "VARCHAR or VARBINARY",
        [WIRE_STRING] = "CHAR or BINARY",
        [WIRE_GEOMETRY] = "GEOMETRY",
    };

    return names[type] == NULL ? "a type that is not known" : names[type];
}

static const char *def_text(const struct column_def *d)
{
    return d->type_text == NULL ? column_type_name(d->type) : d->type_text;
}

/* what: "has 3 fraction digits": a side note on the binlog's type, may be empty. */
static enum err_code type_conflict(const struct planner *p, const char *what)
{
    return err_set(p->e, ERR_CONFLICT,
                   "it is %s%s%s in the binlog, but the table definition has %s",
                   wire_name(p->map->type), what[0] == '\0' ? "" : " ", what, def_text(p->def));
}

static enum err_code size_conflict(const struct planner *p, const char *unit, unsigned n)
{
    char what[64];

    (void)snprintf(what, sizeof what, "of %u %s", n, unit);
    return type_conflict(p, what);
}

static bool is_compressed(uint8_t wire)
{
    return wire == WIRE_BLOB_COMPRESSED || wire == WIRE_VARCHAR_COMPRESSED;
}

static enum err_code want_wire(const struct planner *p, uint8_t a, uint8_t b)
{
    return p->map->type == a || p->map->type == b ? ERR_OK : type_conflict(p, "");
}

static enum err_code plan_fixed(const struct planner *p, uint8_t wire, unsigned bytes,
                                row_decode_fn *decode)
{
    p->op->decode = decode;
    p->op->bytes = (uint8_t)bytes;
    return want_wire(p, wire, wire);
}

static enum err_code plan_integer(const struct planner *p, uint8_t wire, unsigned bytes,
                                  row_decode_fn *with_sign, row_decode_fn *without)
{
    ERR_TRY(plan_fixed(p, wire, bytes, p->def->is_unsigned ? without : with_sign));
    if (p->map->has_signedness && p->map->is_unsigned != p->def->is_unsigned) {
        return type_conflict(p, p->map->is_unsigned ? "UNSIGNED" : "with a sign");
    }
    return ERR_OK;
}

static enum err_code plan_decimal(const struct planner *p)
{
    uint8_t precision = (uint8_t)(p->map->meta & 0xff);
    uint8_t scale = (uint8_t)(p->map->meta >> 8);

    ERR_TRY(plan_fixed(p, WIRE_NEWDECIMAL, 0, row_decode_decimal));
    if (precision != p->def->precision || scale != p->def->scale) {
        char what[32];

        (void)snprintf(what, sizeof what, "(%u,%u)", precision, scale);
        return type_conflict(p, what);
    }
    p->op->precision = precision;
    p->op->scale = scale;
    p->op->bytes = (uint8_t)decimal_packed_bytes(precision, scale);
    return ERR_OK;
}

static enum err_code plan_bit(const struct planner *p)
{
    ERR_TRY(plan_fixed(p, WIRE_BIT, (p->map->meta + 7u) / 8, row_decode_bit));
    p->op->length = p->map->meta;
    return p->map->meta == p->def->length ? ERR_OK : size_conflict(p, "bits", p->map->meta);
}

/* The forms of a type with fractions. */
struct temporal_forms {
    uint8_t now;
    uint8_t now_bytes; /* in front of the fraction */
    row_decode_fn *decode_now;
    uint8_t old;
    uint8_t old_bytes; /* without a fraction */
    row_decode_fn *decode_old;
    const uint8_t *hires_bytes; /* of the old type with a fraction, which only MariaDB has */
    row_decode_fn *decode_hires;
};

static enum err_code plan_temporal(const struct planner *p, const struct temporal_forms *f)
{
    uint8_t fsp = p->def->fsp;

    ERR_TRY(want_wire(p, f->now, f->old));
    p->op->fsp = fsp;
    if (p->map->type == f->now) {
        ERR_TRY(plan_fixed(p, f->now, f->now_bytes + (unsigned)temporal_fraction_bytes(fsp),
                           f->decode_now));
        return p->map->meta == fsp ? ERR_OK : size_conflict(p, "fraction digits", p->map->meta);
    }
    /* The map does not tell the fraction of old ones. */
    return fsp == 0 ? plan_fixed(p, f->old, f->old_bytes, f->decode_old)
                    : plan_fixed(p, f->old, f->hires_bytes[fsp], f->decode_hires);
}

static const char *logged_charset(uint16_t collation)
{
    return collation == 0 ? NULL : charset_of_collation(collation);
}

/* The charset of a text column: the map's where it is logged and known, and the definition agrees.
 */
static enum err_code plan_charset(const struct planner *p)
{
    const char *logged = logged_charset(p->collation);
    const char *name = logged == NULL ? p->def->charset : logged;

    if (name == NULL) {
        return err_set(p->e, ERR_UNSUPPORTED,
                       p->collation == 0 ? "its charset is neither in the binlog nor in the table "
                                           "definition"
                                         : "its collation %u is not known",
                       p->collation);
    }
    if (logged != NULL && p->def->charset != NULL && !charset_same(logged, p->def->charset)) {
        return err_set(p->e, ERR_CONFLICT,
                       "its charset is %s in the binlog and %s in the table definition", logged,
                       p->def->charset);
    }
    p->op->charset = charset_find(name);
    if (p->op->charset == NULL) {
        return err_set(p->e, ERR_UNSUPPORTED, "its charset %s is not supported", name);
    }
    return charset_check(p->op->charset, p->charsets, p->e);
}

/* The length in front of a value; STRING and VARCHAR have no more bytes than meta says. */
static void plan_prefix(const struct planner *p, row_decode_fn *decode)
{
    bool blob = p->map->type == WIRE_BLOB || p->map->type == WIRE_JSON ||
                p->map->type == WIRE_GEOMETRY || p->map->type == WIRE_VECTOR ||
                p->map->type == WIRE_BLOB_COMPRESSED;

    p->op->decode = decode;
    p->op->prefixed = true;
    p->op->bytes = blob ? (uint8_t)p->map->meta : p->map->meta < 256 ? 1 : 2;
}

/* A type that MariaDB may compress; meta counts the byte in front of a short value, too. */
static void plan_compressed(const struct planner *p, row_make_fn *make)
{
    uint32_t blob_max = (uint32_t)((UINT64_C(1) << 8 * p->op->bytes) - 1);

    p->op->decode = row_decode_compressed;
    p->op->make = make;
    p->op->length = p->map->type == WIRE_BLOB_COMPRESSED ? blob_max
                    : p->map->meta > 0                   ? p->map->meta - 1u
                                                         : 0;
}

static enum err_code plan_text(const struct planner *p, uint8_t a, uint8_t b)
{
    ERR_TRY(want_wire(p, a, b));
    ERR_TRY(plan_charset(p));
    if (charset_is_binary(p->op->charset)) {
        return type_conflict(p, "with charset binary");
    }
    bool utf8 = charset_is_utf8mb(p->op->charset);

    plan_prefix(p, utf8 ? row_decode_utf8 : row_decode_text);
    if (is_compressed(p->map->type)) {
        plan_compressed(p, utf8 ? row_make_utf8 : row_make_text);
    }
    return ERR_OK;
}

static enum err_code plan_bytes(const struct planner *p, uint8_t a, uint8_t b,
                                row_decode_fn *decode)
{
    const char *logged = logged_charset(p->collation);

    ERR_TRY(want_wire(p, a, b));
    if (logged != NULL && !charset_same(logged, "binary")) {
        char what[64];

        (void)snprintf(what, sizeof what, "with charset %s", logged);
        return type_conflict(p, what);
    }
    plan_prefix(p, decode);
    if (is_compressed(p->map->type)) {
        plan_compressed(p, row_make_bytes);
    }
    return ERR_OK;
}

/* BINARY and the types that MariaDB makes of it; `length` bytes. */
static enum err_code plan_binary(const struct planner *p, uint32_t length, row_decode_fn *decode)
{
    ERR_TRY(plan_bytes(p, WIRE_STRING, WIRE_STRING, decode));
    p->op->length = length;
    return p->map->meta == length ? ERR_OK : size_conflict(p, "bytes", p->map->meta);
}

static enum err_code label_conflict(const struct planner *p, uint32_t i, const char *logged)
{
    return err_set(p->e, ERR_CONFLICT,
                   "its member %u is '%s' in the binlog and '%s' in the table definition", i + 1,
                   logged, p->def->labels[i]);
}

/* The catalog shows a question mark for what UTF-8 needs four bytes for. */
static bool label_agrees(struct span logged, const char *shown)
{
    size_t i = 0;

    while (i < logged.len && *shown != '\0') {
        size_t n = logged.data[i] < 0xf0 || logged.len - i < 4 ? 1 : 4;

        if (strncmp((const char *)logged.data + i, shown, n) == 0) {
            shown += n;
        } else if (n == 4 && *shown == '?') {
            shown++;
        } else {
            return false;
        }
        i += n;
    }
    return i == logged.len && *shown == '\0';
}

/* The map's labels in UTF-8; they must be those of the definition as far as the catalog shows it.
 */
static enum err_code logged_labels(const struct planner *p, const char **out)
{
    struct buf text = {0};
    enum err_code rc = ERR_OK;

    if (p->map->label_count != p->def->label_count) {
        return size_conflict(p, "members", p->map->label_count);
    }
    for (uint32_t i = 0; i < p->map->label_count && rc == ERR_OK; i++) {
        buf_reset(&text);
        rc = charset_to_utf8(p->op->charset, p->charsets, p->map->labels[i], &text, p->e);
        if (rc != ERR_OK) {
            break;
        }
        out[i] = arena_strndup(p->arena, text.data, text.len);
        if (out[i] == NULL) {
            rc = arena_fail(p->arena, p->e, "row plan");
        } else if (!label_agrees(buf_span(&text), p->def->labels[i])) {
            rc = label_conflict(p, i, out[i]);
        }
    }
    buf_deinit(&text);
    return rc;
}

static enum err_code plan_labels(const struct planner *p)
{
    uint32_t count = p->def->label_count;

    if (count == 0) {
        return err_set(p->e, ERR_UNSUPPORTED, "the table definition has no members for it");
    }
    struct span *labels = arena_alloc(p->arena, count, sizeof *labels);
    const char **names = (const char **)arena_alloc(p->arena, count, sizeof *names);

    if (labels == NULL || names == NULL) {
        return arena_fail(p->arena, p->e, "row plan");
    }
    if (p->map->labels != NULL) {
        ERR_TRY(plan_charset(p));
        ERR_TRY(logged_labels(p, names));
        p->def->labels = names;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool in_doubt = p->map->labels == NULL && column_label_in_doubt(p->def, i);

        labels[i] = in_doubt ? (struct span){NULL, 0} : span_str(p->def->labels[i]);
        p->op->doubtful |= in_doubt && i < 64 ? UINT64_C(1) << i : 0;
    }
    p->op->labels = labels;
    p->op->label_count = count;
    return ERR_OK;
}

static enum err_code plan_enum(const struct planner *p)
{
    unsigned bytes = p->def->label_count < 256 ? 1 : 2;

    ERR_TRY(plan_fixed(p, WIRE_ENUM, p->map->meta, row_decode_enum));
    ERR_TRY(plan_labels(p));
    return p->map->meta == bytes ? ERR_OK : size_conflict(p, "bytes", p->map->meta);
}

static enum err_code plan_set(const struct planner *p)
{
    unsigned bytes = (p->def->label_count + 7) / 8;

    ERR_TRY(plan_fixed(p, WIRE_SET, p->map->meta, row_decode_set));
    ERR_TRY(plan_labels(p));
    return p->map->meta == (bytes > 4 ? 8 : bytes) ? ERR_OK
                                                   : size_conflict(p, "bytes", p->map->meta);
}

static enum err_code plan_number(const struct planner *p)
{
    switch (p->def->type) {
    case COLUMN_TYPE_TINYINT:
        return plan_integer(p, WIRE_TINY, 1, row_decode_i8, row_decode_u8);
    case COLUMN_TYPE_SMALLINT:
        return plan_integer(p, WIRE_SHORT, 2, row_decode_i16, row_decode_u16);
    case COLUMN_TYPE_MEDIUMINT:
        return plan_integer(p, WIRE_INT24, 3, row_decode_i24, row_decode_u24);
    case COLUMN_TYPE_INT:
        return plan_integer(p, WIRE_LONG, 4, row_decode_i32, row_decode_u32);
    case COLUMN_TYPE_BIGINT:
        return plan_integer(p, WIRE_LONGLONG, 8, row_decode_i64, row_decode_u64);
    case COLUMN_TYPE_FLOAT:
        return plan_fixed(p, WIRE_FLOAT, 4, row_decode_f32);
    case COLUMN_TYPE_DOUBLE:
        return plan_fixed(p, WIRE_DOUBLE, 8, row_decode_f64);
    case COLUMN_TYPE_DECIMAL:
        return plan_decimal(p);
    case COLUMN_TYPE_BIT:
        return plan_bit(p);
    default:
        return plan_fixed(p, WIRE_YEAR, 1, row_decode_year);
    }
}

static const struct temporal_forms time_forms = {
    .now = WIRE_TIME2,
    .now_bytes = 3,
    .decode_now = row_decode_time2,
    .old = WIRE_TIME,
    .old_bytes = 3,
    .decode_old = row_decode_time_old,
    .hires_bytes = temporal_time_hires_bytes,
    .decode_hires = row_decode_time_hires,
};
static const struct temporal_forms datetime_forms = {
    .now = WIRE_DATETIME2,
    .now_bytes = 5,
    .decode_now = row_decode_datetime2,
    .old = WIRE_DATETIME,
    .old_bytes = 8,
    .decode_old = row_decode_datetime_old,
    .hires_bytes = temporal_datetime_hires_bytes,
    .decode_hires = row_decode_datetime_hires,
};
static const struct temporal_forms timestamp_forms = {
    .now = WIRE_TIMESTAMP2,
    .now_bytes = 4,
    .decode_now = row_decode_timestamp2,
    .old = WIRE_TIMESTAMP,
    .old_bytes = 4,
    .decode_old = row_decode_timestamp_old,
    .hires_bytes = temporal_timestamp_hires_bytes,
    .decode_hires = row_decode_timestamp_hires,
};

static enum err_code plan_time(const struct planner *p)
{
    switch (p->def->type) {
    case COLUMN_TYPE_TIME:
        return plan_temporal(p, &time_forms);
    case COLUMN_TYPE_DATETIME:
        return plan_temporal(p, &datetime_forms);
    case COLUMN_TYPE_TIMESTAMP:
        return plan_temporal(p, &timestamp_forms);
    default:
        ERR_TRY(want_wire(p, WIRE_DATE, WIRE_NEWDATE));
        return plan_fixed(p, p->map->type, 3, row_decode_date);
    }
}

static enum err_code plan_string(const struct planner *p)
{
    bool compressed = is_compressed(p->map->type);

    switch (p->def->type) {
    case COLUMN_TYPE_CHAR:
        return plan_text(p, WIRE_STRING, WIRE_STRING);
    case COLUMN_TYPE_VARCHAR:
        return plan_text(p, compressed ? WIRE_VARCHAR_COMPRESSED : WIRE_VARCHAR, WIRE_VAR_STRING);
    case COLUMN_TYPE_TEXT:
        return plan_text(p, compressed ? WIRE_BLOB_COMPRESSED : WIRE_BLOB, WIRE_BLOB);
    case COLUMN_TYPE_BINARY:
        return plan_binary(p, p->def->length, row_decode_binary);
    case COLUMN_TYPE_UUID:
        return plan_binary(p, VALUE_UUID_BYTES, row_decode_uuid);
    case COLUMN_TYPE_INET4:
        return plan_binary(p, VALUE_INET4_BYTES, row_decode_inet4);
    case COLUMN_TYPE_INET6:
        return plan_binary(p, VALUE_INET6_BYTES, row_decode_inet6);
    case COLUMN_TYPE_VARBINARY:
        return plan_bytes(p, compressed ? WIRE_VARCHAR_COMPRESSED : WIRE_VARCHAR, WIRE_VAR_STRING,
                          row_decode_bytes);
    case COLUMN_TYPE_VECTOR: /* MariaDB's is a VARBINARY in the binlog */
        return plan_bytes(p, WIRE_VECTOR, WIRE_VARCHAR, row_decode_bytes);
    case COLUMN_TYPE_GEOMETRY:
        return plan_bytes(p, WIRE_GEOMETRY, WIRE_GEOMETRY, row_decode_geometry);
    case COLUMN_TYPE_JSON:
        p->op->json = true;
        return plan_bytes(p, WIRE_JSON, WIRE_JSON, row_decode_json);
    default:
        return plan_bytes(p, compressed ? WIRE_BLOB_COMPRESSED : WIRE_BLOB, WIRE_BLOB,
                          row_decode_bytes);
    }
}

static enum err_code plan_type(const struct planner *p)
{
    switch (p->def->type) {
    case COLUMN_TYPE_TINYINT:
    case COLUMN_TYPE_SMALLINT:
    case COLUMN_TYPE_MEDIUMINT:
    case COLUMN_TYPE_INT:
    case COLUMN_TYPE_BIGINT:
    case COLUMN_TYPE_DECIMAL:
    case COLUMN_TYPE_FLOAT:
    case COLUMN_TYPE_DOUBLE:
    case COLUMN_TYPE_BIT:
    case COLUMN_TYPE_YEAR:
        return plan_number(p);
    case COLUMN_TYPE_DATE:
    case COLUMN_TYPE_TIME:
    case COLUMN_TYPE_DATETIME:
    case COLUMN_TYPE_TIMESTAMP:
        return plan_time(p);
    case COLUMN_TYPE_CHAR:
    case COLUMN_TYPE_VARCHAR:
    case COLUMN_TYPE_TEXT:
    case COLUMN_TYPE_BINARY:
    case COLUMN_TYPE_VARBINARY:
    case COLUMN_TYPE_BLOB:
    case COLUMN_TYPE_JSON:
    case COLUMN_TYPE_GEOMETRY:
    case COLUMN_TYPE_VECTOR:
    case COLUMN_TYPE_UUID:
    case COLUMN_TYPE_INET4:
    case COLUMN_TYPE_INET6:
        return plan_string(p);
    case COLUMN_TYPE_ENUM:
        return plan_enum(p);
    case COLUMN_TYPE_SET:
        return plan_set(p);
    }
    return type_conflict(p, "");
}

static enum err_code plan_column(const struct planner *p)
{
    if (p->map->name.len > 0 && !span_eq_str(p->map->name, p->def->name)) {
        return err_set(p->e, ERR_CONFLICT, "it is '%.*s' in the binlog", (int)p->map->name.len,
                       (const char *)p->map->name.data);
    }
    switch (p->map->type) {
    case WIRE_DECIMAL:
    case WIRE_NULL:
        return err_set(p->e, ERR_UNSUPPORTED, "it is %s in the binlog, which cannot be read",
                       wire_name(p->map->type));
    default:
        return plan_type(p);
    }
}

static bool holds_text(enum column_type type)
{
    return type == COLUMN_TYPE_CHAR || type == COLUMN_TYPE_VARCHAR || type == COLUMN_TYPE_TEXT;
}

/* Whether the wide reading of a map's collations is that of the definition. */
static bool wide_reading_fits(const struct table_map *map, const struct table_def *def)
{
    bool any = false;

    for (uint32_t i = 0; i < map->column_count; i++) {
        const struct column_def *d = &def->columns[i];
        const char *charset = logged_charset(map->columns[i].collation_wide);
        const char *wanted = holds_text(d->type) && d->charset != NULL ? d->charset : "binary";

        if (charset == NULL) {
            continue;
        }
        any = true;
        if (!charset_same(charset, wanted)) {
            return false;
        }
    }
    return any;
}

static enum err_code plan_columns(struct row_plan *plan, const struct table_map *map, struct err *e)
{
    struct charset_converter charsets;
    bool wide = wide_reading_fits(map, plan->def);
    enum err_code rc = ERR_OK;

    charset_converter_init(&charsets);
    for (uint32_t i = 0; i < map->column_count && rc == ERR_OK; i++) {
        struct planner p = {
            .map = &map->columns[i],
            .def = &plan->def->columns[i],
            .op = &plan->ops[i],
            .arena = &plan->arena,
            .collation = wide ? map->columns[i].collation_wide : map->columns[i].collation,
            .charsets = &charsets,
            .e = e,
        };

        rc = plan_column(&p);
        plan->json_count += p.op->json ? 1u : 0u;
        if (rc != ERR_OK) {
            err_wrap(e, "%s.%s column %u '%s'", plan->def->schema, plan->def->name, i + 1,
                     p.def->name);
        }
    }
    charset_converter_deinit(&charsets);
    return rc;
}

/* Behind the others in the log of a system-versioned table that declares none of them. */
static const struct column_def hidden_columns[] = {
    {.name = "row_start", .type = COLUMN_TYPE_TIMESTAMP, .generated = true, .fsp = 6},
    {.name = "row_end",
     .type = COLUMN_TYPE_TIMESTAMP,
     .generated = true,
     .fsp = 6,
     .row_end = true},
};

#define HIDDEN_COLUMNS (sizeof hidden_columns / sizeof hidden_columns[0])

static bool has_row_end(const struct table_def *def)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].row_end) {
            return true;
        }
    }
    return false;
}

/* The plan's definition, with room for hidden columns behind its own. */
static enum err_code copy_def(struct row_plan *plan, const struct table_def *def, struct err *e)
{
    struct column_def *columns =
        arena_alloc(&plan->arena, def->column_count + HIDDEN_COLUMNS, sizeof *columns);

    plan->def = table_def_copy(def, &plan->arena);
    plan->ops = arena_alloc(&plan->arena, plan->column_count, sizeof *plan->ops);
    if (columns == NULL || plan->def == NULL || plan->ops == NULL) {
        return arena_fail(&plan->arena, e, "row plan");
    }
    memcpy(columns, plan->def->columns, def->column_count * sizeof *columns);
    memcpy(columns + def->column_count, hidden_columns, sizeof hidden_columns);
    plan->def->columns = columns;
    return ERR_OK;
}

static enum err_code find_row_end(struct row_plan *plan, struct err *e)
{
    const struct table_def *def = plan->def;

    plan->versioned = def->versioned;
    for (uint32_t i = 0; def->versioned && i < plan->column_count; i++) {
        if (def->columns[i].row_end) {
            plan->row_end = i;
        }
    }
    return !def->versioned || def->columns[plan->row_end].type == COLUMN_TYPE_TIMESTAMP
               ? ERR_OK
               : err_set(e, ERR_UNSUPPORTED,
                         "%s.%s has system versioning by transaction, which rows events do not "
                         "follow",
                         def->schema, def->name);
}

static enum err_code fill(struct row_plan *plan, const struct table_map *map,
                          const struct table_def *def, struct err *e)
{
    uint32_t hidden = def->versioned && !has_row_end(def) ? HIDDEN_COLUMNS : 0;

    plan->column_count = def->column_count + hidden;
    if (map->column_count != plan->column_count || map->column_count == 0) {
        return err_set(e, ERR_CONFLICT,
                       "%s.%s has %u columns in the binlog and %u in the table definition",
                       def->schema, def->name, map->column_count, plan->column_count);
    }
    ERR_TRY(copy_def(plan, def, e));
    ERR_TRY(plan_columns(plan, map, e));
    return find_row_end(plan, e);
}

enum err_code row_plan_new(const struct table_map *map, const struct table_def *def,
                           struct row_plan **out, struct err *e)
{
    struct row_plan *plan = calloc(1, sizeof *plan);

    *out = NULL;
    if (plan == NULL) {
        return err_nomem(e);
    }
    arena_init(&plan->arena, 0);
    enum err_code rc = fill(plan, map, def, e);

    if (rc != ERR_OK) {
        row_plan_free(plan);
        return rc;
    }
    *out = plan;
    return ERR_OK;
}

void row_plan_free(struct row_plan *p)
{
    if (p != NULL) {
        arena_deinit(&p->arena);
        free(p);
    }
}

const struct table_def *row_plan_def(const struct row_plan *p)
{
    return p->def;
}
