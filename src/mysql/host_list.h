/*
 * host_list.h - "db1:3306, db2, [::1]:3307": servers to be tried in order.
 *
 * An IPv6 address stands in brackets; without a port it may stand alone.
 *
 * Owns:   nothing. Thread: any.
 */
#ifndef CALVE_MYSQL_HOST_LIST_H
#define CALVE_MYSQL_HOST_LIST_H

#include <stdint.h>

#include "base/err.h"

#define HOST_BYTES 256u

struct host {
    char name[HOST_BYTES]; /* without brackets */
    uint16_t port;         /* 0 when none is said */
};

/*
 * Takes the next server off *rest; *found is false at the end. Errors: ERR_CONFIG an empty or
 * overlong name, or a port that is none.
 */
MUST_USE enum err_code host_list_next(const char **rest, struct host *out, bool *found,
                                      struct err *e);

#endif
