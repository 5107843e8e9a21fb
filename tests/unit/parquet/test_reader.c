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

TEST_MAIN(test_case(test_reader__reads_what_the_writer_wrote))
