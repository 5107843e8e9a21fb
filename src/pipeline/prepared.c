#include "pipeline/prepared.h"

#include <stdlib.h>

#include "base/str.h"
#include "pipeline/json_fields_int.h"

#define NOTE_VERSION 1
#define CHAINS       1024u

struct table_name {
    char *schema;
    char *name;
    struct followed_table *table; /* NULL: not of this run */
};

struct prepared_list {
    const char *source;
    struct prepared *first;
    struct prepared **last; /* where the next goes */
    struct prepared *chains[CHAINS];
    struct table_name *names; /* of the run, then others */
    uint32_t name_count;
    uint32_t name_capacity;
    uint32_t run_tables;
    uint32_t open_count;
};

/* ---- names ---- */

static enum err_code add_name(struct prepared_list *l, const char *schema, const char *name,
                              struct followed_table *table, uint32_t *out, struct err *e)
{
    if (l->name_count == l->name_capacity) {
        uint32_t capacity = l->name_capacity * 2 + 8;
        struct table_name *names = realloc(l->names, capacity * sizeof *names);

        if (names == NULL) {
            return err_nomem(e);
        }
        l->names = names;
        l->name_capacity = capacity;
    }
    const struct table_name n = {str_dup(schema), str_dup(name), table};

    if (n.schema == NULL || n.name == NULL) {
        free(n.schema);
        free(n.name);
        return err_nomem(e);
    }
    l->names[l->name_count] = n;
    *out = l->name_count++;
    return ERR_OK;
}

static enum err_code find_name(struct prepared_list *l, const char *schema, const char *name,
                               uint32_t *out, struct err *e)
{
    for (uint32_t i = 0; i < l->name_count; i++) {
        if (strcmp(l->names[i].name, name) == 0 && strcmp(l->names[i].schema, schema) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return add_name(l, schema, name, NULL, out, e);
}

static bool has_table(const struct prepared *p, uint32_t name)
{
    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i] == name) {
            return true;
        }
    }
    return false;
}

static enum err_code add_table(struct prepared *p, uint32_t name, struct err *e)
{
    if (has_table(p, name)) {
        return ERR_OK;
    }
    uint32_t *tables = realloc(p->tables, (p->table_count + 1u) * sizeof *tables);

    if (tables == NULL) {
        return err_nomem(e);
    }
    p->tables = tables;
    p->tables[p->table_count++] = name;
    return ERR_OK;
}

/* ---- the list ---- */

enum err_code prepared_list_new(struct followed_table *const *tables, uint32_t table_count,
                                const char *source, struct prepared_list **out, struct err *e)
{
    struct prepared_list *l = calloc(1, sizeof *l);

    if (l == NULL) {
        return err_nomem(e);
    }
    l->source = source;
    l->last = &l->first;
    for (uint32_t i = 0; i < table_count; i++) {
        uint32_t at;

        if (add_name(l, tables[i]->schema, tables[i]->name, tables[i], &at, e) != ERR_OK) {
            prepared_list_free(l);
            return ERR_NOMEM;
        }
    }
    l->run_tables = table_count;
    *out = l;
    return ERR_OK;
}

static void free_prepared(struct prepared *p)
{
    if (p != NULL) {
        held_rows_free(p->rows);
        free(p->before);
        free(p->tables);
        free(p);
    }
}

void prepared_list_free(struct prepared_list *l)
{
    if (l == NULL) {
        return;
    }
    while (l->first != NULL) {
        struct prepared *next = l->first->next;

        free_prepared(l->first);
        l->first = next;
    }
    for (uint32_t i = 0; i < l->name_count; i++) {
        free(l->names[i].schema);
        free(l->names[i].name);
    }
    free(l->names);
    free(l);
}

static uint32_t chain_of(const struct xid *xid)
{
    uint32_t hash = (uint32_t)xid->format_id * 31u + xid->gtrid_bytes;

    for (size_t i = 0; i < (size_t)xid->gtrid_bytes + xid->bqual_bytes; i++) {
        hash = hash * 16777619u ^ xid->data[i];
    }
    return hash % CHAINS;
}

