#include "mysql/binlog_stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "codec/compress.h"
#include "make_binlog.h"
#include "memory_stream.h"
#include "test.h"

#define XID_BODY "\1\2\3\4\5\6\7\10"

static struct span text(const char *s)
{
    return span_str(s);
}

static void add(struct buf *out, uint8_t type, struct span body, bool crc)
{
    make_event(out, (struct made_event){.type = type, .body = body, .crc = crc});
}

static struct span xid(void)
{
    return span_of(XID_BODY, 8);
}

static void make_file(struct buf *out, uint8_t checksum, uint16_t format_flags)
{
    bool crc = checksum == 1;

    make_magic(out);
    make_format(out, checksum, format_flags, 0);
    add(out, BINLOG_EVENT_QUERY, text("BEGIN or so"), crc);
    add(out, BINLOG_EVENT_XID, xid(), crc);
    add(out, BINLOG_EVENT_STOP, text(""), crc);
}

TEST(test_binlog_stream__reads_files_with_and_without_checksums)
{
    for (uint8_t checksum = 0; checksum <= 1; checksum++) {
        for (uint16_t flags = 0; flags <= 1; flags++) {
            struct buf file = {0};
            struct binlog_stream *s = NULL;
            struct binlog_event ev;
            struct err e = {0};
            uint64_t at = 4 + FORMAT_BYTES;
            size_t tail = checksum == 1 ? 4 : 0;

            make_file(&file, checksum, flags);
            assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
            assert_null(binlog_stream_server(s));
            assert_ok(binlog_stream_next(s, &ev, &e), &e);
            assert_u64_eq(ev.header.type, BINLOG_EVENT_FORMAT_DESCRIPTION);
            assert_u64_eq(ev.body.len, FORMAT_BYTES - 19 - 4);
            assert_string_equal(ev.end.file, "binlog.000007");
            assert_u64_eq(ev.end.offset, at);
            assert_ok(binlog_stream_next(s, &ev, &e), &e);
            at += 19 + 11 + tail;
            assert_text_eq(ev.body, "BEGIN or so");
            assert_u64_eq(ev.end.offset, at);
            assert_false(ev.in_payload);
            assert_ok(binlog_stream_next(s, &ev, &e), &e);
            at += 19 + 8 + tail;
            assert_bytes_eq(ev.body, xid());
            assert_u64_eq(ev.end.offset, at);
            assert_ok(binlog_stream_next(s, &ev, &e), &e);
            assert_u64_eq(ev.header.type, BINLOG_EVENT_STOP);
            assert_u64_eq(ev.body.len, 0);
            assert_u64_eq(ev.end.offset, file.len);
            assert_err(binlog_stream_next(s, &ev, &e), ERR_NOT_FOUND, &e);
            assert_err(binlog_stream_next(s, &ev, &e), ERR_NOT_FOUND, &e);
            assert_u64_eq(binlog_stream_bytes(s), file.len - 4);
            binlog_stream_close(s);
            buf_deinit(&file);
        }
    }
}

