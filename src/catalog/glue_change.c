/*
 * glue_change.c - requests that change a table, and what became of them.
 *
 * A refusal is not taken for the last word when Glue may have seen the request: on its way through
 * a proxy a request can arrive twice, and the second one is refused because of the first. Only when
 * the table shows that our metadata file is not in it was nothing done.
 */
#include "catalog/glue_int.h"

/* Whether the file is the table's current one, or has been. */
static enum err_code has_file(struct glue_catalog *c, const struct glue_name *name,
                              const char *location, bool *out, struct err *e)
{
    struct glue_table table = {0};
    struct iceberg_metadata *metadata = NULL;
    enum err_code rc = glue_table_get(c, name, &table, e);

    *out = false;
    if (rc == ERR_OK && table.metadata_location != NULL) {
        *out = strcmp(table.metadata_location, location) == 0;
        if (!*out) {
            rc = metadata_file_read(c->base.store, table.metadata_location, &metadata, e);
        }
        if (metadata != NULL) {
            *out = iceberg_metadata_was_at(metadata, location);
            iceberg_metadata_free(metadata);
        }
    } else if (rc == ERR_NOT_FOUND) {
        rc = ERR_OK;
    }
    glue_table_deinit(&table);
    return rc;
}

/* *e says why a request that wanted to make `location` current was refused. */
static enum err_code settle_refusal(struct glue_catalog *c, const struct glue_name *name,
                                    const struct glue_refusal *refusal, const char *location,
                                    struct err *e)
{
    struct err refused = *e;
    struct err why = {0};
    bool there;

    if (refused.code == ERR_UNKNOWN || !refusal->reached) {
        return refused.code;
    }
    if (has_file(c, name, location, &there, &why) != ERR_OK) {
        return err_set(e, ERR_UNKNOWN, "%s; and a look at what became of it failed: %s",
                       refused.msg, why.msg);
    }
    return there ? ERR_OK : refused.code;
}

static enum err_code send_change(struct glue_catalog *c, const char *action,
                                 const struct glue_table_next *next, const char *version_id,
                                 struct glue_refusal *refusal, struct err *e)
{
    json_t *body = glue_body(c);
    bool ok = json_object_set_new(body, "DatabaseName", json_string(next->name->database)) == 0 &&
              json_object_set_new(body, "TableInput", glue_table_input(next)) == 0;

    if (ok && version_id != NULL) {
        ok = json_object_set_new(body, "VersionId", json_string(version_id)) == 0 &&
             json_object_set_new(body, "SkipArchive", json_boolean(!c->keep_versions)) == 0;
    }
    if (!ok) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {action, next->name->full, body, false};

    return glue_send(c, &request, NULL, refusal, e);
}

static enum err_code change(struct glue_catalog *c, const char *action,
                            const struct glue_table_next *next, const char *version_id,
                            struct err *e)
{
    struct glue_refusal refusal = {0};
    struct err why = {0};
    enum err_code rc = send_change(c, action, next, version_id, &refusal, &why);

    if (rc != ERR_OK) {
        rc = settle_refusal(c, next->name, &refusal, next->metadata_location, &why);
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

enum err_code glue_insert(struct glue_catalog *c, const struct glue_table_next *next, struct err *e)
{
    return change(c, "CreateTable", next, NULL, e);
}

enum err_code glue_update(struct glue_catalog *c, const struct glue_table *now,
                          const struct glue_table_next *next, struct err *e)
{
    struct glue_table_next after = *next;

    if (now->version_id == NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the catalog gives no VersionId for %s, without which two writers could "
                       "undo each other's commits: look at glue.endpoint",
                       next->name->full);
    }
    after.existing = now->json;
    return change(c, "UpdateTable", &after, now->version_id, e);
}
