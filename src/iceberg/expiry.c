/*
 * expiry.c - which snapshots stay.
 *
 * Of the snapshots behind the newest keep_count, the first of each slot of keep_us / keep_count
 * stays until it is keep_us old. Slots are counted from the epoch, so that the choice is the same
 * at every commit and a snapshot that stayed once does not go before its time.
 */
#include <stdlib.h>

#include "iceberg/commit_int.h"

/* Whether a ref of the next metadata names it; main moves on when there is a new snapshot. */
static bool is_named(const struct iceberg_metadata *m, int64_t snapshot_id, bool has_new)
{
    const char *name;
    json_t *ref;

    json_object_foreach(json_object_get(m->root, "refs"), name, ref)
    {
        if (json_integer_value(json_object_get(ref, "snapshot-id")) == snapshot_id &&
            !(has_new && strcmp(name, "main") == 0)) {
            return true;
        }
    }
    return !has_new && iceberg_metadata_snapshot_id(m) == snapshot_id;
}

static int64_t slot_of(int64_t timestamp_us, int64_t slot_us)
{
    int64_t slot = timestamp_us / slot_us;

    return timestamp_us % slot_us < 0 ? slot - 1 : slot;
}

static int64_t to_us(int64_t ms)
{
    return ms > INT64_MAX / 1000 ? INT64_MAX : ms < INT64_MIN / 1000 ? INT64_MIN : ms * 1000;
}

static void mark(const struct iceberg_metadata *base, const struct iceberg_retention *retention,
                 int64_t now_ms, bool has_new, struct expiry *x)
{
    uint32_t keep_count = retention->keep_count == 0 ? 1 : retention->keep_count;
    int64_t keep_us = retention->keep_us < 0 ? 0 : retention->keep_us;
    int64_t slot_us = keep_us / keep_count < 1 ? 1 : keep_us / keep_count;
    uint32_t newest = keep_count - (has_new ? 1 : 0);
    bool has_slot = false;
    int64_t last_slot = 0;

    for (uint32_t i = 0; (uint64_t)i + newest < x->all.count; i++) {
        const struct snapshot_view *s = &x->all.items[i];
        int64_t slot = slot_of(to_us(s->timestamp_ms), slot_us);

        if (!snapshot_is_ours(s) || is_named(base, s->id, has_new)) {
            continue;
        }
        x->expired[i] =
            s->timestamp_ms <= now_ms - keep_us / 1000 || (has_slot && slot == last_slot);
        if (x->expired[i]) {
            x->expired_count++;
        } else {
            has_slot = true;
            last_slot = slot;
        }
    }
}

static int by_id(const void *a, const void *b)
{
    const struct snapshot_id_fate *x = a;
    const struct snapshot_id_fate *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static void index_fates(struct expiry *x)
{
    for (uint32_t i = 0; i < x->all.count; i++) {
        x->by_id[i].id = x->all.items[i].id;
        x->by_id[i].fate = x->expired[i] ? SNAPSHOT_EXPIRED : SNAPSHOT_STAYS;
    }
    qsort(x->by_id, x->all.count, sizeof *x->by_id, by_id);
}

enum err_code expiry_choose(const struct iceberg_metadata *base,
                            const struct iceberg_retention *retention, int64_t now_ms, bool has_new,
                            struct expiry *out, struct err *e)
{
    *out = (struct expiry){0};
    ERR_TRY(metadata_snapshots(base, &out->all, e));
    out->expired = calloc(out->all.count + (size_t)1, sizeof *out->expired);
    out->by_id = calloc(out->all.count + (size_t)1, sizeof *out->by_id);
    if (out->expired == NULL || out->by_id == NULL) {
        return err_nomem(e);
    }
    /* gc.enabled=false says that files of this table may be used by others, too. */
    if (metadata_property_bool(base, "gc.enabled", true)) {
        mark(base, retention, now_ms, has_new, out);
    }
    index_fates(out);
    return ERR_OK;
}

enum snapshot_fate expiry_fate(const struct expiry *x, int64_t snapshot_id)
{
    const struct snapshot_id_fate key = {.id = snapshot_id};
    const struct snapshot_id_fate *found = bsearch(&key, x->by_id, x->all.count, sizeof key, by_id);

    return found == NULL ? SNAPSHOT_UNKNOWN : found->fate;
}

void expiry_deinit(struct expiry *x)
{
    free(x->all.items);
    free(x->expired);
    free(x->by_id);
    *x = (struct expiry){0};
}
