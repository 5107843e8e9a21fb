/*
 * config_help.h - the settings for people: --help and docs/config.md.
 *
 * Thread: any.
 */
#ifndef CALVE_APP_CONFIG_HELP_H
#define CALVE_APP_CONFIG_HELP_H

#include "app/config_table.h"

/* Lines of at most this many columns. */
#define HELP_COLUMNS 100u

/* Appends one entry: `left` in its column, then text, wrapped. */
void help_put_entry(struct buf *out, const char *left, const char *text);

/* Appends the flags of the groups (a sum of 1 << enum config_group), under their titles. */
void config_put_help(unsigned groups, struct buf *out);

/* Appends docs/config.md. */
void config_put_markdown(struct buf *out);

#endif
