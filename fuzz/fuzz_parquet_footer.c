/*
 * Parquet files, or footers alone (input that does not end with the magic gets pages of zeros in
 * front and the tail behind): a file that opens is read to its end, and what it gives holds
 * together.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "parquet/reader.h"

#define BYTES_MAX ((size_t)1 << 20)
#define ZEROS     256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e)
{
    const struct span *file = ctx;

    if (offset > file->len || len > file->len - offset) {
        abort(); /* the reader knows how large the file is */
    }
    if (len > 0) {
        memcpy(out, file->data + offset, len);
    }
    (void)e;
    return ERR_OK;
}

/* A column as column_batch.h lays it out. */
static void check_column(const struct column *c, uint64_t rows, bool required)
{
    uint64_t present = c->validity.len == 0 ? rows : 0;
    uint32_t end = 0;

    for (size_t i = 0; i < c->validity.len; i++) {
        present += c->validity.data[i];
    }
    if (present != c->value_count || (c->validity.len != 0 && c->validity.len != rows) ||
        (required && c->validity.len != 0)) {
        abort();
    }
    if (c->kind != COLUMN_KIND_BYTES || c->value_count == 0) {
        return;
    }
    if (c->offsets.len != ((size_t)c->value_count + 1) * sizeof end) {
        abort();
    }
    for (uint32_t i = 0; i < c->value_count; i++) {
        struct span v = column_bytes_at(c, i);

        end += (uint32_t)v.len + 4;
    }
    if (end != c->values.len) {
        abort();
    }
}

static void read_all(struct parquet_reader *r)
{
    uint32_t columns;
    const struct parquet_reader_column *specs = parquet_reader_columns(r, &columns);
    struct column c = {.value_count = 0};

    for (uint32_t g = 0; g < parquet_reader_row_group_count(r); g++) {
        for (uint32_t i = 0; i < columns; i++) {
            struct err e = {0};
            enum err_code rc = parquet_reader_read(r, g, i, BYTES_MAX, &c, &e);

            if (rc == ERR_OK) {
                check_column(&c, parquet_reader_row_group_rows(r, g), specs[i].required);
            } else if (e.code != rc || e.msg[0] == '\0') {
                abort();
            }
        }
    }
    buf_deinit(&c.values);
    buf_deinit(&c.offsets);
    buf_deinit(&c.validity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file = {0};
    struct parquet_reader *r = NULL;
    struct err e = {0};

    if (size >= 4 && memcmp(data + size - 4, "PAR1", 4) == 0) {
        buf_append(&file, data, size);
    } else {
        buf_append_str(&file, "PAR1");
        buf_zeros(&file, ZEROS);
        buf_append(&file, data, size);
        buf_u32le(&file, (uint32_t)size);
        buf_append_str(&file, "PAR1");
    }
    struct span bytes = buf_span(&file);
    const struct byte_source source = {bytes.len, read_at, &bytes};
    enum err_code rc = parquet_reader_open(&source, &r, &e);

    if (rc == ERR_OK) {
        read_all(r);
    } else if (e.code != rc || e.msg[0] == '\0') {
        abort();
    }
    parquet_reader_free(r);
    buf_deinit(&file);
    return 0;
}
