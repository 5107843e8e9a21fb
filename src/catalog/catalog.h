/*
 * catalog.h - which tables exist and which metadata file is current; and the commit of a change.
 *
 * A backend does three things: name lookup, creation, and an atomic swap from one metadata to the
 * next. catalog_commit() does the rest: it builds the snapshot on the current metadata, asks the
 * caller's check on every attempt, swaps, retries on conflict, and settles attempts whose outcome
 * is unknown.
 *
 * Spec: Apache Iceberg table spec, "Optimistic Concurrency"; the SQLite backend keeps the layout of
 * PyIceberg's SqlCatalog and Java's JdbcCatalog (schema V1, V0 tolerated).
 * Thread: a catalog belongs to one thread at a time.
 */
#ifndef CALVE_CATALOG_CATALOG_H
#define CALVE_CATALOG_CATALOG_H

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "iceberg/commit.h"
#include "iceberg/data_file.h"
#include "iceberg/metadata.h"
#include "iceberg/schema.h"
#include "storage/store.h"

struct catalog;

/* A single-level namespace and a table in it. */
struct table_ident {
    const char *ns;
    const char *name;
};

/* One consistent view of a table. */
struct catalog_table {
    struct iceberg_metadata *metadata;
    char *metadata_location;
};

void catalog_table_deinit(struct catalog_table *t);

/* From one metadata of a table to the next. */
struct catalog_swap {
    struct table_ident id;
    const struct catalog_table *base;
    const struct iceberg_metadata *next;
    const char *location; /* of next's file, which is there; NULL where the server writes it */
};

struct catalog_ops {
    enum err_code (*load)(struct catalog *c, struct table_ident id, struct catalog_table *out,
                          struct err *e);
    /* metadata is the table's first; ERR_EXISTS when the name is taken. Creates the namespace too.
     */
    enum err_code (*create)(struct catalog *c, struct table_ident id,
                            const struct iceberg_metadata *metadata, struct err *e);
    /*
     * Makes `next` current if `base` still is. ERR_CONFLICT: it is not. ERR_UNKNOWN: no definite
     * answer; the same swap may be tried again, as `next` can take the place of `base` only once.
     */
    enum err_code (*swap)(struct catalog *c, const struct catalog_swap *swap, struct err *e);
    /* Makes each `next` current if every `base` still is, else none; NULL or not, see
     * commits_together. ERR_UNKNOWN and ERR_CONFLICT as for swap; others: certainly none. */
    enum err_code (*swap_all)(struct catalog *c, const struct catalog_swap *swaps, uint32_t count,
                              struct err *e);
    enum err_code (*list)(struct catalog *c, const char *ns,
                          enum err_code (*each)(void *ctx, struct table_ident id, struct err *e),
                          void *ctx, struct err *e);
    /* Takes the name away; files stay. */
    enum err_code (*drop)(struct catalog *c, struct table_ident id, struct err *e);
    void (*free)(struct catalog *c);
};

/* A backend's struct starts with this. */
struct catalog {
    const struct catalog_ops *ops;
    struct store *store; /* where metadata files are; not owned */
    struct clock clock;
    struct rand rand;
    struct log *log;    /* may be NULL */
    bool places_tables; /* the catalog says where a table goes that is created without a location */
    bool folds_case;    /* catalog_folds_case() */
    /*
     * A server behind the catalog writes metadata files, removes the old ones, and gives tables
     * their UUIDs. Then each commit has a snapshot, as catalog_commit() says, and a new table has
     * CATALOG_CREATE_ID.
     */
    bool server_writes_metadata;
    bool commits_together; /* ops->swap_all is to be had */
};

/* Property of tables whose UUID is the server's choice: the UUID that calve meant for it, by which
 * a creation without an answer is recognised. */
#define CATALOG_CREATE_ID "calve.create-id"

struct catalog_sqlite_options {
    const char *path; /* database file, created when missing */
    const char *name; /* catalog_name in its rows; must equal the reader's catalog name */
    struct store *store;
    struct clock clock;
    struct log *log;
    int busy_timeout_ms; /* 0 means 10,000 */
    bool read_only;      /* creates and changes nothing; for looking only */
};

/*
 * Opens the file, creating it, its folders and its tables when missing. An existing file keeps its
 * journal mode and its columns.
 *
 * Errors: ERR_NOT_FOUND read_only, and there is no file or no catalog in it; ERR_IO, ERR_CORRUPT
 *         naming the file, SQLite's reason and what to do; retryable when another process locks it
 *         or the disk is full.
 */
MUST_USE enum err_code catalog_sqlite_open(const struct catalog_sqlite_options *options,
                                           struct catalog **out, struct err *e);
void catalog_free(struct catalog *c); /* NULL is fine */

/* Whether names that differ only in upper and lower case (ASCII) are one table there. */
bool catalog_folds_case(const struct catalog *c);