TEST(test_binlog_stream__opens_files_by_path)
{
    char path[] = "/tmp/calve-binlog.XXXXXX";
    int fd = mkstemp(path);
    struct buf file = {0};
    struct binlog_stream *s = NULL;
    struct binlog_event ev;
    struct err e = {0};

    make_file(&file, 1, 0);
    assert_int_equal(write(fd, file.data, file.len), (ssize_t)file.len);
    assert_int_equal(close(fd), 0);
    assert_ok(binlog_stream_open_file(path, &s, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_string_equal(ev.end.file, path + 5);
    binlog_stream_close(s);
    assert_int_equal(unlink(path), 0);
    assert_err(binlog_stream_open_file(path, &s, &e), ERR_NOT_FOUND, &e);
    assert_err(open_bytes(text("\xfe"
                               "bix...."),
                          &s, &e),
               ERR_CORRUPT, &e);
    assert_err(open_bytes(text("\xfe"
                               "bi"),
                          &s, &e),
               ERR_CORRUPT, &e);
    buf_deinit(&file);
}

TEST(test_binlog_stream__finds_every_corrupted_byte)
{
    struct buf file = {0};
    unsigned events;
    struct err e = {0};

    make_file(&file, 1, 0);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_NOT_FOUND);
    for (size_t i = 0; i < file.len; i++) {
        file.data[i] ^= 0x10;
        enum err_code rc = read_all(buf_span(&file), &events, &e);

        if (rc != ERR_CORRUPT && rc != ERR_UNSUPPORTED) {
            fail_msg("byte %zu changed: %s", i, err_code_name(rc));
        }
        file.data[i] ^= 0x10;
    }
    buf_deinit(&file);
}

TEST(test_binlog_stream__finds_every_truncation)
{
    for (uint8_t checksum = 0; checksum <= 1; checksum++) {
        struct buf file = {0};
        size_t tail = checksum == 1 ? 4 : 0;
        size_t ends[] = {4, 4 + FORMAT_BYTES, 0, 0, 0};
        struct err e = {0};

        make_file(&file, checksum, 0);
        ends[2] = ends[1] + 19 + 11 + tail;
        ends[3] = ends[2] + 19 + 8 + tail;
        ends[4] = file.len;
        for (size_t len = 0; len <= file.len; len++) {
            unsigned events;
            unsigned want = 0;
            bool whole = len == 4;
            enum err_code rc = read_all(span_of(file.data, len), &events, &e);

            for (unsigned k = 1; k < 5; k++) {
                want += ends[k] <= len;
                whole = whole || ends[k] == len;
            }
            assert_u64_eq(events, want);
            assert_int_equal(rc, whole ? ERR_NOT_FOUND : ERR_CORRUPT);
        }
        buf_deinit(&file);
    }
}

TEST(test_binlog_stream__a_lying_length_costs_no_memory)
{
    struct buf file = {0};
    unsigned events;
    struct err e = {0};

    make_file(&file, 0, 0);
    size_t at = 4 + FORMAT_BYTES + 9;

    memcpy(file.data + at, "\xff\xff\xff\x3f", 4);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_CORRUPT);
    memcpy(file.data + at, "\x12\0\0\0", 4);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_CORRUPT);
    assert_u64_eq(events, 1);
    buf_deinit(&file);
}

TEST(test_binlog_stream__a_file_starts_with_a_format_it_knows)
{
    struct buf file = {0};
    unsigned events;
    struct err e = {0};

    make_magic(&file);
    add(&file, BINLOG_EVENT_XID, xid(), false);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_CORRUPT);
    buf_reset(&file);
    make_magic(&file);
    make_format(&file, 2, 0, 0);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_UNSUPPORTED);
    buf_reset(&file);
    make_magic(&file);
    add(&file, BINLOG_EVENT_FORMAT_DESCRIPTION, text("\1\0\0\0"), false);
    assert_int_equal(read_all(buf_span(&file), &events, &e), ERR_CORRUPT);
    buf_deinit(&file);
}

TEST(test_binlog_stream__stops_at_types_it_cannot_read)
{
    static const struct {
        uint8_t type;
        uint16_t flags;
        enum err_code want;
        const char *part; /* of the message */
    } cases[] = {

        {6, 0, ERR_UNSUPPORTED, "binlog_format=ROW"},
        {7, 0, ERR_UNSUPPORTED, "SLAVE"},
        {8, 0, ERR_UNSUPPORTED, "CREATE_FILE"},
        {10, 0, ERR_UNSUPPORTED, "EXEC_LOAD"},
        {12, 0, ERR_UNSUPPORTED, "NEW_LOAD"},
        {43, 0, ERR_UNSUPPORTED, "event type 43 (LARGE_TRANSACTION_HEADER) at binlog.000007:126 "},
        {100, 0, ERR_UNSUPPORTED, "event type 100 (unknown)"},
        {164, 0, ERR_UNSUPPORTED, "the file is encrypted"},
        {164, BINLOG_FLAG_IGNORABLE, ERR_UNSUPPORTED, "the file is encrypted"},
        {200, 0, ERR_UNSUPPORTED, "event type 200 (unknown)"},
        {20, 0, ERR_UNSUPPORTED, "PRE_GA_WRITE_ROWS"},
        {0, 0, ERR_UNSUPPORTED, "event type 0"},
        {43, BINLOG_FLAG_IGNORABLE, ERR_NOT_FOUND, NULL},
        {100, BINLOG_FLAG_IGNORABLE, ERR_NOT_FOUND, NULL},
        {5, 0, ERR_NOT_FOUND, NULL},
        {13, 0, ERR_NOT_FOUND, NULL},
        {14, 0, ERR_NOT_FOUND, NULL},
        {9, 0, ERR_NOT_FOUND, NULL},
        {11, 0, ERR_NOT_FOUND, NULL},
        {17, 0, ERR_NOT_FOUND, NULL},
        {28, 0, ERR_NOT_FOUND, NULL},
        {36, 0, ERR_NOT_FOUND, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf file = {0};
        unsigned events;
        struct err e = {0};

        make_magic(&file);
        make_format(&file, 1, 0, 0);
        make_event(&file, (struct made_event){.type = cases[i].type,
                                              .flags = cases[i].flags,
                                              .body = text("x"),
                                              .crc = true});
        add(&file, BINLOG_EVENT_XID, xid(), true);
        assert_err(read_all(buf_span(&file), &events, &e), cases[i].want, &e);
        assert_u64_eq(events, cases[i].want == ERR_NOT_FOUND ? 2 : 1);
        if (cases[i].part != NULL && strstr(e.msg, cases[i].part) == NULL) {
            fail_msg("case %zu: no '%s' in: %s", i, cases[i].part, e.msg);
        }
        buf_deinit(&file);
    }
}

/* Those that only the pipeline knows what to do about. */
TEST(test_binlog_stream__hands_out_what_others_decide_on)
{
    static const uint8_t types[] = {BINLOG_EVENT_EXECUTE_LOAD_QUERY,
                                    BINLOG_EVENT_VIEW_CHANGE,
                                    BINLOG_EVENT_PARTIAL_UPDATE_ROWS,
                                    BINLOG_EVENT_GTID_TAGGED,
                                    BINLOG_EVENT_INCIDENT,
                                    BINLOG_EVENT_ROWS_QUERY,
                                    BINLOG_EVENT_MARIADB_ANNOTATE_ROWS};
    struct buf file = {0};
    struct binlog_stream *s = NULL;
    struct binlog_event ev;
    struct err e = {0};

    make_magic(&file);
    make_format(&file, 1, 0, 0);
    for (size_t i = 0; i < sizeof types; i++) {
        add(&file, types[i], text("as it is"), true);
    }
    assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    for (size_t i = 0; i < sizeof types; i++) {
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, types[i]);
        assert_u64_eq(ev.logged_type, types[i]);
        assert_text_eq(ev.body, "as it is");
    }
    binlog_stream_close(s);
    buf_deinit(&file);
}

