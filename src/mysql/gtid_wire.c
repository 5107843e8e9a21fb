/*
 * Sets of MySQL as COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS have them:
 *
 *   source count u64; tagged: format 1 in bytes 0 and 7, the count between
 *   { uuid 16 | tagged: tag length, one byte, shifted left, and tag |
 *     interval count u64 | { first u64, last + 1 u64 } ... } ...
 */
#include "mysql/gtid_int.h"

#define TAGGED_FORMAT    ((uint64_t)1)
#define SOURCE_BYTES_MIN 24u /* uuid, interval count */
#define INTERVAL_BYTES   16u

static bool has_tags(const struct gtid_set *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->sources[i].tag[0] != '\0') {
            return true;
        }
    }
    return false;
}

void gtid_set_encode(const struct gtid_set *s, struct buf *out)
{
    bool tagged = has_tags(s);

    buf_u64le(out,
              tagged ? TAGGED_FORMAT << 56 | (uint64_t)s->count << 8 | TAGGED_FORMAT : s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_source *src = &s->sources[i];

        buf_append(out, src->uuid, sizeof src->uuid);
        if (tagged) {
            size_t len = strlen(src->tag);

            buf_u8(out, (uint8_t)(len << 1));
            buf_append(out, src->tag, len);
        }
        buf_u64le(out, src->count);
        for (uint32_t k = 0; k < src->count; k++) {
            buf_u64le(out, src->intervals[k].first);
            buf_u64le(out, src->intervals[k].last + 1);
        }
    }
}

static bool decode_key(struct bytes_reader *in, bool tagged, struct gtid_source *key)
{
    const uint8_t *uuid = bytes_take(in, sizeof key->uuid);
    char tag[GTID_TAG_BYTES] = "";

    *key = (struct gtid_source){0};
    if (uuid == NULL) {
        return false;
    }
    memcpy(key->uuid, uuid, sizeof key->uuid);
    if (!tagged) {
        return true;
    }
    uint8_t length = bytes_u8(in);
    struct span text = bytes_span(in, length >> 1);

    if ((length & 1) != 0 || text.len >= sizeof tag || bytes_failed(in)) {
        return false;
    }
    if (text.len > 0) {
        memcpy(tag, text.data, text.len);
    }
    return text.len == 0 || (gtid_tag_parse(tag, key->tag) && strlen(key->tag) == text.len);
}

/* ERR_CORRUPT has no message here: the caller knows what to say. */
static enum err_code decode_source(struct gtid_set *s, struct bytes_reader *in, bool tagged,
                                   struct err *e)
{
    struct gtid_source key;

    if (!decode_key(in, tagged, &key)) {
        return ERR_CORRUPT;
    }
    uint64_t count = bytes_u64le(in);
    uint64_t least = 1;

    if (bytes_failed(in) || count > bytes_left(in) / INTERVAL_BYTES) {
        return ERR_CORRUPT;
    }
    struct gtid_source *src = count == 0 ? NULL : gtid_source_find_or_add(s, &key);

    for (uint64_t k = 0; k < count; k++) {
        uint64_t first = bytes_u64le(in);
        uint64_t end = bytes_u64le(in);

        /* Servers write them sorted, with gaps. */
        if (first < least || end <= first || end > GTID_NUMBER_END) {
            return ERR_CORRUPT;
        }
        least = end + 1;
        if (src == NULL || !gtid_source_add(src, first, end - 1)) {
            return err_nomem(e);
        }
    }
    return ERR_OK;
}

enum err_code gtid_set_decode(struct span block, struct gtid_set **out, struct err *e)
{
    struct bytes_reader in;
    struct gtid_set *s = gtid_set_new(GTID_FLAVOR_MYSQL);

    if (s == NULL) {
        return err_nomem(e);
    }
    bytes_reader_init(&in, block);
    uint64_t header = bytes_u64le(&in);
    bool tagged = header >> 56 == TAGGED_FORMAT;
    uint64_t count = tagged ? header >> 8 & 0xffffffffffff : header;
    enum err_code rc =
        bytes_failed(&in) || count > bytes_left(&in) / SOURCE_BYTES_MIN ? ERR_CORRUPT : ERR_OK;

    for (uint64_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = decode_source(s, &in, tagged, e);
    }
    if (rc == ERR_OK && bytes_left(&in) == 0) {
        *out = s;
        return ERR_OK;
    }
    gtid_set_free(s);
    return rc == ERR_NOMEM
               ? rc
               : err_set(e, ERR_CORRUPT, "a GTID set of %zu bytes cannot be read", block.len);
}
