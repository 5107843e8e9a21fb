#include "net/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>

#define DEPTH_MAX      32u
#define PATH_BYTES_MAX ((size_t)16 << 10)
#define TEXT_BYTES_MAX ((size_t)1 << 20)

struct reading {
    XML_Parser parser;
    const struct xml_handler *handler;
    struct buf path;            /* "a/b" and a NUL that does not count */
    size_t starts[DEPTH_MAX];   /* of each open element in path: where to cut it when it closes */
    bool has_inside[DEPTH_MAX]; /* elements: its own text is then mixed content */
    uint32_t depth;
    struct buf text; /* of the innermost element */
    enum err_code rc;
    struct err *e;
};

static void stop(struct reading *r, enum err_code rc)
{
    r->rc = rc;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static unsigned long line_of(const struct reading *r)
{
    return (unsigned long)XML_GetCurrentLineNumber(r->parser);
}

static const char *without_prefix(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon == NULL ? name : colon + 1;
}

/* Calls of expat that come after the parser was told to stop do nothing. */
static bool stopped(const struct reading *r)
{
    return r->rc != ERR_OK;
}

/* The content as text; NULL and stopped when it has no room. */
static const char *text_of(struct reading *r, struct buf *b, const char *what)
{
    const char *text = buf_cstr(b);

    if (text == NULL) {
        enum err_code rc = buf_check(b, r->e, what);

        (void)err_wrap(r->e, "XML line %lu", line_of(r));
        stop(r, rc);
    }
    return text;
}

static void on_open(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = ctx;

    (void)attributes;
    if (stopped(r)) {
        return;
    }
    if (r->depth == DEPTH_MAX) {
        stop(r, err_set(r->e, ERR_CORRUPT, "XML line %lu: elements nest deeper than %u", line_of(r),
                        DEPTH_MAX));
        return;
    }
    if (r->depth > 0) {
        r->has_inside[r->depth - 1] = true;
    }
    r->starts[r->depth] = r->path.len;
    r->has_inside[r->depth] = false;
    if (r->depth > 0) {
        buf_u8(&r->path, '/');
    }
    buf_append_str(&r->path, without_prefix(name));
    r->depth++;
    buf_reset(&r->text);
    const char *path = text_of(r, &r->path, "the path of an element");

    if (path != NULL && r->handler->open != NULL) {
        enum err_code rc = r->handler->open(r->handler->ctx, path, r->e);

        if (rc != ERR_OK) {
            stop(r, rc);
        }
    }
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
    struct reading *r = ctx;

    if (stopped(r) || len <= 0 || r->depth == 0 || r->has_inside[r->depth - 1]) {
        return;
    }
    buf_append(&r->text, text, (size_t)len);
    (void)text_of(r, &r->text, "the text of an element");
}

static void on_close(void *ctx, const XML_Char *name)
{
    struct reading *r = ctx;

    (void)name;
    if (stopped(r) || r->depth == 0) {
        return;
    }
    if (r->has_inside[r->depth - 1]) {
        buf_reset(&r->text);
    }
    const char *path = text_of(r, &r->path, "the path of an element");
    const char *text = path == NULL ? NULL : text_of(r, &r->text, "the text of an element");

    if (text == NULL) {
        return;
    }
    if (r->handler->close != NULL) {
        enum err_code rc = r->handler->close(r->handler->ctx, path, text, r->e);

        if (rc != ERR_OK) {
            stop(r, rc);
            return;
        }
    }
    r->depth--;
    r->path.len = r->starts[r->depth];
    buf_reset(&r->text);
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_internal)
{
    struct reading *r = ctx;

    (void)name;
    (void)system;
    (void)public;
    (void)has_internal;
    if (!stopped(r)) {
        stop(r, err_set(r->e, ERR_CORRUPT, "XML line %lu: a document type is not accepted",
                        line_of(r)));
    }
}

static enum err_code run(struct reading *r, struct span document)
{
    static const char nothing[1] = "";
    const char *bytes = document.len == 0 ? nothing : (const char *)document.data;

    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_open, on_close);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status status = XML_Parse(r->parser, bytes, (int)document.len, XML_TRUE);

    if (stopped(r)) {
        return r->rc;
    }
    if (status != XML_STATUS_OK) {
        enum XML_Error code = XML_GetErrorCode(r->parser);

        return code == XML_ERROR_NO_MEMORY ? err_nomem(r->e)
                                           : err_set(r->e, ERR_CORRUPT, "XML line %lu: %s",
                                                     line_of(r), XML_ErrorString(code));
    }
    return ERR_OK;
}

enum err_code xml_parse(struct span document, const struct xml_handler *handler, struct err *e)
{
    /* Named, so that expat's memory is counted and failed like ours. */
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};

    if (document.len > INT_MAX) {
        return err_set(e, ERR_LIMIT, "an XML document of %zu bytes is too large", document.len);
    }
    struct reading r = {.handler = handler, .e = e};

    r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (r.parser == NULL) {
        return err_nomem(e);
    }
    buf_init(&r.path, PATH_BYTES_MAX);
    buf_init(&r.text, TEXT_BYTES_MAX);
    enum err_code rc = run(&r, document);

    buf_deinit(&r.path);
    buf_deinit(&r.text);
    XML_ParserFree(r.parser);
    return rc;
}

void xml_put_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '&':
            buf_append_str(out, "&amp;");
            break;
        case '<':
            buf_append_str(out, "&lt;");
            break;
        case '>':
            buf_append_str(out, "&gt;");
            break;
        case '"':
            buf_append_str(out, "&quot;");
            break;
        case '\'':
            buf_append_str(out, "&apos;");
            break;
        case '\r': /* as itself it would be read as a line feed */
            buf_append_str(out, "&#13;");
            break;
        default:
            buf_u8(out, (uint8_t)*p);
            break;
        }
    }
}
