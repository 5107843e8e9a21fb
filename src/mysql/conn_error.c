/* The library's and the server's error numbers: which are worth another try, and what to do. */
#include <errmsg.h>
#include <mysqld_error.h>

#include "mysql/conn_int.h"

enum {
    SECURE_TRANSPORT_REQUIRED = 3159, /* ER_SECURE_TRANSPORT_REQUIRED of MySQL */
    ACCOUNT_LOCKED_MYSQL = 3118,
    CONNECTION_KILLED_MARIADB = 1927,
};

#define NOT_REACHED                                                                              \
    "does the server run, does it listen on this address (bind_address), does a firewall stand " \
    "between?"

struct advice {
    unsigned source_errno;
    bool retryable;
    const char *part; /* of the error's text; NULL: any */
    const char *text;
};

/* The first that fits counts. */
static const struct advice advices[] = {
    {ER_ACCESS_DENIED_ERROR, false, NULL,
     "check mysql.user and mysql.password, that the account may come from this machine, and "
     "whether it requires TLS (mysql.tls) or a second factor (which cannot be given here)"},
    {ER_DBACCESS_DENIED_ERROR, false, NULL, "GRANT SELECT on this schema to the account"},
    {ER_TABLEACCESS_DENIED_ERROR, false, NULL, "GRANT SELECT on this table to the account"},
    {ER_COLUMNACCESS_DENIED_ERROR, false, NULL, "GRANT SELECT on the whole table to the account"},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, false, "REPLICATION CLIENT",
     "GRANT REPLICATION CLIENT ON *.* TO the account"},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, false, "REPLICATION SLAVE",
     "GRANT REPLICATION SLAVE ON *.* TO the account"},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, false, "BINLOG MONITOR",
     "GRANT BINLOG MONITOR ON *.* TO the account"},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, false, NULL, "GRANT the privilege named to the account"},
    {ER_HOST_NOT_PRIVILEGED, false, NULL, "create the account for this machine's address"},
    {ER_HOST_IS_BLOCKED, false, NULL, "run FLUSH HOSTS on the server"},
    {ER_CON_COUNT_ERROR, true, NULL, "the server has no connection left: raise max_connections"},
    {ER_TOO_MANY_USER_CONNECTIONS, true, NULL, "the account has no connection left"},
    {ER_NOT_SUPPORTED_AUTH_MODE, false, NULL,
     "change the account's authentication plugin, for example to caching_sha2_password"},
    {ER_MUST_CHANGE_PASSWORD_LOGIN, false, NULL, "the password has expired: set a new one"},
    {ER_MUST_CHANGE_PASSWORD, false, NULL, "the password has expired: set a new one"},
    {ACCOUNT_LOCKED_MYSQL, false, NULL, "unlock it: ALTER USER ... ACCOUNT UNLOCK"},
    {ER_ACCOUNT_HAS_BEEN_LOCKED, false, NULL, "unlock it: ALTER USER ... ACCOUNT UNLOCK"},
    {SECURE_TRANSPORT_REQUIRED, false, NULL,
     "the server takes only TLS connections: set mysql.tls to required, verify-ca or "
     "verify-identity"},
    {CR_SSL_CONNECTION_ERROR, false, "server does not support it",
     "switch TLS on in the server, or set mysql.tls to preferred or disabled"},
    {CR_SSL_CONNECTION_ERROR, false, "Validation of SSL server certificate failed",
     "the certificate is made for another name: connect by its name, or set mysql.tls to "
     "verify-ca"},
    {CR_SSL_CONNECTION_ERROR, false, "no certificate or crl found",
     "mysql.tls-ca is not a file with certificates (PEM)"},
    {CR_SSL_CONNECTION_ERROR, false, "certificate has expired",
     "the server's certificate, or one above it, is past its end: renew it on the server"},
    {CR_SSL_CONNECTION_ERROR, false, "certificate is not yet valid",
     "the server's certificate begins in the future: look at the clocks of both machines"},
    {CR_SSL_CONNECTION_ERROR, false, "certificate revoked",
     "the server's certificate was revoked: renew it on the server"},
    {CR_SSL_CONNECTION_ERROR, false, "alert",
     "the server refuses us: does it want a client certificate (mysql.tls-cert, mysql.tls-key), of "
     "an authority it knows?"},
    {CR_SSL_CONNECTION_ERROR, false, "too small",
     "a key or a hash in the server's certificates is too weak for this machine: renew them"},
    {CR_SSL_CONNECTION_ERROR, false, "too weak",
     "a key or a hash in the server's certificates is too weak for this machine: renew them"},
    {CR_SSL_CONNECTION_ERROR, false, "unsupported protocol",
     "the server has no TLS version that this machine accepts (1.2 or later)"},
    {CR_SSL_CONNECTION_ERROR, false, "certificate",
     "the server's certificate is not signed by an authority known here: name it by mysql.tls-ca, "
     "or "
     "set mysql.tls to required without mysql.tls-ca to go on unchecked"},
    {CR_SSL_CONNECTION_ERROR, true, "timed out", NULL},
    {CR_SSL_CONNECTION_ERROR, true, "reset by peer", NULL},
    {CR_SSL_CONNECTION_ERROR, true, "unexpected eof", NULL},
    {CR_SSL_CONNECTION_ERROR, false, NULL, "check mysql.tls-ca, mysql.tls-cert and mysql.tls-key"},
    {CR_PLUGIN_NOT_ALLOWED, false, NULL,
     "the server asks for the password in clear text, which calve sends over TLS only: set "
     "mysql.tls to required (better verify-ca), or change the account's authentication plugin"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, false, "parsec",
     "the client library has no parsec: change the account's plugin, for example to ed25519"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, false, NULL,
     "the client library has no such authentication plugin: install it, or change the account's "
     "plugin"},
    {CR_UNKNOWN_HOST, true, NULL, "check mysql.host"},
    {CR_CONNECTION_ERROR, true, "socket", "does the server run, and is this its socket?"},
    {CR_CONNECTION_ERROR, true, NULL, NOT_REACHED},
    {CR_CONN_HOST_ERROR, true, NULL, NOT_REACHED},
    {ER_SERVER_SHUTDOWN, true, NULL, "the server is shutting down"},
    {CR_SERVER_GONE_ERROR, true, NULL, NULL},
    {CR_SERVER_LOST, true, NULL, NULL},
    {CR_SERVER_LOST_EXTENDED, true, NULL, NULL},
    {CR_IPSOCK_ERROR, true, NULL, NULL},
    {ER_NET_READ_ERROR_FROM_PIPE, true, NULL, NULL},
    {ER_NET_READ_ERROR, true, NULL, NULL},
    {ER_NET_READ_INTERRUPTED, true, NULL, NULL},
    {ER_NET_ERROR_ON_WRITE, true, NULL, NULL},
    {ER_NET_WRITE_INTERRUPTED, true, NULL, NULL},
    {ER_NET_PACKETS_OUT_OF_ORDER, true, NULL, NULL},
    {CONNECTION_KILLED_MARIADB, true, NULL, NULL},
    {ER_LOCK_WAIT_TIMEOUT, true, NULL, NULL},
    {ER_LOCK_DEADLOCK, true, NULL, NULL},
};

