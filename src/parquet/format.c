#include "parquet/format.h"

#include <stdlib.h>

enum parquet_type parquet_type_of(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_KIND_BOOL:
        return PARQUET_BOOLEAN;
    case COLUMN_KIND_INT32:
        return PARQUET_INT32;
    case COLUMN_KIND_INT64:
        return PARQUET_INT64;
    case COLUMN_KIND_FLOAT:
        return PARQUET_FLOAT;
    case COLUMN_KIND_DOUBLE:
        return PARQUET_DOUBLE;
    case COLUMN_KIND_BYTES:
        return PARQUET_BYTE_ARRAY;
    case COLUMN_KIND_FIXED:
        return PARQUET_FIXED_LEN_BYTE_ARRAY;
    }
    abort();
}

size_t parquet_type_bytes(enum parquet_type type, uint32_t fixed_bytes)
{
    switch (type) {
    case PARQUET_BOOLEAN:
        return 1;
    case PARQUET_INT32:
    case PARQUET_FLOAT:
        return 4;
    case PARQUET_INT64:
    case PARQUET_DOUBLE:
        return 8;
    case PARQUET_INT96:
        return 12;
    case PARQUET_BYTE_ARRAY:
        return 0;
    case PARQUET_FIXED_LEN_BYTE_ARRAY:
        return fixed_bytes;
    }
    abort();
}

static const char *name_at(const char *const *names, size_t count, int32_t i)
{
    return i < 0 || (size_t)i >= count || names[i] == NULL ? "unknown" : names[i];
}

const char *parquet_codec_name(int32_t codec)
{
    static const char *const names[] = {"uncompressed", "snappy", "gzip", "lzo",
                                        "brotli",       "lz4",    "zstd", "lz4_raw"};

    return name_at(names, sizeof names / sizeof names[0], codec);
}

const char *parquet_encoding_name(int32_t encoding)
{
    static const char *const names[] = {
        "plain",
        NULL,
        "plain_dictionary",
        "rle",
        "bit_packed",
        "delta_binary_packed",
        "delta_length_byte_array",
        "delta_byte_array",
        "rle_dictionary",
        "byte_stream_split",
    };

    return name_at(names, sizeof names / sizeof names[0], encoding);
}

const char *parquet_type_name(enum parquet_type type)
{
    static const char *const names[] = {"boolean", "int32",  "int64",      "int96",
                                        "float",   "double", "byte_array", "fixed_len_byte_array"};

    return name_at(names, sizeof names / sizeof names[0], (int32_t)type);
}

void parquet_page_header_print(const struct parquet_page_header *h, struct buf *out)
{
    struct thrift_writer w = {out, 0};

    thrift_i32(&w, 1, h->type);
    thrift_i32(&w, 2, h->uncompressed_bytes);
    thrift_i32(&w, 3, h->compressed_bytes);
    thrift_i32(&w, 4, (int32_t)h->crc);
    struct thrift_writer inner = thrift_struct(&w, h->type == PARQUET_DATA_PAGE ? 5 : 7);

    thrift_i32(&inner, 1, h->value_count);
    thrift_i32(&inner, 2, h->encoding);
    if (h->type == PARQUET_DATA_PAGE) {
        thrift_i32(&inner, 3, PARQUET_RLE);
        thrift_i32(&inner, 4, PARQUET_RLE);
    }
    thrift_stop(&inner);
    thrift_stop(&w);
}

bool parquet_take_int(struct thrift_reader *r, const struct thrift_field *f,
                      struct parquet_ints *out)
{
    if (f->id < 1 || f->id > 15 || (f->type != THRIFT_I32 && f->type != THRIFT_I64)) {
        return false;
    }
    out->v[f->id] = thrift_read_int(r);
    out->seen |= (uint32_t)1 << f->id;
    return true;
}

void parquet_read_ints(struct thrift_reader *r, struct parquet_ints *out)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        if (!parquet_take_int(&t, &f, out)) {
            thrift_skip(&t, f.type);
        }
    }
}

/* DataPageHeader, DictionaryPageHeader or DataPageHeaderV2: fields 5, 7 and 8 of a page header. */
static void parse_page_details(struct thrift_reader *r, struct parquet_ints *out,
                               bool *is_compressed)
{
    struct thrift_reader t = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&t, &f)) {
        if (parquet_take_int(&t, &f, out)) {
            continue;
        }
        if (f.id == 7 && (f.type == THRIFT_TRUE || f.type == THRIFT_FALSE)) {
            *is_compressed = thrift_read_bool(&f);
        } else {
            thrift_skip(&t, f.type);
        }
    }
}

