/* credentials_int.h - what the providers of AWS keys share. Thread: any. */
#ifndef CALVE_AWS_CREDENTIALS_INT_H
#define CALVE_AWS_CREDENTIALS_INT_H

#include <jansson.h>

#include "aws/credentials.h"
#include "aws/shared_config.h"

#define CREDENTIALS_ANSWER_BYTES_MAX ((size_t)256 << 10)
#define CREDENTIALS_SESSION_NAME     "calve"

/* What does not change while the source lives. NULL texts are not set. */
struct credentials_context {
    const char *const *environment; /* "NAME=value", ends with NULL */
    const char *profile;            /* as the settings name it */
    const char *region;             /* as the settings name it */
    struct http_client *http;
    struct clock clock;
    struct log *log; /* may be NULL */
};

/*
 * A provider. *configured false: it is not the one to ask; the code is ERR_OK, or an error that
 * says why it has nothing where that is worth telling. *out is zeroed by the caller and may be
 * partly filled after an error.
 */
typedef enum err_code credentials_provider(const struct credentials_context *c, bool *configured,
                                           struct credentials *out, struct err *e);

credentials_provider credentials_from_environment;
credentials_provider credentials_from_web_identity;
credentials_provider credentials_from_profile;
credentials_provider credentials_from_container;
credentials_provider credentials_from_imds;

/* ---- credentials_profile.c ---- */

/* The settings', else AWS_PROFILE, else "default". */
const char *credentials_profile_name(const struct credentials_context *c);

/* Both files as they are now; either may be missing. out is initialised here. */
MUST_USE enum err_code credentials_load_config(const struct credentials_context *c,
                                               struct shared_config *out, struct err *e);

/* The region that the settings, the environment or the profile name: malloc'd, NULL for none. */
MUST_USE enum err_code credentials_named_region(const struct credentials_context *c, char **out,
                                                struct err *e);

/* ---- credentials_process.c, credentials_sso.c ---- */

MUST_USE enum err_code credentials_from_process(const struct credentials_context *c,
                                                const char *command, struct credentials *out,
                                                struct err *e);

struct credentials_sso {
    const char *profile;
    const char *session; /* NULL: the older form, known by its start_url */
    const char *start_url;
    const char *region;
    const char *account_id;
    const char *role_name;
};

MUST_USE enum err_code credentials_from_sso(const struct credentials_context *c,
                                            const struct credentials_sso *sso,
                                            struct credentials *out, struct err *e);

/* ---- credentials_container.c ---- */

/* Appends where to ask; nothing when no container's endpoint is configured. */
MUST_USE enum err_code credentials_container_url(const struct credentials_context *c,
                                                 struct buf *out, struct err *e);

/* ---- credentials_imds.c ---- */

/* malloc'd. */
MUST_USE enum err_code credentials_imds_region(const struct credentials_context *c, char **out,
                                               struct err *e);

/* ---- credentials_assume_role.c: STS ---- */

struct credentials_role {
    const char *arn;
    const char *session_name;       /* NULL: CREDENTIALS_SESSION_NAME */
    const char *external_id;        /* NULL: none */
    int64_t duration_us;            /* 0: an hour */
    const char *region;             /* NULL: the named one, else one of the role's partition */
    const struct credentials *base; /* to sign with; NULL: shows the token of a web identity */
    const char *token_file;         /* of the web identity; read anew at each call */
};

/* out->provider is the base's with the role behind it; "" for a web identity. */
MUST_USE enum err_code credentials_assume_role(const struct credentials_context *c,
                                               const struct credentials_role *role,
                                               struct credentials *out, struct err *e);

/* ---- credentials_file.c: environment and files ---- */

/* NULL when it is not set or empty. */
const char *credentials_variable(const struct credentials_context *c, const char *name);

/* path with "~/" in front resolved, or what is in the folder HOME says. malloc'd. Errors:
 * ERR_CONFIG HOME is needed and not set. */
MUST_USE enum err_code credentials_path(const struct credentials_context *c, const char *path,
                                        char **out, struct err *e);

/* Appends the whole file. *missing: there is none, which is ERR_OK; NULL: that is an error.
 * Errors: ERR_CONFIG, as the settings name it; ERR_LIMIT. */
MUST_USE enum err_code credentials_read_file(const char *path, size_t bytes_max, struct buf *out,
                                             bool *missing, struct err *e);

/* The same, as a text without blanks and line ends at its end; not empty. */
MUST_USE enum err_code credentials_read_token(const char *path, struct buf *out, struct err *e);

/* Replaces the file at once, for the owner's eyes only. */
MUST_USE enum err_code credentials_replace_file(const char *path, struct span bytes, struct err *e);

/* Overwrites the bytes, then gives them back. */
void credentials_wipe(struct buf *b);

/* ---- credentials_answer.c: keys and times in answers ---- */

/* Whether a text can go into a header. Errors: ERR_CONFIG, which calls it `what`. */
MUST_USE enum err_code credentials_check_text(const char *text, const char *what, struct err *e);

/* Copies texts into out, beside its provider; token may be NULL or "". Errors: ERR_CONFIG a text
 * that cannot go into a header. */
MUST_USE enum err_code credentials_set(struct credentials *out, const char *access_key_id,
                                       const char *secret, const char *token, int64_t expires_us,
                                       struct err *e);

void credentials_set_provider(struct credentials *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Moves from to `to`, whose old content is wiped. */
void credentials_move(struct credentials *to, struct credentials *from);

#define CREDENTIALS_TIME_TEXT_BYTES 32u

/* "2026-01-02T03:04:05Z" */
void credentials_put_time(char out[CREDENTIALS_TIME_TEXT_BYTES], int64_t time_us);

/* A JSON object. Messages show nothing of the text. Errors: ERR_IO. */
MUST_USE enum err_code credentials_parse_json(struct span text, json_t **out, struct err *e);

/* {"AccessKeyId", "SecretAccessKey", token_name, "Expiration"}; the last two may be missing.
 * Errors: ERR_IO. */
MUST_USE enum err_code credentials_from_json(const json_t *answer, const char *token_name,
                                             struct credentials *out, struct err *e);

/* ---- credentials_http.c: asking ---- */

struct credentials_call {
    const char *what; /* for messages: "asking STS at https://... for role arn:..." */
    struct http_request request;
    unsigned tries; /* 0: 3 */
    /* A refusal that may be another one soon. May be NULL. */
    bool (*again)(const struct http_response *response);
};

/* Sends it, and again after failures that may pass; any status is ERR_OK. *out as in http_send().
 */
MUST_USE enum err_code credentials_send(const struct credentials_context *c,
                                        const struct credentials_call *call,
                                        struct http_response *out, struct err *e);

/* Gives the answer back; it may hold keys. */
void credentials_response_deinit(struct http_response *r);

/*
 * The error of an answer whose status is not 200: status, the service's own code and message (may
 * be NULL), and a hint (may be NULL) that says what to look at.
 *
 * Errors: ERR_IO retryable  429, 5xx
 *         ERR_CONFIG        the others
 */
enum err_code credentials_refused(const char *what, int status, const char *code,
                                  const char *message, const char *hint, struct err *e);

/* The same, with code and message as JSON services have them. */
enum err_code credentials_json_refused(const char *what, const struct http_response *r,
                                       const char *hint, struct err *e);

#endif
