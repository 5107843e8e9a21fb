/*
 * log_place.h - a place in the log of a certain server, as checkpoints and watermarks name it.
 *
 * File and offset mean nothing to another server; between servers the GTID set is the place.
 *
 * Owns:   nothing. Thread: any.
 */
#ifndef CALVE_PIPELINE_LOG_PLACE_H
#define CALVE_PIPELINE_LOG_PLACE_H

#include "mysql/gtid.h"
#include "mysql/position.h"

#define SOURCE_BYTES 64u

struct log_place {
    const char *source;              /* mysql_server.identity; "" when it is not known whose */
    struct binlog_position position; /* file "": only the set is known */
    uint32_t log_created_s;          /* when the file was begun, by its first event; 0: not known */
    const char *gtids;               /* executed set up to there; NULL when it is not known */
    bool anonymous;                  /* transactions without GTIDs came after the last of the set */
};

/* The form that GTID sets of a server have. */
enum gtid_flavor source_flavor(const char *source);

/* Errors: ERR_CORRUPT. */
MUST_USE enum err_code log_place_parse_gtids(const struct log_place *p, struct gtid_set **out,
                                             struct err *e);

/*
 * Whether everything before `other` is before `place`: by position on one server (on MySQL also by
 * GTID, where both are known), else by GTID. *out is false where that cannot be told.
 *
 * Errors: ERR_CORRUPT a set that cannot be read; ERR_NOMEM.
 */
MUST_USE enum err_code log_place_reaches(const struct log_place *place,
                                         const struct log_place *other, bool *out, struct err *e);

#endif
