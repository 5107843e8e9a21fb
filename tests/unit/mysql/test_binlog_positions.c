/* Where the events that a server sends begin and end, whatever log_pos says. */
#include "memory_stream.h"
#include "mysql/position.h"
#include "test.h"

TEST(test_binlog_positions__follows_rotations)
{
    struct packets p = {0};

    put_rotate(&p, "binlog.000001", 4, BINLOG_FLAG_ARTIFICIAL, true);
    make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
    put_at(&p, BINLOG_EVENT_XID, 4 + FORMAT_BYTES + XID_BYTES, true);
    put_rotate(&p, "binlog.000002", 4, 0, true);
    put_rotate(&p, "binlog.000002", 4, BINLOG_FLAG_ARTIFICIAL, true);
    /* The next file has no checksums; the made-up event before its format has those of the file
     * before. */
    make_format(&p.bytes, 0, 0, 4 + FORMAT_BYTES);
    put_at(&p, BINLOG_EVENT_XID, 4 + FORMAT_BYTES + XID_BYTES - 4, false);
    put_rotate(&p, "binlog.000003", 4, 0, false);
    put_rotate(&p, "binlog.000003", 4, BINLOG_FLAG_ARTIFICIAL, false);
    make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
    put_at(&p, BINLOG_EVENT_XID, 4 + FORMAT_BYTES + XID_BYTES, true);

    struct binlog_stream *s = open_packets(&p, "", 4);

    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 4 + FORMAT_BYTES + XID_BYTES);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000002", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000002", 4 + FORMAT_BYTES + XID_BYTES - 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000003", 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000003", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000003", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000003", 4 + FORMAT_BYTES + XID_BYTES);
    expect_failure(s, ERR_IO);
    close_stream(s, &p);
}

/* The first made-up rotation is as the client asked; then each format description tells. */
TEST(test_binlog_positions__starts_with_the_checksums_that_it_asked_for)
{
    for (uint8_t asked = 0; asked <= 1; asked++) {
        for (uint8_t file = 0; file <= 1; file++) {
            struct packets p = {0};

            put_rotate(&p, "binlog.000001", 500, BINLOG_FLAG_ARTIFICIAL, asked == 1);
            make_format(&p.bytes, file, 0, 0);
            put_at(&p, BINLOG_EVENT_XID, 0, file == 1);
            struct binlog_stream *s = open_packets_checksum(&p, "", 4, (enum binlog_checksum)asked);

            expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 500);
            expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 500);
            expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 500 + XID_BYTES - (file == 1 ? 0 : 4));
            close_stream(s, &p);
        }
    }
    /* Not as it was asked for. */
    struct packets p = {0};

    put_rotate(&p, "binlog.000001", 500, BINLOG_FLAG_ARTIFICIAL, false);
    struct binlog_stream *s = open_packets(&p, "", 4);

    expect_failure(s, ERR_CORRUPT);
    close_stream(s, &p);
}

/* A reconnect, or a server that rotates at once, says the same place more than once. */
TEST(test_binlog_positions__rotations_may_come_twice)
{
    struct packets p = {0};

    put_rotate(&p, "binlog.000001", 4, BINLOG_FLAG_ARTIFICIAL, true);
    put_rotate(&p, "binlog.000001", 4, BINLOG_FLAG_ARTIFICIAL, true);
    make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
    make_format(&p.bytes, 1, 0, 0);
    put_at(&p, BINLOG_EVENT_XID, 4 + FORMAT_BYTES + XID_BYTES, true);
    put_rotate(&p, "binlog.000002", 4, 0, true);
    put_rotate(&p, "binlog.000002", 4, 0, true);
    put_rotate(&p, "binlog.000002", 4, BINLOG_FLAG_ARTIFICIAL, true);
    make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    struct binlog_stream *s = open_packets(&p, "", 4);

    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 4 + FORMAT_BYTES + XID_BYTES);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000002", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000002", 4 + FORMAT_BYTES + XID_BYTES);
    close_stream(s, &p);
}

