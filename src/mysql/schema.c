/* schema.c - the registry: entries, their states, what may be taken back. */
#include "mysql/schema_int.h"

#include <stdlib.h>

#include "base/str.h"
#include "mysql/charset.h"

#define FIRST_BUCKETS  64u
#define SCRATCH_MAX    ((size_t)256 << 20)
#define DEFINITION_MAX ((size_t)64 << 20)

/* ---- definitions ---- */

enum err_code schema_definition_new(const struct table_def *def, struct schema_definition **out,
                                    struct err *e)
{
    struct schema_definition *d = calloc(1, sizeof *d);

    if (d == NULL) {
        return err_nomem(e);
    }
    arena_init(&d->arena, DEFINITION_MAX);
    d->refs = 1;
    d->def = table_def_copy(def, &d->arena);
    if (d->def == NULL) {
        enum err_code rc = arena_fail(&d->arena, e, "table definition");

        schema_definition_drop(d);
        return rc;
    }
    *out = d;
    return ERR_OK;
}

void schema_definition_drop(struct schema_definition *d)
{
    if (d != NULL && --d->refs == 0) {
        arena_deinit(&d->arena);
        free(d);
    }
}

/* ---- entries ---- */

static uint8_t folded(const struct schema *s, char c)
{
    return (uint8_t)(s->options.icase && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static uint32_t hash_of(const struct schema *s, uint32_t thread, const char *database,
                        const char *table)
{
    uint32_t hash = 2166136261u ^ thread;

    for (const char *c = database; *c != '\0'; c++) {
        hash = (hash ^ folded(s, *c)) * 16777619u;
    }
    hash *= 16777619u;
    for (const char *c = table; *c != '\0'; c++) {
        hash = (hash ^ folded(s, *c)) * 16777619u;
    }
    return hash;
}

bool schema_same_name(const struct schema *s, const char *a, const char *b)
{
    return s->options.icase ? str_ieq(a, b) : strcmp(a, b) == 0;
}

struct schema_entry *schema_entry_find(const struct schema *s, uint32_t thread,
                                       const char *database, const char *table)
{
    uint32_t hash = hash_of(s, thread, database, table);
    struct schema_entry *entry = s->buckets[hash & (s->bucket_count - 1)];

    while (entry != NULL && (entry->hash != hash || entry->thread != thread ||
                             !schema_same_name(s, entry->database, database) ||
                             !schema_same_name(s, entry->table, table))) {
        entry = entry->next;
    }
    return entry;
}

static void grow(struct schema *s)
{
    uint32_t count = s->bucket_count * 2;
    struct schema_entry **buckets =
        count < s->bucket_count ? NULL : (struct schema_entry **)calloc(count, sizeof *buckets);

    if (buckets == NULL) {
        return; /* longer chains do, too */
    }
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        while (s->buckets[i] != NULL) {
            struct schema_entry *entry = s->buckets[i];

            s->buckets[i] = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    free((void *)s->buckets);
    s->buckets = buckets;
    s->bucket_count = count;
}

static void entry_free(struct schema_entry *entry)
{
    schema_definition_drop(entry->now.definition);
    schema_definition_drop(entry->before.definition);
    schema_definition_drop(entry->kept.definition);
    free(entry->database);
    free(entry->table);
    free(entry);
}

struct schema_entry *schema_entry_make(struct schema *s, uint32_t thread, const char *database,
                                       const char *table)
{
    struct schema_entry *entry = schema_entry_find(s, thread, database, table);

    if (entry != NULL) {
        return entry;
    }
    if (s->entry_count >= s->bucket_count) {
        grow(s);
    }
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return NULL;
    }
    entry->hash = hash_of(s, thread, database, table);
    entry->thread = thread;
    entry->database = str_dup(database);
    entry->table = str_dup(table);
    if (entry->database == NULL || entry->table == NULL) {
        entry_free(entry);
        return NULL;
    }
    uint32_t bucket = entry->hash & (s->bucket_count - 1);

    entry->next = s->buckets[bucket];
    s->buckets[bucket] = entry;
    s->entry_count++;
    return entry;
}

/* Removes an entry that says nothing. */
static void drop_if_empty(struct schema *s, struct schema_entry *entry)
{
    if (entry->now.known != SCHEMA_NOTHING || entry->pinned || entry->changed || entry->unkept) {
        return;
    }
    struct schema_entry **at = &s->buckets[entry->hash & (s->bucket_count - 1)];

    while (*at != NULL && *at != entry) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return;
    }
    *at = entry->next;
    s->entry_count--;
    entry_free(entry);
}

/* ---- states ---- */

static struct schema_state shared(struct schema_state state)
{
    if (state.definition != NULL) {
        state.definition->refs++;
    }
    return state;
}

/* Pinned ones are no matter of room. */
static void count(struct schema *s, const struct schema_entry *entry, uint32_t one)
{
    if (entry->pinned) {
        return;
    }
    if (entry->thread != 0) {
        s->temporary_count += entry->now.known == SCHEMA_PRESENT ? one : 0;
    } else if (entry->table[0] != '\0') {
        s->known_count += entry->now.known == SCHEMA_PRESENT ? one : 0;
        s->absent_count += entry->now.known == SCHEMA_ABSENT ? one : 0;
    }
}

static void pin(struct schema *s, struct schema_entry *entry, bool pinned)
{
    count(s, entry, UINT32_MAX); /* minus one */
    entry->pinned = pinned;
    count(s, entry, 1);
}

/* Takes the reference that state comes with. */
static void put_now(struct schema *s, struct schema_entry *entry, struct schema_state state)
{
    count(s, entry, UINT32_MAX); /* minus one */
    schema_definition_drop(entry->now.definition);
    entry->now = state;
    count(s, entry, 1);
}

void schema_entry_change(struct schema *s, struct schema_entry *entry, struct schema_state state)
{
    if (!entry->changed) {
        entry->changed = true;
        entry->before = shared(entry->now);
        entry->next_changed = s->changed;
        s->changed = entry;
    }
    if (!entry->unkept) {
        entry->unkept = true;
        entry->kept = shared(entry->now);
        entry->next_unkept = s->unkept;
        s->unkept = entry;
    }
    entry->touched = ++s->clock;
    put_now(s, entry, shared(state));
}

void schema_statement_end(struct schema *s, bool undo)
{
    while (s->changed != NULL) {
        struct schema_entry *entry = s->changed;

        s->changed = entry->next_changed;
        entry->changed = false;
        if (undo) {
            put_now(s, entry, shared(entry->before));
        }
        schema_definition_drop(entry->before.definition);
        entry->before = (struct schema_state){0};
        drop_if_empty(s, entry);
    }
}

static void end_unkept(struct schema *s, bool undo)
{
    while (s->unkept != NULL) {
        struct schema_entry *entry = s->unkept;

        s->unkept = entry->next_unkept;
        entry->unkept = false;
        if (undo) {
            put_now(s, entry, shared(entry->kept));
        }
        schema_definition_drop(entry->kept.definition);
        entry->kept = (struct schema_state){0};
        drop_if_empty(s, entry);
    }
}

void schema_keep(struct schema *s)
{
    schema_statement_end(s, false);
    end_unkept(s, false);
}

void schema_undo(struct schema *s)
{
    schema_statement_end(s, false);
    end_unkept(s, true);
}

void schema_undo_statement(struct schema *s)
{
    schema_statement_end(s, true);
}

bool schema_has_changed(const struct schema *s)
{
    return s->unkept != NULL;
}

/* What is told from outside is no statement: schema_undo does not take it back. */
static void set_for_good(struct schema *s, struct schema_entry *entry, struct schema_state state)
{
    if (entry->unkept) {
        schema_definition_drop(entry->kept.definition);
        entry->kept = shared(state);
    }
    entry->touched = ++s->clock;
    put_now(s, entry, shared(state));
}

/* ---- room ---- */

static struct schema_entry *longest_untouched(const struct schema *s, enum schema_known known,
                                              const struct schema_entry *spare)
{
    struct schema_entry *found = NULL;

    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry != spare && !entry->pinned && entry->thread == 0 && entry->table[0] != '\0' &&
                entry->now.known == known && (found == NULL || entry->touched < found->touched)) {
                found = entry;
            }
        }
    }
    return found;
}

