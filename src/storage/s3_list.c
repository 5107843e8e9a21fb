#include <stdlib.h>

#include "base/str.h"
#include "net/uri.h"
#include "storage/s3_int.h"

#define SWEEP_AGE_US (INT64_C(24) * 3600 * 1000000)

/* A location in the scheme and bucket of a prefix. */
struct naming {
    struct buf text;
    size_t bucket_bytes; /* "s3a://bucket/" */
};

static enum err_code naming_init(struct naming *n, const char *prefix, struct span key,
                                 struct err *e)
{
    size_t bytes = strlen(prefix) - key.len;

    *n = (struct naming){0};
    buf_append(&n->text, prefix, bytes);
    if (bytes > 0 && prefix[bytes - 1] != '/') {
        buf_u8(&n->text, '/');
    }
    n->bucket_bytes = n->text.len;
    return buf_check(&n->text, e, "location");
}

/* Valid until the next call; NULL without memory. */
static const char *name_of(struct naming *n, const char *key)
{
    n->text.len = n->bucket_bytes;
    buf_append_str(&n->text, key);
    return buf_cstr(&n->text);
}

static enum err_code get_page(struct s3_store *s, const char *prefix, enum s3_page_kind kind,
                              const char *query, struct s3_page *out, struct err *e)
{
    bool objects = kind == S3_PAGE_OBJECTS;
    struct aws_answer a;
    enum err_code rc =
        s3_send(s,
                &(struct s3_request){
                    .operation = objects ? "ListObjectsV2" : "ListMultipartUploads",
                    .action = objects ? "s3:ListBucket" : "s3:ListBucketMultipartUploads",
                    .method = "GET",
                    .location = prefix,
                    .of_bucket = true,
                    .query = query,
                },
                &a, e);

    *out = (struct s3_page){0};
    if (rc == ERR_OK) {
        rc = s3_page_parse(buf_span(&a.response.body), kind, out, e);
        if (rc != ERR_OK) {
            err_wrap(e, "listing %s", prefix);
        }
    }
    aws_answer_deinit(&a);
    return rc;
}

/* One page after the other: `each` gets them, and the walk ends with its first failure. */
typedef enum err_code page_fn(void *ctx, const struct s3_page *page, struct err *e);

