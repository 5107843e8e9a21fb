/*
 * credentials_web_identity.c - a role for a token in a file, as EKS and CI systems hand it out.
 *
 * Spec: AWS SDKs and Tools Reference Guide, "Assume role with web identity".
 */
#include "aws/credentials_int.h"

enum err_code credentials_from_web_identity(const struct credentials_context *c, bool *configured,
                                            struct credentials *out, struct err *e)
{
    const struct credentials_role role = {
        .arn = credentials_variable(c, "AWS_ROLE_ARN"),
        .session_name = credentials_variable(c, "AWS_ROLE_SESSION_NAME"),
        .token_file = credentials_variable(c, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    };

    *configured = role.token_file != NULL;
    if (!*configured) {
        return ERR_OK;
    }
    if (role.arn == NULL) {
        return err_set(
            e, ERR_CONFIG,
            "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN, the role to assume with "
            "it, is not");
    }
    ERR_TRY(credentials_assume_role(c, &role, out, e));
    credentials_set_provider(out, "web identity (role %s)", role.arn);
    return ERR_OK;
}
