#include "mysql/binlog_payload.h"

#define PIECE_BYTES     ((size_t)256 << 10)
#define COMPACT_BYTES   ((size_t)1 << 20)
#define EVENT_BYTES_MAX ((size_t)1 << 30)

enum { FIELD_END = 0, FIELD_SIZE = 1, FIELD_COMPRESSION = 2 };
enum { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };

void binlog_payload_deinit(struct binlog_payload *p)
{
    zstd_decoder_free(p->zstd);
    buf_deinit(&p->buf);
    *p = (struct binlog_payload){0};
}

enum err_code binlog_payload_start(struct binlog_payload *p, struct span body, struct err *e)
{
    struct bytes_reader in;
    uint64_t size = 0;
    uint64_t compression = COMPRESSION_NONE;
    uint64_t field;

    bytes_reader_init(&in, body);
    while ((field = bytes_lenenc(&in)) != FIELD_END) {
        uint64_t len = bytes_lenenc(&in);
        struct bytes_reader value = bytes_sub(&in, len > bytes_left(&in) ? SIZE_MAX : (size_t)len);

        if (field == FIELD_SIZE) {
            size = bytes_lenenc(&value);
        } else if (field == FIELD_COMPRESSION) {
            compression = bytes_lenenc(&value);
        }
        if (bytes_failed(&value)) {
            bytes_fail(&in);
        }
    }
    if (bytes_failed(&in) || size != bytes_left(&in)) {
        return err_set(e, ERR_CORRUPT, "transaction payload event cannot be read");
    }
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE) {
        return err_set(e, ERR_UNSUPPORTED, "transaction payload with compression type %llu",
                       (unsigned long long)compression);
    }
    p->compressed = compression == COMPRESSION_ZSTD;
    p->plain = in;
    p->drained = false;
    p->at = 0;
    buf_reset(&p->buf);
    p->buf.cap_max = EVENT_BYTES_MAX + 2 * COMPACT_BYTES;
    if (p->compressed) {
        if (p->zstd == NULL) {
            p->zstd = zstd_decoder_new();
            if (p->zstd == NULL) {
                return err_nomem(e);
            }
        }
        ERR_TRY(zstd_decoder_start(p->zstd, bytes_rest(&in), e));
    }
    p->active = true;
    return ERR_OK;
}

/* Has at least `need` unread bytes in buf, unless the payload ends before. */
static enum err_code fill(struct binlog_payload *p, size_t need, struct err *e)
{
    if (p->at >= COMPACT_BYTES) {
        memmove(p->buf.data, p->buf.data + p->at, p->buf.len - p->at);
        p->buf.len -= p->at;
        p->at = 0;
    }
    while (p->buf.len - p->at < need && !p->drained) {
        size_t before = p->buf.len;

        ERR_TRY(zstd_decoder_read(p->zstd, PIECE_BYTES, &p->buf, &p->drained, e));
        if (!p->drained && p->buf.len == before) {
            return err_set(e, ERR_CORRUPT, "transaction payload ends inside a zstd frame");
        }
    }
    return ERR_OK;
}

static enum err_code next_compressed(struct binlog_payload *p, struct span *event, struct err *e)
{
    *event = (struct span){NULL, 0};
    ERR_TRY(fill(p, BINLOG_EVENT_HEADER_BYTES, e));
    if (p->buf.len == p->at) {
        return ERR_OK;
    }
    struct bytes_reader in;
    struct binlog_event_header header;

    bytes_reader_init(&in, span_of(p->buf.data + p->at, p->buf.len - p->at));
    ERR_TRY(binlog_event_read_header(&in, &header, e));
    if (header.event_bytes > EVENT_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "event of %u bytes in a transaction payload",
                       header.event_bytes);
    }
    ERR_TRY(fill(p, header.event_bytes, e));
    if (p->buf.len - p->at < header.event_bytes) {
        return err_set(e, ERR_CORRUPT, "transaction payload ends inside an event");
    }
    *event = span_of(p->buf.data + p->at, header.event_bytes);
    p->at += header.event_bytes;
    return ERR_OK;
}

static enum err_code next_plain(struct binlog_payload *p, struct span *event, struct err *e)
{
    struct bytes_reader look = p->plain;
    struct binlog_event_header header;

    *event = (struct span){NULL, 0};
    if (bytes_left(&look) == 0) {
        return ERR_OK;
    }
    ERR_TRY(binlog_event_read_header(&look, &header, e));
    *event = bytes_span(&p->plain, header.event_bytes);
    return bytes_failed(&p->plain)
               ? err_set(e, ERR_CORRUPT, "transaction payload ends inside an event")
               : ERR_OK;
}

enum err_code binlog_payload_next(struct binlog_payload *p, struct binlog_event_header *header,
                                  struct span *body, bool *more, struct err *e)
{
    struct span event;
    struct bytes_reader in;

    ERR_TRY(p->compressed ? next_compressed(p, &event, e) : next_plain(p, &event, e));
    *more = event.len > 0;
    if (!*more) {
        p->active = false;
        buf_shrink(&p->buf, 4 * COMPACT_BYTES);
        return ERR_OK;
    }
    bytes_reader_init(&in, event);
    ERR_TRY(binlog_event_read_header(&in, header, e));
    *body = bytes_rest(&in);
    return ERR_OK;
}
