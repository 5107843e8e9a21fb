#include "aws/credentials_int.h"

enum err_code credentials_from_environment(const struct credentials_context *c, bool *configured,
                                           struct credentials *out, struct err *e)
{
    const char *id = credentials_variable(c, "AWS_ACCESS_KEY_ID");
    const char *secret = credentials_variable(c, "AWS_SECRET_ACCESS_KEY");

    *configured = id != NULL || secret != NULL;
    if (!*configured) {
        return ERR_OK;
    }
    if (id == NULL || secret == NULL) {
        return err_set(e, ERR_CONFIG, "AWS_%s is set and AWS_%s is not: set both, or none of them",
                       id == NULL ? "SECRET_ACCESS_KEY" : "ACCESS_KEY_ID",
                       id == NULL ? "ACCESS_KEY_ID" : "SECRET_ACCESS_KEY");
    }
    credentials_set_provider(out, "environment");
    enum err_code rc = credentials_set(out, id, secret,
                                       credentials_variable(c, "AWS_SESSION_TOKEN"), INT64_MAX, e);

    if (rc != ERR_OK) {
        err_wrap(e, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN");
    }
    return rc;
}
