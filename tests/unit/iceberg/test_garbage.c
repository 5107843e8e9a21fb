/* test_garbage.c - no file that a snapshot reaches is ever removed, and no other one stays, however
 * others bend the history: their own snapshots, branches, tags, rollbacks. */
#include "lake.h"

static const struct iceberg_property properties[] = {
    {"write.metadata.delete-after-commit.enabled", "true"},
    {"write.metadata.previous-versions-max", "2"},
    {"commit.manifest.min-count-to-merge", "4"},
};

static void open_lake(struct lake *l, uint32_t keep_count, int64_t keep_ms)
{
    lake_open(l, true, properties, 3);
    l->retention = (struct iceberg_retention){keep_ms * 1000, keep_count};
}

/* The current metadata as a document that may be changed. */
static json_t *edit(const struct lake *l)
{
    json_t *root = json_deep_copy(l->metadata->root);

    assert_non_null(root);
    return root;
}

static void swap_edited(struct lake *l, json_t *root)
{
    struct iceberg_metadata *m;
    struct err e = {0};
    char *was = l->location;

    l->location = NULL;
    assert_ok(metadata_wrap(root, &m, &e), &e);
    lake_swap(l, m);
    iceberg_metadata_free(m);
    /* Nobody logged it. */
    assert_ok(store_remove(l->store, was, &e), &e);
    free(was);
}

/* What another writer commits: the same, without a word of calve. */
static void foreign_commit(struct lake *l, uint32_t count, bool replace_all)
{
    struct iceberg_data_file *files[2];
    struct iceberg_attempt *a;
    struct err e = {0};

    for (uint32_t i = 0; i < count; i++) {
        files[i] = lake_file(l, 50, 5);
    }
    assert_ok(lake_prepare(l,
                           &(struct iceberg_change){.added = files,
                                                    .added_count = count,
                                                    .replace_all = replace_all,
                                                    .retention = {INT64_MAX, 1000000}},
                           &a, &e),
              &e);
    json_t *root = json_deep_copy(a->next->root);
    json_t *snapshots = json_object_get(root, "snapshots");

    if (a->snapshot_id > 0) {
        json_t *summary =
            json_object_get(json_array_get(snapshots, json_array_size(snapshots) - 1), "summary");

        assert_int_equal(json_object_del(summary, "calve.lineage"), 0);
    }
    struct iceberg_metadata *m;

    assert_ok(metadata_wrap(root, &m, &e), &e);
    lake_swap(l, m);
    iceberg_metadata_free(m);
    assert_ok(iceberg_attempt_clean(a, l->store, &e), &e);
    iceberg_attempt_free(a);
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
}

/* Points main at another snapshot, as a rollback does. */
static void set_current(struct lake *l, int64_t id)
{
    json_t *root = edit(l);

    (void)json_object_set_new(root, "current-snapshot-id", json_integer(id));
    (void)json_object_set_new(json_object_get(json_object_get(root, "refs"), "main"), "snapshot-id",
                              json_integer(id));
    (void)json_array_append_new(json_object_get(root, "snapshot-log"),
                                json_pack("{s:I, s:I}", "timestamp-ms", (json_int_t)l->now_ms,
                                          "snapshot-id", (json_int_t)id));
    swap_edited(l, root);
}

static void set_tag(struct lake *l, const char *name, int64_t id)
{
    json_t *root = edit(l);

    (void)json_object_set_new(
        json_object_get(root, "refs"), name,
        json_pack("{s:I, s:s}", "snapshot-id", (json_int_t)id, "type", "tag"));
    swap_edited(l, root);
}

static void drop_tag(struct lake *l, const char *name)
{
    json_t *root = edit(l);

    (void)json_object_del(json_object_get(root, "refs"), name);
    swap_edited(l, root);
}

static int64_t random_snapshot(struct lake *l)
{
    json_t *snapshots = json_object_get(l->metadata->root, "snapshots");
    size_t i = rand_below(&l->rand, json_array_size(snapshots));

    return json_integer_value(json_object_get(json_array_get(snapshots, i), "snapshot-id"));
}

/* Another writer's expiry: it takes a snapshot of its own away, files and all. */
static void foreign_expire(struct lake *l)
{
    struct snapshot_view s;
    struct name_set names = {0};
    struct err e = {0};
    int64_t id = random_snapshot(l);

    assert_true(metadata_snapshot(l->metadata, id, &s));
    const char *name;
    json_t *ref;

    json_object_foreach(json_object_get(l->metadata->root, "refs"), name, ref)
    {
        if (json_integer_value(json_object_get(ref, "snapshot-id")) == id) {
            return;
        }
    }
    json_t *root = edit(l);
    json_t *snapshots = json_object_get(root, "snapshots");

    for (size_t i = json_array_size(snapshots); i > 0; i--) {
        json_t *item = json_array_get(snapshots, i - 1);

        if (json_integer_value(json_object_get(item, "snapshot-id")) == id) {
            (void)json_array_remove(snapshots, i - 1);
        }
    }
    (void)json_array_clear(json_object_get(root, "snapshot-log"));
    (void)json_array_append_new(json_object_get(root, "snapshot-log"),
                                json_pack("{s:I, s:O}", "timestamp-ms", (json_int_t)l->now_ms,
                                          "snapshot-id",
                                          json_object_get(root, "current-snapshot-id")));
    swap_edited(l, root);
    lake_names(l, &names);
    for (size_t i = 0; (name = fake_store_name(l->store, i)) != NULL;) {
        if (name_has(&names, name)) {
            i++;
        } else {
            char *copy = str_dup(name);

            assert_ok(store_remove(l->store, copy, &e), &e);
            free(copy);
        }
    }
    name_free(&names);
}

