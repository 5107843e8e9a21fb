/*
 * credentials_profile.c - keys by a profile of the shared config files.
 *
 * What a profile says is looked at in this order: a role (role_arn with source_profile,
 * credential_source or web_identity_token_file), SSO, keys, credential_process. A profile that is
 * another one's source_profile gives its keys before it assumes a role, so that it may name itself.
 *
 * Spec: AWS SDKs and Tools Reference Guide, "Assume role credential provider".
 */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_int.h"
#include "aws/credentials_int.h"

#define DEPTH_MAX 5u

const char *credentials_profile_name(const struct credentials_context *c)
{
    const char *name = c->profile == NULL ? credentials_variable(c, "AWS_PROFILE") : c->profile;

    return name == NULL ? "default" : name;
}

/* ---- files ---- */

/* What a variable names; NULL for none. */
static const char *named_file(const struct credentials_context *c, enum shared_config_file which)
{
    return credentials_variable(
        c, which == SHARED_CONFIG_FILE_CONFIG ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
}

static const char *file_of(const struct credentials_context *c, enum shared_config_file which)
{
    const char *named = named_file(c, which);

    if (named != NULL) {
        return named;
    }
    return which == SHARED_CONFIG_FILE_CONFIG ? "~/.aws/config" : "~/.aws/credentials";
}

static enum err_code load_file(const struct credentials_context *c, enum shared_config_file which,
                               struct shared_config *out, struct err *e)
{
    const char *name = file_of(c, which);
    char *path = NULL;
    struct buf text = {0};
    bool missing = false;

    if (named_file(c, which) == NULL && credentials_variable(c, "HOME") == NULL) {
        return ERR_OK;
    }
    enum err_code rc = credentials_path(c, name, &path, e);

    if (rc == ERR_OK) {
        rc = credentials_read_file(path, SHARED_CONFIG_BYTES_MAX, &text, &missing, e);
    }
    if (rc == ERR_OK && !missing) {
        rc = shared_config_parse(out, buf_span(&text), which, path, e);
    }
    credentials_wipe(&text);
    free(path);
    return rc;
}

enum err_code credentials_load_config(const struct credentials_context *c,
                                      struct shared_config *out, struct err *e)
{
    shared_config_init(out);
    ERR_TRY(load_file(c, SHARED_CONFIG_FILE_CONFIG, out, e));
    return load_file(c, SHARED_CONFIG_FILE_CREDENTIALS, out, e);
}

static enum err_code profile_missing(const struct credentials_context *c, const char *name,
                                     struct err *e)
{
    const char *home = credentials_variable(c, "HOME");

    return err_set(e, ERR_CONFIG, "profile '%s' is neither in %s nor in %s%s", name,
                   file_of(c, SHARED_CONFIG_FILE_CONFIG),
                   file_of(c, SHARED_CONFIG_FILE_CREDENTIALS),
                   home == NULL ? "; HOME is not set" : "");
}

static enum err_code copy_region(const char *region, const char *from, char **out, struct err *e)
{
    if (!aws_region_is_valid(region)) {
        return err_set(e, ERR_CONFIG, "the region of %s is '%.80s': expected one like eu-west-1",
                       from, region);
    }
    *out = str_dup(region);
    return *out == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code region_of_profile(const struct credentials_context *c, char **out,
                                       struct err *e)
{
    struct shared_config config;
    enum err_code rc = credentials_load_config(c, &config, e);
    const struct shared_config_value *v = shared_config_value(
        shared_config_find(&config, SHARED_CONFIG_KIND_PROFILE, credentials_profile_name(c)),
        "region");

    if (rc == ERR_OK && v != NULL) {
        rc = copy_region(v->text, v->file, out, e);
    }
    shared_config_deinit(&config);
    return rc;
}

enum err_code credentials_named_region(const struct credentials_context *c, char **out,
                                       struct err *e)
{
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};

    *out = NULL;
    if (c->region != NULL) {
        return copy_region(c->region, "the settings", out, e);
    }
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *region = credentials_variable(c, variables[i]);

        if (region != NULL) {
            return copy_region(region, variables[i], out, e);
        }
    }
    return region_of_profile(c, out, e);
}

/* ---- one profile ---- */

struct walk {
    const struct credentials_context *context;
    struct shared_config config;
    const char *visited[DEPTH_MAX];
    unsigned depth;
};

typedef const struct shared_config_section profile;

static bool has(profile *p, const char *name)
{
    return shared_config_value(p, name) != NULL;
}

static bool has_keys(profile *p)
{
    return has(p, "aws_access_key_id") || has(p, "aws_secret_access_key");
}

/* The three belong together: keys of one file and a session token of the other would not fit. */
static enum err_code from_keys(profile *p, struct credentials *out, struct err *e)
{
    const struct shared_config_value *id = shared_config_value(p, "aws_access_key_id");
    const struct shared_config_value *secret = shared_config_value(p, "aws_secret_access_key");
    const struct shared_config_value *token = shared_config_value(p, "aws_session_token");
    const struct shared_config_value *one = id == NULL ? secret : id;

