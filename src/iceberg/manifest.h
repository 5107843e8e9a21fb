/*
 * manifest.h - which files a part of a table is made of: one Avro record for each file.
 *
 * Spec: Apache Iceberg table spec, "Manifests", "Sequence Number Inheritance"; version 2 is
 * written, 1 and 2 are read. Written are manifests of unpartitioned specs and of specs with one
 * day() field; all are read. Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_MANIFEST_H
#define CALVE_ICEBERG_MANIFEST_H

#include "avro/reader.h"
#include "base/rand.h"
#include "iceberg/data_file.h"
#include "iceberg/manifest_list.h"

enum iceberg_entry_status {
    ICEBERG_ENTRY_EXISTING = 0,
    ICEBERG_ENTRY_ADDED = 1,
    ICEBERG_ENTRY_DELETED = 2,
};

enum iceberg_file_content {
    ICEBERG_FILE_DATA = 0,
    ICEBERG_FILE_POSITION_DELETES = 1,
    ICEBERG_FILE_EQUALITY_DELETES = 2,
};

struct iceberg_manifest_entry {
    enum iceberg_entry_status status;
    int64_t snapshot_id;          /* when writing, -1: null */
    int64_t sequence_number;      /* when writing, -1: null, inherited at commit */
    int64_t file_sequence_number; /* when writing, -1: null, inherited at commit */
    enum iceberg_file_content content;
    struct span format; /* "PARQUET"; empty means that when writing */
    const struct iceberg_data_file *file;
    struct span key_metadata; /* data NULL: none */
    const int32_t *equality_ids;
    uint32_t equality_count;
    bool has_sort_order;
    int32_t sort_order_id;
    struct span referenced_data_file;   /* empty: none */
    const struct avro_value *partition; /* as read, whatever its fields; NULL when writing */
};

/* entry and what it points to are valid during the call only. */
typedef enum err_code iceberg_entry_fn(void *ctx, const struct iceberg_manifest_entry *entry,
                                       struct err *e);

/*
 * Calls each for every entry; what an entry leaves out is filled in from its row of the manifest
 * list. Errors: ERR_CORRUPT, ERR_NOMEM, ERR_LIMIT, ERR_UNSUPPORTED, or what each returns.
 */
MUST_USE enum err_code iceberg_manifest_read(struct span file,
                                             const struct iceberg_manifest_row *row,
                                             iceberg_entry_fn *each, void *ctx, struct err *e);

struct iceberg_manifest_options {
    const char *schema_json; /* the table's schema */
    int32_t schema_id;
    int32_t spec_id;
    const char *spec_fields_json; /* the spec's array of fields */
    bool by_day;
    int32_t partition_field_id;
    const char *partition_name;
    enum iceberg_manifest_content content;
    struct rand *rand;
};

struct iceberg_manifest_writer;

/* Appends the file to out, which must outlive the writer. Errors: ERR_NOMEM. */
MUST_USE enum err_code iceberg_manifest_open(const struct iceberg_manifest_options *options,
                                             struct buf *out, struct iceberg_manifest_writer **w,
                                             struct err *e);

/* Errors: ERR_NOMEM, ERR_LIMIT. */
MUST_USE enum err_code iceberg_manifest_add(struct iceberg_manifest_writer *w,
                                            const struct iceberg_manifest_entry *entry,
                                            struct err *e);

/*
 * Ends the file and fills row but for path, sequence_number and added_snapshot_id;
 * min_sequence_number is -1 when a live entry inherits its own. Memory comes from arena.
 */
MUST_USE enum err_code iceberg_manifest_finish(struct iceberg_manifest_writer *w,
                                               struct arena *arena,
                                               struct iceberg_manifest_row *row, struct err *e);
void iceberg_manifest_free(struct iceberg_manifest_writer *w); /* NULL is fine */

#endif
