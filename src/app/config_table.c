#include "app/config_table.h"

#include <stdlib.h>

#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Enums are stored through an int. */
_Static_assert(sizeof(enum mysql_tls) == sizeof(int) && sizeof(enum run_snapshot) == sizeof(int) &&
                   sizeof(enum log_level) == sizeof(int) &&
                   sizeof(enum log_format) == sizeof(int) &&
                   sizeof(enum config_catalog) == sizeof(int) &&
                   sizeof(enum config_sse) == sizeof(int) &&
                   sizeof(enum s3_addressing) == sizeof(int) &&
                   sizeof(enum config_progress) == sizeof(int),
               "an enum has the size of an int");

#define AT(field) offsetof(struct config, field)

/* clang-format off */
const struct config_setting config_settings[] = {
    {"source", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(source), "", 0, 0, NULL, "URL", NULL,
     "Server to read: mysql://user:password@host:port or mariadb://…, also ?socket=PATH and ?tls=MODE; HOST:PORT,HOST:PORT names several, tried in order."},
    {"mysql.host", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.host), "127.0.0.1", 0, 0, NULL,
     "HOST", "MYSQL_HOST", "Server's name or address; several (HOST:PORT,HOST:PORT) are tried in order at each connect."},
    {"mysql.port", CONFIG_U64, CONFIG_GROUP_SOURCE, AT(mysql.port), "3306", 1, 65535, NULL,
     "PORT", "MYSQL_PORT", "TCP port of servers that name none of their own."},
    {"mysql.user", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.user), "", 0, 0, NULL,
     "USER", "MYSQL_USER", "Account; when empty, that of the my.cnf or the login name."},
    {"mysql.password", CONFIG_SECRET, CONFIG_GROUP_SOURCE, AT(mysql.password), "", 0, 0, NULL,
     "TEXT", "MYSQL_PASSWD", "The account's password."},
    {"mysql.password-file", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.password_file), "", 0, 0, NULL,
     "FILE", NULL, "File whose first line is the password; the variable MYSQL_PASSWD may hold it instead."},
    {"mysql.password-command", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.password_command), "", 0, 0, NULL,
     "COMMAND", NULL,
     "Program (no shell) whose first line of output is the password, run for each connection; it gets CALVE_HOST, CALVE_PORT, CALVE_USER."},
    {"mysql.defaults-file", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.defaults_file), "", 0, 0, NULL,
     "FILE", NULL, "A my.cnf whose [client] group fills what is not set; ~/.my.cnf when no password is set."},
    {"mysql.socket", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.socket), "", 0, 0, NULL,
     "PATH", NULL, "Unix socket to use instead of host and port."},
    {"mysql.server-id", CONFIG_U64, CONFIG_GROUP_SOURCE, AT(mysql.server_id), "1", 1, UINT32_MAX, NULL,
     "NUMBER", "CDC_SERVER_ID",
     "Replication id, different for every client of one source; part of the watermark's key."},
    {"mysql.connect-timeout", CONFIG_DURATION_MS, CONFIG_GROUP_SOURCE, AT(mysql.connect_timeout_ms), "10s",
     SECOND, 10 * MINUTE, NULL, NULL, NULL, "Longest wait for a connection."},
    {"mysql.heartbeat", CONFIG_DURATION_MS, CONFIG_GROUP_SOURCE, AT(mysql.heartbeat_ms), "10s",
     SECOND, HOUR, NULL, NULL, NULL, "An idle server speaks this often; three times silence is a lost connection."},
    {"source.catch-up-timeout", CONFIG_DURATION_MS, CONFIG_GROUP_SOURCE, AT(mysql.catch_up_ms), "5m",
     0, DAY, NULL, NULL, NULL,
     "After a failover, how long to wait for a server that lacks what the lake has already."},
    {"mysql.tls", CONFIG_ENUM, CONFIG_GROUP_SOURCE, AT(mysql.tls), "preferred", 0, 0,
     "preferred|disabled|required|verify-ca|verify-identity", NULL, NULL, "How much TLS to insist on."},
    {"mysql.tls-ca", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.tls_ca), "", 0, 0, NULL,
     "FILE", NULL, "Certificates that may sign the server's (PEM)."},
    {"mysql.tls-cert", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.tls_cert), "", 0, 0, NULL,
     "FILE", NULL, "Client certificate (PEM)."},
    {"mysql.tls-key", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(mysql.tls_key), "", 0, 0, NULL,
     "FILE", NULL, "Key of the client certificate (PEM)."},
    {"connection-name", CONFIG_STRING, CONFIG_GROUP_SOURCE, AT(connection_name), "local_mysql", 0, 0, NULL,
     "NAME", "CONNECTION_NAME", "Name of this source in checkpoints, watermarks and paths; keep it."},

    {"table", CONFIG_LIST, CONFIG_GROUP_TABLES, AT(tables), "", 0, 0, NULL,
     "SCHEMA.TABLE", NULL, "Tables to replicate; * stands for any characters, ? for one."},
    {"exclude-table", CONFIG_LIST, CONFIG_GROUP_TABLES, AT(excluded), "", 0, 0, NULL,
     "SCHEMA.TABLE", NULL, "Tables to leave out of those."},
    {"ddl.accept", CONFIG_LIST, CONFIG_GROUP_TABLES, AT(ddl_accept), "", 0, 0, NULL,
     "FILE:POS", NULL,
     "DDL statements that were looked at and may be followed, or `all`: the definition is read again."},
    {"ddl.policy", CONFIG_LIST, CONFIG_GROUP_TABLES, AT(ddl_policy), "mark", 0, 0, NULL,
     "[SCHEMA.TABLE=]POLICY", NULL,
     "What TRUNCATE, DROP and RENAME of a table do: `mark` writes an event row and goes on, `stop` stops in "
     "front of it. The last entry that names a table holds."},

    {"warehouse", CONFIG_PLACE, CONFIG_GROUP_LAKE, AT(warehouse), "", 0, 0, NULL,
     "PLACE", NULL,
     "Where new tables go: a folder or s3://BUCKET/FOLDER; S3_BUCKET means s3://BUCKET. A REST catalog may choose by itself."},
    {"connection-folder", CONFIG_BOOL, CONFIG_GROUP_LAKE, AT(connection_folder), "false", 0, 0, NULL,
     NULL, NULL, "New tables go to WAREHOUSE/CONNECTION-NAME/SCHEMA/TABLE instead of WAREHOUSE/SCHEMA/TABLE."},
    {"catalog.type", CONFIG_ENUM, CONFIG_GROUP_LAKE, AT(catalog_given), "auto", 0, 0,
     "auto|sqlite|rest|glue", NULL, NULL,
     "Kind of catalog; auto: by catalog.uri and catalog.path, else glue for a warehouse on S3 and sqlite for a folder."},
    {"catalog.uri", CONFIG_URL, CONFIG_GROUP_LAKE, AT(catalog_uri), "", 0, 0, NULL,
     "URI", NULL,
     "Catalog as a URI: https://HOST/PATH (REST), sqlite:////absolute/path, sqlite:///relative/path or jdbc:sqlite:PATH."},
    {"catalog.path", CONFIG_STRING, CONFIG_GROUP_LAKE, AT(catalog_path), "", 0, 0, NULL,
     "FILE", NULL, "The SQLite catalog's file; when empty, WAREHOUSE/catalog.db."},
    {"catalog.name", CONFIG_STRING, CONFIG_GROUP_LAKE, AT(catalog_name), "default", 0, 0, NULL,
     "NAME", NULL, "The catalog's name in its rows: readers must use the same."},

    {"client.region", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.region), "", 0, 0, NULL,
     "REGION", "AWS_REGION", "Region of AWS; when empty, AWS_DEFAULT_REGION, the profile's, the instance's."},
    {"client.access-key-id", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.access_key_id), "", 0, 0, NULL,
     "ID", NULL, "Access key; when empty, the usual places of AWS are looked at: variables, web identity, profile, container, instance."},
    {"client.secret-access-key", CONFIG_SECRET, CONFIG_GROUP_CLIENT, AT(client.secret_access_key), "", 0, 0, NULL,
     "TEXT", NULL, "Secret of the access key."},
    {"client.session-token", CONFIG_SECRET, CONFIG_GROUP_CLIENT, AT(client.session_token), "", 0, 0, NULL,
     "TEXT", NULL, "Session token of a temporary access key."},
    {"client.profile-name", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.profile_name), "", 0, 0, NULL,
     "NAME", NULL, "Profile in the AWS config files; when empty, AWS_PROFILE, else default."},
    {"client.role-arn", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.role_arn), "", 0, 0, NULL,
     "ARN", NULL, "Role to assume with the keys found."},
    {"client.role-session-name", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.role_session_name), "", 0, 0, NULL,
     "NAME", NULL, "Name of the session of client.role-arn; when empty, calve."},
    {"client.external-id", CONFIG_STRING, CONFIG_GROUP_CLIENT, AT(client.external_id), "", 0, 0, NULL,
     "ID", NULL, "External id that client.role-arn asks for."},

    {"s3.endpoint", CONFIG_URL, CONFIG_GROUP_S3, AT(s3.endpoint), "", 0, 0, NULL,
     "URL", NULL, "Endpoint of a store that speaks S3; when empty, that of AWS in the region."},
    {"s3.addressing", CONFIG_ENUM, CONFIG_GROUP_S3, AT(s3.addressing), "auto", 0, 0, "auto|path|virtual",
     NULL, NULL, "Bucket in the path or in the host name; auto: in the host name on AWS, in the path elsewhere."},
    {"s3.anonymous", CONFIG_BOOL, CONFIG_GROUP_S3, AT(s3.anonymous), "false", 0, 0, NULL,
     NULL, NULL, "Sign nothing."},
    {"s3.sse.type", CONFIG_ENUM, CONFIG_GROUP_S3, AT(s3.sse), "none", 0, 0, "none|s3|kms|dsse-kms",
     NULL, NULL, "Encryption to ask for with each object; none leaves it to the bucket."},
    {"s3.sse.key", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.sse_key), "", 0, 0, NULL,
     "ARN", NULL, "KMS key of s3.sse.type kms and dsse-kms; when empty, the account's own for S3."},
    {"s3.part-size", CONFIG_BYTES, CONFIG_GROUP_S3, AT(s3.part_bytes), "8MiB", 5 * MIB, GIB, NULL,
     NULL, NULL, "Larger objects are uploaded in parts of this size."},
    {"s3.upload-threads", CONFIG_U64, CONFIG_GROUP_S3, AT(s3.upload_threads), "4", 1, 64, NULL,
     "NUMBER", NULL, "Parts on their way at the same time."},
    {"s3.region", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.region), "", 0, 0, NULL,
     "REGION", NULL, "Region of S3, when it is another than client.region."},
    {"s3.access-key-id", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.access_key_id), "", 0, 0, NULL,
     "ID", NULL, "Access key for S3 only."},
    {"s3.secret-access-key", CONFIG_SECRET, CONFIG_GROUP_S3, AT(s3.keys.secret_access_key), "", 0, 0, NULL,
     "TEXT", NULL, "Secret of s3.access-key-id."},
    {"s3.session-token", CONFIG_SECRET, CONFIG_GROUP_S3, AT(s3.keys.session_token), "", 0, 0, NULL,
     "TEXT", NULL, "Session token of a temporary access key."},
    {"s3.profile-name", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.profile_name), "", 0, 0, NULL,
     "NAME", NULL, "Profile for S3 only."},
    {"s3.role-arn", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.role_arn), "", 0, 0, NULL,
     "ARN", NULL, "Role to assume for S3 only."},
    {"s3.role-session-name", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.role_session_name), "", 0, 0, NULL,
     "NAME", NULL, "Name of the session of s3.role-arn; when empty, calve."},
    {"s3.external-id", CONFIG_STRING, CONFIG_GROUP_S3, AT(s3.keys.external_id), "", 0, 0, NULL,
     "ID", NULL, "External id that s3.role-arn asks for."},

    {"glue.endpoint", CONFIG_URL, CONFIG_GROUP_GLUE, AT(glue.endpoint), "", 0, 0, NULL,
     "URL", NULL, "Endpoint of Glue; when empty, that of AWS in the region."},
    {"glue.id", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.id), "", 0, 0, NULL,
     "ID", NULL, "Id of the Data Catalog; when empty, the account's own."},
    {"glue.skip-archive", CONFIG_BOOL, CONFIG_GROUP_GLUE, AT(glue.skip_archive), "true", 0, 0, NULL,
     NULL, NULL, "Glue keeps no old version of a table; false keeps one for each commit, up to the account's limit."},
    {"glue.skip-name-validation", CONFIG_BOOL, CONFIG_GROUP_GLUE, AT(glue.skip_name_validation), "false", 0, 0, NULL,
     NULL, NULL, "Take names beyond a-z, 0-9 and _, which Athena may refuse."},
    {"glue.region", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.region), "", 0, 0, NULL,
     "REGION", NULL, "Region of Glue, when it is another than client.region."},
    {"glue.access-key-id", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.access_key_id), "", 0, 0, NULL,
     "ID", NULL, "Access key for Glue only."},
    {"glue.secret-access-key", CONFIG_SECRET, CONFIG_GROUP_GLUE, AT(glue.keys.secret_access_key), "", 0, 0, NULL,
     "TEXT", NULL, "Secret of glue.access-key-id."},
    {"glue.session-token", CONFIG_SECRET, CONFIG_GROUP_GLUE, AT(glue.keys.session_token), "", 0, 0, NULL,
     "TEXT", NULL, "Session token of a temporary access key."},
    {"glue.profile-name", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.profile_name), "", 0, 0, NULL,
     "NAME", NULL, "Profile for Glue only."},
    {"glue.role-arn", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.role_arn), "", 0, 0, NULL,
     "ARN", NULL, "Role to assume for Glue only."},
    {"glue.role-session-name", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.role_session_name), "", 0, 0, NULL,
     "NAME", NULL, "Name of the session of glue.role-arn; when empty, calve."},
    {"glue.external-id", CONFIG_STRING, CONFIG_GROUP_GLUE, AT(glue.keys.external_id), "", 0, 0, NULL,
     "ID", NULL, "External id that glue.role-arn asks for."},

    {"rest.warehouse", CONFIG_PLACE, CONFIG_GROUP_REST, AT(rest.warehouse), "", 0, 0, NULL,
     "NAME", NULL, "Warehouse that the server knows: a name, an ARN, a place."},
    {"rest.prefix", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.prefix), "", 0, 0, NULL,
     "TEXT", NULL, "Prefix in the paths of the server; when empty, the one that it says."},
    {"rest.token", CONFIG_SECRET, CONFIG_GROUP_REST, AT(rest.token), "", 0, 0, NULL,
     "TEXT", NULL, "Bearer token."},
    {"rest.credential", CONFIG_SECRET, CONFIG_GROUP_REST, AT(rest.credential), "", 0, 0, NULL,
     "TEXT", NULL, "OAuth2 client credentials, ID:SECRET; tokens are renewed in time."},
    {"rest.oauth2-server-uri", CONFIG_URL, CONFIG_GROUP_REST, AT(rest.oauth2_server_uri), "", 0, 0, NULL,
     "URL", NULL, "Where tokens come from; when empty, /v1/oauth/tokens of the catalog."},
    {"rest.scope", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.scope), "catalog", 0, 0, NULL,
     "TEXT", NULL, "Scope of the tokens."},
    {"rest.audience", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.audience), "", 0, 0, NULL,
     "TEXT", NULL, "Audience of the tokens."},
    {"rest.resource", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.resource), "", 0, 0, NULL,
     "TEXT", NULL, "Resource of the tokens."},
    {"rest.user", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.user), "", 0, 0, NULL,
     "NAME", NULL, "User of HTTP basic authentication."},
    {"rest.password", CONFIG_SECRET, CONFIG_GROUP_REST, AT(rest.password), "", 0, 0, NULL,
     "TEXT", NULL, "Password of HTTP basic authentication."},
    {"rest.header", CONFIG_HEADERS, CONFIG_GROUP_REST, AT(rest.headers), "", 0, 0, NULL,
     "NAME: VALUE", NULL, "Headers on each request."},
    {"rest.sigv4", CONFIG_BOOL, CONFIG_GROUP_REST, AT(rest.sigv4), "false", 0, 0, NULL,
     NULL, NULL, "Sign requests as AWS asks for: Glue's and S3 Tables' REST endpoints."},
    {"rest.signing-name", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.signing_name), "", 0, 0, NULL,
     "NAME", NULL, "Service to sign for: glue, s3tables; when empty, execute-api."},
    {"rest.signing-region", CONFIG_STRING, CONFIG_GROUP_REST, AT(rest.signing_region), "", 0, 0, NULL,
     "REGION", NULL, "Region to sign for; when empty, client.region."},
    {"rest.vended-credentials", CONFIG_BOOL, CONFIG_GROUP_REST, AT(rest.vended_credentials), "true", 0, 0, NULL,
     NULL, NULL, "Ask the server for keys to a table's files."},

    {"http.ca-bundle", CONFIG_STRING, CONFIG_GROUP_HTTP, AT(http.ca_bundle), "", 0, 0, NULL,
     "FILE", NULL, "Certificates that may sign those of stores and catalogs (PEM); when empty, the system's."},
    {"http.client-cert", CONFIG_STRING, CONFIG_GROUP_HTTP, AT(http.client_cert), "", 0, 0, NULL,
     "FILE", NULL, "Client certificate (PEM)."},
    {"http.client-key", CONFIG_STRING, CONFIG_GROUP_HTTP, AT(http.client_key), "", 0, 0, NULL,
     "FILE", NULL, "Key of the client certificate (PEM)."},
    {"http.proxy", CONFIG_URL, CONFIG_GROUP_HTTP, AT(http.proxy), "", 0, 0, NULL,
     "URL", NULL, "Proxy; when empty, that of https_proxy, http_proxy and no_proxy."},
    {"http.connect-timeout", CONFIG_DURATION_MS, CONFIG_GROUP_HTTP, AT(http.connect_timeout_ms), "5s", 100, 10 * MINUTE, NULL,
     NULL, NULL, "Longest wait for a connection."},
    {"http.request-timeout", CONFIG_DURATION_MS, CONFIG_GROUP_HTTP, AT(http.request_timeout_ms), "1m", SECOND, HOUR, NULL,
     NULL, NULL, "Longest time of one try of a request."},
    {"http.retry-timeout", CONFIG_DURATION_MS, CONFIG_GROUP_HTTP, AT(http.retry_timeout_ms), "2m", SECOND, DAY, NULL,
     NULL, NULL, "Longest time over all tries of a request."},

    {"snapshot", CONFIG_ENUM, CONFIG_GROUP_RANGE, AT(snapshot), "initial", 0, 0,
     "initial|never", NULL, NULL, "Whether tables that are not there yet are copied first."},
    {"from", CONFIG_STRING, CONFIG_GROUP_RANGE, AT(from_text), "current", 0, 0, NULL,
     "POINT", NULL,
     "Where tables without a position and without a copy start: current, earliest, GTID-SET or FILE:POS."},
    {"xa-wait", CONFIG_DURATION_MS, CONFIG_GROUP_RANGE, AT(xa_wait_ms), "1m", 0, DAY, NULL, NULL, NULL,
     "Longest wait for prepared XA transactions to end, before a table is copied or started."},
    {"until", CONFIG_STRING, CONFIG_GROUP_RANGE, AT(until_text), "never", 0, 0, NULL,
     "POINT", NULL,
     "Stop after the last transaction at or before it: never, current, GTID-SET or FILE:POS."},

    {"commit.interval", CONFIG_DURATION_MS, CONFIG_GROUP_COMMIT, AT(commit_interval_ms), "10s",
     100, HOUR, NULL, NULL, NULL, "Longest time a committed row waits before a snapshot has it."},
    {"commit.max-bytes", CONFIG_BYTES, CONFIG_GROUP_COMMIT, AT(commit_max_bytes), "1GiB",
     MIB, TIB, NULL, NULL, NULL, "Binlog bytes after which a commit becomes due."},
    {"batch-size", CONFIG_U64, CONFIG_GROUP_COMMIT, AT(batch_size), "0", 0, UINT64_C(1000000000), NULL,
     "ROWS", "BATCH_SIZE", "Waiting rows at which a commit becomes due, at most once a second; 0 is off."},
    {"watermark.interval", CONFIG_DURATION_MS, CONFIG_GROUP_COMMIT, AT(watermark_interval_ms), "1m",
     SECOND, DAY, NULL, NULL, NULL, "How often watermarks move on while nothing changes."},
    {"snapshots.keep-age", CONFIG_DURATION_MS, CONFIG_GROUP_COMMIT, AT(snapshots_keep_age_ms), "1d",
     0, 3650 * DAY, NULL, NULL, NULL, "Younger snapshots of a table stay."},
    {"snapshots.keep-count", CONFIG_U64, CONFIG_GROUP_COMMIT, AT(snapshots_keep_count), "100", 1, 100000,
     NULL, "NUMBER", NULL, "So many of a table's newest snapshots stay in any case."},

    {"memory.max", CONFIG_BYTES, CONFIG_GROUP_RESOURCES, AT(memory_max_bytes), "192MiB",
     64 * MIB, TIB, NULL, NULL, NULL, "Memory for rows on their way; a slow store then slows the source down."},
    {"writers", CONFIG_U64, CONFIG_GROUP_RESOURCES, AT(writers), "0", 0, 64, NULL,
     "NUMBER", NULL, "Writer threads; 0 goes by the number of processors."},
    {"backfill.workers", CONFIG_U64, CONFIG_GROUP_RESOURCES, AT(backfill_workers), "1", 1, 64, NULL,
     "NUMBER", NULL, "Tables copied at the same time."},
    {"target-file-size", CONFIG_BYTES, CONFIG_GROUP_RESOURCES, AT(target_file_bytes), "512MiB",
     MIB, 16 * GIB, NULL, NULL, NULL, "A data file ends when it is about this large."},
    {"row-group-size", CONFIG_BYTES, CONFIG_GROUP_RESOURCES, AT(row_group_bytes), "64MiB",
     64 * KIB, GIB, NULL, NULL, NULL, "A row group ends when it is about this large, before compression."},
    {"compression.level", CONFIG_U64, CONFIG_GROUP_RESOURCES, AT(compression_level), "1", 1, 19, NULL,
     "LEVEL", NULL, "zstd level of data files."},
    {"spill-dir", CONFIG_STRING, CONFIG_GROUP_RESOURCES, AT(spill_dir), "", 0, 0, NULL,
     "DIR", NULL,
     "Folder for what memory cannot hold of XA transactions that are prepared; when empty, TMPDIR, else /tmp."},

    {"log.level", CONFIG_ENUM, CONFIG_GROUP_OUTPUT, AT(log_level), "info", 0, 0,
     "debug|info|warn|error", NULL, NULL, "Least important log lines to write."},
    {"log.format", CONFIG_ENUM, CONFIG_GROUP_OUTPUT, AT(log_format), "text", 0, 0,
     "text|json", NULL, NULL, "Form of the log lines."},
    {"progress", CONFIG_ENUM, CONFIG_GROUP_OUTPUT, AT(progress), "auto", 0, 0,
     "auto|always|never", NULL, NULL, "A progress line; auto: when stderr is a terminal."},
};
/* clang-format on */

