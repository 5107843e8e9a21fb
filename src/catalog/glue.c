/*
 * glue.c - tables in the AWS Glue Data Catalog.
 *
 * A table changes hands by one UpdateTable that names the version it replaces. Glue refuses it when
 * the table has another version by then; catalogs that only speak like Glue may not look, so the
 * metadata file is compared too, as late as can be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/glue_int.h"

#define PAGE_TABLES 100 /* the most that GetTables gives at once */
#define PAGES_MAX   10000

/* ---- names ---- */

static bool fits_rule(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static enum err_code refuse_name(const char *name, const char *why, struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "the Glue catalog cannot have the name '%s', as it %s: names are 1 to 255 of "
                   "a-z, 0-9 and '_' there, as Athena reads them. Leave it out by exclude-table, "
                   "rename it in the source, or set glue.skip-name-validation=true",
                   name, why);
}

static enum err_code fold_name(const struct glue_catalog *c, const char *name,
                               char out[GLUE_NAME_BYTES], struct err *e)
{
    size_t len = strlen(name);
    char why[16];

    if (len == 0) {
        return refuse_name(name, "is empty", e);
    }
    if (len >= GLUE_NAME_BYTES) {
        return refuse_name(name, "is longer", e);
    }
    for (size_t i = 0; i <= len; i++) {
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
        if (i < len && !c->any_name && !fits_rule(out[i])) {
            size_t bytes = str_utf8_char(span_str(name + i));

            (void)snprintf(why, sizeof why, "has '%.*s'", bytes == 0 ? 1 : (int)bytes, name + i);
            return refuse_name(name, why, e);
        }
    }
    return ERR_OK;
}

enum err_code glue_database_of(const struct glue_catalog *c, const char *ns, char *out,
                               struct err *e)
{
    return fold_name(c, ns, out, e);
}

enum err_code glue_name_of(const struct glue_catalog *c, struct table_ident id,
                           struct glue_name *out, struct err *e)
{
    enum err_code rc = fold_name(c, id.ns, out->database, e);

    if (rc == ERR_OK) {
        rc = fold_name(c, id.name, out->table, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "table %s.%s", id.ns, id.name);
        return rc;
    }
    out->source = id;
    (void)snprintf(out->full, sizeof out->full, "%s.%s", out->database, out->table);
    return ERR_OK;
}

/* ---- load ---- */

static enum err_code find_location(void *ctx, struct table_ident id, char **location, struct err *e)
{
    struct glue_catalog *c = ctx;
    struct glue_name name;
    struct glue_table table = {0};

    ERR_TRY(glue_name_of(c, id, &name, e));
    ERR_TRY(glue_table_get(c, &name, &table, e));
    enum err_code rc = c->managed && table.metadata_location == NULL
                           ? glue_managed_unfinished(&name, e)
                           : glue_table_check(&table, &name, e);

    if (rc == ERR_OK) {
        *location = str_dup(table.metadata_location);
        rc = *location == NULL ? err_nomem(e) : ERR_OK;
    }
    glue_table_deinit(&table);
    return rc;
}

static enum err_code glue_load(struct catalog *base, struct table_ident id,
                               struct catalog_table *out, struct err *e)
{
    return metadata_file_follow(
        base->store, &(struct metadata_pointer){find_location, base, "AWS Glue"}, id, out, e);
}

/* ---- create ---- */

static enum err_code make_database(struct glue_catalog *c, const char *database, struct err *e)
{
    json_t *body = glue_body(c);
    json_t *input = json_pack("{s:s}", "Name", database);
    bool ok = input != NULL;

    if (ok && c->database_location != NULL && !c->managed) {
        char *location = str_format("%s/%s", c->database_location, database);

        ok = location != NULL &&
             json_object_set_new(input, "LocationUri", json_string(location)) == 0;
        free(location);
    }
    if (json_object_set_new(body, "DatabaseInput", input) != 0 || !ok) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {"CreateDatabase", database, body, true};
    enum err_code rc = glue_send(c, &request, NULL, NULL, e);

    /* Somebody else makes it too: CreateTable will see. */
    return rc == ERR_EXISTS || rc == ERR_CONFLICT ? ERR_OK : rc;
}

/* An account that may make tables in a database, but not look at it, is left to CreateTable. */
static enum err_code need_database(struct glue_catalog *c, const char *database, struct err *e)
{
    json_t *body = glue_body(c);
    struct glue_refusal refusal = {0};

