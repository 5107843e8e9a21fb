#include "aws/shared_config.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/str.h"

/* Each byte of a file can become a few of ours: a one-letter value is a struct and two texts. */
#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define SECTIONS_MAX    10000u

struct parser {
    struct shared_config *config;
    enum shared_config_file which;
    const char *file; /* lives in the arena */
    unsigned line;
    unsigned section_count;
    struct shared_config_section *section; /* NULL in front of the first */
    bool hidden;                           /* values of this part of it do not count */
    struct shared_config_value *value;     /* what a line further in goes on with; may be NULL */
    size_t indent;                         /* blanks in front of it */
    bool nested;                           /* it has inner values */
};

void shared_config_init(struct shared_config *c)
{
    *c = (struct shared_config){0};
    arena_init(&c->arena, ARENA_BYTES_MAX);
}

static void wipe(struct shared_config_value *v)
{
    for (; v != NULL; v = v->next) {
        OPENSSL_cleanse(v->text, strlen(v->text));
    }
}

void shared_config_deinit(struct shared_config *c)
{
    for (struct shared_config_section *s = c->sections; s != NULL; s = s->next) {
        wipe(s->values);
        wipe(s->hidden);
    }
    arena_deinit(&c->arena);
    c->sections = NULL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_blank(s.data[0])) {
        s = span_of(s.data + 1, s.len - 1);
    }
    while (s.len > 0 && is_blank(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* Up to a '#' or ';' that stands behind a blank, without blanks at the end. */
static struct span without_comment(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if ((s.data[i] == '#' || s.data[i] == ';') && is_blank(s.data[i - 1])) {
            s.len = i;
        }
    }
    return trim(s);
}

static enum err_code wrong(const struct parser *p, const char *what, struct err *e)
{
    return err_set(e, ERR_CONFIG, "%s line %u: %s", p->file, p->line, what);
}

/* ---- sections ---- */

static struct shared_config_section *find(const struct shared_config *c,
                                          enum shared_config_kind kind, struct span name)
{
    struct shared_config_section *s = c->sections;

    while (s != NULL && !(s->kind == kind && span_eq_str(name, s->name))) {
        s = s->next;
    }
    return s;
}

/* The word in front of the name: cut off what it means, and the quotes around the rest. */
static enum shared_config_kind take_kind(struct span *header, bool *prefixed)
{
    static const struct {
        const char *word;
        enum shared_config_kind kind;
    } kinds[] = {{"profile", SHARED_CONFIG_KIND_PROFILE},
                 {"sso-session", SHARED_CONFIG_KIND_SSO_SESSION},
                 {"services", SHARED_CONFIG_KIND_SERVICES}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].word);

        if (header->len > len && memcmp(header->data, kinds[i].word, len) == 0 &&
            is_blank(header->data[len])) {
            *header = trim(span_of(header->data + len, header->len - len));
            if (header->len >= 2 && (header->data[0] == '"' || header->data[0] == '\'') &&
                header->data[header->len - 1] == header->data[0]) {
                *header = span_of(header->data + 1, header->len - 2);
            }
            *prefixed = true;
            return kinds[i].kind;
        }
    }
    return span_eq_str(*header, "default") ? SHARED_CONFIG_KIND_PROFILE : SHARED_CONFIG_KIND_OTHER;
}

static enum err_code open_section(struct parser *p, enum shared_config_kind kind, struct span name,
                                  bool prefixed, struct err *e)
{
    struct shared_config *c = p->config;
    struct shared_config_section *s = find(c, kind, name);

    if (s == NULL) {
        if (p->section_count++ == SECTIONS_MAX) {
            return err_set(e, ERR_LIMIT, "%s has more than %u sections", p->file, SECTIONS_MAX);
        }
        s = arena_alloc(&c->arena, 1, sizeof *s);
        char *copy = arena_strndup(&c->arena, name.data, name.len);

        if (s == NULL || copy == NULL) {
            return arena_fail(&c->arena, e, "AWS config files");
        }
        *s = (struct shared_config_section){
            .kind = kind, .name = copy, .prefixed = prefixed, .next = c->sections};
        c->sections = s;
    }
    bool config = p->which == SHARED_CONFIG_FILE_CONFIG;

    if (config && prefixed && !s->prefixed) {
        s->hidden = s->values;
        s->values = NULL;
        s->prefixed = true;
    }
    p->section = s;
    p->hidden = config && s->prefixed && !prefixed;
    p->value = NULL;
    return ERR_OK;
}

/* line starts with '['. */
static enum err_code parse_section(struct parser *p, struct span line, struct err *e)
{
    const uint8_t *end = memchr(line.data, ']', line.len);
    enum shared_config_kind kind = SHARED_CONFIG_KIND_PROFILE;
    bool prefixed = false;

    if (end == NULL) {
        return wrong(p, "a section's name has no ']' behind it", e);
    }
    size_t len = (size_t)(end - line.data);
    struct span rest = trim(span_of(line.data + len + 1, line.len - len - 1));
    struct span name = trim(span_of(line.data + 1, len - 1));

