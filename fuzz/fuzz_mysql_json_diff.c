/*
 * Bytes 0 and 1: length of a document; the document; its diffs. What comes out must be UTF-8,
 * compact and not out of proportion, and without diffs the document's own text.
 */
#include <stdlib.h>

#include "base/str.h"
#include "codec/json_writer.h"
#include "mysql/json_binary.h"
#include "mysql/json_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct buf *text, size_t size)
{
    struct buf minified = {0};

    json_put_minified(&minified, buf_span(text));
    if (!str_is_utf8(buf_span(text)) || !span_eq(buf_span(text), buf_span(&minified)) ||
        text->len > 16 * size + 1024) {
        abort();
    }
    buf_deinit(&minified);
}

static void check_unchanged(struct span document, struct arena *scratch)
{
    struct buf plain = {0};
    struct buf same = {0};
    enum err_code a = json_binary_to_text(document, &plain, NULL);
    enum err_code b = json_diff_to_text(document, (struct span){NULL, 0}, scratch, &same, NULL);

    if (a != b || (a == ERR_OK && !span_eq(buf_span(&plain), buf_span(&same)))) {
        abort();
    }
    buf_deinit(&plain);
    buf_deinit(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes_reader in;
    struct buf text = {0};
    struct arena scratch;

    bytes_reader_init(&in, span_of(data, size));
    struct span document = bytes_span(&in, bytes_u16le(&in));

    if (bytes_failed(&in)) {
        return 0;
    }
    arena_init(&scratch, (size_t)64 << 20);
    if (json_diff_to_text(document, bytes_rest(&in), &scratch, &text, NULL) == ERR_OK) {
        check_text(&text, size);
    }
    check_unchanged(document, &scratch);
    arena_deinit(&scratch);
    buf_deinit(&text);
    return 0;
}
