#include "mysql/binlog_compressed.h"

#include <stdlib.h>

#include "memory_stream.h"
#include "test.h"

#define QUERY_HEAD  "08000000 00000000 04 0000 0900 01 2000a04500000000 73686f70 00"
#define ROWS_HEAD   "7b0000000000 0100"
#define ROWS_HEAD_2 ROWS_HEAD "0700 0001020304"
#define BITS_12     "0c ffff"
#define BITS_12_2   "0c ffff ff0f"

/* Where the plain part ends: heads of every type. */
static const struct {
    uint8_t type;
    uint8_t plain;
    const char *head;
} kinds[] = {
    {165, BINLOG_EVENT_QUERY, QUERY_HEAD},
    {166, BINLOG_EVENT_WRITE_ROWS_V1, ROWS_HEAD BITS_12},
    {167, BINLOG_EVENT_UPDATE_ROWS_V1, ROWS_HEAD BITS_12_2},
    {168, BINLOG_EVENT_DELETE_ROWS_V1, ROWS_HEAD BITS_12},
    {169, BINLOG_EVENT_WRITE_ROWS, ROWS_HEAD_2 BITS_12},
    {170, BINLOG_EVENT_UPDATE_ROWS, ROWS_HEAD_2 BITS_12_2},
    {171, BINLOG_EVENT_DELETE_ROWS, ROWS_HEAD_2 BITS_12},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static void put_head(struct buf *out, size_t kind)
{
    uint8_t bytes[64];

    buf_append(out, bytes, test_unhex(kinds[kind].head, bytes, sizeof bytes));
}

static enum err_code unpack(uint8_t type, struct span body, struct buf *out)
{
    struct err e = {0};
    uint8_t plain = 0;

    return binlog_compressed_unpack(type, body, out, &plain, &e);
}

TEST(test_binlog_compressed__unpacks_every_type_and_rejects_every_truncation)
{
    static const size_t sizes[] = {1, 255, 256, 70000, 20000000};

    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            struct buf content = {0};
            struct buf body = {0};
            struct buf want = {0};
            struct buf got = {0};
            struct err e = {0};
            uint8_t plain = 0;

            for (size_t n = 0; n < sizes[k]; n++) {
                buf_u8(&content, (uint8_t)(n * n / 100));
            }
            put_head(&body, i);
            put_head(&want, i);
            buf_append_span(&want, buf_span(&content));
            make_compressed(&body, buf_span(&content), (uint32_t)content.len);
            assert_true(binlog_compressed_is(kinds[i].type));
            assert_ok(binlog_compressed_unpack(kinds[i].type, buf_span(&body), &got, &plain, &e),
                      &e);
            assert_u64_eq(plain, kinds[i].plain);
            assert_bytes_eq(buf_span(&got), buf_span(&want));
            /* Inside of the stream a few places will do. */
            for (size_t len = 0; len < body.len; len += len < 400 ? 1 : body.len / 7) {
                assert_int_equal(unpack(kinds[i].type, span_of(body.data, len), &got), ERR_CORRUPT);
            }
            buf_u8(&body, 0);
            assert_int_equal(unpack(kinds[i].type, buf_span(&body), &got), ERR_CORRUPT);
            buf_deinit(&content);
            buf_deinit(&body);
            buf_deinit(&want);
            buf_deinit(&got);
        }
    }
    assert_false(binlog_compressed_is(164));
    assert_false(binlog_compressed_is(172));
}

TEST(test_binlog_compressed__rejects_lying_lengths)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        static const struct {
            uint32_t says;
            enum err_code want;
        } cases[] = {
            {999, ERR_CORRUPT},      {1001, ERR_CORRUPT},  {0, ERR_CORRUPT},
            {1u << 30, ERR_CORRUPT}, {20000, ERR_CORRUPT}, {(1u << 30) + 1, ERR_LIMIT},
            {UINT32_MAX, ERR_LIMIT}, {1000, ERR_OK},
        };

        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            struct buf body = {0};
            struct buf got = {0};
            uint8_t zeros[1000] = {0};

            put_head(&body, i);
            make_compressed(&body, span_of(zeros, sizeof zeros), cases[k].says);
            if (unpack(kinds[i].type, buf_span(&body), &got) != cases[k].want) {
                fail_msg("kind %zu case %zu", i, k);
            }
            /* What is not there costs no memory. */
            assert_true(got.cap < 100000);
            buf_deinit(&body);
            buf_deinit(&got);
        }
    }
}

