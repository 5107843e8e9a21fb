/*
 * Diffs, until the end:
 *
 *   operation   1        0 REPLACE, 1 INSERT, 2 REMOVE
 *   path        lenenc   $ then legs
 *   document    lenenc   binary JSON; not with REMOVE
 *
 * Legs: .name  ."quoted as in JSON"  [3]  [last]  [last-3]
 *
 * REPLACE and REMOVE name a value that is there, INSERT a key that is not, or where in an array the
 * value goes: an index behind the end means the end, one before the start ([last-9]) the start. The
 * server logs paths as the statement had them, but for [0] on what is no array.
 *
 * A document is not taken apart as a whole. An object or array that a path goes into becomes a list
 * of pieces: stretches of what its bytes have, and single values between them. So a diff costs
 * memory of its own size, and time by the number of diffs before it.
 */
#include "mysql/json_diff.h"

#include "mysql/json_binary_int.h"

#define PATH_SHOWN_BYTES 200

enum operation { DIFF_REPLACE = 0, DIFF_INSERT = 1, DIFF_REMOVE = 2 };

struct piece;

/* An object or array, taken apart. */
struct node {
    struct json_level level; /* what its stretches are of */
    struct piece *first;
    uint32_t count; /* values, in all pieces */
};

struct piece {
    struct piece *next;
    uint32_t at; /* a stretch: values at .. at + count of the level; count 0: one value */
    uint32_t count;
    struct span key;        /* of one value in an object */
    struct json_part value; /* one value, where node is NULL */
    struct node *node;      /* one value, taken apart */
};

struct leg {
    bool member;
    bool from_end; /* [last-index] */
    uint32_t index;
    struct span key;
};

struct patch {
    struct arena *arena;
    struct piece root; /* one value */
    struct span path;  /* of the diff in work */
    enum err_code rc;  /* why a function gave NULL */
    struct err *e;
};

static enum err_code corrupt(const struct patch *p, const char *what)
{
    int len = p->path.len < PATH_SHOWN_BYTES ? (int)p->path.len : PATH_SHOWN_BYTES;

    (void)err_set(p->e, ERR_CORRUPT, "JSON diff%s%.*s: %s", len > 0 ? " at " : "", len,
                  len > 0 ? (const char *)p->path.data : "", what);
    return ERR_CORRUPT;
}

static enum err_code no_memory(const struct patch *p)
{
    return arena_fail(p->arena, p->e, "JSON diff");
}

/* ---- paths ---- */

/* What follows \u: the server writes only control characters in this way. */
static bool read_control(struct bytes_reader *in, uint8_t *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = bytes_u8(in);
        const char *at = c == '\0' ? NULL : strchr(digits, c);

        if (at == NULL) {
            return false;
        }
        v = v << 4 | (unsigned)(at - digits < 16 ? at - digits : at - digits - 6);
    }
    *out = (uint8_t)v;
    return v < 0x80;
}

/* One escape, behind its backslash. */
static bool read_escape(struct bytes_reader *in, uint8_t *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    uint8_t c = bytes_u8(in);
    const char *at = c == '\0' ? NULL : strchr(names, c);

    if (at != NULL) {
        *out = (uint8_t)bytes[at - names];
        return true;
    }
    return c == 'u' && read_control(in, out);
}

/* What stands between quotes, escapes as they are; the reader is behind the first quote. */
static enum err_code read_quoted(const struct patch *p, struct bytes_reader *in, struct span *out)
{
    struct bytes_reader start = *in;

    for (;;) {
        uint8_t c = bytes_u8(in);

        if (c == '\\') {
            bytes_skip(in, 1);
        }
        if (bytes_failed(in)) {
            return corrupt(p, "a quoted name without an end");
        }
        if (c == '"') {
            *out = bytes_span(&start, bytes_left(&start) - bytes_left(in) - 1);
            return ERR_OK;
        }
    }
}

static enum err_code unquote(const struct patch *p, struct span *name)
{
    struct bytes_reader in;
    size_t len = 0;

    if (name->len == 0 || memchr(name->data, '\\', name->len) == NULL) {
        return ERR_OK;
    }
    uint8_t *plain = arena_alloc(p->arena, name->len, 1);

    if (plain == NULL) {
        return no_memory(p);
    }
    bytes_reader_init(&in, *name);
    while (bytes_left(&in) > 0) {
        plain[len] = bytes_u8(&in);
        if (plain[len] == '\\' && !read_escape(&in, &plain[len])) {
            return corrupt(p, "an escape that is not known");
        }
        len++;
    }
    *name = span_of(plain, len);
    return ERR_OK;
}

