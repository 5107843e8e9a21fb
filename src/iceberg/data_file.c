/*
 * data_file.c - from a Parquet file's metrics to Iceberg's bounds.
 *
 *   Parquet, PLAIN         Iceberg, single value
 *   BOOL, INT32, INT64,    the same bytes
 *   FLOAT, DOUBLE
 *   DECIMAL on any         unscaled, two's complement, big-endian, as short as it gets
 *   BYTES                  UTF-8 or raw, cut to 16 code points or bytes
 *   FIXED                  the same bytes
 */
#include "iceberg/data_file.h"

#include <math.h>
#include <stdlib.h>

#include "base/str.h"

#define TRUNCATE_TO         16u
#define ARENA_BYTES_MAX     ((size_t)64 << 20)
#define CODE_POINT_MAX      0x10ffffu
#define SURROGATE_FIRST     0xd800u
#define AFTER_SURROGATES    0xe000u
#define UTF8_SEQUENCE_BYTES 4u

static size_t utf8_put(uint8_t out[UTF8_SEQUENCE_BYTES], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | (c >> 6));
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | (c >> 12));
        out[1] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (c >> 18));
    out[1] = (uint8_t)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* Decodes well-formed UTF-8 of at most TRUNCATE_TO code points; returns how many bytes they take.
 */
static size_t utf8_prefix(struct span text, uint32_t points[TRUNCATE_TO], uint32_t *count)
{
    size_t at = 0;

    *count = 0;
    while (at < text.len && *count < TRUNCATE_TO) {
        uint8_t lead = text.data[at++];
        unsigned more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);

        for (; more > 0 && at < text.len; more--) {
            c = (c << 6) | (text.data[at++] & 0x3fu);
        }
        points[(*count)++] = c;
    }
    return at;
}

/* The least string above all that start with these code points; 0 when there is none. */
static size_t utf8_increment(const uint32_t *points, uint32_t count,
                             uint8_t out[TRUNCATE_TO * UTF8_SEQUENCE_BYTES])
{
    while (count > 0 && points[count - 1] >= CODE_POINT_MAX) {
        count--;
    }
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = points[i];

        if (i + 1 == count) {
            c = c + 1 == SURROGATE_FIRST ? AFTER_SURROGATES : c + 1;
        }
        uint8_t sequence[UTF8_SEQUENCE_BYTES];
        size_t n = utf8_put(sequence, c);

        memcpy(out + len, sequence, n);
        len += n;
    }
    return len;
}

static bool copy_bound(struct arena *a, struct span in, struct span *out, bool *has)
{
    out->len = in.len;
    out->data = (const uint8_t *)arena_strndup(a, in.data, in.len);
    *has = out->data != NULL;
    return *has;
}

static bool string_bounds(struct arena *a, const struct parquet_column_metrics *in,
                          struct iceberg_column_metrics *out)
{
    uint32_t points[TRUNCATE_TO];
    uint32_t count;
    uint8_t upper[TRUNCATE_TO * UTF8_SEQUENCE_BYTES];

    if (!str_is_utf8(in->lower) || !str_is_utf8(in->upper)) {
        /* A bound that readers cannot decode is worse than none. */
        return true;
    }
    struct span low = {in->lower.data, utf8_prefix(in->lower, points, &count)};
    struct span high = {in->upper.data, utf8_prefix(in->upper, points, &count)};

    if (high.len < in->upper.len) {
        high = (struct span){upper, utf8_increment(points, count, upper)};
        if (high.len == 0) {
            return copy_bound(a, low, &out->lower, &out->has_lower);
        }
    }
    return copy_bound(a, low, &out->lower, &out->has_lower) &&
           copy_bound(a, high, &out->upper, &out->has_upper);
}

static bool binary_bounds(struct arena *a, const struct parquet_column_metrics *in,
                          struct iceberg_column_metrics *out)
{
    uint8_t upper[TRUNCATE_TO];
    struct span low = in->lower;
    struct span high = in->upper;

