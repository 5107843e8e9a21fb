/*
 * ROTATE:             position u64 | file name
 * FORMAT_DESCRIPTION: ... | checksum algorithm u8 | crc32 (there even when checksums are off)
 * HEARTBEAT:          file name; beyond 4 GiB MariaDB's has log_pos 0, and in front: position u64
 * HEARTBEAT_V2:       { type lenenc, length lenenc, value } ... 0
 *                     1 = file name, 2 = position lenenc
 */
#include "mysql/binlog_stream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/crc32.h"
#include "mysql/binlog_compressed.h"
#include "mysql/binlog_fragments.h"
#include "mysql/binlog_payload.h"
#include "mysql/binlog_stream_int.h"
#include "mysql/binlog_type.h"

#define CRC_BYTES        4u
#define FLAGS_OFFSET     17u
#define FILE_BYTES_USUAL 32u
#define PLAIN_KEEP_BYTES ((size_t)4 << 20)

enum { HEARTBEAT_END = 0, HEARTBEAT_FILE = 1, HEARTBEAT_POSITION = 2 };

struct binlog_stream {
    struct binlog_source source;
    _Atomic bool interrupted;
    bool format_known; /* a format description was seen */
    enum binlog_checksum checksum;
    uint64_t bytes;
    struct binlog_position at; /* end of the last event */
    size_t at_file_bytes;      /* length of at.file */
    uint64_t skip_until;       /* 0: nothing is skipped */
    struct binlog_payload payload;
    struct binlog_fragments fragments;
    struct buf plain; /* the body of the last event that was compressed by itself */
};

/* ---- life ---- */

enum err_code binlog_stream_new(const struct binlog_source *source,
                                const struct binlog_position *at, enum binlog_checksum checksum,
                                struct binlog_stream **out, struct err *e)
{
    struct binlog_stream *s = calloc(1, sizeof *s);

    if (s == NULL) {
        if (source->close != NULL) {
            source->close(source->ctx);
        }
        return err_nomem(e);
    }
    s->source = *source;
    s->at = *at;
    s->at_file_bytes = strlen(at->file);
    s->checksum = checksum;
    *out = s;
    return ERR_OK;
}

void binlog_stream_skip_until(struct binlog_stream *s, uint64_t offset)
{
    s->skip_until = offset;
}

void binlog_stream_close(struct binlog_stream *s)
{
    if (s != NULL) {
        if (s->source.close != NULL) {
            s->source.close(s->source.ctx);
        }
        binlog_payload_deinit(&s->payload);
        binlog_fragments_deinit(&s->fragments);
        buf_deinit(&s->plain);
        free(s);
    }
}

uint64_t binlog_stream_bytes(const struct binlog_stream *s)
{
    return s->bytes;
}

const struct mysql_server *binlog_stream_server(const struct binlog_stream *s)
{
    return s->source.server;
}

void binlog_stream_interrupt(struct binlog_stream *s)
{
    atomic_store(&s->interrupted, true);
    if (s->source.interrupt != NULL) {
        s->source.interrupt(s->source.ctx);
    }
}

/* ---- checksums ---- */

static bool crc_matches(struct span event, bool in_use)
{
    uint32_t stored;
    size_t len = event.len - CRC_BYTES;
    uint32_t crc;

    memcpy(&stored, event.data + len, sizeof stored);
    if (in_use) {
        /* The server sets this flag after it computed the checksum. */
        uint8_t header[BINLOG_EVENT_HEADER_BYTES];

        memcpy(header, event.data, sizeof header);
        header[FLAGS_OFFSET] &= (uint8_t)~BINLOG_FLAG_IN_USE;
        crc = crc32_update(0, span_of(header, sizeof header));
        crc = crc32_update(crc, span_of(event.data + sizeof header, len - sizeof header));
    } else {
        crc = crc32_update(0, span_of(event.data, len));
    }
    return crc == stored;
}

/* A format description tells the algorithm for itself and what follows. */
static enum err_code learn_checksum(struct binlog_stream *s, struct span event, struct err *e)
{
    if (event.len < BINLOG_EVENT_HEADER_BYTES + 1 + CRC_BYTES) {
        return err_set(e, ERR_CORRUPT, "a format description of %zu bytes", event.len);
    }
    uint8_t algorithm = event.data[event.len - CRC_BYTES - 1];

    if (algorithm != BINLOG_CHECKSUM_OFF && algorithm != BINLOG_CHECKSUM_CRC32) {
        return err_set(e, ERR_UNSUPPORTED, "binlog checksum algorithm %u", algorithm);
    }
    s->checksum = (enum binlog_checksum)algorithm;
    s->format_known = true;
    return ERR_OK;
}

