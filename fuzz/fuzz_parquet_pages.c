/*
 * The pages of a column chunk:
 *
 *   u8 type, u8 bit 0: required, u8 fixed width, u8 codec, u16le rows, then pages
 *
 * A chunk that is read gives a column that holds together.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "parquet/value_reader.h"

#define BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e)
{
    const struct span *file = ctx;

    if (offset > file->len || len > file->len - offset) {
        abort(); /* never outside of the chunk */
    }
    if (len > 0) {
        memcpy(out, file->data + offset, len);
    }
    (void)e;
    return ERR_OK;
}

static enum err_code read_chunk(struct page_reader *pages, struct value_reader *values,
                                struct err *e)
{
    struct page page;

    while (values->rows_left > 0) {
        ERR_TRY(page_reader_next(pages, &page, e));
        ERR_TRY(value_reader_page(values, &page, e));
    }
    return ERR_OK;
}

static void check_column(const struct column *c, const struct parquet_reader_column *spec,
                         uint64_t rows)
{
    size_t width = parquet_type_bytes(spec->type, spec->type_bytes);
    uint64_t present = c->validity.len == 0 ? rows : 0;

    for (size_t i = 0; i < c->validity.len; i++) {
        present += c->validity.data[i];
    }
    if (present != c->value_count || (c->validity.len != 0 && c->validity.len != rows)) {
        abort();
    }
    if (width > 0 ? c->values.len != c->value_count * width
                  : c->value_count > 0 &&
                        c->offsets.len != ((size_t)c->value_count + 1) * sizeof(uint32_t)) {
        abort();
    }
    for (uint32_t i = 0; width == 0 && i < c->value_count; i++) {
        struct span v = column_bytes_at(c, i);

        if (v.data < c->values.data || v.data + v.len > c->values.data + c->values.len) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes_reader in;

    bytes_reader_init(&in, span_of(data, size));
    uint8_t type = bytes_u8(&in) % 8;
    bool required = (bytes_u8(&in) & 1) != 0;
    uint8_t width = bytes_u8(&in);
    struct parquet_reader_column spec = {
        .name = "c",
        .required = required,
        .type = (enum parquet_type)type,
        .type_bytes = width == 0 ? 1 : width,
    };
    struct parquet_chunk chunk = {.codec = bytes_u8(&in)};
    uint64_t rows = bytes_u16le(&in);

    if (bytes_failed(&in)) {
        return 0;
    }
    struct span stored = bytes_rest(&in);
    struct page_reader pages = {.source = {stored.len, read_at, &stored},
                                .page_bytes_max = BYTES_MAX};
    struct value_reader values = {.column = NULL};
    struct column out = {.value_count = 0};
    struct err e = {0};

    chunk.compressed_bytes = (int64_t)stored.len;
    page_reader_start(&pages, &chunk);
    enum err_code rc = value_reader_start(&values, &spec, rows, BYTES_MAX, &out, &e);

    if (rc == ERR_OK) {
        rc = read_chunk(&pages, &values, &e);
    }
    if (rc == ERR_OK) {
        check_column(&out, &spec, rows);
    } else if (e.code != rc || e.msg[0] == '\0') {
        abort();
    }
    page_reader_deinit(&pages);
    value_reader_deinit(&values);
    buf_deinit(&out.values);
    buf_deinit(&out.offsets);
    buf_deinit(&out.validity);
    return 0;
}
