#include "mysql/position.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* The number after the last dot; a name without one counts as 0. */
static uint64_t file_number(const char *file)
{
    const char *dot = strrchr(file, '.');
    uint64_t n = 0;

    if (dot != NULL) {
        (void)str_to_u64(span_str(dot + 1), &n);
    }
    return n;
}

int binlog_position_compare(const struct binlog_position *a, const struct binlog_position *b)
{
    uint64_t x = file_number(a->file);
    uint64_t y = file_number(b->file);

    if (x != y) {
        return x < y ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

enum err_code binlog_position_parse(const char *text, struct binlog_position *out, struct err *e)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);

    if (len == 0 || len >= sizeof out->file || !str_to_u64(span_str(colon + 1), &out->offset)) {
        return err_set(e, ERR_CONFIG, "'%s' is not a binlog position like binlog.000003:4711",
                       text);
    }
    memcpy(out->file, text, len);
    out->file[len] = '\0';
    return ERR_OK;
}
