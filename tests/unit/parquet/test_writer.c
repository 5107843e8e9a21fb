#include "parquet/writer.h"

#include <math.h>

#include "codec/crc32.h"
#include "parquet/format.h"
#include "parquet_files.h"

/* A writer over one column and what became of it. */
struct one {
    struct parquet_column_spec spec;
    struct column_batch *batch;
    struct parquet_writer *writer;
    struct parquet_file_info info;
    struct buf file;
    struct span bytes;
    struct parquet_reader *reader;
};

static void start(struct one *o, const struct parquet_column_spec *spec, size_t row_group_bytes_max)
{
    const struct parquet_writer_options options = {
        .columns = spec,
        .column_count = 1,
        .row_group_bytes_max = row_group_bytes_max,
    };
    struct err e = {0};

    *o = (struct one){.spec = *spec};
    o->batch = new_batch(spec, 1);
    assert_ok(parquet_writer_open(&options, memory_sink(&o->file), &o->writer, &e), &e);
}

static void put(struct one *o, struct span v)
{
    column_put_validity(&o->batch->columns[0], o->batch->row_count, true);
    put_value(&o->batch->columns[0], v);
    o->batch->row_count++;
}

static void put_null(struct one *o)
{
    column_put_validity(&o->batch->columns[0], o->batch->row_count, false);
    o->batch->row_count++;
}

static void end_page(struct one *o)
{
    struct err e = {0};

    assert_ok(parquet_writer_write(o->writer, o->batch, &e), &e);
    column_batch_reset(o->batch);
}

static void finish(struct one *o)
{
    struct err e = {0};

    if (o->batch->row_count > 0) {
        end_page(o);
    }
    assert_ok(parquet_writer_finish(o->writer, &o->info, &e), &e);
    o->bytes = buf_span(&o->file);
    struct byte_source source = memory_source(&o->bytes);

    assert_ok(parquet_reader_open(&source, &o->reader, &e), &e);
    assert_u64_eq(parquet_reader_rows(o->reader), o->info.row_count);
    assert_u64_eq(o->info.file_bytes, o->file.len);
}

static void end(struct one *o)
{
    parquet_reader_free(o->reader);
    parquet_file_info_deinit(&o->info);
    parquet_writer_free(o->writer);
    column_batch_free(o->batch);
    buf_deinit(&o->file);
}

static const struct parquet_column_spec double_spec = {
    .name = "d", .field_id = 1, .kind = COLUMN_KIND_DOUBLE};
static const struct parquet_column_spec text_spec = {
    .name = "t", .field_id = 1, .kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING};
static const struct parquet_column_spec binary_spec = {
    .name = "b", .field_id = 1, .kind = COLUMN_KIND_BYTES};
static const struct parquet_column_spec long_spec = {
    .name = "l", .field_id = 1, .kind = COLUMN_KIND_INT64};

static void put_double(struct one *o, double v)
{
    put(o, span_of(&v, sizeof v));
}

static void put_long(struct one *o, int64_t v)
{
    put(o, span_of(&v, sizeof v));
}

static double double_in(struct span v)
{
    double d;

    assert_u64_eq(v.len, sizeof d);
    memcpy(&d, v.data, sizeof d);
    return d;
}

