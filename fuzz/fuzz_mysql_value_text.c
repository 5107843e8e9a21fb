/* First byte: the column's type; second: its sizes; the rest: the text. */
#include <stdlib.h>

#include "base/str.h"
#include "mysql/value_text.h"

#define TYPES ((unsigned)COLUMN_TYPE_INET6 + 1u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct value *v, struct span text, const struct buf *scratch)
{
    bool has_bytes = v->kind == VALUE_NUMBER || v->kind == VALUE_DECIMAL || v->kind == VALUE_TEXT ||
                     v->kind == VALUE_BYTES || v->kind == VALUE_JSON || v->kind == VALUE_GEOMETRY;

    if (!has_bytes || v->u.bytes.len == 0) {
        return;
    }
    const uint8_t *end = v->u.bytes.data + v->u.bytes.len;
    bool in_text = v->u.bytes.data >= text.data && end <= text.data + text.len;
    bool in_scratch = scratch->data != NULL && v->u.bytes.data >= scratch->data &&
                      end <= scratch->data + scratch->len;

    if (!in_text && !in_scratch) {
        abort();
    }
    if (v->kind == VALUE_TEXT && !str_is_utf8(v->u.bytes)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *labels[] = {"a", "bc", "", "d"};
    struct column_def column = {.name = "c", .labels = labels, .charset = "utf8mb4"};
    struct buf scratch = {0};
    struct value v;

    if (size < 2) {
        return 0;
    }
    column.type = (enum column_type)(data[0] % TYPES);
    column.fsp = data[1] % 7;
    column.scale = data[1] % 31;
    column.precision = 65;
    column.length = data[1] % 65;
    column.label_count = 2 + (data[1] & 2);
    struct span text = span_of(data + 2, size - 2);

    if (buf_reserve(&scratch, value_text_scratch_bytes(text.len)) != NULL &&
        value_from_text(&column, text, &scratch, &v, NULL) == ERR_OK) {
        check(&v, text, &scratch);
    }
    buf_deinit(&scratch);
    return 0;
}
