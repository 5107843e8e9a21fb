#include "pipeline/watermark_places.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

void watermark_place_deinit(struct watermark_place *p)
{
    free(p->gtids);
}

static void free_last(struct watermark_places *p)
{
    watermark_place_deinit(&p->items[--p->count]);
}

void watermark_places_deinit(struct watermark_places *p)
{
    while (p->count > 0) {
        free_last(p);
    }
}

/* ---- the property ---- */

static enum err_code read_place(const json_t *o, struct watermark_places *out, struct err *e)
{
    const char *file = json_string_value(json_object_get(o, "file"));
    const char *source = json_string_value(json_object_get(o, "source"));
    const char *gtids = json_string_value(json_object_get(o, "gtid"));
    json_int_t offset = json_integer_value(json_object_get(o, "pos"));
    json_int_t created = json_integer_value(json_object_get(o, "log-created"));
    struct log_place place = {.source = source,
                              .gtids = gtids,
                              .anonymous = json_is_true(json_object_get(o, "anonymous"))};

    if (file == NULL || source == NULL || offset < 0 || created < 0 || created > UINT32_MAX ||
        strlen(file) >= sizeof place.position.file || strlen(source) >= SOURCE_BYTES) {
        return err_set(e, ERR_CORRUPT, "file, pos or source is missing or wrong");
    }
    memcpy(place.position.file, file, strlen(file) + 1);
    place.position.offset = (uint64_t)offset;
    place.log_created_s = (uint32_t)created;
    return watermark_places_put(out, &place, e);
}

/* The newest stands in the object itself, those before it in `earlier`. */
enum err_code watermark_places_parse(const char *json, struct watermark_places *out, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    const json_t *earlier = json_object_get(o, "earlier");
    enum err_code rc = ERR_OK;

    watermark_places_deinit(out);
    if (o == NULL) {
        return err_set(e, ERR_CORRUPT, "%s at column %d", why.text, why.column);
    }
    for (size_t i = json_array_size(earlier); i > 0 && rc == ERR_OK; i--) {
        rc = read_place(json_array_get(earlier, i - 1), out, e);
    }
    if (rc == ERR_OK) {
        rc = read_place(o, out, e);
    }
    json_decref(o);
    return rc;
}

static json_t *place_to_json(const struct watermark_place *p)
{
    json_t *o = json_pack("{s:s, s:I, s:s, s:s*}", "file", p->position.file, "pos",
                          (json_int_t)p->position.offset, "source", p->source, "gtid", p->gtids);

    bool whole = p->log_created_s == 0 ||
                 json_object_set_new(o, "log-created", json_integer(p->log_created_s)) == 0;

    whole = (!p->anonymous || json_object_set_new(o, "anonymous", json_true()) == 0) && whole;
    if (!whole) {
        json_decref(o);
        return NULL;
    }
    return o;
}

char *watermark_places_print(const struct watermark_places *p)
{
    json_t *o = place_to_json(&p->items[0]);
    json_t *earlier = p->count > 1 ? json_array() : NULL;
    bool whole = o != NULL;

    for (uint32_t i = 1; i < p->count; i++) {
        whole = json_array_append_new(earlier, place_to_json(&p->items[i])) == 0 && whole;
    }
    if (p->count > 1) {
        whole = json_object_set_new(o, "earlier", earlier) == 0 && whole;
    }
    char *text = whole ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    return text;
}

/* ---- the list ---- */

static void take_out(struct watermark_places *p, uint32_t at)
{
    free(p->items[at].gtids);
    p->count--;
    memmove(&p->items[at], &p->items[at + 1], (p->count - at) * sizeof p->items[0]);
}

static bool same_position(const struct binlog_position *a, const struct binlog_position *b)
{
    return a->offset == b->offset && strcmp(a->file, b->file) == 0;
}

enum err_code watermark_place_copy(const struct log_place *at, struct watermark_place *out,
                                   struct err *e)
{
    *out = (struct watermark_place){
        .position = at->position, .log_created_s = at->log_created_s, .anonymous = at->anonymous};
    (void)snprintf(out->source, sizeof out->source, "%s", at->source);
    out->gtids = at->gtids == NULL ? NULL : str_dup(at->gtids);
    return at->gtids != NULL && out->gtids == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code watermark_places_put(struct watermark_places *p, const struct log_place *at,
                                   struct err *e)
{
    struct watermark_place next;

    ERR_TRY(watermark_place_copy(at, &next, e));
    for (uint32_t i = p->count; i > 0; i--) {
        if (same_position(&p->items[i - 1].position, &next.position) &&
            strcmp(p->items[i - 1].source, next.source) == 0) {
            take_out(p, i - 1);
        }
    }
    if (p->count == WATERMARK_PLACES_MAX) {
        free_last(p);
    }
    memmove(&p->items[1], &p->items[0], p->count * sizeof p->items[0]);
    p->items[0] = next;
    p->count++;
    return ERR_OK;
}

void watermark_places_prune(struct watermark_places *p,
                            bool (*stands)(void *ctx, const struct binlog_position *position),
                            void *ctx)
{
    for (uint32_t i = p->count; i > 1; i--) {
        if (!stands(ctx, &p->items[i - 1].position)) {
            take_out(p, i - 1);
        }
    }
}

const struct watermark_place *watermark_places_find(const struct watermark_places *p,
                                                    const struct binlog_position *position)
{
    const struct watermark_place *found = NULL;

    for (uint32_t i = 0; i < p->count; i++) {
        if (same_position(&p->items[i].position, position)) {
            if (found != NULL) {
                return NULL;
            }
            found = &p->items[i];
        }
    }
    return found;
}

bool watermark_places_has(const struct watermark_places *p, const struct binlog_position *position)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (same_position(&p->items[i].position, position)) {
            return true;
        }
    }
    return false;
}

struct log_place watermark_place_of(const struct watermark_place *p)
{
    return (struct log_place){.source = p->source,
                              .position = p->position,
                              .log_created_s = p->log_created_s,
                              .gtids = p->gtids,
                              .anonymous = p->anonymous};
}
