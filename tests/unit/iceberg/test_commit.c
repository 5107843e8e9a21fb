/* test_commit.c - appends, overwrites, merges, properties; what an attempt leaves behind. */
#include "iceberg/commit.h"

#include "lake.h"

static const struct iceberg_property clean_properties[] = {
    {"write.metadata.delete-after-commit.enabled", "true"},
    {"write.metadata.previous-versions-max", "5"},
};

/* What a manifest holds, for comparing. */
struct entries {
    struct {
        enum iceberg_entry_status status;
        int64_t snapshot_id;
        int64_t sequence_number;
        int64_t file_sequence_number;
        int32_t day;
        bool has_day;
        int64_t records;
    } items[256];
    uint32_t count;
};

static enum err_code collect(void *ctx, const struct iceberg_manifest_entry *entry, struct err *e)
{
    struct entries *all = ctx;

    (void)e;
    assert_true(all->count < 256);
    all->items[all->count].status = entry->status;
    all->items[all->count].snapshot_id = entry->snapshot_id;
    all->items[all->count].sequence_number = entry->sequence_number;
    all->items[all->count].file_sequence_number = entry->file_sequence_number;
    all->items[all->count].day = entry->file->day;
    all->items[all->count].has_day = entry->file->has_day;
    all->items[all->count].records = entry->file->record_count;
    all->count++;
    return ERR_OK;
}

TEST(test_commit__appends_a_first_snapshot)
{
    struct lake l;
    struct iceberg_manifest_list list;
    struct entries entries = {0};

    lake_open(&l, true, clean_properties, 2);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.metadata), -1);
    int64_t id = lake_add(&l, 2, 19000, false);

    assert_true(id > 0);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.metadata), id);
    assert_string_equal(lake_summary(&l, "operation"), "append");
    assert_string_equal(lake_summary(&l, "added-data-files"), "2");
    assert_string_equal(lake_summary(&l, "added-records"), "20");
    assert_string_equal(lake_summary(&l, "added-files-size"), "2020");
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "2");
    assert_string_equal(lake_summary(&l, "deleted-data-files"), "(none)");
    assert_string_equal(lake_summary(&l, "total-records"), "20");
    assert_string_equal(lake_summary(&l, "total-data-files"), "2");
    assert_string_equal(lake_summary(&l, "total-files-size"), "2020");
    assert_string_equal(lake_summary(&l, "total-delete-files"), "0");
    assert_string_equal(lake_summary(&l, "total-position-deletes"), "0");
    assert_string_equal(lake_summary(&l, "total-equality-deletes"), "0");
    assert_string_equal(lake_summary(&l, "calve.run"), "r1");
    assert_string_equal(lake_summary(&l, "calve.lineage"), "1 1 1 1");
    lake_list(&l, &list);
    assert_u64_eq(list.count, 1);
    assert_i64_eq(list.rows[0].sequence_number, 1);
    assert_i64_eq(list.rows[0].min_sequence_number, 1);
    assert_i64_eq(list.rows[0].added_snapshot_id, id);
    assert_i64_eq(list.rows[0].counts.added_files, 2);
    assert_i64_eq(list.rows[0].counts.added_rows, 20);
    assert_i64_eq(list.rows[0].counts.existing_files, 0);
    assert_u64_eq(list.rows[0].partition_count, 1);
    int32_t bounds[2];

    memcpy(&bounds[0], list.rows[0].partitions[0].lower.data, 4);
    memcpy(&bounds[1], list.rows[0].partitions[0].upper.data, 4);
    assert_int_equal(bounds[0], 19000);
    assert_int_equal(bounds[1], 19001);
    assert_false(list.rows[0].partitions[0].contains_null);
    lake_read_manifest(&l, &list.rows[0], collect, &entries);
    assert_u64_eq(entries.count, 2);
    assert_int_equal(entries.items[1].status, ICEBERG_ENTRY_ADDED);
    assert_i64_eq(entries.items[1].snapshot_id, id);
    assert_i64_eq(entries.items[1].sequence_number, 1);
    assert_i64_eq(entries.items[1].file_sequence_number, 1);
    assert_int_equal(entries.items[1].day, 19001);
    iceberg_manifest_list_deinit(&list);
    lake_check(&l);
    lake_close(&l);
}

