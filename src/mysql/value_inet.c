#include "mysql/value_inet.h"

#include <stdbool.h>

#include "base/str.h"

#define WORDS 8

static const char hex_digits[] = "0123456789abcdef";

size_t value_put_uuid(const uint8_t *p, char *out)
{
    char *at = out;

    for (size_t i = 0; i < VALUE_UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = hex_digits[p[i] >> 4];
        *at++ = hex_digits[p[i] & 15];
    }
    return (size_t)(at - out);
}

size_t value_put_inet4(const uint8_t *p, char *out)
{
    char *at = out;

    for (size_t i = 0; i < VALUE_INET4_BYTES; i++) {
        if (i > 0) {
            *at++ = '.';
        }
        at += str_put_u64(at, p[i]);
    }
    return (size_t)(at - out);
}

struct gap {
    int start; /* -1: none */
    int words;
};

/* The first of the longest runs of zero words; MariaDB shortens a single one too. */
static struct gap find_gap(const unsigned *words)
{
    struct gap best = {-1, 0};
    int run = 0;

    for (int i = 0; i < WORDS; i++) {
        run = words[i] == 0 ? run + 1 : 0;
        if (run > best.words) {
            best = (struct gap){i + 1 - run, run};
        }
    }
    return best;
}

static char *put_word(char *at, unsigned word)
{
    bool started = false;

    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = word >> shift & 15;

        started |= digit != 0 || shift == 0;
        if (started) {
            *at++ = hex_digits[digit];
        }
    }
    return at;
}

size_t value_put_inet6(const uint8_t *p, char *out)
{
    unsigned words[WORDS];
    char *at = out;

    for (int i = 0; i < WORDS; i++, p += 2) {
        words[i] = (unsigned)p[0] << 8 | p[1];
    }
    struct gap gap = find_gap(words);
    /* An IPv4 address within: behind six zero words, or behind five and ffff. */
    bool inet4 = gap.start == 0 && (gap.words == 6 || (gap.words == 5 && words[5] == 0xffff));

    for (int i = 0; i < WORDS; i++) {
        if (i == gap.start) {
            if (i == 0) {
                *at++ = ':';
            }
            *at++ = ':';
            i += gap.words - 1;
        } else if (i == 6 && inet4) {
            return (size_t)(at - out) + value_put_inet4(p - VALUE_INET4_BYTES, at);
        } else {
            at = put_word(at, words[i]);
            if (i != WORDS - 1) {
                *at++ = ':';
            }
        }
    }
    return (size_t)(at - out);
}
