/*
 * glue_managed.c - tables of S3 Tables, reached through Glue's catalog <account>:s3tablescatalog/
 * <bucket>.
 *
 * S3 Tables chooses the place of a table's files and tells it only once there is a table, so the
 * metadata comes without a location:
 *
 *   CreateTable   Parameters {"format": "ICEBERG"} and nothing else
 *   GetTable      StorageDescriptor.Location: the place
 *   (the first metadata file is written there)
 *   UpdateTable   as for any commit, under the VersionId that GetTable gave
 *
 * A process that dies in between leaves a table without metadata. It counts as not there, and the
 * next one who creates it goes on from where it is: nothing is ever removed, as it may be in the
 * hands of another process.
 */
#include <stdlib.h>

#include "catalog/glue_int.h"

enum err_code glue_managed_unfinished(const struct glue_name *name, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "the table %s is there, but has no metadata yet", name->full);
}

static enum err_code make_place(struct glue_catalog *c, const struct glue_name *name, struct err *e)
{
    json_t *body = glue_body(c);
    json_t *input =
        json_pack("{s:s, s:{s:s}}", "Name", name->table, "Parameters", "format", "ICEBERG");

    if (json_object_set_new(body, "DatabaseName", json_string(name->database)) != 0 ||
        json_object_set_new(body, "TableInput", input) != 0) {
        json_decref(body);
        return err_nomem(e);
    }
    /* Twice is as good as once: the second time it is there. */
    const struct glue_request request = {"CreateTable", name->full, body, true};
    enum err_code rc = glue_send(c, &request, NULL, NULL, e);

    return rc == ERR_EXISTS ? ERR_OK : rc;
}

/* The same document with another location. */
static enum err_code move_metadata(const struct iceberg_metadata *metadata, const char *location,
                                   struct iceberg_metadata **out, struct err *e)
{
    json_t *document = json_object();
    char *text = NULL;

    if (json_object_update(document, (json_t *)(uintptr_t)iceberg_metadata_document(metadata)) ==
            0 &&
        json_object_set_new(document, "location", json_string(location)) == 0) {
        text = json_dumps(document, JSON_COMPACT);
    }
    enum err_code rc = text == NULL ? err_nomem(e) : iceberg_metadata_parse(span_str(text), out, e);

    free(text);
    json_decref(document);
    return rc;
}

static enum err_code fill_place(struct glue_catalog *c, const struct glue_name *name,
                                const struct glue_table *now,
                                const struct iceberg_metadata *metadata, char **location,
                                struct err *e)
{
    const char *place = json_string_value(
        json_object_get(json_object_get(now->json, "StorageDescriptor"), "Location"));
    struct iceberg_metadata *moved = NULL;

    if (now->metadata_location != NULL) {
        return err_set(e, ERR_EXISTS, "there is a table %s already", name->full);
    }
    if (place == NULL || place[0] == '\0') {
        return err_set(e, ERR_UNSUPPORTED,
                       "the catalog does not say where the files of %s are to be: is glue.id an S3 "
                       "Tables catalog?",
                       name->full);
    }
    ERR_TRY(move_metadata(metadata, place, &moved, e));
    enum err_code rc = metadata_file_write(&c->base, c->base.store, moved, NULL, location, e);

    if (rc == ERR_OK) {
        rc = glue_update(c, now,
                         &(struct glue_table_next){
                             .name = name,
                             .metadata = moved,
                             .metadata_location = *location,
                         },
                         e);
    }
    iceberg_metadata_free(moved);
    return rc;
}

enum err_code glue_managed_create(struct glue_catalog *c, const struct glue_name *name,
                                  const struct iceberg_metadata *metadata, char **location,
                                  struct err *e)
{
    struct glue_table now = {0};

    const char *wanted = iceberg_metadata_location(metadata);

    if (wanted[0] != '\0') {
        return err_set(e, ERR_CONFIG,
                       "the catalog %s is of S3 Tables, which chooses where the files of %s are, "
                       "and they were to be at %s: leave warehouse and S3_BUCKET unset, or set "
                       "glue.id to another catalog",
                       c->catalog_id, name->full, wanted);
    }
    ERR_TRY(make_place(c, name, e));
    ERR_TRY(glue_table_get(c, name, &now, e));
    enum err_code rc = fill_place(c, name, &now, metadata, location, e);

    glue_table_deinit(&now);
    return rc;
}
