#include <stdio.h>
#include <stdlib.h>

#include "app/check_int.h"
#include "app/commands.h"
#include "app/output.h"
#include "codec/json_writer.h"

#define RETRY_MS_MAX 10000u

static const char *state_name(enum finding_state state, bool json)
{
    switch (state) {
    case FINDING_OK:
        return "ok";
    case FINDING_NOTE:
        return "note";
    case FINDING_WRONG:
        return json ? "wrong" : "WRONG";
    } /* no default: a new state breaks the build here */
    abort();
}

void finding_add(struct findings *f, enum finding_state state, const char *subject, const char *fmt,
                 ...)
{
    char text[1536];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (f->json) {
        buf_printf(&f->out, "%s{\"state\":\"%s\",\"subject\":", f->count == 0 ? "" : ",\n",
                   state_name(state, true));
        json_put_string(&f->out, span_str(subject));
        buf_append_str(&f->out, ",\"text\":");
        json_put_string(&f->out, span_str(text));
        buf_append_str(&f->out, "}");
    } else {
        buf_printf(&f->out, "%-5s %s: %s\n", state_name(state, false), subject, text);
    }
    f->count++;
    f->wrong_count += state == FINDING_WRONG ? 1 : 0;
}

enum err_code cmd_check(const struct config *c, const struct command_args *args, struct log *log,
                        struct err *e)
{
    struct findings f = {.json = args->json};
    struct config soon = *c; /* somebody waits for the answer */

    if (soon.http.retry_timeout_ms > RETRY_MS_MAX) {
        soon.http.retry_timeout_ms = RETRY_MS_MAX;
    }

    if (f.json) {
        buf_append_str(&f.out, "[");
    }
    bool connected = false;
    enum err_code rc = check_source(&soon, &f, &connected, e);
    uint32_t wrong_count = f.wrong_count;

    if (rc == ERR_OK) {
        rc = check_lake(&soon, log, &f, e);
    }
    /* A lake of which something is wrong would only say so again, some after a long wait. */
    if (rc == ERR_OK && connected && f.wrong_count == wrong_count) {
        rc = check_positions(&soon, &f, e);
    }
    if (f.json) {
        buf_append_str(&f.out, "]\n");
    }
    if (rc == ERR_OK) {
        rc = output_flush(&f.out, e);
    }
    buf_deinit(&f.out);
    if (rc == ERR_OK && f.wrong_count > 0) {
        return err_set(e, ERR_DIFFERENT, "%u of %u checks found something wrong", f.wrong_count,
                       f.count);
    }
    return rc;
}
