/*
 * checkpoint.h - how far a table is, as it travels inside each data commit.
 *
 * It is one JSON text in the table property calve.checkpoint.<connection>, written in the same
 * atomic swap as the rows, so that no other state is needed to restart. See docs/delivery.md.
 *
 * Owns:   a checkpoint owns its texts and its table definition (in its own arena).
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_CHECKPOINT_H
#define CALVE_PIPELINE_CHECKPOINT_H

#include "base/rand.h"
#include "iceberg/metadata.h"
#include "model/table_def.h"
#include "mysql/gtid.h"
#include "pipeline/log_place.h"

#define CHECKPOINT_PROPERTY_PREFIX "calve.checkpoint."

struct checkpoint {
    uint64_t ordinal;                /* counts commits of this connection on this table, from 1 */
    uint64_t data_ordinal;           /* ordinal of the last commit that added rows */
    char run[UUID_TEXT_BYTES];       /* the process that wrote it */
    char source[SOURCE_BYTES];       /* mysql_server.identity */
    struct binlog_position position; /* end of the last transaction that is in the table */
    uint32_t log_created_s;          /* when its file was begun; 0: not known */
    char *gtids;                     /* text, NULL when the source has none */
    bool anonymous;                  /* transactions without GTIDs came after the last of the set */
    int64_t time_us;                 /* when the cut was made */
    bool copied;                     /* a whole copy of the table (backfill) is in it */
    bool started;                    /* no cut wrote it but a copy or a start: no DDL led there */
    bool inside;                     /* the position may lie inside of a transaction: it is another
                                        program's, and a copy has kept it */
    bool gone;                       /* the source has no such table at the position */
    struct table_def *def; /* the source's definition as of the position; NULL: gone or unknown */
    struct arena arena;
};

void checkpoint_deinit(struct checkpoint *c);

/* The place that it names; its texts are the checkpoint's. */
struct log_place checkpoint_place(const struct checkpoint *c);

/* The property's name for a connection; malloc'd, NULL when there is no memory. */
char *checkpoint_property(const char *connection);

/* Errors: ERR_CORRUPT: a text that is not UTF-8. */
MUST_USE enum err_code checkpoint_print(const struct checkpoint *c, struct buf *out, struct err *e);

/*
 * Keys of no known meaning are passed over. *out must be zeroed and is to be deinit'ed in any case.
 *
 * Errors: ERR_CORRUPT      not JSON, or a key is missing or wrong
 *         ERR_UNSUPPORTED  another version's checkpoint
 */
MUST_USE enum err_code checkpoint_parse(const char *json, struct checkpoint *out, struct err *e);

/* The connection's checkpoint in a table's metadata. *found is false when there is none. */
MUST_USE enum err_code checkpoint_load(const struct iceberg_metadata *metadata,
                                       const char *connection, struct checkpoint *out, bool *found,
                                       struct err *e);

#endif
