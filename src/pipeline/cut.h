/*
 * cut.h - a transaction end at which all tables flush, on its way from the source thread through
 * the lanes to the committer.
 */
#ifndef CALVE_PIPELINE_CUT_H
#define CALVE_PIPELINE_CUT_H

#include "base/queue.h"
#include "mysql/position.h"
#include "pipeline/followed_table.h"
#include "pipeline/watermarks.h"

/* A table's definition changed at this cut: later checkpoints carry the new one. */
struct def_change {
    struct followed_table *table;
    const struct table_def *def; /* NULL: gone or not known */
    bool gone;
};

struct cut {
    char source[SOURCE_BYTES]; /* whose log it is */
    struct binlog_position position;
    uint32_t log_created_s; /* of the file; 0: not known */
    bool anonymous;         /* the set does not tell all before the position */
    char *gtids;            /* executed set as text; NULL when the source has none */
    int64_t time_us;        /* when it was made */
    struct def_change *changes;
    uint32_t change_count;
    char *notes[WATERMARK_NOTES]; /* written before the tables; NULL: as it was */
    unsigned parts_missing;       /* lanes that have not delivered yet; committer */
    struct cut *next;             /* committer's list */
};

/* What one lane has for a cut. */
struct table_files {
    struct followed_table *table;
    struct data_file_list files;
};

struct cut_part {
    struct queue_link link;
    struct cut *cut;
    struct table_files *tables;
    uint32_t table_count;
};

void cut_free(struct cut *c);
void cut_part_free(struct cut_part *p); /* files that were not taken are freed, not removed */

#endif
