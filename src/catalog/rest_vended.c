/*
 * rest_vended.c - keys that the server lends for a table's files.
 *
 *   {"metadata": {"location": "s3://lake/shop/orders", ...},
 *    "config": {"s3.access-key-id": "a", "s3.secret-access-key": "b", "s3.session-token": "c",
 *               "s3.session-token-expires-at-ms": "1700000000000", "client.region": "eu-west-1"},
 *    "storage-credentials": [{"prefix": "s3://lake/shop/orders/data", "config": {...}}]}
 *
 * A table is found by where its files are. Of its keys those with the longest prefix of the
 * location count, before those of "config". Keys are renewed five minutes before their end, and
 * when the store says that they were refused; one thread asks, and the others go on with the keys
 * they have for as long as these are good.
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "catalog/rest_int.h"

#define TABLES_MAX     4096u
#define KEYS_MAX       32u /* of one table */
#define SCOPES_MAX     8u
#define RENEW_EARLY_US (INT64_C(300) * 1000000)
#define RENEW_AGAIN_US (INT64_C(30) * 1000000)
/* Keys this young were not known to who says that his were refused. */
#define RENEWED_US (INT64_C(5) * 1000000)

struct lent_keys {
    char *prefix; /* "": of all the table's files */
    char *access_key_id;
    struct secret secret_access_key;
    struct secret session_token;
    int64_t expires_us; /* wall clock; INT64_MAX: not said */
    int64_t early_us;   /* so long before they are renewed */
    char *region;       /* NULL: not said, as endpoint */
    char *endpoint;
    bool path_style;
};

struct lent_table {
    char *ns;
    char *name;
    struct locations scopes; /* where its files are, without a '/' at the end */
    struct lent_keys *keys;
    uint32_t key_count;
    json_t *config; /* the table's, for what its keys do not say */
    uint64_t used;
    int64_t renewed_us;    /* monotonic */
    int64_t not_before_us; /* a renewal failed: when to try again */
};

void rest_lent_init(struct rest_lent *l)
{
    *l = (struct rest_lent){0};
    (void)pthread_mutex_init(&l->mutex, NULL);
    (void)pthread_mutex_init(&l->renewal, NULL);
}

static void keys_free(struct lent_keys *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(keys[i].prefix);
        free(keys[i].access_key_id);
        secret_wipe(&keys[i].secret_access_key);
        secret_wipe(&keys[i].session_token);
        free(keys[i].region);
        free(keys[i].endpoint);
    }
    free(keys);
}

static void table_free(struct lent_table *t)
{
    if (t != NULL) {
        free(t->ns);
        free(t->name);
        locations_deinit(&t->scopes);
        keys_free(t->keys, t->key_count);
        json_decref(t->config);
        free(t);
    }
}

void rest_lent_deinit(struct rest_lent *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        table_free(l->tables[i]);
    }
    free(l->tables);
    (void)pthread_mutex_destroy(&l->mutex);
    (void)pthread_mutex_destroy(&l->renewal);
}

/* Behind the scheme, where s3, s3a and s3n are the same; else the whole. */
static struct span bare(struct span location)
{
    static const char *const schemes[] = {"s3://", "s3a://", "s3n://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);

        if (location.len >= len && memcmp(location.data, schemes[i], len) == 0) {
            return span_of(location.data + len, location.len - len);
        }
    }
    return location;
}

static bool starts_with(struct span text, struct span prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* Whether the location is the folder or below it. */
static bool lies_in(struct span location, struct span folder)
{
    return starts_with(location, folder) &&
           (location.len == folder.len || location.data[folder.len] == '/');
}

static struct lent_table *find_ident(const struct rest_lent *l, struct table_ident id)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (strcmp(l->tables[i]->ns, id.ns) == 0 && strcmp(l->tables[i]->name, id.name) == 0) {
            return l->tables[i];
        }
    }
    return NULL;
}

/* The table whose files are in the innermost folder around the location. */
static struct lent_table *find_location(const struct rest_lent *l, const char *location)
{
    struct span at = bare(span_str(location));
    struct lent_table *best = NULL;
    size_t best_len = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        const struct locations *scopes = &l->tables[i]->scopes;

        for (uint32_t k = 0; k < scopes->count; k++) {
            struct span folder = bare(span_str(scopes->items[k]));

            if (folder.len > best_len && lies_in(at, folder)) {
                best = l->tables[i];
                best_len = folder.len;
            }
        }
    }
    return best;
}

