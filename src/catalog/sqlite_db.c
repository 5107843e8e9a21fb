/*
 * sqlite_db.c - the SQLite file of a catalog.
 *
 * Durability: synchronous is EXTRA, which with a rollback journal also syncs the folder after the
 * journal was removed. With FULL a power cut right after a commit could bring the journal back and
 * undo the commit, when files that only the old metadata named are gone already.
 *
 * Journal mode: a new file keeps SQLite's default, the rollback journal: one file to copy or to put
 * on any file system, no shared memory, and readers hold their locks for microseconds. An existing
 * file keeps the mode that its owner gave it; write-ahead logs work too.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"
#include "catalog/sqlite_int.h"
#include "storage/folder.h"

#define BUSY_TIMEOUT_MS 10000

static const char create_tables[] = "CREATE TABLE IF NOT EXISTS iceberg_tables ("
                                    "catalog_name VARCHAR(255) NOT NULL, "
                                    "table_namespace VARCHAR(255) NOT NULL, "
                                    "table_name VARCHAR(255) NOT NULL, "
                                    "metadata_location VARCHAR(1000), "
                                    "previous_metadata_location VARCHAR(1000), "
                                    "iceberg_type VARCHAR(5), "
                                    "PRIMARY KEY (catalog_name, table_namespace, table_name))";

static const char create_namespaces[] = "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties ("
                                        "catalog_name VARCHAR(255) NOT NULL, "
                                        "namespace VARCHAR(255) NOT NULL, "
                                        "property_key VARCHAR(255) NOT NULL, "
                                        "property_value VARCHAR(1000) NOT NULL, "
                                        "PRIMARY KEY (catalog_name, namespace, property_key))";

static enum err_code readonly_error(const struct sqlite_catalog *c, int result, const char *doing,
                                    struct err *e)
{
    if (result == SQLITE_READONLY_DBMOVED) {
        return err_set(
            e, ERR_IO,
            "%s: the catalog %s was moved, removed or replaced while in use: put it back "
            "and start again",
            doing, c->path);
    }
    return err_set(e, ERR_IO,
                   "%s: the catalog %s cannot be written: give the user that calve runs as write "
                   "access to the file and to its folder, on a file system mounted for writing",
                   doing, c->path);
}

enum err_code sqlite_error(const struct sqlite_catalog *c, int result, const char *doing,
                           struct err *e)
{
    int os_errno = c->db == NULL ? 0 : sqlite3_system_errno(c->db);

    switch (result & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(e);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return err_set_retryable(e, ERR_IO,
                                 "%s: the catalog %s is locked by another process (waited %d ms): "
                                 "see which by 'fuser -v %s' and let it end",
                                 doing, c->path, c->busy_timeout_ms, c->path);
    case SQLITE_FULL:
        return err_set_retryable(
            e, ERR_IO, "%s: no room for the catalog %s: make room on that disk", doing, c->path);
    case SQLITE_READONLY:
        return readonly_error(c, result, doing, e);
    case SQLITE_CANTOPEN:
        if (os_errno == 0) {
            return err_set(
                e, ERR_IO,
                "%s: the catalog %s or its journal cannot be opened: see that its folder "
                "is there and that calve may write in it",
                doing, c->path);
        }
        return disk_error(e, os_errno, "opening the catalog", c->path) == ERR_NOT_FOUND
                   ? err_set_os(e, ERR_IO, os_errno, "%s: the catalog %s is gone", doing, c->path)
                   : ERR_IO;
    case SQLITE_IOERR:
        return result == SQLITE_IOERR_NOMEM
                   ? err_nomem(e)
                   : err_set_retryable(e, ERR_IO,
                                       "%s: reading or writing the catalog %s failed (%s, errno "
                                       "%d): look for errors of that disk in the kernel's log",
                                       doing, c->path, sqlite3_errstr(result), os_errno);
    case SQLITE_NOTADB:
        return err_set(e, ERR_CORRUPT,
                       "%s: %s is not an SQLite database: name another file for the catalog, or "
                       "bring this one back from a backup",
                       doing, c->path);
    case SQLITE_CORRUPT:
        return err_set(e, ERR_CORRUPT,
                       "%s: the catalog %s is damaged: bring it back from a backup, or try "
                       "'sqlite3 %s .recover'",
                       doing, c->path, c->path);
    default:
        return err_set(e, ERR_IO, "%s: the catalog %s: %s", doing, c->path,
                       c->db == NULL ? sqlite3_errstr(result) : sqlite3_errmsg(c->db));
    }
}

int sqlite_run(struct sqlite_catalog *c, const struct sqlite_query *query)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(c->db, query->sql, -1, &statement, NULL);

    for (int i = 0; i < SQLITE_ARGS_MAX && query->args[i] != NULL && result == SQLITE_OK; i++) {
        result = sqlite3_bind_text(statement, i + 1, query->args[i], -1, SQLITE_STATIC);
    }
    while (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        if (result == SQLITE_DONE) {
            result = SQLITE_OK;
            break;
        }
        if (result == SQLITE_ROW) {
            result = query->row == NULL ? SQLITE_OK : query->row(query->ctx, statement);
        }
    }
    /* Its result is the one of the last step, which we have. */
    (void)sqlite3_finalize(statement);
    return result;
}

