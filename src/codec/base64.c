#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span in, struct buf *out)
{
    size_t len = (in.len + 2) / 3 * 4;

    if (len == 0) {
        return;
    }
    uint8_t *p = buf_reserve(out, len);
    size_t i = 0;

    if (p == NULL) {
        return;
    }
    for (; in.len - i >= 3; i += 3) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];

        p[0] = (uint8_t)alphabet[v >> 18];
        p[1] = (uint8_t)alphabet[v >> 12 & 63];
        p[2] = (uint8_t)alphabet[v >> 6 & 63];
        p[3] = (uint8_t)alphabet[v & 63];
        p += 4;
    }
    if (i < in.len) {
        bool two = in.len - i == 2;
        uint32_t v = (uint32_t)in.data[i] << 16 | (two ? (uint32_t)in.data[i + 1] << 8 : 0);

        p[0] = (uint8_t)alphabet[v >> 18];
        p[1] = (uint8_t)alphabet[v >> 12 & 63];
        p[2] = two ? (uint8_t)alphabet[v >> 6 & 63] : (uint8_t)'=';
        p[3] = '=';
    }
    out->len += len;
}

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `pad` are '=', to 24 bits. */
static enum err_code decode_group(const uint8_t *text, size_t pad, uint32_t *out, struct err *e)
{
    uint32_t v = 0;

    for (size_t k = 0; k < 4; k++) {
        int digit = k < 4 - pad ? digit_of(text[k]) : 0;

        if (digit < 0) {
            return err_set(e, ERR_CORRUPT, "base64 holds byte 0x%02x", text[k]);
        }
        v = v << 6 | (uint32_t)digit;
    }
    if ((v & ((1u << (8 * pad)) - 1)) != 0) {
        return err_set(e, ERR_CORRUPT, "base64 ends with bits that belong to no byte");
    }
    *out = v;
    return ERR_OK;
}

enum err_code base64_decode(struct span text, struct buf *out, struct err *e)
{
    size_t pad = 0;

    if (text.len % 4 != 0) {
        return err_set(e, ERR_CORRUPT, "base64 of %zu characters", text.len);
    }
    if (text.len == 0) {
        return ERR_OK;
    }
    while (pad < 2 && text.data[text.len - 1 - pad] == '=') {
        pad++;
    }
    size_t len = text.len / 4 * 3 - pad;
    uint8_t *p = buf_reserve(out, len);

    if (p == NULL) {
        return buf_check(out, e, "base64");
    }
    for (size_t i = 0; i < text.len; i += 4) {
        size_t pad_here = i + 4 == text.len ? pad : 0;
        uint32_t v = 0;

        ERR_TRY(decode_group(text.data + i, pad_here, &v, e));
        uint8_t bytes[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

        memcpy(p, bytes, 3 - pad_here);
        p += 3 - pad_here;
    }
    out->len += len;
    return ERR_OK;
}
