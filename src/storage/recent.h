/*
 * recent.h - a store that remembers the small objects it put last, and does not ask for them again.
 *
 * A commit reads what the one before it wrote: metadata, manifest list, manifests. Objects never
 * change, so that the bytes that were acknowledged are those that would come back, and over a long
 * line each read that is spared is a round trip less. That somebody removed an object meanwhile
 * does not show.
 *
 * Thread: any.
 */
#ifndef CALVE_STORAGE_RECENT_H
#define CALVE_STORAGE_RECENT_H

#include "storage/store.h"

/* Objects above this are not kept. */
#define RECENT_OBJECT_BYTES_MAX ((size_t)1 << 20)

/* Owns inner from then on, also on failure. bytes_max: of all that is kept; what was used least
 * lately goes. */
MUST_USE enum err_code store_recent_new(struct store *inner, size_t bytes_max, struct store **out,
                                        struct err *e);

#endif
