#include "iceberg/manifest_list.h"

#include <stdlib.h>

#include "avro/reader.h"
#include "avro/writer.h"
#include "corpus.h"

static struct rand rand_;

static const struct iceberg_manifest_list_head head = {
    .snapshot_id = 9, .parent_snapshot_id = 8, .sequence_number = 3, .rand = &rand_};

static struct iceberg_partition_summary partitions[] = {
    {.contains_null = true, .has_nan = true, .contains_nan = true, .has_lower = true},
    {.has_upper = true},
};

static const struct iceberg_manifest_row full = {
    .path = "file:///t/metadata/m0.avro",
    .length_bytes = 7000,
    .spec_id = 3,
    .content = ICEBERG_MANIFEST_DELETES,
    .sequence_number = 3,
    .min_sequence_number = 2,
    .added_snapshot_id = 9,
    .counts = {1, 2, 3, 4, 5, INT64_C(6000000000)},
    .partitions = partitions,
    .partition_count = 2,
    .has_partitions = true,
    .key_metadata = {(const uint8_t *)"key", 3},
};
static const struct iceberg_manifest_row bare = {.path = "b", .has_partitions = false};
static const struct iceberg_manifest_row unpartitioned = {.path = "u", .has_partitions = true};

static void write_all(struct buf *out)
{
    const struct iceberg_manifest_row *rows[] = {&full, &bare, &unpartitioned};
    struct err e = {0};

    rand_seed(&rand_, 2);
    partitions[0].lower = span_of("\x01", 1);
    partitions[1].upper = span_of("", 0);
    assert_ok(iceberg_manifest_list_write(&head, rows, 3, out, &e), &e);
}

TEST(test_manifest_list__reads_what_it_wrote)
{
    struct iceberg_manifest_list l;
    struct buf out = {0};
    struct err e = {0};

    write_all(&out);
    assert_ok(iceberg_manifest_list_read(buf_span(&out), &l, &e), &e);
    assert_u64_eq(l.count, 3);
    const struct iceberg_manifest_row *r = &l.rows[0];

    assert_string_equal(r->path, full.path);
    assert_i64_eq(r->length_bytes, 7000);
    assert_int_equal(r->spec_id, 3);
    assert_int_equal(r->content, ICEBERG_MANIFEST_DELETES);
    assert_i64_eq(r->sequence_number, 3);
    assert_i64_eq(r->min_sequence_number, 2);
    assert_i64_eq(r->added_snapshot_id, 9);
    assert_memory_equal(&r->counts, &full.counts, sizeof r->counts);
    assert_true(iceberg_manifest_counts_known(&r->counts));
    assert_i64_eq(iceberg_manifest_live_files(r), 3);
    assert_true(r->has_partitions);
    assert_u64_eq(r->partition_count, 2);
    assert_true(r->partitions[0].contains_null && r->partitions[0].has_nan &&
                r->partitions[0].contains_nan && r->partitions[0].has_lower &&
                !r->partitions[0].has_upper);
    assert_bytes_eq(r->partitions[0].lower, span_of("\x01", 1));
    assert_false(r->partitions[1].contains_null || r->partitions[1].has_nan ||
                 r->partitions[1].has_lower);
    assert_true(r->partitions[1].has_upper);
    assert_u64_eq(r->partitions[1].upper.len, 0);
    assert_text_eq(r->key_metadata, "key");
    assert_false(l.rows[1].has_partitions);
    assert_null(l.rows[1].key_metadata.data);
    assert_true(l.rows[2].has_partitions);
    assert_u64_eq(l.rows[2].partition_count, 0);
    iceberg_manifest_list_deinit(&l);

    struct avro_reader *reader;

    assert_ok(avro_reader_open(buf_span(&out), &reader, &e), &e);
    assert_text_eq(avro_reader_meta(reader, "snapshot-id"), "9");
    assert_text_eq(avro_reader_meta(reader, "parent-snapshot-id"), "8");
    assert_text_eq(avro_reader_meta(reader, "sequence-number"), "3");
    assert_text_eq(avro_reader_meta(reader, "format-version"), "2");
    avro_reader_free(reader);

    /* The first snapshot's parent, and a list of nothing. */
    buf_reset(&out);
    assert_ok(iceberg_manifest_list_write(
                  &(struct iceberg_manifest_list_head){
                      .snapshot_id = 1, .parent_snapshot_id = -1, .rand = &rand_},
                  NULL, 0, &out, &e),
              &e);
    assert_ok(avro_reader_open(buf_span(&out), &reader, &e), &e);
    assert_text_eq(avro_reader_meta(reader, "parent-snapshot-id"), "null");
    avro_reader_free(reader);
    assert_ok(iceberg_manifest_list_read(buf_span(&out), &l, &e), &e);
    assert_u64_eq(l.count, 0);
    iceberg_manifest_list_deinit(&l);
    buf_deinit(&out);
}

TEST(test_manifest_list__reads_many_rows)
{
    const struct iceberg_manifest_row **rows = calloc(1000, sizeof *rows);
    struct iceberg_manifest_list l;
    struct buf out = {0};
    struct err e = {0};

    for (int i = 0; i < 1000; i++) {
        rows[i] = i % 2 == 0 ? &full : &bare;
    }
    assert_ok(iceberg_manifest_list_write(&head, rows, 1000, &out, &e), &e);
    assert_ok(iceberg_manifest_list_read(buf_span(&out), &l, &e), &e);
    assert_u64_eq(l.count, 1000);
    assert_string_equal(l.rows[998].path, full.path);
    assert_string_equal(l.rows[999].path, "b");
    iceberg_manifest_list_deinit(&l);
    free(rows);
    buf_deinit(&out);
}

