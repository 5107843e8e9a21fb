/* test_foreign.c - tables that Java and PyIceberg made: read, appended to, replaced. */
#include "corpus.h"
#include "lake.h"

/* Takes over a table of the corpus with all files that it names. */
static void adopt(struct lake *l, const char *table)
{
    struct buf file = {0};
    struct err e = {0};
    struct snapshot_views all;
    char name[256];

    *l = (struct lake){.store = fake_store_new(), .now_ms = INT64_C(1800000000000)};
    l->retention = (struct iceberg_retention){1, 1};
    rand_seed(&l->rand, 1);
    (void)snprintf(name, sizeof name, "%s.json", table);
    corpus_load("iceberg_metadata", name, &file);
    assert_ok(iceberg_metadata_parse(buf_span(&file), &l->metadata, &e), &e);
    l->location =
        str_format("%s/metadata/00006-x.metadata.json", iceberg_metadata_location(l->metadata));
    l->version = 7;
    assert_true(fake_store_set(l->store, l->location, buf_span(&file)));
    assert_ok(metadata_snapshots(l->metadata, &all, &e), &e);
    for (uint32_t i = 0; i < all.count; i++) {
        struct iceberg_manifest_list list;
        const char *at = all.items[i].manifest_list;
        bool last = i + 1 == all.count;

        /* Of some tables only the last snapshot is kept. */
        if (!last && strcmp(table, "java_day") != 0 && strcmp(table, "pyiceberg") != 0) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s_%s", table, strrchr(at, '/') + 1);
        corpus_load("iceberg_manifest", name, &file);
        assert_true(fake_store_set(l->store, at, buf_span(&file)));
        assert_ok(iceberg_manifest_list_read(buf_span(&file), &list, &e), &e);
        for (uint32_t r = 0; r < list.count; r++) {
            (void)snprintf(name, sizeof name, "%s_%s", table, strrchr(list.rows[r].path, '/') + 1);
            corpus_load("iceberg_manifest", name, &file);
            assert_i64_eq(file.len, list.rows[r].length_bytes);
            assert_true(fake_store_set(l->store, list.rows[r].path, buf_span(&file)));
        }
        iceberg_manifest_list_deinit(&list);
    }
    free(all.items);
    buf_deinit(&file);
}

static enum err_code describe(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    const struct iceberg_data_file *f = entry->file;
    struct buf *out = ctx;
    char day[16] = "null";
    char order[16] = "null";

    if (f->has_day) {
        (void)snprintf(day, sizeof day, "%d", f->day);
    }
    if (entry->has_sort_order) {
        (void)snprintf(order, sizeof order, "%d", entry->sort_order_id);
    }
    buf_printf(out,
               "%d %s %.*s rows %" PRId64 " day %s seq %" PRId64 "/%" PRId64 " content %d columns "
               "%u splits %u order %s\n",
               entry->status, strrchr(f->path, '/') + 1, (int)entry->format.len,
               (const char *)entry->format.data, f->record_count, day, entry->sequence_number,
               entry->file_sequence_number, entry->content, f->column_count, f->split_count, order);
    return buf_check(out, e, "description");
}

/* The manifests of the current snapshot and their entries, as text. */
static void describe_all(const struct lake *l, struct buf *out)
{
    struct iceberg_manifest_list list;

    buf_reset(out);
    lake_list(l, &list);
    for (uint32_t i = 0; i < list.count; i++) {
        const struct iceberg_manifest_row *r = &list.rows[i];

        buf_printf(out,
                   "manifest seq %" PRId64 "/%" PRId64 " content %d files %d %d %d partitions %u\n",
                   r->sequence_number, r->min_sequence_number, r->content, r->counts.added_files,
                   r->counts.existing_files, r->counts.deleted_files, r->partition_count);
        lake_read_manifest(l, r, describe, out);
    }
    iceberg_manifest_list_deinit(&list);
}

