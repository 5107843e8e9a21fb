#include "mysql/binlog_fragments.h"

#include "memory_stream.h"
#include "test.h"

#define PIECE_BYTES 10u
#define PACKET      BINLOG_EVENT_MARIADB_PARTIAL_ROW_DATA

static enum err_code add_piece(struct binlog_fragments *f, uint32_t total, uint32_t number,
                               uint64_t event_bytes, const char *piece, struct span *event)
{
    struct buf body = {0};
    struct err e = {0};

    make_piece(&body, total, number, event_bytes, span_str(piece));
    enum err_code rc = binlog_fragments_add(f, buf_span(&body), event, &e);

    buf_deinit(&body);
    return rc;
}

TEST(test_binlog_fragments__puts_pieces_together)
{
    struct binlog_fragments f = {0};
    struct span event;

    for (int round = 0; round < 3; round++) {
        assert_false(binlog_fragments_open(&f));
        assert_int_equal(add_piece(&f, 3, 1, 24, "0123456789", &event), ERR_OK);
        assert_true(binlog_fragments_open(&f));
        assert_u64_eq(event.len, 0);
        assert_int_equal(add_piece(&f, 3, 2, 0, "abcdefghij", &event), ERR_OK);
        assert_u64_eq(event.len, 0);
        assert_int_equal(add_piece(&f, 3, 3, 0, "last", &event), ERR_OK);
        assert_text_eq(event, "0123456789abcdefghijlast");
        /* All of it in one piece, and a last piece without anything. */
        assert_int_equal(add_piece(&f, 1, 1, 20, "01234567890123456789", &event), ERR_OK);
        assert_text_eq(event, "01234567890123456789");
        assert_int_equal(add_piece(&f, 2, 1, 20, "01234567890123456789", &event), ERR_OK);
        assert_u64_eq(event.len, 0);
        assert_int_equal(add_piece(&f, 2, 2, 0, "", &event), ERR_OK);
        assert_text_eq(event, "01234567890123456789");
    }
    binlog_fragments_deinit(&f);
}

struct piece {
    uint32_t total;
    uint32_t number;
    uint64_t event_bytes;
    const char *text;
};

