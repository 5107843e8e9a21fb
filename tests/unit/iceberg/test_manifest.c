/* test_manifest.c - manifests: round trips, inheritance, other writers' files, damage. */
#include "iceberg/manifest.h"

#include <stdlib.h>

#include "avro/writer.h"
#include "base/str.h"
#include "corpus.h"

/* Entries as text, one a line, so that a test can say what it expects. */
static enum err_code describe(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    const struct iceberg_data_file *f = entry->file;
    struct buf *out = ctx;
    const char *slash = strrchr(f->path, '/');

    (void)e;
    buf_printf(
        out,
        "%d %" PRId64 " %" PRId64 " %" PRId64 " content %d %s %.*s rows %" PRId64 " bytes %" PRId64,
        entry->status, entry->snapshot_id, entry->sequence_number, entry->file_sequence_number,
        entry->content, slash == NULL ? f->path : slash + 1, (int)entry->format.len,
        (const char *)entry->format.data, f->record_count, f->file_bytes);
    if (f->has_day) {
        buf_printf(out, " day %d", f->day);
    }
    for (uint32_t i = 0; i < f->column_count; i++) {
        const struct iceberg_column_metrics *c = &f->columns[i];

        buf_printf(out, " [%d:%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, c->field_id,
                   c->column_bytes, c->value_count, c->null_count, c->nan_count);
        for (int side = 0; side < 2; side++) {
            bool has = side == 0 ? c->has_lower : c->has_upper;
            struct span v = side == 0 ? c->lower : c->upper;

            buf_append_str(out, has ? "," : ",-");
            for (size_t b = 0; has && b < v.len; b++) {
                buf_printf(out, "%02x", v.data[b]);
            }
        }
        buf_append_str(out, "]");
    }
    for (uint32_t i = 0; i < f->split_count; i++) {
        buf_printf(out, " split %" PRId64, f->split_offsets[i]);
    }
    for (uint32_t i = 0; i < entry->equality_count; i++) {
        buf_printf(out, " equal %d", entry->equality_ids[i]);
    }
    if (entry->has_sort_order) {
        buf_printf(out, " order %d", entry->sort_order_id);
    }
    if (entry->referenced_data_file.len > 0) {
        buf_printf(out, " of %.*s", (int)entry->referenced_data_file.len,
                   (const char *)entry->referenced_data_file.data);
    }
    if (entry->key_metadata.data != NULL) {
        buf_printf(out, " key %zu", entry->key_metadata.len);
    }
    buf_append_str(out, "\n");
    return buf_check(out, e, "description");
}

static const struct iceberg_manifest_row row = {.sequence_number = 5, .added_snapshot_id = 77};

static void open_writer(struct rand *rand, const char *partition, struct buf *out,
                        struct iceberg_manifest_writer **w)
{
    struct err e = {0};

    rand_seed(rand, 3);
    assert_ok(iceberg_manifest_open(
                  &(struct iceberg_manifest_options){
                      .schema_json = "{\"type\":\"struct\",\"schema-id\":4,\"fields\":[]}",
                      .schema_id = 4,
                      .spec_id = 2,
                      .spec_fields_json = "[]",
                      .by_day = partition != NULL,
                      .partition_field_id = 1003,
                      .partition_name = partition,
                      .content = ICEBERG_MANIFEST_DATA,
                      .rand = rand,
                  },
                  out, w, &e),
              &e);
}

static struct iceberg_column_metrics columns[] = {
    {.field_id = 1,
     .column_bytes = 10,
     .value_count = 3,
     .null_count = 0,
     .nan_count = -1,
     .has_lower = true,
     .has_upper = true},
    {.field_id = 9,
     .column_bytes = -1,
     .value_count = 3,
     .null_count = -1,
     .nan_count = 2,
     .has_upper = true},
    {.field_id = 400, .column_bytes = 0, .value_count = -1, .null_count = 3, .nan_count = -1},
};
static int64_t splits[] = {4, 1000, INT64_C(5000000000)};
static const int32_t equality[] = {3, 1};