TEST(test_garbage__is_exact_while_calve_is_alone)
{
    struct lake l;

    open_lake(&l, 3, 60000);
    for (int i = 0; i < 200; i++) {
        l.now_ms += 7000;
        (void)lake_add(&l, 1 + (uint32_t)i % 3, i, i % 23 == 22);
        lake_check(&l);
        assert_true(iceberg_metadata_snapshot_count(l.metadata) <= 7);
    }
    assert_u64_eq(l.cleanup_skipped, 0);
    lake_close(&l);
}

TEST(test_garbage__keeps_what_refs_and_other_writers_name)
{
    struct lake l;

    open_lake(&l, 2, 1);
    int64_t first = lake_add(&l, 1, 1, false);

    set_tag(&l, "start", first);
    (void)lake_add(&l, 1, 2, false);
    foreign_commit(&l, 1, false);
    int64_t foreign = iceberg_metadata_snapshot_id(l.metadata);

    for (int i = 0; i < 20; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, i, i == 10);
        lake_check(&l);
    }
    assert_true(iceberg_metadata_has_snapshot(l.metadata, first));
    assert_true(iceberg_metadata_has_snapshot(l.metadata, foreign));
    assert_u64_eq(iceberg_metadata_snapshot_count(l.metadata), 4);
    drop_tag(&l, "start");
    (void)lake_add(&l, 1, 1, false);
    assert_false(iceberg_metadata_has_snapshot(l.metadata, first));
    lake_check(&l);
    lake_close(&l);
}

/* A snapshot that was rolled back becomes current again: its manifests are in old and new
 * snapshots, and not in those between. */
TEST(test_garbage__survives_a_rollback_that_is_taken_back)
{
    struct lake l;

    open_lake(&l, 2, 1);
    int64_t base = lake_add(&l, 1, 1, false);
    int64_t undone = lake_add(&l, 1, 2, false);

    set_tag(&l, "undone", undone);
    set_current(&l, base);
    for (int i = 0; i < 6; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, 10 + i, false);
        lake_check(&l);
    }
    set_current(&l, undone);
    drop_tag(&l, "undone");
    for (int i = 0; i < 6; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, 20 + i, false);
        lake_check(&l);
    }
    assert_string_equal(lake_summary(&l, "total-data-files"), "8");
    /* The six files of the branch that lost are gone. */
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), 8);
    lake_close(&l);
}

static void random_step(struct lake *l)
{
    static const char *const tags[] = {"a", "b", "c"};
    const char *tag = tags[rand_below(&l->rand, 3)];

    l->now_ms += (int64_t)rand_below(&l->rand, 20000);
    switch (rand_below(&l->rand, 16)) {
    case 0:
        foreign_commit(l, 1, false);
        break;
    case 1:
        foreign_commit(l, 1 + (uint32_t)rand_below(&l->rand, 2), true);
        break;
    case 2:
        set_current(l, random_snapshot(l));
        break;
    case 3:
        set_tag(l, tag, random_snapshot(l));
        break;
    case 4:
        if (json_object_get(json_object_get(l->metadata->root, "refs"), tag) != NULL) {
            drop_tag(l, tag);
        }
        break;
    case 5:
    case 6:
        foreign_expire(l);
        break;
    case 7:
        (void)lake_add(l, 1, 7, true);
        break;
    case 8:
        (void)lake_add(l, 0, 0, true);
        break;
    default:
        (void)lake_add(l, 1 + (uint32_t)rand_below(&l->rand, 2), 9, false);
        break;
    }
}

TEST(test_garbage__is_exact_whatever_others_do)
{
    for (uint64_t seed = 1; seed <= LAKE_LONG_RUN(15); seed++) {
        struct lake l;

        open_lake(&l, 3, 60000);
        rand_seed(&l.rand, seed);
        (void)lake_add(&l, 1, 1, false);
        for (int i = 0; i < 150; i++) {
            random_step(&l);
            lake_check(&l);
        }
        assert_u64_eq(l.cleanup_skipped, 0);
        lake_close(&l);
    }
}

