#include "codec/compress.h"

#include <stdlib.h>

#include "test.h"

#define BIG_BYTES ((size_t)700000)

/* Half noise, half repetition: needs several blocks and does not vanish. */
static void fill(uint8_t *data, size_t len)
{
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = i / 1000 % 2 == 0 ? (uint8_t)(x >> 24) : (uint8_t) "pattern "[i % 8];
    }
}

static const size_t sizes[] = {0, 1, 2, 100, 4096, 65535, 65536, 131072, 131073, BIG_BYTES};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])

TEST(test_compress__zstd_round_trips)
{
    uint8_t *data = malloc(BIG_BYTES);
    struct zstd_encoder *enc = zstd_encoder_new(0);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf packed = {0};
    struct err e = {0};

    fill(data, BIG_BYTES);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct buf back;

        /* Exactly as much room as the content needs, after what is there already. */
        buf_init(&back, sizes[i] + 3);
        buf_append_str(&back, "...");
        buf_reset(&packed);
        assert_ok(zstd_compress(enc, span_of(data, sizes[i]), &packed, &e), &e);
        assert_true(packed.len > 0);
        assert_ok(zstd_decompress(dec, buf_span(&packed), &back, &e), &e);
        assert_u64_eq(back.len, sizes[i] + 3);
        assert_bytes_eq(span_of(back.data + 3, back.len - 3), span_of(data, sizes[i]));
        buf_deinit(&back);
    }
    zstd_encoder_free(enc);
    zstd_decoder_free(dec);
    buf_deinit(&packed);
    free(data);
}

TEST(test_compress__zstd_reads_frames_one_after_another)
{
    struct zstd_encoder *enc = zstd_encoder_new(3);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf packed = {0};
    struct buf back;
    struct err e = {0};

    buf_init(&back, 11);
    assert_ok(zstd_compress(enc, span_str("hello "), &packed, &e), &e);
    assert_ok(zstd_compress(enc, span_str(""), &packed, &e), &e);
    assert_ok(zstd_compress(enc, span_str("world"), &packed, &e), &e);
    assert_ok(zstd_decompress(dec, buf_span(&packed), &back, &e), &e);
    assert_text_eq(buf_span(&back), "hello world");
    zstd_encoder_free(enc);
    zstd_decoder_free(dec);
    buf_deinit(&packed);
    buf_deinit(&back);
}

TEST(test_compress__zstd_reads_a_frame_without_its_size)
{
    uint8_t in[64];
    /* One raw block of 4 bytes, the last, in a frame of window 1 KiB that does not tell its size.
     */
    size_t len = test_unhex("28b52ffd 00 00 210000 61626364", in, sizeof in);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf back = {0};
    struct err e = {0};

    assert_ok(zstd_decompress(dec, span_of(in, len), &back, &e), &e);
    assert_text_eq(buf_span(&back), "abcd");
    for (size_t cut = 1; cut < len; cut++) {
        buf_reset(&back);
        assert_err(zstd_decompress(dec, span_of(in, cut), &back, &e), ERR_CORRUPT, &e);
    }
    zstd_decoder_free(dec);
    buf_deinit(&back);
}

TEST(test_compress__zstd_gives_content_in_pieces)
{
    uint8_t *data = malloc(BIG_BYTES);
    struct zstd_encoder *enc = zstd_encoder_new(1);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf packed = {0};
    struct buf back = {0};
    struct err e = {0};
    static const size_t pieces[] = {1000, 65536, 131072, BIG_BYTES, BIG_BYTES * 2};

    fill(data, BIG_BYTES);
    assert_ok(zstd_compress(enc, span_of(data, BIG_BYTES), &packed, &e), &e);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        bool done = false;

        buf_reset(&back);
        assert_ok(zstd_decoder_start(dec, buf_span(&packed), &e), &e);
        while (!done) {
            size_t before = back.len;

            assert_ok(zstd_decoder_read(dec, pieces[i], &back, &done, &e), &e);
            assert_true(back.len - before <= pieces[i]);
            assert_true(done || back.len > before);
        }
        assert_bytes_eq(buf_span(&back), span_of(data, BIG_BYTES));
    }
    zstd_encoder_free(enc);
    zstd_decoder_free(dec);
    buf_deinit(&packed);
    buf_deinit(&back);
    free(data);
}

