/*
 * table_choice.h - which of the source's tables the settings `table` and `exclude-table` mean.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_APP_TABLE_CHOICE_H
#define CALVE_APP_TABLE_CHOICE_H

#include "app/config.h"

struct chosen_table {
    const char *schema;
    const char *name;
};

/* Sorted as the source gives them. Zeroed is empty. */
struct table_choice {
    struct chosen_table *tables;
    uint32_t count;
    uint32_t capacity;
    struct arena arena;
};

/* Whether schema.name matches a glob of `table` and none of `exclude-table`. */
bool table_is_chosen(const struct config *c, const char *schema, const char *name, bool icase);

/* Adds a table unless it is there. */
MUST_USE enum err_code table_choice_add(struct table_choice *t, const char *schema,
                                        const char *name, struct err *e);

/* Adds the source's tables that are chosen. */
MUST_USE enum err_code table_choice_from_source(const struct config *c, struct mysql_conn *conn,
                                                struct table_choice *out, struct err *e);
void table_choice_deinit(struct table_choice *t);

#endif
