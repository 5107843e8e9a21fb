/*
 * s3_page.c - the documents that lists and removals are answered with.
 *
 *   ListBucketResult             Contents { Key LastModified Size }, NextContinuationToken
 *   ListMultipartUploadsResult   Upload { Key UploadId Initiated }, NextKeyMarker,
 *                                NextUploadIdMarker
 *   DeleteResult                 Error { Key Code Message }
 *   lists                        IsTruncated; EncodingType "url" where keys and markers are encoded
 *
 * EncodingType may come behind what it is about, so keys are decoded at the end.
 */
#include <stdlib.h>

#include "base/str.h"
#include "codec/civil_time.h"
#include "net/uri.h"
#include "net/xml.h"
#include "storage/s3_int.h"

/* A page has a thousand entries with keys of a kilobyte; three times that when they are encoded. */
#define PAGE_BYTES_MAX ((size_t)64 << 20)

struct page_reader {
    struct s3_page *page;
    enum s3_page_kind kind;
    bool seen_root;
    bool encoded;
};

static const char *root_of(enum s3_page_kind kind)
{
    switch (kind) {
    case S3_PAGE_OBJECTS:
        return "ListBucketResult";
    case S3_PAGE_UPLOADS:
        return "ListMultipartUploadsResult";
    case S3_PAGE_REMOVED:
        return "DeleteResult";
    }
    abort();
}

static const char *item_of(enum s3_page_kind kind)
{
    switch (kind) {
    case S3_PAGE_OBJECTS:
        return "Contents";
    case S3_PAGE_UPLOADS:
        return "Upload";
    case S3_PAGE_REMOVED:
        return "Error";
    }
    abort();
}

static enum err_code keep(struct s3_page *p, const char *text, char **out, struct err *e)
{
    *out = arena_strdup(&p->arena, text);
    return *out == NULL ? arena_fail(&p->arena, e, "list of objects") : ERR_OK;
}

static enum err_code add_item(struct s3_page *p, struct err *e)
{
    if (p->count == p->capacity) {
        uint32_t capacity = p->capacity == 0 ? 64 : p->capacity * 2;
        struct s3_page_item *items = arena_alloc(&p->arena, capacity, sizeof *items);

        if (items == NULL) {
            return arena_fail(&p->arena, e, "list of objects");
        }
        if (p->count > 0) {
            memcpy(items, p->items, p->count * sizeof *items);
        }
        p->items = items;
        p->capacity = capacity;
    }
    p->items[p->count++] = (struct s3_page_item){0};
    return ERR_OK;
}

/* What follows the root and a '/' in the path; NULL when it is another root. */
static const char *below_root(const struct page_reader *r, const char *path)
{
    const char *root = root_of(r->kind);
    size_t len = strlen(root);

    return str_starts_with(path, root) && path[len] == '/' ? path + len + 1 : NULL;
}

static enum err_code on_open(void *ctx, const char *path, struct err *e)
{
    struct page_reader *r = ctx;
    const char *name = below_root(r, path);

    if (strcmp(path, root_of(r->kind)) == 0) {
        r->seen_root = true;
    }
    return name != NULL && strcmp(name, item_of(r->kind)) == 0 ? add_item(r->page, e) : ERR_OK;
}

static enum err_code on_item_text(struct page_reader *r, const char *name, const char *text,
                                  struct err *e)
{
    struct s3_page *p = r->page;
    struct s3_page_item *item = &p->items[p->count - 1];

    if (strcmp(name, "Key") == 0) {
        return keep(p, text, &item->key, e);
    }
    if (strcmp(name, "UploadId") == 0 && r->kind == S3_PAGE_UPLOADS) {
        return keep(p, text, &item->upload_id, e);
    }
    if (strcmp(name, "Size") == 0 && r->kind == S3_PAGE_OBJECTS) {
        item->has_size = str_to_u64(span_str(text), &item->size_bytes);
        return item->has_size ? ERR_OK : err_set(e, ERR_CORRUPT, "the size '%s' is none", text);
    }
    if (strcmp(name, r->kind == S3_PAGE_OBJECTS ? "LastModified" : "Initiated") == 0 &&
        r->kind != S3_PAGE_REMOVED) {
        item->has_time = civil_time_parse(text, &item->time_us);
        return item->has_time ? ERR_OK : err_set(e, ERR_CORRUPT, "the time '%s' is none", text);
    }
    return ERR_OK;
}

static enum err_code on_close(void *ctx, const char *path, const char *text, struct err *e)
{
    struct page_reader *r = ctx;
    const char *name = below_root(r, path);

    if (name == NULL) {
        return ERR_OK;
    }
    const char *item = item_of(r->kind);
    size_t item_bytes = strlen(item);

