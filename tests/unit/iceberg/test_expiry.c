/* test_expiry.c - which snapshots stay, and that exactly the files they need stay with them. */
#include <time.h>

#include "lake.h"

static const struct iceberg_property properties[] = {
    {"write.metadata.delete-after-commit.enabled", "true"},
    {"write.metadata.previous-versions-max", "3"},
};

#define COMMITS LAKE_LONG_RUN(10000)

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* The log names existing snapshots only, without a gap, and ends with the current one. */
static void check_log(const struct lake *l)
{
    const json_t *log = json_object_get(l->metadata->root, "snapshot-log");
    struct snapshot_views all;
    struct err e = {0};
    size_t count = json_array_size(log);

    assert_ok(metadata_snapshots(l->metadata, &all, &e), &e);
    assert_true(count > 0 && count <= all.count);
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_array_get(log, i);
        const struct snapshot_view *s = &all.items[all.count - count + i];

        assert_i64_eq(json_integer_value(json_object_get(entry, "snapshot-id")), s->id);
        assert_i64_eq(json_integer_value(json_object_get(entry, "timestamp-ms")), s->timestamp_ms);
        if (i > 0) {
            assert_i64_eq(s->parent_id, all.items[all.count - count + i - 1].id);
        }
    }
    assert_i64_eq(all.items[all.count - 1].id, iceberg_metadata_snapshot_id(l->metadata));
    free(all.items);
}

/* Those behind the newest lie in slots of their own, and none is too old. */
static void check_thinned(const struct lake *l)
{
    struct snapshot_views all;
    struct err e = {0};
    int64_t slot_ms = l->retention.keep_us / l->retention.keep_count / 1000;

    assert_ok(metadata_snapshots(l->metadata, &all, &e), &e);
    assert_true(all.count <= 2 * l->retention.keep_count + 1);
    for (uint32_t i = 0; i + l->retention.keep_count < all.count; i++) {
        assert_true(all.items[i].timestamp_ms > l->now_ms - l->retention.keep_us / 1000);
        if (i > 0) {
            assert_true(all.items[i].timestamp_ms / slot_ms !=
                        all.items[i - 1].timestamp_ms / slot_ms);
        }
    }
    free(all.items);
}

/* Commits every 20 s (3 s now and then), as a stream would for two days and more. */
TEST(test_expiry__keeps_ten_thousand_commits_in_bounds)
{
    struct lake l;
    struct buf json = {0};
    struct err e = {0};
    size_t early_bytes = 0;
    size_t early_objects = 0;
    double early_s = 0;
    double late_s = 0;

    lake_open(&l, true, properties, 2);
    l.retention.keep_count = 20;
    for (int i = 1; i <= COMMITS; i++) {
        double start = cpu_s();

        l.now_ms += (i % 7 == 0 ? 3000 : 20000) * INT64_C(10000) / COMMITS;
        (void)lake_add(&l, 1, (int32_t)(l.now_ms / DAY_MS), false);
        double took = cpu_s() - start;

        early_s += i > 200 && i <= 300 ? took : 0;
        late_s += i > COMMITS - 100 ? took : 0;
        if (i % 1000 == 0 || i == 150 || i == COMMITS - 1) {
            lake_check(&l);
            check_log(&l);
            check_thinned(&l);
        }
        if (i == COMMITS * 6 / 10) {
            buf_reset(&json);
            assert_ok(iceberg_metadata_print(l.metadata, &json, &e), &e);
            early_bytes = json.len;
            early_objects = fake_store_count(l.store, LAKE_ROOT "/metadata/");
        }
    }
    assert_u64_eq(l.cleanup_skipped, 0);
    buf_reset(&json);
    assert_ok(iceberg_metadata_print(l.metadata, &json, &e), &e);
    assert_true(json.len < early_bytes + early_bytes / 20);
    assert_true(fake_store_count(l.store, LAKE_ROOT "/metadata/") < early_objects + 120);
    assert_u64_eq(fake_store_count(l.store, LAKE_ROOT "/data/"), COMMITS);
    print_message(
        "CPU for commits 201-300: %.3f s, for the last 100: %.3f s; metadata %zu bytes, %zu "
        "objects\n",
        early_s, late_s, json.len, fake_store_count(l.store, LAKE_ROOT "/metadata/"));
    buf_deinit(&json);
    lake_close(&l);
}

TEST_MAIN(test_case(test_expiry__keeps_ten_thousand_commits_in_bounds))