static uint8_t peek(const struct bytes_reader *in)
{
    struct bytes_reader ahead = *in;

    return bytes_u8(&ahead);
}

static enum err_code read_member(const struct patch *p, struct bytes_reader *in, struct leg *out)
{
    if (peek(in) == '"') {
        bytes_skip(in, 1);
        ERR_TRY(read_quoted(p, in, &out->key));
        return unquote(p, &out->key);
    }
    struct bytes_reader start = *in;

    while (bytes_left(in) > 0 && peek(in) != '.' && peek(in) != '[') {
        bytes_skip(in, 1);
    }
    out->key = bytes_span(&start, bytes_left(&start) - bytes_left(in));
    return out->key.len > 0 ? ERR_OK : corrupt(p, "a leg without a name");
}

static enum err_code read_cell(const struct patch *p, struct bytes_reader *in, struct leg *out)
{
    static const char last[] = {'l', 'a', 's', 't'};
    struct bytes_reader ahead = *in;
    struct span word = bytes_span(&ahead, sizeof last);
    uint64_t index = 0;
    bool digits = false;

    if (span_eq(word, span_of(last, sizeof last))) {
        out->from_end = true;
        *in = ahead;
        if (peek(in) == ']') {
            bytes_skip(in, 1);
            return ERR_OK;
        }
        if (bytes_u8(in) != '-') {
            return corrupt(p, "an index that is none");
        }
    }
    for (;;) {
        uint8_t c = bytes_u8(in);

        if (c == ']' && digits) {
            out->index = (uint32_t)index;
            return ERR_OK;
        }
        if (c < '0' || c > '9' || index > UINT32_MAX / 10 - 1) {
            return corrupt(p, "an index that is none");
        }
        index = index * 10 + (c - '0');
        digits = true;
    }
}

static enum err_code read_leg(const struct patch *p, struct bytes_reader *in, struct leg *out)
{
    *out = (struct leg){0};
    switch (bytes_u8(in)) {
    case '.':
        out->member = true;
        return read_member(p, in, out);
    case '[':
        return read_cell(p, in, out);
    default:
        return corrupt(p, "a leg that is not known");
    }
}

/* ---- pieces ---- */

static uint32_t piece_values(const struct piece *piece)
{
    return piece->count == 0 ? 1 : piece->count;
}

