#include "app/lake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/lake_remote.h"
#include "base/str.h"
#include "catalog/rest.h"
#include "storage/recent.h"

/* The metadata of some seventy tables. */
#define RECENT_BYTES ((size_t)8 << 20)

/* The folder of the catalog's file and those above it. */
static enum err_code make_folders(const char *file, struct err *e)
{
    char *path = str_dup(file);

    if (path == NULL) {
        return err_nomem(e);
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            int why = errno;
            struct stat st;

            /* A file system that is read-only says so even where the folder is there. */
            if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
                (void)err_set_os(e, ERR_IO, why, "making the folder %s for the catalog", path);
                free(path);
                return ERR_IO;
            }
        }
        *slash = '/';
    }
    free(path);
    return ERR_OK;
}

static enum err_code open_sqlite(const struct config *c, struct log *log, bool read_only,
                                 struct lake *out, struct err *e)
{
    return catalog_sqlite_open(
        &(struct catalog_sqlite_options){
            .path = c->catalog_path,
            .name = c->catalog_name,
            .store = out->store,
            .clock = clock_system(),
            .log = log,
            .read_only = read_only,
        },
        &out->catalog, e);
}

/* Who writes reads again what it wrote; who only looks is to see what is there. */
static enum err_code open_remote_store(const struct config *c, struct log *log,
                                       const struct s3_access_source *lent, bool read_only,
                                       struct lake *out, struct err *e)
{
    struct store *store;

    ERR_TRY(lake_remote_store(out->remote, c, log, lent, !read_only, &store, e));
    if (read_only) {
        out->store = store;
        return ERR_OK;
    }
    return store_recent_new(store, RECENT_BYTES, &out->store, e);
}

/* A REST catalog lends the keys that its store uses, so it comes first. */
static enum err_code open_rest(const struct config *c, struct log *log, bool read_only,
                               struct lake *out, struct err *e)
{
    ERR_TRY(lake_remote_rest(out->remote, c, log, &out->catalog, e));
    const struct s3_access_source lent = catalog_rest_access(out->catalog);

    ERR_TRY(open_remote_store(c, log, &lent, read_only, out, e));
    catalog_rest_set_store(out->catalog, out->store);
    return ERR_OK;
}

static enum err_code open_store(const struct config *c, struct log *log, bool read_only,
                                struct lake *out, struct err *e)
{
    if (!lake_is_remote(c)) {
        return store_local_new(&out->store, e);
    }
    ERR_TRY(lake_remote_open(c, log, &out->remote, e));
    return c->catalog_type == CONFIG_CATALOG_REST
               ? ERR_OK
               : open_remote_store(c, log, NULL, read_only, out, e);
}

static enum err_code open_catalog(const struct config *c, struct log *log, bool read_only,
                                  struct lake *out, struct err *e)
{
    switch (c->catalog_type) {
    case CONFIG_CATALOG_AUTO:
    case CONFIG_CATALOG_SQLITE:
        return open_sqlite(c, log, read_only, out, e);
    case CONFIG_CATALOG_REST:
        return open_rest(c, log, read_only, out, e);
    case CONFIG_CATALOG_GLUE:
        return lake_remote_glue(out->remote, c, log, out->store, &out->catalog, e);
    } /* no default: a new catalog breaks the build here */
    abort();
}

static enum err_code open_both(const struct config *c, struct log *log, bool read_only,
                               struct lake *out, struct err *e)
{
    enum err_code rc = open_store(c, log, read_only, out, e);

    if (rc == ERR_OK) {
        rc = open_catalog(c, log, read_only, out, e);
    }
    if (rc != ERR_OK) {
        lake_close(out);
    }
    return rc;
}

enum err_code lake_open(const struct config *c, struct log *log, struct lake *out, struct err *e)
{
    *out = (struct lake){NULL, NULL, NULL};
    if (c->catalog_type == CONFIG_CATALOG_SQLITE) {
        ERR_TRY(make_folders(c->catalog_path, e));
    }
    return open_both(c, log, false, out, e);
}

enum err_code lake_open_existing(const struct config *c, struct log *log, struct lake *out,
                                 struct err *e)
{
    *out = (struct lake){NULL, NULL, NULL};
    enum err_code rc = open_both(c, log, true, out, e);

    if (rc == ERR_NOT_FOUND && c->catalog_type == CONFIG_CATALOG_SQLITE) {
        return err_set(e, ERR_NOT_FOUND,
                       "there is no lake yet: %s is no catalog (calve run and calve backfill make "
                       "it; --warehouse or --catalog-path name another)",
                       c->catalog_path);
    }
    return rc;
}

enum err_code lake_open_store(const struct config *c, struct log *log, struct lake *out,
                              struct err *e)
{
    *out = (struct lake){NULL, NULL, NULL};
    enum err_code rc = lake_remote_open(c, log, &out->remote, e);

    if (rc == ERR_OK) {
        rc = lake_remote_store(out->remote, c, log, NULL, false, &out->store, e);
    }
    if (rc != ERR_OK) {
        lake_close(out);
    }
    return rc;
}

void lake_close(struct lake *l)
{
    /* The store may ask the catalog for keys until it is gone. */
    store_free(l->store);
    catalog_free(l->catalog);
    lake_remote_close(l->remote);
    *l = (struct lake){NULL, NULL, NULL};
}

bool lake_is_remote(const struct config *c)
{
    return c->catalog_type != CONFIG_CATALOG_SQLITE ||
           str_starts_with(c->warehouse_location, "s3://");
}
