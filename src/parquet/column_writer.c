#include "parquet/column_writer.h"

#include "base/str.h"
#include "codec/bounds.h"
#include "codec/crc32.h"
#include "parquet/extremes.h"
#include "parquet/hybrid.h"

#define BOUND_BYTES_MAX 64u
#define SKIP_GROUPS     16u
/* Pages below this say little about how often values repeat. */
#define DECISION_ROWS_MIN 256u
/* What a dictionary page costs besides its entries: a header, a frame. */
#define DICTIONARY_PAGE_BYTES 64u
/* Sizes of pages, header included, are 32 bits wide; zstd may make a page a little larger. */
#define PAGE_BYTES_MAX ((size_t)INT32_MAX - ((size_t)16 << 20))

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
    buf_init(&w->body, (size_t)INT32_MAX);
    buf_init(&w->packed, (size_t)INT32_MAX);
    /* A row group is closed soon after 64 MiB, with whatever the last page had. */
    buf_init(&w->pages, (size_t)1 << 33);
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

/* Keeps a bound; of a huge value only as much as anybody asks for. */
static void keep(const struct column_writer *w, struct span v, struct buf *out)
{
    if (w->spec.kind == COLUMN_KIND_BYTES && v.len > PARQUET_METRIC_BYTES_MAX) {
        v.len = w->spec.logical == PARQUET_LOGICAL_STRING
                    ? bounds_prefix_bytes(v, PARQUET_METRIC_BYTES_MAX)
                    : PARQUET_METRIC_BYTES_MAX;
    }
    buf_reset(out);
    buf_append_span(out, v);
}

static enum err_code widen(const struct column_writer *w, struct column_range *r, struct span min,
                           struct span max, struct err *e)
{
    if (!r->known || extremes_compare(&w->spec, min, buf_span(&r->min)) < 0) {
        keep(w, min, &r->min);
    }
    if (!r->known || extremes_compare(&w->spec, max, buf_span(&r->max)) > 0) {
        keep(w, max, &r->max);
    }
    r->known = true;
    ERR_TRY(buf_check(&r->min, e, "Parquet bounds"));
    return buf_check(&r->max, e, "Parquet bounds");
}

/* ---- pages ---- */

/* Bytes of a value of fixed width; 0 for BYTES. */
static size_t width_of(const struct parquet_column_spec *spec)
{
    return parquet_type_bytes(parquet_type_of(spec->kind), spec->fixed_bytes);
}

/* A batch that contradicts itself would become rows with other rows' values. */
static enum err_code check_column(const struct column_writer *w, const struct column *c,
                                  uint32_t rows, struct err *e)
{
    size_t width = width_of(&w->spec);
    bool good = c->kind == w->spec.kind && rows <= INT32_MAX && c->value_count <= rows &&
                (c->value_count == rows || (!w->spec.required && c->validity.len == rows) ||
                 (!w->spec.required && c->value_count == 0));

    if (good && c->kind == COLUMN_KIND_BYTES) {
        good = c->value_count == 0 || c->offsets.len == ((size_t)c->value_count + 1) * 4;
    } else if (good) {
        good = c->values.len == c->value_count * width &&
               (c->kind != COLUMN_KIND_FIXED || c->fixed_bytes == w->spec.fixed_bytes);
    }
    return good ? ERR_OK
                : err_set(e, ERR_CORRUPT, "column '%s': %u values of %zu bytes in %u rows",
                          w->spec.name, c->value_count, c->values.len, rows);
}

static enum err_code put_levels(const struct column_writer *w, const struct column *c,
                                uint32_t rows, struct buf *out, struct err *e)
{
    if (w->spec.required) {
        return ERR_OK;
    }
    size_t at = out->len;

    buf_u32le(out, 0);
    if (c->value_count == rows || c->value_count == 0) {
        hybrid_encode_run(c->value_count == 0 ? 0 : 1, rows, 1, out);
    } else if (hybrid_encode_levels(c->validity.data, rows, out) != c->value_count &&
               out->failed == ERR_OK) {
        return err_set(e, ERR_CORRUPT, "column '%s': %u values, but not as many valid rows",
                       w->spec.name, c->value_count);
    }
    if (out->failed == ERR_OK) {
        uint32_t bytes = (uint32_t)(out->len - at - sizeof bytes);

        memcpy(out->data + at, &bytes, sizeof bytes);
    }
    return ERR_OK;
}

/*
 * Whether ids and the entries that a page added are smaller than its values: much smaller for the
 * first page, which decides for the chunk.
 */
