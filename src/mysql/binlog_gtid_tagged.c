/*
 * All numbers are variable-length: as many bytes as the first has trailing ones, and one more;
 * these bits are shifted out. ff: the next 8 bytes. Signed ones: 2v, or -2v - 1 for negative v.
 *
 *   format version (1) | bytes of the body | last field that a reader must know | { id, value } ...
 *
 *   0 flags | 1 uuid, 16 numbers | 2 gno, signed | 3 tag: length, bytes | 4 last_committed, signed
 *   5 sequence_number, signed | 6 commit time | 7 its original | 8 transaction bytes
 *   9 server version | 10 its original | 11 ticket of the commit group
 *
 * Ids grow; fields may be left out.
 */
#include "mysql/binlog_gtid_tagged.h"

#include "mysql/gtid_int.h"

#define FORMAT_VERSION 1u

enum field {
    FIELD_FLAGS = 0,
    FIELD_UUID = 1,
    FIELD_GNO = 2,
    FIELD_TAG = 3,
    FIELD_TRANSACTION_BYTES = 8,
    FIELD_LAST = 11,
};

#define FIELDS_NEEDED (1u << FIELD_UUID | 1u << FIELD_GNO | 1u << FIELD_TAG)

static uint64_t read_number(struct bytes_reader *in)
{
    struct bytes_reader look = *in;
    unsigned first = bytes_u8(&look);
    unsigned more = 0;

    while (more < 8 && (first >> more & 1) != 0) {
        more++;
    }
    if (more == 8) {
        bytes_skip(in, 1);
        return bytes_u64le(in);
    }
    return bytes_uint_le(in, more + 1) >> (more + 1);
}

static void read_uuid(struct bytes_reader *in, uint8_t uuid[16])
{
    for (size_t i = 0; i < 16; i++) {
        uint64_t byte = read_number(in);

        if (byte > UINT8_MAX) {
            bytes_fail(in);
        }
        uuid[i] = (uint8_t)byte;
    }
}

static void read_tag(struct bytes_reader *in, char out[GTID_TAG_BYTES])
{
    uint64_t length = read_number(in);
    char text[GTID_TAG_BYTES] = "";

    if (length >= sizeof text) {
        bytes_fail(in);
    }
    struct span tag = bytes_span(in, length >= sizeof text ? 0 : (size_t)length);

    if (bytes_failed(in) || tag.len == 0) {
        return;
    }
    memcpy(text, tag.data, tag.len);
    if (!gtid_tag_parse(text, out) || strlen(out) != tag.len) {
        bytes_fail(in);
    }
}

static void read_field(struct bytes_reader *in, uint64_t id, struct binlog_transaction_start *out)
{
    switch (id) {
    case FIELD_UUID:
        read_uuid(in, out->gtid.uuid);
        break;
    case FIELD_GNO:
        /* A negative one has the lowest bit set and is as wrong as one that is too large. */
        out->gtid.number = read_number(in);
        out->gtid.number = (out->gtid.number & 1) != 0 ? UINT64_MAX : out->gtid.number >> 1;
        break;
    case FIELD_TAG:
        read_tag(in, out->gtid.tag);
        break;
    case FIELD_TRANSACTION_BYTES:
        out->transaction_bytes = read_number(in);
        break;
    default:
        (void)read_number(in);
        break;
    }
}

/* The fields that are known; *seen has a bit for each. Ends where unknown ones begin. */
static enum err_code read_fields(struct bytes_reader *in, uint64_t must_know, uint32_t *seen,
                                 struct binlog_transaction_start *out, struct err *e)
{
    uint64_t least = FIELD_FLAGS;

    while (bytes_left(in) > 0) {
        uint64_t id = read_number(in);

        if (id > FIELD_LAST && !bytes_failed(in)) {
            /* What follows has lengths that nobody here knows. */
            return id <= must_know
                       ? err_set(e, ERR_UNSUPPORTED,
                                 "tagged GTID event: field %llu is none that this version knows, "
                                 "and it must not be ignored",
                                 (unsigned long long)id)
                       : ERR_OK;
        }
        if (id < least || bytes_failed(in)) {
            bytes_fail(in);
            break;
        }
        least = id + 1;
        *seen |= 1u << id;
        read_field(in, id, out);
    }
    return bytes_failed(in) ? err_set(e, ERR_CORRUPT, "a tagged GTID event cannot be read")
                            : ERR_OK;
}

enum err_code binlog_gtid_tagged_read(struct span body, struct binlog_transaction_start *out,
                                      struct err *e)
{
    struct bytes_reader in;
    uint32_t seen = 0;

    bytes_reader_init(&in, body);
    uint64_t version = read_number(&in);
    uint64_t bytes = read_number(&in);
    uint64_t must_know = read_number(&in);

    if (!bytes_failed(&in) && version != FORMAT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, "tagged GTID event of format %llu",
                       (unsigned long long)version);
    }
    if (bytes_failed(&in) || bytes != body.len) {
        return err_set(e, ERR_CORRUPT, "a tagged GTID event of %zu bytes says that it has %llu",
                       body.len, (unsigned long long)bytes);
    }
    ERR_TRY(read_fields(&in, must_know, &seen, out, e));
    if ((seen & FIELDS_NEEDED) != FIELDS_NEEDED || out->gtid.number == 0 ||
        out->gtid.number >= GTID_NUMBER_END) {
        return err_set(e, ERR_CORRUPT, "a tagged GTID event of %zu bytes names no transaction",
                       body.len);
    }
    out->gtid.flavor = GTID_FLAVOR_MYSQL;
    out->gtid.present = true;
    return ERR_OK;
}
