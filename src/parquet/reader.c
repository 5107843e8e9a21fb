/*
 *   "PAR1" pages ... indexes ... footer, u32le bytes of the footer, "PAR1"
 */
#include "parquet/reader.h"

#include <stdlib.h>

#include "parquet/footer.h"
#include "parquet/value_reader.h"

#define MAGIC            0x31524150u /* "PAR1" */
#define MAGIC_ENCRYPTED  0x45524150u /* "PARE" */
#define MAGIC_BYTES      4u
#define TAIL_BYTES       8u
#define READ_AHEAD_BYTES ((size_t)64 << 10)
#define FOOTER_BYTES_MAX ((size_t)64 << 20)
/* Memory of the parsed footer: its structures are larger than their Thrift form. */
#define ARENA_BYTES_MIN        ((size_t)64 << 10)
#define ARENA_TIMES_THE_FOOTER 16u

struct parquet_reader {
    struct byte_source source;
    struct arena arena;
    struct buf footer; /* bounds point into it */
    struct parquet_meta meta;
    struct page_reader pages;
    struct value_reader values;
};

/* Reads the last `bytes` bytes of the file. */
static enum err_code read_end(struct parquet_reader *r, size_t bytes, struct err *e)
{
    buf_reset(&r->footer);
    uint8_t *p = buf_reserve(&r->footer, bytes);

    if (p == NULL) {
        return buf_check(&r->footer, e, "Parquet footer");
    }
    ERR_TRY(byte_source_read(&r->source, r->source.size_bytes - bytes, p, bytes, e));
    r->footer.len = bytes;
    return ERR_OK;
}

/* How many bytes the footer has, from the tail that r->footer ends with. */
static enum err_code footer_size(const struct parquet_reader *r, size_t *out, struct err *e)
{
    const struct span end = buf_span(&r->footer);
    struct bytes_reader tail;

    bytes_reader_init(&tail, span_of(end.data + end.len - TAIL_BYTES, TAIL_BYTES));
    uint32_t bytes = bytes_u32le(&tail);
    uint32_t magic = bytes_u32le(&tail);

    if (magic == MAGIC_ENCRYPTED) {
        return err_set(e, ERR_UNSUPPORTED, "Parquet: the file is encrypted");
    }
    if (magic != MAGIC) {
        return err_set(e, ERR_CORRUPT, "not a Parquet file, or one that was cut off");
    }
    if (bytes > r->source.size_bytes - MAGIC_BYTES - TAIL_BYTES) {
        return err_set(e, ERR_CORRUPT, "Parquet: a footer of %u bytes in a file of %llu", bytes,
                       (unsigned long long)r->source.size_bytes);
    }
    if (bytes > FOOTER_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "Parquet: a footer of %u bytes, calve reads up to %zu", bytes,
                       FOOTER_BYTES_MAX);
    }
    *out = bytes;
    return ERR_OK;
}

static enum err_code load_footer(struct parquet_reader *r, struct err *e)
{
    uint64_t size = r->source.size_bytes;
    size_t bytes = 0;

    if (size < MAGIC_BYTES + TAIL_BYTES || size > INT64_MAX) {
        return err_set(e, ERR_CORRUPT, "a file of %llu bytes is no Parquet file",
                       (unsigned long long)size);
    }
    ERR_TRY(read_end(r, size < READ_AHEAD_BYTES ? (size_t)size : READ_AHEAD_BYTES, e));
    ERR_TRY(footer_size(r, &bytes, e));
    if (bytes + TAIL_BYTES > r->footer.len) {
        ERR_TRY(read_end(r, bytes + TAIL_BYTES, e));
    }
    arena_init(&r->arena, ARENA_BYTES_MIN + ARENA_TIMES_THE_FOOTER * bytes);
    return parquet_footer_parse(span_of(r->footer.data + r->footer.len - TAIL_BYTES - bytes, bytes),
                                size - TAIL_BYTES - bytes, &r->arena, &r->meta, e);
}

