#include "storage/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* What may pass by itself or after somebody made room. */
static bool is_retryable(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EBUSY:
    case ESTALE:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* What the user can do; NULL where the reason says it all. */
static const char *remedy(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
        return "make room on that disk";
    case EDQUOT:
        return "make room or have the quota raised";
    case EROFS:
        return "mount that file system for writing, or use another folder";
    case EACCES:
    case EPERM:
        return "give the user that calve runs as access to it and to the folders above";
    case ENOTDIR:
        return "one of the folders above is a file: move it away, or use another folder";
    case ENAMETOOLONG:
        return "use a warehouse with a shorter path, or shorter names";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    case EIO:
        return "look for errors of that disk in the kernel's log";
    default:
        return NULL;
    }
}

void disk_error_explain(struct err *e, int os_errno, const char *doing, const char *path)
{
    if (e == NULL) {
        return;
    }
    const char *advice = remedy(os_errno);
    enum err_code code = disk_error(NULL, os_errno, doing, path);

    (void)err_set_os(e, code, os_errno, "%s %s", doing, path);
    if (advice != NULL) {
        (void)err_set(e, code, "%s; %s", e->msg, advice);
        e->os_errno = os_errno;
    }
    e->retryable = is_retryable(os_errno);
}

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? str_dup("/") : str_ndup(path, (size_t)(slash - path));
}

enum err_code folder_make(const char *folder, struct err *e)
{
    char *path = str_dup(folder);
    enum err_code rc = ERR_OK;

    if (path == NULL) {
        return err_nomem(e);
    }
    for (char *p = path + 1; rc == ERR_OK; p++) {
        char was = *p;

        if (was != '/' && was != '\0') {
            continue;
        }
        *p = '\0';
        if (mkdir(path, 0777) != 0) {
            struct stat st;
            int failed = errno;

            /* On a read-only parent an existing folder is reported as EROFS or EACCES. */
            if (stat(path, &st) != 0) {
                rc = disk_error(e, failed, "creating folder", path);
            } else if (!S_ISDIR(st.st_mode)) {
                rc = disk_error(e, ENOTDIR, "creating folder", path);
            }
        }
        *p = was;
        if (was == '\0') {
            break;
        }
    }
    free(path);
    return rc;
}

enum err_code folder_sync(const char *folder, struct err *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = 0;

    if (fd < 0) {
        return disk_error(e, errno, "opening folder", folder);
    }
    while (fsync(fd) != 0) {
        failed = errno;
        if (failed != EINTR) {
            break;
        }
        failed = 0;
    }
    (void)close(fd);
    /* Some file systems have nothing to sync for a folder and say so in one of these ways. */
    if (failed == EINVAL || failed == ENOSYS || failed == EOPNOTSUPP) {
        return ERR_OK;
    }
    return failed != 0 ? disk_error(e, failed, "syncing folder", folder) : ERR_OK;
}

enum err_code folder_sync_above(const char *folder, struct err *e)
{
    char *up = str_dup(folder);
    enum err_code rc = up == NULL ? err_nomem(e) : ERR_OK;

    while (rc == ERR_OK && strcmp(up, "/") != 0) {
        char *parent = folder_of(up);
        struct err why = {0};

        free(up);
        up = parent;
        if (up == NULL) {
            return err_nomem(e);
        }
        rc = folder_sync(up, &why);
        if (why.os_errno == EACCES || why.os_errno == EPERM || why.os_errno == EROFS) {
            /* A folder that we may only pass through is not one that we made. */
            rc = ERR_OK;
            break;
        }
        if (rc != ERR_OK && e != NULL) {
            *e = why;
        }
    }
    free(up);
    return rc;
}
