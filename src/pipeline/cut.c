#include "pipeline/cut.h"

#include <stdlib.h>

void cut_free(struct cut *c)
{
    if (c != NULL) {
        free(c->gtids);
        free(c->changes);
        for (int i = 0; i < WATERMARK_NOTES; i++) {
            free(c->notes[i]);
        }
        free(c);
    }
}

void cut_part_free(struct cut_part *p)
{
    if (p != NULL) {
        for (uint32_t i = 0; i < p->table_count; i++) {
            data_file_list_deinit(&p->tables[i].files);
        }
        free(p->tables);
        free(p);
    }
}
