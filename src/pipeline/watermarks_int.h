/*
 * watermarks_int.h - the table of watermarks, as watermarks.c reads it and watermarks_commit.c
 * changes it.
 */
#ifndef CALVE_PIPELINE_WATERMARKS_INT_H
#define CALVE_PIPELINE_WATERMARKS_INT_H

#include "pipeline/changelog.h"
#include "pipeline/watermark_file.h"
#include "pipeline/watermark_places.h"
#include "pipeline/watermarks.h"

/* A move that waits for the next commit. Owns its texts. */
struct due_row {
    struct watermark_update update;
    struct watermark_place at;
};

#define WATERMARKS_NO_TABLE (-2) /* no snapshot has this id */
#define WATERMARKS_IDENT                       \
    {                                          \
        WATERMARKS_NAMESPACE, WATERMARKS_TABLE \
    }

struct watermarks {
    struct watermarks_options options;
    char *location;
    char *connection;
    char *property; /* calve.watermark.<connection>.<server_id> */
    struct rand rand;
    bool loaded;
    int64_t snapshot_id; /* what `rows` were read from or written to */
    char *table_location;
    struct watermark_rows rows;
    char *property_prefix;          /* of the properties of all server ids */
    struct watermark_places places; /* what the property says */
    struct watermark_places former; /* what those of other server ids say of our rows */
    char *note_properties[WATERMARK_NOTES];
    char *notes[WATERMARK_NOTES]; /* NULL: none */
    struct due_row *due;          /* to go with the next commit, oldest first */
    uint32_t due_count;
    uint32_t due_capacity;
    char *due_notes[WATERMARK_NOTES]; /* NULL: none is due */
};

/* Our row; NULL when there is none. */
struct watermark *watermarks_row(const struct watermarks *w, const char *schema, const char *table);

/* Whether a row of ours is at the position; ctx: the struct watermarks. */
bool watermarks_some_row_stands(void *ctx, const struct binlog_position *position);

/* What the table has now; "" and NULL: none. */
MUST_USE enum err_code watermarks_set_note(struct watermarks *w, int which, const char *text,
                                           struct err *e);

void watermarks_drop_due(struct watermarks *w);

#endif