TEST(test_garbage__leaves_files_when_a_list_is_missing)
{
    struct lake l;
    struct snapshot_view s;
    struct err e = {0};

    open_lake(&l, 2, 1);
    int64_t first = lake_add(&l, 1, 1, false);

    l.now_ms += 1000;
    (void)lake_add(&l, 1, 2, true);
    l.now_ms += 1000;
    assert_true(metadata_snapshot(l.metadata, first, &s));
    assert_ok(store_remove(l.store, s.manifest_list, &e), &e);
    size_t avro = fake_store_count(l.store, LAKE_ROOT "/metadata/");

    (void)lake_add(&l, 1, 3, true);
    assert_false(iceberg_metadata_has_snapshot(l.metadata, first));
    assert_u64_eq(l.cleanup_skipped, 1);
    /* A list, a manifest and a metadata file came; one metadata file went, no manifest did. */
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/metadata/"), avro + 2);
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), 3);
    lake_close(&l);
}

TEST(test_garbage__leaves_files_when_a_manifest_cannot_be_read)
{
    struct lake l;
    struct iceberg_manifest_list list;
    struct iceberg_attempt *a;
    struct err e = {0};

    open_lake(&l, 2, 1);
    (void)lake_add(&l, 1, 1, false);
    lake_list(&l, &list);
    l.now_ms += 1000;
    (void)lake_add(&l, 1, 2, true);
    l.now_ms += 1000;
    assert_true(fake_store_set(l.store, list.rows[0].path, span_str("Obj\x01 and no more")));
    (void)lake_add(&l, 1, 3, true);
    assert_u64_eq(l.cleanup_skipped, 1);
    assert_true(fake_store_has(l.store, list.rows[0].path));
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), 3);
    iceberg_manifest_list_deinit(&list);

    /* What the commit itself needs is another matter. */
    lake_list(&l, &list);
    assert_true(fake_store_set(l.store, list.rows[0].path, span_str("Obj\x01 and no more")));
    size_t objects = fake_store_count(l.store, "");

    assert_err(lake_prepare(&l, &(struct iceberg_change){.replace_all = true}, &a, &e), ERR_CORRUPT,
               &e);
    assert_true(strstr(e.msg, list.rows[0].path) != NULL);
    assert_u64_eq(fake_store_count(l.store, ""), objects);
    iceberg_manifest_list_deinit(&list);
    lake_close(&l);
}

TEST(test_garbage__expires_nothing_without_gc)
{
    static const struct iceberg_property no_gc[] = {{"gc.enabled", "false"}};
    struct lake l;

    lake_open(&l, true, no_gc, 1);
    l.retention = (struct iceberg_retention){1, 1};
    for (int i = 0; i < 10; i++) {
        l.now_ms += 1000;
        (void)lake_add(&l, 1, 1, true);
    }
    assert_u64_eq(iceberg_metadata_snapshot_count(l.metadata), 10);
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), 10);
    lake_close(&l);
}

TEST(test_garbage__takes_statistics_along)
{
    struct lake l;

    open_lake(&l, 1, 1);
    int64_t first = lake_add(&l, 1, 1, false);

    assert_i64_eq(lake_commit(&l, &(struct iceberg_change){.retention = l.retention}), -1);
    assert_true(iceberg_metadata_has_snapshot(l.metadata, first));
    json_t *root = edit(&l);
    json_t *statistics = json_object_get(root, "statistics");

    (void)json_array_append_new(statistics,
                                json_pack("{s:I, s:s}", "snapshot-id", (json_int_t)first,
                                          "statistics-path", LAKE_ROOT "/metadata/old.stats"));
    (void)json_array_append_new(statistics,
                                json_pack("{s:I, s:s}", "snapshot-id", (json_int_t)first,
                                          "statistics-path", LAKE_ROOT "/metadata/shared.stats"));
    (void)json_array_append_new(statistics,
                                json_pack("{s:I, s:s}", "snapshot-id", (json_int_t)(first ^ 1),
                                          "statistics-path", LAKE_ROOT "/metadata/shared.stats"));
    swap_edited(&l, root);
    assert_true(fake_store_set(l.store, LAKE_ROOT "/metadata/old.stats", span_str("PFA1")));
    assert_true(fake_store_set(l.store, LAKE_ROOT "/metadata/shared.stats", span_str("PFA1")));
    l.now_ms += 1000;
    (void)lake_add(&l, 1, 1, false);
    assert_u64_eq(json_array_size(json_object_get(l.metadata->root, "statistics")), 1);
    assert_false(fake_store_has(l.store, LAKE_ROOT "/metadata/old.stats"));
    assert_true(fake_store_has(l.store, LAKE_ROOT "/metadata/shared.stats"));
    lake_close(&l);
}

TEST_MAIN(test_case(test_garbage__is_exact_while_calve_is_alone),
          test_case(test_garbage__keeps_what_refs_and_other_writers_name),
          test_case(test_garbage__survives_a_rollback_that_is_taken_back),
          test_case(test_garbage__is_exact_whatever_others_do),
          test_case(test_garbage__leaves_files_when_a_list_is_missing),
          test_case(test_garbage__leaves_files_when_a_manifest_cannot_be_read),
          test_case(test_garbage__expires_nothing_without_gc),
          test_case(test_garbage__takes_statistics_along))
