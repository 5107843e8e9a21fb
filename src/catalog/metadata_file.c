/* metadata_file.c - one version of a table's metadata as an object of the store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "codec/compress.h"

/* A hundred times what thousands of snapshots need; a wrong file must not eat the memory. */
#define METADATA_BYTES_MAX ((size_t)256 << 20)

/* How often a load follows a table whose metadata file is removed before it could be read. */
#define LOAD_TRIES 8

static bool is_gzip(struct span bytes)
{
    return bytes.len >= 2 && bytes.data[0] == 0x1f && bytes.data[1] == 0x8b;
}

enum err_code metadata_file_read(struct store *store, const char *location,
                                 struct iceberg_metadata **out, struct err *e)
{
    struct buf bytes;
    struct buf plain;

    buf_init(&bytes, METADATA_BYTES_MAX);
    buf_init(&plain, METADATA_BYTES_MAX);
    enum err_code rc = store_get(store, location, &bytes, e);

    if (rc != ERR_OK) {
        goto done;
    }
    struct span json = buf_span(&bytes);

    if (is_gzip(json)) {
        rc = gzip_decompress(json, &plain, e);
        json = buf_span(&plain);
    }
    if (rc == ERR_OK) {
        rc = iceberg_metadata_parse(json, out, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "%s", location);
    }
done:
    buf_deinit(&bytes);
    buf_deinit(&plain);
    return rc;
}

static enum err_code follow(struct store *store, const struct metadata_pointer *pointer,
                            struct table_ident id, char **last, struct catalog_table *out,
                            struct err *e)
{
    for (int i = 0; i < LOAD_TRIES; i++) {
        char *location = NULL;

        ERR_TRY(pointer->find(pointer->ctx, id, &location, e));
        enum err_code rc = metadata_file_read(store, location, &out->metadata, e);

        if (rc == ERR_OK) {
            out->metadata_location = location;
            return ERR_OK;
        }
        bool same = *last != NULL && strcmp(*last, location) == 0;

        free(*last);
        *last = location;
        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
        if (same) {
            return err_set(e, ERR_CORRUPT,
                           "the catalog %s names %s for %s.%s, and there is no such file: bring it "
                           "back, or drop the table from the catalog",
                           pointer->catalog, location, id.ns, id.name);
        }
    }
    return err_set_retryable(e, ERR_IO, "%s.%s changes faster than it can be read", id.ns, id.name);
}

enum err_code metadata_file_follow(struct store *store, const struct metadata_pointer *pointer,
                                   struct table_ident id, struct catalog_table *out, struct err *e)
{
    char *last = NULL;
    enum err_code rc = follow(store, pointer, id, &last, out, e);

    free(last);
    return rc;
}

/* The digits in front of the first '-' of the file's name, plus one; 0 when there are none. */
static uint64_t next_version(const char *base_location)
{
    uint64_t version;

    if (base_location == NULL) {
        return 0;
    }
    const char *slash = strrchr(base_location, '/');
    const char *name = slash == NULL ? base_location : slash + 1;

    if (!str_to_u64(span_of(name, strcspn(name, "-")), &version) || version >= UINT32_MAX) {
        return 0;
    }
    return version + 1;
}

enum err_code metadata_file_write(struct catalog *c, struct store *store,
                                  const struct iceberg_metadata *m, const char *base_location,
                                  char **location, struct err *e)
{
    struct buf json;
    char uuid[UUID_TEXT_BYTES];
    char *folder = iceberg_metadata_folder(m);
    char *name = NULL;

    buf_init(&json, METADATA_BYTES_MAX);
    rand_uuid(&c->rand, uuid);
    if (folder != NULL) {
        name = str_format("%s/%05llu-%s.metadata.json", folder,
                          (unsigned long long)next_version(base_location), uuid);
    }
    enum err_code rc = name == NULL ? err_nomem(e) : iceberg_metadata_print(m, &json, e);

    if (rc == ERR_OK) {
        rc = store_put(store, name, buf_span(&json), e);
    }
    if (rc == ERR_OK) {
        *location = name;
        name = NULL;
    }
    free(name);
    free(folder);
    buf_deinit(&json);
    return rc;
}

void metadata_file_drop(struct catalog *c, const char *location)
{
    struct err why = {0};

    if (store_remove(c->store, location, &why) != ERR_OK) {
        log_warn(c->log, "metadata.left", LOG_STR("file", location), LOG_STR("reason", why.msg));
    }
}

void table_ident_print(struct table_ident id, char out[TABLE_NAME_BYTES])
{
    (void)snprintf(out, TABLE_NAME_BYTES, "%s.%s", id.ns, id.name);
}