static bool forget_one(struct schema *s, enum schema_known known, const struct schema_entry *spare)
{
    struct schema_entry *entry = longest_untouched(s, known, spare);

    if (entry == NULL) {
        return false;
    }
    struct schema_entry *database = schema_entry_find(s, 0, entry->database, "");

    if (database != NULL && database->now.whole) {
        struct schema_state part = database->now;

        part.whole = false;
        schema_entry_change(s, database, part);
    }
    schema_entry_change(s, entry, (struct schema_state){.known = SCHEMA_NOTHING});
    return true;
}

void schema_make_room(struct schema *s, const struct schema_entry *spare)
{
    uint32_t max = s->options.tables_max;

    while (max > 0 && s->known_count > max && forget_one(s, SCHEMA_PRESENT, spare)) {
    }
    while (max > 0 && s->absent_count > max && forget_one(s, SCHEMA_ABSENT, spare)) {
    }
}

bool schema_keeps(const struct schema *s, const char *database)
{
    return s->options.keeps == NULL || s->options.keeps(s->options.ctx, database);
}

/* ---- public ---- */

enum err_code schema_new(const struct schema_options *options, struct schema **out, struct err *e)
{
    struct schema *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return err_nomem(e);
    }
    s->options = *options;
    s->options.default_charset = NULL;
    arena_init(&s->scratch, SCRATCH_MAX);
    s->bucket_count = FIRST_BUCKETS;
    s->buckets = (struct schema_entry **)calloc(s->bucket_count, sizeof *s->buckets);
    if (options->default_charset != NULL) {
        s->default_charset = str_dup(options->default_charset);
    }
    if (s->buckets == NULL || (options->default_charset != NULL && s->default_charset == NULL)) {
        schema_free(s);
        return err_nomem(e);
    }
    *out = s;
    return ERR_OK;
}

