/*
 * str.h - text helpers: numbers, globs, names, secrets.
 *
 * Thread: any.
 */
#ifndef CALVE_BASE_STR_H
#define CALVE_BASE_STR_H

#include "base/bytes.h"
#include "base/err.h"

/* A whole decimal number and nothing else; false when it is not one or does not fit. */
bool str_to_u64(struct span text, uint64_t *out);
bool str_to_i64(struct span text, int64_t *out);

/* ASCII only: MySQL keywords, header names, hex. */
bool str_ieq(const char *a, const char *b);
bool span_ieq_str(struct span a, const char *b);
bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);

/* `*` stands for any run of characters, `?` for one; ASCII case is ignored when icase. */
bool str_glob(const char *pattern, const char *text, bool icase);
bool str_glob_any(const char *const *patterns, uint32_t count, const char *text, bool icase);

/* Smallest number of one-character edits between a and b, for "did you mean"; at most 64 bytes
 * each. */
size_t str_distance(const char *a, const char *b);

/* malloc'd copies; NULL when there is no memory. */
char *str_dup(const char *text);
char *str_ndup(const void *text, size_t len);
char *str_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* out gets 2 * len hex digits and a NUL. */
void str_hex(char *out, const uint8_t *data, size_t len);

/* Digits of v at out (at most 20, no NUL); returns how many. */
size_t str_put_u64(char *out, uint64_t v);

/* As str_put_u64, with a minus sign where needed (at most 20). */
size_t str_put_i64(char *out, int64_t v);

/* Whether the bytes are well-formed UTF-8 (no surrogates, nothing above U+10FFFF). */
bool str_is_utf8(struct span text);

/* Bytes of the well-formed UTF-8 character that the text starts with; 0 when there is none. */
size_t str_utf8_char(struct span text);

/* A secret: print it with secret_show(), which gives "***" or "" and never the text. */
struct secret {
    char *text; /* malloc'd, NULL when unset */
};

static inline const char *secret_show(const struct secret *s)
{
    return s->text == NULL || s->text[0] == '\0' ? "" : "***";
}

/* Overwrites, then frees. */
void secret_wipe(struct secret *s);

#endif
