/*
 * source_check.h - whether a server can go on where the lake stands; asked of every server that
 * answers, before its binlog is asked for (docs/delivery.md, "Another server").
 *
 * On one server positions continue each other. Another server has files of its own: there GTID sets
 * say what it has and what it still can send.
 *
 * Thread: as the connection.
 */
#ifndef CALVE_PIPELINE_SOURCE_CHECK_H
#define CALVE_PIPELINE_SOURCE_CHECK_H

#include "mysql/conn.h"
#include "mysql/gtid.h"
#include "pipeline/log_place.h"

/* What the lake has of the source. */
struct source_claim {
    const char *source;              /* whose position it is; "" when there is none */
    struct binlog_position position; /* where reading goes on; file "": by GTID only */
    uint32_t log_created_s;          /* of that file; 0: not known */
    const struct gtid_set *gtids;    /* the same as a set; NULL: by position only */
    const struct gtid_set *known;    /* what any table has, maybe more than that; NULL: no more */
    bool anonymous; /* the set does not tell all: transactions without GTIDs came since */
};

/* What a server says of its binlog. */
struct source_state {
    char identity[SOURCE_BYTES];
    bool gtid_enabled;
    struct binlog_position end;
    char oldest[BINLOG_FILE_BYTES]; /* first of its files */
    struct gtid_set *executed;      /* MySQL with GTIDs */
    struct gtid_set *purged;        /* what its files do not have any more; NULL: not known */
    struct gtid *seen;              /* MariaDB: the latest of each domain and server */
    uint32_t seen_count;
    bool applies_unlogged; /* a replica that does not log what it applies */
};

enum source_verdict {
    SOURCE_FITS,
    SOURCE_IS_BEHIND,  /* it lacks transactions that the lake has; they may still arrive */
    SOURCE_HAS_GAP,    /* it has purged transactions that the lake lacks */
    SOURCE_WAS_RESET,  /* the same server, and it has lost what the lake has */
    SOURCE_IS_FOREIGN, /* another server, and GTIDs do not tell where to go on */
};

void source_state_deinit(struct source_state *s);

/* Errors: the server's. *out is to be deinit'ed in any case. */
MUST_USE enum err_code source_look(struct mysql_conn *c, struct source_state *out, struct err *e);

/* Whether positions of the claim are positions of this server. */
bool source_is_same(const struct source_claim *claim, const struct source_state *s);

/* Whether the file of the claim's position is not purged; the position is one of this server. */
bool source_has_file(const struct source_claim *claim, const struct source_state *s);

/* *why says what is wrong and what to do, unless it fits. Errors: ERR_NOMEM. */
MUST_USE enum err_code source_judge(const struct source_claim *claim, const struct source_state *s,
                                    enum source_verdict *out, struct err *why);

/*
 * Whether the claim's file is still the same file, not another one that began anew under its name.
 * `here` leads to the server that s is of. Errors: ERR_SOURCE it is not; the server's.
 */
MUST_USE enum err_code source_check_log(const struct source_claim *claim,
                                        const struct source_state *s,
                                        const struct mysql_options *here, struct err *e);

#endif
