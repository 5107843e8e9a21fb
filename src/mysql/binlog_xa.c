/*
 * XA_PREPARE:            one_phase u8 | format_id u32 | gtrid_len u32 | bqual_len u32 | data
 * in a GTID (MariaDB):   format_id u32 | gtrid_len u8 | bqual_len u8 | data
 */
#include "mysql/binlog_xa_int.h"

#define PART_BYTES_MAX (XID_DATA_BYTES / 2)

/* Takes the data of a name whose lengths are known. */
static enum err_code read_data(struct bytes_reader *in, uint32_t format_id, uint32_t gtrid_bytes,
                               uint32_t bqual_bytes, struct xid *out, struct err *e)
{
    *out = (struct xid){.format_id = (int32_t)format_id};
    if (bytes_failed(in) || gtrid_bytes > PART_BYTES_MAX || bqual_bytes > PART_BYTES_MAX) {
        return err_set(e, ERR_CORRUPT, "an XA transaction's name of %u and %u bytes", gtrid_bytes,
                       bqual_bytes);
    }
    const uint8_t *data = bytes_take(in, (size_t)gtrid_bytes + bqual_bytes);

    if (data == NULL) {
        return err_set(e, ERR_CORRUPT, "an XA transaction's name is cut short");
    }
    out->gtrid_bytes = (uint8_t)gtrid_bytes;
    out->bqual_bytes = (uint8_t)bqual_bytes;
    memcpy(out->data, data, (size_t)gtrid_bytes + bqual_bytes);
    return ERR_OK;
}

enum err_code binlog_event_xa_prepare(struct span body, bool *one_phase, struct xid *out,
                                      struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, body);
    *one_phase = bytes_u8(&in) != 0;
    uint32_t format_id = bytes_u32le(&in);
    uint32_t gtrid_bytes = bytes_u32le(&in);
    uint32_t bqual_bytes = bytes_u32le(&in);

    return read_data(&in, format_id, gtrid_bytes, bqual_bytes, out, e);
}

enum err_code binlog_xa_read_gtid(struct bytes_reader *in, uint8_t flags,
                                  struct binlog_transaction_start *out, struct err *e)
{
    if ((flags & (MARIADB_PREPARED_XA | MARIADB_COMPLETED_XA)) == 0) {
        return ERR_OK;
    }
    uint32_t format_id = bytes_u32le(in);
    uint8_t gtrid_bytes = bytes_u8(in);
    uint8_t bqual_bytes = bytes_u8(in);

    out->xa_prepared = (flags & MARIADB_PREPARED_XA) != 0;
    out->xa_completed = (flags & MARIADB_COMPLETED_XA) != 0;
    return read_data(in, format_id, gtrid_bytes, bqual_bytes, &out->xid, e);
}
