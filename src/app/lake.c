#include "app/lake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"

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

static enum err_code open_both(const struct config *c, struct log *log, bool read_only,
                               struct lake *out, struct err *e)
{
    if (c->catalog_type != CONFIG_CATALOG_SQLITE ||
        !str_starts_with(c->warehouse_location, "file:")) {
        return err_set(e, ERR_UNSUPPORTED,
                       "S3, Glue and REST catalogs are not in this version yet: use a folder, "
                       "--warehouse DIR");
    }
    enum err_code rc = store_local_new(&out->store, e);

    if (rc == ERR_OK) {
        rc = catalog_sqlite_open(
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
    if (rc != ERR_OK) {
        lake_close(out);
    }
    return rc;
}

enum err_code lake_open(const struct config *c, struct log *log, struct lake *out, struct err *e)
{
    *out = (struct lake){NULL, NULL};
    if (c->catalog_path[0] != '\0') {
        ERR_TRY(make_folders(c->catalog_path, e));
    }
    return open_both(c, log, false, out, e);
}

enum err_code lake_open_existing(const struct config *c, struct log *log, struct lake *out,
                                 struct err *e)
{
    *out = (struct lake){NULL, NULL};
    enum err_code rc = open_both(c, log, true, out, e);

    if (rc == ERR_NOT_FOUND) {
        return err_set(e, ERR_NOT_FOUND,
                       "there is no lake yet: %s is no catalog (calve run and calve backfill make "
                       "it; --warehouse or --catalog-path name another)",
                       c->catalog_path);
    }
    return rc;
}

void lake_close(struct lake *l)
{
    catalog_free(l->catalog);
    store_free(l->store);
    *l = (struct lake){NULL, NULL};
}
