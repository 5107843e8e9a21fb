/*
 * config_properties.c - properties of Iceberg catalogs, in the words of PyIceberg and of Iceberg's
 * Java library, as settings of calve.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/config_int.h"
#include "base/str.h"

enum form {
    FORM_AS_IS,
    FORM_SECONDS,    /* "10", "2.5": a duration */
    FORM_PATH_STYLE, /* true: path */
    FORM_VIRTUAL,    /* true: virtual; false leaves it to the endpoint */
};

struct property {
    const char *name;
    const char *setting;
    enum form form;
};

/* Those whose setting has the same name need no line here. */
static const struct property properties[] = {
    {"token", "rest.token", FORM_AS_IS},
    {"credential", "rest.credential", FORM_AS_IS},
    {"oauth2-server-uri", "rest.oauth2-server-uri", FORM_AS_IS},
    {"scope", "rest.scope", FORM_AS_IS},
    {"audience", "rest.audience", FORM_AS_IS},
    {"resource", "rest.resource", FORM_AS_IS},
    {"prefix", "rest.prefix", FORM_AS_IS},
    {"rest.sigv4-enabled", "rest.sigv4", FORM_AS_IS},
    {"auth.basic.username", "rest.user", FORM_AS_IS},
    {"auth.basic.password", "rest.password", FORM_AS_IS},
    {"ssl.cabundle", "http.ca-bundle", FORM_AS_IS},
    {"ssl.client.cert", "http.client-cert", FORM_AS_IS},
    {"ssl.client.key", "http.client-key", FORM_AS_IS},
    {"s3.proxy-uri", "http.proxy", FORM_AS_IS},
    {"http-client.proxy-endpoint", "http.proxy", FORM_AS_IS},
    {"s3.connect-timeout", "http.connect-timeout", FORM_SECONDS},
    {"s3.request-timeout", "http.request-timeout", FORM_SECONDS},
    {"s3.path-style-access", "s3.addressing", FORM_PATH_STYLE},
    {"s3.force-virtual-addressing", "s3.addressing", FORM_VIRTUAL},
    {"s3.multipart.part-size-bytes", "s3.part-size", FORM_AS_IS},
    {"s3.multipart.num-threads", "s3.upload-threads", FORM_AS_IS},
    {"client.assume-role.arn", "client.role-arn", FORM_AS_IS},
    {"client.assume-role.external-id", "client.external-id", FORM_AS_IS},
    {"client.assume-role.session-name", "client.role-session-name", FORM_AS_IS},
    {"client.assume-role.region", "client.region", FORM_AS_IS},
    /* What PyIceberg had before its 0.8. */
    {"profile_name", "client.profile-name", FORM_AS_IS},
    {"region_name", "client.region", FORM_AS_IS},
    {"aws_access_key_id", "client.access-key-id", FORM_AS_IS},
    {"aws_secret_access_key", "client.secret-access-key", FORM_AS_IS},
    {"aws_session_token", "client.session-token", FORM_AS_IS},
};

