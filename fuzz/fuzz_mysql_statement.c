#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mysql/statement.h"

/* Names are whole, and "" as schema only ever stands with "" as table. */
static void check(void *ctx, const char *schema, const char *table)
{
    if ((schema[0] == '\0' && table[0] != '\0') || strlen(schema) > 255 || strlen(table) > 255 ||
        !str_is_utf8(span_str(schema)) || !str_is_utf8(span_str(table))) {
        (void)fprintf(stderr, "touched %s.%s\n", schema, table);
        abort();
    }
    (*(size_t *)ctx)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says whether `"` makes names; the rest is the statement. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bool ansi_quotes = (data[0] & 1) != 0;
    struct span sql = span_of(data + 1, size - 1);
    size_t touched = 0;

    enum statement_kind kind = statement_classify(sql, ansi_quotes);

    statement_touched(sql, ansi_quotes, "shop", check, &touched);
    (void)statement_mentions(sql, ansi_quotes, "orders");
    /* Nothing is touched that the caller would not look at. */
    if (touched > 0 && kind != STATEMENT_DDL) {
        (void)fprintf(stderr, "touches, but is of kind %d\n", kind);
        abort();
    }
    return 0;
}