    if (low.len > TRUNCATE_TO) {
        low.len = TRUNCATE_TO;
    }
    if (high.len > TRUNCATE_TO) {
        memcpy(upper, high.data, TRUNCATE_TO);
        high = (struct span){upper, TRUNCATE_TO};
        while (high.len > 0 && upper[high.len - 1] == 0xff) {
            high.len--;
        }
        if (high.len == 0) {
            return copy_bound(a, low, &out->lower, &out->has_lower);
        }
        upper[high.len - 1]++;
    }
    return copy_bound(a, low, &out->lower, &out->has_lower) &&
           copy_bound(a, high, &out->upper, &out->has_upper);
}

/* Big-endian two's complement without sign bytes that say nothing. */
static struct span shortest(struct span be)
{
    while (be.len > 1 && ((be.data[0] == 0x00 && be.data[1] < 0x80) ||
                          (be.data[0] == 0xff && be.data[1] >= 0x80))) {
        be.data++;
        be.len--;
    }
    return be;
}

static bool decimal_bound(struct arena *a, enum column_kind kind, struct span in, struct span *out,
                          bool *has)
{
    uint8_t be[8];

    if (kind != COLUMN_KIND_FIXED) {
        if (in.len == 0 || in.len > sizeof be) {
            return true;
        }
        for (size_t i = 0; i < in.len; i++) {
            be[i] = in.data[in.len - 1 - i];
        }
        in = (struct span){be, in.len};
    }
    return copy_bound(a, shortest(in), out, has);
}

/* Zeros get the sign that keeps -0.0 and +0.0 within the bounds; a NaN never is a bound. */
static bool float_bounds(struct arena *a, const struct parquet_column_metrics *in,
                         struct iceberg_column_metrics *out)
{
    if (in->kind == COLUMN_KIND_FLOAT) {
        float v[2];

        memcpy(&v[0], in->lower.data, sizeof v[0]);
        memcpy(&v[1], in->upper.data, sizeof v[1]);
        v[0] = v[0] == 0.0f ? -0.0f : v[0];
        v[1] = v[1] == 0.0f ? 0.0f : v[1];
        return isnan(v[0]) || isnan(v[1]) ||
               (copy_bound(a, span_of(&v[0], sizeof v[0]), &out->lower, &out->has_lower) &&
                copy_bound(a, span_of(&v[1], sizeof v[1]), &out->upper, &out->has_upper));
    }
    double v[2];

    memcpy(&v[0], in->lower.data, sizeof v[0]);
    memcpy(&v[1], in->upper.data, sizeof v[1]);
    v[0] = v[0] == 0.0 ? -0.0 : v[0];
    v[1] = v[1] == 0.0 ? 0.0 : v[1];
    return isnan(v[0]) || isnan(v[1]) ||
           (copy_bound(a, span_of(&v[0], sizeof v[0]), &out->lower, &out->has_lower) &&
            copy_bound(a, span_of(&v[1], sizeof v[1]), &out->upper, &out->has_upper));
}

static bool take_bounds(struct arena *a, const struct parquet_column_metrics *in,
                        struct iceberg_column_metrics *out)
{
    if (!in->has_bounds) {
        return true;
    }
    if (in->logical == PARQUET_LOGICAL_DECIMAL) {
        return decimal_bound(a, in->kind, in->lower, &out->lower, &out->has_lower) &&
               decimal_bound(a, in->kind, in->upper, &out->upper, &out->has_upper);
    }
    switch (in->kind) {
    case COLUMN_KIND_FLOAT:
    case COLUMN_KIND_DOUBLE:
        return float_bounds(a, in, out);
    case COLUMN_KIND_BYTES:
        return in->logical == PARQUET_LOGICAL_STRING ? string_bounds(a, in, out)
                                                     : binary_bounds(a, in, out);
    case COLUMN_KIND_BOOL:
    case COLUMN_KIND_INT32:
    case COLUMN_KIND_INT64:
    case COLUMN_KIND_FIXED:
        break;
    }
    return copy_bound(a, in->lower, &out->lower, &out->has_lower) &&
           copy_bound(a, in->upper, &out->upper, &out->has_upper);
}