static bool worth_it(const struct column_writer *w, const struct column *c, size_t bytes_before)
{
    size_t ids = (size_t)c->value_count * hybrid_width(w->dictionary.count - 1) / 8;
    size_t bytes = w->dictionary.values.len - bytes_before + ids;

    return w->dictionary_pages > 0 ? bytes <= c->values.len
                                   : (bytes + DICTIONARY_PAGE_BYTES) * 4 < c->values.len * 3;
}

/* Ids for this page; on failure or too little repetition the chunk goes on without dictionary. */
static const uint32_t *page_ids(struct column_writer *w, const struct column *c)
{
    struct dictionary *d = &w->dictionary;
    uint32_t count = d->count;
    size_t bytes = d->values.len;

    /* A page of nulls says nothing; once there is a dictionary, it is of the same encoding. */
    if (!w->use_dictionary || (c->value_count == 0 && w->dictionary_pages == 0)) {
        return NULL;
    }
    buf_reset(&w->ids);
    uint32_t *ids =
        (uint32_t *)(void *)buf_reserve(&w->ids, ((size_t)c->value_count + 1) * sizeof *ids);

    if (ids != NULL && dictionary_ids(d, c, ids) &&
        (c->value_count == 0 || worth_it(w, c, bytes))) {
        return ids;
    }
    w->use_dictionary = false;
    dictionary_close(d, count, bytes);
    if (w->dictionary_pages == 0 && c->value_count >= DECISION_ROWS_MIN) {
        w->skip_dictionary = SKIP_GROUPS;
    }
    return NULL;
}

static void put_values(struct column_writer *w, const struct column *c, const uint32_t *ids,
                       struct buf *out)
{
    if (ids != NULL) {
        unsigned width = hybrid_width(w->dictionary.count - 1);

        buf_u8(out, (uint8_t)width);
        hybrid_encode(ids, c->value_count, width, out);
    } else if (w->spec.kind == COLUMN_KIND_BOOL) {
        (void)hybrid_pack_bits(c->values.data, c->value_count, out);
    } else {
        buf_append_span(out, buf_span(&c->values));
    }
}

/* Compresses a page's body and appends header and body to out. */
static enum err_code put_page(struct column_writer *w, struct parquet_page_header *h,
                              struct span body, struct buf *out, struct err *e)
{
    struct span stored = body;