const size_t config_setting_count = sizeof config_settings / sizeof config_settings[0];

const char *config_group_title(enum config_group group)
{
    switch (group) {
    case CONFIG_GROUP_SOURCE:
        return "Source";
    case CONFIG_GROUP_TABLES:
        return "Tables";
    case CONFIG_GROUP_LAKE:
        return "Lake";
    case CONFIG_GROUP_CLIENT:
        return "AWS";
    case CONFIG_GROUP_S3:
        return "S3";
    case CONFIG_GROUP_GLUE:
        return "Glue catalog";
    case CONFIG_GROUP_REST:
        return "REST catalog";
    case CONFIG_GROUP_HTTP:
        return "HTTP";
    case CONFIG_GROUP_RANGE:
        return "Where to start and stop";
    case CONFIG_GROUP_COMMIT:
        return "Commits";
    case CONFIG_GROUP_RESOURCES:
        return "Resources";
    case CONFIG_GROUP_OUTPUT:
        return "Output";
    } /* no default: a new group breaks the build here */
    abort();
}

const struct config_setting *config_find(struct span name)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        if (span_eq_str(name, config_settings[i].name)) {
            return &config_settings[i];
        }
    }
    return NULL;
}

static bool flag_is(struct span name, const char *dotted)
{
    if (name.len != strlen(dotted)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = (char)name.data[i];

        if (c != dotted[i] && !(c == '-' && dotted[i] == '.')) {
            return false;
        }
    }
    return true;
}

