/*
 * shared_config.h - ~/.aws/config and ~/.aws/credentials: sections of names and values.
 *
 *   config:       [default], [profile NAME], [sso-session NAME], [services NAME]
 *   credentials:  [NAME]
 *
 *   name = value                blanks around both are cut off; the name's case is ignored
 *   name = value # comment      also ';', behind a blank; a line may be a comment as a whole
 *       more of it              a line further in than the value's goes on with it
 *   name =
 *       inner = value           known as "name.inner"
 *
 * Both files go into one struct, config first: of two values with the same name in the same section
 * the later one counts.
 *
 * Spec: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 * Thread: one at a time.
 */
#ifndef CALVE_AWS_SHARED_CONFIG_H
#define CALVE_AWS_SHARED_CONFIG_H

#include "base/arena.h"

#define SHARED_CONFIG_BYTES_MAX ((size_t)1 << 20)

enum shared_config_file { SHARED_CONFIG_FILE_CONFIG, SHARED_CONFIG_FILE_CREDENTIALS };

enum shared_config_kind {
    SHARED_CONFIG_KIND_PROFILE,
    SHARED_CONFIG_KIND_SSO_SESSION,
    SHARED_CONFIG_KIND_SERVICES,
    SHARED_CONFIG_KIND_OTHER, /* kept apart, asked for by nobody */
};

struct shared_config_value {
    const char *name; /* lower case */
    char *text;       /* "" for none */
    const char *file; /* as given to shared_config_parse() */
    unsigned line;
    struct shared_config_value *next;
};

struct shared_config_section {
    enum shared_config_kind kind;
    const char *name;
    bool prefixed;                      /* "[profile default]" hides "[default]" */
    struct shared_config_value *values; /* the latest first */
    struct shared_config_value *hidden; /* of a "[default]" that does not count */
    struct shared_config_section *next;
};

struct shared_config {
    struct arena arena;
    struct shared_config_section *sections;
};

void shared_config_init(struct shared_config *c);
/* Wipes all values. */
void shared_config_deinit(struct shared_config *c);

/*
 * Adds one file's text. Messages name file and line and show nothing of what is there, as it may be
 * a secret.
 *
 * Errors: ERR_CONFIG  a line that is neither section, value nor comment; a value in front of the
 *                     first section; a NUL byte
 *         ERR_LIMIT   more than SHARED_CONFIG_BYTES_MAX
 */
MUST_USE enum err_code shared_config_parse(struct shared_config *c, struct span text,
                                           enum shared_config_file which, const char *file,
                                           struct err *e);

/* NULL when there is none. */
const struct shared_config_section *shared_config_find(const struct shared_config *c,
                                                       enum shared_config_kind kind,
                                                       const char *name);

/* NULL when the section (NULL is fine) does not have it, or has it without a text. */
const struct shared_config_value *shared_config_value(const struct shared_config_section *s,
                                                      const char *name);
/* The same, its text only. */
const char *shared_config_text(const struct shared_config_section *s, const char *name);

#endif