TEST(test_writer__leaves_nan_out_of_bounds_and_counts_it)
{
    struct one o;

    start(&o, &double_spec, 0);
    put_double(&o, (double)NAN);
    put_double(&o, 2.5);
    put_null(&o);
    put_double(&o, -7);
    put_double(&o, (double)NAN);
    finish(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    assert_i64_eq(chunk->nan_count, 2);
    assert_i64_eq(chunk->null_count, 1);
    assert_true(chunk->has_bounds && chunk->min.exact && chunk->max.exact);
    assert_true(double_in(chunk->min.bytes) == -7 && double_in(chunk->max.bytes) == 2.5);
    assert_true(chunk->column_index_bytes > 0);
    assert_u64_eq(o.info.columns[0].nan_count, 2);
    assert_u64_eq(o.info.columns[0].null_count, 1);
    assert_u64_eq(o.info.columns[0].value_count, 5);
    assert_true(double_in(o.info.columns[0].lower) == -7);
    assert_true(double_in(o.info.columns[0].upper) == 2.5);
    end(&o);
}

TEST(test_writer__has_no_bounds_where_all_is_nan_or_null)
{
    struct one o;

    start(&o, &double_spec, 0);
    put_double(&o, (double)NAN);
    put_null(&o);
    finish(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    assert_false(chunk->has_bounds);
    assert_false(o.info.columns[0].has_bounds);
    /* A page of nothing but NaN has no place in a column index. */
    assert_i64_eq(chunk->column_index_bytes, 0);
    assert_true(chunk->offset_index_bytes > 0);
    end(&o);

    start(&o, &double_spec, 0);
    put_null(&o);
    put_null(&o);
    finish(&o);
    chunk = parquet_reader_chunk(o.reader, 0, 0);
    assert_false(chunk->has_bounds);
    assert_false(o.info.columns[0].has_bounds);
    assert_u64_eq(o.info.columns[0].null_count, 2);
    assert_true(chunk->column_index_bytes > 0);
    assert_false(chunk->has_dictionary);
    end(&o);
}

TEST(test_writer__puts_both_zeros_within_the_bounds)
{
    static const double zeros[] = {0.0, -0.0};

    for (int i = 0; i < 2; i++) {
        struct one o;

        start(&o, &double_spec, 0);
        put_double(&o, zeros[i]);
        finish(&o);
        const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

        assert_true(signbit(double_in(chunk->min.bytes)) != 0);
        assert_true(signbit(double_in(chunk->max.bytes)) == 0);
        assert_true(signbit(double_in(o.info.columns[0].lower)) != 0);
        assert_true(signbit(double_in(o.info.columns[0].upper)) == 0);
        end(&o);
    }
}

TEST(test_writer__keeps_the_sign_of_zero_in_values)
{
    struct column c = {0};
    struct one o;
    struct err e = {0};

    start(&o, &double_spec, 0);
    for (int i = 0; i < 100; i++) {
        put_double(&o, i % 2 == 0 ? -0.0 : 0.0);
    }
    finish(&o);
    assert_true(parquet_reader_chunk(o.reader, 0, 0)->has_dictionary);
    assert_ok(parquet_reader_read(o.reader, 0, 0, 1 << 20, &c, &e), &e);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true((signbit(double_in(column_value(&c, i))) != 0) == (i % 2 == 0));
    }
    column_deinit(&c);
    end(&o);
}

/* What becomes of a column with one long value. */
static void check_long_value(const struct parquet_column_spec *spec, struct span value,
                             struct span min, struct span max)
{
    struct one o;

    start(&o, spec, 0);
    put(&o, value);
    finish(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    assert_int_equal(chunk->has_bounds, max.data != NULL);
    if (chunk->has_bounds) {
        assert_bytes_eq(chunk->min.bytes, min);
        assert_bytes_eq(chunk->max.bytes, max);
        assert_int_equal(chunk->min.exact, min.len == value.len);
        assert_int_equal(chunk->max.exact, max.len == value.len && span_eq(max, value));
    }
    assert_int_equal(chunk->column_index_bytes > 0, max.data != NULL);
    /* The metrics know the whole value. */
    assert_bytes_eq(o.info.columns[0].lower, value);
    assert_bytes_eq(o.info.columns[0].upper, value);
    end(&o);
}

TEST(test_writer__shortens_long_bounds)
{
    uint8_t value[300];
    uint8_t max[70];

    memset(value, 'x', sizeof value);
    memset(max, 'x', sizeof max);
    check_long_value(&text_spec, span_of(value, 64), span_of(value, 64), span_of(value, 64));
    max[63] = 'y';
    check_long_value(&text_spec, span_of(value, 65), span_of(value, 64), span_of(max, 64));
    check_long_value(&binary_spec, span_of(value, 300), span_of(value, 64), span_of(max, 64));

    /* A binary that goes on with 0xff after its first byte. */
    memset(value + 1, 0xff, 299);
    check_long_value(&binary_spec, span_of(value, 300), span_of(value, 64), span_of("y", 1));
    value[0] = 0xff;
    check_long_value(&binary_spec, span_of(value, 300), span_of(value, 64), (struct span){NULL, 0});
    /* As a text it is not UTF-8, and still gets honest bounds. */
    value[0] = 'x';
    check_long_value(&text_spec, span_of(value, 300), span_of(value, 64), span_of("y", 1));

    /* 22 euro signs are 66 bytes: 21 of them fit. */
    for (int i = 0; i < 22; i++) {
        memcpy(value + 3 * i, "\xe2\x82\xac", 3);
    }
    memcpy(max, value, 63);
    max[62]++;
    check_long_value(&text_spec, span_of(value, 66), span_of(value, 63), span_of(max, 63));
    /* Nothing is above U+10FFFF. */
    for (int i = 0; i < 17; i++) {
        memcpy(value + 4 * i, "\xf4\x8f\xbf\xbf", 4);
    }
    check_long_value(&text_spec, span_of(value, 68), span_of(value, 64), (struct span){NULL, 0});
}

TEST(test_writer__keeps_only_the_start_of_huge_values_as_metrics)
{
    size_t len = PARQUET_METRIC_BYTES_MAX * 3;
    uint8_t *value = malloc(len);
    struct one o;

    memset(value, 'm', len);
    start(&o, &binary_spec, 0);
    put(&o, span_of(value, len));
    put(&o, span_of(value, 10));
    finish(&o);
    assert_bytes_eq(o.info.columns[0].lower, span_of(value, 10));
    assert_bytes_eq(o.info.columns[0].upper, span_of(value, PARQUET_METRIC_BYTES_MAX));
    end(&o);
    /* A text is cut between code points: 16384 is no multiple of 3. */
    for (size_t i = 0; i < len; i += 3) {
        memcpy(value + i, "\xe2\x82\xac", 3);
    }
    start(&o, &text_spec, 0);
    put(&o, span_of(value, len));
    finish(&o);
    assert_bytes_eq(o.info.columns[0].upper, span_of(value, 16383));
    end(&o);
    free(value);
}

TEST(test_writer__orders_values_as_their_type_says)
{
    static const struct {
        struct parquet_column_spec spec;
        const char *values[4]; /* hex; the first is the least, the last the greatest */
    } known[] = {
        {{.kind = COLUMN_KIND_BOOL}, {"00", "01", "00", "01"}},
        {{.kind = COLUMN_KIND_INT32}, {"00000080", "00000000", "ffffffff", "01000000"}},
        {{.kind = COLUMN_KIND_INT64},
         {"0000000000000080", "ffffffffffffffff", "0000000000000000", "ffffffffffffff7f"}},
        {{.kind = COLUMN_KIND_FLOAT}, {"000080ff", "0000803f", "000080bf", "0000807f"}},
        {{.kind = COLUMN_KIND_BYTES}, {"", "00", "7f", "80"}},
        {{.kind = COLUMN_KIND_BYTES}, {"6162", "616200", "61626364656667", "6162636465666768"}},
        {{.kind = COLUMN_KIND_BYTES},
         {"6162636465666768", "616263646566676800", "616263646566676801", "6162636465666769"}},
        {{.kind = COLUMN_KIND_FIXED, .fixed_bytes = 2}, {"0000", "7fff", "8000", "ffff"}},
        {{.kind = COLUMN_KIND_FIXED, .fixed_bytes = 2, .logical = PARQUET_LOGICAL_DECIMAL},
         {"8000", "ffff", "0000", "7fff"}},
    };

    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        for (unsigned order = 0; order < 4; order++) {
            struct parquet_column_spec spec = known[k].spec;
            uint8_t values[4][16];
            size_t lens[4];
            struct one o;

            spec.name = "c";
            spec.precision = 4;
            start(&o, &spec, 0);
            for (unsigned i = 0; i < 4; i++) {
                lens[i] = test_unhex(known[k].values[i], values[i], 16);
            }
            for (unsigned i = 0; i < 4; i++) {
                unsigned at = order % 2 == 0 ? (i + order) % 4 : (3 - i + order) % 4;

                put(&o, span_of(values[at], lens[at]));
                if (order == 2) {
                    end_page(&o);
                }
            }
            finish(&o);
            assert_bytes_eq(o.info.columns[0].lower, span_of(values[0], lens[0]));
            assert_bytes_eq(o.info.columns[0].upper, span_of(values[3], lens[3]));
            end(&o);
        }
    }
}

TEST(test_writer__writes_no_row_group_for_no_rows)
{
    struct one o;
    struct err e = {0};

    start(&o, &long_spec, 0);
    assert_ok(parquet_writer_write(o.writer, o.batch, &e), &e);
    finish(&o);
    assert_u64_eq(parquet_reader_row_group_count(o.reader), 0);
    assert_u64_eq(o.info.split_count, 0);
    assert_u64_eq(o.info.row_count, 0);
    assert_false(o.info.columns[0].has_bounds);
    end(&o);
}

TEST(test_writer__cuts_row_groups_by_bytes_and_by_pages)
{
    struct one o;

    start(&o, &long_spec, 800);
    for (int i = 0; i < 1000; i++) {
        put_long(&o, i);
        if (i % 50 == 49) {
            end_page(&o);
        }
    }
    finish(&o);
    assert_u64_eq(parquet_reader_row_group_count(o.reader), 10);
    assert_u64_eq(o.info.split_count, 10);
    assert_i64_eq(o.info.split_offsets[0], 4);
    for (uint32_t g = 0; g < 10; g++) {
        const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, g, 0);

        assert_u64_eq(parquet_reader_row_group_rows(o.reader, g), 100);
        assert_i64_eq(parquet_chunk_start(chunk), o.info.split_offsets[g]);
        assert_u64_eq(chunk->data_page_count, 2);
    }
    end(&o);

    start(&o, &long_spec, 0);
    for (int i = 0; i < 32768; i++) {
        put_long(&o, i);
        end_page(&o);
    }
    finish(&o);
    assert_u64_eq(parquet_reader_row_group_count(o.reader), 2);
    assert_u64_eq(parquet_reader_row_group_rows(o.reader, 1), 1);
    end(&o);
}

