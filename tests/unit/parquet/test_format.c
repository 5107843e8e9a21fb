#include "parquet/format.h"

#include <stdlib.h>

#include "parquet/footer.h"
#include "test.h"

/*
 * A file of 400 bytes put together by hand after parquet.thrift: required int64 id (field 1),
 * optional string s (field 2); rows (1,'a'), (2,null), (3,'b'); uncompressed, with checksums and
 * both indexes. DuckDB 1.5.6 and arrow-rs read it.
 */
static const char golden_hex[] =
    "50415231150015301530158eb6dcbc051c15061500150615060000010000000000000002000000000000000300"
    "00000000000015001520152015fdc5db89041c1506150015061506000002000000030501000000610100000062"
    "191102191808010000000000000019180803000000000000001502191600001911021918016119180162150219"
    "160200191c1608155e16000000191c1666154e160000001502193c48057461626c651504001504250018026964"
    "550200150c2502180173250035041c1c0000001606191c192c26001c150419250006191802696415001606165e"
    "165e26083c36002808030000000000000018080100000000000000111100191c15001500150200001694021514"
    "16b401153e0026001c150c192500061918017315001606164e164e26663c3602280162180161111100191c1500"
    "15001502000016a802151416f20115220016ac011606260816ac01140000282474657374777269746572207665"
    "7273696f6e20302e312e3020286275696c642061626329192c1c00001c000000ea00000050415231";

static size_t golden(uint8_t *out)
{
    size_t len = test_unhex(golden_hex, out, 400);

    assert_u64_eq(len, 400);
    return len;
}

TEST(test_format__prints_page_headers)
{
    static const struct parquet_page_header data = {
        .type = PARQUET_DATA_PAGE,
        .uncompressed_bytes = 24,
        .compressed_bytes = 24,
        .crc = 0x578b6dc7,
        .value_count = 3,
        .encoding = PARQUET_PLAIN,
    };
    uint8_t want[400];
    struct buf out = {0};

    (void)golden(want);
    parquet_page_header_print(&data, &out);
    /* The golden file's first header, but for the checksum. */
    assert_bytes_eq(span_of(out.data, 7), span_of(want + 4, 7));
    assert_bytes_eq(span_of(out.data + 12, out.len - 12), span_of(want + 16, 11));
    buf_deinit(&out);
}

TEST(test_format__page_headers_come_back)
{
    static const int32_t types[] = {PARQUET_DATA_PAGE, PARQUET_DICTIONARY_PAGE};

    for (size_t i = 0; i < 2; i++) {
        const struct parquet_page_header h = {
            .type = types[i],
            .uncompressed_bytes = INT32_MAX,
            .compressed_bytes = 0,
            .has_crc = true,
            .crc = 0xfffffff0u,
            .value_count = 20000,
            .encoding = PARQUET_RLE_DICTIONARY,
        };
        struct parquet_page_header back;
        struct buf out = {0};
        struct bytes_reader in;
        struct err e = {0};

        parquet_page_header_print(&h, &out);
        bytes_reader_init(&in, buf_span(&out));
        assert_ok(parquet_page_header_parse(&in, &back, &e), &e);
        assert_u64_eq(bytes_left(&in), 0);
        assert_int_equal(back.type, h.type);
        assert_int_equal(back.uncompressed_bytes, INT32_MAX);
        assert_int_equal(back.compressed_bytes, 0);
        assert_true(back.has_crc);
        assert_u64_eq(back.crc, h.crc);
        assert_int_equal(back.value_count, 20000);
        assert_int_equal(back.encoding, PARQUET_RLE_DICTIONARY);
        for (size_t cut = 0; cut < out.len; cut++) {
            uint8_t *copy = malloc(cut + 1);

            memcpy(copy, out.data, cut);
            bytes_reader_init(&in, span_of(copy, cut));
            assert_err(parquet_page_header_parse(&in, &back, &e), ERR_CORRUPT, &e);
            free(copy);
        }
        buf_deinit(&out);
    }
}

TEST(test_format__parses_pages_of_version_2)
{
    /* type 3, sizes 30 and 20, v2 header: 10 values, 4 nulls, 10 rows, PLAIN, 3 bytes of levels,
     * none of repetition, not compressed. */
    uint8_t bytes[64];
    size_t len = test_unhex("1506 153c 1528 5c 1514 1508 1514 1500 1506 1500 12 00 00", bytes, 64);
    struct parquet_page_header h;
    struct bytes_reader in;
    struct err e = {0};

    bytes_reader_init(&in, span_of(bytes, len));
    assert_ok(parquet_page_header_parse(&in, &h, &e), &e);
    assert_int_equal(h.type, PARQUET_DATA_PAGE_V2);
    assert_int_equal(h.value_count, 10);
    assert_int_equal(h.null_count, 4);
    assert_int_equal(h.encoding, PARQUET_PLAIN);
    assert_int_equal(h.def_bytes, 3);
    assert_int_equal(h.rep_bytes, 0);
    assert_false(h.is_compressed);
    assert_false(h.has_crc);
}

