/*
 * run.h - what the threads of one run share: settings, handles, the first failure, counters.
 *
 * Thread: as noted per field.
 */
#ifndef CALVE_PIPELINE_RUN_H
#define CALVE_PIPELINE_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "catalog/catalog.h"
#include "mysql/binlog_stream.h"
#include "pipeline/table_writer.h"

enum run_snapshot { RUN_SNAPSHOT_INITIAL, RUN_SNAPSHOT_NEVER };
enum run_point_kind {
    RUN_POINT_NONE, /* until: never */
    RUN_POINT_CURRENT,
    RUN_POINT_EARLIEST,
    RUN_POINT_POSITION,
    RUN_POINT_GTIDS,
};

/* A place in the source's log, as the user names it. */
struct run_point {
    enum run_point_kind kind;
    struct binlog_position position;
    const char *gtids;
};

enum run_phase { RUN_PHASE_START, RUN_PHASE_COPY, RUN_PHASE_FOLLOW };

struct run_progress {
    enum run_phase phase;
    uint64_t rows;          /* copied or decoded */
    uint64_t rows_expected; /* of the copy, an estimate; 0 when not known */
    uint64_t bytes;         /* read from the source */
    uint64_t cuts;          /* committed */
    int64_t lag_s;          /* age of the last event read; -1 when there was none */
    struct binlog_position committed;
};

/* Settings of a run; everything is the caller's and outlives the run. */
struct run_options {
    struct mysql_options mysql;
    const char *connection;
    uint32_t server_id;
    int64_t heartbeat_us;
    int64_t catch_up_us;       /* how long a server may lack what the lake has */
    const char *const *tables; /* globs "schema.table" */
    uint32_t table_count;
    const char *const *excluded;
    uint32_t excluded_count;
    const char *warehouse; /* location of the warehouse folder, no trailing slash; "": the catalog
                              says where tables go */
    bool compat_layout; /* <warehouse>/<connection>/<schema>/<table>, as the service it replaces */
    enum run_snapshot snapshot;
    bool backfill_only;
    struct run_point from;
    struct run_point until;
    int64_t commit_interval_us;
    uint64_t commit_bytes_max; /* binlog bytes per cut */
    uint64_t batch_rows;       /* 0: off */
    int64_t watermark_interval_us;
    struct iceberg_retention retention;
    struct iceberg_retention watermark_retention;
    size_t memory_bytes;
    unsigned lanes; /* writer threads; 0: by the number of processors */
    unsigned backfill_workers;
    const char *spill_folder; /* for rows of open transactions that memory cannot hold */
    int64_t xa_wait_us;       /* how long to wait for prepared transactions before a start */
    uint64_t target_file_bytes;
    size_t row_group_bytes;
    int zstd_level;
    const char *const *ddl_accept; /* "FILE:POS" or "all" */
    uint32_t ddl_accept_count;
    const char *const *ddl_policy; /* "mark", "stop", "SCHEMA.TABLE=mark"; the last that fits */
    uint32_t ddl_policy_count;
    /* Asked by the main thread a few times a second; true ends the run gracefully. */
    bool (*stop_requested)(void *ctx);
    void *stop_ctx;
    /* Called by the main thread a few times a second with a copy of the counters; may be NULL. */
    void (*progress)(void *ctx, const struct run_progress *progress);
    void *progress_ctx;
};

/* Counters any thread may add to or read. */
struct run_counters {
    _Atomic uint64_t rows_copied;
    _Atomic uint64_t rows_expected;
    _Atomic uint64_t rows_decoded;
    _Atomic uint64_t bytes_read;
    _Atomic uint64_t cuts_committed;
    _Atomic int64_t last_event_s; /* wall clock of the last event read; 0: none */
    _Atomic int phase;
};

struct run {
    const struct run_options *options;
    struct store *store;
    struct catalog *catalog; /* by whoever holds catalog_mutex */
    pthread_mutex_t catalog_mutex;
    struct log *log;
    struct clock clock;
    char id[UUID_TEXT_BYTES];
    char source[64];   /* identity of the server that the tables were found on; fixed then */
    bool source_gtids; /* it has GTIDs */
    struct run_counters counters;

    _Atomic bool prepared_unseen; /* the log has said so */

    _Atomic bool stopping;   /* graceful: finish the cut, then end */
    _Atomic int64_t stop_us; /* monotonic time at which stopping was set */
    _Atomic bool failed;     /* leave at once */
    pthread_mutex_t mutex;   /* guards the fields below */
    struct err error;        /* the first failure */
    struct binlog_position committed;
    /* Told to close what threads wait on; set while threads run. */
    void (*on_fail)(void *ctx);
    void *on_fail_ctx;
};

/* Whether the globs take a table, "schema.name". Thread: any. */
bool run_chooses(const struct run_options *o, const char *full_name, bool icase);

/* Records the first failure and wakes every thread. Thread: any. */
void run_fail(struct run *r, const struct err *e);

static inline bool run_failed(struct run *r)
{
    return atomic_load_explicit(&r->failed, memory_order_acquire);
}

/*
 * For catalog_change.cancelled: a run that has failed waits for nothing, and one that was asked to
 * stop tries again for some seconds only.
 */
bool run_gives_up(void *ctx);

#endif
