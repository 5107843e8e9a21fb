#include "parquet/footer.h"

#include <stdlib.h>

#include "base/str.h"
#include "codec/thrift_compact.h"

#define MAGIC_BYTES 4

/* What steers the parsing of one footer. */
struct footer_parser {
    struct arena *arena;
    struct parquet_meta *meta;
    int64_t data_end;
    struct err *e;
};

/* A list of structs of at least one byte each; false when the field is something else. */
static bool list_of_structs(struct thrift_reader *r, const struct thrift_field *f, uint32_t *count)
{
    enum thrift_type element;

    *count = f->type == THRIFT_LIST ? thrift_read_list(r, &element) : 0;
    if (f->type != THRIFT_LIST || (*count > 0 && element != THRIFT_STRUCT)) {
        bytes_fail(r->in);
        return false;
    }
    return !bytes_failed(r->in);
}

static enum err_code out_of_arena(const struct footer_parser *p)
{
    return arena_fail(p->arena, p->e, "Parquet footer");
}

static enum err_code broken(const struct footer_parser *p, const char *what)
{
    return err_set(p->e, ERR_CORRUPT, "Parquet footer: %s cannot be read", what);
}

/* ---- schema ---- */

/* What a schema element says, before it is judged. */
struct element {
    struct parquet_ints ints;
    struct span name;
    int16_t logical; /* member of LogicalType, 0 for none */
    bool utc;
    int16_t unit; /* member of TimeUnit */
    struct parquet_ints decimal;
};

/* The members of TimeType and TimestampType. */
static void read_time(struct thrift_reader *r, struct element *out)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        if (f.id == 1) {
            out->utc = thrift_read_bool(&f);
        }
        if (f.id == 2 && f.type == THRIFT_STRUCT) {
            struct thrift_reader unit = {r->in, 0};

            while (thrift_next(&unit, &f)) {
                out->unit = f.id;
                thrift_skip(&unit, f.type);
            }
        } else {
            thrift_skip(&t, f.type);
        }
    }
}

static void read_logical(struct thrift_reader *r, struct element *out)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        out->logical = f.id;
        if (f.type == THRIFT_STRUCT && f.id == 5) {
            parquet_read_ints(&t, &out->decimal);
        } else if (f.type == THRIFT_STRUCT && (f.id == 7 || f.id == 8)) {
            read_time(&t, out);
        } else {
            thrift_skip(&t, f.type);
        }
    }
}

static void read_element(struct thrift_reader *r, struct element *out)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    *out = (struct element){.logical = 0};
    while (thrift_next(&t, &f)) {
        if (parquet_take_int(&t, &f, &out->ints)) {
            continue;
        }
        if (f.id == 4 && f.type == THRIFT_BINARY) {
            out->name = thrift_read_binary(&t);
        } else if (f.id == 10 && f.type == THRIFT_STRUCT) {
            read_logical(&t, out);
        } else {
            thrift_skip(&t, f.type);
        }
    }
}

/* Logical types that others write and we have no name for are PARQUET_LOGICAL_NONE. */
static enum parquet_logical logical_of(const struct element *el)
{
    const bool micros = el->unit == 2;

    switch (el->logical) {
    case 1: /* STRING, ENUM, JSON: all are UTF-8 text */
    case 4:
    case 12:
        return PARQUET_LOGICAL_STRING;
    case 5:
        return PARQUET_LOGICAL_DECIMAL;
    case 6:
        return PARQUET_LOGICAL_DATE;
    case 7:
        return micros ? PARQUET_LOGICAL_TIME_US : PARQUET_LOGICAL_NONE;
    case 8:
        return !micros   ? PARQUET_LOGICAL_NONE
               : el->utc ? PARQUET_LOGICAL_TIMESTAMPTZ_US
                         : PARQUET_LOGICAL_TIMESTAMP_US;
    case 14:
        return PARQUET_LOGICAL_UUID;
    default:
        return PARQUET_LOGICAL_NONE;
    }
}

