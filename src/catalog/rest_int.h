/*
 * rest_int.h - inside of the REST catalog.
 *
 *   rest.c          opening, closing, the table of operations
 *   rest_config.c   what the server says of itself, merged with the user's settings; paths
 *   rest_auth.c     who we are: bearer, OAuth2 client credentials, basic
 *   rest_request.c  a request with its tries, plain or signed
 *   rest_error.c    what an answer means, and the words for it
 *   rest_table.c    load, create, swap
 *   rest_list.c     the tables of a namespace; dropping one
 *   rest_lent.c     keys that the server lent for a table's files
 *   rest_vended.c   handing them out, and renewing them
 */
#ifndef CALVE_CATALOG_REST_INT_H
#define CALVE_CATALOG_REST_INT_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/retry.h"
#include "catalog/rest.h"

/* Metadata comes in responses; a wrong one must not eat the memory. */
#define REST_TABLE_BYTES_MAX ((size_t)256 << 20)

/* What calve asks servers for, by its place in "endpoints". */
enum rest_endpoint {
    REST_ENDPOINT_LIST,
    REST_ENDPOINT_CREATE,
    REST_ENDPOINT_LOAD,
    REST_ENDPOINT_COMMIT,
    REST_ENDPOINT_NAMESPACE,
    REST_ENDPOINT_DROP,
    REST_ENDPOINT_TRANSACTION,
    REST_ENDPOINT_CREDENTIALS,
    REST_ENDPOINTS,
};

/* The answer to GET /v1/config. */
struct rest_config {
    json_t *defaults;  /* text to text; NULL: none */
    json_t *overrides; /* the same */
    bool offers[REST_ENDPOINTS];
    int64_t key_lifetime_us; /* for how long an Idempotency-Key counts; 0: there are none */
};

/* A document that is an object, for json_decref(). Errors: ERR_CORRUPT. */
MUST_USE enum err_code rest_json_parse(struct span body, json_t **out, struct err *e);

/* *out is overwritten. Errors: ERR_CORRUPT. */
MUST_USE enum err_code rest_config_parse(struct span body, struct rest_config *out, struct err *e);
void rest_config_deinit(struct rest_config *c);

/* ISO 8601 like "PT30M"; false when it is no duration of days to seconds. */
bool rest_duration_parse(const char *text, int64_t *us);

/* A member of an object; NULL when it is not there or not text. */
const char *rest_text(const json_t *object, const char *key);

/* What is in force: the server's override, else the client's, else the server's default; NULL for
 * none. */
const char *rest_setting(const struct rest_config *c, const char *key, const char *client);

enum rest_auth_kind {
    REST_AUTH_NONE,
    REST_AUTH_TOKEN,
    REST_AUTH_CREDENTIAL, /* perhaps with a token to begin with */
    REST_AUTH_BASIC,
};

struct rest_auth {
    enum rest_auth_kind kind;
    struct secret basic;     /* the header's value */
    struct secret client_id; /* text NULL: the credential has none */
    struct secret client_secret;
    const char *server_uri; /* absolute; these four are in the catalog's texts */
    const char *scope;
    const char *audience; /* "": none, as resource */
    const char *resource;
    bool server_is_catalog; /* the same host: it gets the user's headers, too */
    pthread_mutex_t mutex;  /* guards all below; held while a token is fetched */
    struct secret token;
    uint64_t generation; /* counts tokens */
    int64_t renew_us;    /* monotonic; INT64_MAX: when it is refused */
    int64_t end_us;
    bool basic_client; /* the server wants client id and secret in a Basic header */
    bool answered;     /* there is somebody at server_uri */
};

/* How long a server that nobody has ever reached is tried: a wrong address rather than one that is
 * away, of which somebody waits to be told. Waits stay short then, so that trying does not end with
 * the first long one. */
#define REST_FIRST_CONTACT_US (INT64_C(5) * 1000000)
#define REST_FIRST_WAIT_US    (INT64_C(1) * 1000000)

/* A change that was sent under a key, which goes out again with the same change. */
struct rest_key {
    char of[SIGV4_HASH_TEXT_BYTES]; /* hash of path and body */
    char text[UUID_TEXT_BYTES];
    int64_t made_us; /* monotonic */
};

struct lent_table;

struct rest_lent {
    pthread_mutex_t mutex; /* guards all below */
    struct lent_table **tables;
    uint32_t count;
    uint64_t uses;           /* counts, to tell what was used last */
    pthread_mutex_t renewal; /* one thread at a time asks for new keys */
};

