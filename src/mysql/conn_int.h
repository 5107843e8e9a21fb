/* conn_int.h - what the files of conn.h share, and what binlog_stream.c and snapshot.c need of it.
 */
#ifndef CALVE_MYSQL_CONN_INT_H
#define CALVE_MYSQL_CONN_INT_H

#include <mysql.h>

#include "mysql/conn.h"

struct mysql_conn {
    MYSQL *mysql;
    struct mysql_server server;
    bool connected; /* since then, trouble with TLS is trouble with the network */
    bool private;   /* nobody can listen: TLS, or it never leaves this machine */
    /* A duplicate of the socket, ours until close: interrupt() may come while the library closes
     * its own. */
    int wake_fd;
};

/*
 * The library's last error as ours, with advice; `doing` goes in front. Network failures are ERR_IO
 * and retryable, the rest is ERR_SOURCE.
 */
enum err_code mysql_conn_error(struct mysql_conn *c, const char *doing, struct err *e);

/* Sends the statement; its result, if it has one, is then to be read. */
MUST_USE enum err_code mysql_conn_send(struct mysql_conn *c, struct span sql, struct err *e);

/* Fills c->server. */
MUST_USE enum err_code mysql_conn_read_server(struct mysql_conn *c, struct err *e);

#endif
