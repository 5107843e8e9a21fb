#include "mysql/gtid.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define UUID_HEX         32u
#define NUMBER_END       ((uint64_t)INT64_MAX) /* behind the last number that a transaction can have */
#define TAGGED_FORMAT    ((uint64_t)1)
#define SOURCE_BYTES_MIN 24u /* uuid, interval count */
#define INTERVAL_BYTES   16u

/* Closed on both ends. */
struct interval {
    uint64_t first;
    uint64_t last;
};

/* MySQL: one source and tag with its intervals. MariaDB: one domain, up to `last`. */
struct source {
    uint8_t uuid[16];
    char tag[GTID_TAG_BYTES];
    struct interval *intervals;
    uint32_t count;
    uint32_t capacity;
    uint32_t domain;
    uint32_t server_id;
    uint64_t last;
};

struct gtid_set {
    enum gtid_flavor flavor;
    struct source *sources; /* sorted by uuid and tag, or by domain */
    uint32_t count;
    uint32_t capacity;
    uint32_t recent; /* index of the source that was added to last */
};

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

static int compare_source(const struct gtid_set *s, const struct source *a, const struct source *b)
{
    if (s->flavor == GTID_FLAVOR_MARIADB) {
        return (a->domain > b->domain) - (a->domain < b->domain);
    }
    int c = memcmp(a->uuid, b->uuid, sizeof a->uuid);

    return c != 0 ? c : strcmp(a->tag, b->tag);
}

static struct source *find(const struct gtid_set *s, const struct source *key, uint32_t *at)
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

static struct source *find_or_add(struct gtid_set *s, const struct source *key)
{
    uint32_t at = 0;
    struct source *found = find(s, key, &at);

    if (found != NULL) {
        return found;
    }
    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity == 0 ? 4 : s->capacity * 2;
        struct source *sources = realloc(s->sources, capacity * sizeof *sources);

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
static uint32_t locate(const struct source *src, uint64_t n)
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

static bool add_interval(struct source *src, uint64_t first, uint64_t last)
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
            struct interval *more = realloc(src->intervals, capacity * sizeof *more);

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
    src->intervals[from] = (struct interval){first, last};
    return true;
}

static struct source key_of(const struct gtid *g)
{
    struct source key = {.domain = g->domain, .server_id = g->server_id};

    memcpy(key.uuid, g->uuid, sizeof key.uuid);
    memcpy(key.tag, g->tag, sizeof key.tag);
    return key;
}

/* As find_or_add; mostly transactions of one source follow each other. */
static struct source *find_recent_or_add(struct gtid_set *s, const struct source *key)
{
    if (s->recent < s->count && compare_source(s, &s->sources[s->recent], key) == 0) {
        return &s->sources[s->recent];
    }
    struct source *src = find_or_add(s, key);

    if (src != NULL) {
        s->recent = (uint32_t)(src - s->sources);
    }
    return src;
}

/* A source without intervals must not stay in a set. */
static enum err_code drop_if_empty(struct gtid_set *s, const struct source *src, struct err *e)
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
    struct source key = key_of(g);
    struct source *src = find_recent_or_add(s, &key);

    if (src == NULL) {
        return err_nomem(e);
    }
    if (s->flavor == GTID_FLAVOR_MARIADB) {
        /* The newest in the log's order is the position, whichever server it came from. */
        src->server_id = g->server_id;
        src->last = g->number;
        return ERR_OK;
    }
    return add_interval(src, g->number, g->number) ? ERR_OK : drop_if_empty(s, src, e);
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    struct source key = key_of(g);
    uint32_t at;
    const struct source *src = find(s, &key, &at);

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
        const struct source *a = &inner->sources[i];
        uint32_t at;
        const struct source *b = find(outer, a, &at);

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
        const struct source *src = &from->sources[i];
        struct source *to = find_or_add(into, src);

        if (to == NULL) {
            return err_nomem(e);
        }
        if (into->flavor == GTID_FLAVOR_MARIADB && src->last > to->last) {
            to->last = src->last;
            to->server_id = src->server_id;
        }
        for (uint32_t k = 0; k < src->count; k++) {
            if (!add_interval(to, src->intervals[k].first, src->intervals[k].last)) {
                return drop_if_empty(into, to, e);
            }
        }
    }
    return ERR_OK;
}

