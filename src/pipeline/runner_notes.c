/* runner_notes.c - what a run cannot mend and its user should know. */
#include <stdio.h>

#include "mysql/cascades.h"
#include "pipeline/runner_int.h"

#define NAME_SHOWN 200

struct warning {
    struct runner *r;
    const struct followed_table *table;
};

static enum err_code warn_of_cascade(void *ctx, const struct cascade *k, struct err *e)
{
    const struct warning *w = ctx;
    char key[NAME_SHOWN + 1];
    char parent[NAME_SHOWN + 1];
    char actions[NAME_SHOWN + 1];

    (void)e;
    (void)snprintf(key, sizeof key, "%.*s", (int)k->key.len, (const char *)k->key.data);
    (void)snprintf(parent, sizeof parent, "%.*s", (int)k->parent.len, (const char *)k->parent.data);
    (void)snprintf(actions, sizeof actions, "%.*s", (int)k->actions.len,
                   (const char *)k->actions.data);
    log_warn(w->r->run.log, "table.cascades", LOG_STR("table", w->table->full_name),
             LOG_STR("key", key), LOG_STR("parent", parent), LOG_STR("actions", actions),
             LOG_STR("note", "what this key changes is not in the source's binlog: the lake keeps "
                             "those rows until the table is copied anew"));
    return ERR_OK;
}

enum err_code runner_warn_of_cascades(struct runner *r, struct mysql_conn *conn, struct err *e)
{
    bool logged;

    ERR_TRY(cascades_are_logged(conn, &logged, e));
    for (uint32_t i = 0; i < r->table_count && !logged; i++) {
        struct warning w = {r, r->tables[i]};

        ERR_TRY(cascades_of_table(conn, w.table->schema, w.table->name, warn_of_cascade, &w, e));
    }
    return ERR_OK;
}
