/*
 * config.h - the settings of one run: what they are, and where each one came from.
 *
 * The table in config_table.c defines every setting; values come, strongest first, from flags, the
 * environment, calve.yaml, .env, .pyiceberg.yaml and the defaults. Every value keeps its origin,
 * and a wrong one is an error that names setting, value, origin and what is allowed.
 *
 * Owns:   a config owns every text in it. Thread: read-only after config_load().
 */
#ifndef CALVE_APP_CONFIG_H
#define CALVE_APP_CONFIG_H

#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "mysql/conn.h"
#include "pipeline/run.h"
#include "storage/s3.h"

struct config_values;
struct config_setting;

/* Texts without a NULL at the end; items is NULL when count is 0. */
struct config_list {
    const char *const *items;
    uint32_t count;
};

enum config_catalog {
    CONFIG_CATALOG_AUTO,
    CONFIG_CATALOG_SQLITE,
    CONFIG_CATALOG_REST,
    CONFIG_CATALOG_GLUE
};
enum config_sse { CONFIG_SSE_NONE, CONFIG_SSE_S3, CONFIG_SSE_KMS, CONFIG_SSE_DSSE_KMS };
enum config_progress { CONFIG_PROGRESS_AUTO, CONFIG_PROGRESS_ALWAYS, CONFIG_PROGRESS_NEVER };

/* CDC_MODE, for a start without a command. */
enum config_cdc_mode { CONFIG_CDC_NONE, CONFIG_CDC_STREAM, CONFIG_CDC_BACKFILL };

struct config_mysql {
    const char *host;       /* or several (mysql/host_list.h); "" where a my.cnf may say it */
    uint64_t port;          /* 0 where a my.cnf may say it */
    const char *user;       /* "" where a my.cnf may say it, else the login name */
    struct secret password; /* from wherever: URL, variable, file */
    const char *password_file;
    const char *password_command; /* "" unless it counts */
    const char *defaults_file;    /* a my.cnf, "" for none */
    const char *socket;           /* "" for TCP */
    uint64_t server_id;
    uint64_t connect_timeout_ms;
    uint64_t heartbeat_ms;
    uint64_t catch_up_ms;
    enum mysql_tls tls;
    const char *tls_ca; /* "" when not set, as all texts here */
    const char *tls_cert;
    const char *tls_key;
};

/* Who we are to AWS. Those of s3.* and glue.* hide the same of client.*. */
struct config_keys {
    const char *region;
    const char *access_key_id;
    struct secret secret_access_key;
    struct secret session_token;
    const char *profile_name;
    const char *role_arn;
    const char *role_session_name;
    const char *external_id;
};

struct config_s3 {
    struct config_keys keys;
    const char *endpoint;
    enum s3_addressing addressing;
    bool anonymous;
    enum config_sse sse;
    const char *sse_key;
    uint64_t part_bytes;
    uint64_t upload_threads;
};

struct config_glue {
    struct config_keys keys;
    const char *endpoint;
    const char *id;
    bool skip_archive;
    bool skip_name_validation;
};

struct config_rest {
    const char *warehouse; /* a name that the server knows */
    const char *prefix;
    struct secret token;
    struct secret credential;
    const char *oauth2_server_uri;
    const char *scope;
    const char *audience;
    const char *resource;
    const char *user;
    struct secret password;
    struct config_list headers; /* "NAME: VALUE" */
    bool sigv4;
    const char *signing_name;
    const char *signing_region;
    bool vended_credentials;
};

struct config_http {
    const char *ca_bundle;
    const char *client_cert;
    const char *client_key;
    const char *proxy;
    uint64_t connect_timeout_ms;
    uint64_t request_timeout_ms;
    uint64_t retry_timeout_ms;
};

struct config {
    const char *source; /* the URL as given, password masked */
    struct config_mysql mysql;
    const char *connection_name;
    struct config_list tables; /* globs "schema.table" */
    struct config_list excluded;