/* Writes pages of 20,000 rows, value_at(i, distinct) each, and reads them again. */
static void check_fallback(int64_t few_rows, int64_t distinct, uint32_t dictionary_pages)
{
    struct column c = {0};
    struct one o;
    struct err e = {0};

    start(&o, &text_spec, 0);
    for (int64_t i = 0; i < 100000; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "a text of a certain length %" PRId64,
                           i < few_rows ? i % 100 : i % distinct);

        put(&o, span_of(text, (size_t)len));
        if (i % 20000 == 19999) {
            end_page(&o);
        }
    }
    finish(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    assert_true(chunk->has_dictionary);
    assert_u64_eq(chunk->data_page_count, 5);
    assert_u64_eq(chunk->dictionary_page_count, dictionary_pages);
    assert_ok(parquet_reader_read(o.reader, 0, 0, 1 << 24, &c, &e), &e);
    for (int64_t i = 0; i < 100000; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "a text of a certain length %" PRId64,
                       i < few_rows ? i % 100 : i % distinct);
        assert_text_eq(column_value(&c, (uint32_t)i), text);
    }
    column_deinit(&c);
    end(&o);
}

TEST(test_writer__falls_back_when_the_dictionary_is_full)
{
    check_fallback(20000, 15000, 5); /* 540 KB of texts are few enough */
    check_fallback(20000, 40000, 1); /* a page in which nothing repeats ends it */
}