enum err_code sqlite_begin(struct sqlite_catalog *c, struct err *e)
{
    /* A lock for writing from the start: taking it later could find it taken, with no way to wait.
     */
    int result = sqlite_run(c, &(struct sqlite_query){.sql = "BEGIN IMMEDIATE"});

    return result == SQLITE_OK ? ERR_OK : sqlite_error(c, result, "beginning a change", e);
}

void sqlite_rollback(struct sqlite_catalog *c)
{
    if (c->db == NULL || sqlite3_get_autocommit(c->db) != 0) {
        return;
    }
    if (sqlite_run(c, &(struct sqlite_query){.sql = "ROLLBACK"}) != SQLITE_OK) {
        /* The journal is there: whoever opens the file next rolls back. */
        sqlite_disconnect(c);
    }
}

/*
 * SQLITE_BUSY leaves the transaction open: somebody was still reading. Every other failure may have
 * come before or after the point at which the transaction counts (the journal is gone but its
 * folder could not be synced; the frame is in the write-ahead log but that could not be synced),
 * and SQLite does not say which.
 */
enum err_code sqlite_commit(struct sqlite_catalog *c, struct err *e)
{
    int result = sqlite_run(c, &(struct sqlite_query){.sql = "COMMIT"});

    if (result == SQLITE_OK) {
        return ERR_OK;
    }
    struct err why = {0};

    (void)sqlite_error(c, result, "committing", &why);
    if ((result & 0xff) == SQLITE_BUSY && sqlite3_get_autocommit(c->db) == 0) {
        sqlite_rollback(c);
        if (e != NULL) {
            *e = why;
        }
        return why.code;
    }
    /* A new connection sees the file as every other process does. */
    sqlite_disconnect(c);
    return err_set(e, ERR_UNKNOWN, "%s", why.msg);
}

/* Bits of the columns of iceberg_tables in the order of column_names. */
#define COLUMNS_NEEDED 0x1fu
#define COLUMN_TYPE    0x20u

static const char *const column_names[] = {
    "catalog_name",
    "table_namespace",
    "table_name",
    "metadata_location",
    "previous_metadata_location",
    "iceberg_type",
};

static int see_column(void *ctx, sqlite3_stmt *statement)
{
    unsigned *seen = ctx;
    const char *name = (const char *)sqlite3_column_text(statement, 1);

    for (unsigned i = 0; i < sizeof column_names / sizeof column_names[0] && name != NULL; i++) {
        if (str_ieq(name, column_names[i])) {
            *seen |= 1u << i;
        }
    }
    return name == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int see_row(void *ctx, sqlite3_stmt *statement)
{
    bool *seen = ctx;

    (void)statement;
    *seen = true;
    return SQLITE_OK;
}

/* *columns: 0 when there is no table iceberg_tables. */
static enum err_code look_at_tables(struct sqlite_catalog *c, unsigned *columns,
                                    bool *has_namespaces, struct err *e)
{
    *columns = 0;
    *has_namespaces = false;
    int result = sqlite_run(c, &(struct sqlite_query){.sql = "PRAGMA table_info(iceberg_tables)",
                                                      .row = see_column,
                                                      .ctx = columns});

    if (result == SQLITE_OK) {
        result = sqlite_run(
            c, &(struct sqlite_query){.sql = "PRAGMA table_info(iceberg_namespace_properties)",
                                      .row = see_row,
                                      .ctx = has_namespaces});
    }
    return result == SQLITE_OK ? ERR_OK : sqlite_error(c, result, "opening", e);
}

static enum err_code make_tables(struct sqlite_catalog *c, struct err *e)
{
    ERR_TRY(sqlite_begin(c, e));
    int result = sqlite_run(c, &(struct sqlite_query){.sql = create_tables});

    if (result == SQLITE_OK) {
        result = sqlite_run(c, &(struct sqlite_query){.sql = create_namespaces});
    }
    if (result != SQLITE_OK) {
        enum err_code rc = sqlite_error(c, result, "creating the tables", e);

        sqlite_rollback(c);
        return rc;
    }
    enum err_code rc = sqlite_commit(c, e);

    /* Trying again finds the tables there or makes them: nothing hangs on this one. */
    if (rc == ERR_UNKNOWN && e != NULL) {
        e->code = ERR_IO;
    }
    return rc == ERR_UNKNOWN ? ERR_IO : rc;
}

static enum err_code check_tables(struct sqlite_catalog *c, bool create, struct err *e)
{
    unsigned columns;
    bool has_namespaces;

    ERR_TRY(look_at_tables(c, &columns, &has_namespaces, e));
    if (create && (columns == 0 || !has_namespaces)) {
        ERR_TRY(make_tables(c, e));
        ERR_TRY(look_at_tables(c, &columns, &has_namespaces, e));
    }
    if (columns == 0) {
        return err_set(e, ERR_NOT_FOUND, "%s has no Iceberg catalog in it", c->path);
    }
    if ((columns & COLUMNS_NEEDED) != COLUMNS_NEEDED) {
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: its table iceberg_tables is not the one of an Iceberg SQL catalog: a "
                       "column is missing. Name another file for the catalog",
                       c->path);
    }
    c->has_type = (columns & COLUMN_TYPE) != 0;
    return ERR_OK;
}

