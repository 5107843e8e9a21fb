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
        bool has_sort_order;
        int32_t sort_order_id;
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
    all->items[all->count].has_sort_order = entry->has_sort_order;
    all->items[all->count].sort_order_id = entry->sort_order_id;
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
    /* Not null, which some readers cannot take. */
    assert_true(entries.items[0].has_sort_order && entries.items[1].has_sort_order);
    assert_int_equal(entries.items[1].sort_order_id, 0);
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

/* The table may have been partitioned by another column since the file was begun. */
TEST(test_commit__refuses_a_file_whose_day_is_not_its_own)
{
    struct lake l;
    struct iceberg_attempt *a;
    struct err e = {0};

    lake_open(&l, true, NULL, 0);
    struct iceberg_data_file *file = lake_file(&l, 100, 1);
    const struct iceberg_change change = {.added = &file, .added_count = 1};

    assert_ok(lake_prepare(&l, &change, &a, &e), &e);
    assert_ok(iceberg_attempt_undo(a, l.store, &e), &e);
    iceberg_attempt_free(a);
    file->day = 101;
    assert_err(lake_prepare(&l, &change, &a, &e), ERR_UNSUPPORTED, &e);
    file->day = 100;
    file->has_day = false;
    assert_err(lake_prepare(&l, &change, &a, &e), ERR_UNSUPPORTED, &e);
    /* All null: no bounds, no day. */
    file->columns[1].has_lower = false;
    assert_ok(lake_prepare(&l, &change, &a, &e), &e);
    iceberg_attempt_free(a);
    file->has_day = true;
    assert_err(lake_prepare(&l, &change, &a, &e), ERR_UNSUPPORTED, &e);
    file->columns[1].has_lower = true;
    file->columns[1].field_id = 7;
    assert_err(lake_prepare(&l, &change, &a, &e), ERR_UNSUPPORTED, &e);
    assert_non_null(strstr(e.msg, "day of column 2"));
    file->columns[1].field_id = 2;
    file->columns[1].upper.len = 3;
    assert_err(lake_prepare(&l, &change, &a, &e), ERR_UNSUPPORTED, &e);
    file->column_count = 0;
    assert_ok(lake_prepare(&l, &change, &a, &e), &e);
    iceberg_attempt_free(a);
    iceberg_data_file_free(file);
    lake_close(&l);

    /* Days mean nothing where nothing is partitioned. */
    lake_open(&l, false, NULL, 0);
    (void)lake_add(&l, 3, 100, false);
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "1");
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

/* A commit as a catalog makes it whose server writes metadata. */
static struct iceberg_attempt *served(struct lake *l, const struct iceberg_change *change)
{
    struct iceberg_attempt *a;
    struct err e = {0};

    assert_ok(iceberg_attempt_prepare(
                  &(struct iceberg_attempt_options){
                      .store = l->store,
                      .rand = &l->rand,
                      .now_ms = l->now_ms,
                      .base_location = l->location,
                      .base = l->metadata,
                      .change = change,
                      .server_writes_metadata = true,
                      .always_snapshot = true,
                  },
                  &a, &e),
              &e);
    lake_swap(l, a->next);
    assert_ok(iceberg_attempt_clean(a, l->store, &e), &e);
    return a;
}

TEST(test_commit__leaves_metadata_files_to_the_server)
{
    struct lake l;

    lake_open(&l, true, clean_properties, 2);
    l.retention = (struct iceberg_retention){1, 2};
    for (int i = 0; i < 12; i++) {
        struct iceberg_data_file *file = lake_file(&l, i, 1);

        l.now_ms += 1000;
        iceberg_attempt_free(served(
            &l,
            &(struct iceberg_change){.added = &file, .added_count = 1, .retention = l.retention}));
        iceberg_data_file_free(file);
    }
    size_t json = 0;
    size_t lists = 0;
    const char *name;

    for (size_t i = 0; (name = fake_store_name(l.store, i)) != NULL; i++) {
        json += str_ends_with(name, ".json") ? 1 : 0;
        lists += strstr(name, "/snap-") != NULL ? 1 : 0;
    }
    /* Five are named by the log, and one is current; what snapshots alone had is removed. */
    assert_u64_eq(json, 13);
    assert_u64_eq(lists, 2);
    assert_u64_eq(json_array_size(json_object_get(l.metadata->root, "metadata-log")), 5);
    lake_close(&l);
}