static size_t count_in(struct buf *text, const char *part)
{
    size_t count = 0;

    for (const char *at = buf_cstr(text); (at = strstr(at, part)) != NULL; at++) {
        count++;
    }
    return count;
}

TEST(test_foreign__appends_to_a_table_of_java)
{
    struct lake l;
    struct buf text = {0};

    adopt(&l, "java_day");
    describe_all(&l, &text);
    static const char delete_part[] = "manifest seq 5/5 content 1 files 2 0 0 partitions 1\n"
                                      "1 pos-deletes.parquet PARQUET rows 2 day 19782 seq 5/5 "
                                      "content 1 columns 0 splits 0 order null\n"
                                      "1 eq-deletes.parquet PARQUET rows 1 day 19782 seq 5/5 "
                                      "content 2 columns 0 splits 0 order 0\n";
    static const char data_part[] =
        "manifest seq 4/1 content 0 files 0 3 1 partitions 1\n"
        "0 f3.parquet PARQUET rows 40 day 19783 seq 3/3 content 0 columns 3 splits 2 order 0\n"
        "0 f2.parquet PARQUET rows 30 day null seq 2/2 content 0 columns 3 splits 2 order 0\n"
        "0 f0.parquet PARQUET rows 10 day 19782 seq 1/1 content 0 columns 3 splits 2 order 0\n"
        "2 f1.parquet PARQUET rows 20 day -1 seq 1/1 content 0 columns 3 splits 2 order 0\n";
    char want[2048];

    (void)snprintf(want, sizeof want, "%s%s", data_part, delete_part);
    assert_text_eq(buf_span(&text), want);

    /* Two of three that it takes to merge: Java's manifests are carried along as they are. */
    (void)lake_add(&l, 1, 20000, false);
    assert_string_equal(lake_summary(&l, "total-records"), "90");
    assert_string_equal(lake_summary(&l, "total-data-files"), "4");
    assert_string_equal(lake_summary(&l, "total-delete-files"), "2");
    assert_string_equal(lake_summary(&l, "total-position-deletes"), "2");
    assert_string_equal(lake_summary(&l, "total-equality-deletes"), "1");
    assert_string_equal(lake_summary(&l, "calve.lineage"), "6 1 6 6");
    describe_all(&l, &text);
    assert_non_null(strstr(buf_cstr(&text), data_part));
    assert_non_null(strstr(buf_cstr(&text), delete_part));

    (void)lake_add(&l, 1, 20001, false);
    describe_all(&l, &text);
    const char *merged = strstr(buf_cstr(&text), "manifest seq 7/1 content 0 files 1 4 0");

    assert_non_null(merged);
    assert_non_null(strstr(merged, "\n1 00001"));
    assert_non_null(strstr(merged, "\n0 00000"));
    assert_non_null(strstr(merged, "\n0 f3.parquet PARQUET rows 40 day 19783 seq 3/3 content 0 "
                                   "columns 3 splits 2 order 0\n"
                                   "0 f2.parquet PARQUET rows 30 day null seq 2/2 content 0 "
                                   "columns 3 splits 2 order 0\n"
                                   "0 f0.parquet PARQUET rows 10 day 19782 seq 1/1 content 0 "
                                   "columns 3 splits 2 order 0\n"));
    assert_null(strstr(merged, " f1.parquet"));
    assert_non_null(strstr(buf_cstr(&text), delete_part));
    /* Java's snapshots stay, and its tag and branch. */
    assert_u64_eq(iceberg_metadata_snapshot_count(l.metadata), 6);
    assert_u64_eq(json_object_size(json_object_get(l.metadata->root, "refs")), 3);
    buf_deinit(&text);
    lake_close(&l);
}

