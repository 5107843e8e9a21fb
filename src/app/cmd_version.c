#include <errno.h>
#include <stdio.h>

#include "app/commands.h"

enum err_code cmd_version(const struct config *c, const struct command_args *args, struct log *log,
                          struct err *e)
{
    (void)c;
    (void)args;
    (void)log;
    if (printf("calve %s\n", CALVE_VERSION) < 0 || fflush(stdout) != 0) {
        return err_set_os(e, ERR_IO, errno, "writing to stdout");
    }
    return ERR_OK;
}