static void link_in(struct prepared_list *l, struct prepared *p)
{
    uint32_t chain = chain_of(&p->xid);

    p->next = NULL;
    *l->last = p;
    l->last = &p->next;
    p->chain = l->chains[chain];
    l->chains[chain] = p;
    l->open_count += p->state == PREPARED_OPEN;
}

/* Takes it out of its chain and frees it; *at is where the list names it. */
static void unlink_at(struct prepared_list *l, struct prepared **at)
{
    struct prepared *p = *at;
    struct prepared **in_chain = &l->chains[chain_of(&p->xid)];

    while (*in_chain != p) {
        in_chain = &(*in_chain)->chain;
    }
    *in_chain = p->chain;
    *at = p->next;
    if (l->last == &p->next) {
        l->last = at;
    }
    l->open_count -= p->state == PREPARED_OPEN;
    free_prepared(p);
}

struct prepared *prepared_list_find(const struct prepared_list *l, const struct xid *xid)
{
    for (struct prepared *p = l->chains[chain_of(xid)]; p != NULL; p = p->chain) {
        if (p->state == PREPARED_OPEN && xid_equal(&p->xid, xid)) {
            return p;
        }
    }
    return NULL;
}

uint32_t prepared_list_open(const struct prepared_list *l)
{
    return l->open_count;
}

const struct prepared *prepared_list_awaited(const struct prepared_list *l)
{
    const struct prepared *oldest = NULL;

    for (const struct prepared *p = l->first; p != NULL; p = p->next) {
        if (p->awaited &&
            (oldest == NULL ||
             binlog_position_compare(&p->start.position, &oldest->start.position) < 0)) {
            oldest = p;
        }
    }
    return oldest;
}

/* ---- where a table stands ---- */

/* As the rows of the group that ends there are judged, see follow_is_in_table(). */
static bool has_place(const struct prepared_list *l, const struct followed_table *t,
                      const struct prepared_place *place)
{
    const struct gtid_set *gtids = t->source.gtids;
    bool foreign = t->source.server[0] != '\0' && strcmp(t->source.server, l->source) != 0;
    bool placed = t->source.position.file[0] != '\0' && !foreign;

    if (gtids != NULL && place->gtid[0] != '\0' &&
        (gtid_set_flavor(gtids) == GTID_FLAVOR_MYSQL || !placed)) {
        struct gtid_set *one = NULL;
        bool has = gtid_set_parse(place->gtid, gtid_set_flavor(gtids), &one, NULL) == ERR_OK &&
                   gtid_set_is_subset(one, gtids);

        gtid_set_free(one);
        return has;
    }
    return place->position.file[0] != '\0' && placed &&
           binlog_position_compare(&place->position, &t->source.position) <= 0;
}

bool prepared_lacks_rows(const struct prepared_list *l, const struct prepared *p,
                         const struct followed_table *t)
{
    for (uint32_t i = 0; p->awaited && i < p->table_count; i++) {
        if (l->names[p->tables[i]].table == t) {
            return true;
        }
    }
    return false;
}

/* ---- reading a note ---- */

static void read_place(struct json_fields_in *in, const json_t *o, struct prepared_place *out)
{
    json_fields_copy_text(in, out->position.file, sizeof out->position.file, o, "file");
    json_fields_copy_text(in, out->gtid, sizeof out->gtid, o, "gtid");
    out->position.offset = json_fields_uint(in, o, "pos", INT64_MAX);
}

/* The name that an item of a list of tables stands for. */
static enum err_code read_name(struct prepared_list *l, struct json_fields_in *in,
                               const json_t *item, uint32_t *out, struct err *e)
{
    const char *schema = json_string_value(json_array_get(item, 0));
    const char *name = json_string_value(json_array_get(item, 1));

    if (schema == NULL || name == NULL) {
        json_fields_wrong(in, "tables");
        return ERR_OK;
    }
    return find_name(l, schema, name, out, e);
}

