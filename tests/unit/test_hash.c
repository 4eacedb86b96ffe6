/* Hashes: the values outputs have carried so far, and that nothing goes unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "quell/fingerprint.h"
#include "quell/hash.h"

#include "fixture_rows.h"

/* Any length and alignment: each bit counts, and so do zeros at the end. */
static void every_bit_counts(void **state)
{
    (void)state;
    unsigned char bytes[27];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
    for (int64_t n = 0; n <= (int64_t)sizeof bytes; n++) {
        uint64_t h = ql_hash_bytes(QL_HASH_START, bytes, n);
        assert_true(h != QL_HASH_START);
        assert_true(h != ql_hash_bytes(QL_HASH_START + 1, bytes, n));
        for (int64_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_true(h != ql_hash_bytes(QL_HASH_START, bytes, n));
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        assert_true(h == ql_hash_bytes(QL_HASH_START, bytes, n));
    }
    static const unsigned char zeros[40];
    for (int64_t n = 1; n <= 40; n++)
        assert_true(ql_hash_bytes(QL_HASH_START, zeros, n) !=
                    ql_hash_bytes(QL_HASH_START, zeros, n - 1));
}

/* Upper bits of two words, which a product alone would let cancel out. */
static void changes_do_not_cancel(void **state)
{
    (void)state;
    uint64_t a[] = {1, 2, 3}, b[] = {1, 2, 3};
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < 64; j++) {
            memcpy(b, a, sizeof b);
            b[0] ^= UINT64_C(1) << i;
            b[1] ^= UINT64_C(1) << j;
            assert_true(ql_hash_bytes(QL_HASH_START, a, sizeof a) !=
                        ql_hash_bytes(QL_HASH_START, b, sizeof b));
        }
    }
}

/* FNV-1a over gene, bits of the count, ..., 0, ends of the rows, as written out here. */
static void fingerprints_are_what_they_were(void **state)
{
    (void)state;
    int64_t indptr[] = {0, 2, 2, 3};
    int32_t indices[] = {0, 4, 2};
    float data[] = {1, 2.5F, 3};
    const uint64_t words[] = {0, 0x3f800000, 4, 0x40200000, 2, 0x40400000, 0, 2, 2, 3};
    const ql_csr m = {3, 5, indptr, indices, data};
    uint64_t want = 1469598103934665603U, got = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        want = (want ^ words[i]) * 1099511628211U;
    assert_int_equal(ql_rows_fingerprint(ROWS_OF(&m), &got, NULL), QL_OK);
    assert_true(got == want);

    ql_row_store *store = NULL;
    const char *dir = getenv("TMPDIR");
    assert_int_equal(ql_store_new(dir && *dir ? dir : "/tmp", 3, 5, &store, NULL), QL_OK);
    assert_int_equal(ql_store_add(store, &m, NULL), QL_OK);
    assert_int_equal(ql_store_finish(store, 0, NULL), QL_OK);
    const ql_rows rows = ql_rows_of_store(store);
    assert_int_equal(ql_rows_fingerprint(&rows, &got, NULL), QL_OK);
    assert_true(got == want);
    ql_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(changes_do_not_cancel),
        cmocka_unit_test(fingerprints_are_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
