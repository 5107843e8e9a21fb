/*
 * status_int.h - the parts of `calve status`: what the lake says (status_lake.c), how far the
 * source is ahead (status_source.c), and how both are shown (status_print.c).
 *
 * Thread: main.
 */
#ifndef CALVE_APP_STATUS_INT_H
#define CALVE_APP_STATUS_INT_H

#include "app/lake.h"
#include "app/table_choice.h"
#include "mysql/binlog_retention.h"
#include "mysql/position.h"
#include "pipeline/watermark_file.h"

enum status_state {
    STATUS_NEVER_COPIED, /* not in the lake */
    STATUS_DROPPED,      /* has a watermark, but the Iceberg table is gone: will be copied again */
    STATUS_NO_POSITION,  /* in the lake, but neither checkpoint nor watermark of this connection */
    STATUS_COPIED,       /* the copy is there, nothing after it yet */
    STATUS_FOLLOWING,    /* moved on since the copy, or since the start without one */
    STATUS_GONE,         /* the source dropped or renamed it; a new one of the name goes on here */
    STATUS_UNREADABLE,   /* see problem */
};

/* One table. Texts are in the report's arena. */
struct status_table {
    const char *schema;
    const char *name;
    enum status_state state;
    bool copied;                     /* a whole copy is in it */
    bool gone;                       /* from the source */
    struct binlog_position position; /* file "": none */
    const char *gtids;               /* of that position; NULL: not known */
    const char *source;              /* whose position it is; "": not known */
    uint32_t log_created_s;          /* of the position's file; 0: not known */
    bool anonymous;                  /* the set does not tell all before the position */
    int64_t cut_us;                  /* when the position was last moved; 0: never */
    bool has_rows;                   /* the snapshot says how many */
    uint64_t rows;
    int64_t committed_ms; /* last change of the Iceberg table; 0: none */
    uint32_t snapshots;
    int64_t lag_bytes; /* behind the source; -1: not known */
    const char *problem;
};

/* A binlog file that the source still has. */
struct status_log {
    char file[BINLOG_FILE_BYTES];
    uint64_t bytes;
};

struct status_source {
    bool configured;
    bool reachable;
    bool icase; /* names are compared without case there */
    char identity[64];
    struct status_log *logs; /* oldest first; the last is being written */
    uint32_t log_count;
    uint32_t log_capacity;
    struct binlog_retention retention; /* of a source that is reachable */
    struct err problem; /* why it is not reachable, or why its binlogs cannot be listed */
};

struct status_report {
    const struct config *config;
    struct arena arena;
    struct table_choice names;
    struct status_table *tables; /* names.count of them, sorted */
    struct status_source source;
    int64_t now_us;
};

/*
 * Connects where a source is configured; notes its binlogs, and adds the tables there that the
 * settings choose. A source that does not answer is no error: see source.problem. Errors:
 * ERR_NOMEM.
 */
MUST_USE enum err_code status_ask_source(struct status_report *r, struct err *e);

/* The same on a connection that is there. Errors: the server's. */
MUST_USE enum err_code status_ask(struct status_report *r, struct mysql_conn *conn, struct err *e);

/* Whether the source still has that binlog file. */
bool status_has_log(const struct status_source *s, const char *file);

/*
 * Bytes of binlog between the position and the source's end; -1 when it is not known: the file was
 * purged, or the position is none of this source.
 */
int64_t status_lag_bytes(const struct status_source *s, const struct binlog_position *position,
                         const char *position_source);

/* Finds the chosen tables in the lake and fills tables. Errors: the lake cannot be read. */
MUST_USE enum err_code status_read_lake(struct status_report *r, struct lake *lake, struct err *e);

/* All rows of the watermarks table. Errors: the lake cannot be read. */
MUST_USE enum err_code status_read_watermarks(struct lake *lake, struct watermark_rows *out,
                                              struct err *e);

/* Why the source may soon purge what the table goes on from; NULL when it is not near. */
const char *status_danger(const struct status_report *r, const struct status_table *t);

/* Seconds since the table's position was last moved; -1: it never was. */
int64_t status_lag_s(const struct status_report *r, const struct status_table *t);

const char *status_state_name(enum status_state state);

/* Appends a GTID set in short: UUIDs cut to eight digits, at most `columns` characters. */
void status_put_short_gtids(const char *gtids, size_t columns, struct buf *out);

MUST_USE enum err_code status_put_text(const struct status_report *r, struct buf *out,
                                       struct err *e);
void status_put_json(const struct status_report *r, struct buf *out);

#endif
