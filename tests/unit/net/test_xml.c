#include "net/xml.h"

#include <stdlib.h>

#include "test.h"

/* What the handler was told: "+path" and "-path=text", a line each. */
struct told {
    struct buf text;
    const char *fail_at_open; /* path */
    const char *fail_at_close;
};

static enum err_code on_open(void *ctx, const char *path, struct err *e)
{
    struct told *t = ctx;

    buf_printf(&t->text, "+%s\n", path);
    if (t->fail_at_open != NULL && strcmp(path, t->fail_at_open) == 0) {
        return err_set(e, ERR_CONFLICT, "opened %s", path);
    }
    return t->text.failed == ERR_OK ? ERR_OK : err_nomem(e);
}

static enum err_code on_close(void *ctx, const char *path, const char *text, struct err *e)
{
    struct told *t = ctx;

    buf_printf(&t->text, "-%s=%s\n", path, text);
    if (t->fail_at_close != NULL && strcmp(path, t->fail_at_close) == 0) {
        return err_set(e, ERR_CONFLICT, "closed %s", path);
    }
    return t->text.failed == ERR_OK ? ERR_OK : err_nomem(e);
}

static enum err_code parse(struct told *t, struct span document, struct err *e)
{
    struct xml_handler handler = {.open = on_open, .close = on_close, .ctx = t};

    buf_reset(&t->text);
    return xml_parse(document, &handler, e);
}

static const struct {
    const char *document;
    const char *told;
} documents[] = {
    {"<a/>", "+a\n-a=\n"},
    {"<a> x </a>", "+a\n-a= x \n"},
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
     "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
     "  <Contents><Key>a&amp;b/&#228;</Key><Size>7</Size></Contents>\n"
     "  <Contents><Key>c</Key></Contents>\n"
     "</ListBucketResult>\n",
     "+ListBucketResult\n+ListBucketResult/Contents\n+ListBucketResult/Contents/Key\n"
     "-ListBucketResult/Contents/Key=a&b/\xc3\xa4\n+ListBucketResult/Contents/Size\n"
     "-ListBucketResult/Contents/Size=7\n-ListBucketResult/Contents=\n"
     "+ListBucketResult/Contents\n+ListBucketResult/Contents/Key\n"
     "-ListBucketResult/Contents/Key=c\n-ListBucketResult/Contents=\n-ListBucketResult=\n"},
    {"<s:a xmlns:s='u'><s:b s:x='1'>t</s:b></s:a>", "+a\n+a/b\n-a/b=t\n-a=\n"},
    {"<a>mixed<b/>content</a>", "+a\n+a/b\n-a/b=\n-a=\n"},
    {"<a>one<!-- and --><![CDATA[<two>]]><?pi three?></a>", "+a\n-a=one<two>\n"},
    {"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>", "+a\n-a=\xc3\xa4\n"},
};

TEST(test_xml__tells_paths_and_texts)
{
    struct told t = {0};
    struct err e = {0};

    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        assert_ok(parse(&t, span_str(documents[i].document), &e), &e);
        assert_text_eq(buf_span(&t.text), documents[i].told);
    }
    buf_deinit(&t.text);
}

static const struct {
    const char *document;
    const char *message;
} wrong[] = {
    {"", "XML line 1: no element found"},
    {"<html>\n<p>\n</html>", "XML line 3: mismatched tag"},
    {"nothing", "XML line 1: syntax error"},
    {"<a>&lt;&nbsp;</a>", "XML line 1: undefined entity"},
    {"<a/><b/>", "XML line 1: junk after document element"},
    {"<a>\xff</a>", "XML line 1: not well-formed (invalid token)"},
    {"<!DOCTYPE a>\n<a/>", "XML line 1: a document type is not accepted"},
    {"\n<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "XML line 2: a document type is not accepted"},
    {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "a document type is not accepted"},
};

TEST(test_xml__refuses_what_is_none)
{
    struct told t = {0};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};

        assert_err(parse(&t, span_str(wrong[i].document), &e), ERR_CORRUPT, &e);
        if (strstr(e.msg, wrong[i].message) == NULL) {
            fail_msg("%s: %s", wrong[i].document, e.msg);
        }
    }
    buf_deinit(&t.text);
}

TEST(test_xml__rejects_every_truncation)
{
    const char *document = documents[2].document;
    size_t whole = strlen(document) - 1; /* the last line feed may go */
    struct told t = {0};

    for (size_t len = 0; len < whole; len++) {
        uint8_t *cut = malloc(len + 1); /* of this length, for the sanitizer */
        struct err e = {0};

        assert_non_null(cut);
        memcpy(cut, document, len);
        assert_err(parse(&t, span_of(cut, len), &e), ERR_CORRUPT, &e);
        free(cut);
    }
    buf_deinit(&t.text);
}