/* Means nothing to calve, and leaving it out changes nothing of what it writes. */
static const char *const ignored[] = {
    "type",
    "uri",
    "warehouse",
    "io-impl",
    "py-io-impl",
    "catalog-impl",
    "py-catalog-impl",
    "downcast-ns-timestamp-to-us-on-write",
    "echo",
    "pool_pre_ping",
    "init_catalog_tables",
    "schema_version",
    "jdbc.schema-version",
    "glue.max-retries",
    "glue.retry-mode",
    "auth.type",
    "cache-enabled",
    "cache.expiration-interval-ms",
};

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (strcmp(name, ignored[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The settings of a catalog that a property can name as they are. */
static bool is_same_name(const char *name)
{
    static const char *const groups[] = {"s3.", "glue.", "client.", "rest."};

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (str_starts_with(name, groups[i])) {
            return config_find(span_str(name)) != NULL;
        }
    }
    return false;
}

static enum err_code put(struct config_loader *l, const char *setting, const char *value,
                         const char *where, struct err *e)
{
    return config_put_weaker(l, setting, value, CONFIG_RANK_PYICEBERG, where, e);
}

static enum err_code put_seconds(struct config_loader *l, const char *setting,
                                 const struct config_entry *p, struct err *e)
{
    char *end = NULL;
    double seconds = strtod(p->value, &end);
    const char *text;

    if (end == p->value || *end != '\0' || !isfinite(seconds) || seconds < 0 || seconds > 1e6) {
        return err_set(e, ERR_CONFIG, "%s: %s: '%.50s' must be a number of seconds", p->where,
                       p->key, p->value);
    }
    ERR_TRY(config_text(&l->c->arena, &text, e, "%.0fms", seconds * 1000));
    return put(l, setting, text, p->where, e);
}

static enum err_code put_form(struct config_loader *l, const struct property *known,
                              const struct config_entry *p, struct err *e)
{
    bool yes = str_ieq(p->value, "true") || strcmp(p->value, "1") == 0;

    switch (known->form) {
    case FORM_AS_IS:
        return put(l, known->setting, p->value, p->where, e);
    case FORM_SECONDS:
        return put_seconds(l, known->setting, p, e);
    case FORM_PATH_STYLE:
        return put(l, known->setting, yes ? "path" : "auto", p->where, e);
    case FORM_VIRTUAL:
        return put(l, known->setting, yes ? "virtual" : "auto", p->where, e);
    } /* no default: a new form breaks the build here */
    abort();
}

/* header.X-Tenant: the key came in lower case, which headers do not mind. */
static enum err_code put_header(struct config_loader *l, const struct config_entry *p,
                                struct err *e)
{
    const char *text;

    ERR_TRY(config_text(&l->c->arena, &text, e, "%s: %s", p->key + strlen("header."), p->value));
    if (config_given_of(l->c, "rest.header")->rank > CONFIG_RANK_PYICEBERG) {
        return ERR_OK;
    }
    return config_put(l, config_find(span_str("rest.header")), text, CONFIG_RANK_PYICEBERG,
                      p->where, e);
}

static enum err_code warn(struct config_loader *l, const struct config_entry *p, struct err *e)
{
    struct config_entry entry = {.where = p->where};

    ERR_TRY(
        config_text(&l->c->arena, &entry.key, e, "the catalog's property %s is not used", p->key));
    return config_entries_add(&l->warnings, &l->c->arena, entry, e);
}

/* A REST catalog's warehouse is a name that its server knows; the others' is a place. */
static enum err_code put_place(struct config_loader *l, const char *catalog_type,
                               const struct config_entry *p, struct err *e)
{
    bool rest = catalog_type != NULL && str_ieq(catalog_type, "rest");

    if (strcmp(p->key, "warehouse") == 0) {
        return put(l, rest ? "rest.warehouse" : "warehouse", p->value, p->where, e);
    }
    return put(l, "catalog.uri", p->value, p->where, e);
}

enum err_code config_put_property(struct config_loader *l, const char *catalog_type,
                                  const struct config_entry *p, struct err *e)
{
    if (strcmp(p->key, "warehouse") == 0 || strcmp(p->key, "uri") == 0) {
        return put_place(l, catalog_type, p, e);
    }
    if (is_ignored(p->key)) {
        return ERR_OK;
    }
    if (str_starts_with(p->key, "header.")) {
        return put_header(l, p, e);
    }
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (strcmp(p->key, properties[i].name) == 0) {
            return put_form(l, &properties[i], p, e);
        }
    }
    if (is_same_name(p->key)) {
        return put(l, p->key, p->value, p->where, e);
    }
    if (str_starts_with(p->key, "auth.")) {
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: calve does not know %s: for OAuth2 give credential (ID:SECRET), "
                       "oauth2-server-uri and scope, else token, or auth of type basic",
                       p->where, p->key);
    }
    return warn(l, p, e);
}