struct rest_catalog {
    struct catalog base;
    struct arena texts;          /* what stays as long as the catalog */
    const char *uri;             /* no trailing '/' */
    const char *prefix;          /* "" or "x/", encoded */
    struct http_header *headers; /* the user's and the server's */
    uint32_t header_count;
    bool vended;
    struct rest_config config;
    struct rest_auth auth;
    struct rest_key key;
    struct rest_lent lent;
    struct http_client *http;
    bool sigv4;
    const char *signing_region; /* "": the credentials' */
    struct credentials_source *credentials;
    struct aws_service service;
    struct aws_client *aws;
    int64_t deadline_us;
    int64_t attempt_us;
    atomic_bool answered;       /* there is somebody at the URI */
    pthread_mutex_t rand_mutex; /* guards rand */
    struct rand rand;           /* for waits and keys of any thread; base.rand is one thread's */
};

/* rest_config.c: paths behind the catalog's URI, encoded. NULL without memory; free() them. */
char *rest_namespace_path(const struct rest_catalog *c, const char *ns, const char *more);
char *rest_table_path(const struct rest_catalog *c, struct table_ident id, const char *more);
/* The prefix as it goes into paths: what cannot stand in one is encoded, what is encoded stays. */
char *rest_prefix_path(const char *prefix);
/* The settings of server and client together, for all that does not change any more. */
MUST_USE enum err_code rest_config_merge(struct rest_catalog *c,
                                         const struct catalog_rest_options *options, struct err *e);

/* A catalog or token URI: http or https, without a user. Errors: ERR_CONFIG. */
MUST_USE enum err_code rest_check_uri(const char *uri, const char *setting, struct err *e);

/* rest_auth.c */
MUST_USE enum err_code rest_auth_init(struct rest_catalog *c,
                                      const struct catalog_rest_options *options, struct err *e);
void rest_auth_deinit(struct rest_auth *a);

/*
 * The value of Authorization; text NULL when there is to be none. Gets a token when there is none
 * or its end is near. *generation names the token to rest_auth_renew().
 */
MUST_USE enum err_code rest_auth_header(struct rest_catalog *c, struct secret *out,
                                        uint64_t *generation, struct err *e);

/* The token of this generation was refused: gets another, unless somebody did. *renewed is false
 * when there is no way to. */
MUST_USE enum err_code rest_auth_renew(struct rest_catalog *c, uint64_t generation, bool *renewed,
                                       struct err *e);

struct rest_token {
    const char *text;    /* in json */
    int64_t lifetime_us; /* -1: not said */
    json_t *json;
};

/* A token server's answer. Errors: ERR_CORRUPT. */
MUST_USE enum err_code rest_token_parse(struct span body, struct rest_token *out, struct err *e);
void rest_token_deinit(struct rest_token *t);

/* rest_error.c */
enum rest_op {
    REST_OP_CONFIG,
    REST_OP_TOKEN,
    REST_OP_LIST,
    REST_OP_LOAD,
    REST_OP_CREATE,
    REST_OP_NAMESPACE,
    REST_OP_COMMIT,
    REST_OP_TRANSACTION,
    REST_OP_DROP,
    REST_OP_CREDENTIALS,
};

/* What an answer (or none) says about the request. */
enum rest_class {
    REST_DONE,
    REST_AGAIN_LATER, /* certainly without effect, and may pass: no connection, 429 */
    REST_OPEN,        /* may have had its effect, and may pass: reset, timeout, 5xx */
    REST_WHO,         /* 401, 419: certainly without effect; with another token perhaps */
    REST_REFUSED,     /* certainly without effect, and stays so */
};

enum rest_class rest_class_of(int status);

struct rest_problem {
    char type[96]; /* "NoSuchTableException"; "" when it does not say */
    char message[400];
    bool is_iceberg; /* the body has the form that the specification gives errors */
};

/* Never fails: what cannot be read is shown as far as it is readable. */
void rest_problem_read(struct span body, struct rest_problem *out);

/* Puts "***" in the place of a secret that the server repeats; text may be NULL. */
void rest_problem_hide(struct rest_problem *p, const char *text);

/* The error for an answer with status 300 and above, with what to look at. */
MUST_USE enum err_code rest_explain(const struct rest_catalog *c, enum rest_op op, int status,
                                    const struct rest_problem *problem, struct err *e);

/* read_error of a signed catalog. */
bool rest_read_aws_error(const struct http_response *response, struct aws_error *out);

/* rest_request.c */
struct rest_call {
    enum rest_op op;
    const char *what;          /* for messages: "loading shop.orders" */
    const char *method;        /* NULL: GET, or POST with a body */
    const char *path;          /* behind the catalog's URI */
    const char *query;         /* NULL: none */
    const char *body;          /* JSON; NULL: none */
    bool changes;              /* may not be done twice: no answer is ERR_UNKNOWN */
    bool lend;                 /* asks for keys to the table's files */
    const char *key;           /* Idempotency-Key; NULL: none */
    size_t response_bytes_max; /* 0: the client's */
};