TEST(test_xml__stops_where_the_handler_fails)
{
    struct told t = {.fail_at_open = "a/b"};
    struct err e = {0};

    assert_err(parse(&t, span_str("<a><b/><c/></a>"), &e), ERR_CONFLICT, &e);
    assert_string_equal(e.msg, "opened a/b");
    assert_text_eq(buf_span(&t.text), "+a\n+a/b\n");
    t.fail_at_open = NULL;
    t.fail_at_close = "a/b";
    assert_err(parse(&t, span_str("<a><b/><c/></a>"), &e), ERR_CONFLICT, &e);
    assert_string_equal(e.msg, "closed a/b");
    assert_text_eq(buf_span(&t.text), "+a\n+a/b\n-a/b=\n");
    buf_deinit(&t.text);
}

TEST(test_xml__does_without_handlers)
{
    struct xml_handler none = {0};
    struct err e = {0};

    assert_ok(xml_parse(span_str("<a><b>t</b></a>"), &none, &e), &e);
}

static void nest(struct buf *out, unsigned depth)
{
    buf_reset(out);
    for (unsigned i = 0; i < depth; i++) {
        buf_append_str(out, "<n>");
    }
    for (unsigned i = 0; i < depth; i++) {
        buf_append_str(out, "</n>");
    }
}

TEST(test_xml__limits_depth)
{
    struct buf document = {0};
    struct told t = {0};
    struct err e = {0};

    nest(&document, 32);
    assert_ok(parse(&t, buf_span(&document), &e), &e);
    nest(&document, 33);
    assert_err(parse(&t, buf_span(&document), &e), ERR_CORRUPT, &e);
    assert_string_equal(e.msg, "XML line 1: elements nest deeper than 32");
    buf_deinit(&document);
    buf_deinit(&t.text);
}

TEST(test_xml__limits_texts)
{
    struct buf document = {0};
    struct told t = {0};
    struct err e = {0};

    for (size_t over = 0; over < 2; over++) {
        buf_reset(&document);
        buf_append_str(&document, "<a>");
        for (size_t i = 0; i < ((size_t)1 << 20) - 1 + over; i++) {
            buf_u8(&document, 'x');
        }
        buf_append_str(&document, "</a>");
        assert_err(parse(&t, buf_span(&document), &e), over == 0 ? ERR_OK : ERR_LIMIT, &e);
    }
    assert_string_equal(
        e.msg, "XML line 1: the text of an element is larger than its limit of 1048576 bytes");
    buf_deinit(&document);
    buf_deinit(&t.text);
}

TEST(test_xml__limits_paths)
{
    struct buf document = {0};
    struct told t = {0};
    struct err e = {0};

    buf_u8(&document, '<');
    for (size_t i = 0; i < 17000; i++) {
        buf_u8(&document, 'x');
    }
    buf_append_str(&document, "/>");
    assert_err(parse(&t, buf_span(&document), &e), ERR_LIMIT, &e);
    assert_non_null(strstr(e.msg, "the path of an element is larger than its limit"));
    buf_deinit(&document);
    buf_deinit(&t.text);
}

TEST(test_xml__reads_what_it_writes)
{
    const char *text = "a&b <c> \"d\" 'e'\r\n\xc3\xa4 &amp;";
    struct buf document = {0};
    struct buf want = {0};
    struct told t = {0};
    struct err e = {0};

    xml_put_text(&document, "&<>\"'\r");
    assert_text_eq(buf_span(&document), "&amp;&lt;&gt;&quot;&apos;&#13;");
    buf_reset(&document);
    buf_append_str(&document, "<a>");
    xml_put_text(&document, text);
    buf_append_str(&document, "</a>");
    assert_ok(parse(&t, buf_span(&document), &e), &e);
    buf_printf(&want, "+a\n-a=%s\n", text);
    assert_bytes_eq(buf_span(&t.text), buf_span(&want));
    buf_deinit(&document);
    buf_deinit(&want);
    buf_deinit(&t.text);
}

TEST(test_xml__survives_lack_of_memory)
{
    TORTURE(nth)
    {
        struct told t = {0};
        struct err e = {0};
        enum err_code rc = parse(&t, span_str(documents[2].document), &e);

        if (rc != ERR_OK) {
            torture_fail_at(0);
            assert_err(rc, ERR_NOMEM, &e);
        }
        buf_deinit(&t.text);
    }
}

TEST_MAIN(test_case(test_xml__tells_paths_and_texts), test_case(test_xml__refuses_what_is_none),
          test_case(test_xml__rejects_every_truncation),
          test_case(test_xml__stops_where_the_handler_fails),
          test_case(test_xml__does_without_handlers), test_case(test_xml__limits_depth),
          test_case(test_xml__limits_texts), test_case(test_xml__limits_paths),
          test_case(test_xml__reads_what_it_writes), test_case(test_xml__survives_lack_of_memory))
