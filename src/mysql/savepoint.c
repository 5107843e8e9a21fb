#include "mysql/savepoint.h"

#include "mysql/sql_lexer_int.h"

_Static_assert(SAVEPOINT_NAME_BYTES == SQL_NAME_BYTES, "a name is a token");

bool savepoint_name(struct span sql, bool ansi_quotes, char out[SAVEPOINT_NAME_BYTES])
{
    struct sql_lexer l = sql_lexer_of(sql, ansi_quotes, SQL_READING_USUAL);
    struct sql_token t;
    struct sql_token next;

    sql_next(&l, &t);
    if (sql_is(&t, "ROLLBACK")) {
        sql_next(&l, &t);
        if (sql_is(&t, "WORK")) {
            sql_next(&l, &t);
        }
        if (!sql_is(&t, "TO")) {
            return false;
        }
        sql_next(&l, &t);
        next = t;
        if (sql_is(&t, "SAVEPOINT")) {
            sql_next(&l, &next);
        }
        t = next.kind == SQL_TOKEN_END ? t : next;
    } else if (sql_is(&t, "SAVEPOINT")) {
        sql_next(&l, &t);
    } else {
        return false;
    }
    if (!sql_is_nameable(&t) || t.cut) {
        return false;
    }
    memcpy(out, t.text, sizeof t.text);
    return true;
}
