#include "mysql/xid.h"

#include "base/str.h"

#define PART_BYTES_MAX 64u /* gtrid, and bqual */

static bool skip_char(struct bytes_reader *in, char c)
{
    if (bytes_left(in) == 0 || *in->at != (uint8_t)c) {
        return false;
    }
    bytes_skip(in, 1);
    return true;
}

static void skip_blanks(struct bytes_reader *in)
{
    while (skip_char(in, ' ')) {
    }
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The bytes for which `is` holds. */
static struct span take_while(struct bytes_reader *in, bool (*is)(uint8_t c))
{
    struct bytes_reader look = *in;
    size_t len = 0;

    while (bytes_left(&look) > 0 && is(*look.at)) {
        bytes_skip(&look, 1);
        len++;
    }
    return bytes_span(in, len);
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* X'..' to bytes behind those that `out` has already. */
static bool read_hex(struct bytes_reader *in, struct xid *out, size_t at, uint8_t *part_bytes)
{
    size_t len = 0;

    if ((!skip_char(in, 'X') && !skip_char(in, 'x')) || !skip_char(in, '\'')) {
        return false;
    }
    while (!skip_char(in, '\'')) {
        int high = hex_digit(bytes_u8(in));
        int low = hex_digit(bytes_u8(in));

        if (bytes_failed(in) || high < 0 || low < 0 || len == PART_BYTES_MAX) {
            return false;
        }
        out->data[at + len++] = (uint8_t)(high << 4 | low);
    }
    *part_bytes = (uint8_t)len;
    return true;
}

/* Servers print the number with or without a sign; its low 32 bits are what events have. */
static bool read_format(struct bytes_reader *in, struct xid *out)
{
    bool minus = skip_char(in, '-');
    uint64_t v;

    if (!str_to_u64(take_while(in, is_digit), &v)) {
        return false;
    }
    out->format_id = (int32_t)(uint32_t)(minus ? 0 - v : v);
    return true;
}

static bool read_xid(struct bytes_reader *in, struct xid *out)
{
    *out = (struct xid){0};
    return read_hex(in, out, 0, &out->gtrid_bytes) && skip_char(in, ',') &&
           read_hex(in, out, out->gtrid_bytes, &out->bqual_bytes) && skip_char(in, ',') &&
           read_format(in, out);
}

static bool read_verb(struct bytes_reader *in, enum xa_verb *out)
{
    static const struct {
        const char *word;
        enum xa_verb verb;
    } verbs[] = {
        {"START", XA_START},     {"BEGIN", XA_START},   {"END", XA_END},
        {"PREPARE", XA_PREPARE}, {"COMMIT", XA_COMMIT}, {"ROLLBACK", XA_ROLLBACK},
    };
    struct span word = take_while(in, is_letter);

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (span_ieq_str(word, verbs[i].word)) {
            *out = verbs[i].verb;
            return true;
        }
    }
    return false;
}

enum err_code xid_parse_statement(struct span sql, enum xa_verb *verb, struct xid *out,
                                  struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, sql);
    skip_blanks(&in);
    bool known = span_ieq_str(take_while(&in, is_letter), "XA");

    skip_blanks(&in);
    known = known && read_verb(&in, verb);
    skip_blanks(&in);
    known = known && read_xid(&in, out);
    skip_blanks(&in);
    if (!known || bytes_left(&in) > 0) {
        return err_set(e, ERR_CORRUPT, "an XA statement of a form that no server writes: %.*s",
                       sql.len > 300 ? 300 : (int)sql.len, (const char *)sql.data);
    }
    return ERR_OK;
}

enum err_code xid_parse(struct span text, struct xid *out, struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, text);
    return read_xid(&in, out) && bytes_left(&in) == 0
               ? ERR_OK
               : err_set(e, ERR_CORRUPT, "'%.*s' is no XA transaction's name",
                         text.len > 300 ? 300 : (int)text.len, (const char *)text.data);
}

bool xid_equal(const struct xid *a, const struct xid *b)
{
    return a->format_id == b->format_id && a->gtrid_bytes == b->gtrid_bytes &&
           a->bqual_bytes == b->bqual_bytes &&
           memcmp(a->data, b->data, (size_t)a->gtrid_bytes + a->bqual_bytes) == 0;
}

void xid_print(const struct xid *x, char out[XID_TEXT_BYTES])
{
    char *at = out;

    *at++ = 'X';
    *at++ = '\'';
    str_hex(at, x->data, x->gtrid_bytes);
    at += (size_t)2 * x->gtrid_bytes;
    memcpy(at, "',X'", 4);
    at += 4;
    str_hex(at, x->data + x->gtrid_bytes, x->bqual_bytes);
    at += (size_t)2 * x->bqual_bytes;
    memcpy(at, "',", 2);
    at += 2;
    at[str_put_u64(at, (uint32_t)x->format_id)] = '\0';
}
