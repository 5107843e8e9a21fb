/* XML: elements open and close in order, and a text that was read is written and read again. */
#include <stdlib.h>

#include "base/str.h"
#include "net/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf path; /* as opens and closes make it */
    unsigned depth;
    struct buf text; /* the last one that was not empty */
};

static enum err_code on_open(void *ctx, const char *path, struct err *e)
{
    struct seen *s = ctx;
    const char *before = buf_cstr(&s->path);

    (void)e;
    if (before == NULL || !str_starts_with(path, before) || ++s->depth > 32) {
        abort();
    }
    buf_reset(&s->path);
    buf_append_str(&s->path, path);
    return ERR_OK;
}

static enum err_code on_close(void *ctx, const char *path, const char *text, struct err *e)
{
    struct seen *s = ctx;

    (void)e;
    if (!span_eq_str(buf_span(&s->path), path) || s->depth == 0 || !str_is_utf8(span_str(text))) {
        abort();
    }
    s->depth--;
    while (s->path.len > 0 && s->path.data[s->path.len - 1] != '/') {
        s->path.len--;
    }
    s->path.len -= s->path.len > 0 ? 1 : 0;
    if (text[0] != '\0') {
        buf_reset(&s->text);
        buf_append_str(&s->text, text);
    }
    return ERR_OK;
}

static enum err_code compare(void *ctx, const char *path, const char *text, struct err *e)
{
    const struct seen *s = ctx;

    (void)path;
    (void)e;
    if (!span_eq_str(buf_span(&s->text), text)) {
        abort();
    }
    return ERR_OK;
}

/* What was read as a text can be written, and means the same. */
static void write_again(struct seen *s)
{
    struct xml_handler handler = {.close = compare, .ctx = s};
    const char *text = buf_cstr(&s->text);
    struct buf document = {0};

    buf_append_str(&document, "<a>");
    xml_put_text(&document, text == NULL ? "" : text);
    buf_append_str(&document, "</a>");
    if (xml_parse(buf_span(&document), &handler, NULL) != ERR_OK) {
        abort();
    }
    buf_deinit(&document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {0};
    struct xml_handler handler = {.open = on_open, .close = on_close, .ctx = &s};

    if (xml_parse(span_of(data, size), &handler, NULL) == ERR_OK) {
        if (s.depth != 0 || s.path.len != 0) {
            abort();
        }
        write_again(&s);
    }
    buf_deinit(&s.path);
    buf_deinit(&s.text);
    return 0;
}