/* "s3" and "s3://" stand for all of S3. */
static bool is_prefix(const char *prefix, const char *location)
{
    if (strcmp(prefix, "s3") == 0) {
        return true;
    }
    return starts_with(bare(span_str(location)), bare(span_str(prefix)));
}

static const struct lent_keys *find_keys(const struct lent_table *t, const char *location)
{
    const struct lent_keys *best = NULL;

    for (uint32_t i = 0; i < t->key_count; i++) {
        const struct lent_keys *k = &t->keys[i];

        if (is_prefix(k->prefix, location) &&
            (best == NULL || strlen(k->prefix) > strlen(best->prefix))) {
            best = k;
        }
    }
    return best;
}

/* Of the keys' own config, the table's, or the catalog's. */
static const char *config_text(const struct rest_catalog *c, const json_t *own, const json_t *table,
                               const char *key)
{
    const char *text = rest_text(own, key);

    if (text == NULL) {
        text = rest_text(table, key);
    }
    return text == NULL ? rest_setting(&c->config, key, NULL) : text;
}

static bool copy_text(const char *text, char **out)
{
    *out = text == NULL || text[0] == '\0' ? NULL : str_dup(text);
    return text == NULL || text[0] == '\0' || *out != NULL;
}

static int64_t expiry_us(const char *text)
{
    int64_t ms;

    if (text == NULL || !str_to_i64(span_str(text), &ms) || ms <= 0 || ms > INT64_MAX / 1000) {
        return INT64_MAX;
    }
    return ms * 1000;
}

/* Keys of a few minutes are not renewed all the time. */
static int64_t early_us(int64_t now_us, int64_t expires_us)
{
    int64_t half_us = expires_us > now_us ? (expires_us - now_us) / 2 : 0;

    return half_us < RENEW_EARLY_US ? half_us : RENEW_EARLY_US;
}

/* Keys out of a config that has some. */
static enum err_code make_keys(const struct rest_catalog *c, const char *prefix, const json_t *own,
                               const json_t *table, struct lent_keys *out, struct err *e)
{
    const char *region = config_text(c, own, table, "client.region");
    const char *path_style = config_text(c, own, table, "s3.path-style-access");

    *out = (struct lent_keys){
        .expires_us = expiry_us(rest_text(own, "s3.session-token-expires-at-ms")),
        .path_style = path_style != NULL && str_ieq(path_style, "true"),
    };
    out->early_us = early_us(clock_wall_us(&c->base.clock), out->expires_us);
    if (region == NULL) {
        region = config_text(c, own, table, "s3.region");
    }
    out->prefix = str_dup(prefix);
    return out->prefix != NULL &&
                   copy_text(rest_text(own, "s3.access-key-id"), &out->access_key_id) &&
                   copy_text(rest_text(own, "s3.secret-access-key"),
                             &out->secret_access_key.text) &&
                   copy_text(rest_text(own, "s3.session-token"), &out->session_token.text) &&
                   copy_text(region, &out->region) &&
                   copy_text(config_text(c, own, table, "s3.endpoint"), &out->endpoint)
               ? ERR_OK
               : err_nomem(e);
}

static bool has_keys(const json_t *config)
{
    const char *id = rest_text(config, "s3.access-key-id");
    const char *secret = rest_text(config, "s3.secret-access-key");

    return id != NULL && id[0] != '\0' && secret != NULL && secret[0] != '\0';
}

/* All keys of a result; none is fine. */
static enum err_code read_keys(const struct rest_catalog *c, const json_t *result,
                               const json_t *table_config, struct lent_keys **out, uint32_t *count,
                               struct err *e)
{
    const json_t *config = json_object_get(result, "config");
    const json_t *list = json_object_get(result, "storage-credentials");
    struct lent_keys *keys = calloc(KEYS_MAX + (size_t)1, sizeof *keys);
    enum err_code rc = keys == NULL ? err_nomem(e) : ERR_OK;
    uint32_t made = 0;
    size_t i;
    json_t *item;

    if (rc == ERR_OK && has_keys(config)) {
        rc = make_keys(c, "", config, table_config, &keys[made++], e);
    }
    json_array_foreach(list, i, item)
    {
        const json_t *own = json_object_get(item, "config");
        const char *prefix = rest_text(item, "prefix");

        if (rc == ERR_OK && made <= KEYS_MAX && prefix != NULL && has_keys(own)) {
            rc = make_keys(c, prefix, own, table_config, &keys[made++], e);
        }
    }
    if (rc != ERR_OK || made == 0) {
        keys_free(keys, made);
        return rc;
    }
    *out = keys;
    *count = made;
    return ERR_OK;
}