TEST(test_format__rejects_bad_page_headers)
{
    static const char *const bad[] = {
        "00",                                          /* nothing */
        "1500 1502 00",                                /* no compressed size */
        "1500 1502 1502 00",                           /* no details */
        "1500 1502 1502 4c 1502 1500 00 00",           /* details of a dictionary page */
        "1500 1501 1502 2c 1502 1500 00 00",           /* size -1 */
        "1500 1502 1502 2c 1501 1500 00 00",           /* -1 values */
        "1500 1502 1502 2c 1500 00 00 ff",             /* fine but for... */
        "1500 16808080808020 1502 2c 1502 1500 00 00", /* a size of 33 bits */
        "1500 1502 1502 2c 2502 00 00",                /* no count of values */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64];
        size_t len = test_unhex(bad[i], bytes, sizeof bytes);
        struct parquet_page_header h;
        struct bytes_reader in;
        struct err e = {0};

        if (i == 6) {
            /* An encoding that is not there is PLAIN's number; more may follow a header. */
            bytes_reader_init(&in, span_of(bytes, len));
            assert_ok(parquet_page_header_parse(&in, &h, &e), &e);
            assert_u64_eq(bytes_left(&in), 1);
            continue;
        }
        bytes_reader_init(&in, span_of(bytes, len));
        assert_err(parquet_page_header_parse(&in, &h, &e), ERR_CORRUPT, &e);
    }
}

TEST(test_format__parses_the_golden_footer)
{
    uint8_t file[400];
    size_t len = golden(file);
    struct parquet_meta meta;
    struct arena arena;
    struct err e = {0};

    arena_init(&arena, 0);
    assert_ok(
        parquet_footer_parse(span_of(file + len - 8 - 234, 234), len - 8 - 234, &arena, &meta, &e),
        &e);
    assert_u64_eq(meta.column_count, 2);
    assert_string_equal(meta.columns[0].name, "id");
    assert_true(meta.columns[0].required);
    assert_int_equal(meta.columns[0].type, PARQUET_INT64);
    assert_string_equal(meta.columns[1].name, "s");
    assert_false(meta.columns[1].required);
    assert_int_equal(meta.columns[1].field_id, 2);
    assert_int_equal(meta.columns[1].logical, PARQUET_LOGICAL_STRING);
    assert_string_equal(meta.created_by, "testwriter version 0.1.0 (build abc)");
    assert_u64_eq(meta.group_count, 1);
    assert_i64_eq(meta.row_count, 3);
    const struct parquet_chunk *s = &meta.groups[0].chunks[1];

    assert_i64_eq(s->data_page_offset, 0x33);
    assert_i64_eq(s->compressed_bytes, 39);
    assert_i64_eq(s->null_count, 1);
    assert_true(s->has_bounds && s->min.exact && s->max.exact);
    assert_text_eq(s->min.bytes, "a");
    assert_text_eq(s->max.bytes, "b");
    assert_u64_eq(s->encodings, 1u << PARQUET_PLAIN | 1u << PARQUET_RLE);
    assert_i64_eq(s->data_page_count, 1);
    assert_i64_eq(s->column_index_bytes, 17);
    arena_deinit(&arena);
}

/* Prints the description of one row group and parses it. */
static const struct parquet_column_spec footer_specs[] = {
    {.name = "b", .field_id = 1, .required = true, .kind = COLUMN_KIND_BOOL},
    {.name = "date", .field_id = 2, .kind = COLUMN_KIND_INT32, .logical = PARQUET_LOGICAL_DATE},
    {.name = "time", .field_id = 3, .kind = COLUMN_KIND_INT64, .logical = PARQUET_LOGICAL_TIME_US},
    {.name = "ts",
     .field_id = 4,
     .kind = COLUMN_KIND_INT64,
     .logical = PARQUET_LOGICAL_TIMESTAMP_US},
    {.name = "tz",
     .field_id = 2147483447,
     .kind = COLUMN_KIND_INT64,
     .logical = PARQUET_LOGICAL_TIMESTAMPTZ_US},
    {.name = "s", .field_id = 6, .kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING},
    {.name = "u",
     .field_id = 7,
     .kind = COLUMN_KIND_FIXED,
     .fixed_bytes = 16,
     .logical = PARQUET_LOGICAL_UUID},
    {.name = "dec",
     .field_id = 8,
     .kind = COLUMN_KIND_FIXED,
     .fixed_bytes = 16,
     .logical = PARQUET_LOGICAL_DECIMAL,
     .precision = 38,
     .scale = 38},
    {.name = "f", .field_id = 9, .kind = COLUMN_KIND_FLOAT},
    {.name = "d", .field_id = 10, .kind = COLUMN_KIND_DOUBLE},
};

