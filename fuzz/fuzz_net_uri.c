/* URIs: the parts of one that is taken lie in it, in order; what is encoded is decoded the same. */
#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the text in front of the part; it is inside. */
static size_t place(const char *text, struct span part)
{
    size_t at = (size_t)(part.data - (const uint8_t *)text);

    if (at + part.len > strlen(text)) {
        abort();
    }
    return at;
}

static void parse(const char *text)
{
    struct uri u;
    struct err e = {0};

    if (uri_parse(text, &u, &e) != ERR_OK) {
        if (e.code != ERR_CONFIG || !str_is_utf8(span_str(e.msg))) {
            abort();
        }
        return;
    }
    if (place(text, u.scheme) != 0 || u.scheme.len == 0 || u.host.len == 0 || u.port > 65535 ||
        place(text, u.authority) != u.scheme.len + 3 ||
        place(text, u.host) < place(text, u.authority) ||
        place(text, u.path) != u.scheme.len + 3 + u.authority.len ||
        (u.path.len > 0 && u.path.data[0] != '/')) {
        abort();
    }
    if (u.query.len > 0 && place(text, u.query) != place(text, u.path) + u.path.len + 1) {
        abort();
    }
}

static void encode(struct span in, bool keep_slash)
{
    struct buf text = {0};
    struct buf back = {0};

    uri_encode(&text, in, keep_slash);
    if (!uri_decode(&back, buf_span(&text)) || !span_eq(buf_span(&back), in)) {
        abort();
    }
    buf_reset(&back);
    /* Whatever it gives, it is no longer than what went in. */
    (void)uri_decode(&back, in);
    if (back.len > in.len) {
        abort();
    }
    buf_deinit(&text);
    buf_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = str_ndup(data, size);

    if (text != NULL) {
        parse(text);
    }
    encode(span_of(data, size), false);
    encode(span_of(data, size), true);
    free(text);
    return 0;
}