TEST(test_commit__makes_a_snapshot_of_nothing_when_asked_to)
{
    static const struct iceberg_property properties[] = {{"n", "1"}};
    const struct iceberg_change change = {
        .properties = properties, .property_count = 1, .retention = {.keep_count = 10}};
    struct lake l;
    struct iceberg_manifest_list list = {0};
    struct iceberg_data_file **files;
    struct err e = {0};
    uint32_t count;

    lake_open(&l, true, clean_properties, 2);
    /* Of an empty table: a list without manifests. */
    struct iceberg_attempt *a = served(&l, &change);

    assert_true(a->snapshot_id >= 0);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.metadata), a->snapshot_id);
    assert_string_equal(lake_summary(&l, "operation"), "append");
    assert_string_equal(lake_summary(&l, "total-records"), "0");
    assert_string_equal(lake_summary(&l, "added-records"), "(none)");
    assert_string_equal(iceberg_metadata_property(l.metadata, "n"), "1");
    lake_list(&l, &list);
    assert_u64_eq(list.count, 0);
    iceberg_manifest_list_deinit(&list);
    iceberg_attempt_free(a);
    lake_check(&l);

    /* Of one with files: the same files, and manifests that are not written again. */
    (void)lake_add(&l, 2, 19000, false);
    (void)lake_add(&l, 1, 19001, true);
    unsigned long puts = fake_store_calls(l.store, FAKE_STORE_PUT);

    a = served(&l, &change);
    /* The list and the metadata. */
    assert_u64_eq(fake_store_calls(l.store, FAKE_STORE_PUT) - puts, 2);
    assert_string_equal(lake_summary(&l, "total-records"), "10");
    assert_string_equal(lake_summary(&l, "total-data-files"), "1");
    assert_string_equal(lake_summary(&l, "changed-partition-count"), "0");
    lake_list(&l, &list);
    assert_u64_eq(list.count, 1);
    iceberg_manifest_list_deinit(&list);
    assert_ok(iceberg_live_files(l.store, l.metadata, a->snapshot_id, &files, &count, &e), &e);
    assert_u64_eq(count, 1);
    iceberg_data_file_free(files[0]);
    free(files);
    iceberg_attempt_free(a);
    lake_check(&l);
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

/* Whatever call of the store fails, the attempt fails too and leaves nothing behind. */
TEST(test_commit__leaves_nothing_behind_when_the_store_fails)
{
    static const struct iceberg_property merging[] = {{"commit.manifest.min-count-to-merge", "2"}};
    static const enum fake_store_op ops[] = {FAKE_STORE_PUT, FAKE_STORE_GET};
    struct iceberg_attempt *a;
    struct lake l;
    unsigned failures = 0;

    lake_open(&l, true, merging, 1);
    (void)lake_add(&l, 1, 1, false);
    struct iceberg_data_file *file = lake_file(&l, 1, 1);
    size_t objects = fake_store_count(l.store, "");

    for (unsigned i = 0; i < 4; i++) {
        const struct iceberg_change change = {
            .added = &file, .added_count = 1, .replace_all = i >= 2, .retention = l.retention};

        for (unsigned nth = 1;; nth++) {
            struct err e = {0};

            fake_store_fail(l.store, &(struct fake_failure){.op = ops[i % 2],
                                                            .nth = nth,
                                                            .code = ERR_IO,
                                                            .retryable = true,
                                                            .done = i % 2 == 0});
            enum err_code rc = lake_prepare(&l, &change, &a, &e);

            if (rc == ERR_OK) {
                break;
            }
            failures++;
            assert_int_equal(rc, ERR_IO);
            assert_true(e.retryable);
            assert_true(fake_store_failed(l.store, ops[i % 2]));
            assert_u64_eq(fake_store_count(l.store, ""), objects);
        }
        struct err e = {0};

        fake_store_fail_at(l.store, ops[i % 2], 0, ERR_OK);
        assert_true(a->written.count > 0);
        assert_ok(iceberg_attempt_undo(a, l.store, &e), &e);
        assert_u64_eq(a->written.count, 0);
        iceberg_attempt_free(a);
        assert_u64_eq(fake_store_count(l.store, ""), objects);
    }
    /* Two writes and two reads each: manifest and list. */
    assert_u64_eq(failures, 8);
    iceberg_data_file_free(file);
    lake_close(&l);
}