TEST(test_writer__tries_no_dictionary_where_values_do_not_repeat)
{
    struct parquet_column_spec spec = long_spec;
    struct one o;

    start(&o, &long_spec, 0);
    for (int i = 0; i < 1000; i++) {
        put_long(&o, i);
    }
    finish(&o);
    assert_false(parquet_reader_chunk(o.reader, 0, 0)->has_dictionary);
    end(&o);
    spec.no_dictionary = true;
    start(&o, &spec, 0);
    for (int i = 0; i < 1000; i++) {
        put_long(&o, 5);
    }
    finish(&o);
    assert_false(parquet_reader_chunk(o.reader, 0, 0)->has_dictionary);
    end(&o);
}

TEST(test_writer__keeps_pages_of_nulls_in_the_dictionarys_encoding)
{
    struct column c = {0};
    struct one o;
    struct err e = {0};

    start(&o, &text_spec, 0);
    for (int i = 0; i < 60; i++) {
        put(&o, span_str("always the same"));
    }
    end_page(&o);
    put_null(&o);
    put_null(&o);
    end_page(&o);
    put(&o, span_str("always the same"));
    finish(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    assert_u64_eq(chunk->data_page_count, 3);
    assert_u64_eq(chunk->dictionary_page_count, 3);
    assert_ok(parquet_reader_read(o.reader, 0, 0, 1 << 20, &c, &e), &e);
    assert_u64_eq(c.value_count, 61);
    assert_u64_eq(c.validity.len, 63);
    assert_int_equal(c.validity.data[59], 1);
    assert_int_equal(c.validity.data[60], 0);
    assert_int_equal(c.validity.data[61], 0);
    assert_int_equal(c.validity.data[62], 1);
    column_deinit(&c);
    end(&o);
}

TEST(test_writer__makes_names_fit_for_avro)
{
    static const struct {
        const char *name;
        const char *want;
    } known[] = {
        {"plain_1", "plain_1"},
        {"1st", "_1st"},
        {"a b", "a_x20b"},
        {"a-b.c", "a_x2Db_x2Ec"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "gr\xc3\xb6\xc3\x9f"
         "e"},
        {"$", "_x24"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct parquet_column_spec spec = long_spec;
        uint32_t count;
        struct one o;

        spec.name = known[i].name;
        start(&o, &spec, 0);
        put_long(&o, 1);
        finish(&o);
        assert_string_equal(parquet_reader_columns(o.reader, &count)->name, known[i].want);
        end(&o);
    }
}

/* Every page header of a file, by walking each chunk; checks sizes and checksums. */
static void check_pages(const struct one *o)
{
    for (uint32_t g = 0; g < parquet_reader_row_group_count(o->reader); g++) {
        const struct parquet_chunk *chunk = parquet_reader_chunk(o->reader, g, 0);
        size_t start_at = (size_t)parquet_chunk_start(chunk);
        struct bytes_reader in;
        int64_t uncompressed = 0;
        uint32_t pages = 0;
        struct err e = {0};

        bytes_reader_init(&in, span_of(o->bytes.data + start_at, (size_t)chunk->compressed_bytes));
        while (bytes_left(&in) > 0) {
            size_t before = bytes_offset(&in);
            struct parquet_page_header h;

            assert_ok(parquet_page_header_parse(&in, &h, &e), &e);
            uncompressed += (int64_t)(bytes_offset(&in) - before) + h.uncompressed_bytes;
            struct span body = bytes_span(&in, (size_t)h.compressed_bytes);

            assert_false(bytes_failed(&in));
            assert_true(h.has_crc);
            assert_u64_eq(h.crc, crc32_update(0, body));
            if (h.type == PARQUET_DICTIONARY_PAGE) {
                assert_true(before == 0 && chunk->has_dictionary);
            } else {
                pages++;
                assert_int_equal(h.type, PARQUET_DATA_PAGE);
                assert_int_equal(h.def_encoding, PARQUET_RLE);
            }
            if (pages == 1) {
                assert_i64_eq((int64_t)(start_at + before), chunk->data_page_offset);
            }
        }
        assert_u64_eq(pages, chunk->data_page_count);
        assert_i64_eq(uncompressed, chunk->uncompressed_bytes);
    }
}

/* PageLocation and ColumnIndex as lists of numbers and texts. */
static uint32_t list_header(struct thrift_reader *r, enum thrift_type want)
{
    enum thrift_type type;
    uint32_t count = thrift_read_list(r, &type);

    assert_int_equal(type, want);
    return count;
}

static void check_offset_index(const struct one *o, const struct parquet_chunk *chunk,
                               uint32_t page_rows)
{
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;
    int64_t at = chunk->data_page_offset;

    bytes_reader_init(&in, span_of(o->bytes.data + chunk->offset_index_offset,
                                   (size_t)chunk->offset_index_bytes));
    assert_true(thrift_next(&r, &f));
    assert_int_equal(f.id, 1);
    uint32_t count = list_header(&r, THRIFT_STRUCT);

    assert_u64_eq(count, chunk->data_page_count);
    for (uint32_t i = 0; i < count; i++) {
        struct parquet_ints location = {.seen = 0};

        parquet_read_ints(&r, &location);
        assert_i64_eq(location.v[1], at);
        assert_i64_eq(location.v[3], (int64_t)i * page_rows);
        at += location.v[2];
    }
    assert_false(thrift_next(&r, &f));
    assert_u64_eq(bytes_left(&in), 0);
    assert_i64_eq(at, parquet_chunk_start(chunk) + chunk->compressed_bytes);
}

TEST(test_writer__describes_its_pages)
{
    struct one o;

    start(&o, &text_spec, 0);
    for (int i = 0; i < 300; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "text %d", i % 40);

        if (i / 100 == 1 || i % 7 == 0) {
            put_null(&o);
        } else {
            put(&o, span_of(text, (size_t)len));
        }
        if (i % 100 == 99) {
            end_page(&o);
        }
    }
    finish(&o);
    check_pages(&o);
    const struct parquet_chunk *chunk = parquet_reader_chunk(o.reader, 0, 0);

    check_offset_index(&o, chunk, 100);
    struct bytes_reader in;
    struct thrift_reader r = {&in, 0};
    struct thrift_field f;

    bytes_reader_init(
        &in, span_of(o.bytes.data + chunk->column_index_offset, (size_t)chunk->column_index_bytes));
    assert_true(thrift_next(&r, &f));
    assert_u64_eq(list_header(&r, THRIFT_TRUE), 3);
    assert_int_equal(bytes_u8(&in), 2);
    assert_int_equal(bytes_u8(&in), 1); /* the second page is null */
    assert_int_equal(bytes_u8(&in), 2);
    assert_true(thrift_next(&r, &f));
    assert_u64_eq(list_header(&r, THRIFT_BINARY), 3);
    assert_text_eq(thrift_read_binary(&r), "text 0");
    assert_text_eq(thrift_read_binary(&r), "");
    assert_text_eq(thrift_read_binary(&r), "text 0");
    assert_true(thrift_next(&r, &f));
    assert_u64_eq(list_header(&r, THRIFT_BINARY), 3);
    assert_text_eq(thrift_read_binary(&r), "text 9");
    assert_text_eq(thrift_read_binary(&r), "");
    assert_text_eq(thrift_read_binary(&r), "text 9");
    assert_true(thrift_next(&r, &f));
    assert_int_equal(f.id, 4);
    assert_i64_eq(thrift_read_int(&r), 0);
    assert_true(thrift_next(&r, &f));
    assert_u64_eq(list_header(&r, THRIFT_I64), 3);
    assert_i64_eq(thrift_read_int(&r), 15);
    assert_i64_eq(thrift_read_int(&r), 100);
    assert_i64_eq(thrift_read_int(&r), 14);
    assert_false(thrift_next(&r, &f));
    assert_u64_eq(bytes_left(&in), 0);
    end(&o);
}

TEST(test_writer__counts_rows_and_bytes_as_it_goes)
{
    uint64_t before = 4;
    struct one o;

    start(&o, &long_spec, 1600);
    assert_u64_eq(parquet_writer_bytes(o.writer), before);
    for (int i = 0; i < 300; i++) {
        put_long(&o, (int64_t)((uint64_t)i * 0x123456789abcdefu));
        if (i % 100 == 99) {
            end_page(&o);
            assert_u64_eq(parquet_writer_rows(o.writer), i + 1);
            assert_true(parquet_writer_bytes(o.writer) > before);
            before = parquet_writer_bytes(o.writer);
            assert_true(parquet_writer_buffered(o.writer) > 0);
        }
    }
    /* 200 rows are written, 100 wait. */
    assert_true(o.file.len > 4 && o.file.len < before);
    finish(&o);
    end(&o);
}

TEST(test_writer__is_deterministic)
{
    struct one a;
    struct one b;

    start(&a, &text_spec, 0);
    start(&b, &text_spec, 0);
    for (int i = 0; i < 200; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%d", i % 13);

        put(&a, span_of(text, (size_t)len));
        put(&b, span_of(text, (size_t)len));
    }
    finish(&a);
    finish(&b);
    assert_bytes_eq(a.bytes, b.bytes);
    end(&a);
    end(&b);
}

TEST(test_writer__refuses_batches_that_contradict_themselves)
{
    struct parquet_column_spec specs[2] = {long_spec, text_spec};
    const struct parquet_writer_options options = {.columns = specs, .column_count = 2};

    for (int fault = 0; fault < 7; fault++) {
        struct column_batch *batch = new_batch(specs, 2);
        struct parquet_file_info info;
        struct parquet_writer *w;
        struct buf file = {0};
        struct err e = {0};

        assert_ok(parquet_writer_open(&options, memory_sink(&file), &w, &e), &e);
        column_put_i64(&batch->columns[0], 1);
        column_put_i64(&batch->columns[0], 2);
        column_put_bytes(&batch->columns[1], span_str("a"));
        column_put_bytes(&batch->columns[1], span_str("b"));
        batch->row_count = 2;
        switch (fault) {
        case 0:
            batch->row_count = 1; /* more values than rows */
            break;
        case 1:
            batch->row_count = 3; /* fewer, and nothing says which */
            break;
        case 2:
            batch->columns[0].values.len--;
            break;
        case 3:
            batch->columns[0].kind = COLUMN_KIND_DOUBLE;
            break;
        case 4:
            batch->columns[1].offsets.len -= 4;
            break;
        case 5: /* three rows, one of them null, but validity says two */
            column_put_validity(&batch->columns[0], 2, false);
            column_put_validity(&batch->columns[1], 2, false);
            batch->columns[1].validity.data[0] = 0;
            batch->row_count = 3;
            break;
        default:
            batch->column_count = 1;
            break;
        }
        assert_err(parquet_writer_write(w, batch, &e), ERR_CORRUPT, &e);
        if (fault < 6) {
            /* The file is lost: the first column may have the rows already. */
            assert_err(parquet_writer_write(w, batch, &e), ERR_CORRUPT, &e);
            assert_err(parquet_writer_finish(w, &info, &e), ERR_CORRUPT, &e);
        }
        batch->column_count = 2;
        parquet_writer_free(w);
        column_batch_free(batch);
        buf_deinit(&file);
    }
}

static enum err_code failing_write(void *ctx, struct span bytes, struct err *e)
{
    size_t *left = ctx;

    if (bytes.len > *left) {
        return err_set(e, ERR_IO, "disk full");
    }
    *left -= bytes.len;
    return ERR_OK;
}

static enum err_code write_all(struct byte_sink sink, struct column_batch *batch, bool finish_it,
                               struct err *e)
{
    const struct parquet_key_value metadata = {"k", "v"};
    const struct parquet_writer_options options = {
        .columns = all_specs,
        .column_count = ALL_SPECS,
        .metadata = &metadata,
        .metadata_count = 1,
        .row_group_bytes_max = 4000,
    };
    struct parquet_file_info info = {0};
    struct parquet_writer *w = NULL;
    enum err_code rc = parquet_writer_open(&options, sink, &w, e);

    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        rc = parquet_writer_write(w, batch, e);
    }
    if (rc == ERR_OK && finish_it) {
        rc = parquet_writer_finish(w, &info, e);
    }
    parquet_file_info_deinit(&info);
    parquet_writer_free(w);
    return rc;
}