    if (str_starts_with(name, item) && name[item_bytes] == '/') {
        return on_item_text(r, name + item_bytes + 1, text, e);
    }
    if (strcmp(name, "IsTruncated") == 0) {
        r->page->truncated = str_ieq(text, "true");
    } else if (strcmp(name, "EncodingType") == 0) {
        r->encoded = str_ieq(text, "url");
    } else if (strcmp(name, r->kind == S3_PAGE_OBJECTS ? "NextContinuationToken"
                                                       : "NextKeyMarker") == 0) {
        return keep(r->page, text, &r->page->next, e);
    } else if (strcmp(name, "NextUploadIdMarker") == 0) {
        return keep(r->page, text, &r->page->next_upload, e);
    }
    return ERR_OK;
}

/* In place, as what is decoded is never longer. Encoded by the rules of forms: '+' is a blank. */
static enum err_code decode(char *text, struct err *e)
{
    struct buf out = {0};

    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '+' ? ' ' : *p;
    }
    bool whole = uri_decode(&out, span_str(text));
    enum err_code rc = buf_check(&out, e, "key of an object");

    if (rc == ERR_OK && (!whole || (out.len > 0 && memchr(out.data, '\0', out.len) != NULL))) {
        rc = err_set(e, ERR_CORRUPT, "the key '%s' is not percent-encoded", text);
    }
    if (rc == ERR_OK && out.len > 0) {
        memcpy(text, out.data, out.len);
    }
    if (rc == ERR_OK) {
        text[out.len] = '\0';
    }
    buf_deinit(&out);
    return rc;
}

static enum err_code check_item(const struct page_reader *r, struct s3_page_item *item,
                                struct err *e)
{
    static const char *const needs[] = {
        [S3_PAGE_OBJECTS] = "Key, Size and LastModified",
        [S3_PAGE_UPLOADS] = "Key, UploadId and Initiated",
        [S3_PAGE_REMOVED] = "Key",
    };
    bool has_all = item->key != NULL && (r->kind != S3_PAGE_OBJECTS || item->has_size) &&
                   (r->kind != S3_PAGE_UPLOADS || item->upload_id != NULL) &&
                   (r->kind == S3_PAGE_REMOVED || item->has_time);

    if (!has_all) {
        return err_set(e, ERR_CORRUPT, "an entry of %s lacks one of %s", root_of(r->kind),
                       needs[r->kind]);
    }
    return r->encoded ? decode(item->key, e) : ERR_OK;
}

static enum err_code check_page(const struct page_reader *r, struct err *e)
{
    struct s3_page *p = r->page;

    if (!r->seen_root) {
        return err_set(e, ERR_CORRUPT, "the answer is no %s", root_of(r->kind));
    }
    for (uint32_t i = 0; i < p->count; i++) {
        ERR_TRY(check_item(r, &p->items[i], e));
    }
    if (p->truncated && (p->next == NULL || p->next[0] == '\0')) {
        return err_set(e, ERR_CORRUPT,
                       "%s is one of several but does not say where the next begins",
                       root_of(r->kind));
    }
    /* A continuation token is opaque; markers are keys. */
    return r->encoded && r->kind == S3_PAGE_UPLOADS && p->next != NULL ? decode(p->next, e)
                                                                       : ERR_OK;
}

enum err_code s3_page_parse(struct span document, enum s3_page_kind kind, struct s3_page *out,
                            struct err *e)
{
    struct page_reader r = {.page = out, .kind = kind};
    const struct xml_handler handler = {on_open, on_close, &r};

    *out = (struct s3_page){0};
    arena_init(&out->arena, PAGE_BYTES_MAX);
    ERR_TRY(xml_parse(document, &handler, e));
    return check_page(&r, e);
}

void s3_page_deinit(struct s3_page *p)
{
    arena_deinit(&p->arena);
    *p = (struct s3_page){0};
}

struct text_reader {
    const char *path;
    char *text;
};

static enum err_code on_text(void *ctx, const char *path, const char *text, struct err *e)
{
    struct text_reader *r = ctx;

    if (strcmp(path, r->path) != 0) {
        return ERR_OK;
    }
    free(r->text);
    r->text = str_dup(text);
    return r->text == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code s3_answer_text(struct span document, const char *path, char **out, struct err *e)
{
    struct text_reader r = {.path = path};
    const struct xml_handler handler = {NULL, on_text, &r};
    enum err_code rc = xml_parse(document, &handler, e);

    *out = r.text;
    if (rc != ERR_OK) {
        free(r.text);
        *out = NULL;
    }
    return rc;
}