TEST(test_binlog_positions__file_numbers_pass_six_digits)
{
    struct packets p = {0};
    struct binlog_event before;
    struct binlog_event ev;
    struct err e = {0};

    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_rotate(&p, "binlog.1000000", 4, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    struct binlog_stream *s = open_packets(&p, "binlog.999999", 5000);

    assert_ok(binlog_stream_next(s, &before, &e), &e);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.1000000", 4);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_string_equal(ev.end.file, "binlog.1000000");
    assert_true(binlog_position_compare(&before.end, &ev.end) < 0);
    close_stream(s, &p);
}

TEST(test_binlog_positions__counts_what_has_no_log_pos)
{
    struct packets p = {0};

    put_rotate(&p, "binlog.000001", 5000, BINLOG_FLAG_ARTIFICIAL, true);
    make_format(&p.bytes, 1, 0, 0); /* repeated in the middle of a file */
    put_at(&p, BINLOG_EVENT_XID, 5000 + XID_BYTES, true);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 5000 + 4 * XID_BYTES, true);
    /* The server left some transactions out. */
    put_at(&p, BINLOG_EVENT_XID, 7000, true);
    make_event(&p.bytes, (struct made_event){.type = BINLOG_EVENT_MARIADB_GTID_LIST,
                                             .flags = BINLOG_FLAG_ARTIFICIAL,
                                             .log_pos = 1389,
                                             .body = span_str("\0\0\0\0"),
                                             .crc = true});
    put_at(&p, BINLOG_EVENT_XID, 0, true);

    struct binlog_stream *s = open_packets(&p, "binlog.000001", 5000);

    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 5000);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 5000);
    for (unsigned i = 1; i <= 4; i++) {
        expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 5000 + i * XID_BYTES);
    }
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 7000);
    expect_end(s, BINLOG_EVENT_MARIADB_GTID_LIST, "binlog.000001", 7000);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 7000 + XID_BYTES);
    close_stream(s, &p);
}

/* A server sends decrypted what its files have encrypted. */
TEST(test_binlog_positions__passes_over_encryption_that_a_server_has_taken_off)
{
    struct packets p = {0};

    for (unsigned i = 0; i <= 1; i++) {
        make_event(&p.bytes, (struct made_event){.type = BINLOG_EVENT_MARIADB_START_ENCRYPTION,
                                                 .flags = i == 0 ? BINLOG_FLAG_IGNORABLE : 0,
                                                 .body = span_str("1234567890abcdefg"),
                                                 .crc = true});
    }
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 500 + 2 * (19 + 17 + 4) + XID_BYTES);
    close_stream(s, &p);
}

#define GIB4 ((uint64_t)1 << 32)

TEST(test_binlog_positions__counts_beyond_4_gib)
{
    struct packets p = {0};
    uint64_t start = GIB4 - 40;

    put_at(&p, BINLOG_EVENT_XID, (uint32_t)(start + XID_BYTES), true);
    put_at(&p, BINLOG_EVENT_XID, (uint32_t)(start + 2 * XID_BYTES), true); /* wrapped */
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 100000, true);
    put_at(&p, BINLOG_EVENT_XID, 50000, true); /* 4 GiB on, less 50,000 */

    struct binlog_stream *s = open_packets(&p, "binlog.000001", start);

    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", start + XID_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", start + 2 * XID_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", start + 3 * XID_BYTES);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", GIB4 + 100000);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 2 * GIB4 + 50000);
    close_stream(s, &p);
}

