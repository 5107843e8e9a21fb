/* Foreign keys in the text of SHOW CREATE TABLE: what is found lies inside the text. */
#include <stdlib.h>

#include "mysql/cascades.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span whole, struct span part)
{
    if (part.len > 0 && (part.data < whole.data || part.data + part.len > whole.data + whole.len)) {
        abort();
    }
}

static enum err_code check(void *ctx, const struct cascade *k, struct err *e)
{
    const struct span *whole = ctx;

    (void)e;
    check_inside(*whole, k->key);
    check_inside(*whole, k->parent);
    check_inside(*whole, k->actions);
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span create = span_of(data, size);

    if (cascades_parse(create, check, &create, NULL) != ERR_OK) {
        abort();
    }
    return 0;
}
