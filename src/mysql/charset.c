#include "mysql/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/str.h"
#include "mysql/charset_int.h"

#define BAD_BYTES_SHOWN 8

const struct charset *charset_find(const char *name)
{
    for (size_t i = 0; i < charset_list_count; i++) {
        if (str_ieq(charset_list[i].name, name)) {
            return &charset_list[i];
        }
    }
    return NULL;
}

const char *charset_name(const struct charset *cs)
{
    return cs->name;
}

bool charset_is_utf8mb(const struct charset *cs)
{
    return cs->kind == CHARSET_UTF8;
}

bool charset_is_binary(const struct charset *cs)
{
    return cs->kind == CHARSET_BINARY;
}

bool charset_same(const char *a, const char *b)
{
    static const char old[] = "utf8";
    static const char now[] = "utf8mb3";

    return str_ieq(str_ieq(a, old) ? now : a, str_ieq(b, old) ? now : b);
}

bool charset_has_ascii(const struct charset *cs)
{
    switch (cs->kind) {
    case CHARSET_UTF8:
    case CHARSET_ASCII:
    case CHARSET_BINARY:
    case CHARSET_MULTI_BYTE:
        return true;
    case CHARSET_SINGLE_BYTE:
        return cs->low == NULL;
    case CHARSET_UCS2:
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
    case CHARSET_UTF32:
        return false;
    }
    return false;
}

/* How many bytes from the start are below 0x80. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
    size_t i = 0;
    uint64_t w;

    for (; len - i >= sizeof w; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        if ((w & 0x8080808080808080u) != 0) {
            break;
        }
    }
    while (i < len && p[i] < 0x80) {
        i++;
    }
    return i;
}

bool charset_is_ascii_text(struct span text)
{
    return ascii_run(text.data, text.len) == text.len;
}

void charset_converter_init(struct charset_converter *c)
{
    *c = (struct charset_converter){{NULL}};
}

void charset_converter_deinit(struct charset_converter *c)
{
    for (size_t i = 0; i < CHARSET_ICONV_SLOTS; i++) {
        if (c->iconv[i] != NULL) {
            (void)iconv_close((iconv_t)c->iconv[i]);
            c->iconv[i] = NULL;
        }
    }
}

static enum err_code bad_bytes(const struct charset *cs, struct span text, size_t at, struct err *e)
{
    char hex[2 * BAD_BYTES_SHOWN + 1];
    size_t shown = text.len - at < BAD_BYTES_SHOWN ? text.len - at : BAD_BYTES_SHOWN;

    str_hex(hex, text.data + at, shown);
    return err_set(e, ERR_CORRUPT, "not valid %s from byte %zu of %zu on: 0x%s%s", cs->name, at,
                   text.len, hex, shown < text.len - at ? "..." : "");
}

enum err_code charset_bad_utf8(const struct charset *cs, struct span text, struct err *e)
{
    size_t at = 0;
    size_t good = 0;

    if (cs->kind == CHARSET_ASCII) {
        return bad_bytes(cs, text, ascii_run(text.data, text.len), e);
    }
    /* Only on the way out, so the plain search will do: the longest valid start, by whole
     * characters. */
    while (at < text.len) {
        size_t next = at + 1;

        while (next < text.len && (text.data[next] & 0xc0) == 0x80) {
            next++;
        }
        if (!str_is_utf8(span_of(text.data + at, next - at))) {
            break;
        }
        at = next;
        good = at;
    }
    return bad_bytes(cs, text, good, e);
}