/* The annotation of files older than LogicalType. */
static enum parquet_logical converted_of(const struct element *el)
{
    switch (parquet_has_int(&el->ints, 6) ? el->ints.v[6] : -1) {
    case 0: /* UTF8, ENUM, JSON */
    case 4:
    case 19:
        return PARQUET_LOGICAL_STRING;
    case 5:
        return PARQUET_LOGICAL_DECIMAL;
    case 6:
        return PARQUET_LOGICAL_DATE;
    case 8:
        return PARQUET_LOGICAL_TIME_US;
    case 10:
        return PARQUET_LOGICAL_TIMESTAMPTZ_US;
    default:
        return PARQUET_LOGICAL_NONE;
    }
}

/* Whether a logical type can stand on the physical one; else the plain value is shown. */
static bool logical_fits(const struct parquet_reader_column *c)
{
    switch (c->logical) {
    case PARQUET_LOGICAL_NONE:
        return true;
    case PARQUET_LOGICAL_STRING:
        return c->type == PARQUET_BYTE_ARRAY;
    case PARQUET_LOGICAL_DATE:
        return c->type == PARQUET_INT32;
    case PARQUET_LOGICAL_TIME_US:
    case PARQUET_LOGICAL_TIMESTAMP_US:
    case PARQUET_LOGICAL_TIMESTAMPTZ_US:
        return c->type == PARQUET_INT64;
    case PARQUET_LOGICAL_DECIMAL:
        return c->type == PARQUET_INT32 || c->type == PARQUET_INT64 ||
               c->type == PARQUET_BYTE_ARRAY || c->type == PARQUET_FIXED_LEN_BYTE_ARRAY;
    case PARQUET_LOGICAL_UUID:
        return c->type == PARQUET_FIXED_LEN_BYTE_ARRAY && c->type_bytes == 16;
    }
    abort();
}

static enum err_code decimal_of(const struct footer_parser *p, const struct element *el,
                                struct parquet_reader_column *c)
{
    bool modern = el->logical == 5;
    int64_t scale = modern ? el->decimal.v[1] : el->ints.v[7];
    int64_t precision = modern ? el->decimal.v[2] : el->ints.v[8];

    if (precision < 1 || precision > UINT8_MAX || scale < 0 || scale > precision) {
        return err_set(p->e, ERR_CORRUPT, "Parquet footer: column '%s' is decimal(%lld, %lld)",
                       c->name, (long long)precision, (long long)scale);
    }
    c->precision = (uint8_t)precision;
    c->scale = (uint8_t)scale;
    return ERR_OK;
}

/* A name in the arena. */
static enum err_code take_text(const struct footer_parser *p, struct span text, const char *what,
                               const char **out)
{
    if (!str_is_utf8(text) || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        return err_set(p->e, ERR_CORRUPT, "Parquet footer: %s is not a UTF-8 text", what);
    }
    *out = arena_strndup(p->arena, text.data, text.len);
    return *out == NULL ? out_of_arena(p) : ERR_OK;
}

static bool good_leaf(const struct element *el)
{
    int64_t type = el->ints.v[1];

    return parquet_has_int(&el->ints, 1) && type >= PARQUET_BOOLEAN &&
           type <= PARQUET_FIXED_LEN_BYTE_ARRAY && parquet_has_int(&el->ints, 3) &&
           el->ints.v[3] >= 0 && el->ints.v[3] <= 1 &&
           (type != PARQUET_FIXED_LEN_BYTE_ARRAY ||
            (el->ints.v[2] >= 1 && el->ints.v[2] <= INT32_MAX));
}

static enum err_code add_column(const struct footer_parser *p, const struct element *el)
{
    struct parquet_reader_column *c = &p->meta->columns[p->meta->column_count];
    int64_t repetition = el->ints.v[3];

