/*
 * config_value.h - a setting's text to its value in struct config, and back.
 *
 * Thread: any.
 */
#ifndef CALVE_APP_CONFIG_VALUE_H
#define CALVE_APP_CONFIG_VALUE_H

#include "app/config_table.h"

/* "250ms", "10s", "5m", "1h", "7d"; 0 needs no unit. False when it is none or does not fit. */
bool config_parse_duration_ms(struct span text, uint64_t *out);

/* "4096", "64KiB", "64 MiB", "1GB" (powers of 1000), "1G" (powers of 1024); case does not matter.
 */
bool config_parse_bytes(struct span text, uint64_t *out);

/*
 * Stores the value of text in *c. Errors: ERR_CONFIG names setting, text (not of a secret), origin
 * and what is allowed.
 */
MUST_USE enum err_code config_value_parse(const struct config_setting *s, const char *text,
                                          const char *where, struct config *c, struct err *e);

/* Overwrites and frees a secret; anything else is the arena's. */
void config_value_wipe(const struct config_setting *s, struct config *c);

/* Whether the text of this setting is a URL, and so may have secrets in it (app/url_shown.h). */
bool config_value_is_url(const struct config_setting *s, const char *text);

/* Appends the value as a user would write it; a secret as *** or nothing, and
 * so what may be one in a URL or a header. */
void config_value_print(const struct config_setting *s, const struct config *c, struct buf *out);

/* Appends what values are allowed: "a time from 100ms to 1h, like 10s". */
void config_value_allowed(const struct config_setting *s, struct buf *out);

#endif