/* Verifies the checksum and takes it off. */
static enum err_code open_event(struct binlog_stream *s, const struct binlog_event_header *h,
                                struct span event, struct span *body, struct err *e)
{
    bool format = h->type == BINLOG_EVENT_FORMAT_DESCRIPTION;
    size_t tail = 0;

    if (format) {
        ERR_TRY(learn_checksum(s, event, e));
        tail = CRC_BYTES;
    } else if (s->source.is_file && !s->format_known) {
        return err_set(e, ERR_CORRUPT,
                       "a binlog file starts with a format description, not with %s",
                       binlog_event_type_name(h->type));
    }
    if (s->checksum == BINLOG_CHECKSUM_CRC32) {
        tail = CRC_BYTES;
        if (event.len < BINLOG_EVENT_HEADER_BYTES + CRC_BYTES) {
            return err_set(e, ERR_CORRUPT, "an event of %zu bytes has no room for its checksum",
                           event.len);
        }
        if (!crc_matches(event, format && (h->flags & BINLOG_FLAG_IN_USE) != 0)) {
            return err_set(e, ERR_CORRUPT, "the checksum of the %s event of %zu bytes is wrong",
                           binlog_event_type_name(h->type), event.len);
        }
    }
    *body = span_of(event.data + BINLOG_EVENT_HEADER_BYTES,
                    event.len - BINLOG_EVENT_HEADER_BYTES - tail);
    return ERR_OK;
}

/* ---- positions ---- */

/* The least offset at or above `least` whose low 32 bits are log_pos. */
static uint64_t widen(uint32_t log_pos, uint64_t least)
{
    uint64_t v = (least & ~(uint64_t)UINT32_MAX) | log_pos;

    return v < least ? v + ((uint64_t)1 << 32) : v;
}

static bool is_file_name(struct span name)
{
    return name.len > 0 && name.len < BINLOG_FILE_BYTES &&
           memchr(name.data, '\0', name.len) == NULL;
}

/* Takes a position that an event names; false when it can be none. */
static bool set_position(struct binlog_stream *s, struct span file, uint64_t offset)
{
    if (file.data == NULL || !is_file_name(file) || offset < BINLOG_FILE_START ||
        offset > INT64_MAX) {
        return false;
    }
    if (!span_eq_str(file, s->at.file)) {
        s->skip_until = 0;
        memcpy(s->at.file, file.data, file.len);
        s->at.file[file.len] = '\0';
        s->at_file_bytes = file.len;
    }
    s->at.offset = offset;
    return true;
}

static enum err_code on_rotate(struct binlog_stream *s, struct span body, struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, body);
    uint64_t offset = bytes_u64le(&in);
    struct span name = bytes_rest(&in);

    if (bytes_failed(&in) || !set_position(s, name, offset)) {
        return err_set(e, ERR_CORRUPT, "a rotate event of %zu bytes names no position", body.len);
    }
    return ERR_OK;
}

static enum err_code on_heartbeat(struct binlog_stream *s, const struct binlog_event_header *h,
                                  struct span body, struct err *e)
{
    struct bytes_reader in;
    uint64_t offset = 0;

    bytes_reader_init(&in, body);
    if (h->log_pos == 0) {
        offset = bytes_u64le(&in);
    }
    struct span name = bytes_rest(&in);

    if (h->log_pos != 0) {
        offset = widen(h->log_pos, span_eq_str(name, s->at.file) ? s->at.offset : 0);
    }
    if (bytes_failed(&in) || !set_position(s, name, offset)) {
        return err_set(e, ERR_CORRUPT, "a heartbeat of %zu bytes names no position", body.len);
    }
    return ERR_OK;
}

static enum err_code on_heartbeat_v2(struct binlog_stream *s, struct span body, struct err *e)
{
    struct bytes_reader in;
    struct span name = {NULL, 0};
    uint64_t offset = 0;
    uint64_t field;

    bytes_reader_init(&in, body);
    while (bytes_left(&in) > 0 && (field = bytes_lenenc(&in)) != HEARTBEAT_END) {
        uint64_t len = bytes_lenenc(&in);
        struct bytes_reader value = bytes_sub(&in, len > bytes_left(&in) ? SIZE_MAX : (size_t)len);

        if (field == HEARTBEAT_FILE) {
            name = bytes_rest(&value);
        } else if (field == HEARTBEAT_POSITION) {
            offset = bytes_lenenc(&value);
        }
        if (bytes_failed(&value)) {
            bytes_fail(&in);
        }
    }
    if (bytes_failed(&in) || !set_position(s, name, offset)) {
        return err_set(e, ERR_CORRUPT, "a heartbeat of %zu bytes names no position", body.len);
    }
    return ERR_OK;
}

/*
 * log_pos has 32 bits, and MariaDB leaves it out inside of transactions; so the offset is counted,
 * and log_pos only moves it forward, over events that the server did not send.
 */
