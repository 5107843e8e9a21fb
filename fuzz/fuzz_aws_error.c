/*
 * Error responses. First byte: x = XML, else JSON; second: the hundreds of the status; then header
 * lines "name: value\n", an empty line, and the body. What is read must be lines of text.
 */
#include <stdlib.h>

#include "aws/aws_int.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line without its end. */
static struct span take_line(struct span *rest)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    size_t used = end == NULL ? len : len + 1;
    struct span line = span_of(rest->data, len);

    *rest = span_of(rest->data + used, rest->len - used);
    return line;
}

/* Header values have no NUL, as they come from libcurl. */
static void put_headers(struct buf *out, struct span *rest)
{
    for (struct span line = take_line(rest); line.len > 0; line = take_line(rest)) {
        const uint8_t *colon = memchr(line.data, ':', line.len);

        if (colon == NULL || memchr(line.data, '\0', line.len) != NULL) {
            continue;
        }
        size_t name_len = (size_t)(colon - line.data);
        size_t value_at = name_len + 1 < line.len && colon[1] == ' ' ? name_len + 2 : name_len + 1;

        buf_append(out, line.data, name_len);
        buf_u8(out, '\0');
        buf_append(out, line.data + value_at, line.len - value_at);
        buf_u8(out, '\0');
    }
}

static void must_be_a_line(const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    if (len == room || !str_is_utf8(span_of(text, len))) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7f) {
            abort();
        }
    }
}

static void check(const struct http_response *r, bool is_error, const struct aws_error *x)
{
    int64_t date_s;
    const char *date = http_response_header(r, "date");

    if (is_error != (r->status >= 300) && r->status != 200) {
        abort();
    }
    must_be_a_line(x->code, sizeof x->code);
    must_be_a_line(x->message, sizeof x->message);
    must_be_a_line(x->region, sizeof x->region);
    must_be_a_line(x->request_id, sizeof x->request_id);
    (void)aws_error_code(x, aws_classify(x).class);
    if (aws_retry_after_us(r, 0) < 0) {
        abort();
    }
    if (date != NULL && aws_http_date(date, &date_s) && date_s < -INT64_C(62200000000)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response r = {0};
    struct aws_error x;

    if (size < 2) {
        return 0;
    }
    struct span rest = span_of(data + 2, size - 2);

    r.status = data[1] % 10 * 100;
    put_headers(&r.headers, &rest);
    buf_append_span(&r.body, rest);
    bool is_error = data[0] == 'x' ? aws_read_xml_error(&r, &x) : aws_read_json_error(&r, &x);

    check(&r, is_error, &x);
    http_response_deinit(&r);
    return 0;
}