static bool small_counts(const struct parquet_ints *ints, int first, int last)
{
    for (int i = first; i <= last; i++) {
        if (ints->v[i] < 0 || ints->v[i] > INT32_MAX) {
            return false;
        }
    }
    return true;
}

/* The struct that belongs to a page type; -1 for pages that are only stepped over. */
static int details_of(int64_t page_type)
{
    return page_type == PARQUET_DATA_PAGE         ? 5
           : page_type == PARQUET_DICTIONARY_PAGE ? 7
           : page_type == PARQUET_DATA_PAGE_V2    ? 8
                                                  : -1;
}

/* Whether what was read can be a header; `seen` is the field of the struct that was there. */
static bool good_header(const struct parquet_ints *ints, const struct parquet_ints *details,
                        int seen)
{
    const uint32_t required = 1u << 1 | 1u << 2 | 1u << 3;

    return (ints->seen & required) == required && small_counts(ints, 1, 3) &&
           small_counts(details, 1, 6) && details_of(ints->v[1]) == seen &&
           (seen < 0 || parquet_has_int(details, 1));
}

enum err_code parquet_page_header_parse(struct bytes_reader *in, struct parquet_page_header *out,
                                        struct err *e)
{
    struct thrift_reader r = {in, 0};
    struct thrift_field f;
    struct parquet_ints ints = {.seen = 0};
    struct parquet_ints details = {.seen = 0};
    int seen = -1;

    *out = (struct parquet_page_header){.is_compressed = true, .def_encoding = PARQUET_RLE};
    while (thrift_next(&r, &f)) {
        if (parquet_take_int(&r, &f, &ints)) {
            continue;
        }
        if (f.type == THRIFT_STRUCT && (f.id == 5 || f.id == 7 || f.id == 8) && seen < 0) {
            seen = f.id;
            parse_page_details(&r, &details, &out->is_compressed);
        } else {
            thrift_skip(&r, f.type);
        }
    }
    if (bytes_failed(in) || !good_header(&ints, &details, seen)) {
        return err_set(e, ERR_CORRUPT, "Parquet page header cannot be read");
    }
    out->type = (int32_t)ints.v[1];
    out->uncompressed_bytes = (int32_t)ints.v[2];
    out->compressed_bytes = (int32_t)ints.v[3];
    out->has_crc = parquet_has_int(&ints, 4);
    out->crc = (uint32_t)ints.v[4];
    out->value_count = (int32_t)details.v[1];
    if (out->type == PARQUET_DATA_PAGE_V2) {
        out->encoding = (int32_t)details.v[4];
        out->null_count = (int32_t)details.v[2];
        out->def_bytes = (int32_t)details.v[5];
        out->rep_bytes = (int32_t)details.v[6];
    } else {
        out->encoding = (int32_t)details.v[2];
        out->def_encoding = (int32_t)details.v[3];
    }
    return ERR_OK;
}

int64_t parquet_chunk_start(const struct parquet_chunk *chunk)
{
    return chunk->has_dictionary && chunk->dictionary_page_offset < chunk->data_page_offset
               ? chunk->dictionary_page_offset
               : chunk->data_page_offset;
}

/* Old readers know only these; -1 for none. */
static int converted_type(enum parquet_logical logical)
{
    switch (logical) {
    case PARQUET_LOGICAL_STRING:
        return 0;
    case PARQUET_LOGICAL_DECIMAL:
        return 5;
    case PARQUET_LOGICAL_DATE:
        return 6;
    case PARQUET_LOGICAL_TIME_US:
        return 8;
    case PARQUET_LOGICAL_TIMESTAMP_US:
    case PARQUET_LOGICAL_TIMESTAMPTZ_US:
        return 10;
    case PARQUET_LOGICAL_NONE:
    case PARQUET_LOGICAL_UUID:
        return -1;
    }
    abort();
}

static void print_time_unit(struct thrift_writer *logical, int16_t id, bool utc)
{
    struct thrift_writer t = thrift_struct(logical, id);

    thrift_bool(&t, 1, utc);
    struct thrift_writer unit = thrift_struct(&t, 2);
    struct thrift_writer micros = thrift_struct(&unit, 2);

    thrift_stop(&micros);
    thrift_stop(&unit);
    thrift_stop(&t);
}

static void print_empty(struct thrift_writer *logical, int16_t id)
{
    struct thrift_writer t = thrift_struct(logical, id);

    thrift_stop(&t);
}

