/*
 * dictionary.h - the distinct values of a column chunk and their ids, in order of first appearance.
 *
 * Owns:   its entries. Thread: one at a time.
 */
#ifndef CALVE_PARQUET_DICTIONARY_H
#define CALVE_PARQUET_DICTIONARY_H

#include "model/column_batch.h"

#define DICTIONARY_ENTRIES_MAX 65536u
#define DICTIONARY_BYTES_MAX   ((size_t)1 << 20)

struct dictionary {
    struct buf values; /* PLAIN: what the dictionary page holds */
    struct buf starts; /* uint32_t: where each entry's bytes start in values */
    struct buf slots;  /* uint64_t: hash tag << 32 | id + 1; 0 is free */
    uint32_t count;
    uint32_t slot_mask;
    bool full; /* the slots are of no use any more */
};

void dictionary_deinit(struct dictionary *d);
void dictionary_reset(struct dictionary *d);

/*
 * Ids of all values of a column into ids (value_count of them). False when the dictionary is full
 * or out of memory: then ids are not to be used, the entries from before the call stay, and no more
 * can be added.
 */
bool dictionary_ids(struct dictionary *d, const struct column *c, uint32_t *ids);

/* Back to the first `count` entries, which take `bytes`; no more can be added. */
void dictionary_close(struct dictionary *d, uint32_t count, size_t bytes);

#endif