    ERR_TRY(take_text(p, el->name, "a column's name", &c->name));
    if ((parquet_has_int(&el->ints, 5) && el->ints.v[5] != 0) || repetition == 2) {
        return err_set(p->e, ERR_UNSUPPORTED,
                       "Parquet: column '%s' is nested, calve reads flat files only", c->name);
    }
    if (!good_leaf(el)) {
        return broken(p, "a column's type");
    }
    c->type = (enum parquet_type)el->ints.v[1];
    c->required = repetition == 0;
    c->has_field_id = parquet_has_int(&el->ints, 9);
    c->field_id = (int32_t)el->ints.v[9];
    c->type_bytes = c->type == PARQUET_FIXED_LEN_BYTE_ARRAY ? (uint32_t)el->ints.v[2] : 0;
    c->logical = el->logical != 0 ? logical_of(el) : converted_of(el);
    if (!logical_fits(c)) {
        c->logical = PARQUET_LOGICAL_NONE;
    }
    if (c->logical == PARQUET_LOGICAL_DECIMAL) {
        ERR_TRY(decimal_of(p, el, c));
    }
    p->meta->column_count++;
    return ERR_OK;
}

static enum err_code parse_schema(const struct footer_parser *p, struct thrift_reader *r,
                                  const struct thrift_field *f)
{
    struct element el;
    uint32_t count;

    if (!list_of_structs(r, f, &count) || count == 0 || p->meta->columns != NULL) {
        return broken(p, "the schema");
    }
    read_element(r, &el);
    if (bytes_failed(r->in) || el.ints.v[5] < 0 || el.ints.v[5] > INT32_MAX) {
        return broken(p, "the schema");
    }
    p->meta->columns = arena_alloc(p->arena, count, sizeof *p->meta->columns);
    if (p->meta->columns == NULL) {
        return out_of_arena(p);
    }
    int64_t children = el.ints.v[5];

    for (uint32_t i = 1; i < count; i++) {
        read_element(r, &el);
        if (bytes_failed(r->in)) {
            return broken(p, "the schema");
        }
        ERR_TRY(add_column(p, &el));
    }
    return children == p->meta->column_count ? ERR_OK : broken(p, "the schema");
}

/* ---- chunks ---- */

/* Statistics may be left out by anybody, so odd ones only mean that there are none. */
static void take_bounds(const struct parquet_reader_column *c, struct parquet_chunk *out)
{
    size_t width = parquet_type_bytes(c->type, c->type_bytes);

    out->has_bounds = out->min.bytes.data != NULL && out->max.bytes.data != NULL &&
                      (width == 0 || (out->min.bytes.len == width && out->max.bytes.len == width));
    if (!out->has_bounds) {
        out->min = out->max = (struct parquet_bound){.exact = false};
    }
}

static void read_statistics(struct thrift_reader *r, struct parquet_chunk *out)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;
    struct parquet_ints ints = {.seen = 0};

    while (thrift_next(&t, &f)) {
        if (parquet_take_int(&t, &f, &ints)) {
            continue;
        }
        if (f.type == THRIFT_BINARY && (f.id == 5 || f.id == 6)) {
            *(f.id == 5 ? &out->max.bytes : &out->min.bytes) = thrift_read_binary(&t);
        } else if (f.id == 7) {
            out->max.exact = thrift_read_bool(&f);
            thrift_skip(&t, f.type);
        } else if (f.id == 8) {
            out->min.exact = thrift_read_bool(&f);
            thrift_skip(&t, f.type);
        } else {
            thrift_skip(&t, f.type);
        }
    }
    out->has_null_count = parquet_has_int(&ints, 3);
    out->null_count = ints.v[3];
    out->nan_count = ints.v[9];
}

static void read_encodings(struct thrift_reader *r, struct parquet_chunk *out)
{
    enum thrift_type type;
    uint32_t count = thrift_read_list(r, &type);

    if (count > 0 && type != THRIFT_I32) {
        bytes_fail(r->in);
    }
    for (uint32_t i = 0; i < count && !bytes_failed(r->in); i++) {
        int64_t encoding = thrift_read_int(r);

        if (encoding >= 0 && encoding < 32) {
            out->encodings |= (uint32_t)1 << encoding;
        }
    }
}

static void read_encoding_stats(struct thrift_reader *r, const struct thrift_field *f,
                                struct parquet_chunk *out)
{
    uint32_t count;

