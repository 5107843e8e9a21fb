/*
 * check_int.h - findings of `calve check`, and the two halves that make them.
 */
#ifndef CALVE_APP_CHECK_INT_H
#define CALVE_APP_CHECK_INT_H

#include "app/config.h"

enum finding_state {
    FINDING_OK,
    FINDING_NOTE,  /* works, and could be better */
    FINDING_WRONG, /* the text says what, and how to mend it */
};

struct findings {
    struct buf out; /* lines, or the members of a JSON array */
    bool json;
    uint32_t count;
    uint32_t wrong_count;
};

/* One line. The text is "what it is", or "what is wrong: how to mend it". */
void finding_add(struct findings *f, enum finding_state state, const char *subject, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);

/*
 * What is wrong becomes a finding; an error is returned only when the check itself could not be
 * done (ERR_NOMEM). *connected: whether the source lets us in.
 */
MUST_USE enum err_code check_source(const struct config *c, struct findings *f, bool *connected,
                                    struct err *e);

/* Whether the source still has what the tables of the lake are to go on from; for a source that
 * lets us in and a lake that can be read. */
MUST_USE enum err_code check_positions(const struct config *c, struct findings *f, struct err *e);

/* Of several hosts, whether each can be reached. Errors: ERR_CONFIG. */
MUST_USE enum err_code check_hosts(const struct config *c, struct findings *f, struct err *e);

/* Foreign keys whose actions are not in the binlog. Errors: the server's. */
struct table_choice;
MUST_USE enum err_code check_cascades(const struct table_choice *tables, struct mysql_conn *conn,
                                      struct findings *f, struct err *e);
MUST_USE enum err_code check_lake(const struct config *c, struct log *log, struct findings *f,
                                  struct err *e);

/* The same where store or catalog are beyond this machine; of a SQLite catalog only the store. */
MUST_USE enum err_code check_remote(const struct config *c, struct log *log, struct findings *f,
                                    struct err *e);

#endif
