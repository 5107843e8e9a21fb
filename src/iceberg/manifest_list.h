/*
 * manifest_list.h - which manifests make up a snapshot.
 *
 * Spec: Apache Iceberg table spec, "Manifest Lists"; version 2 is written, 1 and 2 are read.
 * Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_MANIFEST_LIST_H
#define CALVE_ICEBERG_MANIFEST_LIST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rand.h"

enum iceberg_manifest_content {
    ICEBERG_MANIFEST_DATA = 0,
    ICEBERG_MANIFEST_DELETES = 1,
};

/* What a manifest holds of one partition field. */
struct iceberg_partition_summary {
    bool contains_null;
    bool has_nan; /* whether contains_nan is known */
    bool contains_nan;
    bool has_lower;
    bool has_upper;
    struct span lower; /* single-value serialization of the transform's result */
    struct span upper;
};

/* Counts of files and their rows by status; -1 where a version 1 list does not say. */
struct iceberg_manifest_counts {
    int32_t added_files;
    int32_t existing_files;
    int32_t deleted_files;
    int64_t added_rows;
    int64_t existing_rows;
    int64_t deleted_rows;
};

struct iceberg_manifest_row {
    const char *path;
    int64_t length_bytes;
    int32_t spec_id;
    enum iceberg_manifest_content content;
    int64_t sequence_number;
    int64_t min_sequence_number;
    int64_t added_snapshot_id;
    struct iceberg_manifest_counts counts;
    struct iceberg_partition_summary *partitions; /* one for each field of the spec */
    uint32_t partition_count;
    bool has_partitions;
    struct span key_metadata; /* data NULL: none */
};

struct iceberg_manifest_list {
    struct iceberg_manifest_row *rows;
    uint32_t count;
    struct arena arena; /* holds all of the above */
};

/* Owns nothing of file afterwards. Errors: ERR_CORRUPT, ERR_NOMEM, ERR_UNSUPPORTED (codec). */
MUST_USE enum err_code iceberg_manifest_list_read(struct span file,
                                                  struct iceberg_manifest_list *out, struct err *e);
void iceberg_manifest_list_deinit(struct iceberg_manifest_list *l);

struct iceberg_manifest_list_head {
    int64_t snapshot_id;
    int64_t parent_snapshot_id; /* -1: none */
    int64_t sequence_number;
    struct rand *rand;
};

/* Appends a whole Avro file to out. */
MUST_USE enum err_code iceberg_manifest_list_write(const struct iceberg_manifest_list_head *head,
                                                   const struct iceberg_manifest_row *const *rows,
                                                   uint32_t count, struct buf *out, struct err *e);

/* Files that readers of the manifest see: added and existing; 0 when it is not known to have any.
 */
static inline int64_t iceberg_manifest_live_files(const struct iceberg_manifest_row *row)
{
    return (row->counts.added_files > 0 ? row->counts.added_files : 0) +
           (int64_t)(row->counts.existing_files > 0 ? row->counts.existing_files : 0);
}

/* Whether all six counts are known. */
static inline bool iceberg_manifest_counts_known(const struct iceberg_manifest_counts *c)
{
    return c->added_files >= 0 && c->existing_files >= 0 && c->deleted_files >= 0 &&
           c->added_rows >= 0 && c->existing_rows >= 0 && c->deleted_rows >= 0;
}

#endif
