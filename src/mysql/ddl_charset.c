/* ddl_charset.c - names of charsets and collations in statements. */
#include "base/str.h"
#include "mysql/charset_int.h"
#include "mysql/ddl_int.h"

static const char utf8mb3[] = "utf8mb3";

bool ddl_accept_charset_words(struct ddl_parser *p)
{
    return ddl_accept(p, "CHARSET") || ddl_accept_two(p, "CHARACTER", "SET") ||
           ddl_accept_two(p, "CHAR", "SET");
}

/* The known charset of this name; NULL when there is none. */
static const char *find(struct span name)
{
    if (span_ieq_str(name, "utf8")) {
        return utf8mb3;
    }
    for (size_t i = 0; i < charset_list_count; i++) {
        if (span_ieq_str(name, charset_list[i].name)) {
            return charset_list[i].name;
        }
    }
    return NULL;
}

const char *ddl_read_charset_name(struct ddl_parser *p)
{
    const char *name = NULL;

    if (ddl_accept(p, "DEFAULT")) {
        return NULL;
    }
    if (ddl_is_name(p) || p->t.kind == DDL_TOKEN_STRING) {
        name = find(p->t.text);
    }
    if (name == NULL) {
        ddl_fail(p, "a charset that is known");
    }
    ddl_next(p);
    return name;
}

const char *ddl_read_collation(struct ddl_parser *p)
{
    struct span text = p->t.text;
    const char *name = NULL;

    if (ddl_accept(p, "DEFAULT")) {
        return NULL;
    }
    if (ddl_is_name(p) || p->t.kind == DDL_TOKEN_STRING) {
        const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, '_', text.len);
        struct span start = span_of(text.data, end == NULL ? text.len : (size_t)(end - text.data));

        /* MariaDB's collations that are there for every Unicode charset. */
        if (p->dialect->mariadb && span_ieq_str(start, "uca1400")) {
            ddl_next(p);
            return NULL;
        }
        name = find(start);
    }
    if (name == NULL) {
        ddl_fail(p, "a collation of a charset that is known");
    }
    ddl_next(p);
    return name;
}

uint32_t ddl_charset_max_bytes(const char *charset)
{
    const struct charset *cs = charset_find(charset);

    if (cs == NULL) {
        return 1;
    }
    switch (cs->kind) {
    case CHARSET_UTF8:
        return str_ieq(cs->name, "utf8mb4") ? 4 : 3;
    case CHARSET_UCS2:
        return 2;
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
    case CHARSET_UTF32:
        return 4;
    case CHARSET_ASCII:
    case CHARSET_BINARY:
    case CHARSET_SINGLE_BYTE:
        return 1;
    case CHARSET_MULTI_BYTE:
        break;
    }
    switch (cs->lead) {
    case CHARSET_LEAD_DOUBLE:
    case CHARSET_LEAD_SJIS:
        return 2;
    case CHARSET_LEAD_EUCJP:
        return 3;
    case CHARSET_LEAD_GB18030:
        return 4;
    }
    return 1;
}

uint32_t ddl_charset_min_bytes(const char *charset)
{
    const struct charset *cs = charset_find(charset);

    if (cs == NULL) {
        return 1;
    }
    switch (cs->kind) {
    case CHARSET_UCS2:
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
        return 2;
    case CHARSET_UTF32:
        return 4;
    case CHARSET_UTF8:
    case CHARSET_ASCII:
    case CHARSET_BINARY:
    case CHARSET_SINGLE_BYTE:
    case CHARSET_MULTI_BYTE:
        break;
    }
    return 1;
}

/* ---- repertoires ---- */

static void add_character(struct ddl_repertoire *r, uint32_t c)
{
    if (c < 0x10000) {
        r->bmp[c / 8] = (uint8_t)(r->bmp[c / 8] | 1u << c % 8);
    }
}

/* Takes a character and its bytes in the charset. */
typedef void code_sink(void *ctx, uint32_t character, struct span code);

struct code_reader {
    const struct charset *cs;
    struct charset_converter converter;
    struct buf text;
    enum err_code failed; /* not what is no character: what says nothing about it */
    code_sink *sink;
    void *ctx;
};

/* The character of some bytes in the charset, when they are one. */
static void read_code(struct code_reader *in, struct span code)
{
    uint32_t c = 0;

    buf_reset(&in->text);
    enum err_code rc = charset_to_utf8(in->cs, &in->converter, code, &in->text, NULL);

    if (rc == ERR_OK && ddl_next_character(buf_span(&in->text), &c) == in->text.len) {
        in->sink(in->ctx, c, code);
    } else if (rc != ERR_OK && rc != ERR_CORRUPT && in->failed == ERR_OK) {
        in->failed = rc;
    }
}

/* All codes of a charset of one or several bytes that are not ASCII. */
static enum err_code read_codes(const struct charset *cs, code_sink *sink, void *ctx)
{
    struct code_reader in = {.cs = cs, .sink = sink, .ctx = ctx};

