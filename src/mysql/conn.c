#include "mysql/conn.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/command.h"
#include "mysql/conn_int.h"

#define CONNECT_TIMEOUT_S  10u
#define READ_TIMEOUT_S     60u
#define PACKET_BYTES_MAX   ((unsigned long)1 << 30)
#define USER_TIMEOUT_MS    60000u
#define KEEPALIVE_IDLE_S   30
#define PORT_DEFAULT       3306u
#define PASSWORD_US        INT64_C(30000000)
#define PASSWORD_BYTES_MAX ((size_t)64 << 10)

/* ---- where to, and as whom ---- */

/* The caller's options, with gaps filled from the defaults file. Texts belong to others or to file.
 */
struct target {
    const char *host;
    const char *socket; /* NULL: TCP */
    const char *user;
    const char *password;
    const char *tls_ca;
    const char *tls_cert;
    const char *tls_key;
    unsigned port;
    MYSQL *file;              /* holds the texts of the defaults file */
    struct buf password_line; /* what the password command printed */
};

static const char *or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static const char *first_of(const char *a, const char *b)
{
    return or_null(a) != NULL ? a : or_null(b);
}

/*
 * Has the library read the file. It does so only on its way to a server, and then the file's values
 * win over ours; so it is sent to a socket that is never there, and what it read is taken from
 * there.
 */
static enum err_code read_defaults_file(const char *path, struct target *t, struct err *e)
{
    t->file = mysql_init(NULL);
    if (t->file == NULL) {
        return err_nomem(e);
    }
    if (access(path, R_OK) != 0) {
        return err_set_os(e, ERR_CONFIG, errno, "reading the defaults file %s", path);
    }
    (void)mysql_optionsv(t->file, MYSQL_READ_DEFAULT_FILE, path);
    (void)mysql_optionsv(t->file, MYSQL_READ_DEFAULT_GROUP, "client");
    (void)mysql_real_connect(t->file, "localhost", "none", "", NULL, 0, "/dev/null/none",
                             CLIENT_REMEMBER_OPTIONS);
    return ERR_OK;
}

static enum err_code find_target(const struct mysql_options *o, struct target *t, struct err *e)
{
    bool place_given = or_null(o->host) != NULL || or_null(o->socket) != NULL;

    *t = (struct target){.host = or_null(o->host),
                         .socket = or_null(o->socket),
                         .user = or_null(o->user),
                         .password = or_null(o->password.text),
                         .tls_ca = or_null(o->tls_ca),
                         .tls_cert = or_null(o->tls_cert),
                         .tls_key = or_null(o->tls_key),
                         .port = o->port};
    if (or_null(o->defaults_file) != NULL) {
        ERR_TRY(read_defaults_file(o->defaults_file, t, e));
        const struct st_mysql_options *f = &t->file->options;

        if (!place_given) {
            t->socket = or_null(f->unix_socket);
            t->host = or_null(f->host);
        }
        t->port = t->port == 0 ? f->port : t->port;
        t->user = first_of(t->user, f->user);
        t->password = first_of(t->password, f->password);
        t->tls_ca = first_of(t->tls_ca, f->ssl_ca);
        t->tls_cert = first_of(t->tls_cert, f->ssl_cert);
        t->tls_key = first_of(t->tls_key, f->ssl_key);
    }
    t->host = t->host == NULL ? "127.0.0.1" : t->host;
    t->port = t->port == 0 ? PORT_DEFAULT : t->port;
    return ERR_OK;
}

#define ENVIRONMENT_BYTES (HOST_BYTES + 32)

static void forget_password(struct target *t)
{
    if (t->password_line.data != NULL) {
        OPENSSL_cleanse(t->password_line.data, t->password_line.cap);
    }
    buf_deinit(&t->password_line);
}

/* Tokens are made for one host and live for minutes: so each connection has its own. */
static enum err_code run_password_command(const char *command, struct target *t, struct err *e)
{
    char host[ENVIRONMENT_BYTES];
    char port[32];
    char user[ENVIRONMENT_BYTES];
    const char *const environment[] = {host, port, user, NULL};
    const struct command_options options = {.environment = environment,
                                            .timeout_us = PASSWORD_US,
                                            .output_bytes_max = PASSWORD_BYTES_MAX};

