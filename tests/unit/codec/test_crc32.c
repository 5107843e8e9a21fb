#include "codec/crc32.h"

#include "test.h"

TEST(test_crc32__gives_the_known_check_value)
{
    assert_u64_eq(crc32_update(0, span_str("123456789")), 0xcbf43926u);
    assert_u64_eq(crc32_update(0, span_str("The quick brown fox jumps over the lazy dog")),
                  0x414fa339u);
    assert_u64_eq(crc32_update(0, span_of("\0", 1)), 0xd202ef8du);
}

TEST(test_crc32__takes_pieces_in_order)
{
    struct span whole = span_str("123456789");

    for (size_t cut = 0; cut <= whole.len; cut++) {
        uint32_t crc = crc32_update(0, span_of(whole.data, cut));

        crc = crc32_update(crc, span_of(whole.data + cut, whole.len - cut));
        assert_u64_eq(crc, 0xcbf43926u);
    }
}

TEST(test_crc32__keeps_its_value_over_nothing)
{
    assert_u64_eq(crc32_update(0, (struct span){NULL, 0}), 0);
    assert_u64_eq(crc32_update(0xcbf43926u, (struct span){NULL, 0}), 0xcbf43926u);
}

TEST_MAIN(test_case(test_crc32__gives_the_known_check_value),
          test_case(test_crc32__takes_pieces_in_order),
          test_case(test_crc32__keeps_its_value_over_nothing))
