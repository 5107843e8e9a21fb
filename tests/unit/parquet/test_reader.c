#include "parquet/reader.h"

#include "parquet_files.h"

#define BYTES_MAX ((size_t)64 << 20)

struct plan {
    enum parquet_codec codec;
    enum nulls nulls;
    uint32_t distinct;
    uint32_t batch_rows;
    uint32_t batches;
    size_t row_group_bytes_max;
};

static void write_file(const struct plan *p, struct buf *file, struct parquet_file_info *info)
{
    const struct parquet_key_value metadata[] = {{"k", "v"}, {"iceberg.schema", "{}"}};
    const struct parquet_writer_options options = {
        .columns = all_specs,
        .column_count = ALL_SPECS,
        .metadata = metadata,
        .metadata_count = 2,
        .codec = p->codec,
        .row_group_bytes_max = p->row_group_bytes_max,
    };
    struct filling fillings[ALL_SPECS];
    struct column_batch *batch = new_batch(all_specs, ALL_SPECS);
    struct parquet_writer *w;
    struct err e = {0};

    for (uint32_t i = 0; i < ALL_SPECS; i++) {
        fillings[i] = (struct filling){p->nulls, p->distinct};
    }
    assert_ok(parquet_writer_open(&options, memory_sink(file), &w, &e), &e);
    for (uint32_t i = 0; i < p->batches; i++) {
        fill_batch(batch, all_specs, fillings, (uint64_t)i * p->batch_rows, p->batch_rows);
        assert_ok(parquet_writer_write(w, batch, &e), &e);
    }
    assert_ok(parquet_writer_finish(w, info, &e), &e);
    assert_u64_eq(info->file_bytes, file->len);
    parquet_writer_free(w);
    column_batch_free(batch);
}

static void check_column(const struct plan *p, uint32_t i, const struct column *c, uint64_t first,
                         uint64_t rows)
{
    const struct filling f = {p->nulls, p->distinct};
    uint8_t want[64];
    uint32_t at = 0;

    assert_true(c->validity.len == 0 || c->validity.len == rows);
    for (uint64_t row = 0; row < rows; row++) {
        bool has = c->validity.len == 0 || c->validity.data[row] != 0;

        assert_int_equal(has, filled_at(&f, first + row));
        if (has) {
            size_t len = value_of(&all_specs[i], &f, first + row, want);

            assert_bytes_eq(column_value(c, at), span_of(want, len));
            at++;
        }
    }
    assert_u64_eq(at, c->value_count);
}

static void check_file(const struct plan *p, struct span file)
{
    struct byte_source source = memory_source(&file);
    struct parquet_reader *r;
    struct column c = {0};
    struct err e = {0};
    uint64_t first = 0;

    assert_ok(parquet_reader_open(&source, &r, &e), &e);
    assert_u64_eq(parquet_reader_rows(r), (uint64_t)p->batch_rows * p->batches);
    for (uint32_t g = 0; g < parquet_reader_row_group_count(r); g++) {
        uint64_t rows = parquet_reader_row_group_rows(r, g);

        for (uint32_t i = 0; i < ALL_SPECS; i++) {
            assert_ok(parquet_reader_read(r, g, i, BYTES_MAX, &c, &e), &e);
            check_column(p, i, &c, first, rows);
        }
        first += rows;
    }
    assert_u64_eq(first, parquet_reader_rows(r));
    column_deinit(&c);
    parquet_reader_free(r);
}

TEST(test_reader__reads_what_the_writer_wrote)
{
    for (unsigned i = 0; i < 2u * 3 * 3 * 3; i++) {
        static const uint32_t distincts[] = {1, 7, 1000000};
        static const uint32_t rows[] = {1, 64, 1001};
        const struct plan p = {
            .codec = i % 2 == 0 ? PARQUET_CODEC_ZSTD : PARQUET_CODEC_NONE,
            .nulls = (enum nulls)(i / 2 % 3),
            .distinct = distincts[i / 6 % 3],
            .batch_rows = rows[i / 18],
            .batches = 3,
            .row_group_bytes_max = i / 6 % 3 == 2 ? 1 : 0,
        };
        struct buf file = {0};
        struct parquet_file_info info;

        write_file(&p, &file, &info);
        check_file(&p, buf_span(&file));
        parquet_file_info_deinit(&info);
        buf_deinit(&file);
    }
}

