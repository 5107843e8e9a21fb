/*
 * locations.h - a growing list of object locations.
 *
 * Owns: its strings. A zeroed struct is an empty list. Thread: one at a time.
 */
#ifndef CALVE_ICEBERG_LOCATIONS_H
#define CALVE_ICEBERG_LOCATIONS_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct locations {
    char **items;
    uint32_t count;
    uint32_t capacity;
};

void locations_deinit(struct locations *l);

/* Adds a copy. Errors: ERR_NOMEM. */
MUST_USE enum err_code locations_add(struct locations *l, struct span location, struct err *e);

/* Moves everything from `from` to the end of l; on failure both stay as they are. */
MUST_USE enum err_code locations_move(struct locations *l, struct locations *from, struct err *e);

/* Empty again. */
void locations_clear(struct locations *l);

#endif