/* ---- transaction payloads ---- */

static void put_inner(struct buf *out, size_t row_bytes)
{
    struct buf row = {0};

    buf_zeros(&row, row_bytes);
    add(out, BINLOG_EVENT_QUERY, text("BEGIN"), false);
    add(out, 5, text("skipped"), false);
    add(out, BINLOG_EVENT_WRITE_ROWS, buf_span(&row), false);
    add(out, BINLOG_EVENT_XID, xid(), false);
    buf_deinit(&row);
}

/* hint: the uncompressed size, which is not to be trusted. */
static void put_payload_hint(struct buf *out, uint8_t compression, struct span payload,
                             uint64_t says, bool crc, uint64_t hint)
{
    struct buf body = {0};
    struct buf value = {0};

    buf_lenenc(&value, compression);
    buf_lenenc(&body, 2);
    buf_lenenc(&body, value.len);
    buf_append_span(&body, buf_span(&value));
    buf_reset(&value);
    buf_lenenc(&value, hint);
    buf_lenenc(&body, 3);
    buf_lenenc(&body, value.len);
    buf_append_span(&body, buf_span(&value));
    buf_append(&body, "\x63\2zz", 4); /* a field of a later version */
    buf_reset(&value);
    buf_lenenc(&value, says);
    buf_lenenc(&body, 1);
    buf_lenenc(&body, value.len);
    buf_append_span(&body, buf_span(&value));
    buf_lenenc(&body, 0);
    buf_append_span(&body, payload);
    add(out, BINLOG_EVENT_TRANSACTION_PAYLOAD, buf_span(&body), crc);
    buf_deinit(&value);
    buf_deinit(&body);
}

static void put_payload(struct buf *out, uint8_t compression, struct span payload, uint64_t says,
                        bool crc)
{
    put_payload_hint(out, compression, payload, says, crc, UINT64_MAX);
}

/* Compresses `in` as several frames of at most piece bytes. */
static void put_frames(struct buf *out, struct span in, size_t piece)
{
    struct zstd_encoder *z = zstd_encoder_new(1);
    struct err e = {0};

    for (size_t at = 0; at < in.len; at += piece) {
        size_t len = in.len - at < piece ? in.len - at : piece;

        assert_ok(zstd_compress(z, span_of(in.data + at, len), out, &e), &e);
    }
    zstd_encoder_free(z);
}

static void make_payload_file(struct buf *file, uint8_t compression, size_t row_bytes, size_t piece)
{
    struct buf inner = {0};
    struct buf packed = {0};

    put_inner(&inner, row_bytes);
    make_magic(file);
    make_format(file, 1, 0, 0);
    if (compression == 0) {
        put_frames(&packed, buf_span(&inner), piece);
    }
    struct span payload = compression == 0 ? buf_span(&packed) : buf_span(&inner);

    put_payload(file, compression, payload, payload.len, true);
    add(file, BINLOG_EVENT_STOP, text(""), true);
    buf_deinit(&inner);
    buf_deinit(&packed);
}

