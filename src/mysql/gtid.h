/*
 * gtid.h - sets of global transaction ids: MySQL's interval sets and MariaDB's per-domain
 * positions.
 *
 * MySQL: "uuid:1-3:5,uuid2:1-9", and with tags "uuid:1-3:tag:1-2". MariaDB: "0-1-100,1-2-55"; a
 * MariaDB set means "everything in each domain up to this sequence number".
 *
 * Spec: mysql-server sql/rpl_gtid_set.cc; MariaDB sql/rpl_gtid.cc.
 * Owns:   its intervals. Thread: one at a time.
 */
#ifndef CALVE_MYSQL_GTID_H
#define CALVE_MYSQL_GTID_H

#include "base/buf.h"
#include "base/err.h"

enum gtid_flavor { GTID_FLAVOR_MYSQL, GTID_FLAVOR_MARIADB };

#define GTID_TAG_BYTES 33u

/* One transaction's id. present is false for anonymous transactions. */
struct gtid {
    bool present;
    enum gtid_flavor flavor;
    uint8_t uuid[16];         /* MySQL */
    char tag[GTID_TAG_BYTES]; /* MySQL, "" for none */
    uint32_t domain;          /* MariaDB */
    uint32_t server_id;       /* MariaDB */
    uint64_t number;          /* gno or seq_no */
};

struct gtid_set;

struct gtid_set *gtid_set_new(enum gtid_flavor flavor); /* NULL: no memory */
void gtid_set_free(struct gtid_set *s);
enum gtid_flavor gtid_set_flavor(const struct gtid_set *s);
bool gtid_set_is_empty(const struct gtid_set *s);

/* Spaces, newlines and any case are fine. Errors: ERR_CORRUPT. */
MUST_USE enum err_code gtid_set_parse(const char *text, enum gtid_flavor flavor,
                                      struct gtid_set **out, struct err *e);
void gtid_set_print(const struct gtid_set *s, struct buf *out);
struct gtid_set *gtid_set_copy(const struct gtid_set *s);

/* Amortised O(1) for the next number of a known source. Errors: ERR_NOMEM. */
MUST_USE enum err_code gtid_set_add(struct gtid_set *s, const struct gtid *g, struct err *e);
bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g);
bool gtid_set_is_subset(const struct gtid_set *inner, const struct gtid_set *outer);
MUST_USE enum err_code gtid_set_union(struct gtid_set *into, const struct gtid_set *from,
                                      struct err *e);

/* What is in both, which are of one flavor; NULL when there is no memory. */
struct gtid_set *gtid_set_intersect(const struct gtid_set *a, const struct gtid_set *b);

/*
 * What a has and b, of the same flavor, has not; NULL when there is no memory. Of MariaDB: the
 * domains in which a is ahead, at a's position.
 */
struct gtid_set *gtid_set_subtract(const struct gtid_set *a, const struct gtid_set *b);

/* The block of COM_BINLOG_DUMP_GTID and of PREVIOUS_GTIDS; tagged form only when a tag is there. */
void gtid_set_encode(const struct gtid_set *s, struct buf *out);
MUST_USE enum err_code gtid_set_decode(struct span block, struct gtid_set **out, struct err *e);

/* "uuid:7", "0-1-7", "anonymous". */
void gtid_print(const struct gtid *g, char *out, size_t out_bytes);

#endif
