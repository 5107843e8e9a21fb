/*
 * inspect_table.c - an Iceberg table: by its name in the catalog, its metadata file or its folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/inspect_table_int.h"
#include "app/lake.h"
#include "app/output.h"
#include "codec/compress.h"
#include "codec/json_writer.h"

#define METADATA_BYTES_MAX ((size_t)256 << 20)
#define METADATA_SUFFIX    ".metadata.json"
#define NAME_BYTES_MAX     256u

/* The number in the name of "00003-….metadata.json" or "v3.metadata.json"; -1: it has none. */
static int64_t metadata_version(const char *name)
{
    const char *digits = name[0] == 'v' ? name + 1 : name;
    uint64_t version;

    if (!str_ends_with(name, METADATA_SUFFIX) ||
        !str_to_u64(span_of(digits, strspn(digits, "0123456789")), &version) ||
        version > INT64_MAX) {
        return -1;
    }
    return (int64_t)version;
}

struct newest {
    char *path;
    int64_t version;
    struct timespec modified;
};

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static enum err_code take_newer(struct newest *best, const char *folder, const char *name,
                                struct err *e)
{
    int64_t version = metadata_version(name);
    struct stat st;

    if (version < 0 || version < best->version) {
        return ERR_OK;
    }
    char *path = str_format("%s/%s", folder, name);

    if (path == NULL) {
        return err_nomem(e);
    }
    if (stat(path, &st) != 0 ||
        (version == best->version && is_older(&st.st_mtim, &best->modified))) {
        free(path);
        return ERR_OK;
    }
    free(best->path);
    *best = (struct newest){path, version, st.st_mtim};
    return ERR_OK;
}

/* Looks at the files of one folder; one that is not there has none. */
static enum err_code look_into(struct newest *best, const char *folder, struct err *e)
{
    DIR *dir = opendir(folder);
    enum err_code rc = ERR_OK;

    if (dir == NULL) {
        return errno == ENOENT ? ERR_OK : err_set_os(e, ERR_IO, errno, "opening %s", folder);
    }
    for (const struct dirent *d = readdir(dir); d != NULL && rc == ERR_OK; d = readdir(dir)) {
        rc = take_newer(best, folder, d->d_name, e);
    }
    (void)closedir(dir);
    return rc;
}

/*
 * The newest metadata file of a table's folder. Without a catalog nobody knows which is current: a
 * writer that lost may have left a second one of the same number, so of those the younger counts.
 */
static enum err_code find_newest(const char *folder, char **path, struct err *e)
{
    struct newest best = {.version = -1};
    char *metadata = str_format("%s/metadata", folder);
    enum err_code rc = metadata == NULL ? err_nomem(e) : look_into(&best, metadata, e);

    free(metadata);
    if (rc == ERR_OK && best.path == NULL) {
        rc = look_into(&best, folder, e);
    }
    if (rc == ERR_OK && best.path == NULL) {
        rc = err_set(e, ERR_NOT_FOUND,
                     "it is no table's folder: neither it nor metadata in it has a file "
                     "…" METADATA_SUFFIX);
    }
    if (rc != ERR_OK) {
        free(best.path);
        return rc;
    }
    *path = best.path;
    return ERR_OK;
}

static enum err_code read_metadata(struct inspected_table *t, struct err *e)
{
    struct buf bytes;
    struct buf plain;

    buf_init(&bytes, METADATA_BYTES_MAX);
    buf_init(&plain, METADATA_BYTES_MAX);
    enum err_code rc = store_get(t->lake.store, t->metadata_location, &bytes, e);
    struct span json = buf_span(&bytes);

    if (rc == ERR_OK && json.len >= 2 && json.data[0] == 0x1f && json.data[1] == 0x8b) {
        rc = gzip_decompress(json, &plain, e);
        json = buf_span(&plain);
    }
    if (rc == ERR_OK) {
        rc = iceberg_metadata_parse(json, &t->metadata, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "%s", t->metadata_location);
    }
    buf_deinit(&bytes);
    buf_deinit(&plain);
    return rc;
}

static enum err_code load_path(struct inspected_table *t, struct err *e)
{
    char *location = NULL;
    struct stat st;
    enum err_code rc = store_local_new(&t->lake.store, e);

