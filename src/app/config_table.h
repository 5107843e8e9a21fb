/*
 * config_table.h - the one table that defines every setting.
 *
 * --help, docs/config.md, the readers of files and variables, and validation all come from it.
 *
 * Thread: any (constants).
 */
#ifndef CALVE_APP_CONFIG_TABLE_H
#define CALVE_APP_CONFIG_TABLE_H

#include "app/config.h"

enum config_type {
    CONFIG_STRING,
    CONFIG_URL,    /* printed without user, password and query */
    CONFIG_PLACE,  /* a path or name; as a CONFIG_URL where it has a "://" */
    CONFIG_SECRET, /* never printed, and not a flag: the process list shows flags */
    CONFIG_U64,
    CONFIG_BOOL,
    CONFIG_DURATION_MS, /* "250ms", "10s", "5m", "1h", "7d" */
    CONFIG_BYTES,       /* "64MiB", "1GB", "4096" */
    CONFIG_ENUM,
    CONFIG_LIST,    /* comma separated, and may be given again */
    CONFIG_HEADERS, /* a list of "NAME: VALUE", printed without the values */
};

enum config_group {
    CONFIG_GROUP_SOURCE,
    CONFIG_GROUP_TABLES,
    CONFIG_GROUP_LAKE,
    CONFIG_GROUP_CLIENT,
    CONFIG_GROUP_S3,
    CONFIG_GROUP_GLUE,
    CONFIG_GROUP_REST,
    CONFIG_GROUP_HTTP,
    CONFIG_GROUP_RANGE,
    CONFIG_GROUP_COMMIT,
    CONFIG_GROUP_RESOURCES,
    CONFIG_GROUP_OUTPUT,
};
#define CONFIG_GROUPS 12

struct config_setting {
    const char *name; /* dotted */
    enum config_type type;
    enum config_group group;
    size_t offset;       /* in struct config */
    const char *initial; /* the default, as a user would write it */
    uint64_t min;        /* U64, DURATION_MS, BYTES */
    uint64_t max;
    const char *choices;  /* ENUM: "text|json", in the order of the C enum */
    const char *metavar;  /* what a flag's value is called in --help */
    const char *variable; /* the name the Python service gives it, beside CALVE_...; or NULL */
    const char *help;     /* one sentence */
};

static inline bool config_type_is_list(enum config_type type)
{
    return type == CONFIG_LIST || type == CONFIG_HEADERS;
}

extern const struct config_setting config_settings[];
extern const size_t config_setting_count;

const char *config_group_title(enum config_group group);

/* By its dotted name; NULL when there is none. */
const struct config_setting *config_find(struct span name);

/* By its flag without the dashes: "commit-interval"; "commit.interval" is fine too. */
const struct config_setting *config_find_flag(struct span name);

/* By "CALVE_COMMIT_INTERVAL". */
const struct config_setting *config_find_variable(struct span name);

/* The setting whose name is nearest, for "did you mean"; NULL when none is near. */
const struct config_setting *config_nearest(struct span name);

#define CONFIG_NAME_BYTES 64u

/* out gets "--commit-interval" or "CALVE_COMMIT_INTERVAL" and a NUL. */
void config_flag_name(const struct config_setting *s, char out[CONFIG_NAME_BYTES]);
void config_variable_name(const struct config_setting *s, char out[CONFIG_NAME_BYTES]);

/* Index of a choice in "a|b|c", ASCII case ignored; -1 when it is none. */
int config_choice_index(const char *choices, struct span text);
struct span config_choice_at(const char *choices, int index);

#endif
