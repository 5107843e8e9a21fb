/*
 * metadata_updates.h - a change of a table as Iceberg REST catalogs take it: what the table must
 * still be like, and what is to be done to it.
 *
 * Spec: apache/iceberg open-api/rest-catalog-open-api.yaml, CommitTableRequest, CreateTableRequest.
 * Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_METADATA_UPDATES_H
#define CALVE_ICEBERG_METADATA_UPDATES_H

#include "iceberg/metadata.h"

/*
 * From base to next: *out is an object with the lists "requirements" and "updates", for
 * json_decref().
 *
 * Required are the table's UUID and that main is where base has it. So the same change can take
 * effect once only if it moves main, that is, has a snapshot; a change of properties alone could be
 * done twice, the second time after others. Times, logs and what else a server derives by itself
 * are left out.
 *
 * Errors: ERR_UNSUPPORTED the two differ in anything but snapshots, main, properties, and
 *         statistics that went with their snapshots.
 */
MUST_USE enum err_code iceberg_updates_between(const struct iceberg_metadata *base,
                                               const struct iceberg_metadata *next,
                                               struct json_t **out, struct err *e);

/*
 * The request that creates a table like `first`, which has no snapshot yet. An empty location is
 * left out: the server chooses. Ids of columns are the server's to give: in the order of the
 * schema, from 1.
 */
MUST_USE enum err_code iceberg_create_request(const char *name,
                                              const struct iceberg_metadata *first,
                                              struct json_t **out, struct err *e);

#endif
