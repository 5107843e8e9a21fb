/*
 * charset.h - text in the source's charsets to UTF-8, character by character as the server converts
 * it.
 *
 * Bytes that stand for no character are an error: nothing is replaced.
 *
 * Owns:   charsets are static. A converter owns iconv handles, opened when first needed.
 * Thread: charsets any; a converter belongs to one thread.
 */
#ifndef CALVE_MYSQL_CHARSET_H
#define CALVE_MYSQL_CHARSET_H

#include "base/buf.h"
#include "base/bytes.h"

struct charset;

#define CHARSET_ICONV_SLOTS 9

struct charset_converter {
    void *iconv[CHARSET_ICONV_SLOTS]; /* NULL: not open */
};

/* By MySQL's name, in any case; NULL when it is not known. */
const struct charset *charset_find(const char *name);
const char *charset_name(const struct charset *cs);

/* The charset's name of a collation id of MySQL or MariaDB; NULL when it is not known. */
const char *charset_of_collation(uint32_t id);

/* utf8mb4 and utf8mb3: valid text is UTF-8 as it is. */
bool charset_is_utf8mb(const struct charset *cs);
bool charset_is_binary(const struct charset *cs);

/* Whether two names are of one charset: utf8 is the older name of utf8mb3. */
bool charset_same(const char *a, const char *b);

void charset_converter_init(struct charset_converter *c);
void charset_converter_deinit(struct charset_converter *c);

/* Bytes that in_bytes of any charset have at most in UTF-8. */
static inline size_t charset_utf8_bytes_max(size_t in_bytes)
{
    return in_bytes * 3;
}

/* ERR_UNSUPPORTED when this system cannot convert the charset. */
MUST_USE enum err_code charset_check(const struct charset *cs, struct charset_converter *c,
                                     struct err *e);

/*
 * Appends text as UTF-8; what is left in out after a failure is not to be used. `binary` is copied.
 *
 * Errors: ERR_CORRUPT      text is not valid in the charset; the message has the bytes
 *         ERR_UNSUPPORTED  this system's iconv does not know the charset
 *         ERR_LIMIT, ERR_NOMEM  of out
 */
MUST_USE enum err_code charset_to_utf8(const struct charset *cs, struct charset_converter *c,
                                       struct span text, struct buf *out, struct err *e);

/* ERR_CORRUPT that names the charset and the bytes of text from the first that is not valid UTF-8.
 */
enum err_code charset_bad_utf8(const struct charset *cs, struct span text, struct err *e);

/* Whether all bytes are below 0x80. */
bool charset_is_ascii_text(struct span text);

/* ASCII text is the same in all charsets but the wide ones and swe7. */
bool charset_has_ascii(const struct charset *cs);

#endif
