/*
 * The start of a transaction. First byte: the event's type; 42 is a tagged one. A GTID that comes
 * out must be one that a set can hold and print.
 */
#include <stdlib.h>

#include "mysql/binlog_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gtid *g)
{
    struct gtid_set *set = gtid_set_new(g->flavor);
    struct gtid_set *again = NULL;
    struct buf text = {0};
    struct err e;

    if (set == NULL || gtid_set_add(set, g, &e) != ERR_OK || !gtid_set_contains(set, g)) {
        abort();
    }
    gtid_set_print(set, &text);
    const char *printed = buf_cstr(&text);

    if (printed == NULL || gtid_set_parse(printed, g->flavor, &again, &e) != ERR_OK ||
        !gtid_set_contains(again, g)) {
        abort();
    }
    gtid_set_free(set);
    gtid_set_free(again);
    buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binlog_transaction_start start;
    struct err e;

    if (size == 0) {
        return 0;
    }
    struct binlog_event ev = {.header = {.type = data[0], .server_id = 7},
                              .body = span_of(data + 1, size - 1)};

    if (binlog_event_gtid(&ev, &start, &e) == ERR_OK && start.gtid.present) {
        check(&start.gtid);
    }
    return 0;
}
