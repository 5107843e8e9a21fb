/*
 * credentials.h - AWS keys: where they come from, and that they are renewed in time.
 *
 * Order, as the AWS SDKs have it: explicit settings; AWS_ACCESS_KEY_ID and its kin; web identity
 * (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN); the profile in the shared config and credentials
 * files (keys, role_arn with source_profile or credential_source, web_identity_token_file, SSO,
 * credential_process); the container endpoint; the instance metadata service (IMDSv2). The first
 * that is configured is the one, also for all renewals: if it fails, that is an error, as keys of
 * somebody else would be worse than none. A profile that the options name leaves out what comes
 * between it and explicit keys; one without anything about keys is not configured. A role_arn in
 * the options is assumed with what was found.
 *
 * Keys with an end are renewed 5 minutes early, or after half of their time when that is less, by
 * one of the threads that ask for them; if that fails they serve until their end.
 *
 * Owns:   copies all texts. Thread: any.
 */
#ifndef CALVE_AWS_CREDENTIALS_H
#define CALVE_AWS_CREDENTIALS_H

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/http_client.h"

struct credentials_options {
    const char *access_key_id; /* explicit; NULL or "": look around */
    const char *secret_access_key;
    const char *session_token;
    const char *profile;           /* explicit; NULL or "": AWS_PROFILE, else "default" */
    const char *role_arn;          /* to be assumed with what is found; NULL or "": none */
    const char *role_session_name; /* NULL or "": "calve" */
    const char *external_id;
    int64_t role_duration_us;       /* 0: an hour */
    const char *region;             /* of STS; NULL or "": credentials_region() */
    const char *const *environment; /* "NAME=value", ends with NULL; later ones count less */
    struct http_client *http;       /* outlives it */
    struct clock clock;
    struct log *log; /* may be NULL */
};

/* A copy, so that a renewal does not pull it away. Zeroed is empty. */
struct credentials {
    char *access_key_id;
    struct secret secret_access_key;
    struct secret session_token; /* text NULL: none */
    int64_t expires_us;          /* wall clock; INT64_MAX: never */
    char provider[128];          /* "environment", "profile etl (sso)": for `calve check` */
};

void credentials_deinit(struct credentials *c);

struct credentials_source;

/* Reads no file and asks nobody yet. */
MUST_USE enum err_code credentials_source_new(const struct credentials_options *options,
                                              struct credentials_source **out, struct err *e);
void credentials_source_free(struct credentials_source *s); /* NULL is fine */

/*
 * The keys to sign with now. renew: those given before were refused (expired, revoked): gets new
 * ones unless somebody did since `refused` was given out; refused may be NULL.
 *
 * Errors: ERR_CONFIG  no provider is configured (the message lists what was looked for), or what
 *                     one needs is missing or wrong (names file, line, profile or variable), or the
 *                     provider has only the keys that were refused
 *         ERR_IO, ERR_TIMEOUT  an endpoint did not answer as it should (retryable where it may)
 *         ERR_LIMIT   a file or a program's output is too large; ERR_CANCELLED
 */
MUST_USE enum err_code credentials_get(struct credentials_source *s, bool renew,
                                       const struct credentials *refused, struct credentials *out,
                                       struct err *e);

/*
 * Puts in front of an error of the functions here whose keys it is about, which a source does not
 * know, and which settings they come from: `own` is "s3" or "glue", NULL for those who have only
 * the shared ones.
 */
void credentials_say_whose(const char *label, const char *own, struct err *e);

/*
 * The region: explicit, AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's (only asked
 * when the keys come from there). malloc'd; *out is NULL when nothing says it. Errors: those of
 * credentials_get(), as it must be known whose the keys are.
 */
MUST_USE enum err_code credentials_region(struct credentials_source *s, char **out, struct err *e);

#endif