/* MariaDB 11.4 and later: of a transaction only its GTID and its end say where they are. */
TEST(test_binlog_positions__counts_transactions_that_lie_across_4_gib)
{
    struct packets p = {0};
    uint64_t start = GIB4 - 3 * XID_BYTES - 5;
    struct binlog_event ev = {0};
    struct binlog_position last = {.file = "binlog.000001", .offset = start};
    struct err e = {0};

    for (unsigned i = 1; i <= 12; i++) {
        bool says = i % 4 == 0 || i % 4 == 1;

        put_at(&p, BINLOG_EVENT_XID, says ? (uint32_t)(start + i * XID_BYTES) : 0, true);
    }
    struct binlog_stream *s = open_packets(&p, "binlog.000001", start);

    for (unsigned i = 1; i <= 12; i++) {
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.end.offset, start + i * XID_BYTES);
        /* Later ones compare as later, although their low 32 bits are smaller. */
        assert_true(binlog_position_compare(&last, &ev.end) < 0);
        last = ev.end;
    }
    assert_true(last.offset > GIB4 && (uint32_t)last.offset < (uint32_t)start);
    close_stream(s, &p);
}

TEST(test_binlog_positions__skips_to_a_place_beyond_4_gib)
{
    for (int inside = 0; inside <= 1; inside++) {
        struct packets p = {0};
        uint64_t wanted = 4 + FORMAT_BYTES + 3 * XID_BYTES;

        put_rotate(&p, "binlog.000001", 4, BINLOG_FLAG_ARTIFICIAL, true);
        make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
        for (int i = 0; i < 5; i++) {
            put_at(&p, BINLOG_EVENT_XID, 0, true);
        }
        struct binlog_stream *s = open_packets(&p, "binlog.000001", 4);

        binlog_stream_skip_until(s, inside ? wanted + 1 : wanted);
        expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 4);
        expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 4 + FORMAT_BYTES);
        if (inside) {
            expect_failure(s, ERR_SOURCE);
        } else {
            expect_end(s, BINLOG_EVENT_XID, "binlog.000001", wanted + XID_BYTES);
            expect_end(s, BINLOG_EVENT_XID, "binlog.000001", wanted + 2 * XID_BYTES);
        }
        close_stream(s, &p);
    }
}

TEST(test_binlog_positions__the_next_file_ends_skipping)
{
    struct packets p = {0};

    put_rotate(&p, "binlog.000001", 4, BINLOG_FLAG_ARTIFICIAL, true);
    make_format(&p.bytes, 1, 0, 4 + FORMAT_BYTES);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_rotate(&p, "binlog.000002", 4, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 4);

    binlog_stream_skip_until(s, GIB4 + 5);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000001", 4);
    expect_end(s, BINLOG_EVENT_FORMAT_DESCRIPTION, "binlog.000001", 4 + FORMAT_BYTES);
    expect_end(s, BINLOG_EVENT_ROTATE, "binlog.000002", 4);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000002", 4 + XID_BYTES);
    close_stream(s, &p);
}

static void put_heartbeat(struct packets *p, uint8_t type, uint32_t log_pos, struct span body)
{
    make_event(&p->bytes,
               (struct made_event){.type = type, .log_pos = log_pos, .body = body, .crc = true});
}

TEST(test_binlog_positions__heartbeats_move_the_position)
{
    struct packets p = {0};
    struct buf body = {0};

    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT, 700, span_str("binlog.000001"));
    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT, 300, span_str("binlog.000001")); /* wrapped */
    buf_u64le(&body, 3 * GIB4 + 9);
    buf_append_str(&body, "binlog.000001");
    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT, 0, buf_span(&body));
    buf_reset(&body);
    buf_append(&body, "\1\15binlog.000002\2\11\xfe\0\0\0\0\5\0\0\0", 2 + 13 + 2 + 9);
    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT_V2, 0, buf_span(&body));
    buf_u8(&body, 0);
    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT_V2, 0, buf_span(&body));
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_heartbeat(&p, BINLOG_EVENT_HEARTBEAT, 800, span_str("binlog.000003"));
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_end(s, BINLOG_EVENT_HEARTBEAT, "binlog.000001", 700);
    expect_end(s, BINLOG_EVENT_HEARTBEAT, "binlog.000001", GIB4 + 300);
    expect_end(s, BINLOG_EVENT_HEARTBEAT, "binlog.000001", 3 * GIB4 + 9);
    expect_end(s, BINLOG_EVENT_HEARTBEAT_V2, "binlog.000002", 5 * GIB4);
    expect_end(s, BINLOG_EVENT_HEARTBEAT_V2, "binlog.000002", 5 * GIB4);
    expect_end(s, BINLOG_EVENT_XID, "binlog.000002", 5 * GIB4 + XID_BYTES);
    expect_end(s, BINLOG_EVENT_HEARTBEAT, "binlog.000003", 800);
    buf_deinit(&body);
    close_stream(s, &p);
}

