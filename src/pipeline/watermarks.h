/*
 * watermarks.h - cdc_metadata.watermarks: one row per (connection_name, server_id, schema, table).
 *
 * A row is derived from checkpoints: it names the end of the last transaction up to which the table
 * is complete, also when the table itself had no rows, and it only moves forward. Rows of other
 * connections in the same table are kept as they are.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_WATERMARKS_H
#define CALVE_PIPELINE_WATERMARKS_H

#include "catalog/catalog.h"
#include "pipeline/log_place.h"

struct watermark {
    char *connection_name;
    int64_t server_id;
    char *schema;
    char *table;
    struct binlog_position position; /* file "" when the row has none */
    bool has_backfill_complete;
    bool backfill_complete;
    bool has_updated_at;
    int64_t updated_at_us;
};

struct watermarks;

struct watermarks_options {
    struct catalog *catalog;
    struct store *store;
    const char *location; /* where the table is created when it is missing */
    const char *connection;
    int64_t server_id;
    int zstd_level;
    struct iceberg_retention retention;
    struct clock clock;
    bool (*cancelled)(void *ctx);
    void *cancelled_ctx;
};

MUST_USE enum err_code watermarks_new(const struct watermarks_options *options,
                                      struct watermarks **out, struct err *e);
void watermarks_free(struct watermarks *w);

/* Reads the table as it is now; creates it when missing and create is set. */
MUST_USE enum err_code watermarks_load(struct watermarks *w, bool create, struct err *e);

/* Creates the table where the last load found none; a commit does so, too. */
MUST_USE enum err_code watermarks_create(struct watermarks *w, struct err *e);

/* Our row for a source table as of the last load or commit; NULL when there is none. */
const struct watermark *watermarks_find(const struct watermarks *w, const char *schema,
                                        const char *table);

/* All rows as of the last load or commit, also of other connections. */
uint32_t watermarks_count(const struct watermarks *w);
const struct watermark *watermarks_at(const struct watermarks *w, uint32_t i);

/*
 * Whose place a row's position is and the GTID set there, from the property
 * calve.watermark.<connection>.<server_id>, or one of another server id, as rows may be given
 * another (docs/migration.md); false when that is not known. Texts live until the next load or
 * commit.
 */
bool watermarks_place(const struct watermarks *w, const struct binlog_position *position,
                      struct log_place *out);

enum watermark_standing {
    WATERMARK_NOT_LATER, /* than the checkpoint, which counts */
    WATERMARK_LATER,     /* our own, and the table had no rows since the checkpoint */
    WATERMARK_OTHERS,    /* later, and another program's: what it appended since is in the table */
};

/*
 * Where a row stands to the checkpoint of its table. At a place that this connection has noted it
 * is our own: where it cannot be told which of the two is later, the checkpoint is right as well,
 * only longer ago. At any other it is another program's, which wrote a position of `source`, the
 * server that is followed now; "" where nobody has asked it, and then it is taken for the
 * checkpoint's.
 *
 * Errors: ERR_CORRUPT a GTID set that cannot be read; ERR_SOURCE another program's row and a
 * checkpoint of another server, which do not compare.
 */
MUST_USE enum err_code watermarks_compare(const struct watermarks *w, const struct watermark *row,
                                          const struct log_place *checkpoint, const char *source,
                                          enum watermark_standing *out, struct err *e);

/*
 * What a connection remembers of its source beside the tables' checkpoints, each a text that is a
 * property of the watermarks table. A commit of tables at a cut comes after the notes that a start
 * from there needs, so a note may be of a later place than the tables' (see docs/delivery.md).
 */
enum watermark_note { WATERMARK_NOTE_SCHEMA, WATERMARK_NOTE_PREPARED, WATERMARK_NOTES };

/* As of the last load or put; NULL when there is none. Lives until the next of either. */
const char *watermarks_note(const struct watermarks *w, enum watermark_note which);

/* Writes those texts that are not NULL, and what is due, in one commit; "" takes a note away. */
MUST_USE enum err_code watermarks_put_notes(struct watermarks *w,
                                            const char *const texts[WATERMARK_NOTES],
                                            struct err *e);

/* The same with the next commit of any kind. */
MUST_USE enum err_code watermarks_owe_notes(struct watermarks *w,
                                            const char *const texts[WATERMARK_NOTES],
                                            struct err *e);

struct watermark_update {
    const char *schema;
    const char *table;
    bool backfill_complete; /* sets the flag; false leaves it as it is */
    bool forget;            /* takes position and flag away instead */
    bool restart;           /* the Iceberg table is new: an old row of the name says nothing */
};

/*
 * Moves the rows named to the place in one commit, and writes what is due; a row that is further
 * already stays: by position on one server, by GTID between two. A conflict with another process is
 * merged and tried again.
 */
MUST_USE enum err_code watermarks_commit(struct watermarks *w,
                                         const struct watermark_update *updates,
                                         uint32_t update_count, const struct log_place *at,
                                         struct err *e);

/* The same with the next commit of any kind. The texts are copied. */
MUST_USE enum err_code watermarks_owe(struct watermarks *w, const struct watermark_update *update,
                                      const struct log_place *at, struct err *e);

/* Writes what is due; nothing when nothing is. */
MUST_USE enum err_code watermarks_commit_due(struct watermarks *w, struct err *e);

/*
 * watermarks_commit() as one of several commits of a catalog:
 *
 *   watermarks_prepare()
 *   watermarks_item()      false: the rows say so already, there is nothing to commit
 *   catalog_commit_all()   of tables, and of the item behind them
 *   watermarks_settle()    what became of it; watermarks_give_up() where it was not to be tried
 */
struct watermarks_move {
    const struct watermark_update *updates;
    uint32_t update_count;
    const struct log_place *at;       /* as watermarks_commit(); all three stay the caller's */
    struct watermarks_change *change; /* NULL at first */
};

MUST_USE enum err_code watermarks_prepare(struct watermarks *w, struct watermarks_move *m,
                                          struct err *e);
bool watermarks_item(const struct watermarks_move *m, struct catalog_commit_item *out);

/* rc and *e: what became of the item. Where another process came first it is tried again by itself.
 */
MUST_USE enum err_code watermarks_settle(struct watermarks *w, struct watermarks_move *m,
                                         const struct catalog_commit_item *item, enum err_code rc,
                                         struct err *e);
void watermarks_give_up(struct watermarks_move *m);

/*
 * Takes position and completeness from a row: its Iceberg table was dropped, and what it says is of
 * another one. Before the new one is begun, so that no later start can take it for true.
 */
MUST_USE enum err_code watermarks_forget(struct watermarks *w, const char *schema,
                                         const char *table, struct err *e);

#endif