static enum err_code add_scope(struct locations *scopes, const char *location, struct err *e)
{
    size_t len = location == NULL ? 0 : strlen(location);

    while (len > 0 && location[len - 1] == '/') {
        len--;
    }
    /* A whole scheme or nothing would be everybody's. */
    if (len == 0 || scopes->count >= SCOPES_MAX || location[len - 1] == ':' ||
        bare(span_of(location, len)).len == 0 || strstr(location, "://") == NULL) {
        return ERR_OK;
    }
    return locations_add(scopes, span_of(location, len), e);
}

static enum err_code read_scopes(const json_t *result, const struct lent_keys *keys, uint32_t count,
                                 struct locations *out, struct err *e)
{
    static const char *const paths[] = {"write.data.path", "write.metadata.path",
                                        "write.object-storage.path", "write.folder-storage.path"};
    const json_t *metadata = json_object_get(result, "metadata");
    const json_t *properties = json_object_get(metadata, "properties");

    ERR_TRY(add_scope(out, rest_text(metadata, "location"), e));
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ERR_TRY(add_scope(out, rest_text(properties, paths[i]), e));
    }
    for (uint32_t i = 0; i < count; i++) {
        ERR_TRY(add_scope(out, keys[i].prefix, e));
    }
    return ERR_OK;
}

static enum err_code make_table(const struct rest_catalog *c, struct table_ident id,
                                const json_t *result, struct lent_table **out, struct err *e)
{
    struct lent_table *t = calloc(1, sizeof *t);
    json_t *config = json_object_get(result, "config");
    enum err_code rc = t == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK) {
        t->ns = str_dup(id.ns);
        t->name = str_dup(id.name);
        t->config = json_is_object(config) ? json_deep_copy(config) : NULL;
        rc = t->ns == NULL || t->name == NULL || (json_is_object(config) && t->config == NULL)
                 ? err_nomem(e)
                 : read_keys(c, result, t->config, &t->keys, &t->key_count, e);
    }
    if (rc == ERR_OK) {
        rc = read_scopes(result, t->keys, t->key_count, &t->scopes, e);
    }
    if (rc != ERR_OK) {
        table_free(t);
        return rc;
    }
    *out = t;
    return ERR_OK;
}

/* The place of a table, or that of the one whose keys were used least lately. */
static enum err_code place_of(struct rest_lent *l, struct table_ident id, uint32_t *place,
                              struct err *e)
{
    uint32_t oldest = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        if (strcmp(l->tables[i]->ns, id.ns) == 0 && strcmp(l->tables[i]->name, id.name) == 0) {
            *place = i;
            return ERR_OK;
        }
        oldest = l->tables[i]->used < l->tables[oldest]->used ? i : oldest;
    }
    if (l->count >= TABLES_MAX) {
        *place = oldest;
        return ERR_OK;
    }
    struct lent_table **grown = realloc(l->tables, (l->count + (size_t)1) * sizeof *grown);

    if (grown == NULL) {
        return err_nomem(e);
    }
    l->tables = grown;
    l->tables[l->count] = NULL;
    *place = l->count++;
    return ERR_OK;
}

enum err_code rest_lent_note(struct rest_catalog *c, struct table_ident id, const json_t *result,
                             struct err *e)
{
    struct rest_lent *l = &c->lent;
    struct lent_table *t = NULL;
    uint32_t place = 0;

    if (!c->vended || (json_object_get(result, "config") == NULL &&
                       json_object_get(result, "storage-credentials") == NULL)) {
        return ERR_OK;
    }
    ERR_TRY(make_table(c, id, result, &t, e));
    if (t->key_count == 0) {
        table_free(t);
        return ERR_OK;
    }
    (void)pthread_mutex_lock(&l->mutex);
    enum err_code rc = place_of(l, id, &place, e);

    if (rc == ERR_OK) {
        t->used = ++l->uses;
        t->renewed_us = clock_mono_us(&c->base.clock);
        table_free(l->tables[place]);
        l->tables[place] = t;
    }
    (void)pthread_mutex_unlock(&l->mutex);
    if (rc != ERR_OK) {
        table_free(t);
    }
    return rc;
}

