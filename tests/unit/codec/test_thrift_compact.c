#include "codec/thrift_compact.h"

#include <stdlib.h>

#include "test.h"

/* A struct with a field of every kind, lists short and long, a struct inside, and a far field id.
 */
static void write_sample(struct buf *out)
{
    struct thrift_writer w = {out, 0};

    thrift_bool(&w, 1, true);
    thrift_bool(&w, 2, false);
    thrift_i8(&w, 3, -1);
    thrift_i32(&w, 4, -2);
    thrift_i64(&w, 20, INT64_MIN);
    thrift_binary(&w, 21, span_str("abc"));
    thrift_list(&w, 22, THRIFT_I32, 2);
    buf_zigzag(out, 1);
    buf_zigzag(out, -1);
    struct thrift_writer inner = thrift_struct(&w, 23);

    thrift_i32(&inner, 1, 5);
    thrift_stop(&inner);
    thrift_list(&w, 24, THRIFT_STRUCT, 15);
    for (int i = 0; i < 15; i++) {
        struct thrift_writer element = thrift_element(&w);

        thrift_i32(&element, 2, i);
        thrift_stop(&element);
    }
    thrift_i32(&w, 7, 1); /* backwards: a whole id */
    thrift_stop(&w);
}

/* By hand from the protocol's description. */
static const char sample_hex[] =
    "11 12 13ff 1503 0628 ffffffffffffffffff01 18 03616263 19 25 02 01 1c 15 0a 00"
    "19 fc0f 250000 250200 250400 250600 250800 250a00 250c00 250e00 251000 251200 251400 251600"
    "251800 251a00 251c00 050e02 00";

TEST(test_thrift_compact__writes_the_protocols_bytes)
{
    struct buf out = {0};
    uint8_t want[256];
    size_t len = test_unhex(sample_hex, want, sizeof want);

    write_sample(&out);
    assert_bytes_eq(buf_span(&out), span_of(want, len));
    buf_deinit(&out);
}

static void expect_field(struct thrift_reader *r, struct thrift_field *f, int id,
                         enum thrift_type type)
{
    assert_true(thrift_next(r, f));
    assert_i64_eq(f->id, id);
    assert_u64_eq(f->type, type);
}

static void expect_int(struct thrift_reader *r, int id, enum thrift_type type, int64_t want)
{
    struct thrift_field f;

    expect_field(r, &f, id, type);
    assert_i64_eq(thrift_read_int(r), want);
}

TEST(test_thrift_compact__reads_what_it_wrote)
{
    struct buf out = {0};
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;
    enum thrift_type element;

    write_sample(&out);
    bytes_reader_init(&in, buf_span(&out));
    expect_field(&r, &f, 1, THRIFT_TRUE);
    assert_true(thrift_read_bool(&f));
    expect_field(&r, &f, 2, THRIFT_FALSE);
    assert_false(thrift_read_bool(&f));
    expect_field(&r, &f, 3, THRIFT_I8);
    thrift_skip(&r, f.type);
    expect_int(&r, 4, THRIFT_I32, -2);
    expect_int(&r, 20, THRIFT_I64, INT64_MIN);
    expect_field(&r, &f, 21, THRIFT_BINARY);
    assert_text_eq(thrift_read_binary(&r), "abc");
    expect_field(&r, &f, 22, THRIFT_LIST);
    assert_u64_eq(thrift_read_list(&r, &element), 2);
    assert_u64_eq(element, THRIFT_I32);
    assert_i64_eq(thrift_read_int(&r), 1);
    assert_i64_eq(thrift_read_int(&r), -1);
    expect_field(&r, &f, 23, THRIFT_STRUCT);
    struct thrift_reader inner = {&in, 0};

    expect_int(&inner, 1, THRIFT_I32, 5);
    assert_false(thrift_next(&inner, &f));
    expect_field(&r, &f, 24, THRIFT_LIST);
    assert_u64_eq(thrift_read_list(&r, &element), 15);
    assert_u64_eq(element, THRIFT_STRUCT);
    for (int i = 0; i < 15; i++) {
        struct thrift_reader item = {&in, 0};

        expect_int(&item, 2, THRIFT_I32, i);
        assert_false(thrift_next(&item, &f));
    }
    expect_int(&r, 7, THRIFT_I32, 1);
    assert_false(thrift_next(&r, &f));
    assert_false(bytes_failed(&in));
    assert_u64_eq(bytes_left(&in), 0);
    buf_deinit(&out);
}