    if (!list_of_structs(r, f, &count)) {
        return;
    }
    for (uint32_t i = 0; i < count && !bytes_failed(r->in); i++) {
        struct parquet_ints s = {.seen = 0};

        parquet_read_ints(r, &s);
        if (s.v[1] == PARQUET_DICTIONARY_PAGE || s.v[3] < 0 || s.v[3] > INT32_MAX) {
            continue;
        }
        out->data_page_count += (uint32_t)s.v[3];
        if (s.v[2] == PARQUET_RLE_DICTIONARY || s.v[2] == PARQUET_PLAIN_DICTIONARY) {
            out->dictionary_page_count += (uint32_t)s.v[3];
        }
    }
}

/* Whether the counts and places of a chunk can be true. */
static bool plausible(const struct footer_parser *p, const struct parquet_chunk *c)
{
    int64_t start = parquet_chunk_start(c);

    return c->value_count >= 0 && c->uncompressed_bytes >= 0 && c->compressed_bytes >= 0 &&
           c->null_count >= 0 && c->null_count <= c->value_count && c->nan_count >= 0 &&
           (c->value_count == 0 || /* without pages it may be anywhere */
            (start >= MAGIC_BYTES && start <= p->data_end &&
             c->compressed_bytes <= p->data_end - start && c->data_page_offset <= p->data_end));
}

/* The fields of ColumnMetaData that are not integers. */
static void read_chunk_field(struct thrift_reader *r, const struct thrift_field *f,
                             struct parquet_chunk *out)
{
    struct parquet_ints size = {.seen = 0};

    if (f->id == 2 && f->type == THRIFT_LIST) {
        read_encodings(r, out);
    } else if (f->id == 12 && f->type == THRIFT_STRUCT) {
        read_statistics(r, out);
    } else if (f->id == 13) {
        read_encoding_stats(r, f, out);
    } else if (f->id == 16 && f->type == THRIFT_STRUCT) {
        parquet_read_ints(r, &size);
        out->byte_array_bytes = size.v[1];
    } else {
        thrift_skip(r, f->type);
    }
}

static enum err_code parse_chunk_meta(const struct footer_parser *p, struct thrift_reader *r,
                                      const struct parquet_reader_column *c,
                                      struct parquet_chunk *out)
{
    const uint32_t required = 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 9;
    struct parquet_ints ints = {.seen = 0};
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        if (!parquet_take_int(&t, &f, &ints)) {
            read_chunk_field(&t, &f, out);
        }
    }
    if (bytes_failed(r->in) || (ints.seen & required) != required ||
        ints.v[1] != (int64_t)c->type || ints.v[4] < 0 || ints.v[4] > INT32_MAX) {
        return broken(p, "a column chunk");
    }
    out->codec = (int32_t)ints.v[4];
    out->value_count = ints.v[5];
    out->uncompressed_bytes = ints.v[6];
    out->compressed_bytes = ints.v[7];
    out->data_page_offset = ints.v[9];
    /* Some writers say 0 for none. */
    out->has_dictionary = parquet_has_int(&ints, 11) && ints.v[11] > 0;
    out->dictionary_page_offset = out->has_dictionary ? ints.v[11] : 0;
    take_bounds(c, out);
    return plausible(p, out) ? ERR_OK : broken(p, "a column chunk's place");
}

/* A page index: where it is, or zeros. */
static bool take_index(const struct footer_parser *p, int64_t at, int64_t bytes, int64_t *out_at,
                       int32_t *out_bytes)
{
    bool good = bytes >= 0 && bytes <= INT32_MAX && at >= 0 && at <= p->data_end &&
                bytes <= p->data_end - at;

    *out_at = good ? at : 0;
    *out_bytes = good ? (int32_t)bytes : 0;
    return good;
}

