/*
 *   V1 page body    [u32le length, levels as hybrid of width 1]   when the column is optional
 *                   values
 *   PLAIN           BOOLEAN: a bit a value, LSB first; BYTE_ARRAY: u32le length, bytes; else fixed
 *   RLE_DICTIONARY  u8 width, ids as hybrid of that width
 *   RLE (BOOLEAN)   u32le length, values as hybrid of width 1
 */
#include "parquet/value_reader.h"

#include "parquet/hybrid.h"

void value_reader_deinit(struct value_reader *v)
{
    buf_deinit(&v->dictionary);
    buf_deinit(&v->starts);
    buf_deinit(&v->ids);
}

static enum err_code kind_of(const struct parquet_reader_column *c, enum column_kind *out,
                             struct err *e)
{
    switch (c->type) {
    case PARQUET_BOOLEAN:
        *out = COLUMN_KIND_BOOL;
        return ERR_OK;
    case PARQUET_INT32:
        *out = COLUMN_KIND_INT32;
        return ERR_OK;
    case PARQUET_INT64:
        *out = COLUMN_KIND_INT64;
        return ERR_OK;
    case PARQUET_FLOAT:
        *out = COLUMN_KIND_FLOAT;
        return ERR_OK;
    case PARQUET_DOUBLE:
        *out = COLUMN_KIND_DOUBLE;
        return ERR_OK;
    case PARQUET_BYTE_ARRAY:
        *out = COLUMN_KIND_BYTES;
        return ERR_OK;
    case PARQUET_FIXED_LEN_BYTE_ARRAY:
        *out = COLUMN_KIND_FIXED;
        return ERR_OK;
    case PARQUET_INT96:
        break;
    }
    return err_set(e, ERR_UNSUPPORTED, "Parquet: values of type int96");
}

/* Empty, with a ceiling of `bytes`. */
static void limit(struct buf *b, size_t bytes)
{
    buf_reset(b);
    b->cap_max = bytes == 0 ? 1 : bytes;
}

enum err_code value_reader_start(struct value_reader *v, const struct parquet_reader_column *column,
                                 uint64_t rows, size_t bytes_max, struct column *out, struct err *e)
{
    /* Lengths and places of BYTES values are 32 bits wide. */
    const size_t most = bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX;

    ERR_TRY(kind_of(column, &out->kind, e));
    if (rows > UINT32_MAX) {
        return err_set(e, ERR_LIMIT, "Parquet: a row group of %llu rows", (unsigned long long)rows);
    }
    out->fixed_bytes = column->type_bytes;
    out->value_count = 0;
    limit(&out->values, most);
    limit(&out->offsets, most);
    limit(&out->validity, most);
    v->column = column;
    v->out = out;
    v->rows_left = rows;
    v->rows_read = 0;
    v->nulls = 0;
    v->has_dictionary = false;
    limit(&v->dictionary, most);
    limit(&v->starts, most);
    limit(&v->ids, most <= SIZE_MAX / 4 ? most * 4 : SIZE_MAX);
    return ERR_OK;
}

static enum err_code bad_values(struct err *e)
{
    return err_set(e, ERR_CORRUPT, "Parquet page: the values do not fill the page");
}

/* Room for `count` numbers in v->ids; NULL is a failure of that buffer. */
static uint32_t *take_ids(struct value_reader *v, uint32_t count)
{
    buf_reset(&v->ids);
    return (uint32_t *)(void *)buf_reserve(&v->ids, ((size_t)count + 1) * sizeof(uint32_t));
}

static enum err_code no_ids(const struct value_reader *v, struct err *e)
{
    return buf_check(&v->ids, e, "Parquet page");
}

/* ---- levels ---- */

/* Adds a page's rows to the validity bytes, all present, or as v->ids has them. */
static void put_validity(struct value_reader *v, uint32_t rows, const uint32_t *levels)
{
    struct buf *validity = &v->out->validity;

    if (levels == NULL && validity->len == 0) {
        return;
    }
    size_t before = validity->len == 0 ? (size_t)v->rows_read : 0;
    uint8_t *p = buf_reserve(validity, before + rows);

    if (p == NULL) {
        return;
    }
    memset(p, 1, before + rows);
    for (uint32_t i = 0; levels != NULL && i < rows; i++) {
        p[before + i] = (uint8_t)levels[i];
    }
    validity->len += before + rows;
}

/* Reads the levels of an optional column's page; *present is how many rows have a value. */
static enum err_code read_levels(struct value_reader *v, const struct page *page,
                                 struct bytes_reader *values, uint32_t *present, struct err *e)
{
    uint32_t rows = (uint32_t)page->header.value_count;
    struct bytes_reader in;

    *present = rows;
    if (v->column->required) {
        put_validity(v, rows, NULL);
        return ERR_OK;
    }
    if (page->header.type == PARQUET_DATA_PAGE_V2) {
        bytes_reader_init(&in, page->levels);
    } else if (page->header.def_encoding != PARQUET_RLE) {
        return err_set(e, ERR_UNSUPPORTED, "Parquet page: levels encoded as %s",
                       parquet_encoding_name(page->header.def_encoding));
    } else {
        in = bytes_sub(values, bytes_u32le(values));
    }
    uint32_t *levels = take_ids(v, rows);

