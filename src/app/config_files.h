/*
 * config_files.h - the files settings come from: .env, YAML and .pyiceberg.yaml, and ${VAR} in
 * them.
 *
 * .env follows python-dotenv, because existing .env files were written for it: `export`, quotes,
 * escapes, comments, values over several lines, ${VAR} and ${VAR:-default}. YAML is read by
 * libyaml, without anchors, as nested mappings of texts. .pyiceberg.yaml follows
 * pyiceberg/utils/config.py.
 *
 * Owns:   what is read lives in the arena given. Thread: any.
 */
#ifndef CALVE_APP_CONFIG_FILES_H
#define CALVE_APP_CONFIG_FILES_H

#include "base/arena.h"
#include "base/buf.h"

#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)

struct config_entry {
    const char *key;   /* YAML: the path, its parts joined by the separator */
    const char *value; /* NULL: the key alone (.env), or nothing (YAML) */
    const char *where; /* "calve.yaml:12" */
    bool item;         /* YAML: one of a sequence */
};

struct config_entries {
    struct config_entry *items;
    uint32_t count;
    uint32_t capacity;
};

MUST_USE enum err_code config_entries_add(struct config_entries *list, struct arena *arena,
                                          struct config_entry entry, struct err *e);

/* The entry added last under a key; NULL when there is none. */
const struct config_entry *config_entries_find(const struct config_entries *list, const char *key);

/* Environment variables: those of the process, and behind them those of .env. */
struct config_env {
    const char *const *process; /* "NAME=value", ends with NULL */
    const struct config_entries *dotenv;
    bool dotenv_first; /* inside .env, its earlier lines hide the process */
};

/* Formatted text in arena. */
MUST_USE enum err_code config_text(struct arena *arena, const char **out, struct err *e,
                                   const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "file:line" in arena; NULL when it is full. */
const char *config_place(struct arena *arena, const char *file, unsigned line);

/*
 * A variable's value, NULL when it is not set; *where (may be NULL) gets "environment NAME" in
 * arena, or the entry's place. Names in .env are also found in lower case, as the service calve
 * replaces does.
 */
const char *config_env_get(const struct config_env *env, const char *name, struct arena *arena,
                           const char **where);

/*
 * Replaces ${NAME} and ${NAME:-default} in text; *out is in arena. A name without value and default
 * is empty when lenient, else ERR_CONFIG.
 */
MUST_USE enum err_code config_expand(const struct config_env *env, const char *text, bool lenient,
                                     struct arena *arena, const char **out, struct err *e);

/* Appends a file to out. *found is false (and ERR_OK) when there is none. */
MUST_USE enum err_code config_read_file(const char *path, struct buf *out, bool *found,
                                        struct err *e);

/*
 * Values see variables of process and of earlier lines. A line that is no statement is left out, as
 * python-dotenv does, and named in warnings.
 */
MUST_USE enum err_code config_dotenv_parse(struct span text, const char *file,
                                           const char *const *process, struct arena *arena,
                                           struct config_entries *out,
                                           struct config_entries *warnings, struct err *e);

/* Errors: ERR_CONFIG with file and line: syntax, anchors, a key given twice, nesting beyond 8. */
MUST_USE enum err_code config_yaml_parse(struct span text, const char *file, char separator,
                                         struct arena *arena, struct config_entries *out,
                                         struct err *e);

/* The catalog that .pyiceberg.yaml and PYICEBERG_... variables describe; NULL: not given. */
struct pyiceberg_catalog {
    const char *name;
    const char *name_where;
    const char *type; /* lower case: sql, rest, glue, hive, …; from the URI when it is not given */
    const char *type_where;
    const char *uri;
    const char *uri_where;
    struct config_entries properties; /* all of them, keys as in the file, ${VAR} resolved */
};

/*
 * Looks in $PYICEBERG_HOME, $HOME and folder; the first file with content counts. name NULL: the
 * default catalog. *found is false when neither file nor variables know the catalog.
 */
MUST_USE enum err_code pyiceberg_catalog_load(const struct config_env *env, const char *folder,
                                              const char *name, struct arena *arena,
                                              struct pyiceberg_catalog *out, bool *found,
                                              struct err *e);

#endif