static enum err_code parse_chunk(const struct footer_parser *p, struct thrift_reader *r,
                                 const struct parquet_reader_column *c, struct parquet_chunk *out)
{
    struct parquet_ints ints = {.seen = 0};
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;
    bool described = false;

    while (thrift_next(&t, &f)) {
        if (parquet_take_int(&t, &f, &ints)) {
            continue;
        }
        if (f.id == 3 && f.type == THRIFT_STRUCT && !described) {
            described = true;
            ERR_TRY(parse_chunk_meta(p, &t, c, out));
        } else if (f.id == 1 || f.id == 8 || f.id == 9) {
            return err_set(p->e, ERR_UNSUPPORTED,
                           "Parquet: column '%s' is %s, which calve does not read", c->name,
                           f.id == 1 ? "in another file" : "encrypted");
        } else {
            thrift_skip(&t, f.type);
        }
    }
    if (bytes_failed(r->in) || !described ||
        !take_index(p, ints.v[4], ints.v[5], &out->offset_index_offset, &out->offset_index_bytes) ||
        !take_index(p, ints.v[6], ints.v[7], &out->column_index_offset, &out->column_index_bytes)) {
        return broken(p, "a column chunk");
    }
    return ERR_OK;
}

static enum err_code parse_chunks(const struct footer_parser *p, struct thrift_reader *r,
                                  const struct thrift_field *f, struct parquet_row_group *out)
{
    uint32_t count;

    if (!list_of_structs(r, f, &count) || count != p->meta->column_count || out->chunks != NULL) {
        return broken(p, "a row group");
    }
    out->chunks = arena_alloc(p->arena, count, sizeof *out->chunks);
    if (out->chunks == NULL) {
        return out_of_arena(p);
    }
    for (uint32_t i = 0; i < count; i++) {
        ERR_TRY(parse_chunk(p, r, &p->meta->columns[i], &out->chunks[i]));
    }
    return ERR_OK;
}

static enum err_code parse_group(const struct footer_parser *p, struct thrift_reader *r,
                                 struct parquet_row_group *out)
{
    struct parquet_ints ints = {.seen = 0};
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        if (parquet_take_int(&t, &f, &ints)) {
            continue;
        }
        if (f.id == 1) {
            ERR_TRY(parse_chunks(p, &t, &f, out));
        } else {
            thrift_skip(&t, f.type);
        }
    }
    if (bytes_failed(r->in) || out->chunks == NULL || !parquet_has_int(&ints, 3) || ints.v[3] < 0) {
        return broken(p, "a row group");
    }
    out->row_count = ints.v[3];
    out->file_offset = ints.v[5];
    for (uint32_t i = 0; i < p->meta->column_count; i++) {
        if (out->chunks[i].value_count != out->row_count) {
            return err_set(
                p->e, ERR_CORRUPT,
                "Parquet footer: column '%s' has %lld values in a row group of %lld rows",
                p->meta->columns[i].name, (long long)out->chunks[i].value_count,
                (long long)out->row_count);
        }
    }
    return ERR_OK;
}

static enum err_code parse_groups(const struct footer_parser *p, struct thrift_reader *r,
                                  const struct thrift_field *f)
{
    uint32_t count;

    /* The schema has the smaller field id, so every writer has it first. */
    if (p->meta->columns == NULL || p->meta->groups != NULL || !list_of_structs(r, f, &count)) {
        return broken(p, "the row groups");
    }
    p->meta->groups = arena_alloc(p->arena, count, sizeof *p->meta->groups);
    if (p->meta->groups == NULL) {
        return out_of_arena(p);
    }
    for (uint32_t i = 0; i < count; i++) {
        ERR_TRY(parse_group(p, r, &p->meta->groups[i]));
    }
    p->meta->group_count = count;
    return ERR_OK;
}

/* ---- the file ---- */

