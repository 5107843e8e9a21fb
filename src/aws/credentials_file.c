#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/credentials_int.h"
#include "base/rand.h"

#define TOKEN_BYTES_MAX ((size_t)32 << 10)

const char *credentials_variable(const struct credentials_context *c, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; c->environment != NULL && c->environment[i] != NULL; i++) {
        const char *entry = c->environment[i];

        if (strncmp(entry, name, len) == 0 && entry[len] == '=') {
            return entry[len + 1] == '\0' ? NULL : entry + len + 1;
        }
    }
    return NULL;
}

enum err_code credentials_path(const struct credentials_context *c, const char *path, char **out,
                               struct err *e)
{
    const char *home = credentials_variable(c, "HOME");

    if (path[0] != '~' || path[1] != '/') {
        *out = str_dup(path);
    } else if (home == NULL) {
        return err_set(e, ERR_CONFIG, "%s cannot be found, as HOME is not set", path);
    } else {
        *out = str_format("%s%s", home, path + 1);
    }
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

void credentials_wipe(struct buf *b)
{
    if (b->data != NULL) {
        OPENSSL_cleanse(b->data, b->cap);
    }
    buf_deinit(b);
}

/* ---- reading ---- */

static enum err_code read_all(int fd, const char *path, size_t bytes_max, struct buf *out,
                              struct err *e)
{
    struct stat st;
    size_t room = 4096;

    /* Room for all of it at once, so that no copy of a secret is left behind by a buffer that
     * grows. */
    if (fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size < bytes_max) {
        room += (size_t)st.st_size;
    }
    for (;;) {
        uint8_t *to = buf_reserve(out, room);

        if (to == NULL) {
            return buf_check(out, e, path);
        }
        ssize_t got = read(fd, to, room);

        if (got < 0 && errno != EINTR) {
            return err_set_os(e, ERR_CONFIG, errno, "reading %s", path);
        }
        if (got == 0) {
            return ERR_OK;
        }
        out->len += got > 0 ? (size_t)got : 0;
        room -= got > 0 ? (size_t)got : 0;
        if (room == 0) {
            room = 4096;
        }
        if (out->len > bytes_max) {
            return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
        }
    }
}

enum err_code credentials_read_file(const char *path, size_t bytes_max, struct buf *out,
                                    bool *missing, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (missing != NULL) {
        *missing = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
        if (*missing) {
            return ERR_OK;
        }
    }
    if (fd < 0) {
        return err_set_os(e, ERR_CONFIG, errno, "reading %s", path);
    }
    enum err_code rc = read_all(fd, path, bytes_max, out, e);

    (void)close(fd);
    return rc;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum err_code credentials_read_token(const char *path, struct buf *out, struct err *e)
{
    ERR_TRY(credentials_read_file(path, TOKEN_BYTES_MAX, out, NULL, e));
    while (out->len > 0 && is_blank(out->data[out->len - 1])) {
        out->len--;
    }
    if (out->len == 0) {
        return err_set(e, ERR_CONFIG, "%s is empty: expected a token", path);
    }
    for (size_t i = 0; i < out->len; i++) {
        if (out->data[i] <= ' ' || out->data[i] >= 0x7f) {
            return err_set(e, ERR_CONFIG,
                           "%s holds no token: there is a blank, a line end or a "
                           "strange character in it",
                           path);
        }
    }
    return buf_cstr(out) == NULL ? buf_check(out, e, path) : ERR_OK;
}

/* ---- writing ---- */

/* 0 or an errno. */
static int write_whole(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
        }
    }
    return fsync(fd) == 0 ? 0 : errno;
}

enum err_code credentials_replace_file(const char *path, struct span bytes, struct err *e)
{
    struct rand rand;

    rand_init(&rand);
    char *temp = str_format("%s.%016llx", path, (unsigned long long)rand_u64(&rand));
    int fd = temp == NULL ? -1 : open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int failed = fd < 0 ? errno : write_whole(fd, bytes);

    if (temp == NULL) {
        return err_nomem(e);
    }
    if (fd >= 0) {
        if (close(fd) != 0 && failed == 0) {
            failed = errno;
        }
        if (failed == 0 && rename(temp, path) != 0) {
            failed = errno;
        }
        if (failed != 0) {
            (void)unlink(temp);
        }
    }
    free(temp);
    return failed == 0 ? ERR_OK : err_set_os(e, ERR_IO, failed, "writing %s", path);
}