bool rest_lent_wanted(struct rest_catalog *c, struct table_ident id)
{
    int64_t now_us = clock_wall_us(&c->base.clock);

    (void)pthread_mutex_lock(&c->lent.mutex);
    const struct lent_table *t = find_ident(&c->lent, id);
    bool wanted = t == NULL;

    for (uint32_t i = 0; !wanted && i < t->key_count; i++) {
        /* Twice as early as they would be asked for alone: a load is at hand. */
        wanted = t->keys[i].expires_us - 2 * t->keys[i].early_us <= now_us;
    }
    (void)pthread_mutex_unlock(&c->lent.mutex);
    return wanted;
}

/* The keys of the answer take the place of a table's, which keeps its scopes and its config. */
static enum err_code take_renewed(struct rest_catalog *c, struct table_ident id,
                                  const json_t *answer, struct err *e)
{
    struct rest_lent *l = &c->lent;
    struct lent_keys *keys = NULL;
    uint32_t count = 0;
    json_t *config = NULL;

    (void)pthread_mutex_lock(&l->mutex);
    struct lent_table *t = find_ident(l, id);
    enum err_code rc = ERR_OK;

    if (t != NULL) {
        config = json_object_get(answer, "config");
        rc = read_keys(c, answer, config == NULL ? t->config : config, &keys, &count, e);
    }
    if (t != NULL && rc == ERR_OK && count == 0) {
        rc = err_set(e, ERR_CONFIG, "the catalog lends no keys for the table any more");
    }
    if (t != NULL && rc == ERR_OK) {
        keys_free(t->keys, t->key_count);
        t->keys = keys;
        t->key_count = count;
        t->renewed_us = clock_mono_us(&c->base.clock);
        t->not_before_us = 0;
    }
    (void)pthread_mutex_unlock(&l->mutex);
    return rc;
}

/* Asks the server for new keys of a table. */
static enum err_code ask_server(struct rest_catalog *c, struct table_ident id, struct err *e)
{
    bool offered = c->config.offers[REST_ENDPOINT_CREDENTIALS];
    struct rest_answer answer = {0};
    char table[TABLE_NAME_BYTES];
    char what[TABLE_NAME_BYTES + 32];
    json_t *json = NULL;
    char *path = rest_table_path(c, id, offered ? "/credentials" : "");

    table_ident_print(id, table);
    (void)snprintf(what, sizeof what, "renewing the keys of %s", table);
    enum err_code rc = path == NULL
                           ? err_nomem(e)
                           : rest_send(c,
                                       &(struct rest_call){
                                           .op = offered ? REST_OP_CREDENTIALS : REST_OP_LOAD,
                                           .what = what,
                                           .path = path,
                                           .query = offered ? NULL : "snapshots=refs",
                                           .lend = true,
                                           .response_bytes_max = REST_TABLE_BYTES_MAX,
                                       },
                                       &answer, e);

    if (rc == ERR_OK) {
        rc = rest_json_parse(buf_span(&answer.response.body), &json, e);
        if (rc == ERR_OK) {
            rc = take_renewed(c, id, json, e);
        }
        if (rc != ERR_OK) {
            err_wrap(e, "%s", what);
        }
    }
    json_decref(json);
    rest_answer_deinit(&answer);
    free(path);
    return rc;
}

/* What find() saw of a table, to come back to after the mutex was free. */
struct seen {
    char *ns; /* NULL: nothing to renew */
    char *name;
    int64_t renewed_us;
    bool urgent; /* the keys at hand are no good */
};

static void seen_deinit(struct seen *s)
{
    free(s->ns);
    free(s->name);
}

static bool is_renewed(struct rest_catalog *c, const struct seen *s)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    const struct lent_table *t = find_ident(&c->lent, (struct table_ident){s->ns, s->name});
    bool renewed = t == NULL || t->renewed_us != s->renewed_us;

    (void)pthread_mutex_unlock(&c->lent.mutex);
    return renewed;
}

static void put_off(struct rest_catalog *c, const struct seen *s)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    struct lent_table *t = find_ident(&c->lent, (struct table_ident){s->ns, s->name});

    if (t != NULL) {
        t->not_before_us = clock_mono_us(&c->base.clock) + RENEW_AGAIN_US;
    }
    (void)pthread_mutex_unlock(&c->lent.mutex);
}

/* Only one thread asks; who has keys that are still good does not wait for it. */
static enum err_code renew_keys(struct rest_catalog *c, const struct seen *s, struct err *e)
{
    struct err why = {0};