static struct iceberg_data_file files[] = {
    {.path = "file:///t/data/full.parquet",
     .has_day = true,
     .day = -3,
     .record_count = 3,
     .file_bytes = 1234,
     .columns = columns,
     .column_count = 3,
     .split_offsets = splits,
     .split_count = 3},
    {.path = "file:///t/data/bare.parquet", .record_count = 0, .file_bytes = 4},
    {.path = "file:///t/data/last.parquet",
     .has_day = true,
     .day = 19000,
     .record_count = 7,
     .file_bytes = 9},
};

static const char whole_text[] =
    "1 -1 5 5 content 0 full.parquet PARQUET rows 3 bytes 1234 day -3 [1:10,3,0,-1,01,ff00]"
    " [9:-1,3,-1,2,-,] [400:0,-1,3,-1,-,-] split 4 split 1000 split 5000000000\n"
    "0 8 2 1 content 0 bare.parquet PARQUET rows 0 bytes 4 order 6 key 0\n"
    "2 9 3 3 content 2 last.parquet AVRO rows 7 bytes 9 day 19000 equal 3 equal 1 of x\n";

/* One of each status, with and without all that there can be. */
static void write_whole(struct iceberg_manifest_writer *w)
{
    struct err e = {0};

    columns[0].lower = span_of("\x01", 1);
    columns[0].upper = span_of("\xff\x00", 2);
    columns[1].upper = span_of("", 0);
    assert_ok(iceberg_manifest_add(w,
                                   &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_ADDED,
                                                                    .snapshot_id = -1,
                                                                    .sequence_number = -1,
                                                                    .file_sequence_number = -1,
                                                                    .file = &files[0]},
                                   &e),
              &e);
    assert_ok(
        iceberg_manifest_add(w,
                             &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_EXISTING,
                                                              .snapshot_id = 8,
                                                              .sequence_number = 2,
                                                              .file_sequence_number = 1,
                                                              .key_metadata = span_of("", 0),
                                                              .has_sort_order = true,
                                                              .sort_order_id = 6,
                                                              .file = &files[1]},
                             &e),
        &e);
    assert_ok(iceberg_manifest_add(
                  w,
                  &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_DELETED,
                                                   .snapshot_id = 9,
                                                   .sequence_number = 3,
                                                   .file_sequence_number = 3,
                                                   .content = ICEBERG_FILE_EQUALITY_DELETES,
                                                   .format = span_str("AVRO"),
                                                   .equality_ids = equality,
                                                   .equality_count = 2,
                                                   .referenced_data_file = span_str("x"),
                                                   .file = &files[2]},
                  &e),
              &e);
}

