/* rest_lent_int.h - keys that a REST server lent, inside of rest_lent.c and rest_vended.c. */
#ifndef CALVE_CATALOG_REST_LENT_INT_H
#define CALVE_CATALOG_REST_LENT_INT_H

#include "catalog/rest_int.h"

struct lent_keys {
    char *prefix; /* "": of all the table's files */
    char *access_key_id;
    struct secret secret_access_key;
    struct secret session_token;
    int64_t expires_us; /* wall clock; INT64_MAX: not said */
    int64_t early_us;   /* so long before they are renewed */
    char *region;       /* NULL: not said, as endpoint */
    char *endpoint;
    bool path_style;
};

struct lent_table {
    char *ns;
    char *name;
    struct locations scopes; /* where its files are, without a '/' at the end */
    struct lent_keys *keys;
    uint32_t key_count;
    json_t *config; /* the table's, for what its keys do not say */
    uint64_t used;
    uint64_t version;      /* another one each time that keys came */
    uint64_t failures;     /* of renewals */
    int64_t renewed_us;    /* monotonic */
    int64_t not_before_us; /* a renewal failed: when to try again */
};

/* All below: the mutex of c->lent is held. */

struct lent_table *rest_lent_table(const struct rest_lent *l, struct table_ident id);
/* The table whose files are in the innermost folder around the location; NULL for none. */
struct lent_table *rest_lent_around(const struct rest_lent *l, const char *location);
/* Its keys for a file; NULL for none. */
const struct lent_keys *rest_lent_keys(const struct lent_table *t, const char *location);

/* The keys of an answer take the place of a table's, which keeps its scopes and its config. Errors:
 * ERR_CONFIG there are none. */
MUST_USE enum err_code rest_lent_replace(struct rest_catalog *c, struct table_ident id,
                                         const json_t *answer, struct err *e);

/* Copies a text; NULL and "" as NULL. False without memory. */
bool rest_lent_copy(const char *text, char **out);

#endif
