/*
 * glue_table.c - a table as Glue has it, and as it is to become.
 *
 *   GetTable gives a Table, CreateTable and UpdateTable take a TableInput, which has fewer members:
 *   those that Glue counts itself (VersionId, CreateTime, CatalogId, ...) are refused there.
 *
 *   Parameters          table_type=ICEBERG, metadata_location, previous_metadata_location, and
 *                       whatever others keep there
 *   StorageDescriptor   Location, Columns, AdditionalLocations, for people and for permissions:
 *                       engines read the metadata file
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/glue_int.h"

#define DESCRIPTION_UNITS_MAX 2048

void glue_table_deinit(struct glue_table *t)
{
    json_decref(t->answer);
    *t = (struct glue_table){0};
}

const char *glue_table_parameter(const json_t *table, const char *key)
{
    return json_string_value(json_object_get(json_object_get(table, "Parameters"), key));
}

bool glue_table_is_iceberg(const json_t *table)
{
    const char *type = glue_table_parameter(table, GLUE_TABLE_TYPE);

    return type != NULL && str_ieq(type, "ICEBERG");
}

enum err_code glue_table_take(json_t *answer, struct glue_table *out, struct err *e)
{
    json_t *table = json_object_get(answer, "Table");

    *out = (struct glue_table){.answer = answer};
    if (!json_is_object(table)) {
        glue_table_deinit(out);
        return err_set(e, ERR_CORRUPT, "Glue's answer has no table in it: look at glue.endpoint");
    }
    const char *version = json_string_value(json_object_get(table, "VersionId"));

    out->json = table;
    out->metadata_location = glue_table_parameter(table, GLUE_LOCATION);
    out->version_id = version == NULL || version[0] == '\0' ? NULL : version;
    return ERR_OK;
}

enum err_code glue_table_get(struct glue_catalog *c, const struct glue_name *name,
                             struct glue_table *out, struct err *e)
{
    json_t *body = glue_body(c);
    json_t *answer = NULL;

    if (json_object_set_new(body, "DatabaseName", json_string(name->database)) != 0 ||
        json_object_set_new(body, "Name", json_string(name->table)) != 0) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {"GetTable", name->full, body, true};

    ERR_TRY(glue_send(c, &request, &answer, NULL, e));
    enum err_code rc = glue_table_take(answer, out, e);

    if (rc != ERR_OK) {
        err_wrap(e, "GetTable %s", name->full);
    }
    return rc;
}

static enum err_code refuse_kind(const json_t *table, const struct glue_name *name, struct err *e)
{
    const char *type = glue_table_parameter(table, GLUE_TABLE_TYPE);
    const json_t *target = json_object_get(table, "TargetTable");

    if (json_is_object(target)) {
        const char *database = json_string_value(json_object_get(target, "DatabaseName"));
        const char *other = json_string_value(json_object_get(target, "Name"));
        const char *catalog = json_string_value(json_object_get(target, "CatalogId"));

        return err_set(e, ERR_CONFIG,
                       "the Glue table %s is only a link to %s.%s of catalog %s: set glue.id to "
                       "that catalog, or remove the link",
                       name->full, database == NULL ? "?" : database, other == NULL ? "?" : other,
                       catalog == NULL ? "?" : catalog);
    }
    return err_set(e, ERR_CONFIG,
                   "the Glue table %s is no Iceberg table (its parameter table_type is %s%s%s): it "
                   "is in the way of the one that belongs there. Rename or drop it, or leave "
                   "%s.%s out by exclude-table",
                   name->full, type == NULL ? "missing" : "'", type == NULL ? "" : type,
                   type == NULL ? "" : "'", name->source.ns, name->source.name);
}

/* Glue does not tell Shop.Orders from shop.orders; whose table it is its parameters say. */
static enum err_code check_source(const json_t *table, const struct glue_name *name, struct err *e)
{
    const char *schema = glue_table_parameter(table, GLUE_SOURCE_SCHEMA);
    const char *own = glue_table_parameter(table, GLUE_SOURCE_TABLE);

    if (schema == NULL || own == NULL ||
        (strcmp(schema, name->source.ns) == 0 && strcmp(own, name->source.name) == 0)) {
        return ERR_OK;
    }
    return err_set(e, ERR_CONFIG,
                   "the Glue table %s was made for %s.%s, and Glue, whose names are in lower case, "
                   "cannot have another for %s.%s: leave one of the two out by exclude-table. If "
                   "they are the same table, set its parameters " GLUE_SOURCE_SCHEMA
                   " and " GLUE_SOURCE_TABLE " in Glue to the new name",
                   name->full, schema, own, name->source.ns, name->source.name);
}

enum err_code glue_table_check(const struct glue_table *t, const struct glue_name *name,
                               struct err *e)
{
    if (!glue_table_is_iceberg(t->json)) {
        return refuse_kind(t->json, name, e);
    }
    if (t->metadata_location == NULL) {
        return err_set(e, ERR_CORRUPT,
                       "the Glue table %s is an Iceberg table without parameter " GLUE_LOCATION
                       ": its creation did not come to its end. Drop it, or wait for the one who "
                       "creates it",
                       name->full);
    }
    return check_source(t->json, name, e);
}

/* ---- TableInput ---- */

json_t *glue_text(const char *text, size_t max, bool lines)
{
    struct buf out = {0};
    size_t units = 0;

    for (const char *p = text; *p != '\0';) {
        size_t len = str_utf8_char(span_str(p));
        bool line = *p == '\n' || *p == '\r';
        bool control = (uint8_t)*p < 0x20 && *p != '\t' && !(lines && line);

        units += len == 4 ? 2 : 1;
        if (len == 0 || units > max) {
            break;
        }
        buf_append(&out, control ? " " : p, len);
        p += len;
    }
    const char *clean = buf_cstr(&out);
    json_t *json = clean == NULL ? NULL : json_stringn(clean, out.len);

    buf_deinit(&out);
    return json;
}