TEST(test_binlog_fragments__checks_order_and_sizes)
{
    static const struct {
        struct piece pieces[3];
        enum err_code want; /* of the last; those before are right */
    } cases[] = {
        {{{3, 2, 0, "0123456789"}}, ERR_CORRUPT},
        {{{3, 0, 0, "0123456789"}}, ERR_CORRUPT},
        {{{0, 1, 24, "0123456789"}}, ERR_CORRUPT},
        {{{3, 4, 0, "0123456789"}}, ERR_CORRUPT},
        {{{1, 1, 18, "012345678901234567"}}, ERR_CORRUPT}, /* no room for a header */
        {{{1, 1, 21, "01234567890123456789"}}, ERR_CORRUPT},
        {{{1, 1, 19, "01234567890123456789"}}, ERR_CORRUPT},
        {{{2, 1, 19, "01234567890123456789"}}, ERR_CORRUPT},
        {{{2, 1, ((uint64_t)1 << 30) + 1, "0123456789"}}, ERR_LIMIT},
        {{{2, 1, UINT64_MAX, "0123456789"}}, ERR_LIMIT},
        {{{3, 1, 24, "0123456789"}, {3, 1, 24, "0123456789"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {3, 3, 0, "last"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {2, 2, 0, "01234567890123"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {4, 2, 0, "0123456789"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {3, 2, 0, "0123456789"}, {3, 2, 0, "last"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {3, 2, 0, "0123456789"}, {3, 3, 0, "las"}}, ERR_CORRUPT},
        {{{3, 1, 24, "0123456789"}, {3, 2, 0, "0123456789"}, {3, 3, 0, "last!"}}, ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binlog_fragments f = {0};
        struct span event;
        enum err_code rc = ERR_OK;

        for (size_t k = 0; k < 3 && cases[i].pieces[k].text != NULL; k++) {
            const struct piece *p = &cases[i].pieces[k];

            assert_int_equal(rc, ERR_OK);
            rc = add_piece(&f, p->total, p->number, p->event_bytes, p->text, &event);
        }
        if (rc != cases[i].want) {
            fail_msg("case %zu: %s", i, err_code_name(rc));
        }
        assert_u64_eq(event.len, 0);
        binlog_fragments_deinit(&f);
    }
}

TEST(test_binlog_fragments__rejects_every_truncation)
{
    struct buf body = {0};
    struct err e = {0};

    make_piece(&body, 1, 1, 20, span_str("01234567890123456789"));
    for (size_t len = 0; len < body.len; len++) {
        struct binlog_fragments f = {0};
        struct span event;

        assert_err(binlog_fragments_add(&f, span_of(body.data, len), &event, &e), ERR_CORRUPT, &e);
        binlog_fragments_deinit(&f);
    }
    buf_deinit(&body);
}

TEST(test_binlog_fragments__knows_which_piece_has_the_size)
{
    struct binlog_fragments f = {0};
    struct span event;
    struct err e = {0};
    uint8_t bytes[64];

    /* The first without it, another with it. */
    size_t len = test_unhex("01000000 01000000 00 00", bytes, sizeof bytes);

    assert_err(binlog_fragments_add(&f, span_of(bytes, len), &event, &e), ERR_CORRUPT, &e);
    assert_int_equal(add_piece(&f, 2, 1, 20, "0123456789", &event), ERR_OK);
    len = test_unhex("02000000 02000000 01 1400000000000000 30313233343536373839", bytes,
                     sizeof bytes);
    assert_err(binlog_fragments_add(&f, span_of(bytes, len), &event, &e), ERR_CORRUPT, &e);
    binlog_fragments_deinit(&f);
}

/* ---- in a stream ---- */

/* A rows event, header and all. */
static void make_rows(struct buf *out, uint8_t type, const char *rows, bool crc)
{
    make_event(out, (struct made_event){.type = type, .body = span_str(rows), .crc = crc});
}

static uint32_t piece_count(struct span event)
{
    return (uint32_t)((event.len + PIECE_BYTES - 1) / PIECE_BYTES);
}

static void put_piece(struct buf *out, struct span event, uint32_t number, bool crc)
{
    size_t at = (size_t)(number - 1) * PIECE_BYTES;
    size_t len = event.len - at < PIECE_BYTES ? event.len - at : PIECE_BYTES;
    struct buf body = {0};

    make_piece(&body, piece_count(event), number, event.len, span_of(event.data + at, len));
    make_event(out, (struct made_event){.type = PACKET, .body = buf_span(&body), .crc = crc});
    buf_deinit(&body);
}

static void put_pieces(struct buf *out, struct span event, bool crc)
{
    for (uint32_t i = 1; i <= piece_count(event); i++) {
        put_piece(out, event, i, crc);
    }
}

#define ROWS "\x7b\1\1\1\1\1\1\1\1\1 rows that were cut"

TEST(test_binlog_fragments__a_stream_hands_out_the_whole_event)
{
    static const uint8_t types[] = {BINLOG_EVENT_WRITE_ROWS_V1, BINLOG_EVENT_UPDATE_ROWS_V1,
                                    BINLOG_EVENT_DELETE_ROWS};

    for (size_t i = 0; i < sizeof types * 4; i++) {
        bool crc = i % 4 / 2 == 1;
        bool inner_crc = i % 2 == 1;
        uint8_t type = types[i / 4];
        struct buf file = {0};
        struct buf rows = {0};
        struct binlog_stream *s = NULL;
        struct binlog_event ev;
        struct err e = {0};

        make_rows(&rows, type, ROWS, crc && inner_crc);
        make_magic(&file);
        make_format(&file, crc ? 1 : 0, 0, 0);
        put_pieces(&file, buf_span(&rows), crc);
        uint64_t end = file.len;

        make_event(&file, (struct made_event){
                              .type = BINLOG_EVENT_XID, .body = span_str("12345678"), .crc = crc});
        assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, type);
        assert_u64_eq(ev.logged_type, PACKET);
        assert_text_eq(ev.body, ROWS);
        assert_u64_eq(ev.end.offset, end);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, BINLOG_EVENT_XID);
        assert_u64_eq(ev.logged_type, BINLOG_EVENT_XID);
        assert_err(binlog_stream_next(s, &ev, &e), ERR_NOT_FOUND, &e);
        binlog_stream_close(s);
        buf_deinit(&file);
        buf_deinit(&rows);
    }
}

TEST(test_binlog_fragments__the_whole_may_be_compressed)
{
    struct buf file = {0};
    struct buf body = {0};
    struct buf rows = {0};
    struct binlog_stream *s = NULL;
    struct binlog_event ev;
    struct err e = {0};

    buf_append(&body, "\x7b\0\0\0\0\0\1\0\2\3", 10);
    make_compressed(&body, span_str("the rows"), 8);
    make_event(&rows, (struct made_event){.type = 166, .body = buf_span(&body)});
    make_magic(&file);
    make_format(&file, 1, 0, 0);
    put_pieces(&file, buf_span(&rows), true);
    assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_u64_eq(ev.header.type, BINLOG_EVENT_WRITE_ROWS_V1);
    assert_u64_eq(ev.logged_type, PACKET);
    assert_bytes_eq(ev.body, span_of("\x7b\0\0\0\0\0\1\0\2\3the rows", 18));
    binlog_stream_close(s);
    buf_deinit(&file);
    buf_deinit(&body);
    buf_deinit(&rows);
}

TEST(test_binlog_fragments__a_sequence_must_not_be_interrupted)
{
    static const uint8_t types[] = {BINLOG_EVENT_XID,           BINLOG_EVENT_TABLE_MAP,
                                    BINLOG_EVENT_WRITE_ROWS_V1, BINLOG_EVENT_STOP,
                                    BINLOG_EVENT_ROWS_QUERY,    5 /* passed over alone */};
    struct buf rows = {0};

    make_rows(&rows, BINLOG_EVENT_WRITE_ROWS_V1, ROWS, false);
    for (size_t i = 0; i < sizeof types; i++) {
        struct buf file = {0};
        unsigned events;
        struct err e = {0};

        make_magic(&file);
        make_format(&file, 0, 0, 0);
        put_piece(&file, buf_span(&rows), 1, false);
        make_event(&file, (struct made_event){.type = types[i], .body = span_str("12345678")});
        put_piece(&file, buf_span(&rows), 2, false);
        assert_err(read_all(buf_span(&file), &events, &e), ERR_CORRUPT, &e);
        assert_u64_eq(events, 1);
        buf_deinit(&file);
    }
    /* The end of the file after each piece but the last. */
    for (uint32_t n = 1; n <= piece_count(buf_span(&rows)); n++) {
        struct buf file = {0};
        unsigned events;
        struct err e = {0};
        bool whole = n == piece_count(buf_span(&rows));

        make_magic(&file);
        make_format(&file, 1, 0, 0);
        for (uint32_t k = 1; k <= n; k++) {
            put_piece(&file, buf_span(&rows), k, true);
        }
        assert_err(read_all(buf_span(&file), &events, &e), whole ? ERR_NOT_FOUND : ERR_CORRUPT, &e);
        assert_u64_eq(events, whole ? 2 : 1);
        buf_deinit(&file);
    }
    buf_deinit(&rows);
}

TEST(test_binlog_fragments__a_heartbeat_does_not_interrupt)
{
    struct packets p = {0};
    struct buf rows = {0};
    struct binlog_event ev;
    struct err e = {0};

    make_rows(&rows, BINLOG_EVENT_WRITE_ROWS_V1, ROWS, false);
    put_piece(&p.bytes, buf_span(&rows), 1, true);
    uint64_t after_first = 500 + p.bytes.len;

    make_event(&p.bytes, (struct made_event){.type = BINLOG_EVENT_HEARTBEAT,
                                             .log_pos = (uint32_t)after_first,
                                             .body = span_str("binlog.000001"),
                                             .crc = true});
    for (uint32_t i = 2; i <= piece_count(buf_span(&rows)); i++) {
        put_piece(&p.bytes, buf_span(&rows), i, true);
    }
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_end(s, BINLOG_EVENT_HEARTBEAT, "binlog.000001", after_first);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_text_eq(ev.body, ROWS);
    assert_u64_eq(ev.end.offset, 500 + p.bytes.len - (19 + 13 + 4));
    close_stream(s, &p);
    buf_deinit(&rows);
}

TEST(test_binlog_fragments__the_whole_must_be_a_rows_event)
{
    static const struct {
        uint8_t type;
        size_t more_bytes; /* than the event says that it has */
    } cases[] = {{BINLOG_EVENT_QUERY, 0},
                 {BINLOG_EVENT_XID, 0},
                 {165, 0},
                 {PACKET, 0},
                 {BINLOG_EVENT_WRITE_ROWS_V1, 1},
                 {200, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf file = {0};
        struct buf rows = {0};
        unsigned events;
        struct err e = {0};

        make_rows(&rows, cases[i].type, ROWS, false);
        buf_zeros(&rows, cases[i].more_bytes);
        make_magic(&file);
        make_format(&file, 0, 0, 0);
        put_pieces(&file, buf_span(&rows), false);
        assert_err(read_all(buf_span(&file), &events, &e), ERR_CORRUPT, &e);
        buf_deinit(&file);
        buf_deinit(&rows);
    }
}

TEST(test_binlog_fragments__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct binlog_fragments f = {0};
        struct buf body = {0};
        struct span event;
        struct err e = {0};

        make_piece(&body, 1, 1, 20, span_str("01234567890123456789"));
        if (body.failed == ERR_OK) {
            enum err_code rc = binlog_fragments_add(&f, buf_span(&body), &event, &e);

            assert_true(rc == ERR_NOMEM || (rc == ERR_OK && event.len == 20));
        }
        binlog_fragments_deinit(&f);
        buf_deinit(&body);
    }
}

TEST_MAIN(test_case(test_binlog_fragments__puts_pieces_together),
          test_case(test_binlog_fragments__checks_order_and_sizes),
          test_case(test_binlog_fragments__rejects_every_truncation),
          test_case(test_binlog_fragments__knows_which_piece_has_the_size),
          test_case(test_binlog_fragments__a_stream_hands_out_the_whole_event),
          test_case(test_binlog_fragments__the_whole_may_be_compressed),
          test_case(test_binlog_fragments__a_sequence_must_not_be_interrupted),
          test_case(test_binlog_fragments__a_heartbeat_does_not_interrupt),
          test_case(test_binlog_fragments__the_whole_must_be_a_rows_event),
          test_case(test_binlog_fragments__survives_lack_of_memory))