TEST(test_binlog_positions__rejects_heartbeats_and_rotations_that_name_no_position)
{
    static const struct {
        uint8_t type;
        uint32_t log_pos;
        const char *hex;
    } cases[] = {
        {BINLOG_EVENT_ROTATE, 0, "0400000000000000"},
        {BINLOG_EVENT_ROTATE, 0, "04000000"},
        {BINLOG_EVENT_ROTATE, 0, "0400000000000000 6100"},
        {BINLOG_EVENT_ROTATE, 0, "0300000000000000 61"},
        {BINLOG_EVENT_ROTATE, 0, "0000000000000080 61"},
        {BINLOG_EVENT_HEARTBEAT, 0, "0300000000000000 61"},
        {BINLOG_EVENT_HEARTBEAT, 5, ""},
        {BINLOG_EVENT_HEARTBEAT, 0, "0400000000000000"},
        {BINLOG_EVENT_HEARTBEAT, 0, "61"},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, ""},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, "01 01 61 00"},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, "02 01 07 00"},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, "01 01 61 02 01 03 00"},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, "01 05 61 02 01 07 00"},
        {BINLOG_EVENT_HEARTBEAT_V2, 0, "01 01 61 02 01 fc 00"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct packets p = {0};
        uint8_t bytes[64];
        size_t len = test_unhex(cases[i].hex, bytes, sizeof bytes);

        put_heartbeat(&p, cases[i].type, cases[i].log_pos, span_of(bytes, len));
        struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

        expect_failure(s, ERR_CORRUPT);
        close_stream(s, &p);
    }
    struct packets p = {0};
    char name[BINLOG_FILE_BYTES + 1];

    memset(name, 'x', sizeof name);
    name[BINLOG_FILE_BYTES] = '\0';
    put_rotate(&p, name, 4, 0, true);
    name[BINLOG_FILE_BYTES - 1] = '\0';
    put_rotate(&p, name, 4, 0, true);
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_failure(s, ERR_CORRUPT);
    expect_end(s, BINLOG_EVENT_ROTATE, name, 4);
    close_stream(s, &p);
}

TEST_MAIN(test_case(test_binlog_positions__follows_rotations),
          test_case(test_binlog_positions__starts_with_the_checksums_that_it_asked_for),
          test_case(test_binlog_positions__rotations_may_come_twice),
          test_case(test_binlog_positions__file_numbers_pass_six_digits),
          test_case(test_binlog_positions__counts_what_has_no_log_pos),
          test_case(test_binlog_positions__passes_over_encryption_that_a_server_has_taken_off),
          test_case(test_binlog_positions__counts_beyond_4_gib),
          test_case(test_binlog_positions__counts_transactions_that_lie_across_4_gib),
          test_case(test_binlog_positions__skips_to_a_place_beyond_4_gib),
          test_case(test_binlog_positions__the_next_file_ends_skipping),
          test_case(test_binlog_positions__heartbeats_move_the_position),
          test_case(test_binlog_positions__rejects_heartbeats_and_rotations_that_name_no_position))