    if (json_object_set_new(body, "Name", json_string(database)) != 0) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {"GetDatabase", database, body, true};
    enum err_code rc = glue_send(c, &request, NULL, &refusal, e);

    if (rc == ERR_NOT_FOUND) {
        rc = make_database(c, database, e);
        if (rc != ERR_OK) {
            err_wrap(e, "the database %s is not in Glue, and cannot be made", database);
        }
        return rc;
    }
    return rc == ERR_CONFIG && str_starts_with(refusal.code, "AccessDenied") ? ERR_OK : rc;
}

/* *location is of the metadata file that was written. */
static enum err_code create_table(struct glue_catalog *c, const struct glue_name *name,
                                  const struct iceberg_metadata *metadata, char **location,
                                  struct err *e)
{
    ERR_TRY(metadata_file_write(&c->base, c->base.store, metadata, NULL, location, e));
    return glue_insert(c,
                       &(struct glue_table_next){
                           .name = name,
                           .metadata = metadata,
                           .metadata_location = *location,
                       },
                       e);
}

static enum err_code glue_create(struct catalog *base, struct table_ident id,
                                 const struct iceberg_metadata *metadata, struct err *e)
{
    struct glue_catalog *c = (struct glue_catalog *)base;
    struct glue_name name;
    struct err why = {0};
    char *location = NULL;

    ERR_TRY(glue_name_of(c, id, &name, e));
    ERR_TRY(need_database(c, name.database, e));
    enum err_code rc = c->managed ? glue_managed_create(c, &name, metadata, &location, &why)
                                  : create_table(c, &name, metadata, &location, &why);

    if (location != NULL && rc != ERR_OK && rc != ERR_UNKNOWN) {
        metadata_file_drop(base, location);
    }
    free(location);
    if (rc == ERR_CONFLICT) { /* somebody creates it too, and has not come to his end */
        struct err said = why;

        rc = err_set_retryable(&why, ERR_IO, "%s", said.msg);
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

/* ---- swap ---- */

static enum err_code replace_table(struct glue_catalog *c, const struct glue_table_next *next,
                                   struct err *e)
{
    struct glue_table now = {0};

    ERR_TRY(glue_table_get(c, next->name, &now, e));
    bool same = now.metadata_location != NULL && glue_table_is_iceberg(now.json) &&
                strcmp(now.metadata_location, next->previous_location) == 0;
    enum err_code rc =
        same ? glue_update(c, &now, next, e)
             : err_set(e, ERR_CONFLICT, "another writer changed %s first", next->name->full);

    glue_table_deinit(&now);
    return rc;
}

static enum err_code glue_swap(struct catalog *base, const struct catalog_swap *swap, struct err *e)
{
    struct glue_catalog *c = (struct glue_catalog *)base;
    struct glue_name name;

    ERR_TRY(glue_name_of(c, swap->id, &name, e));
    return replace_table(c,
                         &(struct glue_table_next){
                             .name = &name,
                             .metadata = swap->next,
                             .metadata_location = swap->location,
                             .previous_location = swap->base->metadata_location,
                         },
                         e);
}

/* ---- list ---- */

/* *token is taken; the next one comes back, NULL at the end. */
static enum err_code next_page(struct glue_catalog *c, const char *ns, const char *database,
                               char **token, struct locations *names, struct err *e)
{
    json_t *body = glue_body(c);
    json_t *answer = NULL;
    char *before = *token;
    bool ok = json_object_set_new(body, "DatabaseName", json_string(database)) == 0 &&
              json_object_set_new(body, "MaxResults", json_integer(PAGE_TABLES)) == 0 &&
              (before == NULL || json_object_set_new(body, "NextToken", json_string(before)) == 0);

    *token = NULL;
    free(before);
    if (!ok) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {"GetTables", database, body, true};

    ERR_TRY(glue_send(c, &request, &answer, NULL, e));
    enum err_code rc = glue_page_read(answer, ns, names, token, e);

    json_decref(answer);
    return rc;
}

static enum err_code all_pages(struct glue_catalog *c, const char *ns, const char *database,
                               struct locations *names, struct err *e)
{
    char *token = NULL;

    for (int page = 0; page < PAGES_MAX; page++) {
        enum err_code rc = next_page(c, ns, database, &token, names, e);

        if (rc != ERR_OK) {
            return rc;
        }
        if (token == NULL) {
            return ERR_OK;
        }
    }
    free(token);
    return err_set(e, ERR_LIMIT, "the Glue database %s does not end after %d pages of tables",
                   database, PAGES_MAX);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err_code glue_list(struct catalog *base, const char *ns,
                               enum err_code (*each)(void *ctx, struct table_ident id,
                                                     struct err *e),
                               void *ctx, struct err *e)
{
    struct glue_catalog *c = (struct glue_catalog *)base;
    char database[GLUE_NAME_BYTES];
    struct locations names = {0};

    struct err why = {0};

    if (glue_database_of(c, ns, database, &why) != ERR_OK) {
        return err_set(e, ERR_NOT_FOUND, "there is no database for %s: %s", ns, why.msg);
    }
    enum err_code rc = all_pages(c, ns, database, &names, e);

    if (names.count > 0) {
        qsort(names.items, names.count, sizeof names.items[0], by_name);
    }
    for (uint32_t i = 0; i < names.count && rc == ERR_OK; i++) {
        rc = each(ctx, (struct table_ident){ns, names.items[i]}, e);
    }
    locations_deinit(&names);
    return rc;
}

/* ---- drop ---- */

static enum err_code delete_table(struct glue_catalog *c, const struct glue_name *name,
                                  struct err *e)
{
    json_t *body = glue_body(c);
    struct glue_refusal refusal = {0};

    if (json_object_set_new(body, "DatabaseName", json_string(name->database)) != 0 ||
        json_object_set_new(body, "Name", json_string(name->table)) != 0) {
        json_decref(body);
        return err_nomem(e);
    }
    const struct glue_request request = {"DeleteTable", name->full, body, true};
    enum err_code rc = glue_send(c, &request, NULL, &refusal, e);

    return rc == ERR_NOT_FOUND && refusal.maybe_done ? ERR_OK : rc;
}

static enum err_code glue_drop(struct catalog *base, struct table_ident id, struct err *e)
{
    struct glue_catalog *c = (struct glue_catalog *)base;
    struct glue_name name;
    struct glue_table table = {0};

    ERR_TRY(glue_name_of(c, id, &name, e));
    ERR_TRY(glue_table_get(c, &name, &table, e));
    bool unfinished = c->managed && table.metadata_location == NULL;
    enum err_code rc = unfinished ? ERR_OK : glue_table_check(&table, &name, e);

    glue_table_deinit(&table);
    return rc == ERR_OK ? delete_table(c, &name, e) : rc;
}

/* ---- open and free ---- */

static void glue_free(struct catalog *base)
{
    struct glue_catalog *c = (struct glue_catalog *)base;

    free(c->catalog_id);
    free(c->database_location);
    free(c);
}

static const struct catalog_ops glue_ops = {
    .load = glue_load,
    .create = glue_create,
    .swap = glue_swap,
    .list = glue_list,
    .drop = glue_drop,
    .free = glue_free,
};

/* A copy without '/' at its end; NULL for NULL and "". */
static bool copy_setting(const char *text, char **out)
{
    size_t len = text == NULL ? 0 : strlen(text);

    while (len > 0 && text[len - 1] == '/') {
        len--;
    }
    *out = len == 0 ? NULL : str_ndup(text, len);
    return len == 0 || *out != NULL;
}

enum err_code catalog_glue_open(const struct catalog_glue_options *options, struct catalog **out,
                                struct err *e)
{
    struct glue_catalog *c = calloc(1, sizeof *c);

    if (c == NULL) {
        return err_nomem(e);
    }
    c->base = (struct catalog){
        .ops = &glue_ops,
        .store = options->store,
        .clock = options->clock,
        .log = options->log,
        .folds_case = true,
    };
    rand_init(&c->base.rand);
    c->client = options->client;
    c->keep_versions = options->keep_versions;
    c->any_name = options->any_name;
    if (!copy_setting(options->catalog_id, &c->catalog_id) ||
        !copy_setting(options->database_location, &c->database_location)) {
        glue_free(&c->base);
        return err_nomem(e);
    }
    c->managed = c->catalog_id != NULL && strstr(c->catalog_id, "s3tablescatalog/") != NULL;
    c->base.places_tables = c->managed;
    *out = &c->base;
    return ERR_OK;
}