void schema_free(struct schema *s)
{
    if (s == NULL) {
        return;
    }
    for (; s->held != NULL; s->held = s->held->next) {
        schema_definition_drop(s->held->definition);
    }
    for (uint32_t i = 0; s->buckets != NULL && i < s->bucket_count; i++) {
        while (s->buckets[i] != NULL) {
            struct schema_entry *entry = s->buckets[i];

            s->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    free((void *)s->buckets);
    free(s->default_charset);
    arena_deinit(&s->scratch);
    free(s);
}

enum err_code schema_set_table(struct schema *s, const struct table_def *def, bool pinned,
                               struct err *e)
{
    struct schema_definition *definition = NULL;

    ERR_TRY(schema_definition_new(def, &definition, e));
    struct schema_entry *entry = schema_entry_make(s, 0, def->schema, def->name);
    enum err_code rc = entry == NULL ? err_nomem(e) : ERR_OK;

    if (entry != NULL) {
        pin(s, entry, pinned);
        set_for_good(s, entry, (struct schema_state){SCHEMA_PRESENT, definition, NULL, false});
        schema_make_room(s, entry);
        schema_statement_end(s, false);
    }
    schema_definition_drop(definition);
    return rc;
}

static const char *static_charset(const char *charset)
{
    const struct charset *cs = charset == NULL ? NULL : charset_find(charset);

    return cs == NULL ? NULL : charset_name(cs);
}

enum err_code schema_set_database(struct schema *s, const char *database, const char *charset,
                                  struct err *e)
{
    struct schema_entry *entry = schema_entry_make(s, 0, database, "");

    if (entry == NULL) {
        return err_nomem(e);
    }
    struct schema_state state = entry->now;

    state.known = SCHEMA_PRESENT;
    state.charset = static_charset(charset);
    set_for_good(s, entry, state);
    return ERR_OK;
}

enum err_code schema_set_whole(struct schema *s, const char *database, struct err *e)
{
    if (database == NULL) {
        s->whole = true;
        return ERR_OK;
    }
    struct schema_entry *entry = schema_entry_make(s, 0, database, "");

    if (entry == NULL) {
        return err_nomem(e);
    }
    struct schema_state state = entry->now;

    state.known = SCHEMA_PRESENT;
    state.whole = true;
    set_for_good(s, entry, state);
    return ERR_OK;
}

const struct table_def *schema_find(const struct schema *s, const char *database, const char *table)
{
    const struct schema_entry *entry = schema_entry_find(s, 0, database, table);

    return entry == NULL || entry->now.definition == NULL ? NULL : entry->now.definition->def;
}

const char *schema_find_charset(const struct schema *s, const char *database)
{
    const struct schema_entry *home = schema_entry_find(s, 0, database, "");

    return home == NULL ? NULL : home->now.charset;
}

enum err_code schema_set_unknown(struct schema *s, const char *database, const char *table,
                                 struct err *e)
{
    struct schema_entry *entry = schema_entry_make(s, 0, database, table);

    if (entry == NULL) {
        return err_nomem(e);
    }
    set_for_good(s, entry, (struct schema_state){.known = SCHEMA_UNKNOWN});
    return ERR_OK;
}

enum err_code schema_set_absent(struct schema *s, const char *database, const char *table,
                                struct err *e)
{
    struct schema_entry *entry = schema_entry_make(s, 0, database, table);

    if (entry == NULL) {
        return err_nomem(e);
    }
    pin(s, entry, true);
    set_for_good(s, entry, (struct schema_state){.known = SCHEMA_ABSENT});
    return ERR_OK;
}

void schema_forget(struct schema *s, const char *database, const char *table)
{
    struct schema_entry *entry = schema_entry_find(s, 0, database, table);

    if (entry == NULL || table[0] == '\0') {
        return;
    }
    const struct schema_entry *home = schema_entry_find(s, 0, database, "");
    bool whole = home != NULL && home->now.whole;

    pin(s, entry, false);
    set_for_good(s, entry, (struct schema_state){.known = whole ? SCHEMA_UNKNOWN : SCHEMA_NOTHING});
    drop_if_empty(s, entry);
}

void schema_server_started(struct schema *s)
{
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->thread != 0 && entry->now.known == SCHEMA_PRESENT) {
                schema_entry_change(s, entry, (struct schema_state){.known = SCHEMA_NOTHING});
            }
        }
    }
    schema_statement_end(s, false);
}

