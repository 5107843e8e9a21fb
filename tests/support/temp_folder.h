/* temp_folder.h - a folder for one test, and a look at what is really in it. */
#ifndef CALVE_TEMP_FOLDER_H
#define CALVE_TEMP_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "test.h"

struct temp_folder {
    char path[64];
    char location[512]; /* of the last temp_location() */
};

/* In memory where there is such a place: tests sync a lot. */
static inline void temp_folder_init(struct temp_folder *t)
{
    (void)snprintf(t->path, sizeof t->path, "%s/calve-test-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(t->path));
}

/* Removes a file or a folder with all in it; links are not followed. */
static inline void temp_remove(const char *path)
{
    DIR *dir = remove(path) == 0 ? NULL : opendir(path);

    if (dir == NULL) {
        return;
    }
    for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
            char *inner = str_format("%s/%s", path, d->d_name);

            assert_non_null(inner);
            temp_remove(inner);
            free(inner);
        }
    }
    (void)closedir(dir);
    assert_int_equal(remove(path), 0);
}

static inline void temp_folder_deinit(struct temp_folder *t)
{
    temp_remove(t->path);
}

/* "file://<folder>/<name>", valid until the next call. */
static inline const char *temp_location(struct temp_folder *t, const char *name)
{
    (void)snprintf(t->location, sizeof t->location, "file://%s/%s", t->path, name);
    return t->location;
}

/* How many names a folder below has, "." and ".." left out; -1 when it is not there. */
static inline int temp_count(const struct temp_folder *t, const char *folder)
{
    char path[512];
    int count = 0;

    (void)snprintf(path, sizeof path, "%s/%s", t->path, folder);
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return -1;
    }
    for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        count += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    }
    (void)closedir(dir);
    return count;
}

/* Makes the test run as a user whom permissions stop; false when that is not possible. */
static inline bool temp_become_nobody(void)
{
    return geteuid() != 0 || seteuid(65534) == 0;
}

static inline void temp_become_root(void)
{
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
    }
}

#endif
