#include "app/commands.h"
#include "app/config_help.h"
#include "app/config_value.h"
#include "app/output.h"
#include "app/signals.h"
#include "codec/json_writer.h"

/* {"commit.interval":{"value":"10s","origin":"default"},…} */
static void put_json(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        struct buf value = {0};

        config_value_print(s, c, &value);
        buf_append_str(out, i == 0 ? "{" : ",");
        json_put_string(out, span_str(s->name));
        buf_append_str(out, ":{\"value\":");
        json_put_string(out, buf_span(&value));
        buf_append_str(out, ",\"origin\":");
        json_put_string(out, span_str(config_origin(c, s->name)));
        buf_append_str(out, "}");
        buf_deinit(&value);
    }
    buf_append_str(out, "}\n");
}

enum err_code cmd_config(const struct config *c, const struct command_args *args, struct log *log,
                         struct err *e)
{
    struct buf out = {0};

    (void)log;
    signals_end_on_pipe();
    if (args->markdown) {
        config_put_markdown(&out);
    } else if (args->json) {
        put_json(c, &out);
    } else {
        config_print(c, &out);
    }
    enum err_code rc = output_flush(&out, e);

    buf_deinit(&out);
    return rc;
}
