/* Checkpoints: what can be read prints as a text that reads the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pipeline/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check_round_trip(const struct checkpoint *c)
{
    struct checkpoint back = {0};
    struct buf first = {0};
    struct buf second = {0};
    struct err e = {0};

    must(checkpoint_print(c, &first, &e) == ERR_OK, "print fails");
    must(checkpoint_parse(buf_cstr(&first), &back, &e) == ERR_OK, "does not parse again");
    must(checkpoint_print(&back, &second, &e) == ERR_OK, "print fails again");
    must(span_eq(buf_span(&first), buf_span(&second)), "prints another text");
    must(c->position.offset == back.position.offset && c->ordinal == back.ordinal &&
             strcmp(c->position.file, back.position.file) == 0,
         "names another place");
    buf_deinit(&first);
    buf_deinit(&second);
    checkpoint_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint c = {0};
    struct err e = {0};
    char *text = str_ndup(data, size);

    if (text != NULL && checkpoint_parse(text, &c, &e) == ERR_OK) {
        must(c.ordinal > 0 && c.run[0] != '\0', "is not whole");
        must(c.gtids != NULL || (c.position.file[0] != '\0' && c.position.offset > 0),
             "names no place");
        check_round_trip(&c);
    }
    checkpoint_deinit(&c);
    free(text);
    return 0;
}