TEST(test_binlog_stream__unpacks_transaction_payloads)
{
    static const struct {
        uint8_t compression;
        size_t row_bytes;
        size_t piece;
    } cases[] = {
        {0, 100, 100000}, {0, 100, 7}, {0, 3000000, 500000}, {0, 300000, 20000000}, {255, 100, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf file = {0};
        struct binlog_stream *s = NULL;
        struct binlog_event ev;
        struct err e = {0};

        make_payload_file(&file, cases[i].compression, cases[i].row_bytes, cases[i].piece);
        uint64_t end = file.len - 23;

        assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, BINLOG_EVENT_QUERY);
        assert_text_eq(ev.body, "BEGIN");
        assert_true(ev.in_payload);
        assert_u64_eq(ev.end.offset, end);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, BINLOG_EVENT_WRITE_ROWS);
        assert_u64_eq(ev.body.len, cases[i].row_bytes);
        for (size_t k = 0; k < ev.body.len; k++) {
            assert_int_equal(ev.body.data[k], 0);
        }
        assert_u64_eq(ev.end.offset, end);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_bytes_eq(ev.body, xid());
        assert_true(ev.in_payload);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.header.type, BINLOG_EVENT_STOP);
        assert_false(ev.in_payload);
        assert_u64_eq(ev.end.offset, file.len);
        assert_err(binlog_stream_next(s, &ev, &e), ERR_NOT_FOUND, &e);
        binlog_stream_close(s);
        buf_deinit(&file);
    }
}

TEST(test_binlog_stream__a_payload_is_as_large_as_it_is)
{
    static const uint64_t hints[] = {0, 1, 145, 146, 147, (uint64_t)1 << 40, UINT64_MAX};
    struct buf inner = {0};
    struct buf packed = {0};

    put_inner(&inner, 50);
    put_frames(&packed, buf_span(&inner), 1000);
    for (size_t i = 0; i < 2 * sizeof hints / sizeof hints[0]; i++) {
        struct span payload = i % 2 == 0 ? buf_span(&packed) : buf_span(&inner);
        struct buf file = {0};
        unsigned events;
        struct err e = {0};

        make_magic(&file);
        make_format(&file, 1, 0, 0);
        put_payload_hint(&file, i % 2 == 0 ? 0 : 255, payload, payload.len, true, hints[i / 2]);
        assert_err(read_all(buf_span(&file), &events, &e), ERR_NOT_FOUND, &e);
        assert_u64_eq(events, 4);
        buf_deinit(&file);
    }
    buf_deinit(&inner);
    buf_deinit(&packed);
}

static void expect_payload(uint8_t compression, struct span payload, uint64_t says,
                           enum err_code want)
{
    struct buf file = {0};
    unsigned events;
    struct err e = {0};

    make_magic(&file);
    make_format(&file, 0, 0, 0);
    put_payload(&file, compression, payload, says, false);
    assert_err(read_all(buf_span(&file), &events, &e), want, &e);
    buf_deinit(&file);
}

TEST(test_binlog_stream__rejects_every_truncation_of_a_payload)
{
    struct buf inner = {0};
    struct buf packed = {0};
    size_t ends[] = {0, 24, 24 + 26, 24 + 26 + 69, 24 + 26 + 69 + 27};

    put_inner(&inner, 50);
    put_frames(&packed, buf_span(&inner), 60);
    assert_u64_eq(inner.len, ends[4]);
    for (size_t len = 0; len < packed.len; len++) {
        struct buf again = {0};
        struct zstd_decoder *z = zstd_decoder_new();
        enum err_code rc = zstd_decompress(z, span_of(packed.data, len), &again, NULL);
        bool whole = false;

        for (size_t k = 0; rc == ERR_OK && k < 5; k++) {
            whole = whole || again.len == ends[k];
        }
        expect_payload(0, span_of(packed.data, len), len, whole ? ERR_NOT_FOUND : ERR_CORRUPT);
        zstd_decoder_free(z);
        buf_deinit(&again);
    }
    for (size_t len = 0; len < inner.len; len++) {
        bool whole = false;

        for (size_t k = 0; k < 5; k++) {
            whole = whole || len == ends[k];
        }
        expect_payload(255, span_of(inner.data, len), len, whole ? ERR_NOT_FOUND : ERR_CORRUPT);
    }
    expect_payload(255, buf_span(&inner), inner.len + 1, ERR_CORRUPT);
    expect_payload(255, buf_span(&inner), inner.len - 1, ERR_CORRUPT);
    expect_payload(7, buf_span(&inner), inner.len, ERR_UNSUPPORTED);
    buf_deinit(&inner);
    buf_deinit(&packed);
}

