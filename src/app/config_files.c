#include "app/config_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define ENTRIES_MAX 10000u

enum err_code config_entries_add(struct config_entries *list, struct arena *arena,
                                 struct config_entry entry, struct err *e)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;

        if (list->count >= ENTRIES_MAX) {
            return err_set(e, ERR_CONFIG, "%s: more than %u settings", entry.where, ENTRIES_MAX);
        }
        struct config_entry *items = arena_alloc(arena, capacity, sizeof *items);

        if (items == NULL) {
            return arena_fail(arena, e, "settings");
        }
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = entry;
    return ERR_OK;
}

const struct config_entry *config_entries_find(const struct config_entries *list, const char *key)
{
    for (uint32_t i = list->count; i > 0; i--) {
        if (strcmp(list->items[i - 1].key, key) == 0) {
            return &list->items[i - 1];
        }
    }
    return NULL;
}

/* The value in "NAME=value", NULL when it is another name. */
static const char *variable_value(const char *variable, const char *name)
{
    size_t len = strlen(name);

    return strncmp(variable, name, len) == 0 && variable[len] == '=' ? variable + len + 1 : NULL;
}

static const char *process_get(const char *const *process, const char *name)
{
    for (const char *const *p = process; p != NULL && *p != NULL; p++) {
        const char *value = variable_value(*p, name);

        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}

static const struct config_entry *dotenv_get(const struct config_entries *dotenv, const char *name)
{
    for (uint32_t i = dotenv == NULL ? 0 : dotenv->count; i > 0; i--) {
        const struct config_entry *entry = &dotenv->items[i - 1];

        if (entry->value != NULL && str_ieq(entry->key, name)) {
            return entry;
        }
    }
    return NULL;
}

enum err_code config_text(struct arena *arena, const char **out, struct err *e, const char *fmt,
                          ...)
{
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1, 1);

    if (text == NULL) {
        return arena_fail(arena, e, "settings");
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    *out = text;
    return ERR_OK;
}

const char *config_place(struct arena *arena, const char *file, unsigned line)
{
    const char *place;

    return config_text(arena, &place, NULL, "%s:%u", file, line) == ERR_OK ? place : NULL;
}

const char *config_env_get(const struct config_env *env, const char *name, struct arena *arena,
                           const char **where)
{
    const char *value = process_get(env->process, name);
    const struct config_entry *entry =
        value == NULL || env->dotenv_first ? dotenv_get(env->dotenv, name) : NULL;

    if (entry != NULL) {
        if (where != NULL) {
            *where = entry->where;
        }
        return entry->value;
    }
    if (value != NULL && where != NULL) {
        if (config_text(arena, where, NULL, "environment %s", name) != ERR_OK) {
            *where = "environment";
        }
    }
    return value;
}

/* Where the variable reference at text ends (behind its brace); NULL when it is none. */
static const char *reference_end(const char *text)
{
    return text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;
}

static enum err_code expand_one(const struct config_env *env, const char *start, const char *end,
                                bool lenient, struct arena *arena, struct buf *out, struct err *e)
{
    size_t inner_len = (size_t)(end - start) - 2;
    char *name = arena_strndup(arena, start + 2, inner_len);

    if (name == NULL) {
        return arena_fail(arena, e, "settings");
    }
    char *fallback = strstr(name, ":-");

    if (fallback != NULL) {
        *fallback = '\0';
        fallback += 2;
    }
    const char *value = config_env_get(env, name, arena, NULL);

    if (value == NULL) {
        value = fallback;
    }
    if (value == NULL && !lenient) {
        return err_set(e, ERR_CONFIG,
                       "${%s} is not set: set the environment variable %s, or write ${%s:-default}",
                       name, name, name);
    }
    buf_append_str(out, value == NULL ? "" : value);
    return ERR_OK;
}

enum err_code config_expand(const struct config_env *env, const char *text, bool lenient,
                            struct arena *arena, const char **out, struct err *e)
{
    struct buf expanded;
    enum err_code rc = ERR_OK;

    buf_init(&expanded, CONFIG_FILE_BYTES_MAX);
    for (const char *p = text; *p != '\0' && rc == ERR_OK;) {
        const char *end = reference_end(p);

        if (end == NULL) {
            buf_u8(&expanded, (uint8_t)*p++);
            continue;
        }
        rc = expand_one(env, p, end, lenient, arena, &expanded, e);
        p = end + 1;
    }
    if (rc == ERR_OK) {
        rc = buf_check(&expanded, e, "a setting");
    }
    if (rc == ERR_OK) {
        char *copy = arena_strndup(arena, expanded.data, expanded.len);

        rc = copy == NULL ? arena_fail(arena, e, "settings") : ERR_OK;
        *out = copy;
    }
    buf_deinit(&expanded);
    return rc;
}

static enum err_code read_all(int fd, const char *path, struct buf *out, struct err *e)
{
    size_t start = out->len;

    for (;;) {
        uint8_t *room = buf_reserve(out, 4096);

        if (room == NULL) {
            return buf_check(out, e, path);
        }
        ssize_t n = read(fd, room, 4096);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set_os(e, ERR_CONFIG, errno, "reading %s", path);
        }
        if (n == 0) {
            return ERR_OK;
        }
        out->len += (size_t)n;
        if (out->len - start > CONFIG_FILE_BYTES_MAX) {
            return err_set(e, ERR_CONFIG, "%s is larger than %zu bytes: it is no settings file",
                           path, CONFIG_FILE_BYTES_MAX);
        }
    }
}

enum err_code config_read_file(const char *path, struct buf *out, bool *found, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *found = fd >= 0;
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? ERR_OK
                   : err_set_os(e, ERR_CONFIG, errno, "opening %s", path);
    }
    enum err_code rc = read_all(fd, path, out, e);

    (void)close(fd);
    return rc;
}
