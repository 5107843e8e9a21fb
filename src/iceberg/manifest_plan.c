/*
 * manifest_plan.c - which manifests become one.
 *
 * As Java's merging append: manifests of one spec, in order, up to the target size, and not before
 * there are min-count of them. One thing differs: a manifest joins only when those in front of it
 * weigh as much as it does (small ones always do). The large manifest at the end is then written
 * again after the table has grown by as much, and not every min-count commits, so that the cost of
 * a commit does not grow with the table.
 */
#include "iceberg/commit_int.h"

#define TARGET_BYTES_DEFAULT (8 << 20)
#define MIN_COUNT_DEFAULT    100
#define SMALL_PARTS          64 /* a manifest of this part of the target is small */

struct merge_settings merge_settings_of(const struct iceberg_metadata *m)
{
    struct merge_settings s = {
        .enabled = metadata_property_bool(m, "commit.manifest-merge.enabled", true),
        .min_count =
            metadata_property_int(m, "commit.manifest.min-count-to-merge", MIN_COUNT_DEFAULT),
        .target_bytes =
            metadata_property_int(m, "commit.manifest.target-size-bytes", TARGET_BYTES_DEFAULT),
    };

    return s;
}

/* A run that is being put together. */
struct run {
    uint32_t number;
    uint32_t first; /* item */
    int64_t count;
    int64_t bytes;
};

/* Ends a run before item `end`: too few of them stay as they are. */
static void end_run(struct merge_item *items, uint32_t end, const struct run *run,
                    const struct merge_settings *settings)
{
    bool merges = run->count >= 2 && run->count >= settings->min_count;

    for (uint32_t i = run->first; i < end && !merges; i++) {
        items[i].run = items[i].run == run->number ? 0 : items[i].run;
    }
}

/* Cuts the items of one spec, from `first` on, into runs; returns the last run's number. */
static uint32_t plan_spec(struct merge_item *items, uint32_t count, uint32_t first, uint32_t last,
                          const struct merge_settings *settings)
{
    struct run run = {.number = last};

    for (uint32_t i = first; i < count; i++) {
        struct merge_item *item = &items[i];

        if (!item->may_merge || item->spec_id != items[first].spec_id) {
            continue;
        }
        bool light = item->length_bytes <= run.bytes ||
                     item->length_bytes <= settings->target_bytes / SMALL_PARTS;

        if (run.count > 0 && (!light || run.bytes > settings->target_bytes - item->length_bytes)) {
            end_run(items, i, &run, settings);
            run.count = 0;
        }
        if (run.count == 0) {
            run = (struct run){.number = run.number + 1, .first = i};
        }
        item->run = run.number;
        item->may_merge = false;
        run.bytes += item->length_bytes;
        run.count++;
    }
    end_run(items, count, &run, settings);
    return run.number;
}

void merge_plan(struct merge_item *items, uint32_t count, const struct merge_settings *settings)
{
    uint32_t run = 0;

    for (uint32_t i = 0; i < count; i++) {
        items[i].run = 0;
        items[i].may_merge = items[i].may_merge && settings->enabled && items[i].length_bytes >= 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].may_merge) {
            run = plan_spec(items, count, i, run, settings);
        }
    }
}
