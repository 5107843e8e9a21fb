/*
 * fault_vfs.h - SQLite's file system with one call that fails: the nth write, sync, truncation or
 * removal, before or after its effect.
 *
 * Thread: one; register it before any file is opened.
 */
#ifndef CALVE_FAULT_VFS_H
#define CALVE_FAULT_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum fault_op { FAULT_NONE, FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_DELETE, FAULT_OPS };

struct fault {
    enum fault_op op;
    unsigned nth;
    bool after; /* the effect happens */
    int result;
    bool hit;
};

static struct fault fault_now;
static sqlite3_vfs *fault_real;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *fault_file_real(sqlite3_file *f)
{
    return ((struct fault_file *)(void *)f)->real;
}

/* Whether this call is the one. */
static bool fault_is(enum fault_op op)
{
    if (fault_now.op != op || fault_now.hit || --fault_now.nth > 0) {
        return false;
    }
    fault_now.hit = true;
    return true;
}

static int fault_close(sqlite3_file *f)
{
    sqlite3_file *real = fault_file_real(f);
    int rc = real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);

    free(real);
    return rc;
}

static int fault_read(sqlite3_file *f, void *to, int bytes, sqlite3_int64 at)
{
    return fault_file_real(f)->pMethods->xRead(fault_file_real(f), to, bytes, at);
}

static int fault_write(sqlite3_file *f, const void *from, int bytes, sqlite3_int64 at)
{
    bool fails = fault_is(FAULT_WRITE);
    int rc = fails && !fault_now.after
                 ? SQLITE_OK
                 : fault_file_real(f)->pMethods->xWrite(fault_file_real(f), from, bytes, at);

    return fails ? fault_now.result : rc;
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    bool fails = fault_is(FAULT_TRUNCATE);
    int rc = fails && !fault_now.after
                 ? SQLITE_OK
                 : fault_file_real(f)->pMethods->xTruncate(fault_file_real(f), size);

    return fails ? fault_now.result : rc;
}

static int fault_sync(sqlite3_file *f, int flags)
{
    bool fails = fault_is(FAULT_SYNC);
    int rc = fault_file_real(f)->pMethods->xSync(fault_file_real(f), flags);

    return fails ? fault_now.result : rc;
}

static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return fault_file_real(f)->pMethods->xFileSize(fault_file_real(f), size);
}

static int fault_lock(sqlite3_file *f, int level)
{
    return fault_file_real(f)->pMethods->xLock(fault_file_real(f), level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
    return fault_file_real(f)->pMethods->xUnlock(fault_file_real(f), level);
}

static int fault_check_lock(sqlite3_file *f, int *out)
{
    return fault_file_real(f)->pMethods->xCheckReservedLock(fault_file_real(f), out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return fault_file_real(f)->pMethods->xFileControl(fault_file_real(f), op, arg);
}

static int fault_sector(sqlite3_file *f)
{
    return fault_file_real(f)->pMethods->xSectorSize(fault_file_real(f));
}

static int fault_traits(sqlite3_file *f)
{
    return fault_file_real(f)->pMethods->xDeviceCharacteristics(fault_file_real(f));
}

static int fault_shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **out)
{
    return fault_file_real(f)->pMethods->xShmMap(fault_file_real(f), page, bytes, extend, out);
}

static int fault_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
    return fault_file_real(f)->pMethods->xShmLock(fault_file_real(f), at, count, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
    fault_file_real(f)->pMethods->xShmBarrier(fault_file_real(f));
}

static int fault_shm_unmap(sqlite3_file *f, int remove_it)
{
    return fault_file_real(f)->pMethods->xShmUnmap(fault_file_real(f), remove_it);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = fault_close,
        .xRead = fault_read,
        .xWrite = fault_write,
        .xTruncate = fault_truncate,
        .xSync = fault_sync,
        .xFileSize = fault_size,
        .xLock = fault_lock,
        .xUnlock = fault_unlock,
        .xCheckReservedLock = fault_check_lock,
        .xFileControl = fault_control,
        .xSectorSize = fault_sector,
        .xDeviceCharacteristics = fault_traits,
        .xShmMap = fault_shm_map,
        .xShmLock = fault_shm_lock,
        .xShmBarrier = fault_shm_barrier,
        .xShmUnmap = fault_shm_unmap,
    };
    struct fault_file *file = (struct fault_file *)(void *)f;

    (void)vfs;
    file->base.pMethods = NULL;
    file->real = calloc(1, (size_t)fault_real->szOsFile);
    if (file->real == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = fault_real->xOpen(fault_real, name, file->real, flags, out);

    if (rc != SQLITE_OK) {
        free(file->real);
        return rc;
    }
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    bool fails = fault_is(FAULT_DELETE);
    int rc =
        fails && !fault_now.after ? SQLITE_OK : fault_real->xDelete(fault_real, name, sync_folder);

    return fails ? fault_now.result : rc;
}

/* From now on every file is opened through it. */
static void fault_vfs_install(void)
{
    static sqlite3_vfs vfs;

    fault_real = sqlite3_vfs_find(NULL);
    vfs = *fault_real;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct fault_file);
    vfs.xOpen = fault_open;
    vfs.xDelete = fault_delete;
    (void)sqlite3_vfs_register(&vfs, 1);
}

static void fault_vfs_remove(void)
{
    (void)sqlite3_vfs_register(fault_real, 1);
}

#endif
