/*
 * schema_note.h - what a connection knows of tables that it does not follow, as a note beside the
 * watermarks.
 *
 * Tables come to followed names by RENAME (gh-ost, pt-online-schema-change, swaps), and columns get
 * charsets from their database. A start from any cut needs both as of that cut. The note holds two
 * states: after the statements of the cut that wrote it, and before them, for a start that finds
 * some tables still in front of that cut. With each go followed tables of which their checkpoints
 * tell something later: in the state of before those that the cut changed, and in both those that
 * are ahead of it.
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

/* A followed table as of a state, of which its checkpoint tells something later. */
struct schema_was {
    const char *schema;
    const char *name;
    const struct table_def *def; /* NULL: it was not there, or nobody knew it */
};

struct schema_was_list {
    const struct schema_was *at;
    uint32_t count;
};

/* States are those of schema_note_state(). */
struct schema_note {
    const char *now;
    struct schema_was_list ahead; /* of tables that are further than now */
    const char *before;           /* NULL: there is none */
    struct schema_was_list was;   /* of those that are further than before, or changed since */
};

MUST_USE enum err_code schema_note_print(const struct schema_note *note, struct buf *out,
                                         struct err *e);

/*
 * Whether the note's latest state is of a place that the log reaches behind `at`, as far as the two
 * compare. Errors: ERR_CORRUPT.
 */
MUST_USE enum err_code schema_note_is_later(const char *note, const struct schema_place *at,
                                            bool *out, struct err *e);

/*
 * Whether the note's latest state is of a place in front of `start`, and tables were ahead of it:
 * all of them may have got to `start` without any stream in between. Then *position and *gtids
 * (owned by the caller; NULL where `start` has none) are that place. Errors: ERR_CORRUPT,
 * ERR_NOMEM.
 */
MUST_USE enum err_code schema_note_is_left(const char *note, const struct schema_place *start,
                                           bool *out, struct binlog_position *position,
                                           struct gtid_set **gtids, struct err *e);

/*
 * Puts the later of the note's states that is not after `start` into s, and its text into *state
 * (empty: none of them is). The followed tables that go with it are what they were; `changed` is
 * called for each of them, before it returns.
 *
 * Errors: ERR_CORRUPT; what `changed` returns.
 */
MUST_USE enum err_code schema_note_load(const char *note, const struct schema_place *start,
                                        struct schema *s, struct buf *state,
                                        enum err_code (*changed)(void *ctx, const char *schema,
                                                                 const char *name, struct err *e),
                                        void *ctx, struct err *e);

#endif