/* All fields skipped; true when the struct ended well. */
static bool skip_all(struct span bytes)
{
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;

    bytes_reader_init(&in, bytes);
    while (thrift_next(&r, &f)) {
        thrift_skip(&r, f.type);
    }
    return !bytes_failed(&in) && bytes_left(&in) == 0;
}

TEST(test_thrift_compact__skips_everything)
{
    static const char *const values[] = {
        "11 00",                       /* true */
        "17 0102030405060708 00",      /* double */
        "19 32 010201 00",             /* list of booleans */
        "19 30 00",                    /* invalid, see below */
        "1a 25 0204 00",               /* set */
        "1b 00 00",                    /* empty map */
        "1b 02 58 02 0161 04 0162 00", /* map of i32 to binary */
        "1b 02 12 0102 0201 00",       /* map of booleans */
        "19 00 00",                    /* empty list of no type */
        "1c 15 02 00 00",              /* struct */
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(values[i], bytes, sizeof bytes);

        assert_true(skip_all(span_of(bytes, len)) == (i != 3));
    }
}

TEST(test_thrift_compact__rejects_every_truncation)
{
    struct buf out = {0};

    write_sample(&out);
    assert_true(skip_all(buf_span(&out)));
    for (size_t len = 0; len < out.len; len++) {
        uint8_t *cut = malloc(len + 1);

        memcpy(cut, out.data, len);
        assert_false(skip_all(span_of(cut, len)));
        free(cut);
    }
    buf_deinit(&out);
}

TEST(test_thrift_compact__rejects_bad_bytes)
{
    static const char *const bad[] = {
        "1d 00",                      /* type 13 */
        "1f 00",                      /* type 15 */
        "18 ffffffff0f 00",           /* binary of 4 GiB */
        "18 ffffffffffffffffff01 00", /* of 16 EiB */
        "19 f5ffffffff0f 00",         /* list of 4 G numbers */
        "19 f5ffffffffffffffffff01 00",
        "19 2d 0000 00",              /* list of type 13 */
        "19 f5 00",                   /* count cut short */
        "1b ffffffff0f 55 00",        /* map of 4 G pairs */
        "1b 01 dd 00 00",             /* map of type 13 */
        "1b 01 05 00 00",             /* map with keys of type 0 */
        "05 80808008 02 00",          /* field id 8388608 */
        "05 ffffffffffffffffffff 00", /* an id of more than 64 bits */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(bad[i], bytes, sizeof bytes);

        assert_false(skip_all(span_of(bytes, len)));
    }
}

TEST(test_thrift_compact__rejects_an_id_past_the_last_one)
{
    uint8_t bytes[8];
    /* Field 32767, then one more. */
    size_t len = test_unhex("05 feff03 02 15 02 00", bytes, sizeof bytes);
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;

    bytes_reader_init(&in, span_of(bytes, len));
    expect_int(&r, 32767, THRIFT_I32, 1);
    assert_false(thrift_next(&r, &f));
    assert_true(bytes_failed(&in));
}

/* `depth` structs, each the field 1 of the one around it. */
static bool skip_nested(int depth)
{
    struct buf out = {0};

    for (int i = 0; i < depth; i++) {
        buf_u8(&out, 0x1c);
    }
    for (int i = 0; i <= depth; i++) {
        buf_u8(&out, 0);
    }
    bool ok = skip_all(buf_span(&out));

    buf_deinit(&out);
    return ok;
}

TEST(test_thrift_compact__limits_nesting)
{
    assert_true(skip_nested(64));
    assert_false(skip_nested(100));
    assert_false(skip_nested(1000000));
}

TEST(test_thrift_compact__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct buf out = {0};

        write_sample(&out);
        assert_true(out.failed == ERR_OK || out.failed == ERR_NOMEM);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_thrift_compact__writes_the_protocols_bytes),
          test_case(test_thrift_compact__reads_what_it_wrote),
          test_case(test_thrift_compact__skips_everything),
          test_case(test_thrift_compact__rejects_every_truncation),
          test_case(test_thrift_compact__rejects_bad_bytes),
          test_case(test_thrift_compact__rejects_an_id_past_the_last_one),
          test_case(test_thrift_compact__limits_nesting),
          test_case(test_thrift_compact__survives_lack_of_memory))