TEST(test_commit__appends_in_front_of_what_is_there)
{
    struct lake l;
    struct iceberg_manifest_list list;
    struct snapshot_view s;

    lake_open(&l, true, clean_properties, 2);
    int64_t first = lake_add(&l, 1, 19000, false);

    l.now_ms += 1000;
    int64_t second = lake_add(&l, 3, 19001, false);

    lake_list(&l, &list);
    assert_u64_eq(list.count, 2);
    assert_i64_eq(list.rows[0].added_snapshot_id, second);
    assert_i64_eq(list.rows[0].sequence_number, 2);
    assert_i64_eq(list.rows[1].added_snapshot_id, first);
    assert_i64_eq(list.rows[1].sequence_number, 1);
    iceberg_manifest_list_deinit(&list);
    assert_true(metadata_snapshot(l.metadata, second, &s));
    assert_i64_eq(s.parent_id, first);
    assert_i64_eq(s.sequence_number, 2);
    assert_i64_eq(json_integer_value(json_object_get(s.json, "schema-id")), 0);
    assert_string_equal(lake_summary(&l, "total-records"), "40");
    assert_string_equal(lake_summary(&l, "total-data-files"), "4");
    assert_string_equal(lake_summary(&l, "calve.lineage"), "2 1 1 1");
    assert_i64_eq(metadata_int(l.metadata, "last-sequence-number", 0), 2);
    json_t *log = json_object_get(l.metadata->root, "snapshot-log");

    assert_u64_eq(json_array_size(log), 2);
    assert_i64_eq(json_integer_value(json_object_get(json_array_get(log, 1), "snapshot-id")),
                  second);
    assert_i64_eq(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(l.metadata->root, "refs"), "main"), "snapshot-id")),
        second);
    lake_check(&l);
    lake_close(&l);
}

TEST(test_commit__replaces_everything)
{
    struct lake l;
    struct iceberg_manifest_list list;
    struct entries entries = {0};

    lake_open(&l, true, clean_properties, 2);
    int64_t first = lake_add(&l, 2, 19000, false);
    int64_t second = lake_add(&l, 1, 19001, false);
    int64_t third = lake_add(&l, 1, 19005, true);

    (void)first;
    assert_string_equal(lake_summary(&l, "operation"), "overwrite");
    assert_string_equal(lake_summary(&l, "added-data-files"), "1");
    assert_string_equal(lake_summary(&l, "deleted-data-files"), "3");
    assert_string_equal(lake_summary(&l, "deleted-records"), "30");
    assert_string_equal(lake_summary(&l, "removed-files-size"), "3030");
    assert_string_equal(lake_summary(&l, "total-data-files"), "1");
    assert_string_equal(lake_summary(&l, "total-records"), "10");
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "3");
    assert_string_equal(lake_summary(&l, "calve.lineage"), "3 1 1 4");
    lake_list(&l, &list);
    assert_u64_eq(list.count, 1);
    assert_i64_eq(list.rows[0].counts.added_files, 1);
    assert_i64_eq(list.rows[0].counts.deleted_files, 3);
    assert_i64_eq(list.rows[0].min_sequence_number, 3);
    lake_read_manifest(&l, &list.rows[0], collect, &entries);
    assert_u64_eq(entries.count, 4);
    assert_int_equal(entries.items[0].status, ICEBERG_ENTRY_ADDED);
    assert_int_equal(entries.items[1].status, ICEBERG_ENTRY_DELETED);
    assert_i64_eq(entries.items[1].snapshot_id, third);
    assert_i64_eq(entries.items[1].sequence_number, 2);
    assert_i64_eq(entries.items[3].sequence_number, 1);
    assert_i64_eq(entries.items[3].file_sequence_number, 1);
    iceberg_manifest_list_deinit(&list);
    lake_check(&l);

    /* The next append does not carry on what was deleted, and keeps the rest. */
    (void)second;
    (void)lake_add(&l, 1, 19006, false);
    lake_list(&l, &list);
    assert_u64_eq(list.count, 2);
    iceberg_manifest_list_deinit(&list);
    assert_string_equal(lake_summary(&l, "total-data-files"), "2");
    lake_check(&l);
    lake_close(&l);
}

