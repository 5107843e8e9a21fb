/* The minifier and base64: the first byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/base64.h"
#include "codec/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Minified text is its own minified form, and no longer. */
static void minify(struct span in)
{
    struct buf once = {0};
    struct buf twice = {0};

    json_put_minified(&once, in);
    json_put_minified(&twice, buf_span(&once));
    if (once.len > in.len || !span_eq(buf_span(&once), buf_span(&twice))) {
        abort();
    }
    buf_deinit(&once);
    buf_deinit(&twice);
}

/* Base64 that is accepted is what encoding gives. */
static void decode(struct span in)
{
    struct buf bytes = {0};
    struct buf text = {0};

    if (base64_decode(in, &bytes, NULL) == ERR_OK) {
        base64_encode(buf_span(&bytes), &text);
        if (!span_eq(buf_span(&text), in)) {
            abort();
        }
    } else if (bytes.len != 0) {
        abort();
    }
    buf_deinit(&bytes);
    buf_deinit(&text);
}

/* A string without its quotes and escapes is as long as what went in. */
static void quote(struct span in)
{
    struct buf out = {0};
    size_t bytes = 0;

    json_put_string(&out, in);
    for (size_t i = 1; i + 1 < out.len; i++, bytes++) {
        if (out.data[i] < 0x20 || out.data[i] == '"') {
            abort();
        }
        if (out.data[i] == '\\') {
            i += out.data[i + 1] == 'u' ? 5 : 1;
        }
    }
    if (bytes != in.len) {
        abort();
    }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span in = span_of(data + 1, size - 1);

    switch (data[0] % 3) {
    case 0:
        minify(in);
        break;
    case 1:
        decode(in);
        break;
    default:
        quote(in);
        break;
    }
    return 0;
}
