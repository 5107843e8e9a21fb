/*
 * config_int.h - what the parts of config loading share: gathering (config.c), deriving
 * (config_derive.c), and where the lake is (config_lake.c, config_properties.c).
 */
#ifndef CALVE_APP_CONFIG_INT_H
#define CALVE_APP_CONFIG_INT_H

#include "app/config_files.h"
#include "app/config_table.h"

/* Strongest last. */
enum config_rank {
    CONFIG_RANK_DEFAULT,
    CONFIG_RANK_SERVICE, /* defaults of the service calve replaces */
    CONFIG_RANK_PYICEBERG,
    CONFIG_RANK_DOTENV,
    CONFIG_RANK_YAML,
    CONFIG_RANK_ENVIRONMENT,
    CONFIG_RANK_FLAG,
};

/* The strongest value given to a setting so far. */
struct config_given {
    const char *text;
    const char *where;
    enum config_rank rank;
};

struct config_values {
    struct config_given *given; /* one for each setting */
    /* Why there is no lake, for config_require; NULL when there is one or nothing was said. */
    const char *lake_problem;
    enum err_code lake_problem_code;
};

struct config_loader {
    const struct config_request *request;
    struct config *c;
    struct config_entries dotenv;
    struct config_entries warnings;
    struct config_env env; /* process, then .env */
};

/* name must be in the table. */
struct config_given *config_given_of(const struct config *c, const char *name);

/* Takes the value unless a stronger one is there; a list of the same rank grows. */
MUST_USE enum err_code config_put(struct config_loader *l, const struct config_setting *s,
                                  const char *text, enum config_rank rank, const char *where,
                                  struct err *e);

/* As config_put, and a value of the same rank stays too: what was said directly wins. */
MUST_USE enum err_code config_put_weaker(struct config_loader *l, const char *name,
                                         const char *text, enum config_rank rank, const char *where,
                                         struct err *e);

/* Texts of other settings inside a setting: source, CDC_SCHEMA and CDC_TABLE, files, catalogs. */
MUST_USE enum err_code config_derive_texts(struct config_loader *l, struct err *e);

/* What follows from the parsed values: points, locations; and checks that need more than one
 * setting. */
MUST_USE enum err_code config_derive_values(struct config_loader *l, struct err *e);

/* Without a trailing slash; ~/ is the home folder. "" for the root itself. */
MUST_USE enum err_code config_absolute_path(struct config_loader *l, const char *text,
                                            const char **out, struct err *e);

/* The same two steps for warehouse and catalog. */
MUST_USE enum err_code config_lake_texts(struct config_loader *l, struct err *e);
MUST_USE enum err_code config_lake_values(struct config_loader *l, struct err *e);

/* One property of a catalog as PyIceberg or Iceberg's Java library name it. */
MUST_USE enum err_code config_put_property(struct config_loader *l, const char *catalog_type,
                                           const struct config_entry *property, struct err *e);

#endif
