/*
 * local.c - objects as files of the local disk.
 *
 *   folder/.tmp-<32 hex digits>   while it is written, locked by its writer; a crash leaves it
 * behind folder/name                   once it is whole: fsync, rename that does not replace,
 *                                 fsync(folder)
 *
 * A location is the path as it is, behind file://, without percent-encoding: so do PyIceberg and
 * Java's Hadoop paths read it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/str.h"
#include "storage/folder.h"
#include "storage/store.h"

#define TEMP_PREFIX       ".tmp-"
#define TEMP_TRIES        8
#define SYNCED_MAX        128u
#define FOLDER_DEPTH_MAX  64
#define RENAME_NO_REPLACE 1u
#define READ_STEP_BYTES   ((size_t)1 << 20)

struct local_store {
    struct store base;
    pthread_mutex_t mutex;    /* guards the two below */
    char *synced[SYNCED_MAX]; /* folders whose names up to the root are on disk */
    unsigned synced_count;
};

struct local_file {
    struct store_file base;
    int fd;
    char *path;
    char *temp;
};

struct local_reader {
    struct store_reader base;
    int fd;
    char *path;
};

static enum err_code location_path(const char *location, const char **path, struct err *e)
{
    *path = location;
    if (str_starts_with(location, "file://localhost/")) {
        *path = location + strlen("file://localhost");
    } else if (str_starts_with(location, "file:///")) {
        *path = location + strlen("file://");
    } else if (str_starts_with(location, "file:/") && location[6] != '/') {
        *path = location + strlen("file:");
    }
    if ((*path)[0] != '/') {
        return err_set(e, ERR_UNSUPPORTED,
                       "'%s' is not a place on local disk: expected file:///folder/name", location);
    }
    return ERR_OK;
}

