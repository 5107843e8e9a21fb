/*
 * schemes.h - one store for locations of all kinds: each goes to the store of its scheme.
 *
 *   file://, file:/, /plain/path   local
 *   s3://, s3a://, s3n://          S3
 *   anything else                  ERR_UNSUPPORTED, before anything is asked
 *
 * Thread: any.
 */
#ifndef CALVE_STORAGE_SCHEMES_H
#define CALVE_STORAGE_SCHEMES_H

#include "storage/store.h"

/*
 * Owns both stores from then on, also on failure. One of them may be NULL: locations of its kind
 * are then ERR_CONFIG.
 */
MUST_USE enum err_code store_schemes_new(struct store *local, struct store *s3, struct store **out,
                                         struct err *e);

enum store_scheme { STORE_SCHEME_LOCAL, STORE_SCHEME_S3, STORE_SCHEME_OTHER };

enum store_scheme store_scheme_of(const char *location);

#endif