const struct config_setting *config_find_flag(struct span name)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        if (flag_is(name, config_settings[i].name)) {
            return &config_settings[i];
        }
    }
    return NULL;
}

const struct config_setting *config_find_variable(struct span name)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        char variable[CONFIG_NAME_BYTES];

        config_variable_name(&config_settings[i], variable);
        if (span_eq_str(name, variable)) {
            return &config_settings[i];
        }
    }
    return NULL;
}

/* Lower case, with '.' for '-' and '_', so that only real differences count. */
static void plain_name(struct span name, char out[CONFIG_NAME_BYTES])
{
    size_t len = name.len < CONFIG_NAME_BYTES - 1 ? name.len : CONFIG_NAME_BYTES - 1;

    for (size_t i = 0; i < len; i++) {
        char c = (char)name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c = (char)(c + ('a' - 'A'));
        }
        out[i] = (char)(c == '-' || c == '_' ? '.' : c);
    }
    out[len] = '\0';
}

const struct config_setting *config_nearest(struct span name)
{
    const struct config_setting *best = NULL;
    size_t best_distance = SIZE_MAX;
    char wanted[CONFIG_NAME_BYTES];

    plain_name(name, wanted);
    for (size_t i = 0; i < config_setting_count; i++) {
        char have[CONFIG_NAME_BYTES];

        plain_name(span_str(config_settings[i].name), have);
        const char *last = strrchr(have, '.');
        size_t distance = str_distance(wanted, have);

        /* "port" means mysql.port, "interval" the first that ends so. */
        if (last != NULL && strcmp(last + 1, wanted) == 0 && distance > 1) {
            distance = 1;
        }
        if (distance < best_distance) {
            best_distance = distance;
            best = &config_settings[i];
        }
    }
    return best_distance <= 1 + strlen(wanted) / 3 ? best : NULL;
}

