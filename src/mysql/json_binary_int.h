/*
 * json_binary_int.h - the parts of a binary JSON document, for what takes one apart.
 *
 * Owns:   nothing; parts point into their document. Thread: any.
 */
#ifndef CALVE_MYSQL_JSON_BINARY_INT_H
#define CALVE_MYSQL_JSON_BINARY_INT_H

#include "mysql/json_binary.h"

/*
 * The server refuses deeper documents; some of its versions let 100 levels pass and count one more.
 */
#define JSON_DEPTH_MAX 101u

/* The largest ratio is 6: a string of control characters. Scalars alone may grow by a prefix. */
#define JSON_TEXT_RATIO_MAX   8u
#define JSON_TEXT_SPARE_BYTES 128u

/* A value inside a document. */
struct json_part {
    uint8_t type;
    struct span bytes; /* from the value on; of an object or array from its count on */
};

/* An object or array whose values are read by number. */
struct json_level {
    struct span bytes; /* from its count on: offsets point into them */
    struct span keys;
    struct span values;
    uint32_t count;
    bool object;
    bool large;
};

/* Where text goes, and how long it may get. */
struct json_text {
    struct buf *out;
    size_t len_max; /* of out */
    struct err *e;
};

/* source_bytes: of all documents that the text is made of. */
static inline void json_text_init(struct json_text *w, struct buf *out, size_t source_bytes,
                                  struct err *e)
{
    *w = (struct json_text){
        .out = out,
        .len_max = out->len + JSON_TEXT_RATIO_MAX * source_bytes + JSON_TEXT_SPARE_BYTES,
        .e = e,
    };
}

struct json_part json_document_part(struct span document);
bool json_part_is_container(const struct json_part *part);

/* part: an object or array. Errors of all: ERR_CORRUPT. */
MUST_USE enum err_code json_part_open(const struct json_part *part, struct json_level *out,
                                      struct err *e);
/* i: below count. */
MUST_USE enum err_code json_level_key(const struct json_level *l, uint32_t i, struct span *out,
                                      struct err *e);
MUST_USE enum err_code json_level_value(const struct json_level *l, uint32_t i,
                                        struct json_part *out, struct err *e);

/* A key with its colon. */
MUST_USE enum err_code json_text_key(struct json_text *w, struct span key);
/* A whole value, `above` levels deep. */
MUST_USE enum err_code json_text_part(struct json_text *w, const struct json_part *part,
                                      unsigned above);
MUST_USE enum err_code json_text_check(const struct json_text *w);
enum err_code json_text_too_deep(const struct json_text *w);

#endif