/* The order of keys in an object. */
static int compare_keys(struct span a, struct span b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

static enum err_code key_of(const struct patch *p, const struct node *node,
                            const struct piece *piece, uint32_t i, struct span *out)
{
    if (piece->count > 0) {
        return json_level_key(&node->level, piece->at + i, out, p->e);
    }
    *out = piece->key;
    return ERR_OK;
}

/* Where a value stands or would go: in front of value `i` of *link, or at the end where that is
 * NULL. */
struct place {
    struct piece **link;
    uint32_t i;
    bool found; /* it stands there */
};

/* In a piece whose last key is not below this one. */
static enum err_code find_in_piece(const struct patch *p, const struct node *node, struct span key,
                                   struct place *out)
{
    uint32_t low = 0;
    uint32_t high = piece_values(*out->link) - 1;
    struct span at;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        ERR_TRY(key_of(p, node, *out->link, middle, &at));
        if (compare_keys(at, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    ERR_TRY(key_of(p, node, *out->link, low, &at));
    out->i = low;
    out->found = compare_keys(at, key) == 0;
    return ERR_OK;
}

static enum err_code find_key(const struct patch *p, struct node *node, struct span key,
                              struct place *out)
{
    *out = (struct place){.link = &node->first};
    for (; *out->link != NULL; out->link = &(*out->link)->next) {
        struct span last;

        ERR_TRY(key_of(p, node, *out->link, piece_values(*out->link) - 1, &last));
        if (compare_keys(last, key) >= 0) {
            return find_in_piece(p, node, key, out);
        }
    }
    return ERR_OK;
}

static void find_index(struct node *node, const struct leg *leg, struct place *out)
{
    uint32_t index = leg->index;

    *out = (struct place){.link = &node->first, .found = index < node->count};
    if (!out->found) {
        index = leg->from_end ? 0 : node->count;
    } else if (leg->from_end) {
        index = node->count - 1 - index;
    }
    while (*out->link != NULL && index >= piece_values(*out->link)) {
        index -= piece_values(*out->link);
        out->link = &(*out->link)->next;
    }
    out->i = index;
}

static enum err_code find(const struct patch *p, struct node *node, const struct leg *leg,
                          struct place *out)
{
    if (leg->member != node->level.object) {
        return corrupt(p, leg->member ? "a name where the document has an array"
                                      : "an index where the document has an object");
    }
    if (leg->member) {
        return find_key(p, node, leg->key, out);
    }
    find_index(node, leg, out);
    return ERR_OK;
}

static struct piece *new_piece(const struct patch *p)
{
    return arena_alloc(p->arena, 1, sizeof(struct piece));
}

/* Parts a stretch, so that the place is in front of a piece. */
static enum err_code part_at(const struct patch *p, struct place *place)
{
    struct piece *piece = *place->link;

    if (piece == NULL || place->i == 0) {
        return ERR_OK;
    }
    struct piece *rest = new_piece(p);

    if (rest == NULL) {
        return no_memory(p);
    }
    *rest = *piece;
    rest->at += place->i;
    rest->count -= place->i;
    piece->count = place->i;
    piece->next = rest;
    place->link = &piece->next;
    place->i = 0;
    return ERR_OK;
}

/* Reads a value out of its stretch, which has no other. */
static enum err_code read_value(const struct patch *p, const struct node *node, struct piece *piece)
{
    if (node->level.object) {
        ERR_TRY(json_level_key(&node->level, piece->at, &piece->key, p->e));
    }
    ERR_TRY(json_level_value(&node->level, piece->at, &piece->value, p->e));
    piece->count = 0;
    return ERR_OK;
}

/* Makes a piece of its own of the value that stands at a place; NULL when that fails, by p->rc. */
static struct piece *single_out(struct patch *p, const struct node *node, struct place *place)
{
    p->rc = part_at(p, place);
    struct piece *piece = *place->link;

    if (piece == NULL || !place->found) {
        p->rc = p->rc == ERR_OK ? corrupt(p, "nothing is there in the document") : p->rc;
        return NULL;
    }
    if (p->rc == ERR_OK && piece->count > 1) {
        struct place behind = {.link = place->link, .i = 1};

        p->rc = part_at(p, &behind);
    }
    if (p->rc == ERR_OK && piece->count > 0) {
        p->rc = read_value(p, node, piece);
    }
    return p->rc == ERR_OK ? piece : NULL;
}

static enum err_code take_apart(const struct patch *p, struct piece *piece)
{
    if (!json_part_is_container(&piece->value)) {
        return corrupt(p, "a leg below what is neither object nor array");
    }
    struct node *node = arena_alloc(p->arena, 1, sizeof *node);
    struct piece *all = new_piece(p);

    if (node == NULL || all == NULL) {
        return no_memory(p);
    }
    ERR_TRY(json_part_open(&piece->value, &node->level, p->e));
    node->count = node->level.count;
    if (node->count > 0) {
        all->count = node->count;
        node->first = all;
    }
    piece->node = node;
    return ERR_OK;
}

/* What a single value has, as pieces; NULL when that fails, by p->rc. */
static struct node *open_piece(struct patch *p, struct piece *piece)
{
    p->rc = piece->node == NULL ? take_apart(p, piece) : ERR_OK;
    return p->rc == ERR_OK ? piece->node : NULL;
}

/* ---- diffs ---- */

static enum err_code insert(const struct patch *p, struct node *node, const struct leg *leg,
                            struct place *place, struct span document)
{
    if (leg->member && place->found) {
        return corrupt(p, "a key to insert that is there");
    }
    if (node->count == UINT32_MAX) {
        return corrupt(p, "too many values");
    }
    ERR_TRY(part_at(p, place));
    struct piece *piece = new_piece(p);

    if (piece == NULL) {
        return no_memory(p);
    }
    piece->key = leg->key;
    piece->value = json_document_part(document);
    piece->next = *place->link;
    *place->link = piece;
    node->count++;
    return ERR_OK;
}

static enum err_code apply_at(struct patch *p, uint8_t operation, struct node *node,
                              const struct leg *leg, struct span document)
{
    struct place place = {0};

    ERR_TRY(find(p, node, leg, &place));
    if (operation == DIFF_INSERT) {
        return insert(p, node, leg, &place, document);
    }
    struct piece *piece = single_out(p, node, &place);

    if (piece == NULL) {
        return p->rc;
    }
    if (operation == DIFF_REMOVE) {
        *place.link = piece->next;
        node->count--;
    } else {
        piece->value = json_document_part(document);
        piece->node = NULL;
    }
    return ERR_OK;
}

static enum err_code apply(struct patch *p, uint8_t operation, struct span document)
{
    struct piece *at = &p->root;
    struct bytes_reader legs;

    bytes_reader_init(&legs, p->path);
    if (bytes_u8(&legs) != '$') {
        return corrupt(p, "a path that does not begin with $");
    }
    if (bytes_left(&legs) == 0) {
        if (operation != DIFF_REPLACE) {
            return corrupt(p, "the whole document can only be replaced");
        }
        at->value = json_document_part(document);
        at->node = NULL;
        return ERR_OK;
    }
    for (unsigned depth = 1; depth < JSON_DEPTH_MAX; depth++) {
        struct leg leg;
        struct place place = {0};

        ERR_TRY(read_leg(p, &legs, &leg));
        struct node *node = open_piece(p, at);

        if (node == NULL) {
            return p->rc;
        }
        if (bytes_left(&legs) == 0) {
            return apply_at(p, operation, node, &leg, document);
        }
        ERR_TRY(find(p, node, &leg, &place));
        at = single_out(p, node, &place);
        if (at == NULL) {
            return p->rc;
        }
    }
    return corrupt(p, "more than 100 levels");
}

static enum err_code apply_all(struct patch *p, struct span diffs)
{
    struct bytes_reader in;

    bytes_reader_init(&in, diffs);
    while (bytes_left(&in) > 0) {
        uint8_t operation = bytes_u8(&in);
        struct span document = {NULL, 0};

        p->path = bytes_lenenc_span(&in);
        if (operation != DIFF_REMOVE) {
            document = bytes_lenenc_span(&in);
        }
        if (bytes_failed(&in)) {
            p->path.len = 0;
            return corrupt(p, "it ends within itself");
        }
        if (operation > DIFF_REMOVE) {
            return corrupt(p, "an operation that is not known");
        }
        ERR_TRY(apply(p, operation, document));
    }
    p->path.len = 0;
    return ERR_OK;
}

/* ---- text ---- */

/* An object or array that is being written. */
struct writing {
    const struct node *node;
    const struct piece *piece;
    uint32_t i; /* of its piece's values */
    bool first;
};

static void begin(struct json_text *w, const struct node *node, struct writing *out)
{
    *out = (struct writing){.node = node, .piece = node->first, .first = true};
    buf_u8(w->out, node->level.object ? '{' : '[');
}

/* Writes the next value, or its key and gives it in *child when it was taken apart. */
static enum err_code put_next(const struct patch *p, struct json_text *w, struct writing *at,
                              unsigned above, const struct node **child)
{
    const struct piece *piece = at->piece;
    const struct node *node = at->node;
    struct json_part part = piece->value;
    uint32_t i = at->i++;

    if (at->i >= piece_values(piece)) {
        at->piece = piece->next;
        at->i = 0;
    }
    if (!at->first) {
        buf_u8(w->out, ',');
    }
    at->first = false;
    if (node->level.object) {
        struct span key;

        ERR_TRY(key_of(p, node, piece, i, &key));
        ERR_TRY(json_text_key(w, key));
    }
    *child = piece->node;
    if (piece->node != NULL) {
        return ERR_OK;
    }
    if (piece->count > 0) {
        ERR_TRY(json_level_value(&node->level, piece->at + i, &part, p->e));
    }
    return json_text_part(w, &part, above);
}

static enum err_code put_node(const struct patch *p, struct json_text *w, const struct node *root)
{
    struct writing levels[JSON_DEPTH_MAX];
    unsigned depth = 1;

    begin(w, root, &levels[0]);
    while (depth > 0) {
        struct writing *at = &levels[depth - 1];
        const struct node *child = NULL;

        if (at->piece == NULL) {
            buf_u8(w->out, at->node->level.object ? '}' : ']');
            depth--;
            continue;
        }
        if (depth == JSON_DEPTH_MAX) {
            return json_text_too_deep(w);
        }
        ERR_TRY(put_next(p, w, at, depth, &child));
        if (child != NULL) {
            begin(w, child, &levels[depth++]);
        }
        ERR_TRY(json_text_check(w));
    }
    return ERR_OK;
}

enum err_code json_diff_to_text(struct span document, struct span diffs, struct arena *scratch,
                                struct buf *out, struct err *e)
{
    struct patch p = {.arena = scratch, .e = e};
    struct json_text w;

    arena_reset(scratch);
    p.root.value = json_document_part(document);
    ERR_TRY(apply_all(&p, diffs));
    json_text_init(&w, out, document.len + diffs.len, e);
    if (p.root.node == NULL) {
        ERR_TRY(json_text_part(&w, &p.root.value, 0));
    } else {
        ERR_TRY(put_node(&p, &w, p.root.node));
    }
    return json_text_check(&w);
}