    if (id == NULL || secret == NULL || strcmp(id->file, secret->file) != 0) {
        return err_set(e, ERR_CONFIG, "%s has %s and not the %s that belongs to it", one->file,
                       one->name, id == NULL ? "aws_access_key_id" : "aws_secret_access_key");
    }
    bool fits = token != NULL && strcmp(token->file, id->file) == 0;

    credentials_set_provider(out, "profile %s", p->name);
    return credentials_set(out, id->text, secret->text, fits ? token->text : NULL, INT64_MAX, e);
}

static bool has_sso(profile *p)
{
    return has(p, "sso_session") || has(p, "sso_start_url") || has(p, "sso_account_id") ||
           has(p, "sso_role_name");
}

static enum err_code from_sso(const struct walk *w, profile *p, struct credentials *out,
                              struct err *e)
{
    const char *session = shared_config_text(p, "sso_session");
    profile *place = session == NULL
                         ? p
                         : shared_config_find(&w->config, SHARED_CONFIG_KIND_SSO_SESSION, session);
    const struct credentials_sso sso = {
        .profile = p->name,
        .session = session,
        .start_url = shared_config_text(place, "sso_start_url"),
        .region = shared_config_text(place, "sso_region"),
        .account_id = shared_config_text(p, "sso_account_id"),
        .role_name = shared_config_text(p, "sso_role_name"),
    };
    const char *missing = sso.start_url == NULL    ? "sso_start_url"
                          : sso.region == NULL     ? "sso_region"
                          : sso.account_id == NULL ? "sso_account_id"
                          : sso.role_name == NULL  ? "sso_role_name"
                                                   : NULL;

    if (place == NULL) {
        return err_set(e, ERR_CONFIG, "%s has no section [sso-session %s]",
                       file_of(w->context, SHARED_CONFIG_FILE_CONFIG), session);
    }
    if (missing != NULL) {
        bool of_session = session != NULL && (sso.start_url == NULL || sso.region == NULL);

        return err_set(e, ERR_CONFIG, "%s is missing in [%s %s]", missing,
                       of_session ? "sso-session" : "profile", of_session ? session : p->name);
    }
    ERR_TRY(credentials_from_sso(w->context, &sso, out, e));
    credentials_set_provider(out, "profile %s (sso)", p->name);
    return ERR_OK;
}

static enum err_code from_process(const struct walk *w, profile *p, struct credentials *out,
                                  struct err *e)
{
    const struct shared_config_value *command = shared_config_value(p, "credential_process");
    enum err_code rc = credentials_from_process(w->context, command->text, out, e);

    if (rc != ERR_OK) {
        err_wrap(e, "credential_process (%s line %u)", command->file, command->line);
        return rc;
    }
    credentials_set_provider(out, "profile %s (process)", p->name);
    return ERR_OK;
}

/* ---- roles ---- */

static enum err_code resolve(struct walk *w, const char *name, bool *configured,
                             struct credentials *out, struct err *e);

static enum err_code read_duration(profile *p, int64_t *out_us, struct err *e)
{
    const struct shared_config_value *v = shared_config_value(p, "duration_seconds");
    uint64_t seconds = 0;

    if (v != NULL &&
        (!str_to_u64(span_str(v->text), &seconds) || seconds == 0 || seconds > UINT32_MAX)) {
        return err_set(e, ERR_CONFIG, "%s line %u: duration_seconds is '%s': expected a number",
                       v->file, v->line, v->text);
    }
    *out_us = (int64_t)seconds * 1000000;
    return ERR_OK;
}

static enum err_code from_source_profile(struct walk *w, profile *p, const char *source,
                                         struct credentials *out, struct err *e)
{
    profile *there = shared_config_find(&w->config, SHARED_CONFIG_KIND_PROFILE, source);
    bool configured = false;

    /* A profile that was on the way already may only be the one that names itself, for its keys. */
    for (unsigned i = 0; i < w->depth; i++) {
        if (strcmp(w->visited[i], source) == 0 && !(i + 1 == w->depth && has_keys(there))) {
            return err_set(e, ERR_CONFIG, "source_profile '%s' leads in a circle", source);
        }
    }
    if (w->depth == DEPTH_MAX) {
        return err_set(e, ERR_CONFIG, "more than %u profiles name each other as source_profile",
                       DEPTH_MAX);
    }
    enum err_code rc = resolve(w, source, &configured, out, e);

    if (rc != ERR_OK) {
        err_wrap(e, "source_profile of '%s'", p->name);
        return rc;
    }
    return configured ? ERR_OK : err_set(e, ERR_CONFIG, "source_profile '%s' has no keys", source);
}