/* Errors: ERR_NOT_FOUND; ERR_CORRUPT when the metadata file cannot be read as Iceberg. */
MUST_USE enum err_code catalog_load(struct catalog *c, struct table_ident id,
                                    struct catalog_table *out, struct err *e);

/* The tables of a namespace by ascending name; id is valid during the call. Errors: ERR_NOT_FOUND
 * no such namespace, where the catalog keeps any beside its tables. */
MUST_USE enum err_code catalog_list(struct catalog *c, const char *ns,
                                    enum err_code (*each)(void *ctx, struct table_ident id,
                                                          struct err *e),
                                    void *ctx, struct err *e);

struct catalog_create_options {
    const char *location; /* table location, no trailing slash; "": as the catalog says */
    const struct iceberg_schema *schema;
    struct iceberg_partition partition;
    const struct iceberg_property *properties; /* beyond calve's own defaults */
    uint32_t property_count;
};

/*
 * Creates a format-version 2 table without snapshots, with
 * write.metadata.delete-after-commit.enabled and write.metadata.previous-versions-max set unless
 * the given properties say otherwise. Errors: ERR_EXISTS; ERR_UNKNOWN when there was no definite
 * answer and the catalog could not be read afterwards; ERR_CONFIG no location, and this catalog
 * does not choose one.
 */
MUST_USE enum err_code catalog_create(struct catalog *c, struct table_ident id,
                                      const struct catalog_create_options *options, struct err *e);

/* Takes the table's name out of the catalog and leaves its files. Errors: ERR_NOT_FOUND. */
MUST_USE enum err_code catalog_drop(struct catalog *c, struct table_ident id, struct err *e);

enum commit_verdict {
    COMMIT_PROCEED,      /* the state is what the caller expects */
    COMMIT_ALREADY_DONE, /* the change is there: nothing to do */
    COMMIT_REFUSE,       /* the check filled *e: stop */
};

struct catalog_change {
    struct iceberg_change change;
    /*
     * New objects that the change names (data files, say), which go to the store together with what
     * the commit itself writes. Those of a commit that certainly did not take place are removed
     * again. Not owned.
     */
    const struct store_object *objects;
    uint32_t object_count;
    /* Asked on every attempt with the metadata the attempt builds on. May be NULL. */
    enum commit_verdict (*check)(void *ctx, const struct iceberg_metadata *current, struct err *e);
    void *check_ctx;
    /* True: leave off waiting and trying, return ERR_CANCELLED (an UNKNOWN attempt stays unknown).
     */
    bool (*cancelled)(void *ctx);
    void *cancelled_ctx;
};

struct catalog_commit_result {
    bool already_done;
    int64_t snapshot_id;
    uint32_t attempts;
};

/*
 * Commits one snapshot; none for properties alone, unless the catalog's server writes metadata:
 * nothing it checks tells a change of properties that comes late from one in time, so it gets a
 * snapshot without files, which can find its base only once. Conflicts and unknown outcomes are
 * retried without limit (backoff with jitter, logged) until check refuses or cancelled says so; a
 * definite failure of the store or the catalog that is not retryable returns at once and leaves the
 * table as it was. Nothing is deleted while an attempt is unknown. After success: metadata files
 * and snapshots beyond retention are removed (failures to remove are logged, not returned).
 *
 * Errors: ERR_FENCED or whatever check set; ERR_NOT_FOUND table gone; ERR_IO; ERR_CANCELLED.
 */
MUST_USE enum err_code catalog_commit(struct catalog *c, struct table_ident id,
                                      const struct catalog_change *change,
                                      struct catalog_commit_result *out, struct err *e);

/* More would hold the metadata of too many tables in memory at once. */
#define CATALOG_TOGETHER_MAX 17u

struct catalog_commit_item {
    struct table_ident id;
    const struct catalog_change *change;
    struct catalog_commit_result result; /* once it is committed */
    bool committed;
};

/*
 * catalog_commit() of several tables, at most CATALOG_TOGETHER_MAX. What all of them write goes to
 * the store at once. Then they become current: in one transaction where the catalog offers that,
 * which readers see whole or not at all; else one after another in their order, none before those
 * in front of it are `committed`. What does not go through at once is tried again table by table,
 * each as catalog_commit() would.
 *
 * Errors: as catalog_commit(), of the first table that is not `committed`.
 */
MUST_USE enum err_code catalog_commit_all(struct catalog *c, struct catalog_commit_item *items,
                                          uint32_t count, struct err *e);

/*
 * Live data files of the current snapshot, in manifest order. Free each and the array.
 *
 * Errors: ERR_UNSUPPORTED delete files take rows away from them; the store's.
 */
MUST_USE enum err_code catalog_data_files(struct catalog *c, const struct catalog_table *table,
                                          struct iceberg_data_file ***out, uint32_t *count,
                                          struct err *e);

#endif
