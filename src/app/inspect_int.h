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

/* With args->rows the rows, a line of JSON each; else what the footer tells. */
MUST_USE enum err_code inspect_parquet(const char *path, const struct command_args *args,
                                       struct err *e);

MUST_USE enum err_code inspect_avro(const char *path, const struct command_args *args,
                                    struct err *e);

/* What the statements of a binlog file or a text file make of tables. Errors: ERR_DIFFERENT when
 * some cannot be read. */
MUST_USE enum err_code inspect_ddl(const char *path, const struct command_args *args,
                                   struct err *e);

/* What Signature Version 4 makes of the requests in a file, an object a line; "-" reads stdin. */
MUST_USE enum err_code inspect_signature(const char *path, const struct command_args *args,
                                         struct err *e);
/* One of its lines. Errors: ERR_CONFIG. */
MUST_USE enum err_code inspect_signature_line(struct span line, bool json, struct buf *out,
                                              struct err *e);

/* what: SCHEMA.TABLE in the catalog of the settings, or the path of a table's folder or metadata.
 */
MUST_USE enum err_code inspect_table(const char *what, const struct config *c,
                                     const struct command_args *args, struct log *log,
                                     struct err *e);

/* ---- files and texts ---- */

/* The store's location of a path (or file:// location) that the user gives; free it. */
MUST_USE enum err_code inspect_location(const char *path, char **location, struct err *e);

/* Appends the whole file. Errors: ERR_NOT_FOUND, ERR_LIMIT, ERR_IO. */
MUST_USE enum err_code inspect_read_file(const char *path, struct buf *out, struct err *e);

/* Text from outside: as it is where it is one word of printable ASCII, else as a JSON string. */
void inspect_put_plain(struct buf *out, const char *text);

/* ---- Avro ---- */

/*
 * Appends codec, schema, metadata and records: text, or lines of JSON, the first of them for all
 * but the records. Much is written to stdout before the end. What was appended before a failure
 * stays.
 */
MUST_USE enum err_code inspect_avro_show(struct span file, bool json, struct buf *out,
                                         struct err *e);

/* ---- Iceberg ---- */

/* A bound as a JSON value; {"base64":"…"} where it is not one of its type. */
void inspect_put_bound(const char *type, struct span bytes, struct buf *out);

/* "2026-01-02" and "2026-01-02T03:04:05.678901" with their quotes. */
void inspect_put_date(struct buf *out, int64_t days);
void inspect_put_timestamp(struct buf *out, int64_t us, bool utc);

/* ---- binlogs ---- */

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
