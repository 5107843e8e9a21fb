/*
 * rest_lent.c - which keys the server lent for which files.
 *
 *   {"metadata": {"location": "s3://lake/shop/orders", ...},
 *    "config": {"s3.access-key-id": "a", "s3.secret-access-key": "b", "s3.session-token": "c",
 *               "s3.session-token-expires-at-ms": "1700000000000", "client.region": "eu-west-1"},
 *    "storage-credentials": [{"prefix": "s3://lake/shop/orders/data", "config": {...}}]}
 *
 * A table is found by where its files are. Of its keys those with the longest prefix of the
 * location count, before those of "config".
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/rest_lent_int.h"

#define TABLES_MAX     4096u
#define KEYS_MAX       32u /* of one table */
#define SCOPES_MAX     8u
#define RENEW_EARLY_US (INT64_C(300) * 1000000)

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

struct lent_table *rest_lent_table(const struct rest_lent *l, struct table_ident id)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (strcmp(l->tables[i]->ns, id.ns) == 0 && strcmp(l->tables[i]->name, id.name) == 0) {
            return l->tables[i];
        }
    }
    return NULL;
}

struct lent_table *rest_lent_around(const struct rest_lent *l, const char *location)
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

const struct lent_keys *rest_lent_keys(const struct lent_table *t, const char *location)
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

bool rest_lent_copy(const char *text, char **out)
{
    *out = text == NULL || text[0] == '\0' ? NULL : str_dup(text);
    return text == NULL || text[0] == '\0' || *out != NULL;
}

/* Milliseconds as a text, or as the number that some servers make of it. */
static int64_t expiry_us(const json_t *config)
{
    const json_t *end = json_object_get(config, "s3.session-token-expires-at-ms");
    int64_t ms = json_is_integer(end) ? json_integer_value(end) : 0;

    if (json_is_string(end) && !str_to_i64(span_str(json_string_value(end)), &ms)) {
        ms = 0;
    }
    return ms <= 0 || ms > INT64_MAX / 1000 ? INT64_MAX : ms * 1000;
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
        .expires_us = expiry_us(own),
        .path_style = path_style != NULL && str_ieq(path_style, "true"),
    };
    out->early_us = early_us(clock_wall_us(&c->base.clock), out->expires_us);
    if (region == NULL) {
        region = config_text(c, own, table, "s3.region");
    }
    out->prefix = str_dup(prefix);
    return out->prefix != NULL &&
                   rest_lent_copy(rest_text(own, "s3.access-key-id"), &out->access_key_id) &&
                   rest_lent_copy(rest_text(own, "s3.secret-access-key"),
                                  &out->secret_access_key.text) &&
                   rest_lent_copy(rest_text(own, "s3.session-token"), &out->session_token.text) &&
                   rest_lent_copy(region, &out->region) &&
                   rest_lent_copy(config_text(c, own, table, "s3.endpoint"), &out->endpoint)
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
        t->version = ++l->uses;
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
    const struct lent_table *t = rest_lent_table(&c->lent, id);
    bool wanted = t == NULL;

    for (uint32_t i = 0; !wanted && i < t->key_count; i++) {
        /* Twice as early as they would be asked for alone: a load is at hand. */
        wanted = t->keys[i].expires_us - 2 * t->keys[i].early_us <= now_us;
    }
    (void)pthread_mutex_unlock(&c->lent.mutex);
    return wanted;
}

enum err_code rest_lent_replace(struct rest_catalog *c, struct table_ident id, const json_t *answer,
                                struct err *e)
{
    struct lent_table *t = rest_lent_table(&c->lent, id);
    json_t *config = json_object_get(answer, "config");
    struct lent_keys *keys = NULL;
    uint32_t count = 0;

    if (t == NULL) {
        return ERR_OK;
    }
    ERR_TRY(read_keys(c, answer, config == NULL ? t->config : config, &keys, &count, e));
    if (count == 0) {
        return err_set(e, ERR_CONFIG, "the catalog lends no keys for the table any more");
    }
    keys_free(t->keys, t->key_count);
    t->keys = keys;
    t->key_count = count;
    t->version = ++c->lent.uses;
    t->renewed_us = clock_mono_us(&c->base.clock);
    t->not_before_us = 0;
    return ERR_OK;
}
