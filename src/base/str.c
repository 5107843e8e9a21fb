#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

bool str_to_u64(struct span text, uint64_t *out)
{
    uint64_t v = 0;

    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c < '0' || c > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(c - '0'), &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

bool str_to_i64(struct span text, int64_t *out)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    uint64_t v;

    if (negative) {
        text = span_of(text.data + 1, text.len - 1);
    }
    if (!str_to_u64(text, &v) || v > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_ieq(const char *a, const char *b)
{
    return span_ieq_str(span_str(a), b);
}

bool span_ieq_str(struct span a, const char *b)
{
    size_t len = strlen(b);

    if (a.len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lower((char)a.data[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
    size_t text_len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return text_len >= suffix_len && strcmp(text + text_len - suffix_len, suffix) == 0;
}

bool str_glob(const char *pattern, const char *text, bool icase)
{
    const char *star = NULL;
    const char *mark = NULL;

    while (*text != '\0') {
        bool same = icase ? lower(*pattern) == lower(*text) : *pattern == *text;

        if (*pattern == '*') {
            star = pattern++;
            mark = text;
        } else if (*pattern != '\0' && (same || *pattern == '?')) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

bool str_glob_any(const char *const *patterns, uint32_t count, const char *text, bool icase)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_glob(patterns[i], text, icase)) {
            return true;
        }
    }
    return false;
}

size_t str_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t a_len = strnlen(a, LONGEST);
    size_t b_len = strnlen(b, LONGEST);
    size_t row[LONGEST + 1];

    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);

            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[b_len];
}

char *str_ndup(const void *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, text, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

char *str_dup(const char *text)
{
    return str_ndup(text, strlen(text));
}

char *str_format(const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    char *text = len < 0 ? NULL : malloc((size_t)len + 1);

    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    va_end(args);
    return text;
}

void str_hex(char *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

size_t str_put_u64(char *out, uint64_t v)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;

    while (v >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * v, 2);
    } else {
        digits[--at] = (char)('0' + v);
    }
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t str_put_i64(char *out, int64_t v)
{
    if (v >= 0) {
        return str_put_u64(out, (uint64_t)v);
    }
    out[0] = '-';
    return 1 + str_put_u64(out + 1, 0 - (uint64_t)v);
}

/* Bytes that follow a lead byte, and the range of the first of them; 0 for no lead byte. */
static size_t utf8_tail(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 1;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *low = lead == 0xe0 ? 0xa0 : 0x80;
        *high = lead == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *low = lead == 0xf0 ? 0x90 : 0x80;
        *high = lead == 0xf4 ? 0x8f : 0xbf;
        return 3;
    }
    return 0;
}

size_t str_utf8_char(struct span text)
{
    uint8_t low;
    uint8_t high;

    if (text.len == 0 || text.data[0] < 0x80) {
        return text.len == 0 ? 0 : 1;
    }
    size_t tail = utf8_tail(text.data[0], &low, &high);

    if (tail == 0 || tail >= text.len || text.data[1] < low || text.data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i <= tail; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return tail + 1;
}

#define HIGH_BITS 0x8080808080808080u

/* How many of fewer than 8 bytes are ASCII at the start: two reads that overlap, if there are 4. */
static inline size_t short_ascii_run(const uint8_t *p, size_t len)
{
    uint32_t head;
    uint32_t tail;

    if (len < 4) {
        size_t i = 0;

        while (i < len && p[i] < 0x80) {
            i++;
        }
        return i;
    }
    memcpy(&head, p, sizeof head);
    memcpy(&tail, p + len - sizeof tail, sizeof tail);
    head &= (uint32_t)HIGH_BITS;
    tail &= (uint32_t)HIGH_BITS;
    if (head != 0) {
        return (size_t)__builtin_ctz(head) / 8;
    }
    return tail == 0 ? len : len - sizeof tail + (size_t)__builtin_ctz(tail) / 8;
}

static inline size_t ascii_run(const uint8_t *p, size_t len)
{
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t word;

        memcpy(&word, p + i, sizeof word);
        word &= HIGH_BITS;
        if (word != 0) {
            return i + (size_t)__builtin_ctzll(word) / 8;
        }
    }
    return i + short_ascii_run(p + i, len - i);
}

bool str_is_utf8(struct span text)
{
    const uint8_t *p = text.data;
    size_t left = text.len;

    while (left > 0) {
        size_t n = ascii_run(p, left);

        p += n;
        left -= n;
        while (left > 0 && *p >= 0x80) {
            n = str_utf8_char(span_of(p, left));
            if (n == 0) {
                return false;
            }
            p += n;
            left -= n;
        }
    }
    return true;
}

void secret_wipe(struct secret *s)
{
    if (s->text != NULL) {
        volatile char *p = s->text;

        while (*p != '\0') {
            *p++ = '\0';
        }
        free(s->text);
        s->text = NULL;
    }
}
