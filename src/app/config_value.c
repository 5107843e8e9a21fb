#include "app/config_value.h"

#include <stdlib.h>

#include "app/url_shown.h"
#include "base/str.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that printing finds the shortest form. */
static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                             {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit byte_units[] = {{"TiB", UINT64_C(1) << 40},
                                         {"GiB", UINT64_C(1) << 30},
                                         {"MiB", UINT64_C(1) << 20},
                                         {"KiB", UINT64_C(1) << 10},
                                         {"T", UINT64_C(1) << 40},
                                         {"G", UINT64_C(1) << 30},
                                         {"M", UINT64_C(1) << 20},
                                         {"K", UINT64_C(1) << 10},
                                         {"TB", UINT64_C(1000000000000)},
                                         {"GB", UINT64_C(1000000000)},
                                         {"MB", UINT64_C(1000000)},
                                         {"KB", UINT64_C(1000)},
                                         {"B", 1},
                                         {"", 1},
                                         {NULL, 0}};

static struct span trim(struct span s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = span_of(s.data + 1, s.len - 1);
    }
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

static bool parse_with_unit(struct span text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    uint64_t number;

    text = trim(text);
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    if (!str_to_u64(span_of(text.data, digits), &number)) {
        return false;
    }
    struct span name = trim(span_of(text.data + digits, text.len - digits));

    for (const struct unit *u = units; u->name != NULL; u++) {
        if (span_ieq_str(name, u->name)) {
            return !__builtin_mul_overflow(number, u->factor, out);
        }
    }
    *out = 0;
    return number == 0 && name.len == 0;
}

bool config_parse_duration_ms(struct span text, uint64_t *out)
{
    return parse_with_unit(text, duration_units, out);
}

bool config_parse_bytes(struct span text, uint64_t *out)
{
    return parse_with_unit(text, byte_units, out);
}

static void print_with_unit(uint64_t value, const struct unit *units, const char *zero,
                            struct buf *out)
{
    if (value == 0) {
        buf_append_str(out, zero);
        return;
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (value % u->factor == 0) {
            buf_printf(out, "%llu%s", (unsigned long long)(value / u->factor), u->name);
            return;
        }
    }
}

static bool parse_bool(struct span text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        *out = span_ieq_str(text, yes[i]);
        if (*out || span_ieq_str(text, no[i])) {
            return true;
        }
    }
    return false;
}

static void *field_of(const struct config_setting *s, struct config *c)
{
    return (char *)c + s->offset;
}

static const void *const_field_of(const struct config_setting *s, const struct config *c)
{
    return (const char *)c + s->offset;
}

static uint64_t u64_of(const struct config_setting *s, const struct config *c)
{
    uint64_t v;

    memcpy(&v, const_field_of(s, c), sizeof v);
    return v;
}

static void put_number(const struct config_setting *s, uint64_t v, struct buf *out)
{
    if (s->type == CONFIG_DURATION_MS) {
        print_with_unit(v, duration_units, "0s", out);
    } else if (s->type == CONFIG_BYTES) {
        print_with_unit(v, byte_units, "0", out);
    } else {
        buf_printf(out, "%llu", (unsigned long long)v);
    }
}

static void put_range(const struct config_setting *s, const char *what, const char *example,
                      struct buf *out)
{
    buf_printf(out, "%s from ", what);
    put_number(s, s->min, out);
    buf_append_str(out, " to ");
    put_number(s, s->max, out);
    buf_append_str(out, example);
}

static void put_choices(const struct config_setting *s, struct buf *out)
{
    for (int i = 0; config_choice_at(s->choices, i).len > 0; i++) {
        bool last = config_choice_at(s->choices, i + 1).len == 0;

        buf_append_str(out, i == 0 ? "" : last ? " or " : ", ");
        buf_append_span(out, config_choice_at(s->choices, i));
    }
}

void config_value_allowed(const struct config_setting *s, struct buf *out)
{
    switch (s->type) {
    case CONFIG_STRING:
    case CONFIG_URL:
    case CONFIG_PLACE:
    case CONFIG_SECRET:
        buf_append_str(out, "a text");
        return;
    case CONFIG_U64:
        put_range(s, "a number", "", out);
        return;
    case CONFIG_BOOL:
        buf_append_str(out, "true or false");
        return;
    case CONFIG_DURATION_MS:
        put_range(s, "a time", ", such as 30s or 5m", out);
        return;
    case CONFIG_BYTES:
        put_range(s, "a size", ", such as 64MiB or 1GiB", out);
        return;
    case CONFIG_ENUM:
        put_choices(s, out);
        return;
    case CONFIG_LIST:
    case CONFIG_HEADERS:
        buf_append_str(out, "a list, separated by commas");
        return;
    } /* no default: a new type breaks the build here */
    abort();
}

static enum err_code refuse(const struct config_setting *s, const char *text, const char *where,
                            struct err *e)
{
    struct buf allowed = {0};

    config_value_allowed(s, &allowed);
    const char *what = buf_cstr(&allowed);
    enum err_code rc = err_set(e, ERR_CONFIG, "%s: '%.100s' (%s) must be %s", s->name, text, where,
                               what == NULL ? "something else" : what);

    buf_deinit(&allowed);
    return rc;
}

static bool parse_number(const struct config_setting *s, struct span text, uint64_t *out)
{
    bool ok = s->type == CONFIG_DURATION_MS ? config_parse_duration_ms(text, out)
              : s->type == CONFIG_BYTES     ? config_parse_bytes(text, out)
                                            : str_to_u64(trim(text), out);

    return ok && *out >= s->min && *out <= s->max;
}