    (void)snprintf(host, sizeof host, "CALVE_HOST=%s", t->socket != NULL ? "localhost" : t->host);
    (void)snprintf(port, sizeof port, "CALVE_PORT=%u", t->port);
    (void)snprintf(user, sizeof user, "CALVE_USER=%s", t->user == NULL ? "" : t->user);
    forget_password(t);
    /* Room for all of it at once: a buffer that grows leaves copies behind. */
    buf_reserve(&t->password_line, PASSWORD_BYTES_MAX + 1);
    enum err_code rc = command_output(command, &options, &t->password_line, e);

    if (rc != ERR_OK) {
        if (rc != ERR_NOMEM) {
            err_wrap(e, "mysql.password-command");
        }
        return rc;
    }
    const char *line = buf_cstr(&t->password_line);

    if (line == NULL) {
        return err_nomem(e);
    }
    t->password_line.data[strcspn(line, "\r\n")] = '\0';
    t->password = line;
    return ERR_OK;
}

/* ---- connecting ---- */

static void set_options(MYSQL *m, const struct mysql_options *o, const struct target *t)
{
    unsigned connect_s = o->connect_timeout_s == 0 ? CONNECT_TIMEOUT_S : o->connect_timeout_s;
    unsigned read_s = o->read_timeout_s == 0 ? READ_TIMEOUT_S : o->read_timeout_s;
    unsigned long packet = PACKET_BYTES_MAX;
    unsigned protocol = t->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned off = 0;

    /* By name "localhost" the library would look for a socket of its own choice. */
    (void)mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    (void)mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &read_s);
    (void)mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
    (void)mysql_optionsv(m, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    (void)mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_optionsv(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "calve");
    (void)mysql_optionsv(m, MYSQL_OPT_CONNECT_ATTR_ADD, "_client_role", "binary_log_listener");
    /* A server must not be able to ask for files of this machine. */
    (void)mysql_optionsv(m, MYSQL_OPT_LOCAL_INFILE, &off);
}

/*
 * Which authentication plugins the server may ask for. Those that send the password as it is may
 * only do so where nobody listens; the hash of before MySQL 4.1 is as good as the password.
 */
#define PLUGINS_SAFE                                                                     \
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,parsec," \
    "auth_gssapi_client"
#define PLUGINS_IN_CLEAR "mysql_clear_password,dialog"

static void set_plugins(const struct mysql_conn *c)
{
    (void)mysql_optionsv(c->mysql, MARIADB_OPT_RESTRICTED_AUTH,
                         c->private ? PLUGINS_SAFE "," PLUGINS_IN_CLEAR : PLUGINS_SAFE);
}

/*
 * A CA given is always checked against. With an empty fingerprint the library refuses servers
 * without TLS before it says who we are; SSL_ENFORCE alone lets them pass.
 */
static void set_tls(MYSQL *m, enum mysql_tls mode, const struct target *t)
{
    my_bool on = 1;
    my_bool off = 0;
    bool verify = mode == MYSQL_TLS_VERIFY_CA || mode == MYSQL_TLS_VERIFY_IDENTITY;

    (void)mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &on);
    (void)mysql_optionsv(m, MARIADB_OPT_TLS_PEER_FP, "");
    (void)mysql_optionsv(m, MYSQL_OPT_SSL_CERT, t->tls_cert);
    (void)mysql_optionsv(m, MYSQL_OPT_SSL_KEY, t->tls_key);
    if (t->tls_ca != NULL) {
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_CA, t->tls_ca);
    } else if (verify) {
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_CAPATH, X509_get_default_cert_dir());
    }
    (void)mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
                         mode == MYSQL_TLS_VERIFY_IDENTITY ? &on : &off);
}

static enum err_code connect_once(struct mysql_conn *c, const struct mysql_options *o,
                                  const struct target *t, enum mysql_tls tls, struct err *e)
{
    if (c->mysql != NULL) {
        mysql_close(c->mysql);
    }
    c->mysql = mysql_init(NULL);
    if (c->mysql == NULL) {
        return err_nomem(e);
    }
    set_options(c->mysql, o, t);
    /* With any other mode a connection that gets no TLS ends before the password is told. */
    c->private = tls != MYSQL_TLS_DISABLED || t->socket != NULL;
    set_plugins(c);
    if (tls != MYSQL_TLS_DISABLED) {
        set_tls(c->mysql, tls, t);
    }
    if (mysql_real_connect(c->mysql, t->socket != NULL ? NULL : t->host, t->user, t->password, NULL,
                           t->socket != NULL ? 0 : t->port, t->socket, 0) == NULL) {
        return mysql_conn_error(c, "connecting", e);
    }
    if (tls != MYSQL_TLS_DISABLED && mysql_get_ssl_cipher(c->mysql) == NULL) {
        return err_set(e, ERR_SOURCE, "connecting: the connection has no TLS");
    }
    return ERR_OK;
}

