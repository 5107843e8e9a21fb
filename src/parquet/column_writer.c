#include "parquet/column_writer.h"

#include <math.h>

#include "codec/bounds.h"
#include "codec/crc32.h"
#include "codec/thrift_compact.h"
#include "parquet/hybrid.h"

#define BOUND_BYTES_MAX 64u
#define SKIP_GROUPS     16u
/* Pages below this say little about how often values repeat. */
#define DECISION_ROWS_MIN 256u

struct page_entry {
    int64_t offset; /* in w->pages */
    int32_t bytes;
    int64_t first_row;
    int64_t null_count;
    bool all_null;
    uint32_t min_at; /* in w->index_bounds */
    uint32_t min_bytes;
    uint32_t max_at;
    uint32_t max_bytes;
};

void column_writer_init(struct column_writer *w, const struct parquet_column_spec *spec,
                        enum parquet_codec codec, struct zstd_encoder *encoder)
{
    *w = (struct column_writer){.spec = *spec, .codec = codec, .encoder = encoder};
    w->metrics.field_id = spec->field_id;
    w->metrics.kind = spec->kind;
    w->metrics.logical = spec->logical;
    column_writer_next_group(w);
}

void column_writer_deinit(struct column_writer *w)
{
    buf_deinit(&w->pages);
    buf_deinit(&w->index);
    buf_deinit(&w->index_bounds);
    dictionary_deinit(&w->dictionary);
    buf_deinit(&w->range.min);
    buf_deinit(&w->range.max);
    buf_deinit(&w->file_range.min);
    buf_deinit(&w->file_range.max);
    buf_deinit(&w->ids);
    buf_deinit(&w->body);
    buf_deinit(&w->packed);
}

void column_writer_next_group(struct column_writer *w)
{
    bool skip = w->skip_dictionary > 0;

    if (skip) {
        w->skip_dictionary--;
    }
    w->use_dictionary = !skip && !w->spec.no_dictionary && w->spec.kind != COLUMN_KIND_BOOL;
    buf_shrink(&w->pages, (size_t)1 << 20);
    buf_reset(&w->index);
    buf_reset(&w->index_bounds);
    dictionary_reset(&w->dictionary);
    w->dictionary_pages = 0;
    w->page_count = 0;
    w->chunk = (struct parquet_chunk){0};
    w->range.known = false;
    w->all_pages_known = true;
}

/* ---- least and greatest ---- */

static int compare_bytes(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.data, b.data, n);

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* Big-endian two's complement of equal width. */
static int compare_decimal(struct span a, struct span b)
{
    int a_first = (int8_t)a.data[0];
    int b_first = (int8_t)b.data[0];

    return a_first != b_first ? (a_first > b_first) - (a_first < b_first) : compare_bytes(a, b);
}

static double read_double(struct span v)
{
    double d;
    float f;

    if (v.len == sizeof f) {
        memcpy(&f, v.data, sizeof f);
        return (double)f;
    }
    memcpy(&d, v.data, sizeof d);
    return d;
}