    const char *warehouse;          /* as given */
    const char *warehouse_location; /* file:///abs/path or s3://bucket/folder, no trailing slash;
                                       "" when not set: a REST server then says where */
    bool connection_folder; /* tables under <warehouse>/<connection>/, as the service it replaces */
    enum config_catalog catalog_given; /* may be AUTO */
    enum config_catalog catalog_type;  /* never AUTO */
    const char *catalog_uri;           /* as given */
    const char *catalog_path;          /* of the SQLite file, absolute; "" when not set */
    const char *catalog_name;
    struct config_keys client;
    struct config_s3 s3;
    struct config_glue glue;
    struct config_rest rest;
    struct config_http http;
    const char *const *environment; /* "NAME=value", .env behind the process; ends with NULL */

    enum run_snapshot snapshot;
    const char *from_text;
    const char *until_text;
    struct run_point from;  /* gtids points into from_text */
    struct run_point until; /* gtids points into until_text */

    uint64_t commit_interval_ms;
    uint64_t commit_max_bytes;
    uint64_t batch_size; /* 0: off */
    uint64_t watermark_interval_ms;
    uint64_t xa_wait_ms;
    uint64_t snapshots_keep_age_ms;
    uint64_t snapshots_keep_count;
    uint64_t memory_max_bytes;
    uint64_t writers; /* 0: by the number of processors */
    uint64_t backfill_workers;
    uint64_t target_file_bytes;
    uint64_t row_group_bytes;
    uint64_t compression_level;
    const char *spill_dir;
    struct config_list ddl_accept; /* "FILE:POS" or "all" */
    struct config_list ddl_policy; /* "mark", "stop", "SCHEMA.TABLE=stop" */

    enum log_level log_level;
    enum log_format log_format;
    enum config_progress progress;

    enum config_cdc_mode cdc_mode;
    struct config_list warnings;  /* for the log: what was read and not used */
    struct config_values *values; /* origins */
    struct arena arena;
};

struct config_flag {
    const struct config_setting *setting;
    const char *value;
};

/* Everything from outside, so that a test brings its own. */
struct config_request {
    const struct config_flag *flags;
    uint32_t flag_count;
    const char *file;               /* -c; NULL: calve.yaml in the working folder, if it is there */
    const char *folder;             /* the working folder, absolute */
    const char *const *environment; /* "NAME=value", ends with NULL */
    bool no_command;                /* CDC_MODE decides, and the defaults of its service hold */
};

/*
 * Gathers, decides and checks. *out is NULL after a failure.
 *
 * Errors: ERR_CONFIG       a wrong or unknown setting; a file that cannot be read
 *         ERR_UNSUPPORTED  a place or a catalog that calve does not know
 *         ERR_NOT_FOUND    no_command, and nothing says what to do
 */
MUST_USE enum err_code config_load(const struct config_request *request, struct config **out,
                                   struct err *e);
void config_free(struct config *c);

/* What a command cannot do without. */
enum config_need {
    CONFIG_NEED_SOURCE = 1, /* a server to connect to */
    CONFIG_NEED_TABLES = 2, /* at least one glob */
    CONFIG_NEED_LAKE = 4,   /* warehouse and catalog */
};

/* needs is a sum of enum config_need. Errors: ERR_CONFIG says what to set and how. */
MUST_USE enum err_code config_require(const struct config *c, unsigned needs, struct err *e);

/* name is one of the table. Where its value came from: "--table", "environment MYSQL_HOST",
 * "calve.yaml:3", "default". */
const char *config_origin(const struct config *c, const char *name);

/* Whether somebody set it: its origin is not a default. */
bool config_is_set(const struct config *c, const char *name);

/* How to reach the source; the texts are the config's. */
struct mysql_options config_mysql_options(const struct config *c);

/* Every setting with value and origin, one a line; secrets as ***. */
void config_print(const struct config *c, struct buf *out);

#endif
