/* charset_int.h - how charsets are described to the code that converts. Thread: any. */
#ifndef CALVE_MYSQL_CHARSET_INT_H
#define CALVE_MYSQL_CHARSET_INT_H

#include "mysql/charset.h"

enum charset_kind {
    CHARSET_UTF8,
    CHARSET_ASCII,
    CHARSET_BINARY,
    CHARSET_SINGLE_BYTE,
    CHARSET_MULTI_BYTE,
    CHARSET_UCS2,
    CHARSET_UTF16,
    CHARSET_UTF16LE,
    CHARSET_UTF32,
};

/* How many bytes a character has, by its first bytes; below 0x80 always one. */
enum charset_lead {
    CHARSET_LEAD_DOUBLE,  /* two */
    CHARSET_LEAD_SJIS,    /* one for 0xa1 to 0xdf, else two */
    CHARSET_LEAD_EUCJP,   /* three after 0x8f, else two */
    CHARSET_LEAD_GB18030, /* four when the second is a digit, else two */
};

/* `count` codes from `code` on stand for `count` characters from `character` on. */
struct charset_remap {
    uint32_t code; /* the bytes of the character, big-endian */
    uint16_t count;
    uint16_t character;
};

struct charset {
    const char *name;
    enum charset_kind kind;
    const uint16_t *high; /* SINGLE_BYTE: 128 characters; NULL: none */
    const uint16_t *low;  /* SINGLE_BYTE: 128 characters; NULL: ASCII */
    const char *iconv_name;
    uint8_t iconv_slot;
    enum charset_lead lead;
    const struct charset_remap *remaps; /* ascending */
    size_t remap_count;
};

extern const struct charset charset_list[];
extern const size_t charset_list_count;

#endif