/* ---- damaged files ---- */

/* Reads everything; the first failure. */
static enum err_code read_all(struct span file, size_t bytes_max, struct err *e)
{
    struct byte_source source = memory_source(&file);
    struct parquet_reader *r;
    struct column c = {0};
    uint32_t columns;
    enum err_code first = parquet_reader_open(&source, &r, e);

    if (first != ERR_OK) {
        return first;
    }
    (void)parquet_reader_columns(r, &columns);
    for (uint32_t g = 0; g < parquet_reader_row_group_count(r); g++) {
        for (uint32_t i = 0; i < columns; i++) {
            struct err ignored;
            enum err_code rc = parquet_reader_read(r, g, i, bytes_max, &c, first ? &ignored : e);

            first = first == ERR_OK ? rc : first;
        }
    }
    column_deinit(&c);
    parquet_reader_free(r);
    return first;
}

static const struct plan small_plan = {
    .codec = PARQUET_CODEC_ZSTD,
    .nulls = NULLS_SOME,
    .distinct = 5,
    .batch_rows = 20,
    .batches = 2,
};

static void write_small_file(struct buf *file, enum parquet_codec codec)
{
    struct plan p = small_plan;
    struct parquet_file_info info;

    p.codec = codec;
    write_file(&p, file, &info);
    parquet_file_info_deinit(&info);
}

TEST(test_reader__rejects_every_truncation)
{
    struct buf file = {0};
    struct err e = {0};

    write_small_file(&file, PARQUET_CODEC_ZSTD);
    for (size_t cut = 0; cut < file.len; cut++) {
        uint8_t *copy = malloc(cut + 1);

        memcpy(copy, file.data, cut);
        assert_err(read_all(span_of(copy, cut), BYTES_MAX, &e), ERR_CORRUPT, &e);
        free(copy);
    }
    /* And with the tail in place, bytes missing in front of it. */
    for (size_t gone = 1; gone < file.len - 12; gone++) {
        size_t len = file.len - gone;
        uint8_t *copy = malloc(len);

        memcpy(copy, file.data, 4);
        memcpy(copy + 4, file.data + 4 + gone, len - 4);
        enum err_code rc = read_all(span_of(copy, len), BYTES_MAX, &e);

        assert_true(rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_LIMIT);
        free(copy);
    }
    buf_deinit(&file);
}

/* Marks the bytes of page bodies. */
static void mark_bodies(struct span file, bool *in_body)
{
    struct byte_source source = memory_source(&file);
    struct parquet_reader *r;
    struct err e = {0};

    assert_ok(parquet_reader_open(&source, &r, &e), &e);
    for (uint32_t i = 0; i < ALL_SPECS; i++) {
        const struct parquet_chunk *chunk = parquet_reader_chunk(r, 0, i);
        size_t start = (size_t)parquet_chunk_start(chunk);
        struct bytes_reader in;

        bytes_reader_init(&in, span_of(file.data + start, (size_t)chunk->compressed_bytes));
        while (bytes_left(&in) > 0) {
            struct parquet_page_header h;

            assert_ok(parquet_page_header_parse(&in, &h, &e), &e);
            for (int32_t n = 0; n < h.compressed_bytes; n++) {
                in_body[start + bytes_offset(&in) + (size_t)n] = true;
            }
            bytes_skip(&in, (size_t)h.compressed_bytes);
        }
    }
    parquet_reader_free(r);
}

TEST(test_reader__survives_every_flipped_byte)
{
    static const uint8_t masks[] = {0x01, 0x02, 0x10, 0x80, 0xff};
    static const enum parquet_codec codecs[] = {PARQUET_CODEC_ZSTD, PARQUET_CODEC_NONE};

    for (size_t k = 0; k < 2; k++) {
        struct buf file = {0};
        struct err e = {0};

        write_small_file(&file, codecs[k]);
        bool *in_body = calloc(file.len, sizeof *in_body);
        size_t bodies = 0;

        mark_bodies(buf_span(&file), in_body);
        for (size_t at = 0; at < file.len; at++) {
            bodies += in_body[at] ? 1 : 0;
            for (size_t m = 0; m < sizeof masks; m++) {
                file.data[at] ^= masks[m];
                enum err_code rc = read_all(buf_span(&file), BYTES_MAX, &e);

                file.data[at] ^= masks[m];
                if (in_body[at]) {
                    assert_int_equal(rc, ERR_CORRUPT);
                    assert_non_null(strstr(e.msg, "checksum does not match"));
                }
            }
        }
        assert_true(bodies > 300);
        free(in_body);
        buf_deinit(&file);
    }
}

