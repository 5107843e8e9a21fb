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

enum err_code lake_open(const struct config *c, struct log *log, struct lake *out, struct err *e)
{
    struct lake lake = {NULL, NULL};
    enum err_code rc = make_folders(c->catalog_path, e);

    if (rc == ERR_OK) {
        rc = store_local_new(&lake.store, e);
    }
    if (rc == ERR_OK) {
        rc = catalog_sqlite_open(
            &(struct catalog_sqlite_options){
                .path = c->catalog_path,
                .name = c->catalog_name,
                .store = lake.store,
                .clock = clock_system(),
                .log = log,
            },
            &lake.catalog, e);
    }
    if (rc != ERR_OK) {
        lake_close(&lake);
        return rc;
    }
    *out = lake;
    return ERR_OK;
}

void lake_close(struct lake *l)
{
    catalog_free(l->catalog);
    store_free(l->store);
    *l = (struct lake){NULL, NULL};
}
