/*
 * ddl_label.c - labels of ENUM and SET: those that a statement writes, and what CONVERT TO
 * CHARACTER SET makes of those that are there.
 */
#include <stdlib.h>

#include "base/str.h"
#include "mysql/charset_int.h"
#include "mysql/ddl_int.h"

static const char not_text[] = "a label is no text";

static enum err_code label_text(const struct ddl_label *label, const char *charset, struct buf *out,
                                struct err *e)
{
    const struct charset *cs = charset_find(charset);
    struct charset_converter converter;

    if (!label->raw || cs == NULL || label->text.len == 0) {
        buf_append_span(out, label->text);
        return buf_check(out, e, "labels");
    }
    struct buf padded = {0};
    uint32_t width = ddl_charset_min_bytes(charset);

    /* Servers fill up bytes that are too few for a character, in front. */
    if (label->text.len % width != 0) {
        buf_zeros(&padded, width - label->text.len % width);
    }
    buf_append_span(&padded, label->text);
    charset_converter_init(&converter);
    enum err_code rc = buf_check(&padded, e, "labels");

    if (rc == ERR_OK) {
        rc = charset_to_utf8(cs, &converter, buf_span(&padded), out, e);
    }
    charset_converter_deinit(&converter);
    buf_deinit(&padded);
    return rc;
}

/* Labels have no spaces at their end; those of the charset `binary` keep them. */
static void cut_spaces(struct buf *text)
{
    while (text->len > 0 && text->data[text->len - 1] == ' ') {
        text->len--;
    }
}

/* What the charset does not have becomes a question mark. */
static enum err_code fit(struct buf *text, const char *charset, struct ddl_repertoire **repertoire,
                         struct err *e)
{
    size_t out = 0;

    if (charset_is_ascii_text(buf_span(text))) {
        return ERR_OK;
    }
    if (*repertoire == NULL) {
        *repertoire = malloc(sizeof **repertoire);
        if (*repertoire == NULL) {
            return err_nomem(e);
        }
        enum err_code rc = ddl_repertoire_of(charset, *repertoire);

        if (rc != ERR_OK) {
            return err_set(e, rc, "charset %s: its characters cannot be told", charset);
        }
    }
    for (size_t at = 0; at < text->len;) {
        uint32_t c = 0;
        size_t len = ddl_next_character(span_of(text->data + at, text->len - at), &c);

        if (len > 0 && !ddl_repertoire_has(*repertoire, c)) {
            text->data[out++] = '?';
        } else {
            len = len == 0 ? 1 : len;
            memmove(text->data + out, text->data + at, len);
            out += len;
        }
        at += len;
    }
    text->len = out;
    return ERR_OK;
}

static enum err_code put_label_text(const struct ddl_label *label, const char *charset,
                                    struct ddl_repertoire **repertoire, struct buf *text,
                                    const char **why, struct err *e)
{
    enum err_code rc = label_text(label, charset, text, e);

    if (rc == ERR_OK && (!str_is_utf8(buf_span(text)) ||
                         (text->len > 0 && memchr(text->data, '\0', text->len) != NULL))) {
        rc = ERR_CORRUPT;
    }
    if (rc == ERR_OK && !str_ieq(charset, "binary")) {
        cut_spaces(text);
        rc = fit(text, charset, repertoire, e);
    }
    if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
        *why = rc == ERR_CORRUPT ? not_text : "this system cannot convert a label's charset";
        buf_reset(text);
        return ERR_OK;
    }
    return rc;
}

enum err_code ddl_put_labels(const struct ddl_type *t, const char *charset, struct arena *arena,
                             struct column_def *column, const char **why, struct err *e)
{
    struct ddl_repertoire *repertoire = NULL;
    struct buf text = {0};
    enum err_code rc = ERR_OK;

    column->label_count = t->label_count;
    column->labels = (const char **)arena_alloc(arena, t->label_count, sizeof *column->labels);
    if (column->labels == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    for (uint32_t i = 0; rc == ERR_OK && i < t->label_count; i++) {
        buf_reset(&text);
        rc = put_label_text(&t->labels[i], charset, &repertoire, &text, why, e);
        column->labels[i] = rc == ERR_OK ? arena_strndup(arena, text.data, text.len) : "";
        if (column->labels[i] == NULL) {
            rc = arena_fail(arena, e, "table definition");
        }
    }
    free(repertoire);
    buf_deinit(&text);
    return rc;
}

/* ---- CONVERT TO CHARACTER SET ---- */

static const char bytes_unknown[] =
    "servers leave the bytes of labels as they are, and those of a label here are not known";
static const char bytes_broken[] =
    "servers leave the bytes of labels as they are, and a label's are no text in the new charset";

/* The charsets that a column's labels have and get. */
struct relabel {
    const struct charset *was;
    const struct charset *is;
    struct ddl_encoder *encoder; /* of `was`, made when first needed */
    struct charset_converter converter;
    struct buf bytes;
    struct buf text;
};

/* The two that have two bytes for each character of the first 65,536. */
static bool has_pairs(const struct charset *cs)
{
    return cs->kind == CHARSET_UCS2 || cs->kind == CHARSET_UTF16;
}

/* Where all characters that both have are the same bytes. */
static bool are_alike(const struct charset *was, const struct charset *is)
{
    return (was->kind == CHARSET_UTF8 && is->kind == CHARSET_UTF8) ||
           (has_pairs(was) && has_pairs(is));
}

/* UTF-8 has four bytes for what is beyond the first 65,536 characters. */
static bool has_four_bytes(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 0xf0) {
            return true;
        }
    }
    return false;
}