static enum err_code make_folder(const struct sqlite_catalog *c, struct err *e)
{
    struct stat st;
    char *folder = strchr(c->path, '/') == NULL ? str_dup(".") : folder_of(c->path);
    enum err_code rc = folder == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK && stat(folder, &st) != 0 && errno == ENOENT) {
        rc = folder_make(folder, e);
        if (rc == ERR_OK && folder[0] == '/') {
            rc = folder_sync_above(folder, e);
        }
    }
    free(folder);
    return rc;
}

static enum err_code open_file(struct sqlite_catalog *c, bool create, struct err *e)
{
    struct stat st;

    if (!create && stat(c->path, &st) != 0 && errno == ENOENT) {
        return err_set(e, c->read_only ? ERR_NOT_FOUND : ERR_IO, "there is no catalog %s", c->path);
    }
    if (create) {
        ERR_TRY(make_folder(c, e));
    }
    /* Also for looking only: a journal that a crash left must be rolled back to read at all. */
    int result = sqlite3_open_v2(c->path, &c->db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                     SQLITE_OPEN_EXRESCODE | (create ? SQLITE_OPEN_CREATE : 0),
                                 NULL);

    if (result == SQLITE_OK) {
        result = sqlite3_busy_timeout(c->db, c->busy_timeout_ms);
    }
    if (result == SQLITE_OK) {
        result = sqlite_run(c, &(struct sqlite_query){.sql = "PRAGMA synchronous = EXTRA"});
    }
    if (result == SQLITE_OK && c->read_only) {
        result = sqlite_run(c, &(struct sqlite_query){.sql = "PRAGMA query_only = 1"});
    }
    if (result == SQLITE_OK && !c->read_only && sqlite3_db_readonly(c->db, "main") == 1) {
        result = SQLITE_READONLY;
    }
    return result == SQLITE_OK ? ERR_OK : sqlite_error(c, result, "opening", e);
}

/* The file was renamed, removed or replaced: what is open is not what others see by that name. */
static bool has_moved(const struct sqlite_catalog *c)
{
    int moved = 0;

    return sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved != 0;
}

enum err_code sqlite_connect(struct sqlite_catalog *c, bool create, struct err *e)
{
    if (c->db != NULL && !has_moved(c)) {
        return ERR_OK;
    }
    sqlite_disconnect(c);
    if (c->busy_timeout_ms <= 0) {
        c->busy_timeout_ms = BUSY_TIMEOUT_MS;
    }
    enum err_code rc = open_file(c, create && !c->read_only, e);

    if (rc == ERR_OK) {
        rc = check_tables(c, create && !c->read_only, e);
    }
    if (rc != ERR_OK) {
        sqlite_disconnect(c);
    }
    return rc;
}

void sqlite_disconnect(struct sqlite_catalog *c)
{
    /* Every statement is finalized where it ran, so this cannot be refused. */
    (void)sqlite3_close(c->db);
    c->db = NULL;
}
