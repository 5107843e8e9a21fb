#include "iceberg/locations.h"

#include <stdlib.h>

#include "base/str.h"

void locations_clear(struct locations *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        free(l->items[i]);
    }
    l->count = 0;
}

void locations_deinit(struct locations *l)
{
    locations_clear(l);
    free(l->items);
    *l = (struct locations){0};
}

static enum err_code reserve(struct locations *l, uint32_t more, struct err *e)
{
    if (l->capacity - l->count >= more) {
        return ERR_OK;
    }
    uint32_t capacity = l->capacity < 16 ? 16 : l->capacity;

    while (capacity - l->count < more) {
        if (capacity > UINT32_MAX / 2) {
            return err_nomem(e);
        }
        capacity *= 2;
    }
    char **items = realloc(l->items, capacity * sizeof *items);

    if (items == NULL) {
        return err_nomem(e);
    }
    l->items = items;
    l->capacity = capacity;
    return ERR_OK;
}

enum err_code locations_add(struct locations *l, struct span location, struct err *e)
{
    ERR_TRY(reserve(l, 1, e));
    char *copy = str_ndup(location.data, location.len);

    if (copy == NULL) {
        return err_nomem(e);
    }
    l->items[l->count++] = copy;
    return ERR_OK;
}

enum err_code locations_move(struct locations *l, struct locations *from, struct err *e)
{
    ERR_TRY(reserve(l, from->count, e));
    for (uint32_t i = 0; i < from->count; i++) {
        l->items[l->count++] = from->items[i];
    }
    from->count = 0;
    return ERR_OK;
}
