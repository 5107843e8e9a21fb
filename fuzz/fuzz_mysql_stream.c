/*
 * Binlog streams. First byte: 0 = the rest is a binlog file; else the rest are packets of a dump,
 * each u16le length and bytes, with checksums when the byte is odd and above 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mysql/binlog_compressed.h"
#include "mysql/binlog_stream_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code next_packet(void *ctx, struct span *event, struct err *e)
{
    struct bytes_reader *in = ctx;
    size_t len = bytes_u16le(in);

    *event = bytes_span(in, len);
    return bytes_failed(in) ? err_set(e, ERR_IO, "no packet left") : ERR_OK;
}

static void look_into(const struct binlog_event *ev)
{
    struct err e;
    struct binlog_query query;
    struct binlog_transaction_start start;
    struct span message;
    uint16_t incident;
    char text[128];

    if (ev->end.file[BINLOG_FILE_BYTES - 1] != '\0' || ev->end.offset < BINLOG_FILE_START) {
        abort();
    }
    /* What is packed or cut comes out as what it stands for. */
    if (binlog_compressed_is(ev->header.type) ||
        ev->header.type == BINLOG_EVENT_MARIADB_PARTIAL_ROW_DATA ||
        ev->header.type == BINLOG_EVENT_TRANSACTION_PAYLOAD) {
        abort();
    }
    if (ev->header.type == BINLOG_EVENT_QUERY) {
        (void)!binlog_event_query(ev->body, &query, &e);
    } else if (ev->header.type == BINLOG_EVENT_EXECUTE_LOAD_QUERY) {
        (void)!binlog_event_execute_load_query(ev->body, &query, &e);
    } else if (ev->header.type == BINLOG_EVENT_INCIDENT) {
        (void)!binlog_event_incident(ev->body, &incident, &message, &e);
    } else if (ev->header.type == BINLOG_EVENT_GTID ||
               ev->header.type == BINLOG_EVENT_MARIADB_GTID ||
               ev->header.type == BINLOG_EVENT_GTID_TAGGED ||
               ev->header.type == BINLOG_EVENT_ANONYMOUS_GTID) {
        if (binlog_event_gtid(ev, &start, &e) == ERR_OK) {
            gtid_print(&start.gtid, text, sizeof text);
        }
    } else if (ev->header.type == BINLOG_EVENT_PREVIOUS_GTIDS) {
        struct gtid_set *set = NULL;

        (void)!gtid_set_decode(ev->body, &set, &e);
        gtid_set_free(set);
    }
}

static void read_all(struct binlog_stream *s)
{
    struct binlog_event ev = {0};
    struct err e;

    while (binlog_stream_next(s, &ev, &e) == ERR_OK) {
        look_into(&ev);
    }
    binlog_stream_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binlog_stream *s = NULL;
    struct err e;

    if (size < 2) {
        return 0;
    }
    if (data[0] == 0) {
        uint8_t *copy = malloc(size - 1);
        FILE *file = NULL;

        if (copy != NULL) {
            memcpy(copy, data + 1, size - 1);
            file = fmemopen(copy, size - 1, "rb");
        }
        if (file != NULL && binlog_stream_from_file(file, "binlog.000001", &s, &e) == ERR_OK) {
            read_all(s);
        }
        free(copy);
        return 0;
    }
    struct bytes_reader in;
    struct binlog_source source = {.next = next_packet, .ctx = &in};
    struct binlog_position at = {.offset = BINLOG_FILE_START};
    bool crc = data[0] > 1 && data[0] % 2 == 1;

    bytes_reader_init(&in, span_of(data + 1, size - 1));
    if (binlog_stream_new(&source, &at, crc ? BINLOG_CHECKSUM_CRC32 : BINLOG_CHECKSUM_OFF, &s,
                          &e) == ERR_OK) {
        read_all(s);
    }
    return 0;
}
