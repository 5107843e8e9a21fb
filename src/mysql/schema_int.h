/*
 * schema_int.h - what is known of tables and databases, with the way back.
 *
 * An entry is a table, a database (table is "") or a temporary table (thread is not 0). It has up
 * to three states: now, before the last statement, and at the last schema_keep.
 */
#ifndef CALVE_MYSQL_SCHEMA_INT_H
#define CALVE_MYSQL_SCHEMA_INT_H

#include "mysql/ddl_int.h"
#include "mysql/schema.h"

enum schema_known {
    SCHEMA_NOTHING, /* as if there were no entry: absent in a whole database, else unknown */
    SCHEMA_UNKNOWN,
    SCHEMA_ABSENT,
    SCHEMA_PRESENT, /* a table with its definition; a database; a temporary table */
};

/* A definition in memory of its own. */
struct schema_definition {
    uint32_t refs;
    struct arena arena;
    struct table_def *def;
};

struct schema_state {
    enum schema_known known;
    struct schema_definition *definition; /* tables */
    const char *charset;                  /* databases; NULL: not known; static */
    bool whole;                           /* databases: a table without an entry is absent */
};

struct schema_entry {
    struct schema_entry *next;         /* in its bucket */
    struct schema_entry *next_changed; /* by the statement */
    struct schema_entry *next_unkept;  /* since schema_keep */
    uint32_t hash;
    uint32_t thread;
    char *database;
    char *table;
    bool pinned;
    bool changed;
    bool unkept;
    uint64_t touched; /* the higher the later */
    struct schema_state now;
    struct schema_state before;
    struct schema_state kept;
};

struct schema_held {
    struct schema_held *next;
    struct schema_definition *definition;
};

struct schema {
    struct schema_options options;
    char *default_charset;
    bool whole; /* a database without an entry is absent */
    struct schema_entry **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t entry_count;
    uint32_t known_count;     /* tables that are present */
    uint32_t absent_count;    /* tables that are known to be absent */
    uint32_t temporary_count; /* temporary tables that are present */
    uint64_t clock;
    struct schema_entry *changed;
    struct schema_entry *unkept;
    /* The last statement's: text, parse, changes. */
    struct arena scratch;
    struct schema_held *held; /* definitions that the changes point to */
};

/* NULL when there is none. */
struct schema_entry *schema_entry_find(const struct schema *s, uint32_t thread,
                                       const char *database, const char *table);
/* NULL when there is no memory. */
struct schema_entry *schema_entry_make(struct schema *s, uint32_t thread, const char *database,
                                       const char *table);

/* A copy of def with one reference, the caller's. */
MUST_USE enum err_code schema_definition_new(const struct table_def *def,
                                             struct schema_definition **out, struct err *e);
void schema_definition_drop(struct schema_definition *d); /* NULL is fine */

/* Takes a reference of its own on the state's definition. */
void schema_entry_change(struct schema *s, struct schema_entry *entry, struct schema_state state);

/* Ends a statement: what it changed stays, or is taken back. */
void schema_statement_end(struct schema *s, bool undo);

/* Forgets what was untouched the longest until the limit is met. */
void schema_make_room(struct schema *s, const struct schema_entry *spare);

bool schema_keeps(const struct schema *s, const char *database);

/* As the server compares names of databases and tables. */
bool schema_same_name(const struct schema *s, const char *a, const char *b);

#endif
