/*
 * json_fields_int.h - keys of JSON objects, with failures gathered instead of checked one by one.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_JSON_FIELDS_INT_H
#define CALVE_PIPELINE_JSON_FIELDS_INT_H

#include <jansson.h>

#include "base/arena.h"

/* Collects failures: a JSON object that was not made swallows what is put into it. */
struct json_fields_out {
    bool failed;
    const char *not_utf8; /* key of a text that JSON cannot hold */
};

/* Sets a key unless the value is its type's nothing. */
void json_fields_set_uint(struct json_fields_out *p, json_t *object, const char *key, uint64_t v);
/* NULL texts are left out. */
void json_fields_set_text(struct json_fields_out *p, json_t *object, const char *key,
                          const char *v);
json_t *json_fields_text(struct json_fields_out *p, const char *key, const char *v);

/*
 * Reads keys of objects and remembers the first that is wrong. A key that is not there gives its
 * type's nothing; one that is there holds what it should, or the place to go on from would be
 * guessed.
 */
struct json_fields_in {
    struct arena *arena;
    const char *wrong;
    bool no_room; /* in the arena */
};

bool json_fields_failed(const struct json_fields_in *p);
void json_fields_wrong(struct json_fields_in *p, const char *key);
uint64_t json_fields_to_uint(struct json_fields_in *p, const json_t *value, const char *key,
                             uint64_t max);
uint64_t json_fields_uint(struct json_fields_in *p, const json_t *o, const char *key, uint64_t max);

/* The text in place; NULL when it is not there. */
const char *json_fields_peek_text(struct json_fields_in *p, const json_t *o, const char *key);

/* A copy in the arena; NULL of NULL. */
const char *json_fields_take_text(struct json_fields_in *p, const char *text);
const char *json_fields_need_text(struct json_fields_in *p, const json_t *o, const char *key);

/* A text cut short would name another place: it is wrong instead. */
void json_fields_copy_text(struct json_fields_in *p, char *out, size_t out_bytes, const json_t *o,
                           const char *key);

/* Zeroed, in the arena. */
void *json_fields_array(struct json_fields_in *p, uint32_t count, size_t size);

#endif
