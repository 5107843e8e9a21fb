/*
 * folder.h - folders of the local disk, made so that their names survive a crash; and what the
 * operating system's refusals mean for the user.
 *
 * Thread: any.
 */
#ifndef CALVE_STORAGE_FOLDER_H
#define CALVE_STORAGE_FOLDER_H

#include <errno.h>

#include "base/err.h"

/* Fills *e with "doing path: reason; what to do". */
void disk_error_explain(struct err *e, int os_errno, const char *doing, const char *path);

/* The same; gives the code: ERR_NOT_FOUND for ENOENT, ERR_EXISTS for EEXIST, else ERR_IO, retryable
 * when it may pass by itself or after somebody made room. */
static inline enum err_code disk_error(struct err *e, int os_errno, const char *doing,
                                       const char *path)
{
    disk_error_explain(e, os_errno, doing, path);
    return os_errno == ENOENT ? ERR_NOT_FOUND : os_errno == EEXIST ? ERR_EXISTS : ERR_IO;
}

/* The path up to its last '/', malloc'd; "/" for names in the root. NULL: no memory. */
char *folder_of(const char *path);

/* mkdir -p; durable only after folder_sync_above(). */
MUST_USE enum err_code folder_make(const char *folder, struct err *e);

/* Makes the names in `folder` durable. */
MUST_USE enum err_code folder_sync(const char *folder, struct err *e);

/* Makes the names of the folder and of all folders above it durable. */
MUST_USE enum err_code folder_sync_above(const char *folder, struct err *e);

#endif