static enum err_code read_tables(struct prepared_list *l, struct json_fields_in *in,
                                 const json_t *o, struct prepared *p, struct err *e)
{
    const json_t *tables = json_object_get(o, "tables");

    for (size_t i = 0; i < json_array_size(tables); i++) {
        uint32_t name = 0;

        ERR_TRY(read_name(l, in, json_array_get(tables, i), &name, e));
        if (json_fields_failed(in)) {
            return ERR_OK;
        }
        ERR_TRY(add_table(p, name, e));
    }
    return ERR_OK;
}

static enum err_code read_prepared(struct prepared_list *l, struct json_fields_in *in,
                                   const json_t *o, struct prepared *p, struct err *e)
{
    const char *xid = json_fields_peek_text(in, o, "xid");
    const char *before = json_fields_peek_text(in, o, "before");
    const json_t *done = json_object_get(o, "done");

    if (xid == NULL || xid_parse(span_str(xid), &p->xid, NULL) != ERR_OK) {
        json_fields_wrong(in, "xid");
    }
    read_place(in, o, &p->start);
    if (done != NULL) {
        read_place(in, done, &p->done);
        p->state = PREPARED_COMMITTED;
    }
    if (before != NULL) {
        p->before = str_dup(before);
        if (p->before == NULL) {
            return err_nomem(e);
        }
    }
    return read_tables(l, in, o, p, e);
}

/* Of tables that the note's run did not follow nobody knows whether they have rows in it. */
static enum err_code add_strangers(struct prepared_list *l, const bool *known, struct prepared *p,
                                   struct err *e)
{
    for (uint32_t i = 0; i < l->run_tables; i++) {
        if (!known[i] && !l->names[i].table->source.none_prepared) {
            ERR_TRY(add_table(p, i, e));
        }
    }
    return ERR_OK;
}

/* Nothing was prepared when the table began, or it has what the transaction's end brought. */
static bool is_past(const struct prepared_list *l, const struct followed_table *t,
                    const struct prepared *p)
{
    return t->source.none_prepared || (p->state == PREPARED_COMMITTED && has_place(l, t, &p->done));
}

/* Drops the tables that have all of it, and tells what is left for this run. */
static void judge(const struct prepared_list *l, struct prepared *p)
{
    bool comes = false; /* a table of this run comes to its end yet */
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->run_tables; i++) {
        comes = comes || !is_past(l, l->names[i].table, p);
    }
    for (uint32_t i = 0; i < p->table_count; i++) {
        const struct followed_table *t = l->names[p->tables[i]].table;

        if (t == NULL || !is_past(l, t, p)) {
            p->awaited = p->awaited || t != NULL;
            p->tables[kept++] = p->tables[i];
        }
    }
    p->table_count = kept;
    p->at_cut = true;
    p->state = comes ? PREPARED_OPEN : PREPARED_OWED;
}

static enum err_code read_open(struct prepared_list *l, struct json_fields_in *in, const json_t *o,
                               const bool *known, bool same_source, struct err *e)
{
    struct prepared *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = read_prepared(l, in, o, p, e);

    if (rc == ERR_OK) {
        rc = add_strangers(l, known, p, e);
    }
    if (rc != ERR_OK || json_fields_failed(in)) {
        free_prepared(p);
        return rc;
    }
    if (!same_source) {
        p->start.position = (struct binlog_position){.offset = 0};
        p->done.position = (struct binlog_position){.offset = 0};
    }
    judge(l, p);
    if (p->state == PREPARED_OWED && p->table_count == 0) {
        free_prepared(p);
    } else {
        link_in(l, p);
    }
    return ERR_OK;
}

/* known: one for each table of the run. */
static enum err_code read_fields(struct prepared_list *l, struct json_fields_in *in,
                                 const json_t *o, bool *known, struct err *e)
{
    const json_t *tables = json_object_get(o, "tables");
    const json_t *open = json_object_get(o, "open");
    const char *source = json_fields_peek_text(in, o, "source");
    uint64_t version = json_fields_uint(in, o, "version", INT64_MAX);

    if (version > NOTE_VERSION) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the note of prepared transactions has version %llu: a newer calve wrote it",
                       (unsigned long long)version);
    }
    if (version == 0 || source == NULL || !json_is_array(open)) {
        json_fields_wrong(in, version == 0 ? "version" : source == NULL ? "source" : "open");
        return ERR_OK;
    }
    for (size_t i = 0; i < json_array_size(tables) && !json_fields_failed(in); i++) {
        uint32_t name = UINT32_MAX;

        ERR_TRY(read_name(l, in, json_array_get(tables, i), &name, e));
        if (name < l->run_tables) {
            known[name] = true;
        }
    }
    for (size_t i = 0; i < json_array_size(open) && !json_fields_failed(in); i++) {
        ERR_TRY(
            read_open(l, in, json_array_get(open, i), known, strcmp(source, l->source) == 0, e));
    }
    return ERR_OK;
}

