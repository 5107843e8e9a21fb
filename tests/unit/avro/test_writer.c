#include "avro/writer.h"

#include "avro/reader.h"
#include "test.h"

static const char schema[] = "{\"type\":\"record\",\"name\":\"t\",\"fields\":["
                             "{\"name\":\"id\",\"type\":\"long\",\"field-id\":1},"
                             "{\"name\":\"s\",\"type\":[\"null\",\"string\"],\"field-id\":2},"
                             "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"int\","
                             "\"element-id\":4},\"field-id\":3}]}";

static const struct avro_meta meta[] = {{"format-version", "2"}, {"content", "data"}};

static void put_record(struct avro_writer *w, int64_t id)
{
    avro_put_long(&w->block, id);
    if (id % 2 == 0) {
        avro_put_union(&w->block, 0);
    } else {
        avro_put_union(&w->block, 1);
        avro_put_string(&w->block, "odd");
    }
    avro_put_array_start(&w->block, (uint64_t)(id % 3));
    for (int i = 0; i < id % 3; i++) {
        avro_put_int(&w->block, -i);
    }
    avro_put_array_end(&w->block);
}

static enum err_code write_file(struct buf *out, uint32_t records, enum avro_codec codec,
                                struct err *e)
{
    struct rand rand;
    struct avro_writer w;
    enum err_code rc = ERR_OK;

    rand_seed(&rand, 1);
    avro_writer_init(&w, out, schema, meta, 2, codec, &rand);
    for (uint32_t i = 0; i < records && rc == ERR_OK; i++) {
        put_record(&w, i);
        rc = avro_writer_end_record(&w, e);
    }
    if (rc == ERR_OK) {
        rc = avro_writer_finish(&w, e);
    }
    avro_writer_deinit(&w);
    return rc;
}

/* The file's bytes, put together by hand from the specification. */
TEST(test_writer__writes_the_specified_bytes)
{
    struct buf out = {0};
    struct buf want = {0};
    struct err e = {0};
    struct rand rand;
    uint64_t sync[2];
    uint8_t records[32];
    /* 0, null, []; 1, "odd", [0]; 2, null, [0, -1] */
    size_t records_len =
        test_unhex("00 00 00 02 02 06 6f6464 02 00 00 04 00 04 00 01 00", records, sizeof records);

    rand_seed(&rand, 1);
    sync[0] = rand_u64(&rand);
    sync[1] = rand_u64(&rand);
    assert_u64_eq(records_len, 18);
    assert_ok(write_file(&out, 3, AVRO_CODEC_NULL, &e), &e);
    buf_append(&want,
               "Obj\x01\x08\x16"
               "avro.schema",
               17);
    buf_zigzag(&want, (int64_t)strlen(schema));
    buf_append_str(&want, schema);
    buf_append_str(&want, "\x14"
                          "avro.codec"
                          "\x08"
                          "null");
    buf_append_str(&want, "\x1c"
                          "format-version"
                          "\x02"
                          "2");
    buf_append_str(&want, "\x0e"
                          "content"
                          "\x08"
                          "data");
    buf_u8(&want, 0);
    buf_append(&want, sync, 16);
    buf_append(&want, "\x06\x24", 2);
    buf_append(&want, records, records_len);
    buf_append(&want, sync, 16);
    assert_bytes_eq(buf_span(&out), buf_span(&want));
    buf_deinit(&out);
    buf_deinit(&want);
}

TEST(test_writer__encodes_every_primitive)
{
    struct buf out = {0};
    uint8_t want[128];
    size_t len = test_unhex("00 01 02 03 04 7f 8001 8101"
                            "feffffff0f ffffffff0f"
                            "feffffffffffffffff01 ffffffffffffffffff01"
                            "01 00 0000c03f 00000000000000c0 06666f6f 00 04c3a4 02 deadbeef 0a 00",
                            want, sizeof want);
    static const int64_t longs[] = {0, -1, 1, -2, 2, -64, 64, -65};

    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
        avro_put_long(&out, longs[i]);
    }
    avro_put_int(&out, INT32_MAX);
    avro_put_int(&out, INT32_MIN);
    avro_put_long(&out, INT64_MAX);
    avro_put_long(&out, INT64_MIN);
    avro_put_bool(&out, true);
    avro_put_bool(&out, false);
    avro_put_float(&out, 1.5f);
    avro_put_double(&out, -2.0);
    avro_put_bytes(&out, span_str("foo"));
    avro_put_bytes(&out, (struct span){NULL, 0});
    avro_put_string(&out, "\xc3\xa4");
    avro_put_union(&out, 1);
    avro_put_fixed(&out, span_of("\xde\xad\xbe\xef", 4));
    avro_put_array_start(&out, 5);
    avro_put_array_start(&out, 0); /* nothing: the end alone is an empty array */
    avro_put_array_end(&out);
    assert_bytes_eq(buf_span(&out), span_of(want, len));
    buf_deinit(&out);
}