TEST(test_compress__zstd_rejects_every_truncation)
{
    uint8_t data[3000];
    struct zstd_encoder *enc = zstd_encoder_new(1);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf packed = {0};
    struct buf back = {0};
    struct err e = {0};

    fill(data, sizeof data);
    assert_ok(zstd_compress(enc, span_of(data, sizeof data), &packed, &e), &e);
    for (size_t len = 1; len < packed.len; len++) {
        uint8_t *cut = malloc(len); /* so that the sanitizer sees a read past the end */

        memcpy(cut, packed.data, len);
        buf_reset(&back);
        assert_err(zstd_decompress(dec, span_of(cut, len), &back, &e), ERR_CORRUPT, &e);
        free(cut);
    }
    /* And is good as new afterwards. */
    buf_reset(&back);
    assert_ok(zstd_decompress(dec, buf_span(&packed), &back, &e), &e);
    assert_bytes_eq(buf_span(&back), span_of(data, sizeof data));
    zstd_encoder_free(enc);
    zstd_decoder_free(dec);
    buf_deinit(&packed);
    buf_deinit(&back);
}

TEST(test_compress__zstd_stays_under_the_ceiling)
{
    uint8_t *data = calloc(1, BIG_BYTES);
    struct zstd_encoder *enc = zstd_encoder_new(1);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf packed = {0};
    struct buf back;
    struct buf small;
    struct err e = {0};

    assert_ok(zstd_compress(enc, span_of(data, BIG_BYTES), &packed, &e), &e);
    assert_true(packed.len < 1000);
    buf_init(&back, BIG_BYTES - 1);
    assert_err(zstd_decompress(dec, buf_span(&packed), &back, &e), ERR_LIMIT, &e);
    assert_true(back.cap <= BIG_BYTES - 1);
    /* A buffer that failed before is not healed. */
    assert_err(zstd_decompress(dec, buf_span(&packed), &back, &e), ERR_LIMIT, &e);
    /* Not even when nothing is to be added to it. */
    buf_deinit(&back);
    buf_init(&back, 64);
    buf_zeros(&back, 64);
    buf_u8(&back, 0);
    buf_reset(&packed);
    assert_ok(zstd_compress(enc, span_str(""), &packed, &e), &e);
    assert_err(zstd_decompress(dec, buf_span(&packed), &back, &e), ERR_LIMIT, &e);
    fill(data, 2000);
    buf_init(&small, 500);
    assert_err(zstd_compress(enc, span_of(data, 2000), &small, &e), ERR_LIMIT, &e);
    zstd_encoder_free(enc);
    zstd_decoder_free(dec);
    buf_deinit(&packed);
    buf_deinit(&back);
    buf_deinit(&small);
    free(data);
}

TEST(test_compress__zstd_does_not_believe_a_size)
{
    uint8_t in[64];
    /* Claims 512 MiB of content; holds one byte. */
    size_t len = test_unhex("28b52ffd e0 0000002000000000 090000 61", in, sizeof in);
    struct zstd_decoder *dec = zstd_decoder_new();
    struct buf back = {0};
    struct err e = {0};
    enum err_code rc = zstd_decompress(dec, span_of(in, len), &back, &e);

    assert_true(rc == ERR_CORRUPT || rc == ERR_LIMIT);
    assert_true(back.cap <= (size_t)1 << 20);
    zstd_decoder_free(dec);
    buf_deinit(&back);
}

