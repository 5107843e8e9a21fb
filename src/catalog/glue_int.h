/* glue_int.h - requests, answers and tables of the Glue catalog, as its files share them. */
#ifndef CALVE_CATALOG_GLUE_INT_H
#define CALVE_CATALOG_GLUE_INT_H

#include <jansson.h>

#include "catalog/catalog_int.h"
#include "catalog/glue.h"

#define GLUE_NAME_BYTES 256u /* 255 of them and a NUL */
#define GLUE_CODE_BYTES 96u

/* Parameters of a Glue table. The last two are ours: the table's name as the source writes it. */
#define GLUE_TABLE_TYPE        "table_type"
#define GLUE_LOCATION          "metadata_location"
#define GLUE_PREVIOUS_LOCATION "previous_metadata_location"
#define GLUE_SOURCE_SCHEMA     "calve.schema"
#define GLUE_SOURCE_TABLE      "calve.table"

struct glue_catalog {
    struct catalog base;
    struct aws_client *client;
    char *catalog_id;        /* NULL: the account's own */
    char *database_location; /* NULL: none; no trailing '/' */
    bool keep_versions;
    bool any_name;
    bool managed; /* S3 Tables behind Glue, which chooses where a table's files are */
};

/* ---- names ---- */

/* A table as Glue has it and as the source does. The spans of `source` are the caller's. */
struct glue_name {
    char database[GLUE_NAME_BYTES];
    char table[GLUE_NAME_BYTES];
    char full[2 * GLUE_NAME_BYTES]; /* "database.table" */
    struct table_ident source;
};

/* Errors: ERR_CONFIG a name that Glue or Athena does not take. */
MUST_USE enum err_code glue_name_of(const struct glue_catalog *c, struct table_ident id,
                                    struct glue_name *out, struct err *e);

/* As the first half of that: *out has GLUE_NAME_BYTES. */
MUST_USE enum err_code glue_database_of(const struct glue_catalog *c, const char *ns, char *out,
                                        struct err *e);

/* ---- requests ---- */

struct glue_request {
    const char *action; /* "GetTable" */
    const char *object; /* "shop.orders", for messages */
    json_t *body;       /* taken over; NULL counts as lack of memory */
    bool repeatable;    /* doing it twice is like doing it once */
};

/* What is known of a request that failed. Zeroed is nothing. */
struct glue_refusal {
    char code[GLUE_CODE_BYTES]; /* "EntityNotFoundException"; "" when Glue said none */
    bool reached;               /* Glue may have seen it, so that it may be more than refused */
    bool maybe_done;            /* an earlier try may have been, and this answer be due to it */
};

/*
 * Sends the request. On success *answer, unless that is NULL, is the body: an object to be freed
 * with json_decref(). refusal may be NULL.
 *
 * Errors: as glue_explain() says; ERR_CORRUPT an answer that is no JSON object.
 */
MUST_USE enum err_code glue_send(struct glue_catalog *c, const struct glue_request *request,
                                 json_t **answer, struct glue_refusal *refusal, struct err *e);

/* The body of a successful answer. Errors: ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err_code glue_answer_parse(struct span text, json_t **out, struct err *e);

/*
 * What a failed request means, by the code that Glue gave; *e has what aws_call() said and gets the
 * advice that fits.
 *
 * Gives:  ERR_NOT_FOUND   EntityNotFoundException
 *         ERR_EXISTS      AlreadyExistsException
 *         ERR_CONFLICT    ConcurrentModificationException
 *         ERR_CONFIG      denied by IAM or Lake Formation; input that Glue does not take; a server
 *                         that is no Glue
 *         ERR_LIMIT       ResourceNumberLimitExceededException
 *         ERR_UNKNOWN     failures that say nothing of the effect, unless it is repeatable; then
 *                         ERR_IO or ERR_TIMEOUT, retryable
 *         what aws_call() gave otherwise
 */
enum err_code glue_explain(const struct glue_request *request, const struct aws_error *said,
                           struct err *e);

/* {"CatalogId": ...} or {}; NULL when there is no memory. */
json_t *glue_body(const struct glue_catalog *c);

/* ---- tables ---- */

/* A table as GetTable gives it; the texts live as long as it. Zeroed is empty. */
struct glue_table {
    json_t *answer;                /* owned */
    json_t *json;                  /* the table in it */
    const char *metadata_location; /* NULL: none, as texts below */
    const char *version_id;
};

void glue_table_deinit(struct glue_table *t);

/* Takes answer over, also on failure. Errors: ERR_CORRUPT. */
MUST_USE enum err_code glue_table_take(json_t *answer, struct glue_table *out, struct err *e);

/* Errors: those of glue_send(); ERR_NOT_FOUND: no such table or database. */
MUST_USE enum err_code glue_table_get(struct glue_catalog *c, const struct glue_name *name,
                                      struct glue_table *out, struct err *e);

/* A text of the table's Parameters; NULL when there is none. */
const char *glue_table_parameter(const json_t *table, const char *key);

bool glue_table_is_iceberg(const json_t *table);

/*
 * Whether it is the Iceberg table that is meant. Errors: ERR_CONFIG a table of another kind, or
 * that of another source table; ERR_CORRUPT one without metadata_location.
 */
MUST_USE enum err_code glue_table_check(const struct glue_table *t, const struct glue_name *name,
                                        struct err *e);

/* What a table's metadata says in the form of a TableInput. */
struct glue_table_next {
    const struct glue_name *name;
    const struct iceberg_metadata *metadata;
    const char *metadata_location;
    const json_t *existing;        /* the table that this one takes the place of, of which is kept
                                      what is not ours; NULL: none */
    const char *previous_location; /* NULL: none */
};

/* NULL when there is no memory. */
json_t *glue_table_input(const struct glue_table_next *next);

/*
 * The columns of the current schema, then those that only older schemas have. Comments come from
 * the schema, else from the existing columns (NULL: none). NULL when there is no memory.
 */
json_t *glue_columns(const struct iceberg_metadata *metadata, const json_t *existing);

/* text with control characters as blanks, cut after `max` UTF-16 units. NULL: no memory. */
json_t *glue_text(const char *text, size_t max, bool lines);

/* ---- changes ---- */

/*
 * Creates the table, or replaces `now`; next->existing is not looked at.
 *
 * Errors: ERR_UNKNOWN it may have been done, or be done yet; others: it certainly was not. As
 *         glue_explain() says; ERR_UNSUPPORTED `now` has no version.
 */
MUST_USE enum err_code glue_insert(struct glue_catalog *c, const struct glue_table_next *next,
                                   struct err *e);
MUST_USE enum err_code glue_update(struct glue_catalog *c, const struct glue_table *now,
                                   const struct glue_table_next *next, struct err *e);

/* ---- S3 Tables ---- */

/*
 * Creates the table where S3 Tables wants it, so that its location is another than the metadata's.
 * *location is that of the metadata file, NULL when none was written. Errors: as glue_update();
 * ERR_EXISTS.
 */
MUST_USE enum err_code glue_managed_create(struct glue_catalog *c, const struct glue_name *name,
                                           const struct iceberg_metadata *metadata, char **location,
                                           struct err *e);

/* ERR_NOT_FOUND: a table without metadata is one whose creation can go on. */
enum err_code glue_managed_unfinished(const struct glue_name *name, struct err *e);

/* ---- lists ---- */

/* The names of one page of GetTables: Iceberg tables whose schema is that of the source, or is not
 * known. *next_token is malloc'd, NULL on the last page. Errors: ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err_code glue_page_read(const json_t *answer, const char *ns, struct locations *names,
                                      char **next_token, struct err *e);

#endif
