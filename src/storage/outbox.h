/*
 * outbox.h - a store in front of another that holds new objects back, to send them together.
 *
 * What a commit writes is of no use to anybody before its swap. Over a long line the objects of one
 * commit, or of several, cost one round trip when they go side by side, and as many as there are
 * when each waits for the one before.
 *
 * What is held is read and removed like any object; outbox_objects() lists it, store_list() does
 * not. What does not fit goes to the other store at once.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_STORAGE_OUTBOX_H
#define CALVE_STORAGE_OUTBOX_H

#include "storage/store.h"

struct outbox;

/* inner is not owned. bytes_max: of all that is held. */
MUST_USE enum err_code outbox_new(struct store *inner, size_t bytes_max, struct outbox **out,
                                  struct err *e);

/* What is held is dropped. NULL is fine. */
void outbox_free(struct outbox *o);

/* Lives as long as the outbox; not to be freed. */
struct store *outbox_store(struct outbox *o);

/* What is held; valid until the next call. */
const struct store_object *outbox_objects(const struct outbox *o, uint32_t *count);

/*
 * Sends what is held, and holds nothing any more, also after a failure: then some of the objects
 * may be there. Errors: as store_put_many().
 */
MUST_USE enum err_code outbox_send(struct outbox *o, struct err *e);

#endif