TEST(test_foreign__names_no_live_files_where_rows_were_deleted)
{
    struct lake l;
    struct iceberg_data_file **files = NULL;
    uint32_t count = 0;
    struct err e = {0};

    adopt(&l, "java_day");
    assert_err(iceberg_live_files(l.store, l.metadata, iceberg_metadata_snapshot_id(l.metadata),
                                  &files, &count, &e),
               ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "the table has delete files"));
    assert_non_null(strstr(e.msg, "rewrite its files"));
    assert_null(files);
    assert_u64_eq(count, 0);
    lake_close(&l);
}

static enum err_code take_f3(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct iceberg_data_file **f3 = ctx;

    (void)e;
    if (str_ends_with(entry->file->path, "/f3.parquet")) {
        assert_null(*f3);
        *f3 = iceberg_data_file_copy(entry->file);
        assert_non_null(*f3);
    }
    return ERR_OK;
}

TEST(test_foreign__keeps_bounds_through_a_merge)
{
    struct lake l;
    struct iceberg_manifest_list list = {0};
    struct iceberg_data_file *f3 = NULL;

    adopt(&l, "java_day");
    (void)lake_add(&l, 1, 20000, false);
    (void)lake_add(&l, 1, 20000, false);
    lake_list(&l, &list);
    for (uint32_t i = 0; i < list.count; i++) {
        lake_read_manifest(&l, &list.rows[i], take_f3, &f3);
    }
    assert_non_null(f3);

    assert_true(str_ends_with(f3->path, "/f3.parquet"));
    assert_i64_eq(f3->columns[0].field_id, 1);
    assert_i64_eq(f3->columns[0].column_bytes, 100);
    assert_bytes_eq(f3->columns[0].lower, span_of("\x01\0\0\0\0\0\0\0", 8));
    assert_bytes_eq(f3->columns[0].upper, span_of("\x28\0\0\0\0\0\0\0", 8));
    assert_i64_eq(f3->columns[1].field_id, 3);
    assert_true(f3->columns[1].has_lower && !f3->columns[1].has_upper);
    assert_i64_eq(f3->columns[1].null_count, 1);
    assert_i64_eq(f3->columns[2].nan_count, 2);
    assert_i64_eq(f3->columns[2].null_count, -1);
    assert_i64_eq(f3->split_offsets[1], 500);
    iceberg_data_file_free(f3);
    iceberg_manifest_list_deinit(&list);
    lake_close(&l);
}

TEST(test_foreign__refuses_what_it_cannot_do)
{
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};
    const struct iceberg_change replace = {.replace_all = true};

    adopt(&l, "java_day");
    size_t objects = fake_store_count(l.store, "");

    assert_err(lake_prepare(&l, &replace, &a, &e), ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "delete files"));
    assert_u64_eq(fake_store_count(l.store, ""), objects);
    lake_close(&l);

    adopt(&l, "java_odd");
    assert_err(lake_prepare(&l, &replace, &a, &e), ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "partition spec 0"));
    /* Properties can be set on any table of version 2. */
    static const struct iceberg_property property[] = {{"a", "b"}};

    assert_i64_eq(
        lake_commit(&l, &(struct iceberg_change){.properties = property, .property_count = 1}), -1);
    lake_close(&l);

    adopt(&l, "java_v1");
    assert_err(lake_prepare(&l, &replace, &a, &e), ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "format version 1"));
    lake_close(&l);
}

TEST(test_foreign__goes_on_after_pyiceberg)
{
    struct lake l;
    struct buf text = {0};

    adopt(&l, "pyiceberg");
    assert_string_equal(lake_summary(&l, "total-records"), "2");
    describe_all(&l, &text);
    assert_non_null(strstr(buf_cstr(&text), "day null seq 5/5"));
    (void)lake_add(&l, 2, 20000, false);
    assert_string_equal(lake_summary(&l, "total-records"), "22");
    describe_all(&l, &text);
    assert_non_null(strstr(buf_cstr(&text), "day null seq 5/5"));
    (void)lake_add(&l, 1, 20000, true);
    assert_string_equal(lake_summary(&l, "operation"), "overwrite");
    assert_string_equal(lake_summary(&l, "total-records"), "10");
    assert_string_equal(lake_summary(&l, "deleted-records"), "22");
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "4");
    describe_all(&l, &text);
    assert_non_null(strstr(buf_cstr(&text), "manifest seq 7/7 content 0 files 1 0 4"));
    /* PyIceberg's five snapshots stay; ours of a moment ago does not, and its files neither. */
    assert_u64_eq(iceberg_metadata_snapshot_count(l.metadata), 6);
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), 1);
    buf_deinit(&text);
    lake_close(&l);
}