/* The query of the page that begins where the last one ended. */
static void put_page_query(struct buf *out, enum s3_page_kind kind, struct span prefix,
                           const char *next, const char *next_upload)
{
    char *text = str_ndup(prefix.data, prefix.len);

    if (text == NULL) {
        out->failed = ERR_NOMEM;
        return;
    }
    uri_put_query(out, "encoding-type", "url");
    uri_put_query(out, "prefix", text);
    if (kind == S3_PAGE_OBJECTS) {
        uri_put_query(out, "list-type", "2");
        if (next != NULL) {
            uri_put_query(out, "continuation-token", next);
        }
    } else {
        uri_put_query(out, "uploads", "");
        if (next != NULL) {
            uri_put_query(out, "key-marker", next);
        }
        if (next_upload != NULL) {
            uri_put_query(out, "upload-id-marker", next_upload);
        }
    }
    free(text);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum err_code walk_pages(struct s3_store *s, const char *prefix, enum s3_page_kind kind,
                                page_fn *each, void *ctx, struct err *e)
{
    struct span bucket;
    struct span key;
    struct s3_page last = {0};
    enum err_code rc = s3_location_split(prefix, &bucket, &key, e);
    bool more = rc == ERR_OK;

    while (more) {
        struct buf query = {0};
        struct s3_page page = {0};

        put_page_query(&query, kind, key, last.next, last.next_upload);
        const char *text = buf_cstr(&query);

        rc = text == NULL ? err_nomem(e) : get_page(s, prefix, kind, text, &page, e);
        buf_deinit(&query);
        if (rc == ERR_OK) {
            rc = each(ctx, &page, e);
        }
        more = rc == ERR_OK && page.truncated;
        if (more && same_text(page.next, last.next) &&
            same_text(page.next_upload, last.next_upload)) {
            rc = err_set(e, ERR_CORRUPT, "listing %s: S3 sends the same page again and again",
                         prefix);
            more = false;
        }
        s3_page_deinit(&last);
        last = page;
    }
    s3_page_deinit(&last);
    return rc;
}

struct listing {
    const char *prefix;
    struct naming naming;
    store_list_fn *each;
    void *ctx;
};

static enum err_code list_page(void *ctx, const struct s3_page *page, struct err *e)
{
    struct listing *l = ctx;

    for (uint32_t i = 0; i < page->count; i++) {
        const struct s3_page_item *item = &page->items[i];
        const char *location = name_of(&l->naming, item->key);

        if (location == NULL) {
            return err_nomem(e);
        }
        if (!str_starts_with(location, l->prefix) ||
            (item->size_bytes == 0 && str_ends_with(item->key, "/"))) {
            continue;
        }
        ERR_TRY(l->each(l->ctx,
                        &(struct store_entry){.location = location,
                                              .size_bytes = item->size_bytes,
                                              .modified_us = item->time_us},
                        e));
    }
    return ERR_OK;
}

enum err_code s3_list(struct store *base, const char *prefix, store_list_fn *each, void *ctx,
                      struct err *e)
{
    struct listing l = {.prefix = prefix, .each = each, .ctx = ctx};
    struct span bucket;
    struct span key;

    ERR_TRY(s3_location_split(prefix, &bucket, &key, e));
    enum err_code rc = naming_init(&l.naming, prefix, key, e);

    if (rc == ERR_OK) {
        rc = walk_pages((struct s3_store *)base, prefix, S3_PAGE_OBJECTS, list_page, &l, e);
    }
    buf_deinit(&l.naming.text);
    return rc;
}

struct sweeping {
    struct s3_store *s;
    const char *prefix;
    struct naming naming;
    int64_t before_us;
    uint32_t removed;
    enum err_code rc; /* the first failure: the others are tried all the same */
    struct err why;
};

/* What a table's writers name their files. */
static bool is_of_table(const char *key)
{
    return str_ends_with(key, ".parquet") || str_ends_with(key, ".avro") ||
           str_ends_with(key, ".metadata.json");
}

static enum err_code sweep_page(void *ctx, const struct s3_page *page, struct err *e)
{
    struct sweeping *w = ctx;

    for (uint32_t i = 0; i < page->count; i++) {
        const struct s3_page_item *item = &page->items[i];
        const char *location = name_of(&w->naming, item->key);
        struct err why = {0};

        if (location == NULL) {
            return err_nomem(e);
        }
        if (!str_starts_with(location, w->prefix) || !is_of_table(item->key) ||
            item->time_us > w->before_us) {
            continue;
        }
        enum err_code rc = s3_upload_abort(w->s, location, item->upload_id, &why);

        w->removed += rc == ERR_OK ? 1 : 0;
        if (rc != ERR_OK && w->rc == ERR_OK) {
            w->rc = rc;
            w->why = why;
        }
    }
    return ERR_OK;
}

enum err_code s3_sweep(struct store *base, const char *prefix, uint32_t *removed, struct err *e)
{
    struct s3_store *s = (struct s3_store *)base;
    struct sweeping w = {
        .s = s,
        .prefix = prefix,
        .before_us = clock_wall_us(&s->options.clock) - SWEEP_AGE_US,
    };
    struct span bucket;
    struct span key;

    ERR_TRY(s3_location_split(prefix, &bucket, &key, e));
    enum err_code rc = naming_init(&w.naming, prefix, key, e);

    if (rc == ERR_OK) {
        rc = walk_pages(s, prefix, S3_PAGE_UPLOADS, sweep_page, &w, e);
    }
    *removed = w.removed;
    buf_deinit(&w.naming.text);
    if (rc == ERR_OK && w.rc != ERR_OK && e != NULL) {
        *e = w.why;
    }
    return rc == ERR_OK ? w.rc : rc;
}