enum err_code prepared_list_read(struct prepared_list *l, const char *note, struct err *e)
{
    struct json_fields_in in = {0};

    if (note == NULL || note[0] == '\0') {
        return ERR_OK;
    }
    json_t *o = json_loads(note, JSON_REJECT_DUPLICATES, NULL);
    bool *known = calloc(l->run_tables + 1u, sizeof *known);
    enum err_code rc = known == NULL ? err_nomem(e) : ERR_OK;

    if (rc == ERR_OK && !json_is_object(o)) {
        json_fields_wrong(&in, "{");
    } else if (rc == ERR_OK) {
        rc = read_fields(l, &in, o, known, e);
    }
    if (rc == ERR_OK && json_fields_failed(&in)) {
        rc = err_set(e, ERR_CORRUPT,
                     "the note of prepared transactions in the watermarks table cannot be read "
                     "(at '%s')",
                     in.wrong);
    }
    free(known);
    json_decref(o);
    return rc;
}

/* ---- where to start ---- */

static enum err_code cannot_start(const struct prepared *p, const char *why, struct err *e)
{
    char xid[XID_TEXT_BYTES];

    xid_print(&p->xid, xid);
    return err_set(e, ERR_SOURCE,
                   "the XA transaction %s is prepared since %s:%llu and not in the lake yet, and "
                   "%s: drop the Iceberg tables and copy them again",
                   xid, p->start.position.file, (unsigned long long)p->start.position.offset, why);
}

/* MySQL: the server is told that the group is missing, and sends it again. */
static enum err_code leave_out(const struct prepared *p, struct gtid_set **gtids, struct err *e)
{
    struct gtid_set *one = NULL;

    if (p->start.gtid[0] == '\0') {
        return cannot_start(p, "it was prepared when the source had no GTIDs", e);
    }
    ERR_TRY(gtid_set_parse(p->start.gtid, GTID_FLAVOR_MYSQL, &one, e));
    struct gtid_set *rest = gtid_set_subtract(*gtids, one);

    gtid_set_free(one);
    if (rest == NULL) {
        return err_nomem(e);
    }
    gtid_set_free(*gtids);
    *gtids = rest;
    return ERR_OK;
}

/* MariaDB: back to the position that the source had before the group. */
static enum err_code go_back(const struct prepared *p, struct gtid_set **gtids, struct err *e)
{
    struct gtid_set *before = NULL;

    if (p->before == NULL) {
        return cannot_start(p, "its GTID position is not known", e);
    }
    ERR_TRY(gtid_set_parse(p->before, GTID_FLAVOR_MARIADB, &before, e));
    struct gtid_set *both = gtid_set_intersect(*gtids, before);

    gtid_set_free(before);
    if (both == NULL) {
        return err_nomem(e);
    }
    gtid_set_free(*gtids);
    *gtids = both;
    return ERR_OK;
}

enum err_code prepared_list_move_start(const struct prepared_list *l,
                                       struct binlog_position *position, struct gtid_set **gtids,
                                       struct err *e)
{
    bool mysql = *gtids != NULL && gtid_set_flavor(*gtids) == GTID_FLAVOR_MYSQL;

    for (const struct prepared *p = l->first; p != NULL; p = p->next) {
        bool placed = p->start.position.file[0] != '\0';

        if (!p->awaited) {
            continue;
        }
        if (mysql) {
            ERR_TRY(leave_out(p, gtids, e));
            continue;
        }
        if (!placed && *gtids == NULL) {
            return cannot_start(p, "its place in the binlog is not known", e);
        }
        bool earlier = placed && position->file[0] != '\0' &&
                       binlog_position_compare(&p->start.position, position) < 0;

        if (*gtids != NULL && (earlier || !placed || position->file[0] == '\0')) {
            ERR_TRY(go_back(p, gtids, e));
        }
        if (earlier) {
            *position = p->start.position;
        }
    }
    return ERR_OK;
}