TEST(test_compress__deflate_round_trips)
{
    uint8_t *data = malloc(BIG_BYTES);
    struct buf packed = {0};
    struct err e = {0};

    fill(data, BIG_BYTES);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (int level = 1; level <= 12; level += sizes[i] < 100000 ? 1 : 11) {
            struct buf back;

            buf_init(&back, sizes[i] + 1);
            buf_reset(&packed);
            assert_ok(deflate_compress(level, span_of(data, sizes[i]), &packed, &e), &e);
            assert_ok(deflate_decompress(buf_span(&packed), &back, &e), &e);
            assert_bytes_eq(buf_span(&back), span_of(data, sizes[i]));
            buf_deinit(&back);
        }
    }
    buf_deinit(&packed);
    free(data);
}

TEST(test_compress__deflate_makes_room_for_what_grows_a_lot)
{
    uint8_t *data = calloc(1, BIG_BYTES);
    struct buf packed = {0};
    struct buf back;
    struct err e = {0};

    assert_ok(deflate_compress(12, span_of(data, BIG_BYTES), &packed, &e), &e);
    assert_true(packed.len < BIG_BYTES / 500);
    buf_init(&back, BIG_BYTES);
    assert_ok(deflate_decompress(buf_span(&packed), &back, &e), &e);
    assert_bytes_eq(buf_span(&back), span_of(data, BIG_BYTES));
    buf_deinit(&packed);
    buf_deinit(&back);
    free(data);
}

TEST(test_compress__deflate_rejects_every_truncation)
{
    uint8_t data[3000];
    struct buf packed = {0};
    struct buf back = {0};
    struct err e = {0};

    fill(data, sizeof data);
    assert_ok(deflate_compress(6, span_of(data, sizeof data), &packed, &e), &e);
    for (size_t len = 0; len < packed.len; len++) {
        uint8_t *cut = malloc(len + 1);

        memcpy(cut, packed.data, len);
        buf_reset(&back);
        assert_err(deflate_decompress(span_of(cut, len), &back, &e), ERR_CORRUPT, &e);
        assert_u64_eq(back.len, 0);
        free(cut);
    }
    buf_deinit(&packed);
    buf_deinit(&back);
}

TEST(test_compress__deflate_ignores_what_follows_the_stream)
{
    uint8_t in[64];
    /* Python: zlib.compress(b"abc")[2:-1], as its Avro writers have it. */
    size_t len = test_unhex("4b4c4a06 00 024d01", in, sizeof in);
    struct buf back = {0};
    struct err e = {0};

    assert_ok(deflate_decompress(span_of(in, len), &back, &e), &e);
    assert_text_eq(buf_span(&back), "abc");
    buf_deinit(&back);
}

TEST(test_compress__deflate_stays_under_the_ceiling)
{
    uint8_t *data = calloc(1, BIG_BYTES);
    struct buf packed = {0};
    struct buf back;
    struct buf small;
    struct err e = {0};

    assert_ok(deflate_compress(6, span_of(data, BIG_BYTES), &packed, &e), &e);
    assert_true(packed.len < 2000);
    buf_init(&back, BIG_BYTES - 1);
    assert_err(deflate_decompress(buf_span(&packed), &back, &e), ERR_LIMIT, &e);
    fill(data, 2000);
    buf_init(&small, 500);
    assert_err(deflate_compress(6, span_of(data, 2000), &small, &e), ERR_LIMIT, &e);
    buf_deinit(&packed);
    buf_deinit(&back);
    buf_deinit(&small);
    free(data);
}

/* Python: gzip.compress(b"hello", mtime=0) and gzip.compress(b" world", mtime=0). */
static const char gzip_hello[] = "1f8b0800000000000203cb48cdc9c9070086a6103605000000";
static const char gzip_world[] = "1f8b08000000000002035328cf2fca490100cb423b4a06000000";

TEST(test_compress__gzip_reads_all_members)
{
    uint8_t in[128];
    size_t hello = test_unhex(gzip_hello, in, sizeof in);
    size_t both = hello + test_unhex(gzip_world, in + hello, sizeof in - hello);
    struct buf back = {0};
    struct err e = {0};

    assert_ok(gzip_decompress(span_of(in, hello), &back, &e), &e);
    assert_text_eq(buf_span(&back), "hello");
    buf_reset(&back);
    assert_ok(gzip_decompress(span_of(in, both), &back, &e), &e);
    assert_text_eq(buf_span(&back), "hello world");
    for (size_t len = 0; len < both; len++) {
        buf_reset(&back);
        if (len != hello) {
            assert_err(gzip_decompress(span_of(in, len), &back, &e), ERR_CORRUPT, &e);
        }
    }
    in[12] ^= 1;
    assert_err(gzip_decompress(span_of(in, both), &back, &e), ERR_CORRUPT, &e);
    buf_deinit(&back);
}