TEST(test_commit__needs_the_list_it_builds_on)
{
    struct iceberg_attempt *a;
    struct snapshot_view s;
    struct err e = {0};
    struct lake l;

    lake_open(&l, true, NULL, 0);
    (void)lake_add(&l, 1, 1, false);
    assert_true(metadata_snapshot(l.metadata, iceberg_metadata_snapshot_id(l.metadata), &s));
    assert_ok(store_remove(l.store, s.manifest_list, &e), &e);
    struct iceberg_data_file *file = lake_file(&l, 1, 1);

    assert_err(lake_prepare(&l, &(struct iceberg_change){.added = &file, .added_count = 1}, &a, &e),
               ERR_NOT_FOUND, &e);
    assert_non_null(strstr(e.msg, s.manifest_list));
    /* Properties need no list. */
    assert_ok(lake_prepare(&l, &(struct iceberg_change){.added_count = 0}, &a, &e), &e);
    iceberg_attempt_free(a);
    iceberg_attempt_free(NULL);
    iceberg_data_file_free(file);
    lake_close(&l);
}

TEST(test_commit__removes_the_rest_when_one_removal_fails)
{
    struct iceberg_attempt *a;
    struct err e = {0};
    struct lake l;

    lake_open(&l, true, clean_properties, 2);
    l.retention = (struct iceberg_retention){1, 1};
    for (int i = 0; i < 6; i++) {
        l.now_ms += 10;
        (void)lake_add(&l, 1, 1, true);
    }
    struct iceberg_data_file *file = lake_file(&l, 1, 1);

    l.now_ms += 10;
    assert_ok(lake_prepare(&l,
                           &(struct iceberg_change){.added = &file,
                                                    .added_count = 1,
                                                    .replace_all = true,
                                                    .retention = l.retention},
                           &a, &e),
              &e);
    uint32_t count = a->expired.count;

    assert_true(count >= 4);
    lake_swap(&l, a->next);
    fake_store_fail_at(l.store, FAKE_STORE_REMOVE, 2, ERR_IO);
    assert_err(iceberg_attempt_clean(a, l.store, &e), ERR_IO, &e);
    assert_u64_eq(fake_store_calls(l.store, FAKE_STORE_REMOVE) % count, 0);
    assert_u64_eq(a->expired.count, 1);
    assert_non_null(strstr(e.msg, a->expired.items[0]));
    assert_true(fake_store_has(l.store, a->expired.items[0]));
    assert_ok(iceberg_attempt_clean(a, l.store, &e), &e);
    lake_check(&l);
    iceberg_attempt_free(a);
    iceberg_data_file_free(file);
    lake_close(&l);
}

TEST(test_commit__carries_on_what_it_does_not_know)
{
    struct lake l;

    lake_open(&l, true, NULL, 0);
    (void)lake_add(&l, 1, 1, false);
    json_t *root = json_deep_copy(l.metadata->root);
    json_t *main_ref = json_object_get(json_object_get(root, "refs"), "main");
    struct iceberg_metadata *m;
    struct err e = {0};

    (void)json_object_set_new(root, "next-thing", json_pack("{s:[i]}", "a", 1));
    (void)json_object_set_new(json_array_get(json_object_get(root, "snapshots"), 0), "key-id",
                              json_string("k"));
    (void)json_object_set_new(main_ref, "min-snapshots-to-keep", json_integer(7));
    assert_ok(metadata_wrap(root, &m, &e), &e);
    lake_swap(&l, m);
    iceberg_metadata_free(m);
    (void)lake_add(&l, 1, 1, false);
    assert_i64_eq(json_integer_value(json_array_get(
                      json_object_get(json_object_get(l.metadata->root, "next-thing"), "a"), 0)),
                  1);
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(l.metadata->root, "snapshots"), 0), "key-id")),
        "k");
    main_ref = json_object_get(json_object_get(l.metadata->root, "refs"), "main");
    assert_i64_eq(json_integer_value(json_object_get(main_ref, "min-snapshots-to-keep")), 7);
    assert_i64_eq(json_integer_value(json_object_get(main_ref, "snapshot-id")),
                  iceberg_metadata_snapshot_id(l.metadata));
    lake_close(&l);
}

