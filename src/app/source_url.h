/*
 * source_url.h - mysql://user:password@host:port,host:port/?socket=PATH&tls=MODE.
 *
 * mariadb:// means the same. User, password, host and parameters may be percent-encoded (RFC 3986);
 * an IPv6 address stands in brackets.
 *
 * Owns:   the parts live in the arena given. Thread: any.
 */
#ifndef CALVE_APP_SOURCE_URL_H
#define CALVE_APP_SOURCE_URL_H

#include "base/arena.h"

/* Parts that the URL does not have are NULL. */
struct source_url {
    const char *host; /* of several hosts the list, with their ports (mysql/host_list.h) */
    const char *port; /* decimal digits */
    const char *user;
    const char *password;
    const char *socket;
    const char *tls;
};

/* Errors: ERR_CONFIG; the message never quotes the URL, which may hold a password. */
MUST_USE enum err_code source_url_parse(const char *text, struct arena *arena,
                                        struct source_url *out, struct err *e);

/*
 * Where the password is in anything that holds a URL with one, well-formed or not: an offset and
 * its length. False when there is none.
 */
bool source_url_password_at(const char *text, size_t *offset, size_t *len);

/* The URL with *** for its password; NULL when the arena is full. */
char *source_url_masked(const char *text, struct arena *arena);

#endif
