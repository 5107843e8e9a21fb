#include "mysql/gtid_int.h"

#include <stdlib.h>

struct gtid_set *gtid_set_new(enum gtid_flavor flavor)
{
    struct gtid_set *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->flavor = flavor;
    }
    return s;
}

void gtid_set_free(struct gtid_set *s)
{
    if (s != NULL) {
        for (uint32_t i = 0; i < s->count; i++) {
            free(s->sources[i].intervals);
        }
        free(s->sources);
        free(s);
    }
}

enum gtid_flavor gtid_set_flavor(const struct gtid_set *s)
{
    return s->flavor;
}

bool gtid_set_is_empty(const struct gtid_set *s)
{
    return s->count == 0;
}

static int compare_source(const struct gtid_set *s, const struct gtid_source *a,
                          const struct gtid_source *b)
{
    if (s->flavor == GTID_FLAVOR_MARIADB) {
        return (a->domain > b->domain) - (a->domain < b->domain);
    }
    int c = memcmp(a->uuid, b->uuid, sizeof a->uuid);

    return c != 0 ? c : strcmp(a->tag, b->tag);
}

struct gtid_source *gtid_source_find(const struct gtid_set *s, const struct gtid_source *key,
                                     uint32_t *at)
{
    uint32_t low = 0;
    uint32_t high = s->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = compare_source(s, &s->sources[mid], key);

        if (c == 0) {
            return &s->sources[mid];
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *at = low;
    return NULL;
}

struct gtid_source *gtid_source_find_or_add(struct gtid_set *s, const struct gtid_source *key)
{
    uint32_t at = 0;
    struct gtid_source *found = gtid_source_find(s, key, &at);

    if (found != NULL) {
        return found;
    }
    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity == 0 ? 4 : s->capacity * 2;
        struct gtid_source *sources = realloc(s->sources, capacity * sizeof *sources);

        if (sources == NULL) {
            return NULL;
        }
        s->sources = sources;
        s->capacity = capacity;
    }
    memmove(&s->sources[at + 1], &s->sources[at], (s->count - at) * sizeof *s->sources);
    s->sources[at] = *key;
    s->sources[at].intervals = NULL;
    s->sources[at].count = 0;
    s->sources[at].capacity = 0;
    s->count++;
    return &s->sources[at];
}

