/*
 * Packed decimal: integer digits, then fraction digits, in groups of nine digits as 4-byte
 * big-endian numbers; the leading integer group and the trailing fraction group may be shorter:
 *
 *   digits  1 2 3 4 5 6 7 8 9
 *   bytes   1 1 2 2 3 3 4 4 4
 *
 * The first bit is inverted; a negative number has all its other bits inverted too.
 */
#include "codec/decimal.h"

#define SIGN_BIT 0x80000000u /* of a group of four bytes */

static const uint8_t group_bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint32_t powers[10] = {1,      10,      100,      1000,      10000,
                                    100000, 1000000, 10000000, 100000000, 1000000000};

size_t decimal_packed_bytes(unsigned precision, unsigned scale)
{
    if (precision < 1 || precision > 65 || scale > 30 || scale > precision) {
        return 0;
    }
    unsigned whole = precision - scale;

    return (size_t)(whole / 9) * 4 + group_bytes[whole % 9] + (size_t)(scale / 9) * 4 +
           group_bytes[scale % 9];
}

/* The groups still to come. */
struct groups {
    struct bytes_reader in;
    uint32_t flip;  /* all ones in a negative number */
    bool sign_left; /* the bit of the sign is still in front */
    bool nonzero;   /* a group so far was not zero */
};

/* The next group as a number; false when it has more digits than it may. */
static bool take_group(struct groups *g, unsigned digits, uint32_t *out)
{
    unsigned bytes = group_bytes[digits];
    uint32_t v = bytes == 4 ? __builtin_bswap32(bytes_u32le(&g->in))
                            : (uint32_t)bytes_uint_be(&g->in, bytes);

    uint64_t flip = g->flip;

    if (g->sign_left) {
        flip ^= SIGN_BIT;
        g->sign_left = false;
    }
    v ^= (uint32_t)(flip >> (32 - 8 * bytes));
    g->nonzero |= v != 0;
    *out = v;
    return v < powers[digits];
}

static char *put_digits(char *out, uint32_t v, unsigned digits)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    unsigned left = digits;

    for (; left >= 2; left -= 2) {
        memcpy(out + left - 2, pairs + (size_t)2 * (v % 100), 2);
        v /= 100;
    }
    if (left == 1) {
        out[0] = (char)('0' + v);
    }
    return out + digits;
}

static unsigned digits_of(uint32_t v)
{
    unsigned digits = 0;

    while (digits < 9 && v >= powers[digits]) {
        digits++;
    }
    return digits;
}

/* The digits before the point, of which there are `digits` with zeros in front; NULL: bad group. */
static char *put_whole(struct groups *g, unsigned digits, char *out)
{
    bool started = false;
    char *at = out;

    while (digits > 0) {
        unsigned here = digits % 9 == 0 ? 9 : digits % 9;
        uint32_t v;

        if (!take_group(g, here, &v)) {
            return NULL;
        }
        at = put_digits(at, v, started ? here : digits_of(v));
        started = at > out;
        digits -= here;
    }
    if (!started) {
        *at++ = '0';
    }
    return at;
}

static char *put_fraction(struct groups *g, unsigned digits, char *at)
{
    while (digits > 0) {
        unsigned here = digits > 9 ? 9 : digits;
        uint32_t v;

        if (!take_group(g, here, &v)) {
            return NULL;
        }
        at = put_digits(at, v, here);
        digits -= here;
    }
    return at;
}

size_t decimal_to_text(struct span packed, unsigned precision, unsigned scale, char *out)
{
    size_t bytes = decimal_packed_bytes(precision, scale);

    if (bytes == 0 || packed.len != bytes) {
        return 0;
    }
    bool negative = (packed.data[0] & 0x80) == 0;
    struct groups g = {.flip = negative ? UINT32_MAX : 0, .sign_left = true};
    char *start = out;

    bytes_reader_init(&g.in, packed);
    if (negative) {
        *start++ = '-';
    }
    char *at = put_whole(&g, precision - scale, start);

    if (at != NULL && scale > 0) {
        *at++ = '.';
        at = put_fraction(&g, scale, at);
    }
    if (at == NULL) {
        return 0;
    }
    size_t len = (size_t)(at - out);

    if (negative && !g.nonzero) {
        len--;
        memmove(out, out + 1, len);
    }
    return len;
}
