/* "uuid:1-3:5:tag:7" and "0-1-100": sets as text. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/gtid_int.h"

#define UUID_HEX 32u

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

static bool parse_interval(const char *text, struct gtid_interval *out)
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
    return out->first > 0 && out->last >= out->first && out->last < GTID_NUMBER_END;
}

static enum err_code bad_text(const char *part, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "'%.80s' is not part of a GTID set", part);
}

bool gtid_tag_parse(const char *text, char out[GTID_TAG_BYTES])
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
    struct gtid_source key = {0};
    struct gtid_source *src = NULL;
    const char *at = text;
    char piece[80];
    bool too_long = false;

    if (!next_piece(&at, ":", piece, sizeof piece, &too_long) || !parse_uuid(piece, key.uuid)) {
        return bad_text(text, e);
    }
    while (next_piece(&at, ":", piece, sizeof piece, &too_long)) {
        struct gtid_interval in;

        if (!too_long && gtid_tag_parse(piece, key.tag)) {
            src = NULL;
            continue;
        }
        if (too_long || !parse_interval(piece, &in)) {
            return bad_text(text, e);
        }
        if (src == NULL) {
            src = gtid_source_find_or_add(s, &key);
        }
        if (src == NULL || !gtid_source_add(src, in.first, in.last)) {
            return err_nomem(e);
        }
    }
    return src == NULL ? bad_text(text, e) : ERR_OK;
}

/* "0-1-100" */
static enum err_code parse_mariadb_source(struct gtid_set *s, const char *text, struct err *e)
{
    struct gtid_source key = {0};
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
    if (gtid_source_find(s, &key, &where) != NULL) {
        return err_set(e, ERR_CORRUPT, "GTID position: domain %u is there twice", key.domain);
    }
    struct gtid_source *src = gtid_source_find_or_add(s, &key);

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

static void print_intervals(const struct gtid_source *src, struct buf *out)
{
    for (uint32_t k = 0; k < src->count; k++) {
        const struct gtid_interval *in = &src->intervals[k];

        buf_printf(out, ":%llu", (unsigned long long)in->first);
        if (in->last > in->first) {
            buf_printf(out, "-%llu", (unsigned long long)in->last);
        }
    }
}

void gtid_set_print(const struct gtid_set *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_source *src = &s->sources[i];
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
