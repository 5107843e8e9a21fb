/*
 * watermark_places.h - whose places the watermark rows of a connection stand at, and their GTID
 * sets: what a row itself has no columns for. A property of the watermarks table, written by the
 * commit that moves the rows.
 *
 * Owns:   its texts. A zeroed struct is empty. Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_WATERMARK_PLACES_H
#define CALVE_PIPELINE_WATERMARK_PLACES_H

#include "base/err.h"
#include "pipeline/log_place.h"

/* Rows move together, except after copies: of tables that were copied the checkpoint knows it. */
#define WATERMARK_PLACES_MAX 16u

struct watermark_place {
    struct binlog_position position;
    char source[SOURCE_BYTES];
    uint32_t log_created_s;
    char *gtids; /* NULL: not known */
    bool anonymous;
};

struct watermark_places {
    struct watermark_place items[WATERMARK_PLACES_MAX]; /* newest first */
    uint32_t count;
};

void watermark_places_deinit(struct watermark_places *p);

/* *out is emptied first. Errors: ERR_CORRUPT. */
MUST_USE enum err_code watermark_places_parse(const char *json, struct watermark_places *out,
                                              struct err *e);

/* malloc'd; NULL when there is no memory. There is at least one place. */
char *watermark_places_print(const struct watermark_places *p);

/* Becomes the newest; where there are too many the oldest goes. */
MUST_USE enum err_code watermark_places_put(struct watermark_places *p, const struct log_place *at,
                                            struct err *e);

/* Forgets those behind the newest that `stands` is false for. */
void watermark_places_prune(struct watermark_places *p,
                            bool (*stands)(void *ctx, const struct binlog_position *position),
                            void *ctx);

/*
 * The place of a position. NULL when it is not known, or when places of two servers look the same.
 */
const struct watermark_place *watermark_places_find(const struct watermark_places *p,
                                                    const struct binlog_position *position);

/* Whether the position is in the list, of whatever server. */
bool watermark_places_has(const struct watermark_places *p, const struct binlog_position *position);

/* A copy with texts of its own; deinit it. Errors: ERR_NOMEM. */
MUST_USE enum err_code watermark_place_copy(const struct log_place *at, struct watermark_place *out,
                                            struct err *e);
void watermark_place_deinit(struct watermark_place *p);

/* Its texts are the place's. */
struct log_place watermark_place_of(const struct watermark_place *p);

#endif
