/*
 * Rows event body:
 *
 *   table_id    6
 *   flags       2          bit 0: last of its statement
 *   extra       v2 only    length 2 (its own bytes counted), then chunks of partitions or NDB
 *   columns     lenenc
 *   present     bits of the image, first column in the lowest bit; UPDATE: before, then after
 *   rows        until the end; UPDATE: before image, after image
 *
 * Image: one bit per present column, 1 = NULL; then the values that are not NULL.
 *
 * PARTIAL_UPDATE_ROWS: in front of the after image
 *
 *   options     lenenc     bit 0: the next is there
 *   diffs       one bit per JSON column of the map, present or not, 1 = its value is diffs
 */
#include "mysql/row_image.h"

#include <inttypes.h>
#include <stdlib.h>

#include "mysql/row_plan_int.h"

#define FLAG_STMT_END 1u

#define OPTION_JSON_DIFFS 1u

/* The id of an event that only ends a statement. */
#define TABLE_ID_DUMMY 0xFFFFFFu

/* Scratch larger than this is given back before the next event. */
#define SCRATCH_KEPT_BYTES ((size_t)1 << 20)

static inline bool bit_at(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

struct rows_head {
    uint64_t table_id;
    uint16_t flags;
    enum row_change change;
    bool v2;
};

static bool change_from_wire(uint8_t type, struct rows_head *out)
{
    switch (type) {
    case BINLOG_EVENT_WRITE_ROWS_V1:
    case BINLOG_EVENT_WRITE_ROWS:
        out->change = ROW_INSERT;
        break;
    case BINLOG_EVENT_UPDATE_ROWS_V1:
    case BINLOG_EVENT_UPDATE_ROWS:
    case BINLOG_EVENT_PARTIAL_UPDATE_ROWS:
        out->change = ROW_UPDATE;
        break;
    case BINLOG_EVENT_DELETE_ROWS_V1:
    case BINLOG_EVENT_DELETE_ROWS:
        out->change = ROW_DELETE;
        break;
    default:
        return false;
    }
    out->v2 = type >= BINLOG_EVENT_WRITE_ROWS;
    return true;
}

static enum err_code read_head(uint8_t type, struct bytes_reader *in, struct rows_head *out,
                               struct err *e)
{
    if (!change_from_wire(type, out)) {
        return err_set(e, ERR_UNSUPPORTED, "event type %u holds no rows", type);
    }
    out->table_id = bytes_u48le(in);
    out->flags = bytes_u16le(in);
    if (out->v2) {
        uint16_t extra = bytes_u16le(in);

        if (extra < 2) {
            bytes_fail(in);
        }
        bytes_skip(in, (size_t)(extra - 2));
    }
    if (bytes_failed(in)) {
        return err_set(e, ERR_CORRUPT, "rows event: it ends within its header");
    }
    return ERR_OK;
}

enum err_code rows_event_table_id(uint8_t type, struct span body, uint64_t *table_id,
                                  bool *ends_statement, struct err *e)
{
    struct bytes_reader in;
    struct rows_head head = {0};

    bytes_reader_init(&in, body);
    ERR_TRY(read_head(type, &in, &head, e));
    *table_id = head.table_id;
    *ends_statement = (head.flags & FLAG_STMT_END) != 0;
    return ERR_OK;
}

void row_reader_init(struct row_reader *r)
{
    *r = (struct row_reader){0};
    bytes_reader_init(&r->in, (struct span){NULL, 0});
    charset_converter_init(&r->charsets);
}

void row_reader_deinit(struct row_reader *r)
{
    free(r->before);
    free(r->after);
    free(r->documents);
    arena_deinit(&r->diffs);
    buf_deinit(&r->scratch);
    buf_deinit(&r->made);
    charset_converter_deinit(&r->charsets);
    row_reader_init(r);
}

static enum err_code grow_values(struct row_reader *r, uint32_t count, struct err *e)
{
    if (count <= r->capacity) {
        return ERR_OK;
    }
    free(r->before);
    free(r->after);
    r->before = calloc(count, sizeof *r->before);
    r->after = calloc(count, sizeof *r->after);
    r->capacity = r->before != NULL && r->after != NULL ? count : 0;
    return r->capacity == 0 ? err_nomem(e) : ERR_OK;
}

static enum err_code grow_documents(struct row_reader *r, uint32_t count, struct err *e)
{
    if (count <= r->document_capacity) {
        return ERR_OK;
    }
    free(r->documents);
    r->documents = calloc(count, sizeof *r->documents);
    r->document_capacity = r->documents != NULL ? count : 0;
    return r->documents == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code missing(const struct row_reader *r, const struct column_def *column,
                             struct err *e)
{
    static const char *const changes[] = {
        [ROW_INSERT] = "an INSERT", [ROW_UPDATE] = "an UPDATE", [ROW_DELETE] = "a DELETE"};

    return err_set(e, ERR_UNSUPPORTED,
                   "row image is not full: %s does not have %scolumn '%s': set "
                   "binlog_row_image=FULL on the source, let sessions reconnect, and start the "
                   "table over%s",
                   changes[r->change], column->generated ? "generated " : "", column->name,
                   column->generated ? " (MariaDB 11 logs generated columns for inserts only)"
                                     : "");
}

/*
 * What is not logged must be known otherwise: an UPDATE leaves as it was what its after image
 * lacks, but for generated columns, which follow others.
 */
static bool is_known(const struct row_reader *r, const struct column_def *column, bool before,
                     bool after)
{
    switch (r->change) {
    case ROW_INSERT:
        return after;
    case ROW_DELETE:
        return before;
    case ROW_UPDATE:
        return after || (before && !column->generated);
    } /* no default: a new change breaks the build here */
    abort();
}

static enum err_code check_present(struct row_reader *r, const uint8_t *before,
                                   const uint8_t *after, struct err *e)
{
    r->before_present = NULL;
    r->after_present = NULL;
    for (uint32_t i = 0; i < r->plan->column_count; i++) {
        const struct column_def *column = &r->plan->def->columns[i];

        if (!is_known(r, column, bit_at(before, i), bit_at(after, i)) &&
            !(column->generated && r->generated_optional)) {
            return missing(r, column, e);
        }
        r->before_present = bit_at(before, i) ? r->before_present : before;
        r->after_present = bit_at(after, i) ? r->after_present : after;
    }
    return ERR_OK;
}

static enum err_code read_columns(struct row_reader *r, struct err *e)
{
    uint32_t count = r->plan->column_count;
    uint64_t width = bytes_lenenc(&r->in);
    size_t bitmap_bytes = (count + 7u) / 8;

    if (bytes_failed(&r->in) || width != count) {
        return err_set(e, ERR_CORRUPT,
                       "rows event: it does not have the %u columns of its table map", count);
    }
    const uint8_t *before = bytes_take(&r->in, bitmap_bytes);
    const uint8_t *after =
        r->event_change == ROW_UPDATE ? bytes_take(&r->in, bitmap_bytes) : before;

    if (before == NULL || after == NULL) {
        return err_set(e, ERR_CORRUPT, "rows event: it ends within its header");
    }
    ERR_TRY(check_present(r, before, after, e));
    ERR_TRY(grow_values(r, count, e));
    return r->json_diffs ? grow_documents(r, r->plan->json_count, e) : ERR_OK;
}

static enum err_code start(struct row_reader *r, uint8_t event_type, struct err *e)
{
    struct rows_head head = {0};

    ERR_TRY(read_head(event_type, &r->in, &head, e));
    r->change = head.change;
    r->event_change = head.change;
    r->past = false;
    r->json_diffs = event_type == BINLOG_EVENT_PARTIAL_UPDATE_ROWS;
    r->stmt_end = (head.flags & FLAG_STMT_END) != 0;
    r->column_count = 0;
    if (head.table_id == TABLE_ID_DUMMY) {
        bytes_skip(&r->in, bytes_left(&r->in));
        return ERR_OK;
    }
    ERR_TRY(read_columns(r, e));
    r->column_count = r->plan->column_count;
    return ERR_OK;
}

enum err_code row_reader_start(struct row_reader *r, const struct row_plan *plan,
                               uint8_t event_type, struct span body, struct err *e)
{
    r->plan = plan;
    bytes_reader_init(&r->in, body);
    buf_shrink(&r->scratch, SCRATCH_KEPT_BYTES);
    buf_shrink(&r->made, SCRATCH_KEPT_BYTES);
    enum err_code rc = start(r, event_type, e);

    if (rc != ERR_OK) {
        bytes_fail(&r->in);
        if (rc != ERR_NOMEM && plan != NULL) {
            err_wrap(e, "%s.%s", plan->def->schema, plan->def->name);
        }
    }
    return rc;
}

static enum err_code fail_column(struct row_reader *r, const struct row_op *op, struct err *e)
{
    const struct table_def *def = r->plan->def;
    enum err_code rc = err_wrap(e, "%s.%s column '%s'", def->schema, def->name,
                                def->columns[op - r->plan->ops].name);

    bytes_fail(&r->in);
    return e == NULL ? ERR_CORRUPT : rc;
}

static enum err_code fail_row(struct row_reader *r, struct err *e)
{
    bytes_fail(&r->in);
    return err_set(e, ERR_CORRUPT, "%s.%s: a row ends within its NULL bits, or has none",
                   r->plan->def->schema, r->plan->def->name);
}

static enum err_code read_image(struct row_reader *r, struct value *values, struct err *e)
{
    uint32_t count = r->column_count;
    const struct row_op *op = r->plan->ops;
    const uint8_t *nulls = bytes_take(&r->in, (count + 7u) / 8);

    if (nulls == NULL) {
        return fail_row(r, e);
    }
    for (uint32_t i = 0; i < count; i++, op++) {
        if (bit_at(nulls, i)) {
            values[i].kind = VALUE_NULL;
            continue;
        }
        enum err_code rc = op->decode(r, op, &values[i], e);
        if (rc != ERR_OK) {
            (void)fail_column(r, op, e);
            return rc;
        }
    }
    return ERR_OK;
}

static bool has_column(const uint8_t *present, uint32_t i)
{
    return present == NULL || bit_at(present, i);
}

/* The NULL bits of an image that has the columns of `present`; NULL: all. */
static const uint8_t *take_nulls(struct row_reader *r, const uint8_t *present)
{
    uint32_t n = present == NULL ? r->column_count : 0;

    for (uint32_t i = 0; present != NULL && i < r->column_count; i++) {
        n += bit_at(present, i) ? 1u : 0u;
    }
    return bytes_take(&r->in, (n + 7u) / 8);
}

/* An image that is not simply all columns. */
struct image {
    const uint8_t *present;   /* NULL: all columns */
    const struct value *base; /* has the columns that are not present; NULL: they are NULL */
    const uint8_t *diffs;     /* by JSON column: it is diffs; NULL: none is */
};

static enum err_code decode_diffs(struct row_reader *r, uint32_t i, struct span document,
                                  struct err *e)
{
    if (document.data != NULL) {
        return row_decode_json_diff(r, &r->plan->ops[i], document, &r->after[i], e);
    }
    if (row_reader_has_before(r, i)) {
        return err_set(e, ERR_CORRUPT, "there are changes of a document that was NULL");
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "the log has the changes of the document, but not the document that they "
                   "change: set binlog_row_image=FULL or binlog_row_value_options='' on the "
                   "source, let sessions reconnect, and start the table over");
}

static enum err_code read_partial_image(struct row_reader *r, const struct image *image,
                                        struct value *values, struct err *e)
{
    const struct row_op *op = r->plan->ops;
    const uint8_t *nulls = take_nulls(r, image->present);
    uint32_t at = 0;
    uint32_t json = 0;

    if (nulls == NULL) {
        return fail_row(r, e);
    }
    for (uint32_t i = 0; i < r->column_count; i++, op++) {
        uint32_t document = json;

        json += op->json ? 1u : 0u;
        values[i].kind = VALUE_NULL;
        if (!has_column(image->present, i)) {
            if (image->base != NULL) {
                values[i] = image->base[i];
            }
            continue;
        }
        if (bit_at(nulls, at++)) {
            continue;
        }
        enum err_code rc = op->json && image->diffs != NULL && bit_at(image->diffs, document)
                               ? decode_diffs(r, i, r->documents[document], e)
                               : op->decode(r, op, &values[i], e);
        if (rc != ERR_OK) {
            (void)fail_column(r, op, e);
            return rc;
        }
    }
    return ERR_OK;
}

static enum err_code read_before(struct row_reader *r, struct err *e)
{
    const struct image image = {.present = r->before_present};

    return r->before_present == NULL ? read_image(r, r->before, e)
                                     : read_partial_image(r, &image, r->before, e);
}

static enum err_code read_inserted(struct row_reader *r, struct err *e)
{
    const struct image image = {.present = r->after_present};

    return r->after_present == NULL ? read_image(r, r->after, e)
                                    : read_partial_image(r, &image, r->after, e);
}

static struct span skip_value(struct row_reader *r, const struct row_op *op)
{
    return bytes_span(&r->in, op->prefixed ? (size_t)bytes_uint_le(&r->in, op->bytes) : op->bytes);
}

/* Leaves the documents of the image in r->documents when diffs may follow. */
static enum err_code skip_before(struct row_reader *r, struct err *e)
{
    const uint8_t *present = r->before_present;
    const struct row_op *op = r->plan->ops;
    const uint8_t *nulls = take_nulls(r, present);
    uint32_t at = 0;
    uint32_t json = 0;

    if (nulls == NULL) {
        return fail_row(r, e);
    }
    for (uint32_t i = 0; i < r->column_count; i++, op++) {
        struct span value = {NULL, 0};

        if (has_column(present, i) && !bit_at(nulls, at++)) {
            value = skip_value(r, op);
        }
        if (bytes_failed(&r->in)) {
            (void)err_set(e, ERR_CORRUPT, "the row ends within the value");
            return fail_column(r, op, e);
        }
        if (r->json_diffs && op->json) {
            r->documents[json++] = value;
        }
    }
    return ERR_OK;
}

/* The after image of PARTIAL_UPDATE_ROWS; its before image was read and skipped. */
static enum err_code read_diffed_image(struct row_reader *r, struct err *e)
{
    struct image image = {.present = r->after_present, .base = r->before};
    uint64_t options = bytes_lenenc(&r->in);

    if ((options & OPTION_JSON_DIFFS) != 0) {
        image.diffs = bytes_take(&r->in, (r->plan->json_count + 7u) / 8);
    }
    if (bytes_failed(&r->in)) {
        return fail_row(r, e);
    }
    if (options > OPTION_JSON_DIFFS) {
        bytes_fail(&r->in);
        return err_set(e, ERR_UNSUPPORTED, "%s.%s: a row's options %" PRIu64 " are not known",
                       r->plan->def->schema, r->plan->def->name, options);
    }
    return read_partial_image(r, &image, r->after, e);
}

static enum err_code read_update(struct row_reader *r, bool want_before, struct err *e)
{
    struct bytes_reader start = r->in;
    bool fill_up = r->after_present != NULL;

    if (r->json_diffs) {
        ERR_TRY(skip_before(r, e));
        if (want_before || fill_up) {
            r->in = start;
            ERR_TRY(read_before(r, e));
        }
        return read_diffed_image(r, e);
    }
    if (fill_up) {
        const struct image image = {.present = r->after_present, .base = r->before};

        ERR_TRY(read_before(r, e));
        return read_partial_image(r, &image, r->after, e);
    }
    ERR_TRY(want_before ? read_before(r, e) : skip_before(r, e));
    return read_image(r, r->after, e);
}

static enum err_code read_row(struct row_reader *r, bool want_before, struct err *e)
{
    buf_reset(&r->scratch);
    switch (r->event_change) {
    case ROW_INSERT:
        return read_inserted(r, e);
    case ROW_DELETE:
        return read_before(r, e);
    case ROW_UPDATE:
        return read_update(r, want_before, e);
    }
    return ERR_OK;
}

/* Whether the row of an image is current: its end is the last moment that a TIMESTAMP can have, of
 * 31 bits or, from MariaDB 11.5 on, of 32. */
static enum err_code see_row_end(struct row_reader *r, const struct value *values, bool *is_current,
                                 struct err *e)
{
    const struct value *end = &values[r->plan->row_end];
    const struct civil *c = &end->u.civil;

    if (end->kind != VALUE_TIMESTAMP) {
        (void)err_set(e, ERR_UNSUPPORTED,
                      "it is not in the log, so that rows of the past cannot be told from others: "
                      "set binlog_row_image=FULL");
        return fail_column(r, &r->plan->ops[r->plan->row_end], e);
    }
    bool last = (c->year == 2038 && c->month == 1 && c->day == 19 && c->hour == 3 &&
                 c->minute == 14 && c->second == 7) ||
                (c->year == 2106 && c->month == 2 && c->day == 7 && c->hour == 6 &&
                 c->minute == 28 && c->second == 15);

    *is_current = last && c->micros == 999999;
    return ERR_OK;
}

/* What a row of a system-versioned table's log is for those who know current rows only. */
static enum err_code see_versions(struct row_reader *r, struct err *e)
{
    bool had = false;
    bool has = false;

    if (r->event_change != ROW_INSERT) {
        ERR_TRY(see_row_end(r, r->before, &had, e));
    }
    if (r->event_change != ROW_DELETE) {
        ERR_TRY(see_row_end(r, r->after, &has, e));
    }
    r->past = !had && !has;
    if (r->event_change == ROW_UPDATE && had && !has) {
        r->change = ROW_DELETE;
    } else if (r->event_change == ROW_UPDATE && has && !had) {
        bytes_fail(&r->in);
        return err_set(e, ERR_UNSUPPORTED, "%s.%s: an UPDATE makes a row of the past current",
                       r->plan->def->schema, r->plan->def->name);
    }
    return ERR_OK;
}

enum err_code row_reader_next(struct row_reader *r, bool want_before, struct err *e)
{
    size_t left = bytes_left(&r->in);

    r->change = r->event_change;
    r->past = false;
    ERR_TRY(read_row(r, want_before || r->plan->versioned, e));
    if (r->plan->versioned) {
        ERR_TRY(see_versions(r, e));
    }
    /* An image without columns has no bytes, and there would be rows without end. */
    return bytes_left(&r->in) < left ? ERR_OK : fail_row(r, e);
}
