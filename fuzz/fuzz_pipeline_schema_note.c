/* Schema notes: what can be read is a state that prints and reads the same. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "pipeline/schema_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

static enum err_code changed(void *ctx, const char *schema, const char *name, struct err *e)
{
    (void)e;
    must(ctx != NULL && schema != NULL && name != NULL, "a table without a name");
    return ERR_OK;
}

static struct schema *new_schema(void)
{
    struct schema *s = NULL;

    must(schema_new(&(struct schema_options){.version_number = 90000, .default_charset = "utf8mb4"},
                    &s, NULL) == ERR_OK,
         "no schema");
    return s;
}

static void check_round_trip(const struct schema *s, const struct schema_place *start)
{
    struct schema *back = new_schema();
    struct buf first = {0};
    struct buf second = {0};
    struct buf note = {0};
    struct buf taken = {0};
    struct err e = {0};

    must(schema_note_state(s, start, &first, &e) == ERR_OK, "a state does not print");
    must(schema_note_print(&(struct schema_note){.now = buf_cstr(&first)}, &note, &e) == ERR_OK,
         "a note does not print");
    must(schema_note_load(buf_cstr(&note), start, back, &taken, changed, back, &e) == ERR_OK,
         "does not read again");
    must(schema_note_state(back, start, &second, &e) == ERR_OK, "does not print again");
    must(first.len == second.len, "prints another text");
    buf_deinit(&first);
    buf_deinit(&second);
    buf_deinit(&note);
    buf_deinit(&taken);
    schema_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_place start = {{"binlog.000010", 200}, NULL, "server"};
    char *text = str_ndup(data, size);
    struct schema *s = new_schema();
    struct buf state = {0};
    struct err e = {0};

    if (text != NULL && schema_note_load(text, &start, s, &state, changed, s, &e) == ERR_OK) {
        check_round_trip(s, &start);
    }
    buf_deinit(&state);
    schema_free(s);
    free(text);
    return 0;
}