/* What zlib's compress() makes. */
static void put_zlib(struct buf *out, struct span in)
{
    uint32_t a = 1;
    uint32_t b = 0;
    struct err e = {0};

    buf_append(out, "\x78\x9c", 2);
    assert_ok(deflate_compress(6, in, out, &e), &e);
    for (size_t i = 0; i < in.len; i++) {
        a = (a + in.data[i]) % 65521;
        b = (b + a) % 65521;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_u8(out, (uint8_t)((b << 16 | a) >> shift));
    }
}

TEST(test_compress__zlib_reads_streams_of_a_known_size)
{
    /* Python: zlib.compress(b"hello hello hello hello") */
    uint8_t in[64];
    size_t len = test_unhex("789ccb48cdc9c957c8402701680308b1", in, sizeof in);
    struct buf back = {0};
    struct err e = {0};

    buf_append_str(&back, "...");
    assert_ok(zlib_decompress(span_of(in, len), 23, &back, &e), &e);
    assert_text_eq(buf_span(&back), "...hello hello hello hello");
    for (size_t says = 0; says < 70; says++) {
        if (says != 23) {
            assert_err(zlib_decompress(span_of(in, len), says, &back, &e), ERR_CORRUPT, &e);
        }
    }
    assert_u64_eq(back.len, 26);
    buf_deinit(&back);

    /* The ratio that deflate cannot pass is reached by it. */
    uint8_t *zeros = calloc(1, BIG_BYTES);
    struct buf packed = {0};

    put_zlib(&packed, span_of(zeros, BIG_BYTES));
    buf_init(&back, BIG_BYTES);
    assert_ok(zlib_decompress(buf_span(&packed), BIG_BYTES, &back, &e), &e);
    assert_u64_eq(back.len, BIG_BYTES);
    assert_err(zlib_decompress(buf_span(&packed), 1, &back, &e), ERR_LIMIT, &e);
    /* A lie that would cost more memory than the input can fill. */
    buf_deinit(&back);
    back = (struct buf){0};
    assert_err(zlib_decompress(span_of(in, len), (size_t)1 << 30, &back, &e), ERR_CORRUPT, &e);
    assert_u64_eq(back.cap, 0);
    buf_deinit(&packed);
    put_zlib(&packed, span_of(zeros, 0));
    assert_ok(zlib_decompress(buf_span(&packed), 0, &back, &e), &e);
    assert_u64_eq(back.len, 0);
    buf_deinit(&packed);
    buf_deinit(&back);
    free(zeros);
}

/* The same without header and checksum. */
TEST(test_compress__deflate_reads_streams_of_a_known_size)
{
    /* Python: zlib.compress(b"hello hello")[2:-4] */
    static const char hex[] = "cb48cdc9c957c8009100";
    uint8_t in[20];
    size_t len = test_unhex(hex, in, sizeof in);
    struct buf back = {0};
    struct err e = {0};

    assert_ok(deflate_decompress_exactly(span_of(in, len), 11, &back, &e), &e);
    assert_text_eq(buf_span(&back), "hello hello");
    for (size_t says = 0; says < 30; says++) {
        if (says != 11) {
            assert_err(deflate_decompress_exactly(span_of(in, len), says, &back, &e), ERR_CORRUPT,
                       &e);
        }
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_err(deflate_decompress_exactly(span_of(in, cut), 11, &back, &e), ERR_CORRUPT, &e);
    }
    in[len] = 0;
    assert_err(deflate_decompress_exactly(span_of(in, len + 1), 11, &back, &e), ERR_CORRUPT, &e);
    assert_err(deflate_decompress_exactly(span_of(in, len), (size_t)1 << 30, &back, &e),
               ERR_CORRUPT, &e);
    assert_text_eq(buf_span(&back), "hello hello");
    buf_deinit(&back);
}