/* First interval whose end is at or behind n. */
static uint32_t locate(const struct gtid_source *src, uint64_t n)
{
    uint32_t low = 0;
    uint32_t high = src->count;

    /* Mostly the next number of the newest interval comes. */
    if (high > 0 && src->intervals[high - 1].last < n) {
        return high;
    }
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (src->intervals[mid].last < n) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool gtid_source_add(struct gtid_source *src, uint64_t first, uint64_t last)
{
    if (src->count > 0 && src->intervals[src->count - 1].last + 1 == first) {
        src->intervals[src->count - 1].last = last;
        return true;
    }
    /* Everything that touches or overlaps [first, last] is merged into it. */
    uint32_t from = locate(src, first - 1);
    uint32_t to = from;

    while (to < src->count && src->intervals[to].first <= last + 1) {
        if (src->intervals[to].first < first) {
            first = src->intervals[to].first;
        }
        if (src->intervals[to].last > last) {
            last = src->intervals[to].last;
        }
        to++;
    }
    if (from == to) {
        if (src->count == src->capacity) {
            uint32_t capacity = src->capacity == 0 ? 2 : src->capacity * 2;
            struct gtid_interval *more = realloc(src->intervals, capacity * sizeof *more);

            if (more == NULL) {
                return false;
            }
            src->intervals = more;
            src->capacity = capacity;
        }
        memmove(&src->intervals[from + 1], &src->intervals[from],
                (src->count - from) * sizeof *src->intervals);
        src->count++;
    } else {
        memmove(&src->intervals[from + 1], &src->intervals[to],
                (src->count - to) * sizeof *src->intervals);
        src->count -= to - from - 1;
    }
    src->intervals[from] = (struct gtid_interval){first, last};
    return true;
}

static struct gtid_source key_of(const struct gtid *g)
{
    struct gtid_source key = {.domain = g->domain, .server_id = g->server_id};

    memcpy(key.uuid, g->uuid, sizeof key.uuid);
    memcpy(key.tag, g->tag, sizeof key.tag);
    return key;
}

/* As gtid_source_find_or_add; mostly transactions of one source follow each other. */
static struct gtid_source *find_recent_or_add(struct gtid_set *s, const struct gtid_source *key)
{
    if (s->recent < s->count && compare_source(s, &s->sources[s->recent], key) == 0) {
        return &s->sources[s->recent];
    }
    struct gtid_source *src = gtid_source_find_or_add(s, key);

    if (src != NULL) {
        s->recent = (uint32_t)(src - s->sources);
    }
    return src;
}

/* A source without intervals must not stay in a set. */
static enum err_code drop_if_empty(struct gtid_set *s, const struct gtid_source *src, struct err *e)
{
    uint32_t at = (uint32_t)(src - s->sources);

    if (src->count == 0) {
        s->count--;
        memmove(&s->sources[at], &s->sources[at + 1], (s->count - at) * sizeof *s->sources);
    }
    return err_nomem(e);
}

enum err_code gtid_set_add(struct gtid_set *s, const struct gtid *g, struct err *e)
{
    struct gtid_source key = key_of(g);
    struct gtid_source *src = find_recent_or_add(s, &key);

    if (src == NULL) {
        return err_nomem(e);
    }
    if (s->flavor == GTID_FLAVOR_MARIADB) {
        /* The newest in the log's order is the position, whichever server it came from. */
        src->server_id = g->server_id;
        src->last = g->number;
        return ERR_OK;
    }
    return gtid_source_add(src, g->number, g->number) ? ERR_OK : drop_if_empty(s, src, e);
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    struct gtid_source key = key_of(g);
    uint32_t at;
    const struct gtid_source *src = gtid_source_find(s, &key, &at);

    if (src == NULL) {
        return false;
    }
    if (s->flavor == GTID_FLAVOR_MARIADB) {
        return g->number <= src->last;
    }
    uint32_t i = locate(src, g->number);

    return i < src->count && src->intervals[i].first <= g->number;
}

bool gtid_set_is_subset(const struct gtid_set *inner, const struct gtid_set *outer)
{
    for (uint32_t i = 0; i < inner->count; i++) {
        const struct gtid_source *a = &inner->sources[i];
        uint32_t at;
        const struct gtid_source *b = gtid_source_find(outer, a, &at);

        if (b == NULL) {
            return false;
        }
        if (inner->flavor == GTID_FLAVOR_MARIADB) {
            if (a->last > b->last) {
                return false;
            }
            continue;
        }
        for (uint32_t k = 0; k < a->count; k++) {
            uint32_t j = locate(b, a->intervals[k].first);

            if (j == b->count || b->intervals[j].first > a->intervals[k].first ||
                b->intervals[j].last < a->intervals[k].last) {
                return false;
            }
        }
    }
    return true;
}

enum err_code gtid_set_union(struct gtid_set *into, const struct gtid_set *from, struct err *e)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct gtid_source *src = &from->sources[i];
        struct gtid_source *to = gtid_source_find_or_add(into, src);

        if (to == NULL) {
            return err_nomem(e);
        }
        if (into->flavor == GTID_FLAVOR_MARIADB && src->last > to->last) {
            to->last = src->last;
            to->server_id = src->server_id;
        }
        for (uint32_t k = 0; k < src->count; k++) {
            if (!gtid_source_add(to, src->intervals[k].first, src->intervals[k].last)) {
                return drop_if_empty(into, to, e);
            }
        }
    }
    return ERR_OK;
}

/* Adds what a and b, of one MySQL source, have in common. */
static bool add_common(struct gtid_set *out, const struct gtid_source *a,
                       const struct gtid_source *b)
{
    uint32_t i = 0;
    uint32_t k = 0;

    while (i < a->count && k < b->count) {
        const struct gtid_interval *x = &a->intervals[i];
        const struct gtid_interval *y = &b->intervals[k];
        uint64_t first = x->first > y->first ? x->first : y->first;
        uint64_t last = x->last < y->last ? x->last : y->last;

        if (first <= last) {
            struct gtid_source *to = gtid_source_find_or_add(out, a);

            if (to == NULL || !gtid_source_add(to, first, last)) {
                return false;
            }
        }
        if (x->last < y->last) {
            i++;
        } else {
            k++;
        }
    }
    return true;
}

