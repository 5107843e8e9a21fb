#include "pipeline/log_place.h"

#include "base/str.h"

enum gtid_flavor source_flavor(const char *source)
{
    return str_starts_with(source, "mariadb-") ? GTID_FLAVOR_MARIADB : GTID_FLAVOR_MYSQL;
}

enum err_code log_place_parse_gtids(const struct log_place *p, struct gtid_set **out, struct err *e)
{
    return gtid_set_parse(p->gtids, source_flavor(p->source), out, e);
}

static enum err_code has_gtids_of(const struct log_place *place, const struct log_place *other,
                                  bool *out, struct err *e)
{
    struct gtid_set *mine = NULL;
    struct gtid_set *others = NULL;
    enum err_code rc = log_place_parse_gtids(place, &mine, e);

    if (rc == ERR_OK) {
        rc = log_place_parse_gtids(other, &others, e);
    }
    *out = rc == ERR_OK && gtid_set_is_subset(others, mine);
    gtid_set_free(mine);
    gtid_set_free(others);
    return rc;
}

enum err_code log_place_reaches(const struct log_place *place, const struct log_place *other,
                                bool *out, struct err *e)
{
    bool mysql = source_flavor(place->source) == GTID_FLAVOR_MYSQL;
    bool by_gtids = place->gtids != NULL && other->gtids != NULL &&
                    source_flavor(other->source) == source_flavor(place->source);
    bool by_position = strcmp(place->source, other->source) == 0 &&
                       place->position.file[0] != '\0' && other->position.file[0] != '\0';

    *out = by_position || by_gtids;
    if (by_position && binlog_position_compare(&place->position, &other->position) < 0) {
        *out = false;
    } else if (by_gtids && (mysql || !by_position)) {
        /* The numbers of a MariaDB domain may go back, so there one server's positions decide. */
        return has_gtids_of(place, other, out, e);
    }
    return ERR_OK;
}
