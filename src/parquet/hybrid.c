#include "parquet/hybrid.h"

/* Shorter runs cost readers more than they save. */
#define RUN_MIN 16u

unsigned hybrid_width(uint32_t max)
{
    unsigned width = 1;

    while (width < 32 && max >> width != 0) {
        width++;
    }
    return width;
}

void hybrid_encode_run(uint32_t value, uint32_t count, unsigned width, struct buf *out)
{
    buf_varint(out, (uint64_t)count << 1);
    buf_append(out, &value, (width + 7) / 8);
}

static uint32_t run_length(const uint32_t *values, uint32_t count)
{
    uint32_t n = 1;

    while (n < count && values[n] == values[0]) {
        n++;
    }
    return n;
}

static bool long_run(const uint32_t *values, uint32_t count)
{
    if (count < RUN_MIN) {
        return false;
    }
    for (uint32_t i = 1; i < RUN_MIN; i++) {
        if (values[i] != values[0]) {
            return false;
        }
    }
    return true;
}

static void pack(const uint32_t *values, uint32_t count, unsigned width, struct buf *out)
{
    uint32_t groups = (count + 7) / 8;

    buf_varint(out, (uint64_t)groups << 1 | 1);
    size_t bytes = (size_t)groups * width;
    uint8_t *p = buf_reserve(out, bytes + sizeof(uint64_t));
    uint64_t bits = 0;
    unsigned have = 0;

    if (p == NULL) {
        return;
    }
    out->len += bytes;
    for (uint32_t i = 0; i < count; i++) {
        bits |= (uint64_t)values[i] << have;
        have += width;
        if (have >= 32) {
            memcpy(p, &bits, 4);
            p += 4;
            bits >>= 32;
            have -= 32;
        }
    }
    /* The last bits, and zeros for what is missing in the last group: at most 7 values. */
    uint8_t *end = out->data + out->len;

    while (p < end) {
        *p++ = (uint8_t)bits;
        bits >>= 8;
    }
}

void hybrid_encode(const uint32_t *values, uint32_t count, unsigned width, struct buf *out)
{
    uint32_t i = 0;

    while (i < count) {
        if (long_run(values + i, count - i)) {
            uint32_t n = run_length(values + i, count - i);

            hybrid_encode_run(values[i], n, width, out);
            i += n;
            continue;
        }
        uint32_t end = i + 8;

        /* Packed values come in groups of 8, so a run can only begin on a group's border. */
        while (end < count && !long_run(values + end, count - end)) {
            end += 8;
        }
        if (end > count) {
            end = count;
        }
        pack(values + i, end - i, width, out);
        i = end;
    }
}

uint32_t hybrid_pack_bits(const uint8_t *bytes, uint32_t count, struct buf *out)
{
    size_t whole = count / 8;
    uint8_t *p = buf_reserve(out, whole + 1);
    uint32_t ones = 0;
    uint64_t word = 0;

    if (p == NULL) {
        return 0;
    }
    for (size_t i = 0; i < whole; i++) {
        memcpy(&word, bytes + i * 8, sizeof word);
        /* The lowest bit of byte n moves to bit n of the highest byte. */
        p[i] = (uint8_t)((word & 0x0101010101010101u) * 0x0102040810204080u >> 56);
        ones += (uint32_t)__builtin_popcount(p[i]);
    }
    out->len += whole;
    if (count % 8 != 0) {
        word = 0;
        memcpy(&word, bytes + whole * 8, count % 8);
        p[whole] = (uint8_t)((word & 0x0101010101010101u) * 0x0102040810204080u >> 56);
        ones += (uint32_t)__builtin_popcount(p[whole]);
        out->len++;
    }
    return ones;
}

uint32_t hybrid_encode_levels(const uint8_t *levels, uint32_t count, struct buf *out)
{
    buf_varint(out, ((uint64_t)count + 7) / 8 << 1 | 1);
    return hybrid_pack_bits(levels, count, out);
}

/* in holds all bits of `count` values; width 1 to 32. */
static void unpack(struct span in, unsigned width, uint32_t count, uint32_t *out)
{
    const uint64_t mask = ((uint64_t)1 << width) - 1;
    size_t bit = 0;

    for (uint32_t i = 0; i < count; i++, bit += width) {
        size_t at = bit / 8;
        uint64_t word = 0;

        if (in.len - at >= sizeof word) {
            memcpy(&word, in.data + at, sizeof word);
        } else {
            memcpy(&word, in.data + at, in.len - at);
        }
        out[i] = (uint32_t)(word >> bit % 8 & mask);
    }
}

/* A packed run of up to `room` values; returns how many there were, 0 when the input is too short.
 */
static uint32_t decode_packed(struct bytes_reader *in, uint64_t groups, unsigned width,
                              uint32_t room, uint32_t *out)
{
    uint32_t take = groups > room / 8 ? room : (uint32_t)groups * 8;
    size_t need = (size_t)(((uint64_t)take * width + 7) / 8);
    /* The last group may be cut short by writers that leave padding out. */
    size_t whole = groups > bytes_left(in) ? bytes_left(in) : (size_t)groups * width;
    struct span bytes = bytes_span(in, whole < bytes_left(in) ? whole : bytes_left(in));

    if (bytes.len < need) {
        return 0;
    }
    if (need == 0 || bytes.data == NULL) {
        memset(out, 0, take * sizeof *out);
    } else {
        unpack(bytes, width, take, out);
    }
    return take;
}

enum err_code hybrid_decode(struct bytes_reader *in, unsigned width, uint32_t count, uint32_t *out,
                            struct err *e)
{
    uint32_t done = 0;

    if (width > 32) {
        return err_set(e, ERR_CORRUPT, "Parquet: values of %u bits", width);
    }
    while (done < count) {
        uint64_t header = bytes_varint(in);
        uint64_t n = header >> 1;
        uint32_t room = count - done;
        uint32_t take;

        if ((header & 1) == 0) {
            uint32_t value = (uint32_t)bytes_uint_le(in, (width + 7) / 8);

            take = bytes_failed(in) ? 0 : n > room ? room : (uint32_t)n;
            for (uint32_t i = 0; i < take; i++) {
                out[done + i] = value;
            }
        } else {
            take = decode_packed(in, n, width, room, out + done);
        }
        if (take == 0) {
            return err_set(e, ERR_CORRUPT, "Parquet: levels or ids end early");
        }
        done += take;
    }
    return ERR_OK;
}
