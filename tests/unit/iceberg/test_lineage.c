/* test_lineage.c - what is known of the history behind a snapshot. */
#include "iceberg/commit_int.h"
#include "test.h"

/* A table of snapshots "id parent sequence lineage", the last one current. */
struct line {
    int64_t id;
    int64_t parent;
    int64_t sequence;
    const char *lineage; /* NULL: another writer's */
};

static struct iceberg_metadata *table(const struct line *lines, size_t count, int64_t last)
{
    struct iceberg_metadata *m;
    struct err e = {0};
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:I, s:i, s:i, s:i, s:[{s:i}], s:i, s:[{s:i, s:[]}], s:i, s:i, s:[{s:i}], "
        "s:[]}",
        "format-version", 2, "table-uuid", "u", "location", "l", "last-sequence-number",
        (json_int_t)last, "last-updated-ms", 1, "last-column-id", 1, "current-schema-id", 0,
        "schemas", "schema-id", 0, "default-spec-id", 0, "partition-specs", "spec-id", 0, "fields",
        "last-partition-id", 999, "default-sort-order-id", 0, "sort-orders", "order-id", 0,
        "snapshots");

    for (size_t i = 0; i < count; i++) {
        json_t *s = json_pack("{s:I, s:I, s:i, s:s, s:{}}", "snapshot-id", (json_int_t)lines[i].id,
                              "sequence-number", (json_int_t)lines[i].sequence, "timestamp-ms", 1,
                              "manifest-list", "x", "summary");

        if (lines[i].parent >= 0) {
            (void)json_object_set_new(s, "parent-snapshot-id", json_integer(lines[i].parent));
        }
        if (lines[i].lineage != NULL) {
            (void)json_object_set_new(json_object_get(s, "summary"), "calve.lineage",
                                      json_string(lines[i].lineage));
        }
        (void)json_array_append_new(json_object_get(root, "snapshots"), s);
        (void)json_object_set_new(root, "current-snapshot-id", json_integer(lines[i].id));
    }
    assert_ok(metadata_wrap(root, &m, &e), &e);
    return m;
}

static void check_next(const struct line *lines, size_t count, int64_t last, bool is_append,
                       const char *want)
{
    struct iceberg_metadata *m = table(lines, count, last);
    struct lineage l = lineage_next(m, is_append);
    char text[LINEAGE_TEXT_BYTES];

    lineage_print(&l, last + 1, text);
    assert_string_equal(text, want);
    iceberg_metadata_free(m);
}

TEST(test_lineage__goes_on_from_snapshot_to_snapshot)
{
    static const struct line ours[] = {{10, -1, 4, "4 2 3 4"}};

    check_next(NULL, 0, 0, true, "1 1 1 1");
    check_next(NULL, 0, 0, false, "1 1 1 2");
    check_next(ours, 1, 4, true, "5 2 3 4");
    check_next(ours, 1, 4, false, "5 2 3 6");
    /* A table whose snapshots are all gone, or were never current. */
    check_next(NULL, 0, 7, true, "8 8 8 8");
}

TEST(test_lineage__starts_anew_where_history_is_no_line)
{
    static const struct line rolled_back[] = {{11, 10, 5, "5 1 1 1"}, {10, -1, 4, "4 1 1 1"}};
    static const struct line ahead[] = {{10, -1, 4, "4 1 1 1"}};

    check_next(rolled_back, 2, 5, true, "6 6 6 6");
    /* There was one more, of which nothing is left. */
    check_next(ahead, 1, 5, true, "6 6 6 6");
}

TEST(test_lineage__follows_other_writers_in_line)
{
    static const struct line between[] = {
        {10, -1, 4, "4 1 1 1"}, {11, 10, 5, NULL}, {12, 11, 6, NULL}};
    static const struct line gap[] = {{10, -1, 4, "4 1 1 1"}, {12, 11, 6, NULL}};
    static const struct line skipped[] = {{10, -1, 4, "4 1 1 1"}, {12, 10, 6, NULL}};
    static const struct line first[] = {{10, -1, 1, NULL}, {11, 10, 2, NULL}};
    static const struct line late[] = {{10, -1, 3, NULL}};
    static const struct line circle[] = {{10, 10, 3, NULL}};

    check_next(between, 3, 6, true, "7 1 7 7");
    check_next(between, 3, 6, false, "7 1 7 8");
    check_next(gap, 2, 6, true, "7 7 7 7");
    check_next(skipped, 2, 6, true, "7 7 7 7");
    check_next(first, 2, 2, true, "3 1 3 3");
    check_next(late, 1, 3, true, "4 4 4 4");
    check_next(circle, 1, 3, true, "4 4 4 4");
}

TEST(test_lineage__believes_only_what_makes_sense)
{
    static const char *const bad[] = {
        "3 1 1 1", /* another snapshot's */
        "4 0 1 1",
        "4 2 1 2",
        "4 1 3 2",
        "4 1 5 5",
        "4 1 1 6",
        "4 1 1",
        "4 1 1 1 1",
        " 4 1 1 1",
        "",
        "4 1 1 x",
        "4  1 1 1",
        "4 -1 1 1",
        "4 1 1 99999999999999999999",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct line lines[] = {{10, 9, 4, bad[i]}};

        check_next(lines, 1, 4, true, "5 5 5 5");
    }
}

TEST_MAIN(test_case(test_lineage__goes_on_from_snapshot_to_snapshot),
          test_case(test_lineage__starts_anew_where_history_is_no_line),
          test_case(test_lineage__follows_other_writers_in_line),
          test_case(test_lineage__believes_only_what_makes_sense))
