/*
 * XA statements, XA_PREPARE events and savepoints. First byte: 0 = a statement, 1 = an event, 2 = a
 * savepoint's statement. A name that was read prints to a text that gives the same name.
 */
#include <stdlib.h>

#include "mysql/savepoint.h"
#include "mysql/xid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct xid *x)
{
    char text[XID_TEXT_BYTES];
    struct xid again;
    struct err e;

    xid_print(x, text);
    if (xid_parse(span_str(text), &again, &e) != ERR_OK || !xid_equal(x, &again)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[SAVEPOINT_NAME_BYTES];
    struct xid xid;
    enum xa_verb verb;
    bool one_phase;
    struct err e;

    if (size == 0) {
        return 0;
    }
    struct span rest = span_of(data + 1, size - 1);

    if (data[0] == 0) {
        if (xid_parse_statement(rest, &verb, &xid, &e) == ERR_OK) {
            check(&xid);
        }
    } else if (data[0] == 1) {
        if (binlog_event_xa_prepare(rest, &one_phase, &xid, &e) == ERR_OK) {
            check(&xid);
        }
    } else if (savepoint_name(rest, (data[0] & 1) != 0, name) && strlen(name) >= sizeof name) {
        abort();
    }
    return 0;
}