#define FOOTER_COLUMNS 10u

static void print_footer(struct parquet_chunk *chunks, struct buf *out)
{
    static const struct parquet_key_value metadata[] = {{"k", "v"}, {"empty", ""}};
    struct parquet_row_group group = {.chunks = chunks, .row_count = 7, .file_offset = 4};
    const struct parquet_footer footer = {
        .columns = footer_specs,
        .column_count = FOOTER_COLUMNS,
        .metadata = metadata,
        .metadata_count = 2,
        .row_count = 7,
        .row_groups = &group,
        .row_group_count = 1,
    };

    buf_reset(out);
    parquet_footer_print(&footer, out);
}

static void make_chunks(struct parquet_chunk *chunks)
{
    static const uint8_t bounds[32] = {1, 2, 3};

    for (uint32_t i = 0; i < FOOTER_COLUMNS; i++) {
        size_t width =
            parquet_type_bytes(parquet_type_of(footer_specs[i].kind), footer_specs[i].fixed_bytes);

        chunks[i] = (struct parquet_chunk){
            .codec = PARQUET_WIRE_ZSTD,
            .encodings = 1u << PARQUET_PLAIN | 1u << PARQUET_RLE | 1u << PARQUET_RLE_DICTIONARY,
            .data_page_count = 3,
            .dictionary_page_count = 2,
            .has_dictionary = true,
            .value_count = 7,
            .uncompressed_bytes = 300,
            .compressed_bytes = 100,
            .dictionary_page_offset = 4 + 100 * (int64_t)i,
            .data_page_offset = 4 + 100 * (int64_t)i + 30,
            .null_count = i == 0 ? 0 : 2,
            .nan_count = i >= 8 ? 1 : 0,
            .has_bounds = i % 3 != 2,
            .min = {true, span_of(bounds, width)},
            .max = {i % 2 == 0, span_of(bounds + 1, width)},
            .byte_array_bytes = i == 5 ? 99 : 0,
            .column_index_offset = i % 2 == 0 ? 2000 : 0,
            .column_index_bytes = i % 2 == 0 ? 20 : 0,
            .offset_index_offset = 3000,
            .offset_index_bytes = 30,
        };
    }
}

TEST(test_format__footers_come_back)
{
    struct parquet_chunk chunks[FOOTER_COLUMNS];
    struct parquet_meta meta;
    struct arena arena;
    struct buf out = {0};
    struct err e = {0};

    make_chunks(chunks);
    print_footer(chunks, &out);
    arena_init(&arena, 0);
    assert_ok(parquet_footer_parse(buf_span(&out), 10000, &arena, &meta, &e), &e);
    assert_u64_eq(meta.column_count, FOOTER_COLUMNS);
    assert_u64_eq(meta.metadata_count, 2);
    assert_string_equal(meta.metadata[0].key, "k");
    assert_string_equal(meta.metadata[1].value, "");
    for (uint32_t i = 0; i < FOOTER_COLUMNS; i++) {
        const struct parquet_column_spec *spec = &footer_specs[i];
        const struct parquet_reader_column *c = &meta.columns[i];
        const struct parquet_chunk *got = &meta.groups[0].chunks[i];

        assert_string_equal(c->name, spec->name);
        assert_true(c->has_field_id);
        assert_int_equal(c->field_id, spec->field_id);
        assert_int_equal(c->required, spec->required);
        assert_int_equal(c->type, parquet_type_of(spec->kind));
        assert_int_equal(c->type_bytes, spec->fixed_bytes);
        assert_int_equal(c->logical, spec->logical);
        assert_int_equal(c->precision, spec->precision);
        assert_int_equal(c->scale, spec->scale);
        assert_int_equal(got->codec, PARQUET_WIRE_ZSTD);
        assert_u64_eq(got->encodings, chunks[i].encodings);
        assert_u64_eq(got->data_page_count, 3);
        assert_u64_eq(got->dictionary_page_count, 2);
        assert_true(got->has_dictionary);
        assert_i64_eq(got->dictionary_page_offset, chunks[i].dictionary_page_offset);
        assert_i64_eq(got->data_page_offset, chunks[i].data_page_offset);
        assert_i64_eq(parquet_chunk_start(got), chunks[i].dictionary_page_offset);
        assert_i64_eq(got->null_count, chunks[i].null_count);
        assert_true(got->has_null_count);
        assert_i64_eq(got->nan_count, chunks[i].nan_count);
        assert_int_equal(got->has_bounds, chunks[i].has_bounds);
        if (got->has_bounds) {
            assert_bytes_eq(got->min.bytes, chunks[i].min.bytes);
            assert_bytes_eq(got->max.bytes, chunks[i].max.bytes);
            assert_int_equal(got->max.exact, chunks[i].max.exact);
            assert_true(got->min.exact);
        }
        assert_i64_eq(got->byte_array_bytes, chunks[i].byte_array_bytes);
        assert_i64_eq(got->column_index_bytes, chunks[i].column_index_bytes);
        assert_i64_eq(got->offset_index_offset, 3000);
    }
    arena_deinit(&arena);
    buf_deinit(&out);
}

