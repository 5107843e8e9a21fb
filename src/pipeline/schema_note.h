/*
 * schema_note.h - what a connection knows of tables that it does not follow, as a note beside the
 * watermarks.
 *
 * Tables come to followed names by RENAME (gh-ost, pt-online-schema-change, swaps), and columns get
 * charsets from their database. A start from any cut needs both as of that cut. The note holds two
 * states: after the statements of the cut that wrote it, and before them, for a start that finds
 * some tables still in front of that cut; the latter with followed tables that the cut changed.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_SCHEMA_NOTE_H
#define CALVE_PIPELINE_SCHEMA_NOTE_H

#include "base/buf.h"
#include "mysql/gtid.h"
#include "mysql/position.h"
#include "mysql/schema.h"

struct schema_place {
    struct binlog_position position;
    const struct gtid_set *gtids; /* NULL: the source has none */
    const char *source;           /* mysql_server.identity */
};

/* Databases, temporary tables and tables that are not pinned, as of a place. Errors: ERR_CORRUPT,
 * ERR_NOMEM. */
MUST_USE enum err_code schema_note_state(const struct schema *s, const struct schema_place *at,
                                         struct buf *out, struct err *e);

/* A followed table as of `before`. */
struct schema_was {
    const char *schema;
    const char *name;
    const struct table_def *def; /* NULL: it was not there, or nobody knew it */
};

/*
 * now and before are states (before NULL: there is none); was are the followed tables that changed
 * between the two.
 */
MUST_USE enum err_code schema_note_print(const char *now, const char *before,
                                         const struct schema_was *was, uint32_t was_count,
                                         struct buf *out, struct err *e);

/*
 * Whether the note's latest state is of a place that the log reaches behind `at`, as far as the two
 * compare. Errors: ERR_CORRUPT.
 */
MUST_USE enum err_code schema_note_is_later(const char *note, const struct schema_place *at,
                                            bool *out, struct err *e);

/*
 * Puts the later of the note's states that is not after `start` into s, and its text into *state
 * (empty: none of them is). With the state of before, followed tables that changed since are what
 * they were; `changed` is called for each of them, before it returns.
 *
 * Errors: ERR_CORRUPT; what `changed` returns.
 */
MUST_USE enum err_code schema_note_load(const char *note, const struct schema_place *start,
                                        struct schema *s, struct buf *state,
                                        enum err_code (*changed)(void *ctx, const char *schema,
                                                                 const char *name, struct err *e),
                                        void *ctx, struct err *e);

#endif
