#include "model/column_batch.h"

#include <stdlib.h>

#define VALUE_BYTES_MAX (((size_t)1 << 31) - 64)

struct column_batch *column_batch_new(const enum column_kind *kinds, uint32_t column_count)
{
    struct column_batch *b = calloc(1, sizeof *b);

    if (b == NULL) {
        return NULL;
    }
    b->columns = calloc(column_count, sizeof *b->columns);
    if (b->columns == NULL) {
        free(b);
        return NULL;
    }
    b->column_count = column_count;
    for (uint32_t i = 0; i < column_count; i++) {
        b->columns[i].kind = kinds[i];
        buf_init(&b->columns[i].values, (size_t)1 << 31);
    }
    return b;
}

void column_batch_free(struct column_batch *b)
{
    if (b == NULL) {
        return;
    }
    for (uint32_t i = 0; i < b->column_count; i++) {
        buf_deinit(&b->columns[i].values);
        buf_deinit(&b->columns[i].offsets);
        buf_deinit(&b->columns[i].validity);
    }
    free(b->columns);
    free(b);
}

void column_batch_reset(struct column_batch *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct column *c = &b->columns[i];

        /* One huge value must not keep its memory for the rest of the run. */
        buf_shrink(&c->values, 4 * COLUMN_BATCH_BYTES_TARGET);
        buf_reset(&c->offsets);
        buf_reset(&c->validity);
        c->value_count = 0;
    }
    b->row_count = 0;
}

size_t column_batch_bytes(const struct column_batch *b)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < b->column_count; i++) {
        bytes += b->columns[i].values.len;
    }
    return bytes;
}

enum err_code column_batch_check(const struct column_batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];

        ERR_TRY(buf_check(&c->values, e, "column values"));
        ERR_TRY(buf_check(&c->offsets, e, "column offsets"));
        ERR_TRY(buf_check(&c->validity, e, "column validity"));
    }
    return ERR_OK;
}

void column_begin_bytes(struct column *c)
{
    if (c->offsets.len == 0) {
        buf_u32le(&c->offsets, 0);
    }
    buf_u32le(&c->values, 0);
}

static uint32_t last_offset(const struct column *c)
{
    uint32_t at;

    if (c->offsets.len < sizeof at) {
        return 0;
    }
    memcpy(&at, c->offsets.data + c->offsets.len - sizeof at, sizeof at);
    return at;
}

void column_end_bytes(struct column *c)
{
    uint32_t at = last_offset(c);

    if (c->values.failed != ERR_OK || c->offsets.failed != ERR_OK) {
        return;
    }
    size_t len = c->values.len - at - sizeof(uint32_t);

    if (len > VALUE_BYTES_MAX || c->values.len > UINT32_MAX) {
        c->values.failed = ERR_LIMIT;
        return;
    }
    uint32_t len32 = (uint32_t)len;

    memcpy(c->values.data + at, &len32, sizeof len32);
    buf_u32le(&c->offsets, (uint32_t)c->values.len);
    c->value_count++;
}

void column_abandon_bytes(struct column *c)
{
    c->values.len = last_offset(c);
}

void column_put_bytes(struct column *c, struct span v)
{
    column_begin_bytes(c);
    buf_append_span(&c->values, v);
    column_end_bytes(c);
}

struct span column_bytes_at(const struct column *c, uint32_t i)
{
    uint32_t at;
    uint32_t end;

    memcpy(&at, c->offsets.data + (size_t)i * sizeof at, sizeof at);
    memcpy(&end, c->offsets.data + (size_t)(i + 1) * sizeof end, sizeof end);
    return (struct span){c->values.data + at + sizeof at, end - at - sizeof at};
}

void column_put_validity(struct column *c, uint32_t rows, bool has_value)
{
    if (has_value && c->validity.len == 0) {
        return;
    }
    if (c->validity.len == 0 && rows > 0) {
        uint8_t *p = buf_reserve(&c->validity, rows);

        if (p != NULL) {
            memset(p, 1, rows);
            c->validity.len += rows;
        }
    }
    buf_u8(&c->validity, has_value ? 1 : 0);
}