void prepared_list_leave_source(struct prepared_list *l)
{
    for (struct prepared *p = l->first; p != NULL; p = p->next) {
        p->start.position = (struct binlog_position){.offset = 0};
        p->done.position = (struct binlog_position){.offset = 0};
    }
}

/* ---- transactions come and go ---- */

static enum err_code set_before(struct prepared *p, const char *before, struct err *e)
{
    free(p->before);
    p->before = before == NULL ? NULL : str_dup(before);
    return before != NULL && p->before == NULL ? err_nomem(e) : ERR_OK;
}

static bool same_place(const struct prepared_place *a, const struct prepared_place *b)
{
    return a->gtid[0] != '\0' || b->gtid[0] != '\0'
               ? strcmp(a->gtid, b->gtid) == 0
               : binlog_position_compare(&a->position, &b->position) == 0;
}

/* Keeps the names of tables that this run does not follow; its own are those that have rows. */
static enum err_code set_tables(struct prepared_list *l, struct prepared *p, struct err *e)
{
    uint32_t kept = 0;
    uint32_t count = 0;
    struct followed_table *const *tables =
        p->rows == NULL ? NULL : held_rows_tables(p->rows, &count);

    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i] >= l->run_tables) {
            p->tables[kept++] = p->tables[i];
        }
    }
    p->table_count = kept;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name = 0;

        while (name < l->run_tables && l->names[name].table != tables[i]) {
            name++;
        }
        ERR_TRY(add_table(p, name, e));
    }
    return ERR_OK;
}

static enum err_code fill(struct prepared_list *l, struct prepared *p,
                          const struct prepared_place *start, const char *before,
                          struct held_rows *rows, struct err *e)
{
    if (!same_place(&p->start, start)) {
        /* Another of the same name: the end of the first was not logged. */
        p->at_cut = false;
        p->table_count = 0;
    }
    held_rows_free(p->rows);
    p->rows = rows;
    p->start = *start;
    p->awaited = false;
    ERR_TRY(set_before(p, before, e));
    return set_tables(l, p, e);
}

enum err_code prepared_list_add(struct prepared_list *l, const struct xid *xid,
                                const struct prepared_place *start, const char *before,
                                struct held_rows *rows, struct err *e)
{
    struct prepared *p = prepared_list_find(l, xid);

    if (p != NULL) {
        return fill(l, p, start, before, rows, e);
    }
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        held_rows_free(rows);
        return err_nomem(e);
    }
    p->xid = *xid;
    p->start = *start;
    enum err_code rc = fill(l, p, start, before, rows, e);

    if (rc != ERR_OK) {
        free_prepared(p);
        return rc;
    }
    link_in(l, p);
    return ERR_OK;
}

/* Whether it is of use to tables that this run does not follow. */
static bool is_owed(const struct prepared_list *l, const struct prepared *p)
{
    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i] >= l->run_tables) {
            return true;
        }
    }
    return false;
}

void prepared_list_end(struct prepared_list *l, struct prepared *p, bool committed, bool everywhere,
                       const struct prepared_place *done)
{
    bool of_use = committed && (!everywhere || is_owed(l, p));

    p->state = of_use ? PREPARED_COMMITTED : PREPARED_USELESS;
    p->done = *done;
    l->open_count--;
}

/* This run's tables have it, in a cut that was committed. */
static void settle(const struct prepared_list *l, struct prepared *p)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i] >= l->run_tables) {
            p->tables[kept++] = p->tables[i];
        }
    }
    p->table_count = kept;
    p->state = kept == 0 ? PREPARED_LEFT : PREPARED_OWED;
    held_rows_free(p->rows);
    p->rows = NULL;
}