/* What an overwrite is called, and when it is none at all. */
TEST(test_commit__names_what_an_overwrite_was)
{
    struct lake l;

    lake_open(&l, false, NULL, 0);
    assert_i64_eq(lake_add(&l, 0, 0, true), -1);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.metadata), -1);
    (void)lake_add(&l, 1, 0, true);
    assert_string_equal(lake_summary(&l, "operation"), "append");
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "1");
    (void)lake_add(&l, 0, 0, true);
    assert_string_equal(lake_summary(&l, "operation"), "delete");
    assert_string_equal(lake_summary(&l, "total-data-files"), "0");
    /* Only DELETED entries are left: nothing is live, so nothing is replaced. */
    assert_i64_eq(lake_add(&l, 0, 0, true), -1);
    (void)lake_add(&l, 2, 0, true);
    assert_string_equal(lake_summary(&l, "operation"), "append");
    struct iceberg_manifest_list list;

    lake_list(&l, &list);
    assert_u64_eq(list.count, 1);
    assert_i64_eq(list.rows[0].counts.deleted_files, 0);
    iceberg_manifest_list_deinit(&list);
    lake_check(&l);
    lake_close(&l);
}

TEST(test_commit__sets_properties_without_a_snapshot)
{
    static const struct iceberg_property properties[] = {{"calve.checkpoint.a", "{\"n\":1}"},
                                                         {"b", "\xc3\xa4"}};
    static const struct iceberg_property bad[] = {{"a", "\xff"}};
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};

    lake_open(&l, true, clean_properties, 2);
    int64_t id = lake_add(&l, 1, 1, false);
    char *was = str_dup(l.location);

    assert_i64_eq(lake_commit(&l, &(struct iceberg_change){.properties = properties,
                                                           .property_count = 2,
                                                           .retention = l.retention}),
                  -1);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.metadata), id);
    assert_string_equal(iceberg_metadata_property(l.metadata, "calve.checkpoint.a"), "{\"n\":1}");
    assert_string_equal(iceberg_metadata_property(l.metadata, "b"), "\xc3\xa4");
    assert_string_equal(
        iceberg_metadata_property(l.metadata, "write.metadata.previous-versions-max"), "5");
    assert_true(iceberg_metadata_was_at(l.metadata, was));
    assert_err(
        lake_prepare(&l, &(struct iceberg_change){.properties = bad, .property_count = 1}, &a, &e),
        ERR_CONFIG, &e);
    assert_err(
        lake_prepare(
            &l, &(struct iceberg_change){.replace_all = true, .summary = bad, .summary_count = 1},
            &a, &e),
        ERR_CONFIG, &e);
    free(was);
    lake_check(&l);
    lake_close(&l);
}

TEST(test_commit__removes_metadata_files_that_left_the_log)
{
    struct lake l;

    lake_open(&l, true, clean_properties, 2);
    for (int i = 0; i < 12; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, i, false);
        lake_check(&l);
    }
    assert_u64_eq(json_array_size(json_object_get(l.metadata->root, "metadata-log")), 5);
    lake_close(&l);

    /* Without the setting they stay; the log is cut all the same. */
    lake_open(&l, true, clean_properties + 1, 1);
    for (int i = 0; i < 12; i++) {
        (void)lake_add(&l, 1, i, false);
    }
    size_t json = 0;
    const char *name;

    for (size_t i = 0; (name = fake_store_name(l.store, i)) != NULL; i++) {
        json += str_ends_with(name, ".json") ? 1 : 0;
    }
    assert_u64_eq(json, 13);
    assert_u64_eq(json_array_size(json_object_get(l.metadata->root, "metadata-log")), 5);
    lake_close(&l);
}

TEST(test_commit__never_goes_back_in_time)
{
    struct lake l;

    lake_open(&l, true, NULL, 0);
    l.now_ms += 5000;
    (void)lake_add(&l, 1, 1, false);
    int64_t then = iceberg_metadata_last_updated_ms(l.metadata);

    l.now_ms -= 100000;
    int64_t id = lake_add(&l, 1, 1, false);
    struct snapshot_view s;

    assert_i64_eq(iceberg_metadata_last_updated_ms(l.metadata), then);
    assert_true(metadata_snapshot(l.metadata, id, &s));
    assert_i64_eq(s.timestamp_ms, then);
    lake_close(&l);
}

