/*
 * glue.h - AWS Glue Data Catalog: table parameter metadata_location, swapped under VersionId.
 *
 * Wire: JSON 1.1, AWSGlue.GetTable, CreateTable, UpdateTable, GetTables, DeleteTable, GetDatabase,
 * CreateDatabase. Parameters of a table that are not ours are kept. Names are written in lower
 * case, as Athena has them; the parameters calve.schema and calve.table keep them as they were
 * given, so that a table is not taken for another whose name differs in case.
 *
 * A catalog_id like "<account>:s3tablescatalog/<bucket>" is S3 Tables: it places tables itself.
 *
 * Spec: AWS Glue API Reference; what Iceberg's own GlueCatalog and PyIceberg write.
 */
#ifndef CALVE_CATALOG_GLUE_H
#define CALVE_CATALOG_GLUE_H

#include "aws/aws_client.h"
#include "catalog/catalog.h"

struct catalog_glue_options {
    struct aws_client *client;     /* made with catalog_glue_service(); outlives the catalog */
    const char *catalog_id;        /* glue.id; NULL or "": the account's own */
    bool keep_versions;            /* glue.skip-archive=false: Glue keeps each version of a table */
    bool any_name;                 /* glue.skip-name-validation: names beyond [a-z0-9_] */
    const char *database_location; /* LocationUri of databases that are made is this, '/', name;
                                      NULL: none */
    struct store *store;
    struct clock clock;
    struct log *log;
};

const struct aws_service *catalog_glue_service(void);

MUST_USE enum err_code catalog_glue_open(const struct catalog_glue_options *options,
                                         struct catalog **out, struct err *e);

#endif
