#include "parquet/extremes.h"

#include <math.h>
#include <stdlib.h>

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

static int compare_ints(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_doubles(double a, double b)
{
    return (a > b) - (a < b);
}

int extremes_compare(const struct parquet_column_spec *spec, struct span a, struct span b)
{
    switch (spec->kind) {
    case COLUMN_KIND_BOOL:
    case COLUMN_KIND_BYTES:
        return compare_bytes(a, b);
    case COLUMN_KIND_INT32:
    case COLUMN_KIND_INT64:
        return compare_ints(read_int(a), read_int(b));
    case COLUMN_KIND_FLOAT:
    case COLUMN_KIND_DOUBLE:
        return compare_doubles(read_double(a), read_double(b));
    case COLUMN_KIND_FIXED:
        return spec->logical == PARQUET_LOGICAL_DECIMAL ? compare_decimal(a, b)
                                                        : compare_bytes(a, b);
    }
    abort();
}

/*
 * The first 8 bytes of a BYTES value as a number that orders as they do; shorter values are filled
 * with zeros. The length in front of the value makes 4 bytes before it readable.
 */
static uint64_t prefix_of(struct span v)
{
    uint64_t p = 0;
    uint32_t low = 0;
    uint32_t high = 0;

    if (v.len >= 8) {
        memcpy(&p, v.data, 8);
    } else if (v.len >= 4) {
        memcpy(&low, v.data, 4);
        memcpy(&high, v.data + v.len - 4, 4);
        p = low | (uint64_t)high << (v.len - 4) * 8;
    } else {
        memcpy(&low, v.data + v.len - 4, 4);
        p = (uint64_t)low >> (4 - v.len) * 8;
    }
    return __builtin_bswap64(p);
}

/* Orders values whose prefixes are equal: short ones differ at most in zeros at their ends. */
static int compare_rest(struct span a, struct span b)
{
    return a.len <= 8 && b.len <= 8 ? (a.len > b.len) - (a.len < b.len) : compare_bytes(a, b);
}

static void find_bytes(const struct column *c, struct extremes *x)
{
    x->min = x->max = column_bytes_at(c, 0);
    uint64_t least = prefix_of(x->min);
    uint64_t greatest = least;

    for (uint32_t i = 1; i < c->value_count; i++) {
        struct span v = column_bytes_at(c, i);
        uint64_t p = prefix_of(v);

        if (p < least || (p == least && compare_rest(v, x->min) < 0)) {
            x->min = v;
            least = p;
        }
        if (p > greatest || (p == greatest && compare_rest(v, x->max) > 0)) {
            x->max = v;
            greatest = p;
        }
    }
}

/* Makes min and max the `width` bytes of each number. */
static void take_numbers(struct extremes *x, const void *min, const void *max, size_t width)
{
    memcpy(x->scratch, min, width);
    memcpy(x->scratch + 8, max, width);
    x->min = span_of(x->scratch, width);
    x->max = span_of(x->scratch + 8, width);
}

static void find_int32(const struct column *c, struct extremes *x)
{
    const int32_t *v = (const int32_t *)(const void *)c->values.data;
    int32_t min = v[0];
    int32_t max = v[0];

    for (uint32_t i = 1; i < c->value_count; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    take_numbers(x, &min, &max, sizeof min);
}

static void find_int64(const struct column *c, struct extremes *x)
{
    const int64_t *v = (const int64_t *)(const void *)c->values.data;
    int64_t min = v[0];
    int64_t max = v[0];

    for (uint32_t i = 1; i < c->value_count; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    take_numbers(x, &min, &max, sizeof min);
}

static void find_floats(const struct column *c, size_t width, struct extremes *x)
{
    struct span min = {NULL, 0};
    struct span max = {NULL, 0};

    for (uint32_t i = 0; i < c->value_count; i++) {
        struct span v = span_of(c->values.data + (size_t)i * width, width);
        double d = read_double(v);

        if (isnan(d)) {
            x->nan_count++;
            continue;
        }
        if (min.data == NULL || d < read_double(min)) {
            min = v;
        }
        if (max.data == NULL || d > read_double(max)) {
            max = v;
        }
    }
    x->known = min.data != NULL && max.data != NULL;
    if (!x->known) {
        return;
    }
    take_numbers(x, min.data, max.data, width);
    /* -0.0 may be hidden behind 0.0 and the other way round. */
    if (read_double(x->min) == 0) {
        memset(x->scratch, 0, width);
        x->scratch[width - 1] = 0x80;
    }
    if (read_double(x->max) == 0) {
        memset(x->scratch + 8, 0, width);
    }
}

static void find_fixed(const struct parquet_column_spec *spec, const struct column *c, size_t width,
                       struct extremes *x)
{
    x->min = x->max = span_of(c->values.data, width);
    for (uint32_t i = 1; i < c->value_count; i++) {
        struct span v = span_of(c->values.data + (size_t)i * width, width);

        if (extremes_compare(spec, v, x->min) < 0) {
            x->min = v;
        }
        if (extremes_compare(spec, v, x->max) > 0) {
            x->max = v;
        }
    }
}

void extremes_find(const struct parquet_column_spec *spec, const struct column *c,
                   struct extremes *out)
{
    *out = (struct extremes){.known = c->value_count > 0};
    if (!out->known) {
        return;
    }
    switch (spec->kind) {
    case COLUMN_KIND_BOOL:
        find_fixed(spec, c, 1, out);
        return;
    case COLUMN_KIND_INT32:
        find_int32(c, out);
        return;
    case COLUMN_KIND_INT64:
        find_int64(c, out);
        return;
    case COLUMN_KIND_FLOAT:
        find_floats(c, 4, out);
        return;
    case COLUMN_KIND_DOUBLE:
        find_floats(c, 8, out);
        return;
    case COLUMN_KIND_BYTES:
        find_bytes(c, out);
        return;
    case COLUMN_KIND_FIXED:
        find_fixed(spec, c, spec->fixed_bytes, out);
        return;
    }
    abort();
}
