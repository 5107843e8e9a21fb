/* glue_error.c - what Glue's refusals mean, and what the user can do about them. */
#include <stdio.h>

#include "base/str.h"
#include "catalog/glue_int.h"

struct meaning {
    const char *code;
    enum err_code rc;
    bool retryable;
    bool maybe_done; /* it says nothing of the effect */
    const char *advice;
};

static const struct meaning meanings[] = {
    {"EntityNotFoundException", ERR_NOT_FOUND, false, false, NULL},
    {"AlreadyExistsException", ERR_EXISTS, false, false, NULL},
    {"ConcurrentModificationException", ERR_CONFLICT, false, false, NULL},
    {"InvalidInputException", ERR_CONFIG, false, false,
     "Glue does not take the names or the catalog's id as they are: look at glue.id and at the "
     "table's name"},
    {"ValidationException", ERR_CONFIG, false, false,
     "Glue does not take the names or the catalog's id as they are: look at glue.id and at the "
     "table's name"},
    {"GlueEncryptionException", ERR_CONFIG, false, false,
     "the Data Catalog is encrypted: allow the caller kms:Encrypt, kms:Decrypt and "
     "kms:GenerateDataKey on its key"},
    {"ResourceNumberLimitExceededException", ERR_LIMIT, false, false,
     "a quota of the account is used up: with glue.skip-archive=false each commit adds a version "
     "of the table, which count too; delete old ones or have the quota raised"},
    {"ResourceNotReadyException", ERR_IO, true, false, NULL},
    {"OperationTimeoutException", ERR_TIMEOUT, true, true, NULL},
    {"InternalServiceException", ERR_IO, true, true, NULL},
    {"FederationSourceException", ERR_IO, false, true,
     "the catalog is a window on another one, and that one refused"},
    {"FederationSourceRetryableException", ERR_IO, true, true, NULL},
};

/* What Lake Formation has to grant for an action. */
static const struct {
    const char *action;
    const char *grant;
} grants[] = {
    {"GetDatabase", "Describe on the database"},
    {"CreateDatabase", "Create database on the catalog, to make"},
    {"GetTables", "Describe on the tables of"},
    {"GetTable", "Describe on the table"},
    {"CreateTable", "Create table on the database of"},
    {"UpdateTable", "Alter on the table"},
    {"DeleteTable", "Drop on the table"},
};

static const char *grant_of(const char *action)
{
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
        if (strcmp(grants[i].action, action) == 0) {
            return grants[i].grant;
        }
    }
    return "access to";
}

static const struct meaning *meaning_of(const char *code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(meanings[i].code, code) == 0) {
            return &meanings[i];
        }
    }
    return NULL;
}

/* Sets the code and puts the advice behind what is known already. */
static enum err_code conclude(struct err *e, enum err_code rc, bool retryable, const char *advice)
{
    struct err said = *e;

    (void)err_set(e, rc, "%s%s%s", said.msg, advice[0] == '\0' ? "" : "; ", advice);
    e->os_errno = said.os_errno;
    e->retryable = retryable;
    return rc;
}

/* What IAM wants, aws_call() has said. */
static enum err_code explain_denial(const struct glue_request *r, const struct aws_error *said,
                                    struct err *e)
{
    char advice[512];

    if (strstr(said->message, "permission(s) on s3://") != NULL) {
        (void)snprintf(advice, sizeof advice,
                       "Lake Formation guards that place in S3: grant the caller data location "
                       "access to it there");
    } else if (strstr(said->message, "Lake Formation") != NULL) {
        (void)snprintf(advice, sizeof advice,
                       "Lake Formation guards the catalog, and glue:%s in an IAM policy is not "
                       "enough: grant the caller there: %s %s",
                       r->action, grant_of(r->action), r->object);
    } else {
        (void)snprintf(advice, sizeof advice,
                       "where Lake Formation guards the catalog, grant the caller there too: %s %s",
                       grant_of(r->action), r->object);
    }
    return conclude(e, ERR_CONFIG, false, advice);
}

enum err_code glue_explain(const struct glue_request *r, const struct aws_error *said,
                           struct err *e)
{
    const struct meaning *m = meaning_of(said->code);

    if (e->code == ERR_UNKNOWN || e->code == ERR_CANCELLED) {
        return e->code;
    }
    if (m != NULL && m->maybe_done && !r->repeatable) {
        return conclude(e, ERR_UNKNOWN, false, m->advice == NULL ? "" : m->advice);
    }
    if (m != NULL) {
        return conclude(e, m->rc, m->retryable, m->advice == NULL ? "" : m->advice);
    }
    if (str_starts_with(said->code, "AccessDenied")) {
        return explain_denial(r, said, e);
    }
    /* A status alone is no word of Glue's: a table is not missing because a web server says 404. */
    if (e->code == ERR_NOT_FOUND || e->code == ERR_EXISTS || e->code == ERR_CONFLICT) {
        return conclude(e, ERR_CONFIG, false, "this is no answer of Glue's: look at glue.endpoint");
    }
    return e->code;
}