static void expect_records(struct span file, uint32_t records)
{
    struct avro_reader *r;
    const struct avro_value *v;
    struct err e = {0};

    assert_ok(avro_reader_open(file, &r, &e), &e);
    assert_text_eq(avro_reader_meta(r, "avro.schema"), schema);
    assert_text_eq(avro_reader_meta(r, "format-version"), "2");
    assert_text_eq(avro_reader_meta(r, "content"), "data");
    for (uint32_t i = 0; i < records; i++) {
        assert_ok(avro_reader_next(r, &v, &e), &e);
        assert_non_null(v);
        assert_i64_eq(avro_field(v, 1)->u.i64, i);
        assert_u64_eq(avro_field(v, 2)->type, i % 2 == 0 ? AVRO_NULL : AVRO_STRING);
        assert_u64_eq(avro_field(v, 3)->u.list.count, i % 3);
    }
    assert_ok(avro_reader_next(r, &v, &e), &e);
    assert_null(v);
    avro_reader_free(r);
}

TEST(test_writer__is_read_back)
{
    static const uint32_t counts[] = {0, 1, 3, 1000, 50000};
    struct err e = {0};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct buf deflated = {0};
        struct buf plain = {0};

        assert_ok(write_file(&deflated, counts[i], AVRO_CODEC_DEFLATE, &e), &e);
        assert_ok(write_file(&plain, counts[i], AVRO_CODEC_NULL, &e), &e);
        expect_records(buf_span(&deflated), counts[i]);
        expect_records(buf_span(&plain), counts[i]);
        assert_true(counts[i] < 1000 || deflated.len < plain.len);
        buf_deinit(&deflated);
        buf_deinit(&plain);
    }
}

TEST(test_writer__cuts_blocks_between_records)
{
    struct buf out = {0};
    struct err e = {0};
    struct rand rand;
    uint64_t sync[2];
    size_t at = 0;
    size_t last = 0;
    size_t syncs = 0;

    rand_seed(&rand, 1);
    sync[0] = rand_u64(&rand);
    sync[1] = rand_u64(&rand);
    assert_ok(write_file(&out, 50000, AVRO_CODEC_NULL, &e), &e);
    for (; at + 16 <= out.len; at++) {
        if (memcmp(out.data + at, sync, 16) == 0) {
            assert_true(syncs == 0 || at - last <= ((size_t)64 << 10) + 64);
            assert_true(syncs < 1 || at - last >= ((size_t)64 << 10) || at + 16 == out.len);
            last = at;
            syncs++;
        }
    }
    assert_true(syncs > 3);
    assert_u64_eq(last + 16, out.len);
    buf_deinit(&out);
}

TEST(test_writer__fails_for_good_at_the_ceiling)
{
    struct err e = {0};
    struct rand rand;

    for (size_t cap = 1; cap < 500; cap += 7) {
        struct buf out;
        struct avro_writer w;

        rand_seed(&rand, 1);
        buf_init(&out, cap);
        avro_writer_init(&w, &out, schema, meta, 2, AVRO_CODEC_NULL, &rand);
        put_record(&w, 1);
        enum err_code rc = avro_writer_end_record(&w, &e);

        if (rc == ERR_OK) {
            for (int i = 0; i < 300; i++) {
                put_record(&w, 1);
                rc = avro_writer_end_record(&w, &e);
            }
            assert_err(avro_writer_finish(&w, &e), ERR_LIMIT, &e);
        }
        /* Small enough to fit now, but a block is gone. */
        put_record(&w, 1);
        assert_err(avro_writer_end_record(&w, &e), ERR_LIMIT, &e);
        assert_err(avro_writer_finish(&w, &e), ERR_LIMIT, &e);
        avro_writer_deinit(&w);
        buf_deinit(&out);
    }
}

TEST(test_writer__fails_for_good_when_a_block_is_lost)
{
    struct buf out = {0};
    struct avro_writer w;
    struct rand rand;
    struct err e = {0};

    rand_seed(&rand, 1);
    avro_writer_init(&w, &out, schema, meta, 2, AVRO_CODEC_NULL, &rand);
    w.block.cap_max = 8;
    put_record(&w, 1);
    assert_err(avro_writer_end_record(&w, &e), ERR_LIMIT, &e);
    put_record(&w, 0);
    assert_err(avro_writer_end_record(&w, &e), ERR_LIMIT, &e);
    assert_err(avro_writer_finish(&w, &e), ERR_LIMIT, &e);
    avro_writer_deinit(&w);
    buf_deinit(&out);
}

TEST(test_writer__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = write_file(&out, 20000, AVRO_CODEC_DEFLATE, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_writer__writes_the_specified_bytes),
          test_case(test_writer__encodes_every_primitive), test_case(test_writer__is_read_back),
          test_case(test_writer__cuts_blocks_between_records),
          test_case(test_writer__fails_for_good_at_the_ceiling),
          test_case(test_writer__fails_for_good_when_a_block_is_lost),
          test_case(test_writer__survives_lack_of_memory))
