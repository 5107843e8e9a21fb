/*
 * xml.h - the texts of a small XML document, by the names of the elements around them.
 *
 * Over expat. Prefixes of names are cut off; attributes and mixed content are left out; a document
 * type (and with it entities) is refused, as is nesting beyond 32.
 *
 * Thread: any.
 */
#ifndef CALVE_NET_XML_H
#define CALVE_NET_XML_H

#include "base/buf.h"

struct xml_handler {
    /* An element opens; path is "ListBucketResult/Contents". May be NULL. */
    enum err_code (*open)(void *ctx, const char *path, struct err *e);
    /* It closes; text is all its text, blanks at both ends included, and "" when there were
     * elements inside. Both texts live during the call. May be NULL. */
    enum err_code (*close)(void *ctx, const char *path, const char *text, struct err *e);
    void *ctx;
};

/* Errors: ERR_CORRUPT with line and reason; ERR_LIMIT a text above 1 MiB; the handler's, which end
 *         the reading. */
MUST_USE enum err_code xml_parse(struct span document, const struct xml_handler *handler,
                                 struct err *e);

/* Appends text with &, <, >, quotes and carriage returns as entities. */
void xml_put_text(struct buf *out, const char *text);

#endif