TEST(test_manifest__reads_what_it_wrote)
{
    struct iceberg_manifest_writer *w;
    struct iceberg_manifest_row out_row;
    struct buf out = {0};
    struct buf text = {0};
    struct arena arena;
    struct rand rand;
    struct err e = {0};

    arena_init(&arena, 0);
    buf_append_str(&out, "before");
    open_writer(&rand, "date", &out, &w);
    write_whole(w);
    assert_ok(iceberg_manifest_finish(w, &arena, &out_row, &e), &e);
    iceberg_manifest_free(w);
    assert_i64_eq(out_row.length_bytes, out.len - 6);
    assert_int_equal(out_row.spec_id, 2);
    assert_int_equal(out_row.content, ICEBERG_MANIFEST_DATA);
    /* The added one inherits a later number than the explicit 2; the deleted one does not count. */
    assert_i64_eq(out_row.min_sequence_number, 2);
    assert_int_equal(out_row.counts.added_files, 1);
    assert_int_equal(out_row.counts.existing_files, 1);
    assert_int_equal(out_row.counts.deleted_files, 1);
    assert_i64_eq(out_row.counts.added_rows, 3);
    assert_i64_eq(out_row.counts.existing_rows, 0);
    assert_i64_eq(out_row.counts.deleted_rows, 7);
    assert_true(out_row.has_partitions);
    assert_u64_eq(out_row.partition_count, 1);
    assert_true(out_row.partitions[0].contains_null);
    assert_bytes_eq(out_row.partitions[0].lower, span_of("\xfd\xff\xff\xff", 4));
    assert_bytes_eq(out_row.partitions[0].upper, span_of("\x38\x4a\x00\x00", 4));
    struct span file = {out.data + 6, out.len - 6};

    assert_ok(iceberg_manifest_read(file, &row, describe, &text, &e), &e);
    /* Snapshot id -1 was written as null, so the row's is taken. */
    char want[sizeof whole_text + 8];

    (void)snprintf(want, sizeof want, "1 77%s", whole_text + 4);
    assert_text_eq(buf_span(&text), want);
    /* What readers need to know before the first entry. */
    struct avro_reader *r;

    assert_ok(avro_reader_open(file, &r, &e), &e);
    assert_text_eq(avro_reader_meta(r, "schema"),
                   "{\"type\":\"struct\",\"schema-id\":4,\"fields\":[]}");
    assert_text_eq(avro_reader_meta(r, "schema-id"), "4");
    assert_text_eq(avro_reader_meta(r, "partition-spec"), "[]");
    assert_text_eq(avro_reader_meta(r, "partition-spec-id"), "2");
    assert_text_eq(avro_reader_meta(r, "format-version"), "2");
    assert_text_eq(avro_reader_meta(r, "content"), "data");
    assert_text_eq(avro_reader_meta(r, "avro.codec"), "deflate");
    avro_reader_free(r);
    buf_deinit(&out);
    buf_deinit(&text);
    arena_deinit(&arena);
}

TEST(test_manifest__sums_up_what_it_holds)
{
    struct iceberg_manifest_writer *w;
    struct iceberg_manifest_row got;
    struct buf out = {0};
    struct arena arena;
    struct rand rand;
    struct err e = {0};

    arena_init(&arena, 0);
    /* No entry at all, and no partition. */
    open_writer(&rand, NULL, &out, &w);
    assert_ok(iceberg_manifest_finish(w, &arena, &got, &e), &e);
    iceberg_manifest_free(w);
    assert_i64_eq(got.min_sequence_number, -1);
    assert_true(got.has_partitions);
    assert_u64_eq(got.partition_count, 0);
    /* Only nulls: no bounds. */
    open_writer(&rand, "d", &out, &w);
    assert_ok(iceberg_manifest_add(w,
                                   &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_ADDED,
                                                                    .sequence_number = -1,
                                                                    .file = &files[1]},
                                   &e),
              &e);
    assert_ok(iceberg_manifest_finish(w, &arena, &got, &e), &e);
    iceberg_manifest_free(w);
    assert_true(got.partitions[0].contains_null);
    assert_false(got.partitions[0].has_lower || got.partitions[0].has_upper);
    assert_i64_eq(got.min_sequence_number, -1);
    /* No null. */
    open_writer(&rand, "d", &out, &w);
    for (int i = 0; i < 2; i++) {
        assert_ok(
            iceberg_manifest_add(w,
                                 &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_EXISTING,
                                                                  .sequence_number = 9 - i,
                                                                  .file = &files[i == 0 ? 2 : 0]},
                                 &e),
            &e);
    }
    assert_ok(iceberg_manifest_finish(w, &arena, &got, &e), &e);
    iceberg_manifest_free(w);
    assert_false(got.partitions[0].contains_null);
    assert_true(got.partitions[0].has_lower && got.partitions[0].has_upper);
    assert_i64_eq(got.min_sequence_number, 8);
    iceberg_manifest_free(NULL);
    buf_deinit(&out);
    arena_deinit(&arena);
}