TEST(test_reader__rejects_what_is_no_parquet_file)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum err_code want;
    } known[] = {
        {"", 0, ERR_CORRUPT},
        {"PAR1", 4, ERR_CORRUPT},
        {"PAR1\0\0\0\0PAR2", 12, ERR_CORRUPT},
        {"PAR1\0\0\0\0PAR1", 12, ERR_CORRUPT}, /* a footer of no bytes */
        {"PAR1\1\0\0\0PAR1", 12, ERR_CORRUPT}, /* more than there is */
        {"PAR1\xff\xff\xff\xffPAR1", 12, ERR_CORRUPT},
        {"PARE\0\0\0\0PARE", 12, ERR_UNSUPPORTED},
    };
    struct err e = {0};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_err(read_all(span_of(known[i].bytes, known[i].len), BYTES_MAX, &e), known[i].want,
                   &e);
    }
}

static enum err_code huge_read(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e)
{
    static const uint8_t tail[] = {0xff, 0xff, 0xff, 0x7f, 'P', 'A', 'R', '1'};
    const uint64_t *size = ctx;

    memset(out, 0, len);
    if (offset + len == *size) {
        memcpy(out + len - sizeof tail, tail, sizeof tail);
    }
    (void)e;
    return ERR_OK;
}

TEST(test_reader__limits_the_footer)
{
    uint64_t size = (uint64_t)1 << 40;
    const struct byte_source source = {size, huge_read, &size};
    struct parquet_reader *r;
    struct err e = {0};

    assert_err(parquet_reader_open(&source, &r, &e), ERR_LIMIT, &e);
}

/* ---- pages put together by hand ---- */

/* A file of one column chunk; *pages_hex are its pages. */
static void compose(const struct parquet_column_spec *spec, int64_t rows, int64_t nulls,
                    int32_t codec, const char *pages_hex, struct buf *file)
{
    uint8_t pages[512];
    size_t len = test_unhex(pages_hex, pages, sizeof pages);
    struct parquet_chunk chunk = {
        .codec = codec,
        .encodings = 1,
        .value_count = rows,
        .null_count = nulls,
        .compressed_bytes = (int64_t)len,
        .data_page_offset = 4,
    };
    const struct parquet_row_group group = {.chunks = &chunk, .row_count = rows};
    const struct parquet_footer footer = {
        .columns = spec,
        .column_count = 1,
        .row_count = rows,
        .row_groups = &group,
        .row_group_count = 1,
    };

    buf_reset(file);
    buf_append_str(file, "PAR1");
    buf_append(file, pages, len);
    size_t at = file->len;

    parquet_footer_print(&footer, file);
    buf_u32le(file, (uint32_t)(file->len - at));
    buf_append_str(file, "PAR1");
}

static const struct parquet_column_spec int_spec = {
    .name = "i", .field_id = 1, .required = true, .kind = COLUMN_KIND_INT32};
static const struct parquet_column_spec optional_spec = {
    .name = "o", .field_id = 1, .kind = COLUMN_KIND_INT32};
static const struct parquet_column_spec bool_spec = {
    .name = "b", .field_id = 1, .required = true, .kind = COLUMN_KIND_BOOL};
static const struct parquet_column_spec text_spec = {.name = "s",
                                                     .field_id = 1,
                                                     .required = true,
                                                     .kind = COLUMN_KIND_BYTES,
                                                     .logical = PARQUET_LOGICAL_STRING};