    if (levels == NULL) {
        return no_ids(v, e);
    }
    ERR_TRY(hybrid_decode(&in, 1, rows, levels, e));
    *present = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if (levels[i] > 1) {
            return err_set(e, ERR_CORRUPT, "Parquet page: a definition level of %u", levels[i]);
        }
        *present += levels[i];
    }
    put_validity(v, rows, *present == rows ? NULL : levels);
    return ERR_OK;
}

/* ---- values ---- */

static enum err_code put_bits(struct value_reader *v, struct span bits, uint32_t count,
                              struct err *e)
{
    if (bits.data == NULL || bits.len != ((size_t)count + 7) / 8) {
        return bad_values(e);
    }
    uint8_t *p = buf_reserve(&v->out->values, count);

    for (uint32_t i = 0; p != NULL && i < count; i++) {
        p[i] = bits.data[i / 8] >> (i % 8) & 1;
    }
    v->out->values.len += p == NULL ? 0 : count;
    return ERR_OK;
}

/*
 * Walks `count` PLAIN byte arrays that must fill `in`, and appends to `places` where each starts,
 * counted from `base`, and in the end where the last one ends.
 */
static enum err_code put_places(struct span in, uint32_t count, size_t base, struct buf *places,
                                struct err *e)
{
    struct bytes_reader r;

    if (count > in.len / sizeof(uint32_t) || (count == 0 && in.len > 0)) {
        return bad_values(e);
    }
    if (count == 0) {
        return ERR_OK;
    }
    if (base + in.len > UINT32_MAX) {
        return err_set(e, ERR_LIMIT, "Parquet: values of more than 4 GiB");
    }
    uint32_t *p = (uint32_t *)(void *)buf_reserve(places, (size_t)count * sizeof *p);

    if (p == NULL) {
        return buf_check(places, e, "Parquet values");
    }
    bytes_reader_init(&r, in);
    for (uint32_t i = 0; i < count; i++) {
        bytes_skip(&r, bytes_u32le(&r));
        p[i] = (uint32_t)(base + bytes_offset(&r));
    }
    if (bytes_failed(&r) || bytes_left(&r) > 0) {
        return bad_values(e);
    }
    places->len += (size_t)count * sizeof *p;
    return ERR_OK;
}

static enum err_code put_plain(struct value_reader *v, struct span in, uint32_t count,
                               struct err *e)
{
    struct column *out = v->out;

    if (out->kind == COLUMN_KIND_BOOL) {
        return put_bits(v, in, count, e);
    }
    if (out->kind == COLUMN_KIND_BYTES) {
        if (out->offsets.len == 0) {
            buf_u32le(&out->offsets, 0);
        }
        ERR_TRY(put_places(in, count, out->values.len, &out->offsets, e));
    } else if (in.len / parquet_type_bytes(v->column->type, out->fixed_bytes) != count ||
               in.len % parquet_type_bytes(v->column->type, out->fixed_bytes) != 0) {
        return bad_values(e);
    }
    buf_append_span(&out->values, in);
    return ERR_OK;
}

static enum err_code put_rle_bools(struct value_reader *v, struct bytes_reader *in, uint32_t count,
                                   struct err *e)
{
    struct bytes_reader body = bytes_sub(in, bytes_u32le(in));
    uint32_t *values = take_ids(v, count);
    uint8_t *p = buf_reserve(&v->out->values, count);

    if (values == NULL) {
        return no_ids(v, e);
    }
    ERR_TRY(hybrid_decode(&body, 1, count, values, e));
    for (uint32_t i = 0; p != NULL && i < count; i++) {
        p[i] = values[i] & 1;
    }
    v->out->values.len += p == NULL ? 0 : count;
    return ERR_OK;
}

/* ---- dictionary ---- */

static enum err_code take_dictionary(struct value_reader *v, const struct page *page, struct err *e)
{
    uint32_t count = (uint32_t)page->header.value_count;
    struct span in = page->values;
    size_t width = parquet_type_bytes(v->column->type, v->column->type_bytes);

    if (v->has_dictionary || v->rows_read > 0) {
        return err_set(e, ERR_CORRUPT, "Parquet: a dictionary page that is not the first");
    }
    if (v->out->kind == COLUMN_KIND_BOOL) {
        return err_set(e, ERR_UNSUPPORTED, "Parquet: a dictionary of booleans");
    }
    if (page->header.encoding != PARQUET_PLAIN &&
        page->header.encoding != PARQUET_PLAIN_DICTIONARY) {
        return err_set(e, ERR_UNSUPPORTED, "Parquet: a dictionary encoded as %s",
                       parquet_encoding_name(page->header.encoding));
    }
    if (v->out->kind == COLUMN_KIND_BYTES) {
        buf_u32le(&v->starts, 0);
        ERR_TRY(put_places(in, count, 0, &v->starts, e));
    } else if (in.len / width != count || in.len % width != 0) {
        return bad_values(e);
    }
    buf_append_span(&v->dictionary, in);
    v->has_dictionary = true;
    v->dictionary_count = count;
    ERR_TRY(buf_check(&v->starts, e, "Parquet dictionary"));
    return buf_check(&v->dictionary, e, "Parquet dictionary");
}

