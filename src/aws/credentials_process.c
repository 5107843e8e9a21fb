/*
 * credentials_process.c - keys that another program prints.
 *
 *   {"Version": 1, "AccessKeyId": "…", "SecretAccessKey": "…",
 *    "SessionToken": "…", "Expiration": "2026-01-02T03:04:05Z"}     the last two may be missing
 *
 * Spec: AWS SDKs and Tools Reference Guide, "Process credential provider".
 */
#include "aws/credentials_int.h"
#include "base/command.h"

#define PROCESS_TIMEOUT_US ((int64_t)60 * 1000000)
#define PROCESS_BYTES_MAX  ((size_t)64 << 10)

static enum err_code read_keys(struct span printed, struct credentials *out, struct err *e)
{
    json_t *answer;

    ERR_TRY(credentials_parse_json(printed, &answer, e));
    const json_t *version = json_object_get(answer, "Version");
    enum err_code rc = json_is_integer(version) && json_integer_value(version) == 1
                           ? credentials_from_json(answer, "SessionToken", out, e)
                           : err_set(e, ERR_IO, "the JSON has no \"Version\": 1");

    json_decref(answer);
    return rc;
}

enum err_code credentials_from_process(const struct credentials_context *c, const char *command,
                                       struct credentials *out, struct err *e)
{
    const struct command_options options = {.environment = c->environment,
                                            .timeout_us = PROCESS_TIMEOUT_US,
                                            .output_bytes_max = PROCESS_BYTES_MAX};
    struct buf printed;

    buf_init(&printed, 2 * PROCESS_BYTES_MAX);
    /* Room for all of it at once: a buffer that grows leaves copies of the keys behind. */
    enum err_code rc = buf_reserve(&printed, PROCESS_BYTES_MAX) == NULL
                           ? buf_check(&printed, e, "credential_process")
                           : command_output(command, &options, &printed, e);

    if (rc == ERR_OK) {
        rc = read_keys(buf_span(&printed), out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "what it prints");
        }
    }
    credentials_wipe(&printed);
    return rc;
}