/* A summary cannot say what is not so; where a total is unknown none is made up. */
TEST(test_commit__keeps_its_own_word_in_the_summary)
{
    static const struct iceberg_property summary[] = {
        {"operation", "replace"}, {"calve.lineage", "1 1 1 1"}, {"mine", "yes"}};
    struct lake l;
    struct err e = {0};

    lake_open(&l, true, NULL, 0);
    (void)lake_add(&l, 1, 1, false);
    json_t *root = json_deep_copy(l.metadata->root);
    json_t *first =
        json_object_get(json_array_get(json_object_get(root, "snapshots"), 0), "summary");
    struct iceberg_metadata *m;

    (void)json_object_del(first, "total-records");
    (void)json_object_set_new(first, "total-data-files", json_string("many"));
    (void)json_object_set_new(first, "total-files-size", json_string("9223372036854775807"));
    assert_ok(metadata_wrap(root, &m, &e), &e);
    lake_swap(&l, m);
    iceberg_metadata_free(m);
    struct iceberg_data_file *file = lake_file(&l, 1, 1);

    (void)lake_commit(&l, &(struct iceberg_change){.added = &file,
                                                   .added_count = 1,
                                                   .summary = summary,
                                                   .summary_count = 3,
                                                   .retention = l.retention});
    iceberg_data_file_free(file);
    assert_string_equal(lake_summary(&l, "operation"), "append");
    assert_string_equal(lake_summary(&l, "calve.lineage"), "2 1 1 1");
    assert_string_equal(lake_summary(&l, "mine"), "yes");
    assert_string_equal(lake_summary(&l, "total-records"), "(none)");
    assert_string_equal(lake_summary(&l, "total-data-files"), "(none)");
    assert_string_equal(lake_summary(&l, "total-files-size"), "(none)");
    assert_string_equal(lake_summary(&l, "total-delete-files"), "0");
    lake_close(&l);
}

/* Two attempts on the same base share no name, and either can win. */
TEST(test_commit__makes_attempts_that_do_not_meet)
{
    struct iceberg_attempt *a[2];
    struct err e = {0};
    struct lake l;

    lake_open(&l, true, clean_properties, 2);
    (void)lake_add(&l, 1, 1, false);
    struct iceberg_data_file *file = lake_file(&l, 1, 1);

    for (int i = 0; i < 2; i++) {
        assert_ok(lake_prepare(&l,
                               &(struct iceberg_change){
                                   .added = &file, .added_count = 1, .retention = l.retention},
                               &a[i], &e),
                  &e);
    }
    assert_true(a[0]->snapshot_id != a[1]->snapshot_id);
    lake_swap(&l, a[1]->next);
    assert_ok(iceberg_attempt_undo(a[0], l.store, &e), &e);
    assert_ok(iceberg_attempt_clean(a[1], l.store, &e), &e);
    lake_check(&l);
    iceberg_attempt_free(a[0]);
    iceberg_attempt_free(a[1]);
    iceberg_data_file_free(file);
    lake_close(&l);
}