static const struct advice *find_advice(unsigned number, const char *text)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].source_errno == number &&
            (advices[i].part == NULL || strstr(text, advices[i].part) != NULL)) {
            return &advices[i];
        }
    }
    return NULL;
}

/*
 * The number of an error that came before TLS could start: the library has it only in its text, "
 * ... cannot be verified: 1040 - Too many connections". 0: it is no such error.
 */
static unsigned number_before_tls(unsigned number, const char *text)
{
    static const char mark[] = "cannot be verified: ";
    const char *at = number == CR_CONNECTION_ERROR ? strstr(text, mark) : NULL;
    unsigned found = 0;

    for (at = at == NULL ? "" : at + strlen(mark); *at >= '0' && *at <= '9' && found < 100000;
         at++) {
        found = found * 10 + (unsigned)(*at - '0');
    }
    return found;
}

/* The library's own text names the plugin out of memory that holds something else by then. */
static enum err_code refused_plugin(const struct mysql_conn *c, const char *doing, struct err *e)
{
    (void)err_set(e, ERR_SOURCE,
                  c->private ? "%s: the account's authentication plugin is none that is used here: "
                               "change it, for example to caching_sha2_password (error %u)"
                             : "%s: the server asks for an authentication plugin that is not used "
                               "without TLS, such as those that send the password in clear text: "
                               "set mysql.tls to required, verify-ca or verify-identity, or change "
                               "the account's plugin (error %u)",
                  doing, (unsigned)CR_PLUGIN_NOT_ALLOWED);
    if (e != NULL) {
        e->source_errno = CR_PLUGIN_NOT_ALLOWED;
    }
    return ERR_SOURCE;
}

enum err_code mysql_conn_error(struct mysql_conn *c, const char *doing, struct err *e)
{
    unsigned number = mysql_errno(c->mysql);
    const char *text = mysql_error(c->mysql);
    bool network = number == CR_SSL_CONNECTION_ERROR && c->connected;
    unsigned before_tls = number_before_tls(number, text);
    const struct advice *found =
        network ? NULL : find_advice(before_tls != 0 ? before_tls : number, text);
    bool retryable = network || (found != NULL && found->retryable);
    bool explained = found != NULL && found->text != NULL;
    enum err_code code = retryable ? ERR_IO : ERR_SOURCE;

    if (number == CR_OUT_OF_MEMORY) {
        return err_nomem(e);
    }
    if (number == CR_PLUGIN_NOT_ALLOWED) {
        return refused_plugin(c, doing, e);
    }
    (void)err_set(e, code, "%s: %s (error %u)%s%s", doing, text, number, explained ? "; " : "",
                  explained ? found->text : "");
    if (e != NULL) {
        e->source_errno = number;
        e->retryable = retryable;
    }
    return code;
}
