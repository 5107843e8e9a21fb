/*
 * held_rows.h - rows events of transactions whose end is not known yet.
 *
 * Each transaction's rows are an own held_rows: first in memory, above a size in one temporary file
 * that all share and that has no name, in blocks that are used again. So memory is bounded, however
 * large and many they are, and only the disk limits them. A savepoint is a place among the rows;
 * going back to it marks the rows behind it as undone, and replay says of each whether it is.
 *
 * Owns:   memory and file space, given back by held_rows_free.
 * Thread: source.
 */
#ifndef CALVE_PIPELINE_HELD_ROWS_H
#define CALVE_PIPELINE_HELD_ROWS_H

#include "pipeline/lane.h"

struct held_store;

struct held_store_options {
    const char *folder; /* for the temporary file, which is made when it is first needed */
    size_t one_bytes;   /* memory of one transaction; 0: 1 MiB */
    size_t all_bytes;   /* memory of those that are settled, together; 0: 8 MiB */
};

MUST_USE enum err_code held_store_new(const struct held_store_options *options,
                                      struct held_store **out, struct err *e);
void held_store_free(struct held_store *s); /* after all of its rows */

/* Bytes that the temporary file has now. */
uint64_t held_store_file_bytes(const struct held_store *s);

struct held_rows;

/* file: the binlog file of the rows. */
MUST_USE enum err_code held_rows_new(struct held_store *s, const char *file, struct held_rows **out,
                                     struct err *e);
void held_rows_free(struct held_rows *r);

/*
 * Adds a rows event. Errors: ERR_IO the temporary file cannot be written (the disk is full): the
 * rows can only be freed then.
 */
MUST_USE enum err_code held_rows_append(struct held_rows *r, const struct slab_entry *entry,
                                        struct span body, struct err *e);

/* No more rows come for a while: they leave memory when all together have too much of it. */
MUST_USE enum err_code held_rows_settle(struct held_rows *r, struct err *e);

uint64_t held_rows_bytes(const struct held_rows *r);
const char *held_rows_file(const struct held_rows *r);

/* The tables that have rows, each once; valid until the next append. */
struct followed_table *const *held_rows_tables(const struct held_rows *r, uint32_t *count);

/* Names a place behind the rows so far. The name may be in use: then it moves here. */
MUST_USE enum err_code held_rows_savepoint(struct held_rows *r, const char *name, struct err *e);

/*
 * Undoes the rows behind a savepoint, which stays, and forgets the savepoints set after it. A NULL
 * name undoes all. Errors: ERR_NOT_FOUND no such savepoint, or several that may be meant.
 */
MUST_USE enum err_code held_rows_rollback_to(struct held_rows *r, const char *name, struct err *e);

/* Gets each rows event in order; body is valid until it returns. What it returns ends the replay.
 */
typedef enum err_code held_rows_emit(void *ctx, const struct slab_entry *entry, struct span body,
                                     bool undone, struct err *e);

/* Any number of times. Errors: ERR_IO, ERR_NOMEM, those of emit. */
MUST_USE enum err_code held_rows_replay(const struct held_rows *r, held_rows_emit *emit, void *ctx,
                                        struct err *e);

#endif
