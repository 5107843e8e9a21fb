/* metadata_int.h - the parsed document behind struct iceberg_metadata, inside the iceberg folder.
 */
#ifndef CALVE_ICEBERG_METADATA_INT_H
#define CALVE_ICEBERG_METADATA_INT_H

#include <jansson.h>

#include "iceberg/metadata.h"

/* A document is never changed once other code has seen it: the next one shares its parts. */
struct iceberg_metadata {
    json_t *root;
};

/* One snapshot; pointers live as long as the metadata. */
struct snapshot_view {
    int64_t id;
    int64_t parent_id; /* -1: none */
    int64_t sequence_number;
    int64_t timestamp_ms;
    const char *manifest_list; /* NULL in version 1 tables that name manifests directly */
    json_t *json;
};

struct snapshot_views {
    struct snapshot_view *items;
    uint32_t count;
};

/* A partition spec as far as calve can write it. */
struct spec_view {
    int32_t spec_id;
    bool writable; /* unpartitioned, or one day() field */
    bool by_day;
    int32_t source_id; /* the column that by_day takes its days from */
    int32_t field_id;
    const char *name;
    json_t *fields; /* the array */
};

/* Errors: ERR_CORRUPT names the key; ERR_UNSUPPORTED a format version above 2. */
MUST_USE enum err_code metadata_check(const json_t *root, struct err *e);

/* Checks, and takes the reference to root over, also on failure. */
MUST_USE enum err_code metadata_wrap(json_t *root, struct iceberg_metadata **out, struct err *e);

/* All snapshots by ascending sequence number; free(items). */
MUST_USE enum err_code metadata_snapshots(const struct iceberg_metadata *m,
                                          struct snapshot_views *out, struct err *e);

/* False when there is none with this id. */
bool metadata_snapshot(const struct iceberg_metadata *m, int64_t snapshot_id,
                       struct snapshot_view *out);

/* Whether a calve made the snapshot: its summary has a key that starts with "calve.". */
bool snapshot_is_ours(const struct snapshot_view *s);

const char *snapshot_summary(const struct snapshot_view *s, const char *key);

int32_t metadata_format_version(const struct iceberg_metadata *m);
int64_t metadata_int(const struct iceberg_metadata *m, const char *key, int64_t otherwise);

/* Finds a spec by its id; false when there is none. */
bool metadata_spec(const struct iceberg_metadata *m, int32_t spec_id, struct spec_view *out);

/* The current schema's object. */
json_t *metadata_schema(const struct iceberg_metadata *m);

/* A table property as a number or a truth value; `otherwise` when absent or not one. */
int64_t metadata_property_int(const struct iceberg_metadata *m, const char *key, int64_t otherwise);
bool metadata_property_bool(const struct iceberg_metadata *m, const char *key, bool otherwise);

#endif