static struct column_batch *mixed_batch(uint32_t rows)
{
    struct column_batch *batch = new_batch(all_specs, ALL_SPECS);
    struct filling fillings[ALL_SPECS];

    for (uint32_t i = 0; i < ALL_SPECS; i++) {
        fillings[i] = (struct filling){i % 2 == 0 ? NULLS_SOME : NULLS_NONE, i % 3 == 0 ? 4 : 1000};
    }
    fill_batch(batch, all_specs, fillings, 0, rows);
    return batch;
}

TEST(test_writer__passes_on_the_sinks_failures)
{
    struct column_batch *batch = mixed_batch(50);
    struct buf file = {0};
    struct err e = {0};

    assert_ok(write_all(memory_sink(&file), batch, true, &e), &e);
    for (size_t room = 0; room < file.len; room += 1 + room / 8) {
        size_t left = room;

        assert_err(write_all((struct byte_sink){failing_write, &left}, batch, true, &e), ERR_IO,
                   &e);
    }
    assert_string_equal(e.msg, "disk full");
    column_batch_free(batch);
    buf_deinit(&file);
}

TEST(test_writer__survives_failing_allocations)
{
    struct column_batch *batch = mixed_batch(50);
    struct buf whole = {0};
    struct err e = {0};

    assert_ok(write_all(memory_sink(&whole), batch, true, &e), &e);
    TORTURE(nth)
    {
        struct buf file = {0};
        enum err_code rc = write_all(memory_sink(&file), batch, true, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            /* A dictionary may have been given up; what is there must be readable. */
            struct span bytes = buf_span(&file);
            struct byte_source source = memory_source(&bytes);
            struct parquet_reader *r;

            torture_fail_at(0);
            assert_ok(parquet_reader_open(&source, &r, &e), &e);
            for (uint32_t i = 0; i < ALL_SPECS; i++) {
                struct column c = {0};

                assert_ok(parquet_reader_read(r, 0, i, 1 << 20, &c, &e), &e);
                assert_bytes_eq(span_of(c.values.data, batch->columns[i].values.len),
                                buf_span(&batch->columns[i].values));
                column_deinit(&c);
            }
            parquet_reader_free(r);
        }
        buf_deinit(&file);
    }
    column_batch_free(batch);
    buf_deinit(&whole);
}