    if (body.len > PAGE_BYTES_MAX) {
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

/*
 * Shortened for the page index and the chunk's statistics. False when nothing that short is great
 * enough.
 */
static bool put_bound(const struct column_writer *w, struct span v, bool upper, struct buf *out,
                      bool *exact)
{
    size_t at = out->len;

    *exact = w->spec.kind != COLUMN_KIND_BYTES || v.len <= BOUND_BYTES_MAX;
    if (*exact) {
        buf_append_span(out, v);
        return true;
    }
    struct span text = span_of(v.data, bounds_prefix_bytes(v, BOUND_BYTES_MAX));

    if (w->spec.logical == PARQUET_LOGICAL_STRING && str_is_utf8(text)) {
        buf_append_span(out, text);
        return !upper || bounds_increment_text(out, at);
    }
    buf_append(out, v.data, BOUND_BYTES_MAX);
    return !upper || bounds_increment_bytes(out, at);
}

/* Notes a page's bounds for the column index, or that there will be none. */
static void note_bounds(struct column_writer *w, const struct extremes *x, struct page_entry *p)
{
    bool exact;

    p->min_at = (uint32_t)w->index_bounds.len;
    (void)put_bound(w, x->min, false, &w->index_bounds, &exact);
    p->max_at = (uint32_t)w->index_bounds.len;
    p->min_bytes = p->max_at - p->min_at;
    if (!put_bound(w, x->max, true, &w->index_bounds, &exact)) {
        w->all_pages_known = false;
    }
    p->max_bytes = (uint32_t)w->index_bounds.len - p->max_at;
}

static enum err_code note_page(struct column_writer *w, size_t page_at, int64_t first_row,
                               uint32_t rows, const struct column *c, const struct extremes *x,
                               struct err *e)
{
    struct page_entry p = {
        .offset = (int64_t)page_at,
        .bytes = (int32_t)(w->pages.len - page_at),
        .first_row = first_row,
        .null_count = (int64_t)rows - c->value_count,
        .all_null = c->value_count == 0,
    };

    if (x->known) {
        note_bounds(w, x, &p);
        ERR_TRY(widen(w, &w->range, x->min, x->max, e));
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
    ERR_TRY(buf_check(&w->index_bounds, e, "Parquet page index"));
    return buf_check(&w->index, e, "Parquet page index");
}

enum err_code column_writer_page(struct column_writer *w, const struct column *c, uint32_t rows,
                                 int64_t first_row, struct err *e)
{
    struct extremes x;
    size_t page_at = w->pages.len;

    ERR_TRY(check_column(w, c, rows, e));
    const uint32_t *ids = page_ids(w, c);
    struct parquet_page_header h = {
        .type = PARQUET_DATA_PAGE,
        .value_count = (int32_t)rows,
        .encoding = ids != NULL ? PARQUET_RLE_DICTIONARY : PARQUET_PLAIN,
    };
    struct span body;

    extremes_find(&w->spec, c, &x);
    buf_reset(&w->body);
    if (w->spec.required && ids == NULL && c->kind != COLUMN_KIND_BOOL) {
        body = buf_span(&c->values); /* is the page */
    } else {
        ERR_TRY(put_levels(w, c, rows, &w->body, e));
        put_values(w, c, ids, &w->body);
        ERR_TRY(buf_check(&w->body, e, "Parquet page"));
        body = buf_span(&w->body);
    }
    ERR_TRY(put_page(w, &h, body, &w->pages, e));
    w->dictionary_pages += ids != NULL ? 1 : 0;
    if (w->body.cap > 4 * COLUMN_BATCH_BYTES_TARGET) {
        buf_shrink(&w->body, 0);
    }
    return note_page(w, page_at, first_row, rows, c, &x, e);
}

/* ---- end of a row group ---- */

static void print_bounds(const struct column_writer *w, bool max, struct thrift_writer *out)
{
    const struct page_entry *p = (const struct page_entry *)(const void *)w->index.data;

    thrift_list(out, max ? 3 : 2, THRIFT_BINARY, w->page_count);
    for (uint32_t i = 0; i < w->page_count; i++) {
        uint32_t len = max ? p[i].max_bytes : p[i].min_bytes;

        buf_varint(out->out, len);
        if (len > 0) {
            buf_append(out->out, w->index_bounds.data + (max ? p[i].max_at : p[i].min_at), len);
        }
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

/* A bound of the chunk, in arena; its bytes stay NULL when there is none. */
static enum err_code chunk_bound(const struct column_writer *w, struct span v, bool upper,
                                 struct arena *arena, struct parquet_bound *out, struct err *e)
{
    struct buf text = {0};
    bool has = put_bound(w, v, upper, &text, &out->exact);
    enum err_code rc = buf_check(&text, e, "Parquet statistics");

    if (rc == ERR_OK && has) {
        /* An empty text is a bound too, so it needs a place. */
        out->bytes = span_of(arena_strndup(arena, text.data, text.len), text.len);
        rc = out->bytes.data == NULL ? arena_fail(arena, e, "Parquet statistics") : ERR_OK;
    }
    buf_deinit(&text);
    return rc;
}

static enum err_code chunk_bounds(struct column_writer *w, struct arena *arena, struct err *e)
{
    struct parquet_chunk *chunk = &w->chunk;
    struct span min = buf_span(&w->range.min);
    struct span max = buf_span(&w->range.max);

    ERR_TRY(chunk_bound(w, min, false, arena, &chunk->min, e));
    ERR_TRY(chunk_bound(w, max, true, arena, &chunk->max, e));
    chunk->has_bounds = chunk->max.bytes.data != NULL;
    return widen(w, &w->file_range, min, max, e);
}

static void put_indexes(struct column_writer *w, struct buf *column_index, struct buf *offset_index)
{
    struct parquet_chunk *chunk = &w->chunk;

    if (w->all_pages_known) {
        chunk->column_index_offset = (int64_t)column_index->len;
        print_column_index(w, column_index);
        chunk->column_index_bytes =
            (int32_t)((int64_t)column_index->len - chunk->column_index_offset);
    }
    chunk->offset_index_offset = (int64_t)offset_index->len;
    print_offset_index(w, chunk->data_page_offset, offset_index);
    chunk->offset_index_bytes = (int32_t)((int64_t)offset_index->len - chunk->offset_index_offset);
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
    if (w->range.known) {
        ERR_TRY(chunk_bounds(w, arena, e));
    }
    put_indexes(w, column_index, offset_index);
    w->metrics.compressed_bytes += (uint64_t)chunk->compressed_bytes;
    w->metrics.value_count += (uint64_t)chunk->value_count;
    w->metrics.null_count += (uint64_t)chunk->null_count;
    w->metrics.nan_count += (uint64_t)chunk->nan_count;
    ERR_TRY(buf_check(column_index, e, "Parquet column index"));
    return buf_check(offset_index, e, "Parquet offset index");
}