TEST(test_binlog_compressed__rejects_what_it_does_not_know)
{
    static const struct {
        uint8_t type;
        const char *body;
        enum err_code want;
    } cases[] = {
        /* Not marked; another algorithm; lengths of 0 and 5 bytes. */
        {165, QUERY_HEAD "01 01 789c0300000000 01", ERR_CORRUPT},
        {165, QUERY_HEAD "a1 01 789c0300000000 01", ERR_CORRUPT},
        {165, QUERY_HEAD "91 01 789c0300000000 01", ERR_UNSUPPORTED},
        {165, QUERY_HEAD "80 01 789c0300000000 01", ERR_CORRUPT},
        {165, QUERY_HEAD "85 0000000001 789c0300000000 01", ERR_CORRUPT},
        {165, QUERY_HEAD, ERR_CORRUPT},
        /* Extra data that does not count itself; more columns than a table can have. */
        {169, ROWS_HEAD "0100 0c ffff 81 01 78", ERR_CORRUPT},
        {166, ROWS_HEAD "fd000001 ffff 81 01 78", ERR_CORRUPT},
        {166, ROWS_HEAD "feffffffffffffffff ffff 81 01 78", ERR_CORRUPT},
        {166, ROWS_HEAD "fb ffff 81 01 78", ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[128];
        struct buf got = {0};
        size_t len = test_unhex(cases[i].body, bytes, sizeof bytes);

        if (unpack(cases[i].type, span_of(bytes, len), &got) != cases[i].want) {
            fail_msg("case %zu", i);
        }
        buf_deinit(&got);
    }
}

static void put_event(struct buf *out, size_t kind, struct span content, bool crc)
{
    struct buf body = {0};

    put_head(&body, kind);
    make_compressed(&body, content, (uint32_t)content.len);
    make_event(out,
               (struct made_event){.type = kinds[kind].type, .body = buf_span(&body), .crc = crc});
    buf_deinit(&body);
}

TEST(test_binlog_compressed__a_stream_hands_out_the_plain_event)
{
    for (int crc = 0; crc <= 1; crc++) {
        struct buf file = {0};
        struct binlog_stream *s = NULL;
        struct binlog_event ev;
        struct err e = {0};

        make_magic(&file);
        make_format(&file, (uint8_t)crc, 0, 0);
        for (size_t i = 0; i < KIND_COUNT; i++) {
            put_event(&file, i, span_str("the compressed part"), crc == 1);
        }
        assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
        assert_ok(binlog_stream_next(s, &ev, &e), &e);
        assert_u64_eq(ev.logged_type, BINLOG_EVENT_FORMAT_DESCRIPTION);
        for (size_t i = 0; i < KIND_COUNT; i++) {
            struct buf want = {0};
            uint64_t before = ev.end.offset;

            put_head(&want, i);
            buf_append_str(&want, "the compressed part");
            assert_ok(binlog_stream_next(s, &ev, &e), &e);
            assert_u64_eq(ev.header.type, kinds[i].plain);
            assert_u64_eq(ev.logged_type, kinds[i].type);
            assert_bytes_eq(ev.body, buf_span(&want));
            assert_u64_eq(ev.end.offset, before + ev.header.event_bytes);
            buf_deinit(&want);
        }
        assert_err(binlog_stream_next(s, &ev, &e), ERR_NOT_FOUND, &e);
        binlog_stream_close(s);
        buf_deinit(&file);
    }
}

TEST(test_binlog_compressed__a_query_is_read_from_it)
{
    struct buf file = {0};
    struct binlog_stream *s = NULL;
    struct binlog_event ev;
    struct binlog_query q;
    struct err e = {0};

    make_magic(&file);
    make_format(&file, 1, 0, 0);
    put_event(&file, 0, span_str("CREATE TABLE t (id INT)"), true);
    assert_ok(open_bytes(buf_span(&file), &s, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_ok(binlog_event_query(ev.body, &q, &e), &e);
    assert_text_eq(q.schema, "shop");
    assert_text_eq(q.sql, "CREATE TABLE t (id INT)");
    assert_u64_eq(q.sql_mode, 0x45a00020);
    binlog_stream_close(s);
    buf_deinit(&file);
}

TEST(test_binlog_compressed__a_stream_says_where_it_cannot_be_read)
{
    struct packets p = {0};
    struct binlog_event ev;
    struct err e = {0};

    make_event(&p.bytes,
               (struct made_event){.type = 166, .body = span_str("nothing"), .crc = true});
    struct binlog_stream *s = open_packets(&p, "binlog.000001", 500);

    assert_err(binlog_stream_next(s, &ev, &e), ERR_CORRUPT, &e);
    assert_non_null(strstr(e.msg, "binlog.000001"));
    close_stream(s, &p);
}

TEST(test_binlog_compressed__survives_lack_of_memory)
{
    struct buf body = {0};
    uint8_t zeros[1000] = {0};

    put_head(&body, 1);
    make_compressed(&body, span_of(zeros, sizeof zeros), sizeof zeros);
    TORTURE(nth)
    {
        struct buf got = {0};
        enum err_code rc = unpack(166, buf_span(&body), &got);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&got);
    }
    buf_deinit(&body);
}

TEST_MAIN(test_case(test_binlog_compressed__unpacks_every_type_and_rejects_every_truncation),
          test_case(test_binlog_compressed__rejects_lying_lengths),
          test_case(test_binlog_compressed__rejects_what_it_does_not_know),
          test_case(test_binlog_compressed__a_stream_hands_out_the_plain_event),
          test_case(test_binlog_compressed__a_query_is_read_from_it),
          test_case(test_binlog_compressed__a_stream_says_where_it_cannot_be_read),
          test_case(test_binlog_compressed__survives_lack_of_memory))
