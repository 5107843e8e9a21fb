/*
 * fake_store.h - objects in memory, under a test's control: what is there, how often each operation
 * was called, and which call fails how.
 *
 *   struct store *s = fake_store_new();
 *   fake_store_fail_at(s, FAKE_STORE_PUT, 2, ERR_IO);   the second put from now fails
 *   ...
 *   assert_true(fake_store_has(s, "file:///t/metadata/00000-x.metadata.json"));
 *   store_free(s);
 *
 * It behaves as store.h says: put refuses a name that is taken, an object that is written in pieces
 * gets its name at finish, removing what is not there is fine, a list comes in ascending order.
 *
 * Thread: any.
 */
#ifndef CALVE_FAKE_STORE_H
#define CALVE_FAKE_STORE_H

#include <stdint.h>

#include "base/clock.h"
#include "storage/store.h"

enum fake_store_op {
    FAKE_STORE_PUT,
    FAKE_STORE_GET,
    FAKE_STORE_CREATE,
    FAKE_STORE_WRITE,
    FAKE_STORE_FINISH,
    FAKE_STORE_OPEN,
    FAKE_STORE_READ, /* byte_source_read() on what open gave */
    FAKE_STORE_REMOVE,
    FAKE_STORE_LIST,
    FAKE_STORE_OPS,
};

/* NULL when there is no memory. Free it with store_free(). */
struct store *fake_store_new(void);

/* From where list takes the time of an object; without one it is 0. */
void fake_store_set_clock(struct store *s, const struct clock *clock);

/* Whether unfinished files count as memory that the store holds (store_file_held_bytes()), as those
 * of S3 do; at first they do not. */
void fake_store_hold(struct store *s, bool holds);

struct fake_failure {
    enum fake_store_op op;
    unsigned nth;     /* 1: the next call; only calls that `part` lets pass count */
    const char *part; /* only locations that contain this; NULL: all. Must outlive the failure */
    unsigned times;   /* how many calls in a row; 0 means 1 */
    enum err_code code;
    bool retryable;
    bool done; /* the effect happens, and the call fails all the same */
};

/* Replaces the failure that was planned for the same op; one for each op. */
void fake_store_fail(struct store *s, const struct fake_failure *failure);

/* The short form: one call, no matter where. nth 0: nothing fails any more. */
void fake_store_fail_at(struct store *s, enum fake_store_op op, unsigned nth, enum err_code code);

/* Whether the failure planned for this op has happened. */
bool fake_store_failed(const struct store *s, enum fake_store_op op);

/* Calls since the store was made, failed ones included. */
unsigned long fake_store_calls(const struct store *s, enum fake_store_op op);

/* Objects whose location starts with prefix; "" counts all. */
size_t fake_store_count(const struct store *s, const char *prefix);
bool fake_store_has(const struct store *s, const char *location);

/* The location of object i of all, in ascending order; NULL when there are fewer. */
const char *fake_store_name(const struct store *s, size_t i);

/* An object's bytes; data NULL when it is not there. Valid until it is removed or replaced. */
struct span fake_store_peek(const struct store *s, const char *location);

/* Makes or replaces an object, past all failures. False when there is no memory. */
bool fake_store_set(struct store *s, const char *location, struct span bytes);

/* Bytes of all objects. */
uint64_t fake_store_bytes(const struct store *s);

#endif
