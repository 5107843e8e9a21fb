/* test_manifest_plan.c - which manifests become one. */
#include "iceberg/commit_int.h"
#include "test.h"

static const struct merge_settings usual = {.enabled = true, .min_count = 4, .target_bytes = 6400};

/* Lengths in order, newest first; 'x' marks in `other` belong to spec 1, '-' may not merge. */
static void check(const int64_t *lengths, const char *marks, const struct merge_settings *settings,
                  const uint32_t *want)
{
    struct merge_item items[64];
    uint32_t count = (uint32_t)strlen(marks);

    assert_true(count <= 64);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (struct merge_item){.length_bytes = lengths[i],
                                       .spec_id = marks[i] == 'x' ? 1 : 0,
                                       .may_merge = marks[i] != '-',
                                       .run = 99};
    }
    merge_plan(items, count, settings);
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].run != want[i]) {
            fail_msg("%s: item %u has run %u, not %u", marks, i, items[i].run, want[i]);
        }
    }
}

TEST(test_manifest_plan__waits_for_enough)
{
    static const int64_t lengths[] = {10, 10, 10, 10, 10};

    check(lengths, "", &usual, (const uint32_t[]){0});
    check(lengths, "ooo", &usual, (const uint32_t[]){0, 0, 0});
    check(lengths, "oooo", &usual, (const uint32_t[]){1, 1, 1, 1});
    check(lengths, "oo-oo", &usual, (const uint32_t[]){1, 1, 0, 1, 1});
    check(lengths, "oooo",
          &(struct merge_settings){.enabled = false, .min_count = 2, .target_bytes = 6400},
          (const uint32_t[]){0, 0, 0, 0});
    /* One alone is never merged, whatever the setting. */
    check(lengths, "o",
          &(struct merge_settings){.enabled = true, .min_count = 0, .target_bytes = 6400},
          (const uint32_t[]){0});
    check(lengths, "oo",
          &(struct merge_settings){.enabled = true, .min_count = -5, .target_bytes = 6400},
          (const uint32_t[]){1, 1});
}

TEST(test_manifest_plan__keeps_specs_apart)
{
    static const int64_t lengths[] = {10, 10, 10, 10, 10, 10, 10, 10, 10};

    check(lengths, "oxoxooxx", &usual, (const uint32_t[]){1, 2, 1, 2, 1, 1, 2, 2});
    check(lengths, "oxoxoox", &usual, (const uint32_t[]){1, 0, 1, 0, 1, 1, 0});
}

TEST(test_manifest_plan__does_not_pass_the_target)
{
    static const int64_t lengths[] = {3000, 3000, 500, 100, 3000, 100, 100, 100};

    check(lengths, "oooooooo", &usual, (const uint32_t[]){0, 0, 0, 0, 3, 3, 3, 3});
    static const int64_t exact[] = {1600, 1600, 1600, 1600, 1};

    check(exact, "ooooo", &usual, (const uint32_t[]){1, 1, 1, 1, 0});
}

/* A large one waits until those in front of it weigh as much. */
TEST(test_manifest_plan__does_not_write_a_large_one_again_for_a_few_small_ones)
{
    static const int64_t large[] = {50, 50, 50, 50, 2000, 50, 50};

    check(large, "ooooooo", &usual, (const uint32_t[]){1, 1, 1, 1, 0, 0, 0});
    static const int64_t enough[] = {60, 60, 60, 60, 240, 480, 961};

    check(enough, "ooooooo", &usual, (const uint32_t[]){1, 1, 1, 1, 1, 1, 0});
    /* A wrong length is left alone. */
    static const int64_t wrong[] = {50, -50, 50, 50, 50};

    check(wrong, "ooooo", &usual, (const uint32_t[]){1, 0, 1, 1, 1});
}

/* Over many commits each entry is written a bounded number of times, and few manifests stay. */
TEST(test_manifest_plan__costs_little_over_many_commits)
{
    static const struct merge_settings settings = {
        .enabled = true, .min_count = 100, .target_bytes = 8 << 20};
    static const int64_t head_bytes = 5000;
    static const int64_t entry_bytes = 250;
    struct merge_item items[512];
    int64_t entries[512];
    uint32_t count = 0;
    uint32_t most = 0;
    int64_t written = 0;

    for (int commit = 0; commit < 50000; commit++) {
        memmove(entries + 1, entries, count * sizeof *entries);
        entries[0] = 1;
        count++;
        for (uint32_t i = 0; i < count; i++) {
            items[i] = (struct merge_item){.length_bytes = head_bytes + entries[i] * entry_bytes,
                                           .may_merge = true};
        }
        merge_plan(items, count, &settings);
        uint32_t kept = 0;

        for (uint32_t i = 0; i < count; i++) {
            bool first = items[i].run == 0;
            int64_t sum = 0;

            for (uint32_t j = 0; j < count && items[i].run != 0; j++) {
                if (items[j].run == items[i].run) {
                    first = first || (j == i && sum == 0);
                    sum += entries[j];
                }
            }
            if (first) {
                written += sum;
                entries[kept++] = items[i].run == 0 ? entries[i] : sum;
            }
        }
        count = kept;
        most = count > most ? count : most;
        assert_true(count < 256);
    }
    int64_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        total += entries[i];
    }
    assert_i64_eq(total, 50000);
    print_message("at most %u manifests; each entry was written %.1f times\n", most,
                  (double)written / 50000);
    assert_true(most < 112);
    assert_true(written < INT64_C(50000) * 20);
}

TEST_MAIN(test_case(test_manifest_plan__waits_for_enough),
          test_case(test_manifest_plan__keeps_specs_apart),
          test_case(test_manifest_plan__does_not_pass_the_target),
          test_case(test_manifest_plan__does_not_write_a_large_one_again_for_a_few_small_ones),
          test_case(test_manifest_plan__costs_little_over_many_commits))