/* The same for a MariaDB domain. */
static bool add_common_domain(struct gtid_set *out, const struct gtid_source *a,
                              const struct gtid_source *b)
{
    struct gtid_source *to = gtid_source_find_or_add(out, a);

    if (to != NULL && b->last < a->last) {
        to->last = b->last;
        to->server_id = b->server_id;
    }
    return to != NULL;
}

struct gtid_set *gtid_set_intersect(const struct gtid_set *a, const struct gtid_set *b)
{
    struct gtid_set *out = gtid_set_new(a->flavor);

    for (uint32_t i = 0; out != NULL && i < a->count; i++) {
        uint32_t at;
        const struct gtid_source *other = gtid_source_find(b, &a->sources[i], &at);
        bool done = other == NULL || (a->flavor == GTID_FLAVOR_MARIADB
                                          ? add_common_domain(out, &a->sources[i], other)
                                          : add_common(out, &a->sources[i], other));

        if (!done) {
            gtid_set_free(out);
            return NULL;
        }
    }
    return out;
}

/* Adds what a has and b, of the same MySQL source, has not. */
static bool add_difference(struct gtid_set *out, const struct gtid_source *a,
                           const struct gtid_source *b)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        uint64_t first = a->intervals[i].first;
        uint64_t last = a->intervals[i].last;

        while (first <= last) {
            while (k < b->count && b->intervals[k].last < first) {
                k++;
            }
            bool cut = k < b->count && b->intervals[k].first <= last;
            uint64_t gap_last = cut ? b->intervals[k].first - 1 : last;

            if (first <= gap_last) {
                struct gtid_source *to = gtid_source_find_or_add(out, a);

                if (to == NULL || !gtid_source_add(to, first, gap_last)) {
                    return false;
                }
            }
            first = (cut ? b->intervals[k].last : last) + 1;
        }
    }
    return true;
}

/* The same for a MariaDB domain, of which only the end is known. */
static bool add_domain_ahead(struct gtid_set *out, const struct gtid_source *a,
                             const struct gtid_source *b)
{
    return a->last <= b->last || gtid_source_find_or_add(out, a) != NULL;
}

struct gtid_set *gtid_set_subtract(const struct gtid_set *a, const struct gtid_set *b)
{
    static const struct gtid_source nothing = {.last = 0};
    struct gtid_set *out = gtid_set_new(a->flavor);

    for (uint32_t i = 0; out != NULL && i < a->count; i++) {
        uint32_t at;
        const struct gtid_source *other = gtid_source_find(b, &a->sources[i], &at);
        bool done;

        if (other == NULL && a->flavor == GTID_FLAVOR_MARIADB) {
            done = gtid_source_find_or_add(out, &a->sources[i]) != NULL;
        } else if (a->flavor == GTID_FLAVOR_MARIADB) {
            done = add_domain_ahead(out, &a->sources[i], other);
        } else {
            done = add_difference(out, &a->sources[i], other == NULL ? &nothing : other);
        }
        if (!done) {
            gtid_set_free(out);
            return NULL;
        }
    }
    return out;
}

struct gtid_set *gtid_set_copy(const struct gtid_set *s)
{
    struct gtid_set *copy = gtid_set_new(s->flavor);

    if (copy == NULL) {
        return NULL;
    }
    copy->sources = calloc(s->count + 1u, sizeof *copy->sources);
    if (copy->sources == NULL) {
        gtid_set_free(copy);
        return NULL;
    }
    copy->capacity = s->count + 1u;
    for (uint32_t i = 0; i < s->count; i++) {
        struct gtid_source *to = &copy->sources[i];

        *to = s->sources[i];
        to->intervals = calloc(to->count + 1u, sizeof *to->intervals);
        if (to->intervals == NULL) {
            gtid_set_free(copy);
            return NULL;
        }
        to->capacity = to->count + 1u;
        if (to->count > 0) {
            memcpy(to->intervals, s->sources[i].intervals, to->count * sizeof *to->intervals);
        }
        copy->count++;
    }
    return copy;
}