TEST(test_writer__may_be_given_up_at_any_time)
{
    struct column_batch *batch = mixed_batch(20);
    struct buf file = {0};
    struct err e = {0};

    assert_ok(write_all(memory_sink(&file), batch, false, &e), &e);
    parquet_writer_free(NULL);
    column_batch_free(batch);
    buf_deinit(&file);
}

TEST_MAIN(test_case(test_writer__leaves_nan_out_of_bounds_and_counts_it),
          test_case(test_writer__has_no_bounds_where_all_is_nan_or_null),
          test_case(test_writer__puts_both_zeros_within_the_bounds),
          test_case(test_writer__keeps_the_sign_of_zero_in_values),
          test_case(test_writer__shortens_long_bounds),
          test_case(test_writer__keeps_only_the_start_of_huge_values_as_metrics),
          test_case(test_writer__orders_values_as_their_type_says),
          test_case(test_writer__writes_no_row_group_for_no_rows),
          test_case(test_writer__cuts_row_groups_by_bytes_and_by_pages),
          test_case(test_writer__falls_back_when_the_dictionary_is_full),
          test_case(test_writer__tries_no_dictionary_where_values_do_not_repeat),
          test_case(test_writer__keeps_pages_of_nulls_in_the_dictionarys_encoding),
          test_case(test_writer__makes_names_fit_for_avro),
          test_case(test_writer__describes_its_pages),
          test_case(test_writer__counts_rows_and_bytes_as_it_goes),
          test_case(test_writer__is_deterministic),
          test_case(test_writer__refuses_batches_that_contradict_themselves),
          test_case(test_writer__passes_on_the_sinks_failures),
          test_case(test_writer__survives_failing_allocations),
          test_case(test_writer__may_be_given_up_at_any_time))
