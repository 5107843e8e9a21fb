/*
 * check_lake.c - the lake's half of `calve check`. It leaves everything as it was: what it writes,
 * it removes, and folders that are missing stay so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/check_int.h"
#include "app/lake.h"
#include "base/rand.h"
#include "catalog/catalog.h"
#include "storage/store.h"

#define FREE_BYTES_MIN (UINT64_C(1) << 30)
#define PATH_BYTES     4096u

/* The path, or the nearest folder above it that exists. */
static void nearest_existing(const char *path, char out[PATH_BYTES])
{
    struct stat st;

    (void)snprintf(out, PATH_BYTES, "%s", path);
    while (stat(out, &st) != 0 && out[0] != '\0') {
        char *slash = strrchr(out, '/');

        if (slash == NULL || slash == out) {
            (void)snprintf(out, PATH_BYTES, "/");
            return;
        }
        *slash = '\0';
    }
}

/* By the rights that the program runs with. */
static bool may(const char *path, int rights)
{
    return faccessat(AT_FDCWD, path, rights, AT_EACCESS) == 0;
}

static bool can_make(const char *path, struct findings *f, const char *subject)
{
    char above[PATH_BYTES];

    nearest_existing(path, above);
    if (!may(above, W_OK | X_OK)) {
        finding_add(
            f, FINDING_WRONG, subject,
            "%s does not exist, and it cannot be made in %s: make it, or let this user write there",
            path, above);
        return false;
    }
    finding_add(f, FINDING_OK, subject, "%s does not exist yet and can be made", path);
    return true;
}

static void check_free_space(const char *path, struct findings *f)
{
    struct statvfs vfs;
    char above[PATH_BYTES];

    nearest_existing(path, above);
    if (statvfs(above, &vfs) != 0) {
        finding_add(f, FINDING_NOTE, "disk", "%s does not tell how much is free", above);
        return;
    }
    uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    double gib = (double)free_bytes / (double)(UINT64_C(1) << 30);

    if (free_bytes < FREE_BYTES_MIN) {
        finding_add(f, FINDING_WRONG, "disk", "only %.2f GiB are free at %s: make room", gib,
                    above);
    } else {
        finding_add(f, FINDING_OK, "disk", "%.1f GiB are free at %s", gib, above);
    }
}

/* Writes an object and removes it. */
static enum err_code try_write(struct store *store, const char *warehouse, struct err *e)
{
    char id[UUID_TEXT_BYTES];
    char location[PATH_BYTES];
    struct rand rand;

    rand_init(&rand);
    rand_uuid(&rand, id);
    if (snprintf(location, sizeof location, "%s/calve-check-%s", warehouse, id) >=
        (int)sizeof location) {
        return err_set(e, ERR_LIMIT, "the path is too long");
    }
    ERR_TRY(store_put(store, location, span_str("written by calve check, to be removed\n"), e));
    return store_remove(store, location, e);
}

static void check_warehouse(const struct config *c, struct store *store, struct findings *f)
{
    const char *path = c->warehouse_location + strlen("file://");
    struct err why = {0};
    struct stat st;

    if (stat(path, &st) != 0) {
        (void)can_make(path, f, "warehouse");
    } else if (!S_ISDIR(st.st_mode)) {
        finding_add(f, FINDING_WRONG, "warehouse", "%s is no folder: name one by --warehouse",
                    path);
    } else if (try_write(store, c->warehouse_location, &why) != ERR_OK) {
        finding_add(f, FINDING_WRONG, "warehouse", "%s: let this user write there", why.msg);
    } else {
        finding_add(f, FINDING_OK, "warehouse", "%s can be written", path);
    }
    check_free_space(path, f);
}

static bool folder_is_writable(const char *file)
{
    const char *slash = strrchr(file, '/');
    char folder[PATH_BYTES];

    /* An absolute path; the root's own name is empty. */
    (void)snprintf(folder, sizeof folder, "%.*s/", slash == NULL ? 0 : (int)(slash - file), file);
    return may(folder, W_OK | X_OK);
}

static void check_catalog(const struct config *c, struct store *store, struct log *log,
                          struct findings *f)
{
    const struct catalog_sqlite_options options = {.path = c->catalog_path,
                                                   .name = c->catalog_name,
                                                   .store = store,
                                                   .clock = clock_system(),
                                                   .log = log,
                                                   .read_only = true};
    struct catalog *catalog = NULL;
    struct err why = {0};
    struct stat st;

    if (stat(c->catalog_path, &st) != 0) {
        (void)can_make(c->catalog_path, f, "catalog");
        return;
    }
    if (!may(c->catalog_path, R_OK | W_OK)) {
        finding_add(f, FINDING_WRONG, "catalog", "%s: let this user read and write it",
                    c->catalog_path);
        return;
    }
    if (!folder_is_writable(c->catalog_path)) {
        finding_add(f, FINDING_WRONG, "catalog",
                    "%s: SQLite keeps a journal beside it: let this user write its folder too",
                    c->catalog_path);
        return;
    }
    enum err_code rc = catalog_sqlite_open(&options, &catalog, &why);

    if (rc == ERR_NOT_FOUND) {
        finding_add(f, FINDING_OK, "catalog", "%s has no catalog yet, and one can be made in it",
                    c->catalog_path);
        return;
    }
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "catalog", "%s: name another file by --catalog-path",
                    why.msg);
        return;
    }
    catalog_free(catalog);
    finding_add(f, FINDING_OK, "catalog", "%s, catalog name '%s'", c->catalog_path,
                c->catalog_name);
}

enum err_code check_lake(const struct config *c, struct log *log, struct findings *f, struct err *e)
{
    struct store *store = NULL;

    if (lake_is_remote(c)) {
        ERR_TRY(check_remote(c, log, f, e));
    }
    if (c->catalog_type != CONFIG_CATALOG_SQLITE) {
        return ERR_OK;
    }
    ERR_TRY(store_local_new(&store, e));
    if (!lake_is_remote(c)) {
        check_warehouse(c, store, f);
    }
    check_catalog(c, store, log, f);
    store_free(store);
    return ERR_OK;
}