static enum err_code parse_key_values(const struct footer_parser *p, struct thrift_reader *r,
                                      const struct thrift_field *f)
{
    uint32_t count;

    if (p->meta->metadata != NULL || !list_of_structs(r, f, &count)) {
        return broken(p, "the key-value metadata");
    }
    p->meta->metadata = arena_alloc(p->arena, count, sizeof *p->meta->metadata);
    if (p->meta->metadata == NULL) {
        return out_of_arena(p);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct thrift_reader t = {r->in, 0};
        struct thrift_field field;
        struct span texts[3] = {{NULL, 0}};

        while (thrift_next(&t, &field)) {
            if (field.type == THRIFT_BINARY && (field.id == 1 || field.id == 2)) {
                texts[field.id] = thrift_read_binary(&t);
            } else {
                thrift_skip(&t, field.type);
            }
        }
        if (bytes_failed(r->in)) {
            return broken(p, "the key-value metadata");
        }
        ERR_TRY(take_text(p, texts[1], "a metadata key", &p->meta->metadata[i].key));
        ERR_TRY(take_text(p, texts[2], "a metadata value", &p->meta->metadata[i].value));
    }
    p->meta->metadata_count = count;
    return ERR_OK;
}

struct range {
    int64_t start;
    int64_t end;
};

static int by_start(const void *a, const void *b)
{
    const struct range *x = a;
    const struct range *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

/* A row must not be read out of another column's bytes. */
static enum err_code check_ranges(const struct footer_parser *p)
{
    const struct parquet_meta *m = p->meta;
    size_t count = 0;
    struct range *ranges =
        arena_alloc(p->arena, (size_t)m->group_count * m->column_count, sizeof *ranges);

    if (ranges == NULL) {
        return out_of_arena(p);
    }
    for (uint32_t g = 0; g < m->group_count; g++) {
        for (uint32_t i = 0; i < m->column_count; i++) {
            const struct parquet_chunk *c = &m->groups[g].chunks[i];
            int64_t start = parquet_chunk_start(c);

            if (c->compressed_bytes > 0 && c->value_count > 0) {
                ranges[count++] = (struct range){start, start + c->compressed_bytes};
            }
        }
    }
    if (count > 0) {
        qsort(ranges, count, sizeof *ranges, by_start);
    }
    for (size_t i = 1; i < count; i++) {
        if (ranges[i].start < ranges[i - 1].end) {
            return err_set(p->e, ERR_CORRUPT, "Parquet footer: column chunks overlap at byte %lld",
                           (long long)ranges[i].start);
        }
    }
    return ERR_OK;
}

static enum err_code parse_field(const struct footer_parser *p, struct thrift_reader *r,
                                 const struct thrift_field *f)
{
    switch (f->id) {
    case 2:
        return parse_schema(p, r, f);
    case 4:
        return parse_groups(p, r, f);
    case 5:
        return parse_key_values(p, r, f);
    case 6:
        if (f->type == THRIFT_BINARY) {
            return take_text(p, thrift_read_binary(r), "created_by", &p->meta->created_by);
        }
        break;
    case 8:
        return err_set(p->e, ERR_UNSUPPORTED, "Parquet: the file is encrypted");
    default:
        break;
    }
    thrift_skip(r, f->type);
    return ERR_OK;
}

enum err_code parquet_footer_parse(struct span footer, uint64_t data_end, struct arena *arena,
                                   struct parquet_meta *out, struct err *e)
{
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;
    struct parquet_ints ints = {.seen = 0};
    const struct footer_parser p = {arena, out, (int64_t)data_end, e};
    int64_t rows = 0;

    *out = (struct parquet_meta){.columns = NULL};
    bytes_reader_init(&in, footer);
    while (thrift_next(&r, &f)) {
        if (!parquet_take_int(&r, &f, &ints)) {
            ERR_TRY(parse_field(&p, &r, &f));
        }
    }
    if (bytes_failed(&in) || out->columns == NULL || out->groups == NULL ||
        !parquet_has_int(&ints, 3)) {
        return broken(&p, "the file's description");
    }
    for (uint32_t g = 0; g < out->group_count; g++) {
        if (__builtin_add_overflow(rows, out->groups[g].row_count, &rows)) {
            return broken(&p, "the number of rows");
        }
    }
    if (rows != ints.v[3]) {
        return err_set(e, ERR_CORRUPT, "Parquet footer: %lld rows in all, but %lld in row groups",
                       (long long)ints.v[3], (long long)rows);
    }
    out->row_count = rows;
    return check_ranges(&p);
}
