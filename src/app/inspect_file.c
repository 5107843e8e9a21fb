/*
 * inspect_file.c - reading a file that the user names, and showing text from outside.
 */
#include <errno.h>
#include <stdlib.h>

#include "app/inspect_int.h"
#include "codec/json_writer.h"
#include "storage/store.h"

enum err_code inspect_location(const char *path, char **location, struct err *e)
{
    if (strncmp(path, "file:", 5) == 0) {
        *location = str_dup(path);
        return *location == NULL ? err_nomem(e) : ERR_OK;
    }
    if (strstr(path, "://") != NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "'%s' is not on local disk: S3 and other stores come in a later version",
                       path);
    }
    *location = realpath(path, NULL);
    if (*location == NULL) {
        return err_set_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "opening %s", path);
    }
    return ERR_OK;
}

enum err_code inspect_read_file(const char *path, struct buf *out, struct err *e)
{
    struct store *store = NULL;
    char *location = NULL;
    enum err_code rc = store_local_new(&store, e);

    if (rc == ERR_OK) {
        rc = inspect_location(path, &location, e);
    }
    if (rc == ERR_OK) {
        rc = store_get(store, location, out, e);
    }
    free(location);
    store_free(store);
    return rc;
}

void inspect_put_plain(struct buf *out, const char *text)
{
    bool plain = text[0] != '\0';

    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        plain = plain && c > 0x20 && c < 0x7f && c != '"' && c != '\\';
    }
    if (plain) {
        buf_append_str(out, text);
    } else {
        json_put_string(out, span_str(text));
    }
}