enum err_code parquet_reader_open(const struct byte_source *source, struct parquet_reader **out,
                                  struct err *e)
{
    struct parquet_reader *r = calloc(1, sizeof *r);

    if (r == NULL) {
        return err_nomem(e);
    }
    r->source = *source;
    r->pages.source = *source;
    enum err_code rc = load_footer(r, e);

    if (rc != ERR_OK) {
        parquet_reader_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void parquet_reader_free(struct parquet_reader *r)
{
    if (r == NULL) {
        return;
    }
    page_reader_deinit(&r->pages);
    value_reader_deinit(&r->values);
    buf_deinit(&r->footer);
    arena_deinit(&r->arena);
    free(r);
}

uint64_t parquet_reader_rows(const struct parquet_reader *r)
{
    return (uint64_t)r->meta.row_count;
}

const struct parquet_reader_column *parquet_reader_columns(const struct parquet_reader *r,
                                                           uint32_t *count)
{
    *count = r->meta.column_count;
    return r->meta.columns;
}

uint32_t parquet_reader_row_group_count(const struct parquet_reader *r)
{
    return r->meta.group_count;
}

uint64_t parquet_reader_row_group_rows(const struct parquet_reader *r, uint32_t row_group)
{
    return (uint64_t)r->meta.groups[row_group].row_count;
}

const struct parquet_chunk *parquet_reader_chunk(const struct parquet_reader *r, uint32_t row_group,
                                                 uint32_t column)
{
    return &r->meta.groups[row_group].chunks[column];
}

const char *parquet_reader_metadata(const struct parquet_reader *r, const char *key)
{
    for (uint32_t i = 0; i < r->meta.metadata_count; i++) {
        if (strcmp(r->meta.metadata[i].key, key) == 0) {
            return r->meta.metadata[i].value;
        }
    }
    return NULL;
}

const struct parquet_key_value *parquet_reader_key_values(const struct parquet_reader *r,
                                                          uint32_t *count)
{
    *count = r->meta.metadata_count;
    return r->meta.metadata;
}

const char *parquet_reader_created_by(const struct parquet_reader *r)
{
    return r->meta.created_by;
}

/* All pages of the chunk that was started, until the rows are complete. */
static enum err_code read_pages(struct parquet_reader *r, const struct parquet_chunk *chunk,
                                struct err *e)
{
    struct page page;

    while (r->values.rows_left > 0) {
        enum err_code rc = page_reader_next(&r->pages, &page, e);

        if (rc == ERR_NOT_FOUND) {
            return err_set(e, ERR_CORRUPT, "Parquet: the pages end %llu rows early",
                           (unsigned long long)r->values.rows_left);
        }
        ERR_TRY(rc);
        rc = value_reader_page(&r->values, &page, e);
        if (rc != ERR_OK) {
            return err_wrap(e, "page at byte %llu", (unsigned long long)page.offset);
        }
    }
    if (chunk->has_null_count && r->values.nulls != (uint64_t)chunk->null_count) {
        return err_set(e, ERR_CORRUPT, "Parquet: %llu nulls where the footer has %lld",
                       (unsigned long long)r->values.nulls, (long long)chunk->null_count);
    }
    return ERR_OK;
}

enum err_code parquet_reader_read(struct parquet_reader *r, uint32_t row_group, uint32_t column,
                                  size_t bytes_max, struct column *out, struct err *e)
{
    const struct parquet_reader_column *c = &r->meta.columns[column];
    const struct parquet_chunk *chunk = parquet_reader_chunk(r, row_group, column);
    enum err_code rc =
        value_reader_start(&r->values, c, (uint64_t)chunk->value_count, bytes_max, out, e);

    if (rc == ERR_OK) {
        r->pages.page_bytes_max = bytes_max < INT32_MAX ? bytes_max : INT32_MAX;
        page_reader_start(&r->pages, chunk);
        rc = read_pages(r, chunk, e);
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "row group %u, column '%s'", row_group, c->name);
}