void prepared_list_cut(struct prepared_list *l)
{
    struct prepared **at = &l->first;

    while (*at != NULL) {
        struct prepared *p = *at;

        p->at_cut = true;
        if (p->state == PREPARED_USELESS || p->state == PREPARED_LEFT) {
            unlink_at(l, at);
            continue;
        }
        if (p->state == PREPARED_COMMITTED) {
            settle(l, p);
        }
        at = &p->next;
    }
}

void prepared_list_rewind(struct prepared_list *l)
{
    struct prepared **at = &l->first;

    while (*at != NULL) {
        struct prepared *p = *at;

        if (!p->at_cut) {
            unlink_at(l, at);
            continue;
        }
        if (p->state == PREPARED_COMMITTED || p->state == PREPARED_USELESS) {
            p->state = PREPARED_OPEN;
            l->open_count++;
        }
        at = &p->next;
    }
}

/* ---- writing a note ---- */

static void put_place(struct json_fields_out *out, json_t *o, const struct prepared_place *place)
{
    bool known = place->position.file[0] != '\0';

    json_fields_set_text(out, o, "file", known ? place->position.file : NULL);
    json_fields_set_uint(out, o, "pos", known ? place->position.offset : 0);
    json_fields_set_text(out, o, "gtid", place->gtid[0] != '\0' ? place->gtid : NULL);
}

static void put_name(struct json_fields_out *out, json_t *names, const struct table_name *n)
{
    json_t *pair = json_array();

    out->failed |= json_array_append_new(pair, json_fields_text(out, "tables", n->schema)) != 0;
    out->failed |= json_array_append_new(pair, json_fields_text(out, "tables", n->name)) != 0;
    out->failed |= json_array_append_new(names, pair) != 0;
}

static json_t *print_prepared(struct json_fields_out *out, const struct prepared_list *l,
                              const struct prepared *p)
{
    char xid[XID_TEXT_BYTES];
    json_t *o = json_object();
    json_t *tables = json_array();

    xid_print(&p->xid, xid);
    json_fields_set_text(out, o, "xid", xid);
    put_place(out, o, &p->start);
    json_fields_set_text(out, o, "before", p->before);
    for (uint32_t i = 0; i < p->table_count; i++) {
        put_name(out, tables, &l->names[p->tables[i]]);
    }
    out->failed |= json_object_set_new(o, "tables", tables) != 0;
    if (p->state != PREPARED_OPEN) {
        json_t *done = json_object();

        put_place(out, done, &p->done);
        out->failed |= json_object_set_new(o, "done", done) != 0;
    }
    return o;
}

static bool is_noted(const struct prepared *p)
{
    return p->state != PREPARED_USELESS && p->state != PREPARED_LEFT;
}

static json_t *print_note(struct json_fields_out *out, const struct prepared_list *l)
{
    json_t *o = json_object();
    json_t *tables = json_array();
    json_t *open = json_array();

    json_fields_set_uint(out, o, "version", NOTE_VERSION);
    json_fields_set_text(out, o, "source", l->source);
    for (uint32_t i = 0; i < l->run_tables; i++) {
        put_name(out, tables, &l->names[i]);
    }
    for (const struct prepared *p = l->first; p != NULL; p = p->next) {
        if (is_noted(p)) {
            out->failed |= json_array_append_new(open, print_prepared(out, l, p)) != 0;
        }
    }
    out->failed |= json_object_set_new(o, "tables", tables) != 0;
    out->failed |= json_object_set_new(o, "open", open) != 0;
    return o;
}

enum err_code prepared_list_note(const struct prepared_list *l, struct buf *out, struct err *e)
{
    struct json_fields_out fields = {0};
    const struct prepared *p = l->first;

    while (p != NULL && !is_noted(p)) {
        p = p->next;
    }
    if (p == NULL) {
        return ERR_OK;
    }
    json_t *o = print_note(&fields, l);
    char *text = fields.failed ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (fields.not_utf8 != NULL) {
        free(text);
        return err_set(e, ERR_UNSUPPORTED, "the note of prepared transactions: '%s' is not UTF-8",
                       fields.not_utf8);
    }
    if (text == NULL) {
        return err_nomem(e);
    }
    buf_append_str(out, text);
    free(text);
    return buf_check(out, e, "the note of prepared transactions");
}