/* Appends with a merge, an overwrite, and properties; with snapshots to expire and to clean up. */
TEST(test_commit__survives_lack_of_memory)
{
    static const struct iceberg_property merging[] = {
        {"commit.manifest.min-count-to-merge", "2"},
        {"write.metadata.delete-after-commit.enabled", "true"},
        {"write.metadata.previous-versions-max", "1"}};
    struct lake l;

    lake_open(&l, true, merging, 3);
    l.retention = (struct iceberg_retention){1, 1};
    for (int i = 0; i < 3; i++) {
        l.now_ms += 10;
        (void)lake_add(&l, 1, 1, i == 1);
    }
    struct iceberg_data_file *file = lake_file(&l, 1, 1);
    size_t objects = fake_store_count(l.store, "");

    l.now_ms += 10;
    for (int round = 0; round < 3; round++) {
        const struct iceberg_change change = {
            .added = &file,
            .added_count = round == 2 ? 0 : 1,
            .replace_all = round == 1,
            .summary = clean_properties,
            .summary_count = 1,
            .properties = clean_properties,
            .property_count = 1,
            .retention = l.retention,
        };

        TORTURE(nth)
        {
            struct iceberg_attempt *a = NULL;
            struct iceberg_data_file **files = NULL;
            uint32_t count = 0;
            struct err e = {0};
            enum err_code rc = lake_prepare(&l, &change, &a, &e);

            if (rc == ERR_OK) {
                rc = iceberg_live_files(l.store, a->next, iceberg_metadata_snapshot_id(a->next),
                                        &files, &count, &e);
            }
            assert_true(rc == ERR_OK || rc == ERR_NOMEM);
            for (uint32_t i = 0; i < count; i++) {
                iceberg_data_file_free(files[i]);
            }
            free(files);
            torture_fail_at(0);
            if (a != NULL) {
                assert_u64_eq(a->cleanup_skipped, 0);
                assert_ok(iceberg_attempt_undo(a, l.store, &e), &e);
            }
            iceberg_attempt_free(a);
            assert_u64_eq(fake_store_count(l.store, ""), objects);
        }
    }
    iceberg_data_file_free(file);
    lake_close(&l);
}

/* The JSON library's parser does not survive a lack of memory; what makes documents must. */
TEST(test_commit__makes_documents_without_memory)
{
    struct lake l;

    lake_open(&l, true, clean_properties, 2);
    for (int i = 0; i < 8; i++) {
        l.now_ms += 10;
        (void)lake_add(&l, 1, 1, false);
    }
    const struct iceberg_change change = {
        .summary = clean_properties,
        .summary_count = 2,
        .properties = clean_properties,
        .property_count = 2,
        .retention = {1, 2},
    };
    const struct iceberg_attempt_options options = {
        .store = l.store,
        .rand = &l.rand,
        .base_location = l.location,
        .base = l.metadata,
        .change = &change,
    };

    json_set_alloc_funcs(malloc, free);
    TORTURE(nth)
    {
        struct iceberg_attempt a = {0};
        struct commit c = {
            .options = &options,
            .base = l.metadata,
            .attempt = &a,
            .snapshot_id = 5,
            .sequence_number = 9,
            .now_ms = l.now_ms + 10,
            .has_parent = true,
            .manifest_list = "list",
            .added = {1, 2, 3},
        };
        struct expiry x = {0};
        struct err e = {0};

        assert_true(
            metadata_snapshot(l.metadata, iceberg_metadata_snapshot_id(l.metadata), &c.parent));
        enum err_code rc = expiry_choose(l.metadata, &change.retention, c.now_ms, true, &x, &e);

        if (rc == ERR_OK) {
            rc = commit_make_next(&c, &x, &e);
        }
        assert_true(rc == ERR_NOMEM || rc == ERR_OK);
        assert_true(rc != ERR_OK || iceberg_metadata_snapshot_count(a.next) == 2);
        expiry_deinit(&x);
        iceberg_metadata_free(a.next);
        locations_deinit(&a.expired);
    }
    lake_close(&l);
}

TEST_MAIN(test_case(test_commit__appends_a_first_snapshot),
          test_case(test_commit__appends_in_front_of_what_is_there),
          test_case(test_commit__replaces_everything),
          test_case(test_commit__names_what_an_overwrite_was),
          test_case(test_commit__refuses_a_file_whose_day_is_not_its_own),
          test_case(test_commit__sets_properties_without_a_snapshot),
          test_case(test_commit__removes_metadata_files_that_left_the_log),
          test_case(test_commit__leaves_metadata_files_to_the_server),
          test_case(test_commit__makes_a_snapshot_of_nothing_when_asked_to),
          test_case(test_commit__never_goes_back_in_time),
          test_case(test_commit__merges_small_manifests), test_case(test_commit__lists_live_files),
          test_case(test_commit__leaves_nothing_behind_when_the_store_fails),
          test_case(test_commit__needs_the_list_it_builds_on),
          test_case(test_commit__removes_the_rest_when_one_removal_fails),
          test_case(test_commit__carries_on_what_it_does_not_know),
          test_case(test_commit__keeps_its_own_word_in_the_summary),
          test_case(test_commit__makes_attempts_that_do_not_meet),
          test_case(test_commit__survives_lack_of_memory),
          test_case(test_commit__makes_documents_without_memory))