    if (rest.len > 0 && rest.data[0] != '#' && rest.data[0] != ';') {
        return wrong(p, "there is something behind a section's ']'", e);
    }
    if (p->which == SHARED_CONFIG_FILE_CONFIG) {
        kind = take_kind(&name, &prefixed);
    }
    if (name.len == 0) {
        return wrong(p, "a section has no name", e);
    }
    return open_section(p, kind, name, prefixed, e);
}

/* ---- values ---- */

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text - 'A' + 'a');
        }
    }
}

/* The value's name; an inner one gets its outer's in front. NULL as arena_alloc. */
static char *make_name(struct parser *p, const struct shared_config_value *outer, struct span name)
{
    size_t front = outer == NULL ? 0 : strlen(outer->name) + 1;
    char *out = arena_alloc(&p->config->arena, front + name.len + 1, 1);

    if (out == NULL) {
        return NULL;
    }
    if (outer != NULL) {
        memcpy(out, outer->name, front - 1);
        out[front - 1] = '.';
    }
    memcpy(out + front, name.data, name.len);
    lower(out + front);
    return out;
}

static enum err_code add_value(struct parser *p, const struct shared_config_value *outer,
                               struct span line, struct shared_config_value **out, struct err *e)
{
    const uint8_t *equals = memchr(line.data, '=', line.len);

    if (equals == NULL) {
        return wrong(p, "expected [section], name = value, or a comment", e);
    }
    size_t len = (size_t)(equals - line.data);
    struct span name = trim(span_of(line.data, len));
    struct span text = without_comment(span_of(equals + 1, line.len - len - 1));

    if (name.len == 0) {
        return wrong(p, "a value has no name in front of its '='", e);
    }
    struct arena *arena = &p->config->arena;
    struct shared_config_value *v = arena_alloc(arena, 1, sizeof *v);
    char *name_copy = make_name(p, outer, name);
    char *text_copy = arena_strndup(arena, text.data, text.len);

    if (v == NULL || name_copy == NULL || text_copy == NULL) {
        return arena_fail(arena, e, "AWS config files");
    }
    struct shared_config_value **list = p->hidden ? &p->section->hidden : &p->section->values;

    *v = (struct shared_config_value){
        .name = name_copy, .text = text_copy, .file = p->file, .line = p->line, .next = *list};
    *list = v;
    *out = v;
    return ERR_OK;
}

/* A line further in, trimmed: more of the value above, or a value inside of it. */
static enum err_code parse_indented(struct parser *p, struct span line, struct err *e)
{
    struct shared_config_value *v = p->value;

    if (p->nested || v->text[0] == '\0') {
        struct shared_config_value *inner;

        p->nested = true;
        return add_value(p, v, line, &inner, e);
    }
    size_t front = strlen(v->text);
    struct span more = without_comment(line);
    char *joined = arena_alloc(&p->config->arena, front + 1 + more.len + 1, 1);

    if (joined == NULL) {
        return arena_fail(&p->config->arena, e, "AWS config files");
    }
    memcpy(joined, v->text, front);
    joined[front] = '\n';
    memcpy(joined + front + 1, more.data, more.len);
    OPENSSL_cleanse(v->text, front);
    v->text = joined;
    return ERR_OK;
}

static enum err_code parse_line(struct parser *p, struct span line, struct err *e)
{
    size_t indent = 0;

    while (indent < line.len && is_blank(line.data[indent])) {
        indent++;
    }
    line = trim(line);
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') {
        return ERR_OK;
    }
    if (p->value != NULL && indent > p->indent) {
        return parse_indented(p, line, e);
    }
    if (line.data[0] == '[') {
        return parse_section(p, line, e);
    }
    if (p->section == NULL) {
        return wrong(p, "a value stands in front of the first [section]", e);
    }
    p->indent = indent;
    p->nested = false;
    return add_value(p, NULL, line, &p->value, e);
}

enum err_code shared_config_parse(struct shared_config *c, struct span text,
                                  enum shared_config_file which, const char *file, struct err *e)
{
    struct parser p = {.config = c, .which = which};

    if (text.len > SHARED_CONFIG_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", file, SHARED_CONFIG_BYTES_MAX);
    }
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
        return err_set(e, ERR_CONFIG, "%s has a NUL byte: it is no text file", file);
    }
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text = span_of(text.data + 3, text.len - 3);
    }
    p.file = arena_strdup(&c->arena, file);
    if (p.file == NULL) {
        return arena_fail(&c->arena, e, "AWS config files");
    }
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        size_t used = end == NULL ? len : len + 1;

        p.line++;
        ERR_TRY(parse_line(&p, span_of(text.data, len), e));
        text = span_of(text.data + used, text.len - used);
    }
    return ERR_OK;
}

/* ---- asking ---- */

const struct shared_config_section *shared_config_find(const struct shared_config *c,
                                                       enum shared_config_kind kind,
                                                       const char *name)
{
    return find(c, kind, span_str(name));
}

const struct shared_config_value *shared_config_value(const struct shared_config_section *s,
                                                      const char *name)
{
    const struct shared_config_value *v = s == NULL ? NULL : s->values;

    while (v != NULL && strcmp(v->name, name) != 0) {
        v = v->next;
    }
    return v == NULL || v->text[0] == '\0' ? NULL : v;
}

const char *shared_config_text(const struct shared_config_section *s, const char *name)
{
    const struct shared_config_value *v = shared_config_value(s, name);

    return v == NULL ? NULL : v->text;
}
