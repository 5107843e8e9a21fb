/*
 * uri.h - parts of a URI, and percent-encoding.
 *
 * Spec: RFC 3986.
 * Thread: any.
 */
#ifndef CALVE_NET_URI_H
#define CALVE_NET_URI_H

#include "base/buf.h"

/* Spans point into the text. Absent parts are empty; a fragment is left out. */
struct uri {
    struct span scheme;    /* as written */
    struct span authority; /* user, host and port */
    struct span host;      /* without the brackets of an IPv6 address */
    uint32_t port;         /* 0: not given */
    struct span path;      /* still encoded; with its first '/' */
    struct span query;     /* still encoded; without '?' */
};

/*
 * Errors: ERR_CONFIG no scheme, no host, a port that is none (nothing behind the ':' too), a blank
 *         or control character. The message leaves out user, password and query.
 */
MUST_USE enum err_code uri_parse(const char *text, struct uri *out, struct err *e);

/* 443, 80, or 0 for any other scheme. */
uint32_t uri_default_port(struct span scheme);

/* Appends text with all but unreserved characters (and '/' where keep_slash) as %XX, upper case. */
void uri_encode(struct buf *out, struct span text, bool keep_slash);

/* Appends text with each %XX resolved; false (and what came before appended) at a wrong one. */
bool uri_decode(struct buf *out, struct span text);

/* Appends "name=value", encoded, with '&' in front unless out is empty. */
void uri_put_query(struct buf *out, const char *name, const char *value);

#endif