static bool is_synced(struct local_store *s, const char *folder)
{
    bool found = false;

    (void)pthread_mutex_lock(&s->mutex);
    for (unsigned i = 0; i < s->synced_count && !found; i++) {
        found = strcmp(s->synced[i], folder) == 0;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return found;
}

static void remember_synced(struct local_store *s, const char *folder)
{
    char *copy = str_dup(folder);

    (void)pthread_mutex_lock(&s->mutex);
    if (s->synced_count == SYNCED_MAX) {
        /* Day folders come and go: forgetting one only costs another sync. */
        while (s->synced_count > 0) {
            free(s->synced[--s->synced_count]);
        }
    }
    if (copy != NULL) {
        s->synced[s->synced_count++] = copy;
    }
    (void)pthread_mutex_unlock(&s->mutex);
}

/*
 * Once for each folder and process, or whenever it was made again: whoever made the folders may
 * have crashed before syncing them.
 */
static enum err_code sync_above(struct local_store *s, const char *folder, bool made, struct err *e)
{
    if (!made && is_synced(s, folder)) {
        return ERR_OK;
    }
    ERR_TRY(folder_sync_above(folder, e));
    remember_synced(s, folder);
    return ERR_OK;
}

/* A write's failure: what was not found then is a folder that somebody removed. */
static enum err_code write_error(struct err *e, int os_errno, const char *doing, const char *path)
{
    if (os_errno == ENOENT) {
        (void)err_set_os(e, ERR_IO, os_errno, "%s %s: its folder was removed meanwhile", doing,
                         path);
        return ERR_IO;
    }
    return disk_error(e, os_errno, doing, path);
}

/* Creates and locks a temporary file; 0, or an errno and no file. */
static int create_temp(struct local_file *f, const char *folder)
{
    struct rand rand;
    struct stat st;
    int failed;

    rand_init(&rand);
    f->temp = str_format("%s/" TEMP_PREFIX "%016llx%016llx", strcmp(folder, "/") == 0 ? "" : folder,
                         (unsigned long long)rand_u64(&rand), (unsigned long long)rand_u64(&rand));
    if (f->temp == NULL) {
        return ENOMEM;
    }
    f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        failed = errno;
    } else if ((flock(f->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
               (fstat(f->fd, &st) == 0 && st.st_nlink == 0)) {
        /* A sweep took it for a leftover before it was locked. Other failures mean a file system
         * without locks, which is never swept. */
        failed = EAGAIN;
        (void)close(f->fd);
        f->fd = -1;
    } else {
        return 0;
    }
    free(f->temp);
    f->temp = NULL;
    return failed;
}

static enum err_code open_temp(struct local_store *s, struct local_file *f, const char *folder,
                               struct err *e)
{
    bool made = false;
    int failed = EAGAIN;

    for (int i = 0; i < TEMP_TRIES && failed == EAGAIN; i++) {
        failed = create_temp(f, folder);
        if (failed == ENOENT && !made) {
            ERR_TRY(folder_make(folder, e));
            made = true;
            failed = create_temp(f, folder);
        }
    }
    if (failed == ENOMEM) {
        return err_nomem(e);
    }
    if (f->temp == NULL) {
        return write_error(e, failed, "creating a file in", folder);
    }
    return sync_above(s, folder, made, e);
}

static void local_abandon(struct store_file *base)
{
    struct local_file *f = (struct local_file *)base;

    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    if (f->temp != NULL) {
        (void)unlink(f->temp);
    }
    free(f->temp);
    free(f->path);
    free(f);
}

static enum err_code local_create(struct store *base, const char *location, struct store_file **out,
                                  struct err *e)
{
    const char *path;
    ERR_TRY(location_path(location, &path, e));
    struct local_file *f = calloc(1, sizeof *f);
    char *folder = folder_of(path);
    enum err_code rc = ERR_OK;

    if (f != NULL) {
        f->base.store = base;
        f->fd = -1;
        f->path = str_dup(path);
    }
    if (f == NULL || folder == NULL || f->path == NULL) {
        rc = err_nomem(e);
    }
    if (rc == ERR_OK) {
        rc = open_temp((struct local_store *)base, f, folder, e);
    }
    free(folder);
    if (rc != ERR_OK) {
        if (f != NULL) {
            local_abandon(&f->base);
        }
        err_wrap(e, "writing %s", path);
        return rc;
    }
    *out = &f->base;
    return ERR_OK;
}

static enum err_code local_write(struct store_file *base, struct span bytes, struct err *e)
{
    struct local_file *f = (struct local_file *)base;
    struct bytes_reader in;

    bytes_reader_init(&in, bytes);
    while (bytes_left(&in) > 0) {
        ssize_t n = write(f->fd, in.at, bytes_left(&in));

        if (n < 0 && errno != EINTR) {
            return write_error(e, errno, "writing", f->path);
        }
        if (n > 0) {
            bytes_skip(&in, (size_t)n);
        }
    }
    return ERR_OK;
}

/* Gives `temp` the name `path` unless that is taken; 0 or an errno. */
static int rename_new(const char *temp, const char *path)
{
    if (syscall(SYS_renameat2, AT_FDCWD, temp, AT_FDCWD, path, RENAME_NO_REPLACE) == 0) {
        return 0;
    }
    if (errno != ENOSYS && errno != EINVAL) {
        return errno;
    }
    /* This file system cannot: a hard link is refused too when the name is taken. */
    if (link(temp, path) != 0) {
        return errno == EPERM ? EOPNOTSUPP : errno;
    }
    /* The object is there; a second name that stays is swept as any leftover. */
    (void)unlink(temp);
    return 0;
}

static enum err_code name_file(struct local_file *f, struct err *e)
{
    int failed = rename_new(f->temp, f->path);

    if (failed == EOPNOTSUPP) {
        return err_set(e, ERR_UNSUPPORTED,
                       "naming %s: this file system can neither rename without replacing nor link; "
                       "use another for the warehouse",
                       f->path);
    }
    if (failed != 0) {
        return write_error(e, failed, "naming", f->path);
    }
    free(f->temp);
    f->temp = NULL;
    char *folder = folder_of(f->path);
    enum err_code rc = folder == NULL ? err_nomem(e) : folder_sync(folder, e);

    free(folder);
    if (rc != ERR_OK) {
        /* Nobody was told of this name yet. */
        (void)unlink(f->path);
    }
    return rc;
}

static int sync_file(int fd)
{
    while (fsync(fd) != 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static enum err_code local_finish(struct store_file *base, struct err *e)
{
    struct local_file *f = (struct local_file *)base;
    int failed = sync_file(f->fd);
    /* Open, and so locked, until it has its name: nobody may take it for a leftover. */
    enum err_code rc = failed != 0 ? write_error(e, failed, "syncing", f->path) : name_file(f, e);

    local_abandon(base);
    return rc;
}

static enum err_code local_put(struct store *base, const char *location, struct span bytes,
                               struct err *e)
{
    struct store_file *f;

    ERR_TRY(local_create(base, location, &f, e));
    enum err_code rc = local_write(f, bytes, e);

    if (rc != ERR_OK) {
        local_abandon(f);
        return rc;
    }
    return local_finish(f, e);
}

static enum err_code open_read(const char *location, int *fd, const char **path, uint64_t *size,
                               struct err *e)
{
    struct stat st;

    ERR_TRY(location_path(location, path, e));
    *fd = open(*path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return disk_error(e, errno, "reading", *path);
    }
    int failed = fstat(*fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EISDIR;

    if (failed != 0) {
        (void)close(*fd);
        return disk_error(e, failed, "reading", *path);
    }
    *size = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err_code read_rest(int fd, const char *path, uint64_t size, struct buf *out,
                               struct err *e)
{
    /* One byte more than the file should have shows its end at once. */
    size_t step = size < READ_STEP_BYTES ? (size_t)size + 1 : READ_STEP_BYTES;

    for (;;) {
        uint8_t *at = buf_reserve(out, step);

        if (at == NULL && out->failed == ERR_LIMIT && step > 1) {
            out->failed = ERR_OK;
            step = step / 2;
            continue;
        }
        if (at == NULL && out->failed == ERR_LIMIT) {
            /* Full to the brim: fine if that was all. */
            uint8_t more;
            ssize_t n = read(fd, &more, 1);

            if (n == 0) {
                out->failed = ERR_OK;
                return ERR_OK;
            }
        }
        ERR_TRY(buf_check(out, e, path));
        ssize_t n = read(fd, at, step);

        if (n == 0) {
            return ERR_OK;
        }
        if (n < 0 && errno != EINTR) {
            return disk_error(e, errno, "reading", path);
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
}

static enum err_code local_get(struct store *base, const char *location, struct buf *out,
                               struct err *e)
{
    const char *path;
    uint64_t size;
    int fd;

    (void)base;
    ERR_TRY(open_read(location, &fd, &path, &size, e));
    enum err_code rc = read_rest(fd, path, size, out, e);

    (void)close(fd);
    return rc;
}

static enum err_code read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e)
{
    struct local_reader *r = ctx;

    while (len > 0) {
        ssize_t n = pread(r->fd, out, len, (off_t)offset);

        if (n == 0) {
            return err_set(e, ERR_CORRUPT, "reading %s: it ends before byte %llu", r->path,
                           (unsigned long long)(offset + len));
        }
        if (n < 0 && errno != EINTR) {
            return disk_error(e, errno, "reading", r->path);
        }
        if (n > 0) {
            out += n;
            offset += (uint64_t)n;
            len -= (size_t)n;
        }
    }
    return ERR_OK;
}

static void local_close(struct store_reader *base)
{
    struct local_reader *r = (struct local_reader *)base;

    (void)close(r->fd);
    free(r->path);
    free(r);
}

static enum err_code local_open(struct store *base, const char *location, struct store_reader **out,
                                struct byte_source *source, struct err *e)
{
    const char *path;
    uint64_t size;
    int fd;

    ERR_TRY(open_read(location, &fd, &path, &size, e));
    struct local_reader *r = calloc(1, sizeof *r);
    char *copy = str_dup(path);

    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        (void)close(fd);
        return err_nomem(e);
    }
    *r = (struct local_reader){.base.store = base, .fd = fd, .path = copy};
    *source = (struct byte_source){size, read_at, r};
    *out = &r->base;
    return ERR_OK;
}

static enum err_code local_remove(struct store *base, const char *location, struct err *e)
{
    const char *path;

    (void)base;
    ERR_TRY(location_path(location, &path, e));
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR) {
        return disk_error(e, errno, "removing", path);
    }
    return ERR_OK;
}

/* One walk: `name` is the location, `path` its place on disk; both grow and shrink with the depth.
 */
struct walk {
    const char *prefix;
    struct buf name;
    struct buf path;
    store_list_fn *each;
    void *ctx;
    bool temps; /* temporary files instead of objects */
    int depth;
};

static enum err_code walk_folder(struct walk *w, struct err *e);

static enum err_code walk_entry(struct walk *w, bool is_temp, struct err *e)
{
    const char *path = buf_cstr(&w->path);
    const char *name = buf_cstr(&w->name);
    struct stat st;

    if (path == NULL || name == NULL) {
        return err_nomem(e);
    }
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? ERR_OK : disk_error(e, errno, "listing", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return str_starts_with(name, w->prefix) ? walk_folder(w, e) : ERR_OK;
    }
    /* Links to folders are not followed: that could leave the table, or never end. */
    if (is_temp != w->temps || !str_starts_with(name, w->prefix) ||
        (S_ISLNK(st.st_mode) && (stat(path, &st) != 0 || S_ISDIR(st.st_mode)))) {
        return ERR_OK;
    }
    struct store_entry entry = {
        .location = name,
        .size_bytes = (uint64_t)st.st_size,
        .modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    return w->each(w->ctx, &entry, e);
}

static enum err_code walk_names(struct walk *w, DIR *dir, struct err *e)
{
    size_t name_bytes = w->name.len;
    size_t path_bytes = w->path.len;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        errno = 0;
        struct dirent *d = readdir(dir);

        if (d == NULL) {
            return errno != 0 ? disk_error(e, errno, "listing", buf_cstr(&w->path)) : ERR_OK;
        }
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
            continue;
        }
        buf_append_str(&w->name, d->d_name);
        buf_append_str(&w->path, d->d_name);
        rc = walk_entry(w, str_starts_with(d->d_name, TEMP_PREFIX), e);
        w->name.len = name_bytes;
        w->path.len = path_bytes;
    }
    return rc;
}

static enum err_code walk_folder(struct walk *w, struct err *e)
{
    const char *path = buf_cstr(&w->path);

    if (path == NULL) {
        return err_nomem(e);
    }
    if (w->depth == FOLDER_DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, "listing %s: folders lie deeper than %d", path,
                       FOLDER_DEPTH_MAX);
    }
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_OK : disk_error(e, errno, "listing", path);
    }
    if (w->depth > 0) {
        buf_u8(&w->name, '/');
        buf_u8(&w->path, '/');
    }
    w->depth++;
    enum err_code rc = walk_names(w, dir, e);

    w->depth--;
    (void)closedir(dir);
    return rc;
}

static enum err_code walk_prefix(const char *prefix, bool temps, store_list_fn *each, void *ctx,
                                 struct err *e)
{
    const char *path;
    struct walk w = {.prefix = prefix, .each = each, .ctx = ctx, .temps = temps};

    ERR_TRY(location_path(prefix, &path, e));
    /* The walk starts at the last folder that the prefix names in full. */
    size_t tail = strlen(strrchr(path, '/')) - 1;

    buf_append(&w.name, prefix, strlen(prefix) - tail);
    buf_append(&w.path, path, strlen(path) - tail);
    enum err_code rc = walk_folder(&w, e);

    buf_deinit(&w.name);
    buf_deinit(&w.path);
    return rc;
}

static enum err_code local_list(struct store *base, const char *prefix, store_list_fn *each,
                                void *ctx, struct err *e)
{
    (void)base;
    return walk_prefix(prefix, false, each, ctx, e);
}

/* Removes a temporary file whose writer is gone: a living one holds the lock. */
static enum err_code sweep_temp(void *ctx, const struct store_entry *entry, struct err *e)
{
    uint32_t *removed = ctx;
    const char *path;

    ERR_TRY(location_path(entry->location, &path, e));
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : disk_error(e, errno, "sweeping", path);
    }
    int failed = 0;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (unlink(path) == 0) {
            (*removed)++;
        } else if (errno != ENOENT) {
            failed = errno;
        }
    }
    (void)close(fd);
    return failed != 0 ? disk_error(e, failed, "sweeping", path) : ERR_OK;
}

static enum err_code local_sweep(struct store *base, const char *prefix, uint32_t *removed,
                                 struct err *e)
{
    (void)base;
    *removed = 0;
    return walk_prefix(prefix, true, sweep_temp, removed, e);
}

static void local_free(struct store *base)
{
    struct local_store *s = (struct local_store *)base;

    for (unsigned i = 0; i < s->synced_count; i++) {
        free(s->synced[i]);
    }
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

static const struct store_ops local_ops = {
    .put = local_put,
    .get = local_get,
    .create = local_create,
    .write = local_write,
    .finish = local_finish,
    .abandon = local_abandon,
    .open = local_open,
    .close = local_close,
    .remove = local_remove,
    .list = local_list,
    .sweep = local_sweep,
    .free = local_free,
};

enum err_code store_local_new(struct store **out, struct err *e)
{
    struct local_store *s = calloc(1, sizeof *s);

    if (s == NULL || pthread_mutex_init(&s->mutex, NULL) != 0) {
        free(s);
        return err_nomem(e);
    }
    s->base.ops = &local_ops;
    *out = &s->base;
    return ERR_OK;
}