/* Copies what TableInput has of a Table and Glue does not count itself. */
static json_t *kept_of(const json_t *existing)
{
    static const char *const members[] = {
        "Description", "Owner",         "LastAccessTime",   "LastAnalyzedTime",
        "Retention",   "PartitionKeys", "ViewOriginalText", "ViewExpandedText",
        "TableType",   "TargetTable",
    };
    json_t *input = json_object();

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *value = json_object_get(existing, members[i]);

        if (value != NULL && !json_is_null(value) &&
            json_object_set(input, members[i], value) != 0) {
            json_decref(input);
            return NULL;
        }
    }
    return input;
}

/* A copy that may be changed; an empty object for what is no object. */
static json_t *copy_object(json_t *object)
{
    return json_is_object(object) ? json_copy(object) : json_object();
}

static json_t *parameters(const struct glue_table_next *next)
{
    json_t *p = copy_object(json_object_get(next->existing, "Parameters"));
    bool ok = json_object_set_new(p, GLUE_TABLE_TYPE, json_string("ICEBERG")) == 0 &&
              json_object_set_new(p, GLUE_LOCATION, json_string(next->metadata_location)) == 0;

    if (next->previous_location != NULL) {
        ok = ok && json_object_set_new(p, GLUE_PREVIOUS_LOCATION,
                                       json_string(next->previous_location)) == 0;
    } else {
        ok = ok &&
             json_object_set_new(p, GLUE_SOURCE_SCHEMA, json_string(next->name->source.ns)) == 0 &&
             json_object_set_new(p, GLUE_SOURCE_TABLE, json_string(next->name->source.name)) == 0;
    }
    if (!ok) {
        json_decref(p);
        return NULL;
    }
    return p;
}

/* Where files of the table are beside its location: Lake Formation asks for them. */
static json_t *additional_locations(const struct iceberg_metadata *metadata)
{
    static const char *const properties[] = {
        "write.data.path",
        "write.metadata.path",
        "write.object-storage.path",
        "write.folder-storage.path",
    };
    json_t *locations = json_array();

    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        const char *path = iceberg_metadata_property(metadata, properties[i]);

        if (path != NULL && json_array_append_new(locations, json_string(path)) != 0) {
            json_decref(locations);
            return NULL;
        }
    }
    return locations;
}

static json_t *storage_descriptor(const struct glue_table_next *next)
{
    json_t *existing = json_object_get(next->existing, "StorageDescriptor");
    json_t *sd = copy_object(existing);
    json_t *more = additional_locations(next->metadata);
    bool ok =
        more != NULL &&
        json_object_set_new(sd, "Location",
                            json_string(iceberg_metadata_location(next->metadata))) == 0 &&
        json_object_set_new(
            sd, "Columns", glue_columns(next->metadata, json_object_get(existing, "Columns"))) == 0;

    if (ok && json_array_size(more) > 0) {
        ok = json_object_set(sd, "AdditionalLocations", more) == 0;
    }
    json_decref(more);
    if (!ok) {
        json_decref(sd);
        return NULL;
    }
    return sd;
}

json_t *glue_table_input(const struct glue_table_next *next)
{
    const char *comment = iceberg_metadata_property(next->metadata, "comment");
    json_t *input = kept_of(next->existing);
    bool ok = json_object_set_new(input, "Name", json_string(next->name->table)) == 0 &&
              json_object_set_new(input, "TableType", json_string("EXTERNAL_TABLE")) == 0 &&
              json_object_set_new(input, "Parameters", parameters(next)) == 0 &&
              json_object_set_new(input, "StorageDescriptor", storage_descriptor(next)) == 0;

    if (ok && comment != NULL) {
        ok = json_object_set_new(input, "Description",
                                 glue_text(comment, DESCRIPTION_UNITS_MAX, true)) == 0;
    }
    if (!ok) {
        json_decref(input);
        return NULL;
    }
    return input;
}

/* ---- pages of tables ---- */

static enum err_code add_name(const json_t *table, const char *ns, struct locations *names,
                              struct err *e)
{
    const char *name = json_string_value(json_object_get(table, "Name"));
    const char *schema = glue_table_parameter(table, GLUE_SOURCE_SCHEMA);
    const char *own = glue_table_parameter(table, GLUE_SOURCE_TABLE);

    if (name == NULL || name[0] == '\0') {
        return err_set(e, ERR_CORRUPT, "Glue's answer has a table without a name");
    }
    if (!glue_table_is_iceberg(table)) {
        return ERR_OK;
    }
    if (schema == NULL || own == NULL) {
        return locations_add(names, span_str(name), e);
    }
    return strcmp(schema, ns) == 0 ? locations_add(names, span_str(own), e) : ERR_OK;
}

enum err_code glue_page_read(const json_t *answer, const char *ns, struct locations *names,
                             char **next_token, struct err *e)
{
    const json_t *tables = json_object_get(answer, "TableList");
    const char *token = json_string_value(json_object_get(answer, "NextToken"));
    size_t i;
    json_t *table;

    *next_token = NULL;
    if (!json_is_array(tables)) {
        return err_set(e, ERR_CORRUPT,
                       "Glue's answer has no list of tables in it: look at glue.endpoint");
    }
    json_array_foreach(tables, i, table)
    {
        ERR_TRY(add_name(table, ns, names, e));
    }
    if (token == NULL || token[0] == '\0') {
        return ERR_OK;
    }
    *next_token = str_dup(token);
    return *next_token == NULL ? err_nomem(e) : ERR_OK;
}