    if (s->urgent) {
        (void)pthread_mutex_lock(&c->lent.renewal);
    } else if (pthread_mutex_trylock(&c->lent.renewal) != 0) {
        return ERR_OK;
    }
    enum err_code rc =
        is_renewed(c, s) ? ERR_OK : ask_server(c, (struct table_ident){s->ns, s->name}, &why);

    (void)pthread_mutex_unlock(&c->lent.renewal);
    if (rc == ERR_OK) {
        return ERR_OK;
    }
    if (!s->urgent) {
        log_warn(c->base.log, "catalog.keys", LOG_STR("reason", why.msg));
        put_off(c, s);
        return ERR_OK;
    }
    if (e != NULL) {
        *e = why;
    }
    return rc;
}

static enum err_code copy_keys(const struct lent_keys *k, struct s3_access *out, struct err *e)
{
    *out = (struct s3_access){.path_style = k->path_style};
    out->credentials.expires_us = k->expires_us;
    (void)snprintf(out->credentials.provider, sizeof out->credentials.provider, "%s", "catalog");
    bool copied = copy_text(k->access_key_id, &out->credentials.access_key_id) &&
                  copy_text(k->secret_access_key.text, &out->credentials.secret_access_key.text) &&
                  copy_text(k->session_token.text, &out->credentials.session_token.text) &&
                  copy_text(k->region, &out->region) && copy_text(k->endpoint, &out->endpoint);

    if (!copied) {
        s3_access_deinit(out);
        return err_nomem(e);
    }
    return ERR_OK;
}

/* Copies the keys, or notes the table whose keys are to be renewed first or beside. */
static enum err_code look(struct rest_catalog *c, const char *location, bool renew, bool *found,
                          struct s3_access *out, struct seen *seen, struct err *e)
{
    struct lent_table *t = find_location(&c->lent, location);
    const struct lent_keys *k = t == NULL ? NULL : find_keys(t, location);

    *found = k != NULL;
    if (t == NULL || k == NULL) {
        return ERR_OK;
    }
    int64_t left_us = k->expires_us - clock_wall_us(&c->base.clock);
    int64_t now_us = clock_mono_us(&c->base.clock);
    bool refused = renew && now_us - t->renewed_us > RENEWED_US;

    t->used = ++c->lent.uses;
    seen->urgent = refused || left_us <= 0;
    if (seen->urgent || (left_us <= k->early_us && now_us >= t->not_before_us)) {
        seen->renewed_us = t->renewed_us;
        seen->ns = str_dup(t->ns);
        seen->name = str_dup(t->name);
        if (seen->ns == NULL || seen->name == NULL) {
            return err_nomem(e);
        }
    }
    return seen->urgent ? ERR_OK : copy_keys(k, out, e);
}

static enum err_code look_locked(struct rest_catalog *c, const char *location, bool renew,
                                 bool *found, struct s3_access *out, struct seen *seen,
                                 struct err *e)
{
    (void)pthread_mutex_lock(&c->lent.mutex);
    enum err_code rc = look(c, location, renew, found, out, seen, e);

    (void)pthread_mutex_unlock(&c->lent.mutex);
    return rc;
}

/* The second look, which takes what a renewal brought as it is. */
static enum err_code look_again(struct rest_catalog *c, const char *location, bool *found,
                                struct s3_access *out, struct err *e)
{
    struct seen seen = {0};
    enum err_code rc = look_locked(c, location, false, found, out, &seen, e);

    if (rc == ERR_OK && seen.urgent) {
        rc = err_set_retryable(e, ERR_IO,
                               "the keys that the catalog lends for %s have ended already: is this "
                               "machine's clock right?",
                               location);
    }
    seen_deinit(&seen);
    return rc;
}

enum err_code rest_lent_find(void *ctx, const char *location, bool renew, bool *found,
                             struct s3_access *out, struct err *e)
{
    struct rest_catalog *c = ctx;
    struct seen seen = {0};

    *out = (struct s3_access){0};
    enum err_code rc = look_locked(c, location, renew, found, out, &seen, e);

    if (rc == ERR_OK && seen.ns != NULL) {
        s3_access_deinit(out);
        *out = (struct s3_access){0};
        rc = renew_keys(c, &seen, e);
        if (rc == ERR_OK) {
            rc = look_again(c, location, found, out, e);
        }
    }
    seen_deinit(&seen);
    if (rc != ERR_OK) {
        s3_access_deinit(out);
        *out = (struct s3_access){0};
    }
    return rc;
}