/* The next piece of "a, b,,c" that is not empty; false at the end. */
static bool next_item(struct span *rest, struct span *item)
{
    while (rest->len > 0) {
        const uint8_t *comma = memchr(rest->data, ',', rest->len);
        size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->data);
        size_t skip = comma == NULL ? len : len + 1;

        *item = trim(span_of(rest->data, len));
        *rest = span_of(rest->data + skip, rest->len - skip);
        if (item->len > 0) {
            return true;
        }
    }
    return false;
}

static enum err_code parse_list(const char *text, struct arena *arena, struct config_list *out,
                                struct err *e)
{
    struct span rest = span_str(text);
    struct span item;
    uint32_t count = 0;

    while (next_item(&rest, &item)) {
        count++;
    }
    const char **items = arena_alloc(arena, (size_t)count + 1, sizeof *items);

    if (items == NULL) {
        return arena_fail(arena, e, "settings");
    }
    rest = span_str(text);
    for (uint32_t i = 0; next_item(&rest, &item); i++) {
        items[i] = arena_strndup(arena, item.data, item.len);
        if (items[i] == NULL) {
            return arena_fail(arena, e, "settings");
        }
    }
    *out = (struct config_list){.items = count == 0 ? NULL : items, .count = count};
    return ERR_OK;
}

static enum err_code parse_text(const struct config_setting *s, const char *text, struct config *c,
                                struct err *e)
{
    const char *copy = arena_strdup(&c->arena, text);

    if (copy == NULL) {
        return arena_fail(&c->arena, e, "settings");
    }
    memcpy(field_of(s, c), &copy, sizeof copy);
    return ERR_OK;
}

static enum err_code parse_secret(const struct config_setting *s, const char *text,
                                  struct config *c, struct err *e)
{
    struct secret *secret = field_of(s, c);

    secret_wipe(secret);
    secret->text = str_dup(text);
    return secret->text == NULL ? err_nomem(e) : ERR_OK;
}

enum err_code config_value_parse(const struct config_setting *s, const char *text,
                                 const char *where, struct config *c, struct err *e)
{
    uint64_t number;
    bool yes;
    int choice;

    switch (s->type) {
    case CONFIG_STRING:
    case CONFIG_URL:
    case CONFIG_PLACE:
        return parse_text(s, text, c, e);
    case CONFIG_SECRET:
        return parse_secret(s, text, c, e);
    case CONFIG_LIST:
    case CONFIG_HEADERS:
        return parse_list(text, &c->arena, field_of(s, c), e);
    case CONFIG_U64:
    case CONFIG_DURATION_MS:
    case CONFIG_BYTES:
        if (!parse_number(s, span_str(text), &number)) {
            return refuse(s, text, where, e);
        }
        memcpy(field_of(s, c), &number, sizeof number);
        return ERR_OK;
    case CONFIG_BOOL:
        if (!parse_bool(trim(span_str(text)), &yes)) {
            return refuse(s, text, where, e);
        }
        memcpy(field_of(s, c), &yes, sizeof yes);
        return ERR_OK;
    case CONFIG_ENUM:
        choice = config_choice_index(s->choices, trim(span_str(text)));
        if (choice < 0) {
            return refuse(s, text, where, e);
        }
        memcpy(field_of(s, c), &choice, sizeof choice);
        return ERR_OK;
    } /* no default: a new type breaks the build here */
    abort();
}

static void put_list(const struct config_list *list, struct buf *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        buf_printf(out, "%s%s", i == 0 ? "" : ",", list->items[i]);
    }
}

/* Any header's value may be a secret: Authorization, Cookie, X-Api-Key. */
static void put_headers(const struct config_list *list, struct buf *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const char *colon = strchr(list->items[i], ':');
        size_t len = colon == NULL ? 0 : (size_t)(colon - list->items[i]);

        buf_printf(out, "%s%.*s: ***", i == 0 ? "" : ",", (int)len, list->items[i]);
    }
}

bool config_value_is_url(const struct config_setting *s, const char *text)
{
    return s->type == CONFIG_URL || (s->type == CONFIG_PLACE && strstr(text, "://") != NULL);
}

static void put_text(const struct config_setting *s, const struct config *c, struct buf *out)
{
    const char *text;

    memcpy(&text, const_field_of(s, c), sizeof text);
    if (text == NULL) {
        return;
    }
    if (config_value_is_url(s, text)) {
        url_put_shown(out, text);
    } else {
        buf_append_str(out, text);
    }
}

void config_value_wipe(const struct config_setting *s, struct config *c)
{
    if (s->type == CONFIG_SECRET) {
        secret_wipe(field_of(s, c));
    }
}

void config_value_print(const struct config_setting *s, const struct config *c, struct buf *out)
{
    bool yes;
    int choice;

    switch (s->type) {
    case CONFIG_STRING:
    case CONFIG_URL:
    case CONFIG_PLACE:
        put_text(s, c, out);
        return;
    case CONFIG_SECRET:
        buf_append_str(out, secret_show(const_field_of(s, c)));
        return;
    case CONFIG_LIST:
        put_list(const_field_of(s, c), out);
        return;
    case CONFIG_HEADERS:
        put_headers(const_field_of(s, c), out);
        return;
    case CONFIG_U64:
    case CONFIG_DURATION_MS:
    case CONFIG_BYTES:
        put_number(s, u64_of(s, c), out);
        return;
    case CONFIG_BOOL:
        memcpy(&yes, const_field_of(s, c), sizeof yes);
        buf_append_str(out, yes ? "true" : "false");
        return;
    case CONFIG_ENUM:
        memcpy(&choice, const_field_of(s, c), sizeof choice);
        buf_append_span(out, config_choice_at(s->choices, choice));
        return;
    } /* no default: a new type breaks the build here */
    abort();
}