static enum err_code move_position(struct binlog_stream *s, const struct binlog_event_header *h,
                                   struct span body, struct err *e)
{
    uint64_t counted = s->at.offset + h->event_bytes;

    if (s->source.is_file) {
        s->at.offset = counted;
        return ERR_OK;
    }
    switch (h->type) {
    case BINLOG_EVENT_ROTATE:
        return on_rotate(s, body, e);
    case BINLOG_EVENT_HEARTBEAT:
        return on_heartbeat(s, h, body, e);
    case BINLOG_EVENT_HEARTBEAT_V2:
        return on_heartbeat_v2(s, body, e);
    case BINLOG_EVENT_FORMAT_DESCRIPTION:
        if (h->log_pos == 0) {
            return ERR_OK; /* repeated, because the dump starts in the middle of a file */
        }
        break;
    default:
        break;
    }
    if ((h->flags & BINLOG_FLAG_ARTIFICIAL) == 0) {
        s->at.offset = h->log_pos == 0 ? counted : widen(h->log_pos, counted);
    }
    return ERR_OK;
}

/* ---- events ---- */

static bool may_pass(const struct binlog_stream *s, const struct binlog_event_header *h)
{
    if (h->type == BINLOG_EVENT_MARIADB_START_ENCRYPTION) {
        /* A server sends decrypted what follows; in a file nothing behind it can be read. */
        return !s->source.is_file;
    }
    return binlog_types[h->type].use != BINLOG_TYPE_STOPS ||
           (h->flags & BINLOG_FLAG_IGNORABLE) != 0;
}

static enum err_code check_type(const struct binlog_stream *s, const struct binlog_event_header *h,
                                uint64_t start, bool *wanted, struct err *e)
{
    const struct binlog_type *type = &binlog_types[h->type];

    *wanted = type->use == BINLOG_TYPE_HANDED_OUT;
    if (may_pass(s, h)) {
        return ERR_OK;
    }
    return err_set(
        e, ERR_UNSUPPORTED,
        "event type %u (%s) at %s:%llu is none that this version can read, and it may change "
        "rows%s%s",
        h->type, binlog_event_type_name(h->type), s->at.file, (unsigned long long)start,
        type->advice == NULL ? "" : "; ", type->advice == NULL ? "" : type->advice);
}

/* False as long as the event lies before the place where the caller wants to start. */
static enum err_code check_skip(struct binlog_stream *s, const struct binlog_event_header *h,
                                bool *wanted, struct err *e)
{
    if (h->type == BINLOG_EVENT_ROTATE || h->type == BINLOG_EVENT_FORMAT_DESCRIPTION) {
        return ERR_OK;
    }
    if (s->at.offset <= s->skip_until) {
        *wanted = false;
        return ERR_OK;
    }
    uint64_t start = s->at.offset - h->event_bytes;

    if (start < s->skip_until) {
        return err_set(e, ERR_SOURCE,
                       "%s:%llu lies inside an event: it is not a position of this source",
                       s->at.file, (unsigned long long)s->skip_until);
    }
    s->skip_until = 0;
    return ERR_OK;
}

/* A stream's longest work per event would be the copy of 256 bytes of file name, of which few are
 * used. */
static void tell_end(const struct binlog_stream *s, struct binlog_position *out)
{
    if (s->at_file_bytes < FILE_BYTES_USUAL) {
        memcpy(out->file, s->at.file, FILE_BYTES_USUAL);
    } else {
        memcpy(out->file, s->at.file, sizeof out->file);
    }
    out->offset = s->at.offset;
}

/* A piece of a rows event; the last one becomes the whole. */
static enum err_code join(struct binlog_stream *s, struct binlog_event *out, bool *wanted,
                          struct err *e)
{
    struct span event;
    struct bytes_reader in;
    struct binlog_event_header header;

    ERR_TRY(binlog_fragments_add(&s->fragments, out->body, &event, e));
    if (event.len == 0) {
        *wanted = false;
        return ERR_OK;
    }
    bytes_reader_init(&in, event);
    ERR_TRY(binlog_event_read_header(&in, &header, e));
    bool is_rows =
        binlog_event_is_rows(header.type) ||
        (binlog_compressed_is(header.type) && header.type != BINLOG_EVENT_MARIADB_QUERY_COMPRESSED);

    if (!is_rows || header.event_bytes != event.len) {
        return err_set(e, ERR_CORRUPT, "pieces of %zu bytes make up a %s event that has %u",
                       event.len, binlog_event_type_name(header.type), header.event_bytes);
    }
    /* Each piece has its own checksum; whether the whole was given one before is not documented. */
    bool has_crc = s->checksum == BINLOG_CHECKSUM_CRC32 && bytes_left(&in) >= CRC_BYTES &&
                   crc_matches(event, false);