void config_flag_name(const struct config_setting *s, char out[CONFIG_NAME_BYTES])
{
    size_t len = strlen(s->name);

    memcpy(out, "--", 2);
    for (size_t i = 0; i <= len; i++) {
        out[2 + i] = (char)(s->name[i] == '.' ? '-' : s->name[i]);
    }
}

void config_variable_name(const struct config_setting *s, char out[CONFIG_NAME_BYTES])
{
    static const char prefix[] = "CALVE_";
    size_t len = strlen(s->name);

    memcpy(out, prefix, sizeof prefix);
    for (size_t i = 0; i <= len; i++) {
        char c = s->name[i];

        if (c == '.' || c == '-') {
            c = '_';
        } else if (c >= 'a' && c <= 'z') {
            c = (char)(c - ('a' - 'A'));
        }
        out[sizeof prefix - 1 + i] = c;
    }
}

struct span config_choice_at(const char *choices, int index)
{
    const char *start = choices;

    for (int i = 0; i < index; i++) {
        start = strchr(start, '|');
        if (start == NULL) {
            return span_of(NULL, 0);
        }
        start++;
    }
    return span_of(start, strcspn(start, "|"));
}

int config_choice_index(const char *choices, struct span text)
{
    for (int i = 0;; i++) {
        struct span choice = config_choice_at(choices, i);
        char name[CONFIG_NAME_BYTES];

        if (choice.len == 0) {
            return -1;
        }
        memcpy(name, choice.data, choice.len);
        name[choice.len] = '\0';
        if (span_ieq_str(text, name)) {
            return i;
        }
    }
}
