#include "app/commands.h"
#include "app/inspect_int.h"
#include "app/signals.h"

enum err_code cmd_inspect(const struct config *c, const struct command_args *args, struct log *log,
                          struct err *e)
{
    const char *kind = args->words[0];
    const char *what = args->words[1];
    bool binlog = strcmp(kind, "binlog") == 0;
    bool parquet = strcmp(kind, "parquet") == 0;
    bool avro = strcmp(kind, "avro") == 0;
    bool table = strcmp(kind, "table") == 0;
    bool ddl = strcmp(kind, "ddl") == 0;

    signals_end_on_pipe();
    if (!binlog && !parquet && !avro && !table && !ddl) {
        return err_set(e, ERR_CONFIG,
                       "calve inspect: '%.50s' is none of binlog, parquet, avro, table, ddl", kind);
    }
    if ((args->rows && !binlog && !parquet) || (args->discard && !binlog)) {
        return err_set(e, ERR_CONFIG, "calve inspect %s has no %s", kind,
                       args->discard ? "--discard" : "--rows");
    }
    if ((args->server != NULL || args->server_version != NULL) && !ddl) {
        return err_set(e, ERR_CONFIG, "calve inspect %s has no %s", kind,
                       args->server != NULL ? "--server" : "--server-version");
    }
    if (ddl) {
        return inspect_ddl(what, args, e);
    }
    if (binlog) {
        return inspect_binlog(what, args, e);
    }
    if (parquet) {
        return inspect_parquet(what, args, e);
    }
    return avro ? inspect_avro(what, args, e) : inspect_table(what, c, args, log, e);
}