static bool take_columns(struct iceberg_data_file *f, const struct parquet_file_info *info)
{
    f->columns = arena_alloc(&f->arena, info->column_count, sizeof *f->columns);
    if (f->columns == NULL && info->column_count > 0) {
        return false;
    }
    f->column_count = info->column_count;
    for (uint32_t i = 0; i < info->column_count; i++) {
        const struct parquet_column_metrics *in = &info->columns[i];
        struct iceberg_column_metrics *out = &f->columns[i];
        bool has_nan = in->kind == COLUMN_KIND_FLOAT || in->kind == COLUMN_KIND_DOUBLE;

        out->field_id = in->field_id;
        out->column_bytes = (int64_t)in->compressed_bytes;
        out->value_count = (int64_t)in->value_count;
        out->null_count = (int64_t)in->null_count;
        out->nan_count = has_nan ? (int64_t)in->nan_count : -1;
        if (!take_bounds(&f->arena, in, out)) {
            return false;
        }
    }
    return true;
}

static bool take_splits(struct iceberg_data_file *f, const struct parquet_file_info *info)
{
    if (info->split_count == 0) {
        return true;
    }
    f->split_offsets = arena_alloc(&f->arena, info->split_count, sizeof *f->split_offsets);
    if (f->split_offsets == NULL) {
        return false;
    }
    memcpy(f->split_offsets, info->split_offsets, info->split_count * sizeof *f->split_offsets);
    f->split_count = info->split_count;
    return true;
}

struct iceberg_data_file *iceberg_data_file_new(const char *path, bool has_day, int32_t day,
                                                const struct parquet_file_info *info)
{
    struct iceberg_data_file *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return NULL;
    }
    arena_init(&f->arena, ARENA_BYTES_MAX);
    f->path = arena_strdup(&f->arena, path);
    f->has_day = has_day;
    f->day = day;
    f->record_count = (int64_t)info->row_count;
    f->file_bytes = (int64_t)info->file_bytes;
    if (f->path == NULL || !take_columns(f, info) || !take_splits(f, info)) {
        iceberg_data_file_free(f);
        return NULL;
    }
    return f;
}

static bool copy_columns(struct iceberg_data_file *to, const struct iceberg_data_file *from)
{
    if (from->column_count == 0) {
        return true;
    }
    to->columns = arena_alloc(&to->arena, from->column_count, sizeof *to->columns);
    if (to->columns == NULL) {
        return false;
    }
    to->column_count = from->column_count;
    for (uint32_t i = 0; i < from->column_count; i++) {
        const struct iceberg_column_metrics *in = &from->columns[i];
        struct iceberg_column_metrics *out = &to->columns[i];

        *out = *in;
        if ((in->has_lower && !copy_bound(&to->arena, in->lower, &out->lower, &out->has_lower)) ||
            (in->has_upper && !copy_bound(&to->arena, in->upper, &out->upper, &out->has_upper))) {
            return false;
        }
    }
    return true;
}

struct iceberg_data_file *iceberg_data_file_copy(const struct iceberg_data_file *from)
{
    const struct parquet_file_info splits = {.split_offsets = from->split_offsets,
                                             .split_count = from->split_count};
    struct iceberg_data_file *f =
        iceberg_data_file_new(from->path, from->has_day, from->day, &splits);

    if (f == NULL || !copy_columns(f, from)) {
        iceberg_data_file_free(f);
        return NULL;
    }
    f->record_count = from->record_count;
    f->file_bytes = from->file_bytes;
    return f;
}

void iceberg_data_file_free(struct iceberg_data_file *f)
{
    if (f != NULL) {
        arena_deinit(&f->arena);
        free(f);
    }
}