TEST(test_manifest__makes_avro_names_of_partition_names)
{
    static const struct {
        const char *name;
        const char *field;
    } known[] = {
        {"date", "{\"name\":\"date\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}"
                 "],\"default\":null,\"field-id\":1003}"},
        {"a day",
         "{\"name\":\"a_x20day\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":"
         "\"date\"}],\"default\":null,\"iceberg-field-name\":\"a day\",\"field-id\":1003}"},
        {"1st", "{\"name\":\"_1st\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}]"
                ",\"default\":null,\"iceberg-field-name\":\"1st\",\"field-id\":1003}"},
        {"\"", "{\"name\":\"_x22\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}],"
               "\"default\":null,\"iceberg-field-name\":\"\\\"\",\"field-id\":1003}"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct iceberg_manifest_writer *w;
        struct avro_reader *r;
        struct buf out = {0};
        struct rand rand;
        struct err e = {0};

        open_writer(&rand, known[i].name, &out, &w);
        assert_ok(avro_reader_open(buf_span(&out), &r, &e), &e);
        struct span schema = avro_reader_meta(r, "avro.schema");
        char *text = str_ndup(schema.data, schema.len);

        if (strstr(text, known[i].field) == NULL) {
            fail_msg("%s is not in %s", known[i].field, text);
        }
        free(text);
        avro_reader_free(r);
        iceberg_manifest_free(w);
        buf_deinit(&out);
    }
}

static void read_corpus(const char *name, const struct iceberg_manifest_row *of, struct buf *text)
{
    struct buf file = {0};
    struct err e = {0};

    corpus_load("iceberg_manifest", name, &file);
    buf_reset(text);
    assert_ok(iceberg_manifest_read(buf_span(&file), of, describe, text, &e), &e);
    buf_deinit(&file);
}

/* Version 1 knows no sequence numbers and no content; test_foreign.c has whole tables. */
TEST(test_manifest__reads_version_1)
{
    struct buf text = {0};

    read_corpus("java_v1_plain.avro",
                &(struct iceberg_manifest_row){.sequence_number = 0, .added_snapshot_id = 77},
                &text);
    assert_non_null(strstr(
        buf_cstr(&text),
        " 0 0 content 0 f1.parquet PARQUET rows 20 bytes 1234 day -1 [1:100,20,0,-1,"
        "0100000000000000,1400000000000000] [3:-1,20,1,-1,61,-] [5:-1,20,-1,2,-,-] split 4 split "
        "500 order 0\n"));
    buf_deinit(&text);
}

static const char tiny_schema[] =
    "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["
    "{\"name\":\"status\",\"type\":\"int\",\"field-id\":0},"
    "{\"name\":\"sequence_number\",\"type\":[\"null\",\"long\"],\"field-id\":3},"
    "{\"name\":\"data_file\",\"type\":{\"type\":\"record\",\"name\":\"r2\",\"fields\":["
    "{\"name\":\"content\",\"type\":\"int\",\"field-id\":134},"
    "{\"name\":\"file_path\",\"type\":\"string\",\"field-id\":100},"
    "{\"name\":\"partition\",\"type\":{\"type\":\"record\",\"name\":\"r102\",\"fields\":[]},"
    "\"field-id\":102},"
    "{\"name\":\"record_count\",\"type\":\"long\",\"field-id\":103},"
    "{\"name\":\"file_size_in_bytes\",\"type\":\"long\",\"field-id\":104},"
    "{\"name\":\"value_counts\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\","
    "\"name\":\"k119_v120\",\"fields\":[{\"name\":\"key\",\"type\":\"long\",\"field-id\":119},"
    "{\"name\":\"value\",\"type\":\"long\",\"field-id\":120}]}},\"field-id\":109}"
    "]},\"field-id\":2}]}";

struct tiny {
    int32_t status;
    int64_t sequence_number; /* -1: null */
    int32_t content;
    const char *path;
    size_t path_bytes;
    int64_t records;
    int64_t bytes;
    int64_t metric_id;
};

static void write_tiny(struct buf *out, const char *schema, const struct tiny *t)
{
    struct avro_writer w;
    struct rand rand;
    struct err e = {0};

    rand_seed(&rand, 1);
    buf_reset(out);
    avro_writer_init(&w, out, schema, NULL, 0, AVRO_CODEC_NULL, &rand);
    avro_put_int(&w.block, t->status);
    avro_put_union(&w.block, t->sequence_number < 0 ? 0 : 1);
    if (t->sequence_number >= 0) {
        avro_put_long(&w.block, t->sequence_number);
    }
    avro_put_int(&w.block, t->content);
    avro_put_bytes(&w.block, span_of(t->path, t->path_bytes));
    avro_put_long(&w.block, t->records);
    avro_put_long(&w.block, t->bytes);
    avro_put_array_start(&w.block, 1);
    avro_put_long(&w.block, t->metric_id);
    avro_put_long(&w.block, 5);
    avro_put_array_end(&w.block);
    assert_ok(avro_writer_end_record(&w, &e), &e);
    assert_ok(avro_writer_finish(&w, &e), &e);
    avro_writer_deinit(&w);
}

static char *without(const char *text, const char *part, const char *instead)
{
    const char *at = strstr(text, part);

    assert_non_null(at);
    return str_format("%.*s%s%s", (int)(at - text), text, instead, at + strlen(part));
}

TEST(test_manifest__refuses_entries_that_make_no_sense)
{
    static const struct tiny good = {1, -1, 0, "file:///a", 9, 1, 2, 3};
    struct tiny bad[] = {good, good, good, good, good, good, good, good};
    static const enum err_code codes[] = {ERR_CORRUPT, ERR_CORRUPT,     ERR_CORRUPT, ERR_CORRUPT,
                                          ERR_CORRUPT, ERR_UNSUPPORTED, ERR_CORRUPT, ERR_CORRUPT};
    struct buf file = {0};
    struct buf text = {0};
    struct err e = {0};

    bad[0].status = 3;
    bad[1].status = -1;
    bad[2].status = 0; /* existing without a number of its own */
    bad[3].path_bytes = 0;
    bad[4].path = "file\0//a";
    bad[5].content = 3;
    bad[6].records = -1;
    bad[7].bytes = -1;
    write_tiny(&file, tiny_schema, &good);
    assert_ok(iceberg_manifest_read(buf_span(&file), &row, describe, &text, &e), &e);
    assert_text_eq(buf_span(&text), "1 77 5 5 content 0 a  rows 1 bytes 2 [3:-1,5,-1,-1,-,-]\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_tiny(&file, tiny_schema, &bad[i]);
        enum err_code rc = iceberg_manifest_read(buf_span(&file), &row, describe, &text, &e);

        if (rc != codes[i]) {
            fail_msg("%zu: %s", i, err_code_name(rc));
        }
    }
    /* A metric of a column that cannot be. */
    struct tiny odd = good;

    odd.metric_id = INT64_C(1) << 40;
    write_tiny(&file, tiny_schema, &odd);
    assert_err(iceberg_manifest_read(buf_span(&file), &row, describe, &text, &e), ERR_CORRUPT, &e);

    /* Existing entries of a manifest from before sequence numbers have number 0. */
    odd = good;
    odd.status = 0;
    write_tiny(&file, tiny_schema, &odd);
    buf_reset(&text);
    assert_ok(iceberg_manifest_read(buf_span(&file),
                                    &(struct iceberg_manifest_row){.added_snapshot_id = 7},
                                    describe, &text, &e),
              &e);
    assert_text_eq(buf_span(&text), "0 7 0 0 content 0 a  rows 1 bytes 2 [3:-1,5,-1,-1,-,-]\n");

    /* Schemas without what is needed. */
    static const char *const parts[][2] = {
        {"\"field-id\":2}", "\"field-id\":5}"},   {"\"field-id\":0}", "\"field-id\":5}"},
        {"\"field-id\":100}", "\"field-id\":5}"}, {"\"field-id\":102}", "\"field-id\":5}"},
        {"\"field-id\":103}", "\"field-id\":5}"},
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *schema = without(tiny_schema, parts[i][0], parts[i][1]);

        write_tiny(&file, schema, &good);
        assert_err(iceberg_manifest_read(buf_span(&file), &row, describe, &text, &e), ERR_CORRUPT,
                   &e);
        free(schema);
    }
    buf_deinit(&file);
    buf_deinit(&text);
}

static enum err_code refuse(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    int *calls = ctx;

    (void)entry;
    (*calls)++;
    return err_set(e, ERR_CANCELLED, "enough");
}

TEST(test_manifest__stops_when_it_is_told_to)
{
    struct iceberg_manifest_writer *w;
    struct iceberg_manifest_row got;
    struct buf out = {0};
    struct arena arena;
    struct rand rand;
    struct err e = {0};
    int calls = 0;

    arena_init(&arena, 0);
    open_writer(&rand, "date", &out, &w);
    write_whole(w);
    assert_ok(iceberg_manifest_finish(w, &arena, &got, &e), &e);
    iceberg_manifest_free(w);
    assert_err(iceberg_manifest_read(buf_span(&out), &row, refuse, &calls, &e), ERR_CANCELLED, &e);
    assert_int_equal(calls, 1);
    buf_deinit(&out);
    arena_deinit(&arena);
}

TEST(test_manifest__rejects_every_truncation)
{
    static const char *const names[] = {"java_day_plain.avro", "java_odd_plain.avro"};
    struct buf file = {0};
    struct buf text = {0};
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        size_t fine = 0;

        corpus_load("iceberg_manifest", names[i], &file);
        for (size_t len = 0; len < file.len; len++) {
            uint8_t *copy = malloc(len + 1);

            memcpy(copy, file.data, len);
            buf_reset(&text);
            enum err_code rc = iceberg_manifest_read(span_of(copy, len), &row, describe, &text, &e);

            assert_true(rc == ERR_CORRUPT || (rc == ERR_OK && text.len == 0));
            fine += rc == ERR_OK ? 1 : 0;
            free(copy);
        }
        /* A file may end where its header does: it has no entry then. */
        assert_u64_eq(fine, 1);
    }
    buf_deinit(&file);
    buf_deinit(&text);
}

