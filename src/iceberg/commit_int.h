/*
 * commit_int.h - one attempt while it is being made, inside the iceberg folder.
 *
 *   attempt.c         the steps, in order
 *   commit_files.c    which manifests the new snapshot has, and which of them are written
 *   manifest_plan.c   which manifests become one
 *   manifest_out.c    one manifest, written and read
 *   expiry.c          which snapshots stay
 *   lineage.c         what is known about the history behind a snapshot
 *   metadata_next.c   the next metadata document
 *   garbage.c         which files nobody needs any more
 */
#ifndef CALVE_ICEBERG_COMMIT_INT_H
#define CALVE_ICEBERG_COMMIT_INT_H

#include "iceberg/commit.h"
#include "iceberg/manifest.h"
#include "iceberg/metadata_int.h"

/*
 * What a calve snapshot says of the history behind it, by sequence number, in its summary as
 * "calve.lineage". Expired snapshots leave gaps, so this cannot be seen from the rest.
 */
struct lineage {
    int64_t linear_since;  /* from here on each snapshot is the parent of the next */
    int64_t ours_since;    /* and all were made by calve */
    int64_t appends_since; /* and all were appends; one more than its own when it is none */
};

#define LINEAGE_KEY        "calve.lineage"
#define LINEAGE_TEXT_BYTES 96u

/* False when nothing is known. */
bool lineage_of(const struct iceberg_metadata *m, const struct snapshot_view *s,
                struct lineage *out);

/* That of the newest snapshot, if it is the current one; nothing is linear otherwise. */
struct lineage lineage_of_current(const struct iceberg_metadata *m);

/* That of a snapshot with the next sequence number on top of the current one. */
struct lineage lineage_next(const struct iceberg_metadata *base, bool is_append);
void lineage_print(const struct lineage *l, int64_t sequence_number, char out[LINEAGE_TEXT_BYTES]);

struct commit_sum {
    int64_t files;
    int64_t records;
    int64_t bytes;
};

struct commit {
    const struct iceberg_attempt_options *options;
    const struct iceberg_metadata *base;
    struct iceberg_attempt *attempt;
    struct arena arena; /* what lives until the attempt is made */
    char uuid[UUID_TEXT_BYTES];
    char *folder;   /* of metadata */
    uint32_t named; /* manifests that have a name */
    int64_t snapshot_id;
    int64_t sequence_number;
    int64_t now_ms; /* not before anything that the base says */
    bool has_parent;
    struct snapshot_view parent;
    struct iceberg_manifest_list parent_list;
    char *schema_json;
    const char *manifest_list; /* location; NULL when no snapshot is made */

    /* The new snapshot's manifests. */
    const struct iceberg_manifest_row **rows;
    uint32_t row_count;

    struct commit_sum added;
    struct commit_sum removed;
    struct buf partitions; /* struct partition_key of each file added or removed */
};

struct partition_key {
    int32_t spec_id;
    int32_t has_day;
    int32_t day;
};

/* Writes a new object; notes it as written. */
MUST_USE enum err_code commit_put(struct commit *c, const char *location, struct span bytes,
                                  struct err *e);

/* Reads a whole object; e says what it is. */
MUST_USE enum err_code commit_fetch(struct store *store, const char *location, const char *what,
                                    struct buf *out, struct err *e);

/* ERR_UNSUPPORTED when delete files take rows away from the list's data files. */
MUST_USE enum err_code commit_refuse_deletes(const struct iceberg_manifest_list *list,
                                             struct err *e);

/* A manifest that is being written, in memory until it is known to be needed. */
struct manifest_out {
    struct buf bytes;
    struct iceberg_manifest_writer *writer;
    char *fields_json;
    struct spec_view spec;
    const struct commit *c;
};

MUST_USE enum err_code manifest_out_open(struct manifest_out *m, const struct commit *c,
                                         const struct spec_view *spec, struct err *e);
void manifest_out_deinit(struct manifest_out *m);

/* Ends the manifest and makes its row, still without a path. */
MUST_USE enum err_code manifest_out_finish(struct manifest_out *m, struct commit *c,
                                           struct iceberg_manifest_row **out, struct err *e);

/* Gives the row its path and puts the manifest there. */
MUST_USE enum err_code manifest_out_store(const struct manifest_out *m, struct commit *c,
                                          struct iceberg_manifest_row *row, struct err *e);

/* Calls each for every entry of a manifest in the store. */
MUST_USE enum err_code commit_read_manifest(const struct commit *c,
                                            const struct iceberg_manifest_row *row,
                                            iceberg_entry_fn *each, void *ctx, struct err *e);

/* Writes the manifests of the new snapshot and fills rows and sums; no rows when there is to be no
 * snapshot. */
MUST_USE enum err_code commit_make_files(struct commit *c, struct err *e);

/* Whether there is a snapshot: the change has files, or one is wanted all the same. */
static inline bool commit_has_snapshot(const struct commit *c)
{
    return c->added.files > 0 || c->removed.files > 0 || c->options->always_snapshot;
}

const char *commit_operation(const struct commit *c);

/* A manifest that could be merged with others, newest first. */
struct merge_item {
    int64_t length_bytes;
    int32_t spec_id;
    bool may_merge;
    uint32_t run; /* out: items with the same number become one; 0: it stays as it is */
};

struct merge_settings {
    bool enabled;
    int64_t min_count;
    int64_t target_bytes;
};

struct merge_settings merge_settings_of(const struct iceberg_metadata *m);
void merge_plan(struct merge_item *items, uint32_t count, const struct merge_settings *settings);

enum snapshot_fate { SNAPSHOT_UNKNOWN, SNAPSHOT_STAYS, SNAPSHOT_EXPIRED };

struct snapshot_id_fate {
    int64_t id;
    enum snapshot_fate fate;
};

struct expiry {
    struct snapshot_views all; /* the base's, ascending */
    bool *expired;             /* for each of them */
    uint32_t expired_count;
    struct snapshot_id_fate *by_id;
};

MUST_USE enum err_code expiry_choose(const struct iceberg_metadata *base,
                                     const struct iceberg_retention *retention, int64_t now_ms,
                                     bool has_new, struct expiry *out, struct err *e);
enum snapshot_fate expiry_fate(const struct expiry *x, int64_t snapshot_id);
void expiry_deinit(struct expiry *x);

/* Makes attempt->next, and adds to attempt->expired what left the metadata itself. */
MUST_USE enum err_code commit_make_next(struct commit *c, const struct expiry *x, struct err *e);

/*
 * Adds manifest lists, manifests and files of expired snapshots to attempt->expired. What cannot be
 * decided stays and is counted in attempt->cleanup_skipped. Errors: ERR_NOMEM, ERR_LIMIT.
 */
MUST_USE enum err_code commit_collect_garbage(struct commit *c, const struct expiry *x,
                                              struct err *e);

#endif