static void gather_fixed(const struct value_reader *v, const uint32_t *ids, uint32_t count)
{
    size_t width = parquet_type_bytes(v->column->type, v->column->type_bytes);
    const uint8_t *from = v->dictionary.data;
    uint8_t *p = buf_reserve(&v->out->values, count * width);

    for (uint32_t i = 0; p != NULL && i < count; i++) {
        memcpy(p + i * width, from + ids[i] * width, width);
    }
    v->out->values.len += p == NULL ? 0 : count * width;
}

static void gather_bytes(const struct value_reader *v, const uint32_t *ids, uint32_t count)
{
    const uint32_t *starts = (const uint32_t *)(const void *)v->starts.data;
    struct column *out = v->out;

    if (out->offsets.len == 0) {
        buf_u32le(&out->offsets, 0);
    }
    for (uint32_t i = 0; i < count && out->values.failed == ERR_OK; i++) {
        uint32_t start = starts[ids[i]];

        buf_append(&out->values, v->dictionary.data + start, starts[ids[i] + 1] - start);
        buf_u32le(&out->offsets, (uint32_t)out->values.len);
    }
}

static enum err_code put_ids(struct value_reader *v, struct bytes_reader *in, uint32_t count,
                             struct err *e)
{
    if (!v->has_dictionary) {
        return err_set(e, ERR_CORRUPT, "Parquet page: ids without a dictionary");
    }
    uint32_t *ids = take_ids(v, count);

    if (ids == NULL) {
        return no_ids(v, e);
    }
    ERR_TRY(hybrid_decode(in, bytes_u8(in), count, ids, e));
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] >= v->dictionary_count) {
            return err_set(e, ERR_CORRUPT, "Parquet page: id %u of a dictionary of %u", ids[i],
                           v->dictionary_count);
        }
    }
    if (v->out->kind == COLUMN_KIND_BYTES) {
        gather_bytes(v, ids, count);
    } else {
        gather_fixed(v, ids, count);
    }
    return ERR_OK;
}

static enum err_code put_values(struct value_reader *v, const struct page *page,
                                struct bytes_reader *in, uint32_t count, struct err *e)
{
    if (count == 0) {
        return page->header.encoding != PARQUET_PLAIN || bytes_left(in) == 0 ? ERR_OK
                                                                             : bad_values(e);
    }
    switch (page->header.encoding) {
    case PARQUET_PLAIN:
        return put_plain(v, bytes_rest(in), count, e);
    case PARQUET_PLAIN_DICTIONARY:
    case PARQUET_RLE_DICTIONARY:
        return put_ids(v, in, count, e);
    case PARQUET_RLE:
        if (v->out->kind == COLUMN_KIND_BOOL) {
            return put_rle_bools(v, in, count, e);
        }
        break;
    default:
        break;
    }
    return err_set(e, ERR_UNSUPPORTED, "Parquet: values encoded as %s, which calve does not read",
                   parquet_encoding_name(page->header.encoding));
}

static enum err_code data_page(struct value_reader *v, const struct page *page, struct err *e)
{
    const struct parquet_page_header *h = &page->header;
    struct bytes_reader in;
    uint32_t present;

    if ((uint64_t)h->value_count > v->rows_left) {
        return err_set(e, ERR_CORRUPT, "Parquet page of %d rows where %llu are left",
                       h->value_count, (unsigned long long)v->rows_left);
    }
    if (h->value_count == 0) {
        return ERR_OK;
    }
    bytes_reader_init(&in, page->values);
    ERR_TRY(read_levels(v, page, &in, &present, e));
    if (h->type == PARQUET_DATA_PAGE_V2 && h->value_count - h->null_count != (int64_t)present) {
        return err_set(e, ERR_CORRUPT, "Parquet page of %d rows and %d nulls with %u values",
                       h->value_count, h->null_count, present);
    }
    ERR_TRY(put_values(v, page, &in, present, e));
    v->out->value_count += present;
    v->nulls += (uint64_t)h->value_count - present;
    v->rows_left -= (uint64_t)h->value_count;
    v->rows_read += (uint64_t)h->value_count;
    ERR_TRY(buf_check(&v->out->values, e, "Parquet column"));
    ERR_TRY(buf_check(&v->out->offsets, e, "Parquet column"));
    return buf_check(&v->out->validity, e, "Parquet column");
}

enum err_code value_reader_page(struct value_reader *v, const struct page *page, struct err *e)
{
    switch (page->header.type) {
    case PARQUET_DATA_PAGE:
    case PARQUET_DATA_PAGE_V2:
        return data_page(v, page, e);
    case PARQUET_DICTIONARY_PAGE:
        return take_dictionary(v, page, e);
    default:
        return ERR_OK;
    }
}