TEST(test_manifest__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct iceberg_manifest_writer *w = NULL;
        struct iceberg_manifest_row got;
        struct buf out = {0};
        struct arena arena;
        struct rand rand;
        struct err e = {0};
        int64_t seen = 0;

        rand_seed(&rand, 1);
        arena_init(&arena, 0);
        enum err_code rc =
            iceberg_manifest_open(&(struct iceberg_manifest_options){.schema_json = "{}",
                                                                     .spec_fields_json = "[]",
                                                                     .by_day = true,
                                                                     .partition_name = "date",
                                                                     .rand = &rand},
                                  &out, &w, &e);

        if (rc == ERR_OK) {
            rc = iceberg_manifest_add(
                w,
                &(struct iceberg_manifest_entry){.status = ICEBERG_ENTRY_ADDED, .file = &files[0]},
                &e);
        }
        if (rc == ERR_OK) {
            rc = iceberg_manifest_finish(w, &arena, &got, &e);
        }
        if (rc == ERR_OK) {
            struct buf text = {0};

            rc = iceberg_manifest_read(buf_span(&out), &row, describe, &text, &e);
            seen = (int64_t)text.len;
            buf_deinit(&text);
        }
        assert_true(rc == ERR_NOMEM || (rc == ERR_OK && seen > 0));
        iceberg_manifest_free(w);
        buf_deinit(&out);
        arena_deinit(&arena);
    }
}

TEST_MAIN(test_case(test_manifest__reads_what_it_wrote),
          test_case(test_manifest__sums_up_what_it_holds),
          test_case(test_manifest__makes_avro_names_of_partition_names),
          test_case(test_manifest__reads_version_1),
          test_case(test_manifest__refuses_entries_that_make_no_sense),
          test_case(test_manifest__stops_when_it_is_told_to),
          test_case(test_manifest__rejects_every_truncation),
          test_case(test_manifest__survives_lack_of_memory))