TEST(test_format__rejects_every_cut_footer)
{
    struct parquet_chunk chunks[FOOTER_COLUMNS];
    struct parquet_meta meta;
    struct buf out = {0};
    struct err e = {0};

    make_chunks(chunks);
    print_footer(chunks, &out);
    for (size_t cut = 0; cut < out.len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        struct arena arena;

        arena_init(&arena, 0);
        memcpy(copy, out.data, cut);
        assert_err(parquet_footer_parse(span_of(copy, cut), 10000, &arena, &meta, &e), ERR_CORRUPT,
                   &e);
        arena_deinit(&arena);
        free(copy);
    }
    buf_deinit(&out);
}

static void check_lie(struct parquet_chunk *chunks, uint64_t data_end)
{
    struct parquet_meta meta;
    struct arena arena;
    struct buf out = {0};
    struct err e = {0};

    arena_init(&arena, 0);
    print_footer(chunks, &out);
    assert_err(parquet_footer_parse(buf_span(&out), data_end, &arena, &meta, &e), ERR_CORRUPT, &e);
    arena_deinit(&arena);
    buf_deinit(&out);
}

TEST(test_format__rejects_lying_footers)
{
    struct parquet_chunk chunks[FOOTER_COLUMNS];

    make_chunks(chunks);
    check_lie(chunks, 1003); /* the last chunk ends at 1004 */
    chunks[3].data_page_offset = INT64_MAX;
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].dictionary_page_offset = 3;
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].compressed_bytes = INT64_MAX - 5000;
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].compressed_bytes = -1;
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].compressed_bytes = 101; /* into the next chunk */
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].value_count = 8; /* in 7 rows */
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].null_count = 8;
    check_lie(chunks, 10000);
    make_chunks(chunks);
    chunks[3].offset_index_offset = 9980; /* ends at 10010 */
    check_lie(chunks, 10000);
}

TEST(test_format__ignores_bounds_of_the_wrong_width)
{
    struct parquet_chunk chunks[FOOTER_COLUMNS];
    struct parquet_meta meta;
    struct arena arena;
    struct buf out = {0};
    struct err e = {0};

    make_chunks(chunks);
    chunks[1].has_bounds = true;
    chunks[1].min.bytes.len = 3;
    print_footer(chunks, &out);
    arena_init(&arena, 0);
    assert_ok(parquet_footer_parse(buf_span(&out), 10000, &arena, &meta, &e), &e);
    assert_false(meta.groups[0].chunks[1].has_bounds);
    assert_true(meta.groups[0].chunks[0].has_bounds);
    arena_deinit(&arena);
    buf_deinit(&out);
}

TEST(test_format__survives_failing_allocations)
{
    struct parquet_chunk chunks[FOOTER_COLUMNS];
    struct parquet_meta meta;
    struct buf whole = {0};
    struct err e = {0};

    make_chunks(chunks);
    print_footer(chunks, &whole);
    TORTURE(nth)
    {
        struct arena arena;
        struct buf out = {0};

        arena_init(&arena, 0);
        enum err_code rc = parquet_footer_parse(buf_span(&whole), 10000, &arena, &meta, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        print_footer(chunks, &out);
        assert_true(out.failed == ERR_NOMEM || out.len == whole.len);
        arena_deinit(&arena);
        buf_deinit(&out);
    }
    /* And a ceiling instead. */
    struct arena small;

    arena_init(&small, 600);
    assert_err(parquet_footer_parse(buf_span(&whole), 10000, &small, &meta, &e), ERR_LIMIT, &e);
    arena_deinit(&small);
    buf_deinit(&whole);
}

TEST_MAIN(test_case(test_format__prints_page_headers),
          test_case(test_format__page_headers_come_back),
          test_case(test_format__parses_pages_of_version_2),
          test_case(test_format__rejects_bad_page_headers),
          test_case(test_format__parses_the_golden_footer),
          test_case(test_format__footers_come_back),
          test_case(test_format__rejects_every_cut_footer),
          test_case(test_format__rejects_lying_footers),
          test_case(test_format__ignores_bounds_of_the_wrong_width),
          test_case(test_format__survives_failing_allocations))
