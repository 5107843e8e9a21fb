#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_int.h"
#include "base/str.h"
#include "net/uri.h"

/* ---- partitions ---- */

struct partition {
    const char *prefix; /* of its regions' names */
    const char *domain;
};

static const struct partition partitions[] = {
    {"cn-", "amazonaws.com.cn"},    {"us-iso-", "c2s.ic.gov"},      {"us-isob-", "sc2s.sgov.gov"},
    {"eu-isoe-", "cloud.adc-e.uk"}, {"us-isof-", "csp.hci.ic.gov"}, {"eusc-", "amazonaws.eu"},
    {"us-gov-", "amazonaws.com"},
};

#define PARTITIONS (sizeof partitions / sizeof partitions[0])

static const char *domain_of(const char *region)
{
    for (size_t i = 0; i < PARTITIONS; i++) {
        if (str_starts_with(region, partitions[i].prefix)) {
            return partitions[i].domain;
        }
    }
    return "amazonaws.com";
}

bool aws_region_is_valid(const char *region)
{
    size_t len = strlen(region);

    for (const char *p = region; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '-' || *p == '_';

        if (!plain) {
            return false;
        }
    }
    return len > 0 && len < AWS_REGION_BYTES;
}

/* ---- endpoints from settings ---- */

/* The value of "NAME=value"; NULL when there is none, or an empty one. */
static const char *variable(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') {
            return (*environment)[len + 1] == '\0' ? NULL : *environment + len + 1;
        }
    }
    return NULL;
}

static const char *configured(const char *service, const char *const *environment)
{
    static const char prefix[] = "AWS_ENDPOINT_URL_";
    char name[sizeof prefix + 32];
    const char *ignore = variable(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

    if (ignore != NULL && str_ieq(ignore, "true")) {
        return NULL;
    }
    (void)snprintf(name, sizeof name, "%s%s", prefix, service);
    for (char *p = name + sizeof prefix - 1; *p != '\0'; p++) {
        *p = *p == '-' || *p == ' ' ? '_' : (char)toupper((unsigned char)*p);
    }
    const char *found = variable(environment, name);

    return found == NULL ? variable(environment, "AWS_ENDPOINT_URL") : found;
}

char *aws_endpoint(const char *service, const char *region, const char *const *environment)
{
    const char *url = configured(service, environment);

    if (url == NULL) {
        return str_format("https://%s.%s.%s", service, region, domain_of(region));
    }
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return str_ndup(url, len);
}

/* ---- places ---- */

static enum err_code check_parts(const struct uri *u, const char *endpoint, struct err *e)
{
    bool http = span_ieq_str(u->scheme, "http");

    if (memchr(u->authority.data, '@', u->authority.len) != NULL) {
        /* What stands in front of it may be a password. */
        return err_set(e, ERR_CONFIG,
                       "an endpoint with a user's name in front of its host: keys have their own "
                       "settings");
    }
    if (!http && !span_ieq_str(u->scheme, "https")) {
        return err_set(e, ERR_CONFIG, "endpoint %.200s: http or https is needed", endpoint);
    }
    if (u->query.len > 0 || strchr(endpoint, '#') != NULL) {
        return err_set(e, ERR_CONFIG, "endpoint at %.*s: no query and no fragment belongs there",
                       (int)u->authority.len, (const char *)u->authority.data);
    }
    return ERR_OK;
}

static char *lower_copy(struct span text)
{
    char *copy = str_ndup(text.data, text.len);

    for (char *p = copy; p != NULL && *p != '\0'; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    }
    return copy;
}

/* Host with the brackets of an IPv6 address. */
static char *host_copy(struct span host)
{
    bool six = host.len > 0 && memchr(host.data, ':', host.len) != NULL;
    char *plain = lower_copy(host);

    if (!six || plain == NULL) {
        return plain;
    }
    char *wrapped = str_format("[%s]", plain);

    free(plain);
    return wrapped;
}

enum err_code aws_place_init(struct aws_place *p, const char *endpoint, struct err *e)
{
    struct uri u;

    *p = (struct aws_place){0};
    if (uri_parse(endpoint, &u, e) != ERR_OK) {
        return err_wrap(e, "an endpoint");
    }
    ERR_TRY(check_parts(&u, endpoint, e));
    while (u.path.len > 0 && u.path.data[u.path.len - 1] == '/') {
        u.path.len--;
    }
    p->scheme = lower_copy(u.scheme);
    p->host = host_copy(u.host);
    p->path = u.path.len == 0 ? str_dup("") : str_ndup(u.path.data, u.path.len);
    p->text = str_dup(endpoint);
    if (p->scheme == NULL || p->host == NULL || p->path == NULL || p->text == NULL) {
        aws_place_deinit(p);
        return err_nomem(e);
    }
    p->tls = strcmp(p->scheme, "https") == 0;
    p->port = u.port == uri_default_port(u.scheme) ? 0 : u.port;
    return ERR_OK;
}

void aws_place_deinit(struct aws_place *p)
{
    free(p->scheme);
    free(p->host);
    free(p->path);
    free(p->text);
    *p = (struct aws_place){0};
}

static bool is_own(const char *host)
{
    for (size_t i = 0; i < PARTITIONS; i++) {
        size_t host_len = strlen(host);
        size_t len = strlen(partitions[i].domain);

        if (host_len > len && host[host_len - len - 1] == '.' &&
            strcmp(host + host_len - len, partitions[i].domain) == 0) {
            return true;
        }
    }
    return false;
}

char *aws_place_host(const struct aws_place *p, const char *home, const char *region)
{
    const char *host = p->host;
    size_t len = strlen(home);

    if (len == 0 || strcmp(home, region) == 0 || !is_own(host) || strstr(host, ".vpce.") != NULL) {
        return str_dup(host);
    }
    /* The first region's S3 has a host without its name. */
    if (strcmp(host, "s3.amazonaws.com") == 0) {
        return str_format("s3.%s.%s", region, domain_of(region));
    }
    for (const char *at = strstr(host, home); at != NULL; at = strstr(at + 1, home)) {
        bool whole = at > host && (at[-1] == '.' || at[-1] == '-') && at[len] == '.';

        if (whole) {
            return str_format("%.*s%s%s", (int)(at - host), host, region, at + len);
        }
    }
    return str_dup(host);
}
