/*
 * row_image.h - rows events to values, by a plan made once per table map.
 *
 * A plan binds a table map (wire types) to a table definition (names, charsets, labels, types that
 * are not on the wire) and refuses when they do not fit: nothing is guessed.
 *
 * Owns:   a plan owns all it needs; values point into the plan, the event, or the reader's scratch
 *         until the next row.
 * Thread: a plan is read-only after it was made; a reader belongs to one thread.
 */
#ifndef CALVE_MYSQL_ROW_IMAGE_H
#define CALVE_MYSQL_ROW_IMAGE_H

#include "base/buf.h"
#include "model/table_def.h"
#include "model/value.h"
#include "mysql/binlog_event.h"
#include "mysql/charset.h"
#include "mysql/table_map.h"

struct row_plan;

/*
 * Errors: ERR_CONFLICT     map and definition differ: the message names the column and both sides
 *         ERR_UNSUPPORTED  a type or charset that cannot be decoded
 */
MUST_USE enum err_code row_plan_new(const struct table_map *map, const struct table_def *def,
                                    struct row_plan **out, struct err *e);
void row_plan_free(struct row_plan *p);
/* The definition, with the labels of ENUM and SET as of the map where it has them; in the plan. */
const struct table_def *row_plan_def(const struct row_plan *p);

enum row_change { ROW_INSERT, ROW_UPDATE, ROW_DELETE };

struct row_reader {
    const struct row_plan *plan;
    struct bytes_reader in;
    enum row_change change; /* of the last row; in front of the first that of the event */
    bool past; /* the last row is none that the table has or had as current; see row_reader_next */
    bool stmt_end;
    struct buf scratch;   /* text made for the current row; kept between events */
    struct value *before; /* column_count values; UPDATE and DELETE; see row_reader_has_before */
    struct value *after;  /* column_count values; INSERT and UPDATE */
    uint32_t column_count;
    uint32_t capacity;
    enum row_change event_change;
    /*
     * For the caller to set: generated columns do not matter to it. Images may then lack them, and
     * their values mean nothing. MariaDB logs them, stored ones too, for inserts only.
     */
    bool generated_optional;
    const uint8_t *before_present; /* one bit per column; NULL: the image has all */
    const uint8_t *after_present;
    bool json_diffs;        /* PARTIAL_UPDATE_ROWS: documents may be diffs to those before */
    struct span *documents; /* of the before image, by JSON column; NULL: none is there */
    uint32_t document_capacity;
    struct arena diffs; /* while they are applied */
    struct buf made;    /* what a value becomes whose size is not known before */
    struct charset_converter charsets;
};

/* Only the table id of a rows event, and whether it is its statement's last. */
MUST_USE enum err_code rows_event_table_id(uint8_t type, struct span body, uint64_t *table_id,
                                           bool *ends_statement, struct err *e);

void row_reader_init(struct row_reader *r);
void row_reader_deinit(struct row_reader *r);

/*
 * Starts on a rows event. Its images may lack columns (binlog_row_image) as long as the rows that
 * the change leaves behind or takes away are known: an UPDATE's after image has what its before
 * image has where it has nothing itself.
 *
 * Errors: ERR_CORRUPT; ERR_UNSUPPORTED when a column is nowhere: the message names the column, the
 * change and binlog_row_image.
 */
MUST_USE enum err_code row_reader_start(struct row_reader *r, const struct row_plan *plan,
                                        uint8_t event_type, struct span body, struct err *e);

/* True while rows are left. */
static inline bool row_reader_more(const struct row_reader *r)
{
    return bytes_left(&r->in) > 0;
}

/* Whether the before image has a column; where it has not, before[column] means nothing. */
static inline bool row_reader_has_before(const struct row_reader *r, uint32_t column)
{
    return r->before_present == NULL || (r->before_present[column / 8] >> (column % 8) & 1) != 0;
}

/*
 * Decodes the next row into before and after. want_before = false skips the before image of an
 * UPDATE (before[] is then unset).
 *
 * A system-versioned table's log has what MariaDB does to keep rows of the past: it changes the end
 * of a row that goes (an UPDATE there, a DELETE here), and writes and removes rows of the past,
 * which are `past` here and no change of what the table has now.
 *
 * Errors: ERR_CORRUPT naming the column; ERR_UNSUPPORTED: a JSON document is there as diffs to one
 * that is not.
 */
MUST_USE enum err_code row_reader_next(struct row_reader *r, bool want_before, struct err *e);

#endif