/* V1 headers: 1500 15<unc> 15<comp> 2c 15<values> 15<encoding> 1506 1506 00 00, all zigzag. */
TEST(test_reader__reads_pages_of_every_form)
{
    static const struct {
        const struct parquet_column_spec *spec;
        const char *pages;
        const char *values; /* hex, as they are in struct column */
        int64_t rows;
        uint32_t value_count;
    } known[] = {
        /* PLAIN in two pages */
        {&int_spec,
         "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000"
         "1500 1508 1508 2c 1502 1500 1506 1506 00 00 02000000",
         "01000000 02000000", 2, 2},
        /* a dictionary that the footer does not tell of, PLAIN_DICTIONARY, then PLAIN */
        {&int_spec,
         "1504 1510 1510 4c 1504 1504 00 00 05000000 06000000"
         "1500 1506 1506 2c 1506 1504 1506 1506 00 00 01 03 05"
         "1500 1508 1508 2c 1502 1500 1506 1506 00 00 02000000",
         "06000000 05000000 06000000 02000000", 4, 4},
        /* a dictionary of one entry with ids of no bits */
        {&int_spec,
         "1504 1508 1508 4c 1502 1500 00 00 07000000"
         "1500 1504 1504 2c 1506 1510 1506 1506 00 00 00 06",
         "07000000 07000000 07000000", 3, 3},
        /* V2 with levels 1 0 1, not compressed */
        {&optional_spec,
         "1506 1514 1514 5c 1506 1502 1506 1500 1504 1500 12 00 00 03 05 01000000 03000000",
         "01000000 03000000", 3, 2},
        /* V1 with levels that are all 0 and no values; then one of another kind of encoding */
        {&optional_spec,
         "1500 150c 150c 2c 1504 150a 1506 1506 00 00 02000000 04 00"
         "1500 1514 1514 2c 1502 1500 1506 1506 00 00 02000000 02 01 09000000",
         "09000000", 3, 1},
        /* an index page is stepped over, a page of no rows too */
        {&int_spec,
         "1502 1504 1504 00 abcd"
         "1500 1500 1500 2c 1500 1500 1506 1506 00 00"
         "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "01000000", 1, 1},
        /* booleans: PLAIN bits, and RLE with its length in front */
        {&bool_spec, "1500 1504 1504 2c 1514 1500 1506 1506 00 00 0503",
         "01 00 01 00 00 00 00 00 01 01", 10, 10},
        {&bool_spec, "1500 150c 150c 2c 1506 1506 1506 1506 00 00 02000000 03 06", "00 01 01", 3,
         3},
        /* texts: PLAIN and by dictionary, one of them empty */
        {&text_spec,
         "1504 1512 1512 4c 1504 1500 00 00 00000000 01000000 61"
         "1500 1506 1506 2c 1504 1510 1506 1506 00 00 01 03 01"
         "1500 150c 150c 2c 1502 1500 1506 1506 00 00 02000000 6262",
         "01000000 61 00000000 02000000 6262", 3, 3},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buf file = {0};
        struct column c = {0};
        struct parquet_reader *r;
        struct err e = {0};
        uint8_t want[64];
        size_t len = test_unhex(known[i].values, want, sizeof want);

        compose(known[i].spec, known[i].rows, known[i].rows - known[i].value_count,
                PARQUET_WIRE_UNCOMPRESSED, known[i].pages, &file);
        struct span bytes = buf_span(&file);
        struct byte_source source = memory_source(&bytes);

        assert_ok(parquet_reader_open(&source, &r, &e), &e);
        enum err_code rc = parquet_reader_read(r, 0, 0, BYTES_MAX, &c, &e);

        if (rc != ERR_OK) {
            fail_msg("case %zu: %s", i, e.msg);
        }
        assert_u64_eq(c.validity.len,
                      known[i].spec == &optional_spec ? (uint64_t)known[i].rows : 0);
        assert_u64_eq(c.value_count, known[i].value_count);
        assert_bytes_eq(buf_span(&c.values), span_of(want, len));
        if (known[i].spec == &text_spec) {
            assert_bytes_eq(buf_span(&c.offsets),
                            span_of("\0\0\0\0\5\0\0\0\x9\0\0\0\xf\0\0\0", 16));
        }
        column_deinit(&c);
        parquet_reader_free(r);
        buf_deinit(&file);
    }
}

TEST(test_reader__rejects_lying_pages)
{
    static const struct {
        const struct parquet_column_spec *spec;
        int64_t rows;
        int32_t codec;
        enum err_code want;
        const char *pages;
        const char *message;
    } known[] = {
        {&int_spec, 2, 0, ERR_CORRUPT, "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "end 1 rows early"},
        {&int_spec, 1, 0, ERR_CORRUPT,
         "1500 1510 1510 2c 1504 1500 1506 1506 00 00 0100000002000000", "2 rows where 1"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 150a 150a 2c 1502 1500 1506 1506 00 00 0100000000",
         "do not fill"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 1506 1506 2c 1502 1500 1506 1506 00 00 010000",
         "do not fill"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 1508 1520 2c 1502 1500 1506 1506 00 00 01000000",
         "column chunk that has 4"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 150a 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "4 bytes instead of 5"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 1508 1508 1502 1c 1502 1500 1506 1506 00 00 01000000",
         "checksum"},
        {&int_spec, 1, 0, ERR_UNSUPPORTED, "1500 1508 1508 2c 1502 150a 1506 1506 00 00 01000000",
         "delta_binary_packed"},
        {&int_spec, 1, 0, ERR_UNSUPPORTED, "1500 1508 1508 2c 1502 1506 1506 1506 00 00 01000000",
         "encoded as rle"},
        {&int_spec, 1, 1, ERR_UNSUPPORTED, "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "compressed with snappy"},
        {&int_spec, 1, 99, ERR_UNSUPPORTED, "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "compressed with unknown"},
        {&int_spec, 1, 6, ERR_CORRUPT, "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "zstd"},
        {&int_spec, 1, 2, ERR_CORRUPT, "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000",
         "deflate"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1500 1504 1504 2c 1502 1510 1506 1506 00 00 0103",
         "without a dictionary"},
        /* an id that is not there; a width of 33 bits; two dictionaries; one behind data */
        {&int_spec, 1, 0, ERR_CORRUPT,
         "1504 1508 1508 4c 1502 1500 00 00 05000000"
         "1500 1506 1506 2c 1502 1510 1506 1506 00 00 01 02 01",
         "id 1 of a dictionary of 1"},
        {&int_spec, 1, 0, ERR_CORRUPT,
         "1504 1508 1508 4c 1502 1500 00 00 05000000"
         "1500 1506 1506 2c 1502 1510 1506 1506 00 00 21 02 00",
         "33 bits"},
        {&int_spec, 1, 0, ERR_CORRUPT,
         "1504 1508 1508 4c 1502 1500 00 00 05000000"
         "1504 1508 1508 4c 1502 1500 00 00 05000000",
         "not the first"},
        {&int_spec, 2, 0, ERR_CORRUPT,
         "1500 1508 1508 2c 1502 1500 1506 1506 00 00 01000000"
         "1504 1508 1508 4c 1502 1500 00 00 05000000",
         "not the first"},
        {&int_spec, 1, 0, ERR_CORRUPT, "1504 1508 1508 4c 1504 1500 00 00 05000000", "do not fill"},
        {&text_spec, 1, 0, ERR_CORRUPT, "1504 150a 150a 4c 1502 1500 00 00 02000000 61",
         "do not fill"},
        {&bool_spec, 1, 0, ERR_UNSUPPORTED, "1504 1502 1502 4c 1502 1500 00 00 01", "booleans"},
        {&int_spec, 1, 0, ERR_UNSUPPORTED, "1504 1508 1508 4c 1502 150a 00 00 05000000",
         "dictionary encoded as"},
        /* levels: too long, of another encoding, a level of 2 */
        {&optional_spec, 1, 0, ERR_CORRUPT,
         "1500 1510 1510 2c 1502 1500 1506 1506 00 00 05000000 0201 0100", "end early"},
        {&optional_spec, 1, 0, ERR_UNSUPPORTED,
         "1500 1514 1514 2c 1502 1500 1508 1506 00 00 02000000 0201 01000000",
         "levels encoded as bit_packed"},
        {&optional_spec, 1, 0, ERR_CORRUPT,
         "1500 1514 1514 2c 1502 1500 1506 1506 00 00 02000000 0202 01000000", "level of 2"},
        /* V2: levels beyond the page; as many nulls as there are not */
        {&optional_spec, 1, 0, ERR_CORRUPT,
         "1506 150c 150c 5c 1502 1500 1502 1500 1510 1500 12 00 00 0201 01000000", "levels longer"},
        {&optional_spec, 1, 0, ERR_CORRUPT,
         "1506 150c 150c 5c 1502 1502 1502 1500 1504 1500 12 00 00 0201 01000000", "1 nulls"},
        {&text_spec, 1, 0, ERR_CORRUPT, "1500 150a 150a 2c 1502 1500 1506 1506 00 00 ffffffff 61",
         "do not fill"},
        {&text_spec, 2, 0, ERR_CORRUPT, "1500 150a 150a 2c 1504 1500 1506 1506 00 00 01000000 61",
         "do not fill"},
        {&bool_spec, 9, 0, ERR_CORRUPT, "1500 1502 1502 2c 1512 1500 1506 1506 00 00 ff",
         "do not fill"},
        {&optional_spec, 1, 0, ERR_CORRUPT,
         "1500 150c 150c 2c 1502 1500 1506 1506 00 00 02000000 02 00",
         "1 nulls where the footer has 0"},
        {&int_spec, 1, 0, ERR_CORRUPT, "00", "header"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buf file = {0};
        struct err e = {0};

        compose(known[i].spec, known[i].rows, 0, known[i].codec, known[i].pages, &file);
        assert_err(read_all(buf_span(&file), BYTES_MAX, &e), known[i].want, &e);
        if (strstr(e.msg, known[i].message) == NULL) {
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, e.msg, known[i].message);
        }
        assert_non_null(strstr(e.msg, "row group 0, column '"));
        buf_deinit(&file);
    }
}

TEST(test_reader__limits_memory)
{
    struct buf file = {0};
    struct buf out = {0};
    struct buf packed = {0};
    struct err e = {0};
    struct zstd_encoder *z = zstd_encoder_new(1);
    char hex[512];

    /* A page of 16 MiB of zeros in some bytes; it says so, or it says 4. */
    buf_zeros(&out, (size_t)16 << 20);
    assert_ok(zstd_compress(z, buf_span(&out), &packed, &e), &e);
    packed.len = packed.len > 200 ? 200 : packed.len;
    for (int honest = 0; honest < 2; honest++) {
        struct buf header = {0};

        buf_append(&header, "\x15\x00\x15", 3);
        buf_zigzag(&header, honest != 0 ? (int64_t)16 << 20 : 4);
        buf_u8(&header, 0x15);
        buf_zigzag(&header, (int64_t)packed.len);
        buf_append(&header, "\x2c\x15\x02\x15\x00\x15\x06\x15\x06\x00\x00", 11);
        buf_append_span(&header, buf_span(&packed));
        for (size_t i = 0; i < header.len; i++) {
            (void)snprintf(hex + 2 * i, 3, "%02x", header.data[i]);
        }
        compose(&int_spec, 1, 0, PARQUET_WIRE_ZSTD, hex, &file);
        assert_err(read_all(buf_span(&file), (size_t)1 << 20, &e),
                   honest != 0 ? ERR_LIMIT : ERR_CORRUPT, &e);
        buf_deinit(&header);
    }
    /* 2^28 rows of one dictionary entry in a few bytes. */
    compose(&int_spec, (int64_t)1 << 28, 0, PARQUET_WIRE_UNCOMPRESSED,
            "1504 1508 1508 4c 1502 1500 00 00 05000000"
            "1500 150e 150e 2c 158080808002 1510 1506 1506 00 00 01 8080808002 00",
            &file);
    assert_err(read_all(buf_span(&file), (size_t)1 << 20, &e), ERR_LIMIT, &e);
    /* 2^28 nulls. */
    compose(&optional_spec, (int64_t)1 << 28, (int64_t)1 << 28, PARQUET_WIRE_UNCOMPRESSED,
            "1500 1514 1514 2c 158080808002 1500 1506 1506 00 00 06000000 8080808002 00", &file);
    assert_err(read_all(buf_span(&file), (size_t)1 << 20, &e), ERR_LIMIT, &e);
    compose(&int_spec, (int64_t)1 << 40, 0, PARQUET_WIRE_UNCOMPRESSED, "00", &file);
    assert_err(read_all(buf_span(&file), (size_t)1 << 20, &e), ERR_LIMIT, &e);

    buf_reset(&file);
    write_small_file(&file, PARQUET_CODEC_ZSTD);
    assert_err(read_all(buf_span(&file), 16, &e), ERR_LIMIT, &e);
    assert_ok(read_all(buf_span(&file), 4096, &e), &e);
    zstd_encoder_free(z);
    buf_deinit(&packed);
    buf_deinit(&out);
    buf_deinit(&file);
}

TEST(test_reader__survives_failing_allocations)
{
    struct buf file = {0};
    struct err e = {0};

    write_small_file(&file, PARQUET_CODEC_ZSTD);
    TORTURE(nth)
    {
        enum err_code rc = read_all(buf_span(&file), BYTES_MAX, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
    }
    buf_deinit(&file);
}

/* ---- files of others ---- */

/* A file of the corpus, in exactly as many bytes. */
static uint8_t *load(const char *name, size_t *len)
{
    char path[512];
    uint8_t *bytes = malloc(8192);

    (void)snprintf(path, sizeof path, "%s/parquet_footer/%s", TEST_CORPUS_DIR, name);
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        fail_msg("%s is not there", path);
        return NULL;
    }
    *len = fread(bytes, 1, 8192, f);
    (void)fclose(f);
    return realloc(bytes, *len);
}

/*
 * pyarrow_*.parquet: PyArrow 26.0.1, i int32 [1, null, 3, 1], s string ['a', null, 'bb', 'a'],
 * b bool [true, null, false, true].
 */
TEST(test_reader__reads_files_of_pyarrow)
{
    static const char *const names[] = {"pyarrow_zstd_v2.parquet", "pyarrow_gzip.parquet",
                                        "pyarrow_plain_none.parquet",
                                        "pyarrow_none_v2_index.parquet"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct span file;
        uint8_t *bytes = load(names[i], &file.len);
        struct column c = {0};
        struct parquet_reader *r;
        uint32_t count;
        struct err e = {0};

        file.data = bytes;
        struct byte_source source = memory_source(&file);

        assert_ok(parquet_reader_open(&source, &r, &e), &e);
        assert_u64_eq(parquet_reader_rows(r), 4);
        assert_non_null(strstr(parquet_reader_created_by(r), "parquet-cpp-arrow"));
        const struct parquet_reader_column *specs = parquet_reader_columns(r, &count);

        assert_u64_eq(count, 3);
        assert_int_equal(specs[0].type, PARQUET_INT32);
        assert_int_equal(specs[1].logical, PARQUET_LOGICAL_STRING);
        assert_false(specs[2].has_field_id);
        assert_false(specs[2].required);
        assert_ok(parquet_reader_read(r, 0, 0, BYTES_MAX, &c, &e), &e);
        assert_bytes_eq(buf_span(&c.validity), span_of("\1\0\1\1", 4));
        assert_bytes_eq(buf_span(&c.values), span_of("\1\0\0\0\3\0\0\0\1\0\0\0", 12));
        assert_ok(parquet_reader_read(r, 0, 1, BYTES_MAX, &c, &e), &e);
        assert_u64_eq(c.value_count, 3);
        assert_text_eq(column_value(&c, 0), "a");
        assert_text_eq(column_value(&c, 1), "bb");
        assert_text_eq(column_value(&c, 2), "a");
        assert_ok(parquet_reader_read(r, 0, 2, BYTES_MAX, &c, &e), &e);
        assert_bytes_eq(buf_span(&c.values), span_of("\1\0\1", 3));
        assert_i64_eq(parquet_reader_chunk(r, 0, 1)->null_count, 1);
        assert_text_eq(parquet_reader_chunk(r, 0, 1)->max.bytes, "bb");
        column_deinit(&c);
        parquet_reader_free(r);
        free(bytes);
    }
}

TEST(test_reader__says_what_it_cannot_read)
{
    static const struct {
        const char *name;
        const char *message;
    } known[] = {
        {"pyarrow_default.parquet",
         "row group 0, column 'i': page at byte 4: Parquet: compressed with snappy, calve reads "
         "zstd, gzip and uncompressed"},
        {"pyarrow_delta.parquet",
         "row group 0, column 'i': page at byte 4: Parquet: values encoded as "
         "delta_binary_packed, which calve does not read"},
        {"pyarrow_nested.parquet", "Parquet: column 'l' is nested, calve reads flat files only"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t len;
        uint8_t *bytes = load(known[i].name, &len);
        struct err e = {0};

        assert_err(read_all(span_of(bytes, len), BYTES_MAX, &e), ERR_UNSUPPORTED, &e);
        assert_string_equal(e.msg, known[i].message);
        free(bytes);
    }
}

TEST(test_reader__knows_types_of_pyarrow)
{
    static const struct {
        const char *name;
        enum parquet_type type;
        enum parquet_logical logical;
    } want[] = {
        {"d", PARQUET_INT32, PARQUET_LOGICAL_DATE},
        {"ts", PARQUET_INT64, PARQUET_LOGICAL_TIMESTAMP_US},
        {"tz", PARQUET_INT64, PARQUET_LOGICAL_TIMESTAMPTZ_US},
        {"ns", PARQUET_INT64, PARQUET_LOGICAL_NONE}, /* nanoseconds have no name here */
        {"dec", PARQUET_FIXED_LEN_BYTE_ARRAY, PARQUET_LOGICAL_DECIMAL},
        {"f", PARQUET_FLOAT, PARQUET_LOGICAL_NONE},
        {"fx", PARQUET_FIXED_LEN_BYTE_ARRAY, PARQUET_LOGICAL_NONE},
        {"t", PARQUET_INT64, PARQUET_LOGICAL_TIME_US},
        {"u8", PARQUET_INT32, PARQUET_LOGICAL_NONE},
    };
    struct span file;
    uint8_t *bytes = load("pyarrow_types.parquet", &file.len);
    struct parquet_reader *r;
    uint32_t count;
    struct err e = {0};

    file.data = bytes;
    struct byte_source source = memory_source(&file);

    assert_ok(parquet_reader_open(&source, &r, &e), &e);
    const struct parquet_reader_column *specs = parquet_reader_columns(r, &count);

    assert_u64_eq(count, sizeof want / sizeof want[0]);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(specs[i].name, want[i].name);
        assert_int_equal(specs[i].type, want[i].type);
        assert_int_equal(specs[i].logical, want[i].logical);
    }
    assert_int_equal(specs[4].precision, 20);
    assert_int_equal(specs[4].scale, 2);
    assert_int_equal(specs[4].type_bytes, 9);
    assert_int_equal(specs[6].type_bytes, 3);
    parquet_reader_free(r);
    assert_ok(read_all(file, BYTES_MAX, &e), &e);
    free(bytes);
}

TEST(test_reader__reads_a_file_of_no_rows)
{
    size_t len;
    uint8_t *bytes = load("pyarrow_empty.parquet", &len);
    struct err e = {0};

    assert_ok(read_all(span_of(bytes, len), BYTES_MAX, &e), &e);
    free(bytes);
}

TEST(test_reader__knows_metadata)
{
    struct buf file = {0};
    struct parquet_reader *r;
    uint32_t count;
    struct err e = {0};

    write_small_file(&file, PARQUET_CODEC_ZSTD);
    struct span bytes = buf_span(&file);
    struct byte_source source = memory_source(&bytes);

    assert_ok(parquet_reader_open(&source, &r, &e), &e);
    assert_string_equal(parquet_reader_metadata(r, "k"), "v");
    assert_string_equal(parquet_reader_metadata(r, "iceberg.schema"), "{}");
    assert_null(parquet_reader_metadata(r, "K"));
    assert_string_equal(parquet_reader_key_values(r, &count)[1].key, "iceberg.schema");
    assert_u64_eq(count, 2);
    assert_non_null(strstr(parquet_reader_created_by(r), "calve version "));
    parquet_reader_free(r);
    parquet_reader_free(NULL);
    buf_deinit(&file);
}

TEST_MAIN(test_case(test_reader__reads_what_the_writer_wrote),
          test_case(test_reader__rejects_every_truncation),
          test_case(test_reader__survives_every_flipped_byte),
          test_case(test_reader__rejects_what_is_no_parquet_file),
          test_case(test_reader__limits_the_footer),
          test_case(test_reader__reads_pages_of_every_form),
          test_case(test_reader__rejects_lying_pages), test_case(test_reader__limits_memory),
          test_case(test_reader__survives_failing_allocations),
          test_case(test_reader__reads_files_of_pyarrow),
          test_case(test_reader__says_what_it_cannot_read),
          test_case(test_reader__knows_types_of_pyarrow),
          test_case(test_reader__reads_a_file_of_no_rows), test_case(test_reader__knows_metadata))