static void print_logical(const struct parquet_column_spec *c, struct thrift_writer *element)
{
    if (c->logical == PARQUET_LOGICAL_NONE) {
        return;
    }
    struct thrift_writer logical = thrift_struct(element, 10);

    switch (c->logical) {
    case PARQUET_LOGICAL_NONE:
        break;
    case PARQUET_LOGICAL_STRING:
        print_empty(&logical, 1);
        break;
    case PARQUET_LOGICAL_DATE:
        print_empty(&logical, 6);
        break;
    case PARQUET_LOGICAL_UUID:
        print_empty(&logical, 14);
        break;
    case PARQUET_LOGICAL_TIME_US:
        print_time_unit(&logical, 7, false);
        break;
    case PARQUET_LOGICAL_TIMESTAMP_US:
        print_time_unit(&logical, 8, false);
        break;
    case PARQUET_LOGICAL_TIMESTAMPTZ_US:
        print_time_unit(&logical, 8, true);
        break;
    case PARQUET_LOGICAL_DECIMAL: {
        struct thrift_writer decimal = thrift_struct(&logical, 5);

        thrift_i32(&decimal, 1, c->scale);
        thrift_i32(&decimal, 2, c->precision);
        thrift_stop(&decimal);
        break;
    }
    }
    thrift_stop(&logical);
}

static void print_schema(const struct parquet_footer *f, struct thrift_writer *w)
{
    thrift_list(w, 2, THRIFT_STRUCT, f->column_count + 1);
    struct thrift_writer root = thrift_element(w);

    thrift_binary(&root, 4, span_str("table"));
    thrift_i32(&root, 5, (int32_t)f->column_count);
    thrift_stop(&root);
    for (uint32_t i = 0; i < f->column_count; i++) {
        const struct parquet_column_spec *c = &f->columns[i];
        struct thrift_writer element = thrift_element(w);
        int converted = converted_type(c->logical);

        thrift_i32(&element, 1, (int32_t)parquet_type_of(c->kind));
        if (c->kind == COLUMN_KIND_FIXED) {
            thrift_i32(&element, 2, (int32_t)c->fixed_bytes);
        }
        thrift_i32(&element, 3, c->required ? 0 : 1);
        thrift_binary(&element, 4, span_str(c->name));
        if (converted >= 0) {
            thrift_i32(&element, 6, converted);
        }
        if (c->logical == PARQUET_LOGICAL_DECIMAL) {
            thrift_i32(&element, 7, c->scale);
            thrift_i32(&element, 8, c->precision);
        }
        thrift_i32(&element, 9, c->field_id);
        print_logical(c, &element);
        thrift_stop(&element);
    }
}

static void print_statistics(const struct parquet_column_spec *c, const struct parquet_chunk *chunk,
                             struct thrift_writer *meta)
{
    struct thrift_writer s = thrift_struct(meta, 12);

    thrift_i64(&s, 3, chunk->null_count);
    if (chunk->has_bounds) {
        thrift_binary(&s, 5, chunk->max.bytes);
        thrift_binary(&s, 6, chunk->min.bytes);
        thrift_bool(&s, 7, chunk->max.exact);
        thrift_bool(&s, 8, chunk->min.exact);
    }
    if (c->kind == COLUMN_KIND_FLOAT || c->kind == COLUMN_KIND_DOUBLE) {
        thrift_i64(&s, 9, chunk->nan_count);
    }
    thrift_stop(&s);
}

static void print_encoding_stat(struct thrift_writer *meta, int page_type, int encoding,
                                uint32_t count)
{
    struct thrift_writer s = thrift_element(meta);

    thrift_i32(&s, 1, page_type);
    thrift_i32(&s, 2, encoding);
    thrift_i32(&s, 3, (int32_t)count);
    thrift_stop(&s);
}

static void print_encodings(const struct parquet_chunk *chunk, struct thrift_writer *meta)
{
    thrift_list(meta, 2, THRIFT_I32, (uint32_t)__builtin_popcount(chunk->encodings));
    for (int i = 0; i < 32; i++) {
        if ((chunk->encodings >> i & 1) != 0) {
            buf_zigzag(meta->out, i);
        }
    }
}

static void print_encoding_stats(const struct parquet_chunk *chunk, struct thrift_writer *meta)
{
    uint32_t plain = chunk->data_page_count - chunk->dictionary_page_count;

    thrift_list(meta, 13, THRIFT_STRUCT, (chunk->has_dictionary ? 2u : 0u) + (plain > 0 ? 1u : 0u));
    if (chunk->has_dictionary) {
        print_encoding_stat(meta, PARQUET_DICTIONARY_PAGE, PARQUET_PLAIN, 1);
        print_encoding_stat(meta, PARQUET_DATA_PAGE, PARQUET_RLE_DICTIONARY,
                            chunk->dictionary_page_count);
    }
    if (plain > 0) {
        print_encoding_stat(meta, PARQUET_DATA_PAGE, PARQUET_PLAIN, plain);
    }
}