    charset_converter_init(&in.converter);
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        bool three = cs->lead == CHARSET_LEAD_EUCJP && lead == 0x8f;
        uint8_t code[3] = {(uint8_t)lead, 0, 0};

        read_code(&in, span_of(code, 1));
        for (unsigned trail = 0x40; cs->kind == CHARSET_MULTI_BYTE && trail < 0xff; trail++) {
            code[1] = (uint8_t)trail;
            read_code(&in, span_of(code, 2));
            for (unsigned third = 0xa1; three && trail > 0xa0 && third < 0xff; third++) {
                code[2] = (uint8_t)third;
                read_code(&in, span_of(code, 3));
            }
        }
    }
    charset_converter_deinit(&in.converter);
    buf_deinit(&in.text);
    return in.failed;
}

static void add_to_repertoire(void *ctx, uint32_t c, struct span code)
{
    (void)code;
    add_character(ctx, c);
}

enum err_code ddl_repertoire_of(const char *charset, struct ddl_repertoire *out)
{
    const struct charset *cs = charset_find(charset);

    memset(out, 0, sizeof *out);
    for (uint32_t c = 0; c < 0x80; c++) {
        add_character(out, c);
    }
    if (cs == NULL || cs->kind == CHARSET_ASCII) {
        return ERR_OK;
    }
    if (cs->kind == CHARSET_SINGLE_BYTE) {
        for (size_t i = 0; i < 128 && cs->high != NULL; i++) {
            add_character(out, cs->high[i]);
        }
        for (size_t i = 0; i < 128 && cs->low != NULL; i++) {
            add_character(out, cs->low[i]);
        }
        return ERR_OK;
    }
    if (cs->kind == CHARSET_MULTI_BYTE && cs->lead != CHARSET_LEAD_GB18030) {
        return read_codes(cs, add_to_repertoire, out);
    }
    memset(out->bmp, 0xff, sizeof out->bmp);
    out->beyond = cs->kind != CHARSET_UCS2 && !str_ieq(cs->name, utf8mb3);
    return ERR_OK;
}

size_t ddl_next_character(struct span text, uint32_t *out)
{
    size_t len = str_utf8_char(text);

    if (len == 0) {
        return 0;
    }
    *out = len == 1 ? text.data[0] : text.data[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        *out = *out << 6 | (text.data[i] & 0x3fu);
    }
    return len;
}

bool ddl_repertoire_has(const struct ddl_repertoire *r, uint32_t c)
{
    return c < 0x10000 ? (r->bmp[c / 8] >> c % 8 & 1) != 0 : r->beyond;
}

/* ---- codes ---- */

#define SEVERAL_CODES UINT32_MAX

static void add_to_encoder(void *ctx, uint32_t c, struct span code)
{
    struct ddl_encoder *encoder = ctx;
    uint32_t number = 0;

    for (size_t i = 0; i < code.len; i++) {
        number = number << 8 | code.data[i];
    }
    if (c < 0x10000) {
        encoder->codes[c] = encoder->codes[c] == 0 ? number : SEVERAL_CODES;
    }
}

enum err_code ddl_encoder_of(const struct charset *cs, struct ddl_encoder *out)
{
    memset(out, 0, sizeof *out);
    if (cs->kind != CHARSET_SINGLE_BYTE &&
        (cs->kind != CHARSET_MULTI_BYTE || cs->lead == CHARSET_LEAD_GB18030)) {
        return ERR_UNSUPPORTED;
    }
    for (uint8_t b = 1; b < 0x80; b++) {
        add_to_encoder(out, cs->low == NULL ? b : cs->low[b], span_of(&b, 1));
    }
    enum err_code rc = read_codes(cs, add_to_encoder, out);

    if (rc != ERR_OK) {
        /* Some codes may have said nothing: then none is known to be the only one. */
        memset(out, 0, sizeof *out);
    }
    return rc;
}

bool ddl_encode(const struct ddl_encoder *encoder, struct span text, struct buf *out)
{
    while (text.len > 0) {
        uint32_t c = 0;
        size_t len = ddl_next_character(text, &c);
        uint32_t code = len == 0 || c > 0xffff ? 0 : encoder->codes[c];

        if (code == 0 || code == SEVERAL_CODES) {
            return false;
        }
        for (int shift = code > 0xffff ? 16 : (code > 0xff ? 8 : 0); shift >= 0; shift -= 8) {
            buf_u8(out, (uint8_t)(code >> shift));
        }
        text = span_of(text.data + len, text.len - len);
    }
    return true;
}

/* ---- names by version ---- */

#define MYSQL_SHOWS_UTF8MB3   80029u
#define MARIADB_SHOWS_UTF8MB3 100600u

const char *ddl_charset_shown(const struct ddl_dialect *dialect, const char *charset)
{
    unsigned since = dialect->mariadb ? MARIADB_SHOWS_UTF8MB3 : MYSQL_SHOWS_UTF8MB3;

    return charset != NULL && charset_same(charset, utf8mb3)
               ? (dialect->version_number < since ? "utf8" : utf8mb3)
               : charset;
}
