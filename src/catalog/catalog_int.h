/* catalog_int.h - metadata files, as the backends of this folder write and read them. */
#ifndef CALVE_CATALOG_CATALOG_INT_H
#define CALVE_CATALOG_CATALOG_INT_H

#include "catalog/catalog.h"

/* Plain or gzip'ed. Errors: ERR_NOT_FOUND; ERR_CORRUPT and ERR_UNSUPPORTED name the file. */
MUST_USE enum err_code metadata_file_read(struct store *store, const char *location,
                                          struct iceberg_metadata **out, struct err *e);

/* Where a catalog says that a table's metadata file is. */
struct metadata_pointer {
    /* *location is malloc'd. */
    enum err_code (*find)(void *ctx, struct table_ident id, char **location, struct err *e);
    void *ctx;
    const char *catalog; /* for messages: "/lake/catalog.db", "Glue" */
};

/*
 * Reads the file that the pointer names. Between the two, commits of others may have removed it;
 * then the pointer names another. Errors: those of find and of metadata_file_read(); ERR_CORRUPT
 * when there is no such file.
 */
MUST_USE enum err_code metadata_file_follow(struct store *store,
                                            const struct metadata_pointer *pointer,
                                            struct table_ident id, struct catalog_table *out,
                                            struct err *e);

/*
 * Writes m as the version that follows the file base_location (NULL: a first version) under a name
 * of its own: <5-digit version>-<uuid>.metadata.json. *location is malloc'd. store: the catalog's,
 * or one in front of it.
 */
MUST_USE enum err_code metadata_file_write(struct catalog *c, struct store *store,
                                           const struct iceberg_metadata *m,
                                           const char *base_location, char **location,
                                           struct err *e);

/* Removes a file that certainly never became current; a failure is only logged. */
void metadata_file_drop(struct catalog *c, const char *location);

/* "ns.name", cut to fit. */
#define TABLE_NAME_BYTES 256
void table_ident_print(struct table_ident id, char out[TABLE_NAME_BYTES]);

#endif