static enum err_code connect_by_mode(struct mysql_conn *c, const struct mysql_options *o,
                                     const struct target *t, struct err *e)
{
    if (o->tls != MYSQL_TLS_PREFERRED) {
        return connect_once(c, o, t, o->tls, e);
    }
    /* What stays on this machine needs no TLS. */
    enum err_code rc =
        connect_once(c, o, t, t->socket != NULL ? MYSQL_TLS_DISABLED : MYSQL_TLS_PREFERRED, e);

    if (rc == ERR_SOURCE && mysql_errno(c->mysql) == CR_SSL_CONNECTION_ERROR &&
        strstr(mysql_error(c->mysql), "server does not support it") != NULL) {
        rc = connect_once(c, o, t, MYSQL_TLS_DISABLED, e);
    }
    return rc;
}

/* A peer that vanished is noticed by the kernel, not only by the next read timeout. */
static void set_socket(struct mysql_conn *c)
{
    int fd = (int)mysql_get_socket(c->mysql);
    int on = 1;
    int idle_s = KEEPALIVE_IDLE_S;
    unsigned timeout_ms = USER_TIMEOUT_MS;

    c->wake_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    /* Unix sockets know none of these. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static enum err_code set_session(struct mysql_conn *c, struct err *e)
{
    static const struct {
        const char *sql;
        bool everywhere; /* false: some servers do not have this variable */
    } statements[] = {
        {"SET NAMES utf8mb4", true},
        {"SET SESSION time_zone='+00:00', sql_mode='', autocommit=1", true},
        {"SET SESSION transaction_isolation='REPEATABLE-READ'", false},
        {"SET SESSION tx_isolation='REPEATABLE-READ'", false},
        {"SET SESSION wait_timeout=86400", false},
        {"SET SESSION net_write_timeout=3600", false},
        {"SET SESSION net_read_timeout=3600", false},
        {"SET SESSION sql_select_limit=18446744073709551615", false},
        {"SET SESSION max_execution_time=0", false},
        {"SET SESSION max_statement_time=0", false},
    };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        struct err mine = {0};
        enum err_code rc = mysql_conn_send(c, span_str(statements[i].sql), &mine);

        if (rc != ERR_OK &&
            (statements[i].everywhere || mine.source_errno != ER_UNKNOWN_SYSTEM_VARIABLE)) {
            if (e != NULL) {
                *e = mine;
            }
            return rc;
        }
    }
    return ERR_OK;
}

struct mysql_options mysql_options_at(const struct mysql_options *options,
                                      const struct mysql_server *server)
{
    struct mysql_options at = *options;

    at.accept = NULL;
    at.gives_up = NULL;
    if (server->port != 0) {
        at.host = server->host;
        at.port = server->port;
    }
    return at;
}

static enum err_code ask_acceptance(struct mysql_conn *c, const struct mysql_options *o,
                                    struct err *e)
{
    const struct mysql_options here = mysql_options_at(o, &c->server);

    return o->accept == NULL ? ERR_OK : o->accept(o->ctx, c, &here, e);
}

static enum err_code open_and_ask(struct mysql_conn *c, const struct mysql_options *o,
                                  const struct target *t, struct err *e)
{
    ERR_TRY(connect_by_mode(c, o, t, e));
    c->connected = true;
    set_socket(c);
    ERR_TRY(set_session(c, e));
    ERR_TRY(mysql_conn_read_server(c, e));
    (void)snprintf(c->server.host, sizeof c->server.host, "%s",
                   t->socket != NULL ? t->socket : t->host);
    c->server.port = t->socket != NULL ? 0 : (uint16_t)t->port;
    return ask_acceptance(c, o, e);
}

