/*
 * url_shown.h - what may be seen of a URL: no user and password, no query, as keys may be in them.
 *
 * Thread: any.
 */
#ifndef CALVE_APP_URL_SHOWN_H
#define CALVE_APP_URL_SHOWN_H

#include "base/buf.h"

/* Where a text that holds a URL, well-formed or not, may have secrets. Spans point into the text.
 */
struct url_secrets {
    struct span user; /* user and password, up to their '@' */
    struct span tail; /* behind the '?', ';' or '#' */
};

struct url_secrets url_secrets(const char *text);

/* Appends the URL with *** for each of them. */
void url_put_shown(struct buf *out, const char *text);

#endif
