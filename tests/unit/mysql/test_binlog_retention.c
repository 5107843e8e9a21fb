#include "mysql/binlog_retention.h"

#include "test.h"

TEST(test_binlog_retention__warns_before_it_is_too_late)
{
    static const struct {
        const char *what;
        struct binlog_retention r;
        const char *file;
        int64_t lag_s;
        const char *part; /* NULL: no danger */
    } cases[] = {
        {"in the newest file", {"b.000003", "b.000009", 100, true}, "b.000009", 1000, NULL},
        {"no place yet", {"b.000003", "b.000009", 100, true}, "", 1000, NULL},
        {"one file only", {"b.000003", "b.000003", 100, false}, "b.000003", 1000, NULL},
        {"in the oldest of some", {"b.000003", "b.000009", 0, false}, "b.000003", 10, "goes next"},
        {"gone already", {"b.000003", "b.000009", 0, false}, "b.000002", 10, "goes next"},
        {"between", {"b.000003", "b.000009", 0, false}, "b.000004", 100000, NULL},
        {"long kept", {"b.000003", "b.000009", 1000, false}, "b.000004", 500, NULL},
        {"soon gone", {"b.000003", "b.000009", 1000, false}, "b.000004", 501, "twice"},
        {"lag not known", {"b.000003", "b.000009", 1, false}, "b.000004", -1, NULL},
        {"RDS without a retention", {"b.000003", "b.000009", 0, true}, "b.000008", 0, "rds_set"},
        {"names past six digits", {"b.999998", "b.1000001", 0, false}, "b.999999", 9, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binlog_position at = {.offset = 4};

        (void)snprintf(at.file, sizeof at.file, "%s", cases[i].file);
        const char *danger = binlog_retention_danger(&cases[i].r, &at, cases[i].lag_s);
        bool right = cases[i].part == NULL
                         ? danger == NULL
                         : danger != NULL && strstr(danger, cases[i].part) != NULL;

        if (!right) {
            fail_msg("%s: %s", cases[i].what, danger == NULL ? "no danger" : danger);
        }
    }
}

TEST_MAIN(test_case(test_binlog_retention__warns_before_it_is_too_late))