TEST(test_binlog_stream__inner_events_follow_the_same_rules)
{
    struct buf inner = {0};

    add(&inner, 12, text("XA"), false);
    expect_payload(255, buf_span(&inner), inner.len, ERR_UNSUPPORTED);
    buf_reset(&inner);
    put_payload(&inner, 255, text(""), 0, false);
    expect_payload(255, buf_span(&inner), inner.len, ERR_CORRUPT);
    buf_reset(&inner);
    buf_append(&inner, "\0\0\0\0\x10\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0", 19);
    expect_payload(255, buf_span(&inner), inner.len, ERR_CORRUPT);
    struct buf packed = {0};

    put_frames(&packed, buf_span(&inner), 100);
    expect_payload(0, buf_span(&packed), packed.len, ERR_LIMIT);
    buf_deinit(&packed);
    buf_deinit(&inner);
}

/* ---- a stream from a server ---- */

TEST(test_binlog_stream__a_packet_must_be_one_event)
{
    for (uint32_t cut = 1; cut < XID_BYTES; cut++) {
        struct packets p = {.cut = cut};

        put_at(&p, BINLOG_EVENT_XID, 0, true);
        struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

        expect_failure(s, ERR_CORRUPT);
        close_stream(s, &p);
    }
}

TEST(test_binlog_stream__a_packet_needs_room_for_its_checksum)
{
    struct packets p = {0};

    make_event(&p.bytes, (struct made_event){.type = BINLOG_EVENT_STOP, .body = text("abc")});
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_failure(s, ERR_CORRUPT);
    close_stream(s, &p);
}

TEST(test_binlog_stream__can_be_interrupted)
{
    struct packets p = {0};

    put_at(&p, BINLOG_EVENT_XID, 0, true);
    put_at(&p, BINLOG_EVENT_XID, 0, true);
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    expect_end(s, BINLOG_EVENT_XID, "binlog.000001", 500 + XID_BYTES);
    binlog_stream_interrupt(s);
    assert_true(p.interrupted);
    expect_failure(s, ERR_CANCELLED);
    expect_failure(s, ERR_CANCELLED);
    close_stream(s, &p);
}

TEST(test_binlog_stream__survives_lack_of_memory)
{
    struct buf file = {0};

    make_payload_file(&file, 0, 3000, 1000);
    TORTURE(nth)
    {
        unsigned events;
        struct err e = {0};
        FILE *f = tmpfile();
        struct binlog_stream *s = NULL;
        enum err_code rc;

        assert_non_null(f);
        assert_u64_eq(fwrite(file.data, 1, file.len, f), file.len);
        rewind(f);
        rc = binlog_stream_from_file(f, "x", &s, &e);
        for (events = 0; rc == ERR_OK; events++) {
            struct binlog_event ev;

            rc = binlog_stream_next(s, &ev, &e);
        }
        assert_true(rc == ERR_NOMEM || (rc == ERR_NOT_FOUND && events == 6));
        binlog_stream_close(s);
    }
    buf_deinit(&file);
}

TEST_MAIN(test_case(test_binlog_stream__reads_files_with_and_without_checksums),
          test_case(test_binlog_stream__opens_files_by_path),
          test_case(test_binlog_stream__finds_every_corrupted_byte),
          test_case(test_binlog_stream__finds_every_truncation),
          test_case(test_binlog_stream__a_lying_length_costs_no_memory),
          test_case(test_binlog_stream__a_file_starts_with_a_format_it_knows),
          test_case(test_binlog_stream__stops_at_types_it_cannot_read),
          test_case(test_binlog_stream__hands_out_what_others_decide_on),
          test_case(test_binlog_stream__unpacks_transaction_payloads),
          test_case(test_binlog_stream__rejects_every_truncation_of_a_payload),
          test_case(test_binlog_stream__inner_events_follow_the_same_rules),
          test_case(test_binlog_stream__a_payload_is_as_large_as_it_is),
          test_case(test_binlog_stream__a_packet_must_be_one_event),
          test_case(test_binlog_stream__a_packet_needs_room_for_its_checksum),
          test_case(test_binlog_stream__can_be_interrupted),
          test_case(test_binlog_stream__survives_lack_of_memory))
