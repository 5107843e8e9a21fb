/*
 * GTID sets. First byte: 0 = MySQL text, 1 = MariaDB text, else a wire block. What was read must
 * come back the same from print and parse, or from encode and decode.
 */
#include <stdlib.h>

#include "mysql/gtid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct gtid_set *a, const struct gtid_set *b)
{
    if (!gtid_set_is_subset(a, b) || !gtid_set_is_subset(b, a)) {
        abort();
    }
}

static void check_text(const struct gtid_set *set)
{
    struct gtid_set *again = NULL;
    struct buf text = {0};
    struct err e;

    gtid_set_print(set, &text);
    const char *printed = buf_cstr(&text);

    if (printed == NULL || gtid_set_parse(printed, gtid_set_flavor(set), &again, &e) != ERR_OK) {
        abort();
    }
    same(set, again);
    gtid_set_free(again);
    buf_deinit(&text);
}

static void check_wire(struct gtid_set *set)
{
    struct gtid_set *again = NULL;
    struct buf wire = {0};
    struct err e;

    gtid_set_encode(set, &wire);
    if (gtid_set_decode(buf_span(&wire), &again, &e) != ERR_OK) {
        abort();
    }
    same(set, again);
    if (gtid_set_union(set, again, &e) != ERR_OK) {
        abort();
    }
    same(set, again);
    struct gtid_set *rest = gtid_set_subtract(set, again);

    if (rest == NULL || !gtid_set_is_empty(rest)) {
        abort();
    }
    gtid_set_free(rest);
    gtid_set_free(again);
    buf_deinit(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gtid_set *set = NULL;
    struct err e;

    if (size == 0) {
        return 0;
    }
    if (data[0] < 2) {
        char *text = malloc(size);

        if (text != NULL) {
            memcpy(text, data + 1, size - 1);
            text[size - 1] = '\0';
            (void)!gtid_set_parse(text, data[0] == 0 ? GTID_FLAVOR_MYSQL : GTID_FLAVOR_MARIADB,
                                  &set, &e);
        }
        free(text);
    } else {
        (void)!gtid_set_decode(span_of(data + 1, size - 1), &set, &e);
    }
    if (set != NULL) {
        check_text(set);
        if (gtid_set_flavor(set) == GTID_FLAVOR_MYSQL) {
            check_wire(set);
        }
    }
    gtid_set_free(set);
    return 0;
}