    if (rc == ERR_OK) {
        rc = inspect_location(t->what, &location, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    const char *path =
        str_starts_with(location, "file://") ? location + strlen("file://") : location;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = find_newest(path, &t->metadata_location, e);
        free(location);
    } else {
        t->metadata_location = location;
    }
    return rc == ERR_OK ? read_metadata(t, e) : err_wrap(e, "%s", t->what);
}

static enum err_code load_named(struct inspected_table *t, const struct config *c, struct log *log,
                                struct err *e)
{
    const char *dot = strchr(t->what, '.');
    char ns[NAME_BYTES_MAX];
    struct catalog_table table = {0};

    if (dot == NULL || dot == t->what || dot[1] == '\0' || (size_t)(dot - t->what) >= sizeof ns) {
        return err_set(e, ERR_CONFIG,
                       "calve inspect table: '%.200s' is neither SCHEMA.TABLE nor the path of a "
                       "table's folder or metadata file",
                       t->what);
    }
    (void)snprintf(ns, sizeof ns, "%.*s", (int)(dot - t->what), t->what);
    ERR_TRY(config_require(c, CONFIG_NEED_LAKE, e));
    enum err_code rc = lake_open_existing(c, log, &t->lake, e);

    if (rc == ERR_OK) {
        rc = catalog_load(t->lake.catalog, (struct table_ident){ns, dot + 1}, &table, e);
    }
    t->metadata = table.metadata;
    t->metadata_location = table.metadata_location;
    return rc;
}

static bool is_on_s3(const char *what)
{
    return str_starts_with(what, "s3://") || str_starts_with(what, "s3a://") ||
           str_starts_with(what, "s3n://");
}

/* A metadata file by its location; how to get there is in the settings. */
static enum err_code load_object(struct inspected_table *t, const struct config *c, struct log *log,
                                 struct err *e)
{
    t->metadata_location = str_dup(t->what);
    if (t->metadata_location == NULL) {
        return err_nomem(e);
    }
    ERR_TRY(lake_open_store(c, log, &t->lake, e));
    return read_metadata(t, e);
}

/* A name has no slash; a file or folder of the working folder may look like one. */
static bool is_path(const char *what)
{
    struct stat st;

    return strchr(what, '/') != NULL || str_ends_with(what, ".json") || stat(what, &st) == 0;
}

static enum err_code make_doc(struct inspected_table *t, struct err *e)
{
    struct buf text;

    buf_init(&text, METADATA_BYTES_MAX);
    enum err_code rc = iceberg_metadata_print(t->metadata, &text, e);

    if (rc == ERR_OK) {
        t->doc = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, NULL);
        rc = t->doc == NULL ? err_nomem(e) : ERR_OK;
    }
    buf_deinit(&text);
    return rc;
}

static enum err_code show(struct inspected_table *t, struct err *e)
{
    struct inspected_columns columns;
    enum err_code rc = inspect_columns_load(t->doc, &columns, e);

    if (rc == ERR_OK && t->json) {
        buf_append_str(&t->out, "{\"metadata_location\":");
        json_put_string(&t->out, span_str(t->metadata_location));
        rc = inspect_metadata_json(t, e);
    } else if (rc == ERR_OK) {
        rc = inspect_metadata_text(t, &columns, e);
    }
    if (rc == ERR_OK) {
        rc = inspect_manifests(t, &columns, e);
    }
    if (rc == ERR_OK && t->json) {
        buf_append_str(&t->out, "}\n");
    }
    inspect_columns_deinit(&columns);
    return rc;
}

enum err_code inspect_table(const char *what, const struct config *c,
                            const struct command_args *args, struct log *log, struct err *e)
{
    struct inspected_table t = {.what = what, .json = args->json};
    enum err_code rc = is_on_s3(what)  ? load_object(&t, c, log, e)
                       : is_path(what) ? load_path(&t, e)
                                       : load_named(&t, c, log, e);

    if (rc == ERR_OK) {
        rc = make_doc(&t, e);
    }
    if (rc == ERR_OK) {
        rc = show(&t, e);
    }
    /* What was read before a failure is shown too. */
    enum err_code flushed = output_flush(&t.out, rc == ERR_OK ? e : NULL);

    json_decref(t.doc);
    iceberg_metadata_free(t.metadata);
    free(t.metadata_location);
    lake_close(&t.lake);
    buf_deinit(&t.out);
    return rc == ERR_OK ? flushed : rc;
}
