/*
 * conn.h - a connection to a MySQL or MariaDB server (libmariadb), and what the server says of
 * itself.
 *
 * Thread: a connection belongs to one, except mysql_conn_interrupt().
 */
#ifndef CALVE_MYSQL_CONN_H
#define CALVE_MYSQL_CONN_H

#include "base/err.h"
#include "base/str.h"
#include "mysql/host_list.h"

struct mysql_conn;
struct mysql_options;

/* With tls_ca set, the certificate must be signed by it in every mode that ends up with TLS. */
enum mysql_tls {
    MYSQL_TLS_PREFERRED, /* the default: TLS where the server has it; none over a unix socket */
    MYSQL_TLS_DISABLED,
    MYSQL_TLS_REQUIRED,  /* from here on, a server without TLS is told neither name nor password */
    MYSQL_TLS_VERIFY_CA, /* without tls_ca: the system's authorities */
    MYSQL_TLS_VERIFY_IDENTITY,
};

struct mysql_options {
    /* "localhost" too means TCP; NULL or "": the file's, else 127.0.0.1. Several with commas
     * between, each with a port of its own or not (host_list.h), are tried in order. */
    const char *host;
    uint16_t port;      /* of hosts that name none; 0: the file's, else 3306 */
    const char *socket; /* unix socket path; NULL or "" for TCP */
    const char *user;
    struct secret password;
    /*
     * Run for each connection instead, without a shell (base/command.h): its first line is the
     * password. It is told CALVE_HOST, CALVE_PORT and CALVE_USER. NULL: none.
     */
    const char *password_command;
    /* A my.cnf whose [client] group fills what is not set here (place, account, certificates), or
     * NULL. */
    const char *defaults_file;
    enum mysql_tls tls;
    const char *tls_ca;
    const char *tls_cert;
    const char *tls_key;
    unsigned connect_timeout_s; /* 0 means 10 */
    unsigned read_timeout_s;    /* 0 means 60 */
    /*
     * Asked of each server that answers: a failure is that server's, and the next host is tried.
     * `here` leads to this one server alone. May be NULL.
     */
    enum err_code (*accept)(void *ctx, struct mysql_conn *c, const struct mysql_options *here,
                            struct err *e);
    /* Asked before each host; true ends the search with ERR_CANCELLED. May be NULL. */
    bool (*gives_up)(void *ctx);
    void *ctx;
};

struct mysql_server {
    char host[HOST_BYTES]; /* the one of the list that answered, or the socket */
    uint16_t port;         /* 0 for a socket */
    char version[128];
    char version_comment[128];
    bool is_mariadb;
    unsigned version_number; /* 80403, 101102 */
    char server_uuid[37];    /* MySQL: @@server_uuid. MariaDB: "" */
    char identity[64]; /* MySQL: server_uuid; MariaDB: "mariadb-<server_id>-<gtid_domain_id>" */
    uint64_t server_id;
    bool log_bin;
    bool gtid_enabled; /* MySQL gtid_mode=ON; MariaDB: always */
    char gtid_mode[32];
    char binlog_format[32];
    char binlog_row_image[32];
    char binlog_row_metadata[32];
    char binlog_checksum[32];
    int lower_case_table_names;
    uint64_t max_allowed_packet;
    bool logs_applied; /* log_replica_updates: what it applies as a replica is in its binlog */
};

/*
 * Connects, sets the session up (utf8mb4, time zone UTC, empty sql_mode, long net timeouts) and
 * reads the server's identity. Errors: ERR_SOURCE with source_errno and what to do (wrong password,
 * unknown host, TLS needed, …); retryable for network trouble. Of several hosts the message has
 * each one's reason, and one that is worth another try makes all of them so.
 */
MUST_USE enum err_code mysql_conn_open(const struct mysql_options *options, struct mysql_conn **out,
                                       struct err *e);
void mysql_conn_close(struct mysql_conn *c);

/* Options that lead to this server alone, whose host must outlive them, and ask nobody. */
struct mysql_options mysql_options_at(const struct mysql_options *options,
                                      const struct mysql_server *server);

const struct mysql_server *mysql_conn_server(const struct mysql_conn *c);

/* Makes a blocked read on another thread fail soon. */
void mysql_conn_interrupt(struct mysql_conn *c);

/* Runs a statement that gives no rows, or whose rows do not matter. */
MUST_USE enum err_code mysql_exec(struct mysql_conn *c, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

struct mysql_row {
    unsigned column_count;
    const struct span *columns; /* data is NULL for SQL NULL */
};

/* Runs a query and gives each row to `each`, unbuffered. A failure of each ends it. */
MUST_USE enum err_code mysql_query_rows(struct mysql_conn *c, const char *sql,
                                        enum err_code (*each)(void *ctx,
                                                              const struct mysql_row *row,
                                                              struct err *e),
                                        void *ctx, struct err *e);

/* First column of the first row into out; "" for NULL or no row. */
MUST_USE enum err_code mysql_query_text(struct mysql_conn *c, const char *sql, char *out,
                                        size_t out_bytes, struct err *e);

/* Appends `name` quoted with backticks; or 'text' quoted and escaped. */
struct buf;
void mysql_quote_name(struct buf *out, const char *name);
void mysql_quote_text(struct buf *out, const char *text);

#endif
