/*
 * gtid_int.h - what a GTID set is made of, for gtid.c (algebra), gtid_text.c and gtid_wire.c.
 *
 * Thread: as the set.
 */
#ifndef CALVE_MYSQL_GTID_INT_H
#define CALVE_MYSQL_GTID_INT_H

#include "mysql/gtid.h"

#define GTID_NUMBER_END ((uint64_t)INT64_MAX) /* behind the last number a transaction can have */

/* Closed on both ends. */
struct gtid_interval {
    uint64_t first;
    uint64_t last;
};

/* MySQL: one source and tag with its intervals. MariaDB: one domain, up to `last`. */
struct gtid_source {
    uint8_t uuid[16];
    char tag[GTID_TAG_BYTES];
    struct gtid_interval *intervals;
    uint32_t count;
    uint32_t capacity;
    uint32_t domain;
    uint32_t server_id;
    uint64_t last;
};

struct gtid_set {
    enum gtid_flavor flavor;
    struct gtid_source *sources; /* sorted by uuid and tag, or by domain */
    uint32_t count;
    uint32_t capacity;
    uint32_t recent; /* index of the source that was added to last */
};

/* The source of the same uuid and tag, or domain, as key; else NULL, and *at is where it belongs.
 */
struct gtid_source *gtid_source_find(const struct gtid_set *s, const struct gtid_source *key,
                                     uint32_t *at);

/* The same; makes it when it is not there. NULL: no memory. */
struct gtid_source *gtid_source_find_or_add(struct gtid_set *s, const struct gtid_source *key);

/* Takes [first, last] in; false: no memory. */
bool gtid_source_add(struct gtid_source *src, uint64_t first, uint64_t last);

/* Lower case; false when it is no tag. */
bool gtid_tag_parse(const char *text, char out[GTID_TAG_BYTES]);

#endif