/* Adds what a and b, of one MySQL source, have in common. */
static bool add_common(struct gtid_set *out, const struct source *a, const struct source *b)
{
    uint32_t i = 0;
    uint32_t k = 0;

    while (i < a->count && k < b->count) {
        const struct interval *x = &a->intervals[i];
        const struct interval *y = &b->intervals[k];
        uint64_t first = x->first > y->first ? x->first : y->first;
        uint64_t last = x->last < y->last ? x->last : y->last;

        if (first <= last) {
            struct source *to = find_or_add(out, a);

            if (to == NULL || !add_interval(to, first, last)) {
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
static bool add_common_domain(struct gtid_set *out, const struct source *a, const struct source *b)
{
    struct source *to = find_or_add(out, a);

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
        const struct source *other = find(b, &a->sources[i], &at);
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
        struct source *to = &copy->sources[i];

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

/* ---- text ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next piece up to one of the separators, blanks taken off; false at the end of the text. */
static bool next_piece(const char **at, const char *separators, char *out, size_t out_bytes,
                       bool *too_long)
{
    const char *p = *at;
    size_t len = 0;

    if (*p == '\0') {
        return false;
    }
    while (*p != '\0' && strchr(separators, *p) == NULL) {
        if (!is_blank(*p)) {
            if (len + 1 < out_bytes) {
                out[len++] = *p;
            } else {
                *too_long = true;
            }
        }
        p++;
    }
    out[len] = '\0';
    *at = *p == '\0' ? p : p + 1;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_uuid(const char *text, uint8_t out[16])
{
    unsigned digits = 0;

    bool dashes = strchr(text, '-') != NULL;

    for (; *text != '\0'; text++) {
        if (dashes && digits % 4 == 0 && digits >= 8 && digits <= 20 && *text == '-' &&
            text[-1] != '-') {
            continue;
        }
        int v = hex_digit(*text);

        if (v < 0 || digits == UUID_HEX) {
            return false;
        }
        out[digits / 2] = (uint8_t)(digits % 2 == 0 ? v << 4 : out[digits / 2] | v);
        digits++;
    }
    return digits == UUID_HEX;
}

static bool parse_interval(const char *text, struct interval *out)
{
    const char *dash = strchr(text, '-');
    size_t len = dash == NULL ? strlen(text) : (size_t)(dash - text);

    if (!str_to_u64(span_of(text, len), &out->first)) {
        return false;
    }
    out->last = out->first;
    if (dash != NULL && !str_to_u64(span_str(dash + 1), &out->last)) {
        return false;
    }
    return out->first > 0 && out->last >= out->first && out->last < NUMBER_END;
}

static enum err_code bad_text(const char *part, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "'%.80s' is not part of a GTID set", part);
}

static bool parse_tag(const char *text, char out[GTID_TAG_BYTES])
{
    size_t len = strlen(text);

    if (len >= GTID_TAG_BYTES) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        char c = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);

        if (c != '\0' && c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
        out[i] = c;
    }
    return len > 0;
}

/* "uuid:1-3:5:tag:7" */
static enum err_code parse_mysql_source(struct gtid_set *s, const char *text, struct err *e)
{
    struct source key = {0};
    struct source *src = NULL;
    const char *at = text;
    char piece[80];
    bool too_long = false;

    if (!next_piece(&at, ":", piece, sizeof piece, &too_long) || !parse_uuid(piece, key.uuid)) {
        return bad_text(text, e);
    }
    while (next_piece(&at, ":", piece, sizeof piece, &too_long)) {
        struct interval in;

        if (!too_long && parse_tag(piece, key.tag)) {
            src = NULL;
            continue;
        }
        if (too_long || !parse_interval(piece, &in)) {
            return bad_text(text, e);
        }
        if (src == NULL) {
            src = find_or_add(s, &key);
        }
        if (src == NULL || !add_interval(src, in.first, in.last)) {
            return err_nomem(e);
        }
    }
    return src == NULL ? bad_text(text, e) : ERR_OK;
}

/* "0-1-100" */
static enum err_code parse_mariadb_source(struct gtid_set *s, const char *text, struct err *e)
{
    struct source key = {0};
    uint64_t parts[3];
    char piece[32];
    bool too_long = false;
    const char *at = text;
    uint32_t where;

    for (int i = 0; i < 3; i++) {
        if (!next_piece(&at, "-", piece, sizeof piece, &too_long) || too_long ||
            !str_to_u64(span_str(piece), &parts[i])) {
            return bad_text(text, e);
        }
    }
    if (*at != '\0' || at[-1] == '-' || parts[0] > UINT32_MAX || parts[1] > UINT32_MAX) {
        return bad_text(text, e);
    }
    key.domain = (uint32_t)parts[0];
    if (find(s, &key, &where) != NULL) {
        return err_set(e, ERR_CORRUPT, "GTID position: domain %u is there twice", key.domain);
    }
    struct source *src = find_or_add(s, &key);

    if (src == NULL) {
        return err_nomem(e);
    }
    src->server_id = (uint32_t)parts[1];
    src->last = parts[2];
    return ERR_OK;
}

enum err_code gtid_set_parse(const char *text, enum gtid_flavor flavor, struct gtid_set **out,
                             struct err *e)
{
    size_t room = strlen(text) + 1;
    char *piece = malloc(room);
    struct gtid_set *s = gtid_set_new(flavor);
    bool too_long = false;
    enum err_code rc = ERR_OK;

    if (piece == NULL || s == NULL) {
        free(piece);
        gtid_set_free(s);
        return err_nomem(e);
    }
    while (rc == ERR_OK && next_piece(&text, ",", piece, room, &too_long)) {
        if (piece[0] == '\0') {
            continue;
        }
        rc = flavor == GTID_FLAVOR_MYSQL ? parse_mysql_source(s, piece, e)
                                         : parse_mariadb_source(s, piece, e);
    }
    free(piece);
    if (rc != ERR_OK) {
        gtid_set_free(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

static void print_uuid(const uint8_t uuid[16], char out[37])
{
    char hex[33];

    str_hex(hex, uuid, 16);
    (void)snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}

static void print_intervals(const struct source *src, struct buf *out)
{
    for (uint32_t k = 0; k < src->count; k++) {
        const struct interval *in = &src->intervals[k];

        buf_printf(out, ":%llu", (unsigned long long)in->first);
        if (in->last > in->first) {
            buf_printf(out, "-%llu", (unsigned long long)in->last);
        }
    }
}

void gtid_set_print(const struct gtid_set *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct source *src = &s->sources[i];
        bool same = i > 0 && memcmp(src->uuid, src[-1].uuid, sizeof src->uuid) == 0;
        char uuid[37];

        if (s->flavor == GTID_FLAVOR_MARIADB) {
            buf_printf(out, "%s%u-%u-%llu", i > 0 ? "," : "", src->domain, src->server_id,
                       (unsigned long long)src->last);
            continue;
        }
        if (!same) {
            print_uuid(src->uuid, uuid);
            buf_printf(out, "%s%s", i > 0 ? "," : "", uuid);
        }
        if (src->tag[0] != '\0') {
            buf_printf(out, ":%s", src->tag);
        }
        print_intervals(src, out);
    }
}

void gtid_print(const struct gtid *g, char *out, size_t out_bytes)
{
    char uuid[37];

    if (!g->present) {
        (void)snprintf(out, out_bytes, "anonymous");
    } else if (g->flavor == GTID_FLAVOR_MARIADB) {
        (void)snprintf(out, out_bytes, "%u-%u-%llu", g->domain, g->server_id,
                       (unsigned long long)g->number);
    } else {
        print_uuid(g->uuid, uuid);
        (void)snprintf(out, out_bytes, "%s%s%s:%llu", uuid, g->tag[0] != '\0' ? ":" : "", g->tag,
                       (unsigned long long)g->number);
    }
}

/* ---- wire ---- */

static bool has_tags(const struct gtid_set *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->sources[i].tag[0] != '\0') {
            return true;
        }
    }
    return false;
}

/*
 * count u64 (tagged: format 1 in bytes 0 and 7, count between); per source: uuid 16, tagged: tag
 * length (one byte, shifted left) and tag, interval count u64, then first and last + 1 of each,
 * u64.
 */
void gtid_set_encode(const struct gtid_set *s, struct buf *out)
{
    bool tagged = has_tags(s);

    buf_u64le(out,
              tagged ? TAGGED_FORMAT << 56 | (uint64_t)s->count << 8 | TAGGED_FORMAT : s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct source *src = &s->sources[i];

        buf_append(out, src->uuid, sizeof src->uuid);
        if (tagged) {
            size_t len = strlen(src->tag);

            buf_u8(out, (uint8_t)(len << 1));
            buf_append(out, src->tag, len);
        }
        buf_u64le(out, src->count);
        for (uint32_t k = 0; k < src->count; k++) {
            buf_u64le(out, src->intervals[k].first);
            buf_u64le(out, src->intervals[k].last + 1);
        }
    }
}

static bool decode_key(struct bytes_reader *in, bool tagged, struct source *key)
{
    const uint8_t *uuid = bytes_take(in, sizeof key->uuid);
    char tag[GTID_TAG_BYTES] = "";

    *key = (struct source){0};
    if (uuid == NULL) {
        return false;
    }
    memcpy(key->uuid, uuid, sizeof key->uuid);
    if (!tagged) {
        return true;
    }
    uint8_t length = bytes_u8(in);
    struct span text = bytes_span(in, length >> 1);

    if ((length & 1) != 0 || text.len >= sizeof tag || bytes_failed(in)) {
        return false;
    }
    if (text.len > 0) {
        memcpy(tag, text.data, text.len);
    }
    return text.len == 0 || (parse_tag(tag, key->tag) && strlen(key->tag) == text.len);
}

/* ERR_CORRUPT has no message here: the caller knows what to say. */
static enum err_code decode_source(struct gtid_set *s, struct bytes_reader *in, bool tagged,
                                   struct err *e)
{
    struct source key;

    if (!decode_key(in, tagged, &key)) {
        return ERR_CORRUPT;
    }
    uint64_t count = bytes_u64le(in);
    uint64_t least = 1;

    if (bytes_failed(in) || count > bytes_left(in) / INTERVAL_BYTES) {
        return ERR_CORRUPT;
    }
    struct source *src = count == 0 ? NULL : find_or_add(s, &key);

    for (uint64_t k = 0; k < count; k++) {
        uint64_t first = bytes_u64le(in);
        uint64_t end = bytes_u64le(in);

        /* Servers write them sorted, with gaps. */
        if (first < least || end <= first || end > NUMBER_END) {
            return ERR_CORRUPT;
        }
        least = end + 1;
        if (src == NULL || !add_interval(src, first, end - 1)) {
            return err_nomem(e);
        }
    }
    return ERR_OK;
}

enum err_code gtid_set_decode(struct span block, struct gtid_set **out, struct err *e)
{
    struct bytes_reader in;
    struct gtid_set *s = gtid_set_new(GTID_FLAVOR_MYSQL);

    if (s == NULL) {
        return err_nomem(e);
    }
    bytes_reader_init(&in, block);
    uint64_t header = bytes_u64le(&in);
    bool tagged = header >> 56 == TAGGED_FORMAT;
    uint64_t count = tagged ? header >> 8 & 0xffffffffffff : header;
    enum err_code rc =
        bytes_failed(&in) || count > bytes_left(&in) / SOURCE_BYTES_MIN ? ERR_CORRUPT : ERR_OK;

    for (uint64_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = decode_source(s, &in, tagged, e);
    }
    if (rc == ERR_OK && bytes_left(&in) == 0) {
        *out = s;
        return ERR_OK;
    }
    gtid_set_free(s);
    return rc == ERR_NOMEM
               ? rc
               : err_set(e, ERR_CORRUPT, "a GTID set of %zu bytes cannot be read", block.len);
}
