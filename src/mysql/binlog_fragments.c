/*
 * total u32 | number of this piece u32, from 1 | flags u8 | flags 01, in the first: bytes of the
 * event u64 | piece
 */
#include "mysql/binlog_fragments.h"

#define EVENT_BYTES_MAX ((uint64_t)1 << 30)
#define KEEP_BYTES      ((size_t)4 << 20)
#define HAS_EVENT_BYTES 0x01u

void binlog_fragments_deinit(struct binlog_fragments *f)
{
    buf_deinit(&f->event);
    *f = (struct binlog_fragments){0};
}

static enum err_code start(struct binlog_fragments *f, uint32_t total, uint64_t event_bytes,
                           struct err *e)
{
    if (event_bytes > EVENT_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "a rows event of %llu bytes in %u pieces",
                       (unsigned long long)event_bytes, total);
    }
    if (event_bytes < BINLOG_EVENT_HEADER_BYTES) {
        return err_set(e, ERR_CORRUPT, "%u pieces of an event of %llu bytes", total,
                       (unsigned long long)event_bytes);
    }
    buf_shrink(&f->event, KEEP_BYTES);
    f->total = total;
    f->seen = 0;
    f->event_bytes = event_bytes;
    return ERR_OK;
}

enum err_code binlog_fragments_add(struct binlog_fragments *f, struct span body, struct span *event,
                                   struct err *e)
{
    struct bytes_reader in;

    *event = (struct span){NULL, 0};
    bytes_reader_init(&in, body);
    uint32_t total = bytes_u32le(&in);
    uint32_t number = bytes_u32le(&in);
    bool has_bytes = (bytes_u8(&in) & HAS_EVENT_BYTES) != 0;
    uint64_t event_bytes = has_bytes ? bytes_u64le(&in) : 0;
    struct span piece = bytes_rest(&in);

    if (bytes_failed(&in) || number == 0 || number > total || has_bytes != (number == 1)) {
        return err_set(e, ERR_CORRUPT, "a piece of a rows event, of %zu bytes, cannot be read",
                       body.len);
    }
    if (number == 1 && !binlog_fragments_open(f)) {
        ERR_TRY(start(f, total, event_bytes, e));
    }
    if (number != f->seen + 1 || total != f->total) {
        return err_set(e, ERR_CORRUPT, "piece %u of %u of a rows event comes behind %u of %u",
                       number, total, f->seen, f->total);
    }
    if (piece.len > f->event_bytes - f->event.len ||
        (number == total && piece.len < f->event_bytes - f->event.len)) {
        return err_set(e, ERR_CORRUPT, "the pieces of a rows event of %llu bytes have others",
                       (unsigned long long)f->event_bytes);
    }
    buf_append_span(&f->event, piece);
    ERR_TRY(buf_check(&f->event, e, "a rows event"));
    f->seen = number;
    if (number == total) {
        f->total = 0;
        *event = buf_span(&f->event);
    }
    return ERR_OK;
}