/* PyIceberg says of no file how it is sorted, and we do not say it in its stead. */
TEST(test_foreign__keeps_sort_orders_that_are_not_said)
{
    static const struct iceberg_property merge[] = {{"commit.manifest.min-count-to-merge", "2"}};
    struct lake l;
    struct buf text = {0};

    adopt(&l, "pyiceberg");
    (void)lake_commit(&l, &(struct iceberg_change){.properties = merge, .property_count = 1});
    (void)lake_add(&l, 1, 20000, false);
    describe_all(&l, &text);
    assert_u64_eq(count_in(&text, "\n0 "), 2);
    assert_u64_eq(count_in(&text, "\n1 "), 1);
    assert_u64_eq(count_in(&text, "columns 4 splits 1 order null\n"), 2);
    assert_u64_eq(count_in(&text, "columns 3 splits 1 order 0\n"), 1);
    (void)lake_add(&l, 1, 20000, true);
    describe_all(&l, &text);
    assert_u64_eq(count_in(&text, "\n2 "), 3);
    assert_u64_eq(count_in(&text, "columns 4 splits 1 order null\n"), 2);
    assert_u64_eq(count_in(&text, "columns 3 splits 1 order 0\n"), 2);
    buf_deinit(&text);
    lake_close(&l);
}

/* A list of version 1 may lack the counts that version 2 needs. */
TEST(test_foreign__counts_what_a_list_does_not_say)
{
    struct lake l;
    struct iceberg_manifest_list list;
    struct snapshot_view s;
    struct buf file = {0};
    struct err e = {0};

    lake_open(&l, true, NULL, 0);
    (void)lake_add(&l, 2, 100, false);
    lake_list(&l, &list);
    list.rows[0].counts = (struct iceberg_manifest_counts){-1, -1, -1, -1, -1, -1};
    const struct iceberg_manifest_row *rows[] = {&list.rows[0]};
    const struct iceberg_manifest_list_head head = {
        .snapshot_id = 1, .parent_snapshot_id = -1, .sequence_number = 1, .rand = &l.rand};

    assert_ok(iceberg_manifest_list_write(&head, rows, 1, &file, &e), &e);
    assert_true(metadata_snapshot(l.metadata, iceberg_metadata_snapshot_id(l.metadata), &s));
    assert_true(fake_store_set(l.store, s.manifest_list, buf_span(&file)));
    iceberg_manifest_list_deinit(&list);
    (void)lake_add(&l, 1, 100, false);
    lake_list(&l, &list);
    assert_u64_eq(list.count, 2);
    assert_int_equal(list.rows[1].counts.added_files, 2);
    assert_i64_eq(list.rows[1].counts.added_rows, 20);
    assert_int_equal(list.rows[1].counts.existing_files, 0);
    iceberg_manifest_list_deinit(&list);
    buf_deinit(&file);
    lake_close(&l);
}

TEST_MAIN(test_case(test_foreign__appends_to_a_table_of_java),
          test_case(test_foreign__names_no_live_files_where_rows_were_deleted),
          test_case(test_foreign__keeps_bounds_through_a_merge),
          test_case(test_foreign__refuses_what_it_cannot_do),
          test_case(test_foreign__goes_on_after_pyiceberg),
          test_case(test_foreign__keeps_sort_orders_that_are_not_said),
          test_case(test_foreign__counts_what_a_list_does_not_say))