static int64_t read_int(struct span v)
{
    int64_t wide = 0;
    int32_t narrow;

    if (v.len == sizeof narrow) {
        memcpy(&narrow, v.data, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, v.data, sizeof wide);
    return wide;
}

static int compare_values(const struct column_writer *w, struct span a, struct span b)
{
    switch (w->spec.kind) {
    case COLUMN_KIND_BOOL:
    case COLUMN_KIND_BYTES:
        return compare_bytes(a, b);
    case COLUMN_KIND_INT32:
    case COLUMN_KIND_INT64: {
        int64_t x = read_int(a);
        int64_t y = read_int(b);

        return (x > y) - (x < y);
    }
    case COLUMN_KIND_FLOAT:
    case COLUMN_KIND_DOUBLE: {
        double x = read_double(a);
        double y = read_double(b);

        return (x > y) - (x < y);
    }
    case COLUMN_KIND_FIXED:
        break;
    }
    return w->spec.logical == PARQUET_LOGICAL_DECIMAL ? compare_decimal(a, b) : compare_bytes(a, b);
}

static void widen(const struct column_writer *w, struct column_range *r, struct span min,
                  struct span max)
{
    if (!r->known || compare_values(w, min, buf_span(&r->min)) < 0) {
        buf_reset(&r->min);
        buf_append_span(&r->min, min);
    }
    if (!r->known || compare_values(w, max, buf_span(&r->max)) > 0) {
        buf_reset(&r->max);
        buf_append_span(&r->max, max);
    }
    r->known = true;
}

/* The first 8 bytes as a number that orders as they do; shorter values are filled with zeros. */
static uint64_t prefix_of(struct span v)
{
    uint64_t p = 0;

    if (v.len >= 8) {
        memcpy(&p, v.data, 8);
    } else if (v.len > 0) {
        memcpy(&p, v.data, v.len);
    }
    return __builtin_bswap64(p);
}

struct extremes {
    bool known;
    struct span min;
    struct span max;
    uint64_t nan_count;
    uint8_t scratch[16]; /* min and max of numbers */
};

static void bytes_extremes(const struct column *c, struct extremes *x)
{
    x->min = x->max = column_bytes_at(c, 0);
    uint64_t least = prefix_of(x->min);
    uint64_t greatest = least;

    for (uint32_t i = 1; i < c->value_count; i++) {
        struct span v = column_bytes_at(c, i);
        uint64_t p = prefix_of(v);

        if (p < least || (p == least && compare_bytes(v, x->min) < 0)) {
            x->min = v;
            least = p;
        }
        if (p > greatest || (p == greatest && compare_bytes(v, x->max) > 0)) {
            x->max = v;
            greatest = p;
        }
    }
}

static void int64_extremes(const struct column *c, struct extremes *x)
{
    const int64_t *v = (const int64_t *)(const void *)c->values.data;
    int64_t min = v[0];
    int64_t max = v[0];

    for (uint32_t i = 1; i < c->value_count; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    memcpy(x->scratch, &min, sizeof min);
    memcpy(x->scratch + 8, &max, sizeof max);
    x->min = span_of(x->scratch, 8);
    x->max = span_of(x->scratch + 8, 8);
}

static void float_extremes(const struct column *c, size_t width, struct extremes *x)
{
    x->known = false;
    for (uint32_t i = 0; i < c->value_count; i++) {
        struct span v = span_of(c->values.data + (size_t)i * width, width);
        double d = read_double(v);

        if (isnan(d)) {
            x->nan_count++;
            continue;
        }
        if (!x->known || d < read_double(x->min)) {
            x->min = v;
        }
        if (!x->known || d > read_double(x->max)) {
            x->max = v;
        }
        x->known = true;
    }
    if (!x->known) {
        return;
    }
    /* The sign of zero: -0.0 may be hidden behind 0.0 and the other way round. */
    memcpy(x->scratch, x->min.data, width);
    memcpy(x->scratch + 8, x->max.data, width);
    x->min = span_of(x->scratch, width);
    x->max = span_of(x->scratch + 8, width);
    if (read_double(x->min) == 0) {
        memset(x->scratch, 0, width);
        x->scratch[width - 1] = 0x80;
    }
    if (read_double(x->max) == 0) {
        memset(x->scratch + 8, 0, width);
    }
}

static void fixed_extremes(const struct column_writer *w, const struct column *c, size_t width,
                           struct extremes *x)
{
    x->min = x->max = span_of(c->values.data, width);
    for (uint32_t i = 1; i < c->value_count; i++) {
        struct span v = span_of(c->values.data + (size_t)i * width, width);

        if (compare_values(w, v, x->min) < 0) {
            x->min = v;
        }
        if (compare_values(w, v, x->max) > 0) {
            x->max = v;
        }
    }
}

static void find_extremes(const struct column_writer *w, const struct column *c, struct extremes *x)
{
    *x = (struct extremes){.known = c->value_count > 0};
    if (!x->known) {
        return;
    }
    switch (w->spec.kind) {
    case COLUMN_KIND_BOOL:
        fixed_extremes(w, c, 1, x);
        break;
    case COLUMN_KIND_INT32:
        fixed_extremes(w, c, 4, x);
        break;
    case COLUMN_KIND_INT64:
        int64_extremes(c, x);
        break;
    case COLUMN_KIND_FLOAT:
        float_extremes(c, 4, x);
        break;
    case COLUMN_KIND_DOUBLE:
        float_extremes(c, 8, x);
        break;
    case COLUMN_KIND_BYTES:
        bytes_extremes(c, x);
        break;
    case COLUMN_KIND_FIXED:
        fixed_extremes(w, c, c->fixed_bytes, x);
        break;
    }
}

/* ---- pages ---- */

static void put_levels(const struct column_writer *w, const struct column *c, uint32_t rows,
                       struct buf *out)
{
    if (w->spec.required) {
        return;
    }
    size_t at = out->len;

    buf_u32le(out, 0);
    if (c->value_count == rows || c->value_count == 0) {
        hybrid_encode_run(c->value_count == 0 ? 0 : 1, rows, 1, out);
    } else {
        hybrid_encode_levels(c->validity.data, rows, out);
    }
    if (out->failed == ERR_OK) {
        uint32_t bytes = (uint32_t)(out->len - at - sizeof bytes);

        memcpy(out->data + at, &bytes, sizeof bytes);
    }
}

static void put_bools(const struct column *c, struct buf *out)
{
    size_t at = out->len;

    buf_zeros(out, (c->value_count + 7) / 8);
    for (uint32_t i = 0; out->failed == ERR_OK && i < c->value_count; i++) {
        out->data[at + i / 8] |= (uint8_t)((c->values.data[i] & 1) << (i % 8));
    }
}

/* Ids for this page; on failure or too little repetition the chunk goes on without dictionary. */
static const uint32_t *page_ids(struct column_writer *w, const struct column *c)
{
    if (!w->use_dictionary || c->value_count == 0) {
        return NULL;
    }
    buf_reset(&w->ids);
    uint32_t *ids = (uint32_t *)(void *)buf_reserve(&w->ids, (size_t)c->value_count * sizeof *ids);
    bool ok = ids != NULL && dictionary_ids(&w->dictionary, c, ids);

    if (ok && w->dictionary_pages == 0 &&
        (uint64_t)w->dictionary.count * 10 > (uint64_t)c->value_count * 6) {
        ok = false;
        if (c->value_count >= DECISION_ROWS_MIN) {
            w->skip_dictionary = SKIP_GROUPS;
        }
    }
    if (!ok) {
        w->use_dictionary = false;
        if (w->dictionary_pages == 0) {
            dictionary_reset(&w->dictionary);
        }
        return NULL;
    }
    return ids;
}

static void put_values(struct column_writer *w, const struct column *c, const uint32_t *ids,
                       struct buf *out)
{
    if (ids != NULL) {
        unsigned width = hybrid_width(w->dictionary.count - 1);

        buf_u8(out, (uint8_t)width);
        hybrid_encode(ids, c->value_count, width, out);
    } else if (w->spec.kind == COLUMN_KIND_BOOL) {
        put_bools(c, out);
    } else {
        buf_append_span(out, buf_span(&c->values));
    }
}

/* Compresses a page's body and appends header and body to out. */
static enum err_code put_page(struct column_writer *w, struct parquet_page_header *h,
                              struct span body, struct buf *out, struct err *e)
{
    struct span stored = body;

    if (body.len > INT32_MAX) {
        return err_set(e, ERR_LIMIT, "Parquet: a page of %zu bytes", body.len);
    }
    if (w->codec == PARQUET_CODEC_ZSTD) {
        buf_reset(&w->packed);
        ERR_TRY(zstd_compress(w->encoder, body, &w->packed, e));
        stored = buf_span(&w->packed);
    }
    size_t before = out->len;

    h->uncompressed_bytes = (int32_t)body.len;
    h->compressed_bytes = (int32_t)stored.len;
    h->crc = crc32_update(0, stored);
    parquet_page_header_print(h, out);
    w->chunk.uncompressed_bytes += (int64_t)(out->len - before + body.len);
    buf_append_span(out, stored);
    w->chunk.compressed_bytes += (int64_t)(out->len - before);
    /* One huge page must not keep its memory. */
    if (w->packed.cap > 4 * COLUMN_BATCH_BYTES_TARGET) {
        buf_shrink(&w->packed, 0);
    }
    return buf_check(out, e, "Parquet page");
}

/* Shortened for the page index and the chunk's statistics. */
static void put_bound(const struct column_writer *w, struct span v, bool upper, struct buf *out,
                      bool *exact)
{
    bool text = w->spec.logical == PARQUET_LOGICAL_STRING;
    size_t at = out->len;

    *exact = true;
    if (w->spec.kind != COLUMN_KIND_BYTES || v.len <= BOUND_BYTES_MAX) {
        buf_append_span(out, v);
        return;
    }
    *exact = false;
    buf_append(out, v.data, text ? bounds_prefix_bytes(v, BOUND_BYTES_MAX) : BOUND_BYTES_MAX);
    if (!upper || (text ? bounds_increment_text(out, at) : bounds_increment_bytes(out, at))) {
        return;
    }
    /* Nothing greater is that short: the value itself. */
    out->len = at;
    *exact = true;
    buf_append_span(out, v);
}

static void note_page(struct column_writer *w, size_t page_at, int64_t first_row, uint32_t rows,
                      const struct column *c, const struct extremes *x)
{
    bool exact;
    struct page_entry p = {
        .offset = (int64_t)page_at,
        .bytes = (int32_t)(w->pages.len - page_at),
        .first_row = first_row,
        .null_count = (int64_t)rows - c->value_count,
        .all_null = c->value_count == 0,
    };

    if (x->known) {
        p.min_at = (uint32_t)w->index_bounds.len;
        put_bound(w, x->min, false, &w->index_bounds, &exact);
        p.max_at = (uint32_t)w->index_bounds.len;
        p.min_bytes = p.max_at - p.min_at;
        put_bound(w, x->max, true, &w->index_bounds, &exact);
        p.max_bytes = (uint32_t)w->index_bounds.len - p.max_at;
        widen(w, &w->range, x->min, x->max);
    } else if (!p.all_null) {
        w->all_pages_known = false;
    }
    buf_append(&w->index, &p, sizeof p);
    w->page_count++;
    w->chunk.value_count += rows;
    w->chunk.null_count += p.null_count;
    w->chunk.nan_count += (int64_t)x->nan_count;
    if (c->kind == COLUMN_KIND_BYTES) {
        w->chunk.byte_array_bytes += (int64_t)(c->values.len - 4 * (size_t)c->value_count);
    }
}

enum err_code column_writer_page(struct column_writer *w, const struct column *c, uint32_t rows,
                                 int64_t first_row, struct err *e)
{
    struct extremes x;
    const uint32_t *ids = page_ids(w, c);
    size_t page_at = w->pages.len;
    struct parquet_page_header h = {
        .type = PARQUET_DATA_PAGE,
        .value_count = (int32_t)rows,
        .encoding = ids != NULL ? PARQUET_RLE_DICTIONARY : PARQUET_PLAIN,
    };

    if (c->value_count > rows || (w->spec.required && c->value_count != rows)) {
        return err_set(e, ERR_CORRUPT, "column '%s': %u values in %u rows", w->spec.name,
                       c->value_count, rows);
    }
    find_extremes(w, c, &x);
    buf_reset(&w->body);
    put_levels(w, c, rows, &w->body);
    put_values(w, c, ids, &w->body);
    ERR_TRY(buf_check(&w->body, e, "Parquet page"));
    ERR_TRY(put_page(w, &h, buf_span(&w->body), &w->pages, e));
    note_page(w, page_at, first_row, rows, c, &x);
    if (ids != NULL) {
        w->dictionary_pages++;
    }
    if (w->body.cap > 4 * COLUMN_BATCH_BYTES_TARGET) {
        buf_shrink(&w->body, 0);
    }
    ERR_TRY(buf_check(&w->index_bounds, e, "Parquet page index"));
    return buf_check(&w->index, e, "Parquet page index");
}

/* ---- end of a row group ---- */

static void print_bounds(const struct column_writer *w, bool max, struct thrift_writer *out)
{
    const struct page_entry *p = (const struct page_entry *)(const void *)w->index.data;

    thrift_list(out, max ? 3 : 2, THRIFT_BINARY, w->page_count);
    for (uint32_t i = 0; i < w->page_count; i++) {
        uint32_t len = max ? p[i].max_bytes : p[i].min_bytes;

        buf_varint(out->out, len);
        buf_append(out->out, w->index_bounds.data + (max ? p[i].max_at : p[i].min_at), len);
    }
}

static void print_column_index(const struct column_writer *w, struct buf *out)
{
    const struct page_entry *p = (const struct page_entry *)(const void *)w->index.data;
    struct thrift_writer t = {out, 0};

    thrift_list(&t, 1, THRIFT_TRUE, w->page_count);
    for (uint32_t i = 0; i < w->page_count; i++) {
        buf_u8(out, p[i].all_null ? 1 : 2);
    }
    print_bounds(w, false, &t);
    print_bounds(w, true, &t);
    thrift_i32(&t, 4, 0); /* UNORDERED is always true enough */
    thrift_list(&t, 5, THRIFT_I64, w->page_count);
    for (uint32_t i = 0; i < w->page_count; i++) {
        buf_zigzag(out, p[i].null_count);
    }
    thrift_stop(&t);
}

static void print_offset_index(const struct column_writer *w, int64_t pages_at, struct buf *out)
{
    const struct page_entry *p = (const struct page_entry *)(const void *)w->index.data;
    struct thrift_writer t = {out, 0};

    thrift_list(&t, 1, THRIFT_STRUCT, w->page_count);
    for (uint32_t i = 0; i < w->page_count; i++) {
        struct thrift_writer location = thrift_element(&t);

        thrift_i64(&location, 1, pages_at + p[i].offset);
        thrift_i32(&location, 2, p[i].bytes);
        thrift_i64(&location, 3, p[i].first_row);
        thrift_stop(&location);
    }
    thrift_stop(&t);
}

static enum err_code chunk_bound(const struct column_writer *w, struct span v, bool upper,
                                 struct arena *arena, struct parquet_bound *out, struct err *e)
{
    struct buf text = {0};

    put_bound(w, v, upper, &text, &out->exact);
    /* An empty text is a bound too, so it needs a place. */
    const uint8_t *copy = (const uint8_t *)arena_strndup(arena, text.data, text.len);

    out->bytes = span_of(copy, text.len);
    buf_deinit(&text);
    return copy == NULL ? arena_fail(arena, e, "Parquet statistics") : ERR_OK;
}

enum err_code column_writer_end_group(struct column_writer *w, int64_t at, struct buf *dictionary,
                                      struct buf *column_index, struct buf *offset_index,
                                      struct arena *arena, struct err *e)
{
    struct parquet_chunk *chunk = &w->chunk;

    buf_reset(dictionary);
    chunk->has_dictionary = w->dictionary_pages > 0;
    if (chunk->has_dictionary) {
        struct parquet_page_header h = {
            .type = PARQUET_DICTIONARY_PAGE,
            .value_count = (int32_t)w->dictionary.count,
            .encoding = PARQUET_PLAIN,
        };

        ERR_TRY(put_page(w, &h, buf_span(&w->dictionary.values), dictionary, e));
        chunk->dictionary_page_offset = at;
    }
    chunk->codec = w->codec == PARQUET_CODEC_ZSTD ? PARQUET_WIRE_ZSTD : PARQUET_WIRE_UNCOMPRESSED;
    /* PLAIN is always there: data pages, or the dictionary page itself. */
    chunk->encodings = 1u << PARQUET_PLAIN | 1u << PARQUET_RLE |
                       (chunk->has_dictionary ? 1u << PARQUET_RLE_DICTIONARY : 0);
    chunk->has_null_count = true;
    chunk->data_page_offset = at + (int64_t)dictionary->len;
    chunk->data_page_count = w->page_count;
    chunk->dictionary_page_count = w->dictionary_pages;
    chunk->has_bounds = w->range.known;
    if (w->range.known) {
        ERR_TRY(chunk_bound(w, buf_span(&w->range.min), false, arena, &chunk->min, e));
        ERR_TRY(chunk_bound(w, buf_span(&w->range.max), true, arena, &chunk->max, e));
        widen(w, &w->file_range, buf_span(&w->range.min), buf_span(&w->range.max));
    }
    if (w->all_pages_known) {
        chunk->column_index_offset = (int64_t)column_index->len;
        print_column_index(w, column_index);
        chunk->column_index_bytes =
            (int32_t)((int64_t)column_index->len - chunk->column_index_offset);
    }
    chunk->offset_index_offset = (int64_t)offset_index->len;
    print_offset_index(w, chunk->data_page_offset, offset_index);
    chunk->offset_index_bytes = (int32_t)((int64_t)offset_index->len - chunk->offset_index_offset);
    w->metrics.compressed_bytes += (uint64_t)chunk->compressed_bytes;
    w->metrics.value_count += (uint64_t)chunk->value_count;
    w->metrics.null_count += (uint64_t)chunk->null_count;
    w->metrics.nan_count += (uint64_t)chunk->nan_count;
    ERR_TRY(buf_check(column_index, e, "Parquet column index"));
    ERR_TRY(buf_check(offset_index, e, "Parquet offset index"));
    ERR_TRY(buf_check(&w->file_range.min, e, "Parquet bounds"));
    return buf_check(&w->file_range.max, e, "Parquet bounds");
}
