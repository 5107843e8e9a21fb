#include "mysql/cascades.h"

#include "base/buf.h"
#include "test.h"

static enum err_code put(void *ctx, const struct cascade *k, struct err *e)
{
    (void)e;
    buf_append_span(ctx, k->key);
    buf_append_str(ctx, "|");
    buf_append_span(ctx, k->parent);
    buf_append_str(ctx, "|");
    buf_append_span(ctx, k->actions);
    buf_append_str(ctx, "\n");
    return ERR_OK;
}

/* As MySQL 9.7 and MariaDB 11.8 print it. */
static const char create[] =
    "CREATE TABLE `c` (\n"
    "  `id` int NOT NULL,\n"
    "  `p` int DEFAULT NULL COMMENT '\\n  CONSTRAINT `no` FOREIGN KEY (`a`) REFERENCES `b` (`c`) "
    "ON "
    "DELETE CASCADE',\n"
    "  PRIMARY KEY (`id`),\n"
    "  KEY `fk1` (`p`),\n"
    "  CONSTRAINT `ck` CHECK (`id` <> ' CASCADE'),\n"
    "  CONSTRAINT `fk1` FOREIGN KEY (`p`) REFERENCES `p` (`id`) ON DELETE CASCADE ON UPDATE SET "
    "NULL,\n"
    "  CONSTRAINT `f k)2` FOREIGN KEY (`x`,`y)`) REFERENCES `shop`.`a b` (`x`,`y`) ON UPDATE "
    "CASCADE,\n"
    "  CONSTRAINT `fk3` FOREIGN KEY (`p`) REFERENCES ` CASCADE` (`id`),\n"
    "  CONSTRAINT `fk4` FOREIGN KEY (`p`) REFERENCES `p` (` SET NULL`) ON DELETE RESTRICT,\n"
    "  CONSTRAINT fk5 FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET DEFAULT\n"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT=' CASCADE'";

TEST(test_cascades__finds_keys_that_change_rows)
{
    struct buf out = {0};
    struct err e = {0};

    assert_ok(cascades_parse(span_str(create), put, &out, &e), &e);
    assert_text_eq(buf_span(&out), "`fk1`|`p`|ON DELETE CASCADE ON UPDATE SET NULL\n"
                                   "`f k)2`|`shop`.`a b`|ON UPDATE CASCADE\n"
                                   "fk5|p|ON DELETE SET DEFAULT\n");
    buf_deinit(&out);
}

TEST(test_cascades__survives_every_truncation)
{
    for (size_t len = 0; len < sizeof create; len++) {
        struct buf out = {0};
        struct err e = {0};

        assert_ok(cascades_parse(span_of(create, len), put, &out, &e), &e);
        buf_deinit(&out);
    }
}

static enum err_code refuse(void *ctx, const struct cascade *k, struct err *e)
{
    (void)ctx;
    (void)k;
    return err_set(e, ERR_LIMIT, "no");
}

TEST(test_cascades__ends_with_the_callers_failure)
{
    struct err e = {0};

    assert_err(cascades_parse(span_str(create), refuse, NULL, &e), ERR_LIMIT, &e);
}

TEST_MAIN(test_case(test_cascades__finds_keys_that_change_rows),
          test_case(test_cascades__survives_every_truncation),
          test_case(test_cascades__ends_with_the_callers_failure))
