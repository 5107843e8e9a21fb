#include "parquet/dictionary.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_MIN 256u

void dictionary_deinit(struct dictionary *d)
{
    buf_deinit(&d->values);
    buf_deinit(&d->starts);
    buf_deinit(&d->slots);
    d->count = 0;
}

void dictionary_reset(struct dictionary *d)
{
    buf_reset(&d->values);
    buf_reset(&d->starts);
    buf_reset(&d->slots);
    d->count = 0;
    d->slot_mask = 0;
    d->full = false;
}

static uint64_t hash_of(struct span v)
{
    if (v.len == 8) {
        uint64_t x;

        memcpy(&x, v.data, sizeof x);
        x *= 0x9e3779b97f4a7c15u;
        return x ^ x >> 32;
    }
    return XXH3_64bits(v.data, v.len);
}

static struct span entry_at(const struct dictionary *d, uint32_t id, uint32_t len)
{
    uint32_t start;

    memcpy(&start, d->starts.data + (size_t)id * sizeof start, sizeof start);
    return span_of(d->values.data + start, len);
}

static uint32_t entry_bytes(const struct dictionary *d, uint32_t id, bool prefixed, uint32_t fixed)
{
    uint32_t start;
    uint32_t len = fixed;

    if (prefixed) {
        memcpy(&start, d->starts.data + (size_t)id * sizeof start, sizeof start);
        memcpy(&len, d->values.data + start - sizeof len, sizeof len);
    }
    return len;
}

static bool grow_slots(struct dictionary *d)
{
    uint32_t slots = d->slot_mask == 0 ? SLOTS_MIN : (d->slot_mask + 1) * 2;
    struct buf old = d->slots;

    d->slots = (struct buf){0};
    buf_zeros(&d->slots, (size_t)slots * sizeof(uint64_t));
    if (d->slots.failed != ERR_OK) {
        buf_deinit(&d->slots);
        d->slots = old;
        return false;
    }
    d->slot_mask = slots - 1;
    uint64_t *to = (uint64_t *)(void *)d->slots.data;
    const uint64_t *from = (const uint64_t *)(const void *)old.data;

    for (size_t i = 0; i < old.len / sizeof *from; i++) {
        if (from[i] != 0) {
            uint32_t at = (uint32_t)(from[i] >> 32) & d->slot_mask;

            while (to[at] != 0) {
                at = (at + 1) & d->slot_mask;
            }
            to[at] = from[i];
        }
    }
    buf_deinit(&old);
    return true;
}

static bool add_entry(struct dictionary *d, struct span v, bool prefixed)
{
    if (d->count == DICTIONARY_ENTRIES_MAX || d->values.len + v.len > DICTIONARY_BYTES_MAX) {
        return false;
    }
    if (prefixed) {
        buf_u32le(&d->values, (uint32_t)v.len);
    }
    buf_u32le(&d->starts, (uint32_t)d->values.len);
    buf_append_span(&d->values, v);
    if (d->values.failed != ERR_OK || d->starts.failed != ERR_OK) {
        return false;
    }
    d->count++;
    return true;
}

static bool find_or_add(struct dictionary *d, struct span v, bool prefixed, uint32_t *id)
{
    if ((d->slot_mask == 0 || d->count * 2 > d->slot_mask) && !grow_slots(d)) {
        return false;
    }
    uint32_t tag = (uint32_t)hash_of(v);
    uint64_t *slots = (uint64_t *)(void *)d->slots.data;
    uint32_t at = tag & d->slot_mask;

    for (; slots[at] != 0; at = (at + 1) & d->slot_mask) {
        if ((uint32_t)(slots[at] >> 32) == tag) {
            *id = (uint32_t)slots[at] - 1;
            uint32_t len = entry_bytes(d, *id, prefixed, (uint32_t)v.len);

            if (span_eq(entry_at(d, *id, len), v)) {
                return true;
            }
        }
    }
    *id = d->count;
    if (!add_entry(d, v, prefixed)) {
        return false;
    }
    slots[at] = (uint64_t)tag << 32 | (*id + 1);
    return true;
}

/* Neighbours are mostly equal: file names, times, event types. */
static bool ids_of_bytes(struct dictionary *d, const struct column *c, uint32_t *ids)
{
    struct span last = {NULL, 0};

    for (uint32_t i = 0; i < c->value_count; i++) {
        struct span v = column_bytes_at(c, i);

        if (i > 0 && span_eq(v, last)) {
            ids[i] = ids[i - 1];
        } else if (!find_or_add(d, v, true, &ids[i])) {
            return false;
        }
        last = v;
    }
    return true;
}

/* Inlined, so that each width gets its own loop. */
__attribute__((always_inline)) static inline bool ids_of_fixed(struct dictionary *d,
                                                               const struct column *c, size_t width,
                                                               uint32_t *ids)
{
    const uint8_t *v = c->values.data;

    for (uint32_t i = 0; i < c->value_count; i++, v += width) {
        if (i > 0 && memcmp(v, v - width, width) == 0) {
            ids[i] = ids[i - 1];
        } else if (!find_or_add(d, span_of(v, width), false, &ids[i])) {
            return false;
        }
    }
    return true;
}

static bool ids_of(struct dictionary *d, const struct column *c, uint32_t *ids)
{
    switch (c->kind) {
    case COLUMN_KIND_BOOL:
        return ids_of_fixed(d, c, 1, ids);
    case COLUMN_KIND_INT32:
    case COLUMN_KIND_FLOAT:
        return ids_of_fixed(d, c, 4, ids);
    case COLUMN_KIND_INT64:
    case COLUMN_KIND_DOUBLE:
        return ids_of_fixed(d, c, 8, ids);
    case COLUMN_KIND_BYTES:
        return ids_of_bytes(d, c, ids);
    case COLUMN_KIND_FIXED:
        return ids_of_fixed(d, c, c->fixed_bytes, ids);
    }
    abort();
}

void dictionary_close(struct dictionary *d, uint32_t count, size_t bytes)
{
    d->full = true;
    d->count = count;
    d->values.len = bytes;
    d->starts.len = count * sizeof(uint32_t);
}

bool dictionary_ids(struct dictionary *d, const struct column *c, uint32_t *ids)
{
    uint32_t count = d->count;
    size_t bytes = d->values.len;

    if (!d->full && ids_of(d, c, ids)) {
        return true;
    }
    dictionary_close(d, count, bytes);
    return false;
}