struct rest_answer {
    struct http_response response;
    int status; /* 0: there was none */
    struct rest_problem problem;
    bool maybe_done; /* an earlier try may have had its effect */
};

void rest_answer_deinit(struct rest_answer *a); /* zeroed is fine */

/*
 * *out is initialised here; ERR_OK is a status below 300. Tries again what may be tried again until
 * the deadline. Thread: any.
 */
MUST_USE enum err_code rest_send(struct rest_catalog *c, const struct rest_call *call,
                                 struct rest_answer *out, struct err *e);

/* How long to try in all, in us: long only where somebody has answered before. */
int64_t rest_patience_us(const struct rest_catalog *c, bool answered);

/* Adds which setting has the address that nobody answers at; *e stays worth another try. */
void rest_doubt_address(struct err *e, const char *setting);

/* Waits as Retry-After says (NULL or unreadable: with backoff); false, at once, when that would be
 * beyond until_us (monotonic), or when the wait was cancelled. Thread: any. */
bool rest_wait(struct rest_catalog *c, const char *retry_after, struct retry *backoff,
               int64_t until_us);

/* The key for a change: that of the last one when it is the same; NULL when the server has none. */
const char *rest_change_key(struct rest_catalog *c, const char *path, const char *body);

/* How a change under a key ended: a server repeats a final answer for as long as it knows the key,
 * so that the same change goes out with another one from then on. */
void rest_key_used(struct rest_catalog *c, enum err_code rc);

/* rest_table.c */

#define REST_WHAT_BYTES (256 + 32)
/* "loading shop.orders". */
void rest_print_what(const char *doing, struct table_ident id, char out[REST_WHAT_BYTES]);
/* Errors: ERR_UNSUPPORTED the server does not list it. */
MUST_USE enum err_code rest_check_offer(const struct rest_catalog *c, enum rest_endpoint endpoint,
                                        const char *what, struct err *e);

/* A LoadTableResult, or a CommitTableResponse, which has no config. */
struct rest_table {
    char *metadata_location;
    struct iceberg_metadata *metadata; /* NULL unless wanted */
    json_t *json;
};

/* Errors: ERR_CORRUPT, ERR_UNSUPPORTED. */
MUST_USE enum err_code rest_table_parse(struct span body, bool with_metadata,
                                        struct rest_table *out, struct err *e);
void rest_table_deinit(struct rest_table *t);

/* One page of a namespace's tables: names are added; *next is the token of the page behind
 * (malloc'd), NULL at the end. Errors: ERR_CORRUPT. */
MUST_USE enum err_code rest_list_parse(struct span body, const char *ns, struct locations *names,
                                       char **next, struct err *e);

/* The change from base to next with the table's name: the body of a commit, or one of the
 * table-changes of a transaction. */
MUST_USE enum err_code rest_table_change(struct table_ident id, const struct iceberg_metadata *base,
                                         const struct iceberg_metadata *next, json_t **out,
                                         struct err *e);

enum err_code rest_load(struct catalog *base, struct table_ident id, struct catalog_table *out,
                        struct err *e);
enum err_code rest_create(struct catalog *base, struct table_ident id,
                          const struct iceberg_metadata *metadata, struct err *e);
enum err_code rest_swap(struct catalog *base, const struct catalog_swap *swap, struct err *e);
enum err_code rest_swap_all(struct catalog *base, const struct catalog_swap *swaps, uint32_t count,
                            struct err *e);
enum err_code rest_list(struct catalog *base, const char *ns,
                        enum err_code (*each)(void *ctx, struct table_ident id, struct err *e),
                        void *ctx, struct err *e);
enum err_code rest_drop(struct catalog *base, struct table_ident id, struct err *e);

/* rest_lent.c */
void rest_lent_init(struct rest_lent *l);
void rest_lent_deinit(struct rest_lent *l);

/* Whether the table's keys are not known or end soon, so that a load should ask for new ones. */
bool rest_lent_wanted(struct rest_catalog *c, struct table_ident id);

/* Takes the keys out of a LoadTableResult, if it has any. Thread: any. */
MUST_USE enum err_code rest_lent_note(struct rest_catalog *c, struct table_ident id,
                                      const json_t *result, struct err *e);

/* rest_vended.c: as struct s3_access_source; ctx is the catalog. */
enum err_code rest_lent_find(void *ctx, const char *location, bool renew, bool *found,
                             struct s3_access *out, struct err *e);

#endif
