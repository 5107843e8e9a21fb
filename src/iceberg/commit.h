/*
 * commit.h - from one metadata of a table to the next: a snapshot added, old ones expired, and the
 * list of files that nobody needs once the next metadata is current.
 *
 * An attempt writes manifests and a manifest list, and makes the next metadata document in memory;
 * a catalog swaps it in. Preparing again on other metadata makes another attempt. What an attempt
 * wrote is removed by iceberg_attempt_undo() when the swap certainly did not happen; what became
 * useless is removed by iceberg_attempt_clean() when it certainly did; after an unknown outcome
 * neither is called.
 *
 * Spec: Apache Iceberg table spec, "Snapshots", "Manifests", "Table Metadata".
 * Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_COMMIT_H
#define CALVE_ICEBERG_COMMIT_H

#include "base/rand.h"
#include "iceberg/data_file.h"
#include "iceberg/locations.h"
#include "iceberg/metadata.h"
#include "storage/store.h"

/*
 * Which snapshots stay: the newest keep_count in any case. Of the older ones that calve made and
 * that are younger than keep_us, thinned: so few that at most keep_count of them stay, evenly over
 * the time, so that the metadata has a ceiling at any rate of commits (docs/delivery.md). Snapshots
 * that another writer made, or that a branch or tag names, are never expired here.
 */
struct iceberg_retention {
    int64_t keep_us;
    uint32_t keep_count; /* 0 means 1 */
};

struct iceberg_change {
    struct iceberg_data_file *const *added; /* not owned */
    uint32_t added_count;
    bool replace_all; /* overwrite: every live file of the table leaves in the same snapshot */
    const struct iceberg_property *summary; /* extra snapshot summary entries */
    uint32_t summary_count;
    const struct iceberg_property *properties; /* table properties set in the same metadata */
    uint32_t property_count;
    struct iceberg_retention retention;
};

struct iceberg_attempt_options {
    struct store *store; /* may hold back what is written (outbox.h) until the swap is due */
    struct rand *rand;
    int64_t now_ms;
    const char *base_location; /* of the metadata file the attempt builds on */
    const struct iceberg_metadata *base;
    const struct iceberg_change *change;
    /* Metadata files are written and removed by the catalog's server: those that leave the
     * metadata-log are no business of the attempt. */
    bool server_writes_metadata;
    /* A change without files makes a snapshot, too: an append of nothing. */
    bool always_snapshot;
};

struct iceberg_attempt {
    struct iceberg_metadata *next; /* owned */
    int64_t snapshot_id;           /* -1: properties only (nothing added, nothing replaced), unless
                                      always_snapshot */
    struct locations written;      /* manifests and manifest list of this attempt */
    struct locations expired;      /* to be removed once `next` is current: metadata files that left
                                      the metadata-log, manifest lists, manifests, data files */
    uint32_t cleanup_skipped; /* expired snapshots whose manifests and files stay behind, named by
                                 nobody, because something needed to decide could not be read */
};

/*
 * Manifests are merged as commit.manifest.min-count-to-merge (100) and
 * commit.manifest.target-size-bytes (8 MiB) say, so that a commit writes a bounded amount.
 *
 * Each snapshot's summary gets "calve.lineage" on top: what its history is, for cleaning up.
 *
 * Errors: ERR_UNSUPPORTED a table of version 1, a default spec that cannot be written or is by day
 *         of a column whose values do not lie in the file's day, replace_all on delete files;
 * ERR_CORRUPT its manifests cannot be read; the store's. What was written is then removed again.
 */
MUST_USE enum err_code iceberg_attempt_prepare(const struct iceberg_attempt_options *options,
                                               struct iceberg_attempt **out, struct err *e);

/* Removes what the attempt wrote. First failure in *e; the rest is still tried. */
MUST_USE enum err_code iceberg_attempt_undo(struct iceberg_attempt *a, struct store *store,
                                            struct err *e);

/* Removes what `next` made useless. First failure in *e; the rest is still tried. */
MUST_USE enum err_code iceberg_attempt_clean(struct iceberg_attempt *a, struct store *store,
                                             struct err *e);
void iceberg_attempt_free(struct iceberg_attempt *a); /* NULL is fine */

/*
 * Each live data file of a snapshot, in manifest order; free each and the array.
 *
 * Errors: ERR_NOT_FOUND no such snapshot; ERR_UNSUPPORTED delete files take rows away from them;
 * the store's.
 */
MUST_USE enum err_code iceberg_live_files(struct store *store, const struct iceberg_metadata *m,
                                          int64_t snapshot_id, struct iceberg_data_file ***out,
                                          uint32_t *count, struct err *e);

#endif
