#include "app/commands.h"
#include "app/inspect_int.h"

enum err_code cmd_inspect(const struct config *c, const struct command_args *args, struct log *log,
                          struct err *e)
{
    const char *kind = args->words[0];
    const char *what = args->words[1];

    if (strcmp(kind, "binlog") == 0) {
        return inspect_binlog(what, args, e);
    }
    if (strcmp(kind, "avro") == 0) {
        return inspect_avro(what, args, e);
    }
    if (strcmp(kind, "table") == 0) {
        return inspect_table(what, c, args, log, e);
    }
    if (strcmp(kind, "parquet") == 0) {
        return inspect_parquet(what, args, e);
    }
    return err_set(e, ERR_CONFIG, "calve inspect: '%.50s' is none of binlog, parquet, avro, table",
                   kind);
}