/* At most 4 bytes; returns how many. */
static size_t put_utf8(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

static enum err_code single_byte(const struct charset *cs, struct span text, struct buf *out,
                                 struct err *e)
{
    uint8_t *start = buf_reserve(out, charset_utf8_bytes_max(text.len));
    uint8_t *p = start;

    if (p == NULL) {
        return buf_check(out, e, "text");
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t b = text.data[i];
        const uint16_t *table = b < 0x80 ? cs->low : cs->high;

        if (b < 0x80 && table == NULL) {
            *p++ = b;
            continue;
        }
        uint32_t c = table == NULL ? 0 : table[b & 0x7f];
        if (c == 0 && b != 0) {
            return bad_bytes(cs, text, i, e);
        }
        p += put_utf8(p, c);
    }
    out->len += (size_t)(p - start);
    return ERR_OK;
}

/* One character of a wide charset; false when it is cut or not one. */
static bool read_wide(const struct charset *cs, struct bytes_reader *in, uint32_t *out)
{
    uint32_t c = 0;

    if (cs->kind == CHARSET_UTF32) {
        c = (uint32_t)bytes_uint_be(in, 4);
    } else if (cs->kind == CHARSET_UTF16LE) {
        c = bytes_u16le(in);
    } else {
        c = (uint32_t)bytes_uint_be(in, 2);
    }
    if (c >= 0xd800 && c < 0xdc00 && (cs->kind == CHARSET_UTF16 || cs->kind == CHARSET_UTF16LE)) {
        uint32_t low =
            cs->kind == CHARSET_UTF16LE ? bytes_u16le(in) : (uint32_t)bytes_uint_be(in, 2);

        if (low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
    }
    *out = c;
    return !bytes_failed(in) && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static enum err_code wide(const struct charset *cs, struct span text, struct buf *out,
                          struct err *e)
{
    struct bytes_reader in;
    uint8_t *start = buf_reserve(out, charset_utf8_bytes_max(text.len));
    uint8_t *p = start;

    if (p == NULL) {
        return buf_check(out, e, "text");
    }
    bytes_reader_init(&in, text);
    while (bytes_left(&in) > 0) {
        size_t at = bytes_offset(&in);
        uint32_t c;

        if (!read_wide(cs, &in, &c)) {
            return bad_bytes(cs, text, at, e);
        }
        p += put_utf8(p, c);
    }
    out->len += (size_t)(p - start);
    return ERR_OK;
}

/* Bytes of the character at p, which is not ASCII; 0 when it is cut. */
static size_t character_bytes(enum charset_lead lead, const uint8_t *p, size_t left)
{
    size_t n = 2;

    switch (lead) {
    case CHARSET_LEAD_DOUBLE:
        break;
    case CHARSET_LEAD_SJIS:
        n = p[0] >= 0xa1 && p[0] <= 0xdf ? 1 : 2;
        break;
    case CHARSET_LEAD_EUCJP:
        n = p[0] == 0x8f ? 3 : 2;
        break;
    case CHARSET_LEAD_GB18030:
        n = left > 1 && p[1] >= '0' && p[1] <= '9' ? 4 : 2;
        break;
    }
    return n <= left ? n : 0;
}

/* The character that code stands for when iconv has it differently; 0 when it has not. */
static uint32_t find_remap(const struct charset *cs, const uint8_t *p, size_t n)
{
    uint32_t code = 0;
    size_t low = 0;
    size_t high = cs->remap_count;

    for (size_t i = 0; i < n; i++) {
        code = code << 8 | p[i];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct charset_remap *r = &cs->remaps[middle];

        if (code < r->code) {
            high = middle;
        } else if (code - r->code >= r->count) {
            low = middle + 1;
        } else {
            return r->character + (code - r->code);
        }
    }
    return 0;
}

static enum err_code open_iconv(const struct charset *cs, struct charset_converter *c,
                                struct err *e)
{
    if (c->iconv[cs->iconv_slot] != NULL) {
        return ERR_OK;
    }
    iconv_t cd = iconv_open("UTF-8", cs->iconv_name);

    if ((intptr_t)cd == -1) {
        return errno == ENOMEM
                   ? err_nomem(e)
                   : err_set(e, ERR_UNSUPPORTED, "charset %s: this system's iconv has no %s",
                             cs->name, cs->iconv_name);
    }
    c->iconv[cs->iconv_slot] = (void *)cd;
    return ERR_OK;
}

enum err_code charset_check(const struct charset *cs, struct charset_converter *c, struct err *e)
{
    return cs->kind == CHARSET_MULTI_BYTE ? open_iconv(cs, c, e) : ERR_OK;
}

/* text[from, to) through iconv, which out has room for. */
static enum err_code through_iconv(const struct charset *cs, struct charset_converter *c,
                                   struct span text, size_t from, size_t to, struct buf *out,
                                   struct err *e)
{
    if (from == to) {
        return ERR_OK;
    }
    iconv_t cd = (iconv_t)c->iconv[cs->iconv_slot];
    /* iconv(3) only reads its input, its prototype forgets to say so. */
    union {
        const uint8_t *in;
        char *iconv;
    } at = {.in = text.data + from};
    size_t left = to - from;
    char *p = (char *)out->data + out->len;
    size_t room = out->cap - out->len;

    while (left > 0) {
        if (iconv(cd, &at.iconv, &left, &p, &room) == (size_t)-1 || left > 0) {
            (void)iconv(cd, NULL, NULL, NULL, NULL);
            return bad_bytes(cs, text, to - left, e);
        }
    }
    (void)iconv(cd, NULL, NULL, &p, &room);
    out->len = (size_t)(p - (char *)out->data);
    return ERR_OK;
}

/* ASCII is not left to iconv, which has a yen sign in SJIS. */
static void copy_ascii(const uint8_t *p, size_t n, struct buf *out)
{
    memcpy(out->data + out->len, p, n);
    out->len += n;
}

static enum err_code multi_byte(const struct charset *cs, struct charset_converter *c,
                                struct span text, struct buf *out, struct err *e)
{
    size_t from = 0; /* not converted yet */
    size_t at = 0;

    ERR_TRY(open_iconv(cs, c, e));
    /* A remapped character takes at most three bytes for two, too. */
    if (buf_reserve(out, charset_utf8_bytes_max(text.len)) == NULL) {
        return buf_check(out, e, "text");
    }
    while (at < text.len) {
        const uint8_t *p = text.data + at;
        bool ascii = *p < 0x80;
        size_t n =
            ascii ? ascii_run(p, text.len - at) : character_bytes(cs->lead, p, text.len - at);

        if (n == 0) {
            return bad_bytes(cs, text, at, e);
        }
        uint32_t character = ascii ? 0 : find_remap(cs, p, n);
        if (ascii || character != 0) {
            ERR_TRY(through_iconv(cs, c, text, from, at, out, e));
            from = at + n;
        }
        if (ascii) {
            copy_ascii(p, n, out);
        } else if (character != 0) {
            out->len += put_utf8(out->data + out->len, character);
        }
        at += n;
    }
    return through_iconv(cs, c, text, from, at, out, e);
}

enum err_code charset_to_utf8(const struct charset *cs, struct charset_converter *c,
                              struct span text, struct buf *out, struct err *e)
{
    switch (cs->kind) {
    case CHARSET_UTF8:
        if (!str_is_utf8(text)) {
            return charset_bad_utf8(cs, text, e);
        }
        break;
    case CHARSET_ASCII:
        if (!charset_is_ascii_text(text)) {
            return charset_bad_utf8(cs, text, e);
        }
        break;
    case CHARSET_BINARY:
        break;
    case CHARSET_SINGLE_BYTE:
        return single_byte(cs, text, out, e);
    case CHARSET_MULTI_BYTE:
        return multi_byte(cs, c, text, out, e);
    case CHARSET_UCS2:
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
    case CHARSET_UTF32:
        return wide(cs, text, out, e);
    }
    buf_append_span(out, text);
    return buf_check(out, e, "text");
}
