/*
 * metadata.h - a table's metadata.json.
 *
 * The parsed document is kept whole, so that keys this version does not know survive a rewrite.
 *
 * Spec: Apache Iceberg table spec, "Table Metadata" and Appendix C; format version 2 is written, 1
 * and 2 are read. Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_METADATA_H
#define CALVE_ICEBERG_METADATA_H

#include "base/buf.h"
#include "base/err.h"
#include "iceberg/schema.h"

struct iceberg_metadata;
struct json_t; /* of jansson */

struct iceberg_property {
    const char *key;
    const char *value;
};

/* Errors: ERR_CORRUPT names the key that is missing or wrong; ERR_UNSUPPORTED a format version
 * above 2. */
MUST_USE enum err_code iceberg_metadata_parse(struct span json, struct iceberg_metadata **out,
                                              struct err *e);
/* The same for a document that is parsed already; takes its reference over, also on failure. */
MUST_USE enum err_code iceberg_metadata_take_json(struct json_t *root,
                                                  struct iceberg_metadata **out, struct err *e);
void iceberg_metadata_free(struct iceberg_metadata *m);
MUST_USE enum err_code iceberg_metadata_print(const struct iceberg_metadata *m, struct buf *out,
                                              struct err *e);

/* Pointers returned below live as long as m. */

/* The whole document as jansson's json_t, for a catalog that tells parts of it to others. */
struct json_t;
const struct json_t *iceberg_metadata_document(const struct iceberg_metadata *m);

const char *iceberg_metadata_location(const struct iceberg_metadata *m);
const char *iceberg_metadata_uuid(const struct iceberg_metadata *m);
const char *iceberg_metadata_property(const struct iceberg_metadata *m,
                                      const char *key); /* or NULL */

/* Calls each for the table properties whose keys begin so, until it fails; that is then returned.
 */
MUST_USE enum err_code iceberg_metadata_each_property(
    const struct iceberg_metadata *m, const char *prefix,
    enum err_code (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e);

int64_t iceberg_metadata_snapshot_id(const struct iceberg_metadata *m); /* -1: none */
uint32_t iceberg_metadata_snapshot_count(const struct iceberg_metadata *m);

/* The current snapshot's summary entry, or that of any snapshot; NULL when absent. */
const char *iceberg_metadata_summary(const struct iceberg_metadata *m, int64_t snapshot_id,
                                     const char *key);

bool iceberg_metadata_has_snapshot(const struct iceberg_metadata *m, int64_t snapshot_id);

/* Whether the metadata-log names this file: it has been the current one. */
bool iceberg_metadata_was_at(const struct iceberg_metadata *m, const char *metadata_location);

int64_t iceberg_metadata_last_updated_ms(const struct iceberg_metadata *m);
int64_t iceberg_metadata_sequence_number(const struct iceberg_metadata *m); /* the last one given */

/* The folder of metadata files without trailing '/', malloc'd; NULL when there is no memory. */
char *iceberg_metadata_folder(const struct iceberg_metadata *m);

/*
 * Whether the current schema has all of schema's columns with their ids, names and types, and
 * requires no other; if not, why says what is different.
 */
bool iceberg_metadata_has_fields(const struct iceberg_metadata *m,
                                 const struct iceberg_schema *schema, char *why, size_t why_bytes);

struct iceberg_table_options {
    const char *uuid;
    const char *location; /* no trailing slash */
    int64_t now_ms;
    const struct iceberg_schema *schema;
    struct iceberg_partition partition;
    const struct iceberg_property *properties; /* all of them */
    uint32_t property_count;
};

/* A new table's first metadata: format version 2, no snapshot. Errors: ERR_NOMEM, ERR_CONFIG
 * (text). */
MUST_USE enum err_code iceberg_metadata_new(const struct iceberg_table_options *options,
                                            struct iceberg_metadata **out, struct err *e);

/* Another handle on the same document. NULL when there is no memory. */
struct iceberg_metadata *iceberg_metadata_share(const struct iceberg_metadata *m);

#endif