TEST(test_commit__merges_small_manifests)
{
    static const struct iceberg_property properties[] = {
        {"commit.manifest.min-count-to-merge", "4"},
        {"write.metadata.delete-after-commit.enabled", "true"},
    };
    struct lake l;
    struct iceberg_manifest_list list;
    struct entries entries = {0};
    int64_t ids[5];

    lake_open(&l, true, properties, 2);
    for (int i = 0; i < 3; i++) {
        ids[i] = lake_add(&l, 1, 100 + i, false);
    }
    lake_list(&l, &list);
    assert_u64_eq(list.count, 3);
    iceberg_manifest_list_deinit(&list);
    ids[3] = lake_add(&l, 2, 103, false);
    lake_list(&l, &list);
    assert_u64_eq(list.count, 1);
    assert_i64_eq(list.rows[0].added_snapshot_id, ids[3]);
    assert_i64_eq(list.rows[0].sequence_number, 4);
    assert_i64_eq(list.rows[0].min_sequence_number, 1);
    assert_i64_eq(list.rows[0].counts.added_files, 2);
    assert_i64_eq(list.rows[0].counts.existing_files, 3);
    assert_i64_eq(list.rows[0].counts.existing_rows, 30);
    lake_read_manifest(&l, &list.rows[0], collect, &entries);
    assert_u64_eq(entries.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        bool added = i < 2;
        int64_t sequence = added ? 4 : 5 - (int64_t)i;

        assert_int_equal(entries.items[i].status,
                         added ? ICEBERG_ENTRY_ADDED : ICEBERG_ENTRY_EXISTING);
        assert_i64_eq(entries.items[i].sequence_number, sequence);
        assert_i64_eq(entries.items[i].file_sequence_number, sequence);
        assert_i64_eq(entries.items[i].snapshot_id, ids[sequence - 1]);
        assert_int_equal(entries.items[i].day, added ? 103 + (int)i : 104 - (int)i);
    }
    iceberg_manifest_list_deinit(&list);
    lake_check(&l);
    lake_close(&l);

    /* Not when the table says so. */
    static const struct iceberg_property never[] = {
        {"commit.manifest.min-count-to-merge", "2"},
        {"commit.manifest-merge.enabled", "false"},
    };
    lake_open(&l, true, never, 2);
    for (int i = 0; i < 5; i++) {
        (void)lake_add(&l, 1, 100 + i, false);
    }
    lake_list(&l, &list);
    assert_u64_eq(list.count, 5);
    iceberg_manifest_list_deinit(&list);
    lake_close(&l);
}

TEST(test_commit__lists_live_files)
{
    struct lake l;
    struct iceberg_data_file **files;
    uint32_t count;
    struct err e = {0};

    lake_open(&l, true, NULL, 0);
    assert_err(iceberg_live_files(l.store, l.metadata, 77, &files, &count, &e), ERR_NOT_FOUND, &e);
    (void)lake_add(&l, 2, 100, false);
    (void)lake_add(&l, 1, 200, true);
    int64_t id = lake_add(&l, 1, 300, false);

    assert_ok(iceberg_live_files(l.store, l.metadata, id, &files, &count, &e), &e);
    assert_u64_eq(count, 2);
    assert_int_equal(files[0]->day, 300);
    assert_int_equal(files[1]->day, 200);
    assert_u64_eq(files[0]->column_count, 3);
    assert_text_eq(files[0]->columns[0].lower, "delete");
    assert_i64_eq(files[0]->columns[2].null_count, 10);
    assert_false(files[0]->columns[2].has_lower);
    assert_u64_eq(files[0]->split_count, 1);
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    free(files);
    lake_close(&l);
}

TEST_MAIN(test_case(test_commit__appends_a_first_snapshot),
          test_case(test_commit__appends_in_front_of_what_is_there),
          test_case(test_commit__replaces_everything),
          test_case(test_commit__names_what_an_overwrite_was),
          test_case(test_commit__sets_properties_without_a_snapshot),
          test_case(test_commit__removes_metadata_files_that_left_the_log),
          test_case(test_commit__never_goes_back_in_time),
          test_case(test_commit__merges_small_manifests), test_case(test_commit__lists_live_files))