TEST(test_compress__zlib_rejects_every_damage)
{
    uint8_t data[3000];
    struct buf packed = {0};
    struct buf back = {0};
    struct err e = {0};

    fill(data, sizeof data);
    put_zlib(&packed, span_of(data, sizeof data));
    assert_ok(zlib_decompress(buf_span(&packed), sizeof data, &back, &e), &e);
    assert_bytes_eq(buf_span(&back), span_of(data, sizeof data));
    for (size_t len = 0; len < packed.len; len++) {
        assert_err(zlib_decompress(span_of(packed.data, len), sizeof data, &back, &e), ERR_CORRUPT,
                   &e);
        /* The level in the second byte says nothing to a reader, nor do the bits that fill up the
         * last byte in front of the checksum. */
        if (len != 1 && len != packed.len - 5) {
            packed.data[len] ^= 0x40;
            assert_err(zlib_decompress(buf_span(&packed), sizeof data, &back, &e), ERR_CORRUPT, &e);
            packed.data[len] ^= 0x40;
        }
    }
    buf_u8(&packed, 0);
    assert_err(zlib_decompress(buf_span(&packed), sizeof data, &back, &e), ERR_CORRUPT, &e);
    buf_deinit(&packed);
    buf_deinit(&back);
}

TEST(test_compress__survives_lack_of_memory)
{
    uint8_t data[5000];

    fill(data, sizeof data);
    TORTURE(nth)
    {
        struct zstd_encoder *enc = zstd_encoder_new(1);
        struct zstd_decoder *dec = zstd_decoder_new();
        struct buf packed = {0};
        struct buf back = {0};
        struct err e = {0};
        enum err_code rc = ERR_NOMEM;

        if (enc != NULL && dec != NULL) {
            rc = zstd_compress(enc, span_of(data, sizeof data), &packed, &e);
        }
        if (rc == ERR_OK) {
            rc = zstd_decompress(dec, buf_span(&packed), &back, &e);
        }
        if (rc == ERR_OK) {
            buf_deinit(&packed);
            buf_deinit(&back);
            rc = deflate_compress(1, span_of(data, sizeof data), &packed, &e);
        }
        if (rc == ERR_OK) {
            rc = deflate_decompress(buf_span(&packed), &back, &e);
        }
        if (rc == ERR_OK) {
            static const uint8_t none[] = {0x78, 0x9c, 3, 0, 0, 0, 0, 1};

            rc = zlib_decompress(span_of(none, sizeof none), 0, &back, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        zstd_encoder_free(enc);
        zstd_decoder_free(dec);
        buf_deinit(&packed);
        buf_deinit(&back);
    }
}

TEST_MAIN(test_case(test_compress__zstd_round_trips),
          test_case(test_compress__zstd_reads_frames_one_after_another),
          test_case(test_compress__zstd_reads_a_frame_without_its_size),
          test_case(test_compress__zstd_gives_content_in_pieces),
          test_case(test_compress__zstd_rejects_every_truncation),
          test_case(test_compress__zstd_stays_under_the_ceiling),
          test_case(test_compress__zstd_does_not_believe_a_size),
          test_case(test_compress__deflate_round_trips),
          test_case(test_compress__deflate_makes_room_for_what_grows_a_lot),
          test_case(test_compress__deflate_rejects_every_truncation),
          test_case(test_compress__deflate_ignores_what_follows_the_stream),
          test_case(test_compress__deflate_stays_under_the_ceiling),
          test_case(test_compress__gzip_reads_all_members),
          test_case(test_compress__zlib_reads_streams_of_a_known_size),
          test_case(test_compress__deflate_reads_streams_of_a_known_size),
          test_case(test_compress__zlib_rejects_every_damage),
          test_case(test_compress__survives_lack_of_memory))
