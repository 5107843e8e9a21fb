/*
 * inspect_int.h - the parts of `calve inspect`.
 */
#ifndef CALVE_APP_INSPECT_INT_H
#define CALVE_APP_INSPECT_INT_H

#include "app/commands.h"
#include "model/table_def.h"
#include "mysql/binlog_event.h"
#include "mysql/table_map.h"

MUST_USE enum err_code inspect_binlog(const char *path, const struct command_args *args,
                                      struct err *e);

/*
 * The definition that a table map alone gives, in arena. Columns without a logged name are @1, @2,
 * …; texts without a logged charset are VARBINARY, BINARY or BLOB; members that are not logged are
 * #1, #2, …. Errors: ERR_NOMEM, ERR_LIMIT; ERR_UNSUPPORTED a charset or a type that is not known.
 */
MUST_USE enum err_code inspect_guess_def(const struct table_map *map, struct arena *arena,
                                         struct table_def **out, struct err *e);

struct inspect_rows;

/* NULL when there is no memory. */
struct inspect_rows *inspect_rows_new(void);
void inspect_rows_free(struct inspect_rows *r);

/* Remembers a table map. */
MUST_USE enum err_code inspect_rows_map(struct inspect_rows *r, const struct binlog_event *ev,
                                        struct err *e);

/* "schema.table" of a rows event, as its map said; NULL when there was none. Lives until the next
 * map. */
const char *inspect_rows_table(const struct inspect_rows *r, const struct binlog_event *ev);

/*
 * Decodes a rows event and counts its rows; with out, appends each: as text, `  insert {…}`, or as
 * JSON,
 * {"change":"insert","table":"…","after":{…}}.
 */
MUST_USE enum err_code inspect_rows_decode(struct inspect_rows *r, const struct binlog_event *ev,
                                           bool json, struct buf *out, uint64_t *rows,
                                           struct err *e);

#endif
