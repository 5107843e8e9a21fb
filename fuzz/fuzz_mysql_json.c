/* Binary JSON: the text must be UTF-8, compact, and not out of proportion. */
#include <stdlib.h>

#include "base/str.h"
#include "codec/json_writer.h"
#include "mysql/json_binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    struct buf minified = {0};

    if (json_binary_to_text(span_of(data, size), &text, NULL) == ERR_OK) {
        json_put_minified(&minified, buf_span(&text));
        if (!str_is_utf8(buf_span(&text)) || !span_eq(buf_span(&text), buf_span(&minified))) {
            abort();
        }
    }
    if (text.len > 16 * size + 1024) {
        abort();
    }
    buf_deinit(&text);
    buf_deinit(&minified);
    return 0;
}
