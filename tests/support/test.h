/*
 * test.h - cmocka with our types: TEST(name) { ... } and TEST_MAIN(names...).
 *
 *   TEST(test_bytes__rejects_short_input) { ... }
 *   TEST_MAIN(test_case(test_bytes__rejects_short_input))
 *
 * An assert jumps out of the test, so it stays on the test's own thread.
 */
#ifndef CALVE_TEST_H
#define CALVE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "torture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define test_case(name) cmocka_unit_test(name)

#define TEST_MAIN(...)                                    \
    int main(void)                                        \
    {                                                     \
        const struct CMUnitTest tests[] = {__VA_ARGS__};  \
        return cmocka_run_group_tests(tests, NULL, NULL); \
    }

/* expr gives ERR_OK; else prints e's message. */
#define assert_ok(expr, e)                                                    \
    do {                                                                      \
        enum err_code test_rc_ = (expr);                                      \
        if (test_rc_ != ERR_OK) {                                             \
            fail_msg("%s: %s: %s", #expr, err_code_name(test_rc_), (e)->msg); \
        }                                                                     \
    } while (0)

/* expr fails with exactly this code. */
#define assert_err(expr, want, e)                                                \
    do {                                                                         \
        enum err_code test_rc_ = (expr);                                         \
        if (test_rc_ != (want)) {                                                \
            fail_msg("%s: %s instead of %s: %s", #expr, err_code_name(test_rc_), \
                     err_code_name(want), (e)->msg);                             \
        }                                                                        \
    } while (0)

#define assert_u64_eq(a, b)                                                    \
    do {                                                                       \
        uint64_t test_a_ = (uint64_t)(a);                                      \
        uint64_t test_b_ = (uint64_t)(b);                                      \
        if (test_a_ != test_b_) {                                              \
            fail_msg("%s is %" PRIu64 ", not %" PRIu64, #a, test_a_, test_b_); \
        }                                                                      \
    } while (0)

#define assert_i64_eq(a, b)                                                    \
    do {                                                                       \
        int64_t test_a_ = (int64_t)(a);                                        \
        int64_t test_b_ = (int64_t)(b);                                        \
        if (test_a_ != test_b_) {                                              \
            fail_msg("%s is %" PRId64 ", not %" PRId64, #a, test_a_, test_b_); \
        }                                                                      \
    } while (0)

#define assert_text_eq(span_, text_)                                         \
    do {                                                                     \
        struct span test_s_ = (span_);                                       \
        if (!span_eq_str(test_s_, (text_))) {                                \
            fail_msg("%s is \"%.*s\", not \"%s\"", #span_, (int)test_s_.len, \
                     (const char *)test_s_.data, (text_));                   \
        }                                                                    \
    } while (0)

/* Bytes are equal; else shows where they part. */
#define assert_bytes_eq(a, b)                                                                \
    do {                                                                                     \
        struct span test_a_ = (a);                                                           \
        struct span test_b_ = (b);                                                           \
        size_t test_i_ = 0;                                                                  \
        while (test_i_ < test_a_.len && test_i_ < test_b_.len &&                             \
               test_a_.data[test_i_] == test_b_.data[test_i_]) {                             \
            test_i_++;                                                                       \
        }                                                                                    \
        if (test_a_.len != test_b_.len || test_i_ < test_a_.len) {                           \
            fail_msg("%s (%zu bytes) and %s (%zu bytes) differ at byte %zu: %02x, %02x", #a, \
                     test_a_.len, #b, test_b_.len, test_i_,                                  \
                     test_i_ < test_a_.len ? test_a_.data[test_i_] : 0,                      \
                     test_i_ < test_b_.len ? test_b_.data[test_i_] : 0);                     \
        }                                                                                    \
    } while (0)

/* Bytes from hex digits (spaces allowed) into out; returns how many. */
static inline size_t test_unhex(const char *hex, uint8_t *out, size_t out_bytes)
{
    size_t len = 0;

    while (*hex != '\0') {
        unsigned byte = 0;

        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        if (len == out_bytes || sscanf(hex, "%2x", &byte) != 1) {
            fail_msg("bad hex: %s", hex);
        }
        out[len++] = (uint8_t)byte;
        hex += 2;
    }
    return len;
}

#endif
