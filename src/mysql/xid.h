/*
 * xid.h - names of XA transactions, as events and as the statements that servers log.
 *
 *   XA START X'gtrid',X'bqual',format     XA END ...     XA COMMIT ...     XA ROLLBACK ...
 *
 * Spec: mysql-server sql/xa.h, serialize(); MariaDB sql/xa.h.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_XID_H
#define CALVE_MYSQL_XID_H

#include "mysql/binlog_event.h"

enum xa_verb { XA_START, XA_END, XA_PREPARE, XA_COMMIT, XA_ROLLBACK };

/*
 * Reads a logged XA statement. Errors: ERR_CORRUPT it has another form than servers write.
 */
MUST_USE enum err_code xid_parse_statement(struct span sql, enum xa_verb *verb, struct xid *out,
                                           struct err *e);

bool xid_equal(const struct xid *a, const struct xid *b);

/* X'', X'', digits, commas. */
#define XID_TEXT_BYTES (2u * XID_DATA_BYTES + 24u)

/* "X'6162',X'63',1", as XA RECOVER CONVERT XID and statements have it. */
void xid_print(const struct xid *x, char out[XID_TEXT_BYTES]);

/* Of what xid_print prints. Errors: ERR_CORRUPT. */
MUST_USE enum err_code xid_parse(struct span text, struct xid *out, struct err *e);

#endif