static enum err_code from_source(const struct walk *w, const char *source, struct credentials *out,
                                 struct err *e)
{
    static const struct {
        const char *name;
        credentials_provider *ask;
    } sources[] = {{"Environment", credentials_from_environment},
                   {"Ec2InstanceMetadata", credentials_from_imds},
                   {"EcsContainer", credentials_from_container}};

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strcmp(source, sources[i].name) == 0) {
            bool configured = false;
            enum err_code rc = sources[i].ask(w->context, &configured, out, e);

            if (rc != ERR_OK) {
                err_wrap(e, "credential_source = %s", source);
            } else if (!configured) {
                rc = err_set(e, ERR_CONFIG, "credential_source = %s: there are no keys", source);
            }
            return rc;
        }
    }
    return err_set(e, ERR_CONFIG,
                   "credential_source is '%s': expected Environment, Ec2InstanceMetadata or "
                   "EcsContainer",
                   source);
}

/* The keys to assume the role with; none for a web identity. */
static enum err_code find_base(struct walk *w, profile *p, struct credentials *out, struct err *e)
{
    const char *source_profile = shared_config_text(p, "source_profile");
    const char *source = shared_config_text(p, "credential_source");
    const char *token_file = shared_config_text(p, "web_identity_token_file");

    if ((source_profile != NULL) + (source != NULL) + (token_file != NULL) != 1) {
        return err_set(e, ERR_CONFIG,
                       "role_arn needs one of source_profile, credential_source and "
                       "web_identity_token_file: who is to assume the role?");
    }
    if (source_profile != NULL) {
        return from_source_profile(w, p, source_profile, out, e);
    }
    return source == NULL ? ERR_OK : from_source(w, source, out, e);
}

static enum err_code from_role(struct walk *w, profile *p, struct credentials *out, struct err *e)
{
    const char *token_file = shared_config_text(p, "web_identity_token_file");
    struct credentials base = {0};
    struct credentials_role role = {.arn = shared_config_text(p, "role_arn"),
                                    .session_name = shared_config_text(p, "role_session_name"),
                                    .external_id = shared_config_text(p, "external_id"),
                                    .base = token_file == NULL ? &base : NULL};
    char *path = NULL;

    if (has(p, "mfa_serial")) {
        return err_set(
            e, ERR_CONFIG,
            "mfa_serial is set, and a program that runs by itself cannot ask for a code: "
            "use a role that needs none, or keys that another program renews "
            "(credential_process)");
    }
    enum err_code rc = read_duration(p, &role.duration_us, e);

    if (rc == ERR_OK) {
        rc = find_base(w, p, &base, e);
    }
    if (rc == ERR_OK && token_file != NULL) {
        rc = credentials_path(w->context, token_file, &path, e);
        role.token_file = path;
    }
    if (rc == ERR_OK) {
        rc = credentials_assume_role(w->context, &role, out, e);
    }
    if (rc == ERR_OK && token_file != NULL) {
        credentials_set_provider(out, "profile %s (web identity, role %s)", p->name, role.arn);
    }
    credentials_deinit(&base);
    free(path);
    return rc;
}

static enum err_code from_any(struct walk *w, profile *p, bool *configured, struct credentials *out,
                              struct err *e)
{
    bool first = w->depth == 1;

    if (has(p, "role_arn") && (first || !has_keys(p))) {
        return from_role(w, p, out, e);
    }
    if (has_sso(p)) {
        return from_sso(w, p, out, e);
    }
    if (has(p, "login_session")) {
        return err_set(e, ERR_CONFIG,
                       "login_session (aws login) is not supported: use SSO, keys, a role or "
                       "credential_process");
    }
    if (has_keys(p)) {
        return from_keys(p, out, e);
    }
    if (has(p, "credential_process")) {
        return from_process(w, p, out, e);
    }
    if (has(p, "source_profile") || has(p, "credential_source") ||
        has(p, "web_identity_token_file")) {
        return err_set(e, ERR_CONFIG, "role_arn, the role to assume, is missing");
    }
    *configured = false;
    return ERR_OK;
}

/* Recursion is bounded by DEPTH_MAX. */
static enum err_code resolve(struct walk *w, const char *name, bool *configured,
                             struct credentials *out, struct err *e)
{
    profile *p = shared_config_find(&w->config, SHARED_CONFIG_KIND_PROFILE, name);

    *configured = true;
    if (p == NULL) {
        return profile_missing(w->context, name, e);
    }
    w->visited[w->depth++] = name;
    enum err_code rc = from_any(w, p, configured, out, e);

    w->depth--;
    if (rc != ERR_OK) {
        err_wrap(e, "profile '%s'", name);
    }
    return rc;
}

enum err_code credentials_from_profile(const struct credentials_context *c, bool *configured,
                                       struct credentials *out, struct err *e)
{
    const char *name = credentials_profile_name(c);
    struct walk w = {.context = c};
    enum err_code rc = credentials_load_config(c, &w.config, e);

    *configured = true;
    if (rc == ERR_OK && strcmp(name, "default") == 0 &&
        shared_config_find(&w.config, SHARED_CONFIG_KIND_PROFILE, name) == NULL) {
        *configured = false;
    } else if (rc == ERR_OK) {
        rc = resolve(&w, name, configured, out, e);
    }
    shared_config_deinit(&w.config);
    return rc;
}
