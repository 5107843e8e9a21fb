/*
 * QUERY:   as the plain event up to the NUL behind the schema, then the statement, compressed
 * rows:    as the plain event up to the last column bitmap, then the rows, compressed
 *
 * compressed: 100a.nnn (a: 0 is zlib) | bytes of the content, big-endian, in nnn (1 to 4) bytes |
 *             stream
 */
#include "mysql/binlog_compressed.h"

#include "codec/compress.h"

#define CONTENT_BYTES_MAX   ((size_t)1 << 30)
#define MARK_MASK           0xe0u
#define MARK                0x80u
#define ALGORITHM_MASK      0x10u
#define LENGTH_MASK         0x07u
#define LENGTH_BYTES_MAX    4u
#define QUERY_DB_LEN_OFFSET 8u
#define ROWS_FIXED_BYTES    8u /* table id, flags */

static const uint8_t plain_types[] = {
    BINLOG_EVENT_QUERY,          BINLOG_EVENT_WRITE_ROWS_V1, BINLOG_EVENT_UPDATE_ROWS_V1,
    BINLOG_EVENT_DELETE_ROWS_V1, BINLOG_EVENT_WRITE_ROWS,    BINLOG_EVENT_UPDATE_ROWS,
    BINLOG_EVENT_DELETE_ROWS,
};

static void skip_query_head(struct bytes_reader *in)
{
    bytes_skip(in, QUERY_DB_LEN_OFFSET);
    uint8_t schema_bytes = bytes_u8(in);

    bytes_skip(in, 2);
    uint16_t status_bytes = bytes_u16le(in);

    bytes_skip(in, (size_t)status_bytes + schema_bytes + 1);
}

static void skip_rows_head(struct bytes_reader *in, uint8_t plain_type)
{
    bytes_skip(in, ROWS_FIXED_BYTES);
    if (plain_type >= BINLOG_EVENT_WRITE_ROWS) {
        uint16_t extra = bytes_u16le(in); /* counts itself */

        if (extra < 2) {
            bytes_fail(in);
        }
        bytes_skip(in, (size_t)(extra - 2));
    }
    uint64_t width = bytes_lenenc(in);
    bool two_bitmaps =
        plain_type == BINLOG_EVENT_UPDATE_ROWS || plain_type == BINLOG_EVENT_UPDATE_ROWS_V1;

    if (width > UINT16_MAX) {
        bytes_fail(in);
        return;
    }
    bytes_skip(in, (size_t)(width + 7) / 8 * (two_bitmaps ? 2 : 1));
}

enum err_code binlog_compressed_unpack(uint8_t type, struct span body, struct buf *out,
                                       uint8_t *plain_type, struct err *e)
{
    struct bytes_reader in;
    struct bytes_reader again;
    uint8_t plain = plain_types[type - BINLOG_EVENT_MARIADB_QUERY_COMPRESSED];

    bytes_reader_init(&in, body);
    again = in;
    if (plain == BINLOG_EVENT_QUERY) {
        skip_query_head(&in);
    } else {
        skip_rows_head(&in, plain);
    }
    struct span head = bytes_span(&again, bytes_offset(&in));
    uint8_t mark = bytes_u8(&in);
    size_t length_bytes = mark & LENGTH_MASK;
    bool known = (mark & MARK_MASK) == MARK && length_bytes > 0 && length_bytes <= LENGTH_BYTES_MAX;

    if (!known || bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "a compressed %s event of %zu bytes cannot be read",
                       binlog_event_type_name(plain), body.len);
    }
    if ((mark & ALGORITHM_MASK) != 0) {
        return err_set(e, ERR_UNSUPPORTED,
                       "a compressed %s event with another compression (0x%02x)",
                       binlog_event_type_name(plain), mark);
    }
    uint64_t content_bytes = bytes_uint_be(&in, length_bytes);

    if (bytes_failed(&in) || content_bytes == 0) {
        return err_set(e, ERR_CORRUPT, "a compressed %s event says that it has nothing in it",
                       binlog_event_type_name(plain));
    }
    if (content_bytes > CONTENT_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "a compressed %s event of %llu bytes",
                       binlog_event_type_name(plain), (unsigned long long)content_bytes);
    }
    buf_reset(out);
    buf_append_span(out, head);
    *plain_type = plain;
    return zlib_decompress(bytes_rest(&in), (size_t)content_bytes, out, e);
}
