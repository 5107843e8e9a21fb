/*
 * schema_apply_int.h - the parts of schema_apply().
 */
#ifndef CALVE_MYSQL_SCHEMA_APPLY_INT_H
#define CALVE_MYSQL_SCHEMA_APPLY_INT_H

#include "mysql/schema_int.h"

struct applying {
    struct schema *s;
    const struct binlog_query *query;
    struct ddl_dialect dialect;
    struct ddl_statement statement;
    bool two_readings; /* the text is UTF-8 if the server wrote it, else something else */
    struct schema_changes *out;
    uint32_t capacity; /* of out */
    struct err *e;
};

/* Whether the table is present, absent or unknown; its definition is the entry's. */
enum schema_known schema_known_table(const struct applying *a, struct ddl_table_name name,
                                     struct schema_definition **definition);
MUST_USE enum err_code schema_put_table(struct applying *a, struct ddl_table_name name,
                                        enum schema_known known,
                                        struct schema_definition *definition);

/* NULL when not known. */
const char *schema_database_charset(const struct applying *a, const char *database);
const char *schema_server_charset(const struct applying *a);

MUST_USE enum err_code schema_hold(struct applying *a, struct schema_definition *definition);
/* NULL when there is no room. */
struct schema_change *schema_emit(struct applying *a, enum schema_change_kind kind,
                                  struct ddl_table_name name);
MUST_USE enum err_code schema_emit_def(struct applying *a, enum schema_change_kind kind,
                                       struct ddl_table_name name,
                                       struct schema_definition *definition, const char *why);

/* The temporary table of the statement's session that the name means; NULL when there is none. */
struct schema_entry *schema_hiding(const struct applying *a, struct ddl_table_name name);

MUST_USE enum err_code schema_apply_create(struct applying *a);
MUST_USE enum err_code schema_apply_alter(struct applying *a);
MUST_USE enum err_code schema_apply_drop(struct applying *a);
MUST_USE enum err_code schema_apply_sequence(struct applying *a);
MUST_USE enum err_code schema_apply_rename(struct applying *a);
MUST_USE enum err_code schema_apply_rows(struct applying *a); /* TRUNCATE, REPAIR */
MUST_USE enum err_code schema_apply_database(struct applying *a);

#endif
