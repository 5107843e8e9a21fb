#include "app/commands.h"
#include "app/inspect_int.h"
#include "app/signals.h"

struct kind {
    const char *name;
    bool rows;    /* has --rows */
    bool discard; /* has --discard */
    bool server;  /* has --server and --server-version */
    enum err_code (*show)(const char *what, const struct command_args *args, struct err *e);
};

static const struct kind kinds[] = {
    {"binlog", true, true, false, inspect_binlog},
    {"parquet", true, false, false, inspect_parquet},
    {"avro", false, false, false, inspect_avro},
    {"ddl", false, false, true, inspect_ddl},
    {"table", false, false, false, NULL},
    {"signature", false, false, false, inspect_signature},
};

/* The switch that the kind does not have; NULL when all is well. */
static const char *too_much(const struct kind *kind, const struct command_args *args)
{
    if (args->discard && !kind->discard) {
        return "--discard";
    }
    if (args->rows && !kind->rows) {
        return "--rows";
    }
    if (args->server != NULL && !kind->server) {
        return "--server";
    }
    return args->server_version != NULL && !kind->server ? "--server-version" : NULL;
}

enum err_code cmd_inspect(const struct config *c, const struct command_args *args, struct log *log,
                          struct err *e)
{
    const char *name = args->words[0];
    const char *what = args->words[1];
    const struct kind *kind = NULL;

    signals_end_on_pipe();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            kind = &kinds[i];
        }
    }
    if (kind == NULL) {
        return err_set(e, ERR_CONFIG,
                       "calve inspect: '%.50s' is none of binlog, parquet, avro, table, ddl, "
                       "signature",
                       name);
    }
    const char *given = too_much(kind, args);

    if (given != NULL) {
        return err_set(e, ERR_CONFIG, "calve inspect %s has no %s", name, given);
    }
    return kind->show == NULL ? inspect_table(what, c, args, log, e) : kind->show(what, args, e);
}