enum err_code schema_set_temporary(struct schema *s, uint32_t thread, const char *database,
                                   const char *table, struct err *e)
{
    struct schema_entry *entry = schema_entry_make(s, thread, database, table);

    if (entry == NULL) {
        return err_nomem(e);
    }
    set_for_good(s, entry, (struct schema_state){.known = SCHEMA_PRESENT});
    return ERR_OK;
}

enum err_code schema_each_temporary(const struct schema *s,
                                    enum err_code (*each)(void *ctx, uint32_t thread,
                                                          const char *database, const char *table,
                                                          struct err *e),
                                    void *ctx, struct err *e)
{
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (const struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->thread != 0 && entry->now.known == SCHEMA_PRESENT) {
                ERR_TRY(each(ctx, entry->thread, entry->database, entry->table, e));
            }
        }
    }
    return ERR_OK;
}

enum err_code schema_each_table(const struct schema *s,
                                enum err_code (*each)(void *ctx, const struct table_def *def,
                                                      bool pinned, struct err *e),
                                void *ctx, struct err *e)
{
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (const struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->now.definition != NULL) {
                ERR_TRY(each(ctx, entry->now.definition->def, entry->pinned, e));
            }
        }
    }
    return ERR_OK;
}

enum err_code schema_each_database(const struct schema *s,
                                   enum err_code (*each)(void *ctx, const char *database,
                                                         const char *charset, struct err *e),
                                   void *ctx, struct err *e)
{
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (const struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->thread == 0 && entry->table[0] == '\0' &&
                entry->now.known == SCHEMA_PRESENT && entry->now.charset != NULL) {
                ERR_TRY(each(ctx, entry->database, entry->now.charset, e));
            }
        }
    }
    return ERR_OK;
}