static bool lacks_four_bytes(const struct charset *cs)
{
    return cs->kind == CHARSET_UCS2 || (cs->kind == CHARSET_UTF8 && !str_ieq(cs->name, "utf8mb4"));
}

/* Servers put a backslash into sjis as the wide one, 0x815f; a hex literal can put 0x5c there. */
static bool is_own_bytes(const struct charset *was, struct span text)
{
    if (was->kind == CHARSET_UTF8) {
        return true;
    }
    bool backslash = text.len > 0 && memchr(text.data, '\\', text.len) != NULL;

    return charset_has_ascii(was) && charset_is_ascii_text(text) &&
           !(was->kind == CHARSET_MULTI_BYTE && was->lead == CHARSET_LEAD_SJIS && backslash);
}

/* The bytes that a label has in the column; *why when its text does not tell. */
static enum err_code put_label_bytes(struct relabel *r, struct span text, const char **why,
                                     struct err *e)
{
    buf_reset(&r->bytes);
    if (is_own_bytes(r->was, text)) {
        buf_append_span(&r->bytes, text);
        return buf_check(&r->bytes, e, "labels");
    }
    if (r->encoder == NULL) {
        r->encoder = malloc(sizeof *r->encoder);
        if (r->encoder == NULL) {
            return err_nomem(e);
        }
        enum err_code rc = ddl_encoder_of(r->was, r->encoder);

        if (rc != ERR_OK && rc != ERR_UNSUPPORTED) {
            return err_set(e, rc, "charset %s: its codes cannot be told", r->was->name);
        }
    }
    if (!ddl_encode(r->encoder, text, &r->bytes)) {
        *why = bytes_unknown;
    }
    return buf_check(&r->bytes, e, "labels");
}

/* What the label is from now on, in r->text. */
static enum err_code put_new_text(struct relabel *r, struct span label, const char **why,
                                  struct err *e)
{
    buf_reset(&r->text);
    if (label.len == 0 || are_alike(r->was, r->is)) {
        buf_append_span(&r->text, label);
    } else {
        ERR_TRY(put_label_bytes(r, label, why, e));
        if (*why != NULL) {
            return ERR_OK;
        }
        enum err_code rc =
            r->bytes.len % ddl_charset_min_bytes(r->is->name) != 0
                ? ERR_CORRUPT
                : charset_to_utf8(r->is, &r->converter, buf_span(&r->bytes), &r->text, e);

        if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
            *why = bytes_broken;
            return ERR_OK;
        }
        ERR_TRY(rc);
    }
    struct span text = buf_span(&r->text);

    /* A NUL cannot be: no label has one, and no charset but the wide ones makes one. */
    if (!str_is_utf8(text) || (lacks_four_bytes(r->is) && has_four_bytes(text))) {
        *why = bytes_broken;
    }
    return buf_check(&r->text, e, "labels");
}

static enum err_code convert_label(struct relabel *r, const struct column_def *column, uint32_t i,
                                   struct arena *arena, struct ddl_label *out, const char **why,
                                   struct err *e)
{
    if (column_label_in_doubt(column, i)) {
        *why = bytes_unknown;
        return ERR_OK;
    }
    ERR_TRY(put_new_text(r, span_str(column->labels[i]), why, e));
    const char *text = arena_strndup(arena, r->text.data, r->text.len);

    if (text == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    out->text = span_str(text);
    return ERR_OK;
}

static void keep_labels(const struct column_def *column, struct ddl_type *t)
{
    for (uint32_t i = 0; i < column->label_count; i++) {
        t->labels[i].text = span_str(column->labels[i]);
    }
}

enum err_code ddl_convert_labels(const struct column_def *column, const char *charset,
                                 struct arena *arena, struct ddl_type *t, const char **why,
                                 struct err *e)
{
    struct relabel r = {.was = charset_find(column->charset), .is = charset_find(charset)};
    enum err_code rc = ERR_OK;

    t->labels = arena_alloc(arena, column->label_count, sizeof *t->labels);
    if (t->labels == NULL) {
        return arena_fail(arena, e, "table definition");
    }
    t->label_count = column->label_count;
    if (charset_same(column->charset, charset)) {
        keep_labels(column, t);
        return ERR_OK;
    }
    if (r.was == NULL || r.is == NULL) {
        *why = bytes_unknown;
        return ERR_OK;
    }
    charset_converter_init(&r.converter);
    for (uint32_t i = 0; rc == ERR_OK && *why == NULL && i < column->label_count; i++) {
        rc = convert_label(&r, column, i, arena, &t->labels[i], why, e);
    }
    charset_converter_deinit(&r.converter);
    free(r.encoder);
    buf_deinit(&r.bytes);
    buf_deinit(&r.text);
    return rc;
}
