/*
 * config_yaml.c - YAML, read by libyaml's events, as a flat list of paths and texts.
 *
 *   mysql:                      mysql.host = db
 *     host: db           ->     table = shop.*   (item)
 *   table: [shop.*, crm.a]      table = crm.a    (item)
 *
 * No anchors and aliases: they are how a small file becomes a large one, and nobody needs them
 * here.
 */
#include <yaml.h>

#include "app/config_files.h"

#define DEPTH_MAX      8
#define PATH_BYTES_MAX 512u
#define NO_MAPPING     "the file must be a mapping: lines like `key: value`"

struct level {
    bool is_sequence;
    bool has_key;    /* mappings: the next node is a value */
    size_t path_len; /* of the path up to this level */
};

struct walk {
    const char *file;
    char separator;
    struct arena *arena;
    struct config_entries *out;
    struct level levels[DEPTH_MAX];
    int depth;
    unsigned documents;
    char path[PATH_BYTES_MAX];
    size_t path_len;
};

static enum err_code fail_at(const struct walk *w, const yaml_event_t *event, struct err *e,
                             const char *what)
{
    return err_set(e, ERR_CONFIG, "%s:%zu: %s", w->file, event->start_mark.line + 1, what);
}

static struct level *top(struct walk *w)
{
    return w->depth == 0 ? NULL : &w->levels[w->depth - 1];
}

/* A node begins: is this a place for it? */
static enum err_code begin_node(struct walk *w, const yaml_event_t *event, bool anchored,
                                bool collection, struct err *e)
{
    struct level *level = top(w);

    if (anchored) {
        return fail_at(w, event, e, "anchors are not for settings files: write the value again");
    }
    if (collection && level != NULL && !level->is_sequence && !level->has_key) {
        return fail_at(w, event, e, "a key must be a text");
    }
    if (collection && level != NULL && level->is_sequence) {
        return fail_at(w, event, e, "a list here holds texts, not lists or sections");
    }
    if (collection && w->depth == DEPTH_MAX) {
        return fail_at(w, event, e, "sections are nested too deep");
    }
    if (level == NULL && event->type == YAML_SEQUENCE_START_EVENT) {
        return fail_at(w, event, e, NO_MAPPING);
    }
    return ERR_OK;
}

static enum err_code add_key(struct walk *w, struct level *level, const yaml_event_t *event,
                             struct err *e)
{
    size_t len = event->data.scalar.length;

    if (len == 0 || level->path_len + 1 + len >= PATH_BYTES_MAX ||
        memchr(event->data.scalar.value, '\0', len) != NULL) {
        return fail_at(w, event, e, "this key cannot be one of a setting");
    }
    w->path_len = level->path_len;
    if (w->path_len > 0) {
        w->path[w->path_len++] = w->separator;
    }
    memcpy(w->path + w->path_len, event->data.scalar.value, len);
    w->path_len += len;
    w->path[w->path_len] = '\0';
    level->has_key = true;
    return ERR_OK;
}

/* Nothing, as in `key:`, or a null. */
static bool is_null(const yaml_event_t *event)
{
    struct span text = span_of(event->data.scalar.value, event->data.scalar.length);

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || span_eq_str(text, "~") || span_eq_str(text, "null"));
}

static enum err_code add_value(struct walk *w, struct level *level, const yaml_event_t *event,
                               struct err *e)
{
    struct config_entry entry = {.item = level->is_sequence};
    size_t len = event->data.scalar.length;

    if (len > 0 && memchr(event->data.scalar.value, '\0', len) != NULL) {
        return fail_at(w, event, e, "a value cannot hold a NUL character");
    }
    entry.key = arena_strndup(w->arena, w->path, w->path_len);
    entry.where = config_place(w->arena, w->file, (unsigned)event->start_mark.line + 1);
    if (!is_null(event)) {
        entry.value = arena_strndup(w->arena, event->data.scalar.value, len);
    }
    if (entry.key == NULL || entry.where == NULL || (entry.value == NULL && !is_null(event))) {
        return arena_fail(w->arena, e, "settings");
    }
    if (!level->is_sequence && config_entries_find(w->out, entry.key) != NULL) {
        return err_set(e, ERR_CONFIG, "%s: '%s' is here a second time", entry.where, entry.key);
    }
    level->has_key = false;
    return config_entries_add(w->out, w->arena, entry, e);
}

static enum err_code on_scalar(struct walk *w, const yaml_event_t *event, struct err *e)
{
    struct level *level = top(w);

    ERR_TRY(begin_node(w, event, event->data.scalar.anchor != NULL, false, e));
    if (level == NULL) {
        /* An empty document is one empty scalar. */
        return is_null(event) ? ERR_OK : fail_at(w, event, e, NO_MAPPING);
    }
    if (!level->is_sequence && !level->has_key) {
        return add_key(w, level, event, e);
    }
    return add_value(w, level, event, e);
}

static enum err_code on_collection(struct walk *w, const yaml_event_t *event, bool is_sequence,
                                   bool anchored, struct err *e)
{
    struct level *level = top(w);

    ERR_TRY(begin_node(w, event, anchored, true, e));
    if (level != NULL) {
        level->has_key = false;
        if (is_sequence && config_entries_find(w->out, w->path) != NULL) {
            return fail_at(w, event, e, "this list is here a second time");
        }
    }
    w->levels[w->depth++] = (struct level){.is_sequence = is_sequence, .path_len = w->path_len};
    return ERR_OK;
}

static void end_collection(struct walk *w)
{
    w->depth--;
    w->path_len = w->depth == 0 ? 0 : w->levels[w->depth - 1].path_len;
}

static enum err_code on_event(struct walk *w, const yaml_event_t *event, struct err *e)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return ERR_OK;
    case YAML_DOCUMENT_START_EVENT:
        return w->documents++ == 0 ? ERR_OK : fail_at(w, event, e, "only one document is read");
    case YAML_ALIAS_EVENT:
        return begin_node(w, event, true, false, e);
    case YAML_SCALAR_EVENT:
        return on_scalar(w, event, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_collection(w, event, true, event->data.sequence_start.anchor != NULL, e);
    case YAML_MAPPING_START_EVENT:
        return on_collection(w, event, false, event->data.mapping_start.anchor != NULL, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        end_collection(w);
        return ERR_OK;
    }
    return ERR_OK;
}

static enum err_code syntax_error(const struct walk *w, const yaml_parser_t *parser, struct err *e)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return err_nomem(e);
    }
    return err_set(e, ERR_CONFIG, "%s:%zu: not YAML: %s", w->file, parser->problem_mark.line + 1,
                   parser->problem == NULL ? "unreadable" : parser->problem);
}

enum err_code config_yaml_parse(struct span text, const char *file, char separator,
                                struct arena *arena, struct config_entries *out, struct err *e)
{
    struct walk w = {.file = file, .separator = separator, .arena = arena, .out = out};
    yaml_parser_t parser;
    enum err_code rc = ERR_OK;

    if (yaml_parser_initialize(&parser) == 0) {
        return err_nomem(e);
    }
    yaml_parser_set_input_string(&parser, text.len == 0 ? (const uint8_t *)"" : text.data,
                                 text.len);
    for (bool more = true; more && rc == ERR_OK;) {
        yaml_event_t event;

        if (yaml_parser_parse(&parser, &event) == 0) {
            rc = syntax_error(&w, &parser, e);
            break;
        }
        rc = on_event(&w, &event, e);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return rc;
}