    out->header.type = header.type;
    out->body = bytes_span(&in, bytes_left(&in) - (has_crc ? CRC_BYTES : 0));
    return ERR_OK;
}

/* What the log has becomes what it stands for. */
static enum err_code unpack(struct binlog_stream *s, struct binlog_event *out, bool *wanted,
                            struct err *e)
{
    out->logged_type = out->header.type;
    if (out->header.type == BINLOG_EVENT_MARIADB_PARTIAL_ROW_DATA) {
        ERR_TRY(join(s, out, wanted, e));
    }
    if (!binlog_compressed_is(out->header.type)) {
        return ERR_OK;
    }
    uint8_t packed_type = out->header.type;

    buf_shrink(&s->plain, PLAIN_KEEP_BYTES);
    ERR_TRY(binlog_compressed_unpack(packed_type, out->body, &s->plain, &out->header.type, e));
    out->body = buf_span(&s->plain);
    return ERR_OK;
}

/* Nothing but a heartbeat may come between the pieces of an event. */
static enum err_code check_pieces(const struct binlog_event_header *h, struct err *e)
{
    bool fits = h->type == BINLOG_EVENT_MARIADB_PARTIAL_ROW_DATA ||
                h->type == BINLOG_EVENT_HEARTBEAT || h->type == BINLOG_EVENT_HEARTBEAT_V2;

    return fits ? ERR_OK
                : err_set(e, ERR_CORRUPT, "a %s event between the pieces of a rows event",
                          binlog_event_type_name(h->type));
}

static enum err_code next_inner(struct binlog_stream *s, struct binlog_event *out, bool *wanted,
                                struct err *e)
{
    bool more = false;

    *wanted = false;
    ERR_TRY(binlog_payload_next(&s->payload, &out->header, &out->body, &more, e));
    if (!more) {
        return ERR_OK;
    }
    if (out->header.type == BINLOG_EVENT_TRANSACTION_PAYLOAD) {
        return err_set(e, ERR_CORRUPT, "a transaction payload inside of another");
    }
    tell_end(s, &out->end);
    out->in_payload = true;
    ERR_TRY(check_type(s, &out->header, s->at.offset, wanted, e));
    return *wanted ? unpack(s, out, wanted, e) : ERR_OK;
}

static enum err_code next_outer(struct binlog_stream *s, struct binlog_event *out, bool *wanted,
                                struct err *e)
{
    struct span event;
    struct bytes_reader in;

    *wanted = false;
    ERR_TRY(s->source.next(s->source.ctx, &event, e));
    s->bytes += event.len;
    bytes_reader_init(&in, event);
    ERR_TRY(binlog_event_read_header(&in, &out->header, e));
    if (out->header.event_bytes != event.len) {
        return err_set(e, ERR_CORRUPT, "an event says that it has %u bytes and has %zu",
                       out->header.event_bytes, event.len);
    }
    ERR_TRY(open_event(s, &out->header, event, &out->body, e));
    if (binlog_fragments_open(&s->fragments)) {
        ERR_TRY(check_pieces(&out->header, e));
    }
    ERR_TRY(move_position(s, &out->header, out->body, e));
    ERR_TRY(check_type(s, &out->header, s->at.offset - event.len, wanted, e));
    if (s->skip_until != 0) {
        ERR_TRY(check_skip(s, &out->header, wanted, e));
    }
    if (*wanted && out->header.type == BINLOG_EVENT_TRANSACTION_PAYLOAD) {
        *wanted = false;
        return binlog_payload_start(&s->payload, out->body, e);
    }
    tell_end(s, &out->end);
    out->in_payload = false;
    return *wanted ? unpack(s, out, wanted, e) : ERR_OK;
}

enum err_code binlog_stream_next(struct binlog_stream *s, struct binlog_event *out, struct err *e)
{
    bool wanted = false;

    while (!wanted) {
        if (atomic_load_explicit(&s->interrupted, memory_order_relaxed)) {
            return err_set(e, ERR_CANCELLED, "interrupted");
        }
        enum err_code rc =
            s->payload.active ? next_inner(s, out, &wanted, e) : next_outer(s, out, &wanted, e);

        if (rc == ERR_OK) {
            continue;
        }
        if (atomic_load(&s->interrupted)) {
            return err_set(e, ERR_CANCELLED, "interrupted");
        }
        if (rc == ERR_NOT_FOUND && binlog_fragments_open(&s->fragments)) {
            rc = err_set(e, ERR_CORRUPT, "the file ends between the pieces of a rows event");
        }
        if (rc == ERR_CORRUPT || rc == ERR_LIMIT) {
            err_wrap(e, "binlog after %s:%llu", s->at.file, (unsigned long long)s->at.offset);
        }
        return rc;
    }
    return ERR_OK;
}