TEST(test_manifest_list__reads_version_1)
{
    struct iceberg_manifest_list l;
    struct buf file = {0};
    struct err e = {0};

    corpus_load("iceberg_manifest", "java_v1_list_plain.avro", &file);
    assert_ok(iceberg_manifest_list_read(buf_span(&file), &l, &e), &e);
    assert_u64_eq(l.count, 1);
    assert_int_equal(l.rows[0].content, ICEBERG_MANIFEST_DATA);
    assert_i64_eq(l.rows[0].sequence_number, 0);
    assert_i64_eq(l.rows[0].min_sequence_number, 0);
    assert_int_equal(l.rows[0].counts.existing_files, 3);
    assert_int_equal(l.rows[0].counts.deleted_files, 1);
    assert_i64_eq(l.rows[0].counts.existing_rows, 80);
    assert_true(l.rows[0].partitions[0].contains_null);
    iceberg_manifest_list_deinit(&l);
    buf_deinit(&file);
}

/* A file of one row by field ids, whatever the names; optional long columns after the path. */
static void write_tiny(struct buf *out, int32_t path_id, struct span path, int64_t spec_id,
                       int64_t content, int64_t added)
{
    struct avro_writer w;
    struct err e = {0};
    char schema[1024];

    (void)snprintf(schema, sizeof schema,
                   "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":["
                   "{\"name\":\"p\",\"type\":\"string\",\"field-id\":%d},"
                   "{\"name\":\"s\",\"type\":\"long\",\"field-id\":502},"
                   "{\"name\":\"c\",\"type\":\"long\",\"field-id\":517},"
                   "{\"name\":\"added_data_files_count\",\"type\":\"long\",\"field-id\":504}]}",
                   path_id);
    buf_reset(out);
    avro_writer_init(&w, out, schema, NULL, 0, AVRO_CODEC_NULL, &rand_);
    avro_put_bytes(&w.block, path);
    avro_put_long(&w.block, spec_id);
    avro_put_long(&w.block, content);
    avro_put_long(&w.block, added);
    assert_ok(avro_writer_end_record(&w, &e), &e);
    assert_ok(avro_writer_finish(&w, &e), &e);
    avro_writer_deinit(&w);
}

TEST(test_manifest_list__refuses_rows_that_make_no_sense)
{
    struct iceberg_manifest_list l;
    struct buf file = {0};
    struct err e = {0};

    write_tiny(&file, 500, span_str("x"), 1, 0, 4);
    assert_ok(iceberg_manifest_list_read(buf_span(&file), &l, &e), &e);
    assert_int_equal(l.rows[0].counts.added_files, 4);
    assert_int_equal(l.rows[0].counts.existing_files, -1);
    assert_i64_eq(l.rows[0].counts.added_rows, -1);
    assert_false(iceberg_manifest_counts_known(&l.rows[0].counts));
    assert_i64_eq(iceberg_manifest_live_files(&l.rows[0]), 4);
    iceberg_manifest_list_deinit(&l);
    write_tiny(&file, 499, span_str("x"), 1, 0, 4);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_CORRUPT, &e);
    write_tiny(&file, 500, span_str(""), 1, 0, 4);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_CORRUPT, &e);
    write_tiny(&file, 500, span_of("a\0b", 3), 1, 0, 4);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_CORRUPT, &e);
    write_tiny(&file, 500, span_str("x"), INT64_C(1) << 31, 0, 4);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_CORRUPT, &e);
    write_tiny(&file, 500, span_str("x"), 1, 2, 4);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_UNSUPPORTED, &e);
    write_tiny(&file, 500, span_str("x"), 1, 0, INT64_C(1) << 40);
    assert_err(iceberg_manifest_list_read(buf_span(&file), &l, &e), ERR_CORRUPT, &e);
    buf_deinit(&file);
}

TEST(test_manifest_list__rejects_every_truncation)
{
    struct iceberg_manifest_list l;
    struct buf file = {0};
    struct err e = {0};
    size_t fine = 0;

    corpus_load("iceberg_manifest", "java_day_list_plain.avro", &file);
    for (size_t len = 0; len < file.len; len++) {
        uint8_t *copy = malloc(len + 1);

        memcpy(copy, file.data, len);
        enum err_code rc = iceberg_manifest_list_read(span_of(copy, len), &l, &e);

        assert_true(rc == ERR_CORRUPT || (rc == ERR_OK && l.count == 0));
        if (rc == ERR_OK) {
            fine++;
            iceberg_manifest_list_deinit(&l);
        }
        free(copy);
    }
    assert_u64_eq(fine, 1);
    buf_deinit(&file);
}

TEST(test_manifest_list__survives_lack_of_memory)
{
    const struct iceberg_manifest_row *rows[] = {&full, &bare};

    TORTURE(nth)
    {
        struct iceberg_manifest_list l = {0};
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = iceberg_manifest_list_write(&head, rows, 2, &out, &e);

        if (rc == ERR_OK) {
            rc = iceberg_manifest_list_read(buf_span(&out), &l, &e);
        }
        assert_true(rc == ERR_NOMEM || (rc == ERR_OK && l.count == 2));
        if (rc == ERR_OK) {
            iceberg_manifest_list_deinit(&l);
        }
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_manifest_list__reads_what_it_wrote),
          test_case(test_manifest_list__reads_many_rows),
          test_case(test_manifest_list__reads_version_1),
          test_case(test_manifest_list__refuses_rows_that_make_no_sense),
          test_case(test_manifest_list__rejects_every_truncation),
          test_case(test_manifest_list__survives_lack_of_memory))
