/*
 * lineage.c - what is known about the history behind a snapshot.
 *
 * The text is "<own sequence number> <linear since> <ours since> <appends since>". The first number
 * tells a summary that another writer copied from ours from a true one.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "iceberg/commit_int.h"

#define FOREIGN_STEPS_MAX 1000u

static const struct lineage unknown = {INT64_MAX, INT64_MAX, INT64_MAX};

static bool take_number(struct span *text, int64_t *out)
{
    const uint8_t *space = memchr(text->data, ' ', text->len);
    struct span word = {text->data, space == NULL ? text->len : (size_t)(space - text->data)};
    size_t used = word.len + (space == NULL ? 0 : 1);

    text->data += used;
    text->len -= used;
    return str_to_i64(word, out);
}

static bool parse(const struct snapshot_view *s, struct lineage *out)
{
    const char *value = snapshot_summary(s, LINEAGE_KEY);

    if (value == NULL) {
        return false;
    }
    struct span text = span_str(value);
    int64_t own;

    return take_number(&text, &own) && take_number(&text, &out->linear_since) &&
           take_number(&text, &out->ours_since) && take_number(&text, &out->appends_since) &&
           text.len == 0 && own == s->sequence_number && out->linear_since > 0 &&
           out->linear_since <= out->ours_since && out->ours_since <= out->appends_since &&
           out->ours_since <= own && out->appends_since <= own + 1;
}

bool lineage_of(const struct iceberg_metadata *m, const struct snapshot_view *s,
                struct lineage *out)
{
    struct snapshot_view at = *s;
    bool known = parse(&at, out);

    if (known) {
        return true;
    }
    /* Another writer's: it goes on in line when its parent is the snapshot right before it. */
    for (unsigned step = 0; !known && step < FOREIGN_STEPS_MAX; step++) {
        struct snapshot_view before;

        if (at.parent_id == -1 && at.sequence_number == 1) {
            *out = (struct lineage){.linear_since = 1};
            known = true;
        } else if (!metadata_snapshot(m, at.parent_id, &before) ||
                   before.sequence_number != at.sequence_number - 1) {
            return false;
        } else {
            at = before;
            known = parse(&at, out);
        }
    }
    out->ours_since = s->sequence_number + 1;
    out->appends_since = s->sequence_number + 1;
    return known;
}

struct lineage lineage_of_current(const struct iceberg_metadata *m)
{
    struct snapshot_view s;
    struct lineage l;

    if (!metadata_snapshot(m, iceberg_metadata_snapshot_id(m), &s) ||
        s.sequence_number != metadata_int(m, "last-sequence-number", -1) ||
        !lineage_of(m, &s, &l)) {
        return unknown;
    }
    return l;
}

struct lineage lineage_next(const struct iceberg_metadata *base, bool is_append)
{
    int64_t own = metadata_int(base, "last-sequence-number", 0) + 1;
    struct lineage l = lineage_of_current(base);

    if (l.linear_since == INT64_MAX) {
        l = (struct lineage){own, own, own};
    }
    if (!is_append) {
        l.appends_since = own + 1;
    }
    return l;
}

void lineage_print(const struct lineage *l, int64_t sequence_number, char out[LINEAGE_TEXT_BYTES])
{
    (void)snprintf(out, LINEAGE_TEXT_BYTES, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                   sequence_number, l->linear_since, l->ours_since, l->appends_since);
}