static void print_chunk(const struct parquet_footer *f, uint32_t i,
                        const struct parquet_chunk *chunk, struct thrift_writer *group)
{
    const struct parquet_column_spec *c = &f->columns[i];
    struct thrift_writer w = thrift_element(group);

    thrift_i64(&w, 2, 0);
    struct thrift_writer meta = thrift_struct(&w, 3);

    thrift_i32(&meta, 1, (int32_t)parquet_type_of(c->kind));
    print_encodings(chunk, &meta);
    thrift_list(&meta, 3, THRIFT_BINARY, 1);
    buf_varint(meta.out, strlen(c->name));
    buf_append_str(meta.out, c->name);
    thrift_i32(&meta, 4, chunk->codec);
    thrift_i64(&meta, 5, chunk->value_count);
    thrift_i64(&meta, 6, chunk->uncompressed_bytes);
    thrift_i64(&meta, 7, chunk->compressed_bytes);
    thrift_i64(&meta, 9, chunk->data_page_offset);
    if (chunk->has_dictionary) {
        thrift_i64(&meta, 11, chunk->dictionary_page_offset);
    }
    print_statistics(c, chunk, &meta);
    print_encoding_stats(chunk, &meta);
    if (c->kind == COLUMN_KIND_BYTES) {
        struct thrift_writer size = thrift_struct(&meta, 16);

        thrift_i64(&size, 1, chunk->byte_array_bytes);
        thrift_stop(&size);
    }
    thrift_stop(&meta);
    thrift_i64(&w, 4, chunk->offset_index_offset);
    thrift_i32(&w, 5, chunk->offset_index_bytes);
    if (chunk->column_index_bytes > 0) {
        thrift_i64(&w, 6, chunk->column_index_offset);
        thrift_i32(&w, 7, chunk->column_index_bytes);
    }
    thrift_stop(&w);
}

static void print_row_group(const struct parquet_footer *f, const struct parquet_row_group *g,
                            int16_t ordinal, struct thrift_writer *footer)
{
    struct thrift_writer w = thrift_element(footer);
    int64_t uncompressed = 0;
    int64_t compressed = 0;

    thrift_list(&w, 1, THRIFT_STRUCT, f->column_count);
    for (uint32_t i = 0; i < f->column_count; i++) {
        print_chunk(f, i, &g->chunks[i], &w);
        uncompressed += g->chunks[i].uncompressed_bytes;
        compressed += g->chunks[i].compressed_bytes;
    }
    thrift_i64(&w, 2, uncompressed);
    thrift_i64(&w, 3, g->row_count);
    thrift_i64(&w, 5, g->file_offset);
    thrift_i64(&w, 6, compressed);
    /* i16 on the wire: a zigzag varint as all integers. */
    buf_u8(w.out, (uint8_t)(1 << 4 | THRIFT_I16));
    buf_zigzag(w.out, ordinal);
    w.last = 7;
    thrift_stop(&w);
}

void parquet_footer_print(const struct parquet_footer *f, struct buf *out)
{
    struct thrift_writer w = {out, 0};
    int16_t ordinal = 0;

    thrift_i32(&w, 1, 1);
    print_schema(f, &w);
    thrift_i64(&w, 3, f->row_count);
    thrift_list(&w, 4, THRIFT_STRUCT, f->row_group_count);
    for (const struct parquet_row_group *g = f->row_groups; g != NULL; g = g->next) {
        print_row_group(f, g, ordinal++, &w);
    }
    if (f->metadata_count > 0) {
        thrift_list(&w, 5, THRIFT_STRUCT, f->metadata_count);
        for (uint32_t i = 0; i < f->metadata_count; i++) {
            struct thrift_writer kv = thrift_element(&w);

            thrift_binary(&kv, 1, span_str(f->metadata[i].key));
            thrift_binary(&kv, 2, span_str(f->metadata[i].value));
            thrift_stop(&kv);
        }
    }
    thrift_binary(&w, 6, span_str("calve version " CALVE_VERSION " (build 0)"));
    thrift_list(&w, 7, THRIFT_STRUCT, f->column_count);
    for (uint32_t i = 0; i < f->column_count; i++) {
        struct thrift_writer order = thrift_element(&w);

        print_empty(&order, 1);
        thrift_stop(&order);
    }
    thrift_stop(&w);
}
