/*
 * lake.h - the store and the catalog that the settings name.
 *
 * Thread: main opens and closes; a catalog is used by one thread at a time.
 */
#ifndef CALVE_APP_LAKE_H
#define CALVE_APP_LAKE_H

#include "app/config.h"
#include "catalog/catalog.h"
#include "storage/store.h"

struct lake_remote;

/* Zeroed is closed. */
struct lake {
    struct store *store;
    struct catalog *catalog;
    struct lake_remote *remote; /* connections and keys; NULL for a lake in a folder */
};

/* Makes warehouse folder and catalog where they are missing. On failure *out is closed. */
MUST_USE enum err_code lake_open(const struct config *c, struct log *log, struct lake *out,
                                 struct err *e);

/* For looking only: makes and changes nothing. Errors: ERR_NOT_FOUND says that there is no lake. */
MUST_USE enum err_code lake_open_existing(const struct config *c, struct log *log, struct lake *out,
                                          struct err *e);

/* A store alone, for S3 and for files; catalog is NULL. */
MUST_USE enum err_code lake_open_store(const struct config *c, struct log *log, struct lake *out,
                                       struct err *e);
void lake_close(struct lake *l);

/* Whether the settings name anything beyond this machine's files. */
bool lake_is_remote(const struct config *c);

#endif