static enum err_code open_one(const struct mysql_options *o, struct target *t,
                              struct mysql_conn **out, struct err *e)
{
    struct mysql_conn *c = calloc(1, sizeof *c);
    enum err_code rc = ERR_OK;

    if (c == NULL) {
        return err_nomem(e);
    }
    c->wake_fd = -1;
    if (or_null(o->password_command) != NULL) {
        rc = run_password_command(o->password_command, t, e);
    }
    if (rc == ERR_OK) {
        rc = open_and_ask(c, o, t, e);
    }

    if (rc == ERR_OK) {
        *out = c;
        return ERR_OK;
    }
    mysql_conn_close(c);
    if (rc != ERR_NOMEM && t->socket != NULL) {
        err_wrap(e, "source %s", t->socket);
    } else if (rc != ERR_NOMEM) {
        err_wrap(e, strchr(t->host, ':') == NULL ? "source %s:%u" : "source [%s]:%u", t->host,
                 t->port);
    }
    return rc;
}

/* Adds what was wrong with one more host. */
static void add_reason(struct err *all, const struct err *one)
{
    size_t len = strlen(all->msg);
    bool retryable = all->retryable || one->retryable;

    if (len == 0) {
        *all = *one;
        return;
    }
    all->code = all->code == one->code ? all->code : ERR_SOURCE;
    all->source_errno = all->source_errno == one->source_errno ? all->source_errno : 0;
    all->retryable = retryable;
    (void)snprintf(all->msg + len, sizeof all->msg - len, "; %s", one->msg);
}

/* Where there are more, none may take all the room. */
static void cut_reason(struct err *one, size_t share)
{
    if (strlen(one->msg) >= share) {
        size_t len = share - strlen("...") - 1;

        while (len > 0 && ((uint8_t)one->msg[len] & 0xc0) == 0x80) {
            len--;
        }
        memcpy(one->msg + len, "...", sizeof "...");
    }
}

static enum err_code count_hosts(const char *list, unsigned *count, struct err *e)
{
    struct host host;
    bool found;

    *count = 0;
    for (;;) {
        ERR_TRY(host_list_next(&list, &host, &found, e));
        if (!found) {
            return ERR_OK;
        }
        (*count)++;
    }
}

static enum err_code open_first(const struct mysql_options *o, struct target *t,
                                struct mysql_conn **out, struct err *e)
{
    const char *rest = t->host;
    unsigned port = t->port;
    unsigned count;
    struct host host;
    struct err all = {0};
    bool found;

    ERR_TRY(count_hosts(rest, &count, e));
    size_t share = sizeof all.msg / (count == 0 ? 1 : count);

    for (;;) {
        struct err one = {0};

        ERR_TRY(host_list_next(&rest, &host, &found, e));
        if (!found) {
            break;
        }
        if (o->gives_up != NULL && o->gives_up(o->ctx)) {
            return err_set(e, ERR_CANCELLED, "interrupted");
        }
        t->host = host.name;
        t->port = host.port == 0 ? port : host.port;
        enum err_code rc = open_one(o, t, out, &one);

        if (rc == ERR_OK) {
            return ERR_OK;
        }
        if (rc == ERR_NOMEM || rc == ERR_CANCELLED) {
            all = one;
            break;
        }
        cut_reason(&one, share);
        add_reason(&all, &one);
    }
    if (e != NULL) {
        *e = all;
    }
    return all.code;
}

enum err_code mysql_conn_open(const struct mysql_options *options, struct mysql_conn **out,
                              struct err *e)
{
    struct target t;
    enum err_code rc = find_target(options, &t, e);

    if (rc == ERR_OK) {
        rc = t.socket != NULL ? open_one(options, &t, out, e) : open_first(options, &t, out, e);
    }
    forget_password(&t);
    if (t.file != NULL) {
        mysql_close(t.file);
    }
    return rc;
}

void mysql_conn_close(struct mysql_conn *c)
{
    if (c == NULL) {
        return;
    }
    if (c->mysql != NULL) {
        mysql_close(c->mysql);
    }
    if (c->wake_fd >= 0) {
        (void)close(c->wake_fd);
    }
    free(c);
}

const struct mysql_server *mysql_conn_server(const struct mysql_conn *c)
{
    return &c->server;
}

void mysql_conn_interrupt(struct mysql_conn *c)
{
    (void)shutdown(c->wake_fd, SHUT_RDWR);
}
