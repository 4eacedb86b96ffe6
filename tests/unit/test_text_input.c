/* Text of plain and gzip files by every way it can be read: the same bytes, the same refusals. */
#include "fixture_read.h"

#include "../../src/io/file/gzip_member.h"
#include "../../src/io/text/text_input.h"
#include "quell/alloc.h"

enum { N = 3000000, CAP = 1 << 17 };

static char *text; /* [N] of lines that compress well, but not into nothing */

static int setup(void **state)
{
    text = ql_alloc(N, 1);
    if (!text) return -1;
    uint32_t x = 12345;
    for (int i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        text[i] = i % 11 == 10 ? '\n' : (char)('0' + (x >> 24) % 10);
    }
    return fx_setup(state);
}

static int teardown(void **state)
{
    ql_free(text);
    return fx_teardown(state);
}

/* --- making files --- */

/* in as a gzip member (raw deflate inside when extra bytes go to the header) behind *n bytes of
 * out. */
static void add_member(unsigned char *out, size_t *n, const char *in, size_t n_in, bool bgzf)
{
    z_stream z = {0};
    unsigned char extra[6] = {'B', 'C', 2, 0, 0, 0};
    gz_header header = {.extra = extra, .extra_len = sizeof extra, .os = 255};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    if (bgzf) assert_int_equal(deflateSetHeader(&z, &header), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n_in;
    z.next_out = out + *n;
    z.avail_out = (uInt)(2 * N - *n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    if (bgzf) {
        assert_true(len <= QL_BGZF_MAX);
        out[*n + 16] = (unsigned char)((len - 1) & 255);
        out[*n + 17] = (unsigned char)((len - 1) >> 8);
    }
    *n += len;
}

typedef enum { PLAIN, ONE, MANY, BLOCKS, BLOCKS_THEN_ONE, N_KINDS } kind;

/* The bytes of a file of that kind with n bytes of text in it, for ql_free. */
static unsigned char *make(kind k, size_t n, size_t *len)
{
    unsigned char *out = ql_alloc(2 * N, 1);
    size_t step = k == ONE ? N : k == MANY ? 700001 : 65000, at = 0;
    assert_non_null(out);
    *len = 0;
    if (k == PLAIN) {
        memcpy(out, text, n);
        *len = n;
        return out;
    }
    for (; at < n || at == 0; at += step) {
        size_t piece = n - at < step ? n - at : step;
        bool bgzf = k == BLOCKS || (k == BLOCKS_THEN_ONE && at < n / 2);
        if (k == BLOCKS_THEN_ONE && !bgzf) piece = step = n - at;
        add_member(out, len, text + at, piece, bgzf);
    }
    if (k == BLOCKS) add_member(out, len, "", 0, true); /* bgzip's mark of the end */
    return out;
}

/* --- reading them --- */

/* Read it all; *got bytes that equal the text. What comes before an error may be wrong: checksums
 * are at the end. */
static ql_status read_all(const char *path, ql_text_extent extent, size_t *got, ql_err *err)
{
    ql_text *t = NULL;
    char *all = ql_alloc(N + CAP, 1);
    size_t n = 0;
    *got = 0;
    assert_non_null(all);
    ql_status st = ql_text_open(path, extent, &t, err);
    while (st == QL_OK && !ql_text_ended(t)) {
        st = ql_text_read(t, all + *got, CAP, &n, err);
        if (st != QL_OK) break;
        assert_true(n <= CAP && *got + n <= N);
        *got += n;
    }
    if (st == QL_OK) assert_memory_equal(all, text, *got);
    if (st == QL_OK && ql_text_length(t) >= 0) assert_int_equal(ql_text_length(t), *got);
    ql_text_close(t);
    ql_free(all);
    return st;
}

static void check_file(const void *bytes, size_t len, size_t n)
{
    fx_bytes("t.gz", bytes, len);
    for (int extent = QL_TEXT_HEAD; extent <= QL_TEXT_ALL; extent++) {
        size_t got = 0;
        fx_assert_ok(read_all(fx_path("t.gz"), (ql_text_extent)extent, &got, &fx_err));
        assert_int_equal(got, n);
    }
}

static void check_refused(const void *bytes, size_t len, const char *part)
{
    fx_bytes("t.gz", bytes, len);
    for (int extent = QL_TEXT_HEAD; extent <= QL_TEXT_ALL; extent++) {
        size_t got = 0;
        ql_err err = {0};
        assert_int_equal(read_all(fx_path("t.gz"), (ql_text_extent)extent, &got, &err), QL_EDATA);
        fx_assert_text(err.msg, part);
    }
}

static void test_same_text(void **state)
{
    static const size_t sizes[] = {1, 11, 65000, 65001, CAP, 1000000, N};
    (void)state;
    for (int k = PLAIN; k < N_KINDS; k++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t len = 0;
            unsigned char *bytes = make((kind)k, sizes[i], &len);
            check_file(bytes, len, sizes[i]);
            ql_free(bytes);
        }
    }
}

static void test_behind_the_end(void **state)
{
    (void)state;
    for (int k = ONE; k < N_KINDS; k++) {
        size_t len = 0;
        unsigned char *bytes = make((kind)k, 500000, &len);
        memset(bytes + len, 0, 4096);
        check_file(bytes, len + 4096, 500000);
        memcpy(bytes + len, "garbage", 7);
        check_file(bytes, len + 7, 500000);
        ql_free(bytes);
    }
}

/* Heads whose extra field is said to go on where the file ends: nothing is read behind it. */
static void test_heads_that_promise_more(void **state)
{
    static const unsigned char heads[][QL_BGZF_HEAD] = {
        {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 'X', 'Y', 0, 0, 'Z', 'Z'},
        {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 6, 0, 'X', 'Y', 0, 0, 'Z', 'Z'},
        {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 6, 0, 'B', 'C', 3, 0, 1, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        unsigned char *exact = malloc(QL_BGZF_HEAD);
        assert_non_null(exact);
        memcpy(exact, heads[i], QL_BGZF_HEAD);
        assert_int_equal(ql_bgzf_block_size(exact, QL_BGZF_HEAD), 0);
        free(exact);
    }
    check_refused("\x1f\x8b", 2, "incomplete gzip stream");
}

static void test_cut(void **state)
{
    (void)state;
    for (int k = ONE; k < N_KINDS; k++) {
        size_t len = 0, end = k == BLOCKS ? 28 : 0; /* what bgzip puts at the end has no text */
        unsigned char *bytes = make((kind)k, 500000, &len);
        check_refused(bytes, len - end - 4, "incomplete gzip stream");
        check_refused(bytes, len / 2, "incomplete gzip stream");
        check_refused(bytes, 40, "incomplete gzip stream");
        ql_free(bytes);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    for (int k = ONE; k < N_KINDS; k++) {
        size_t len = 0, end = k == BLOCKS ? 28 : 0;
        unsigned char *bytes = make((kind)k, 500000, &len);
        bytes[len - end - 7] ^= 0x10; /* the checksum */
        check_refused(bytes, len, "is damaged: the gzip checksum or stream is wrong");
        bytes[len - end - 7] ^= 0x10;
        bytes[len / 2] ^= 0xff;
        check_refused(bytes, len, "is damaged: the gzip checksum or stream is wrong");
        ql_free(bytes);
    }
}

static int64_t length_under(const char *name, int64_t cap)
{
    ql_text *t = NULL;
    ql_alloc_set_cap(ql_alloc_bytes() + cap);
    ql_status st = ql_text_open(fx_path(name), QL_TEXT_ALL, &t, &fx_err);
    ql_alloc_set_cap(0);
    fx_assert_ok(st);
    int64_t length = ql_text_length(t);
    ql_text_close(t);
    return length;
}

/* The text is held as a whole only if that takes a small part of the memory. */
static void test_little_memory(void **state)
{
    size_t len = 0, got = 0;
    unsigned char *bytes = make(ONE, N, &len);
    (void)state;
    fx_bytes("t.gz", bytes, len);
    ql_free(bytes);
    assert_int_equal(length_under("t.gz", N * 3), -1);
    bytes = make(ONE, N, &len);
    memcpy(bytes + len, "xx\1\0\0", 6); /* it says that its text is one byte long */
    fx_bytes("small.gz", bytes, len + 6);
    ql_free(bytes);
    assert_int_equal(length_under("small.gz", N * 3), -1);
    if (ql_gzip_inflaters[0].any_size) assert_int_equal(length_under("t.gz", INT64_C(64) * N), N);
    ql_alloc_set_cap(ql_alloc_bytes() + 2 * N);
    ql_status st = read_all(fx_path("t.gz"), QL_TEXT_ALL, &got, &fx_err);
    ql_alloc_set_cap(0);
    fx_assert_ok(st);
    assert_int_equal(got, N);
}

/* A member that says it is empty or huge: the length at the end is a hint, not a promise. */
static void test_wrong_hint(void **state)
{
    size_t len = 0;
    (void)state;
    unsigned char *bytes = make(ONE, 500000, &len);
    const unsigned char hints[][4] = {{0, 0, 0, 0}, {255, 255, 255, 255}, {1, 0, 0, 0}};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        memcpy(bytes + len, "xx", 2);
        memcpy(bytes + len + 2, hints[i], 4);
        check_file(bytes, len + 6, 500000);
    }
    ql_free(bytes);
}

static void test_inflaters(void **state)
{
    (void)state;
    size_t len = 0;
    unsigned char *bytes = make(BLOCKS, 60000, &len), *out = ql_alloc(N, 1);
    size_t block = ql_bgzf_block_size(bytes, len);
    assert_non_null(out);
    assert_in_range(block, 100, len);
    assert_int_equal(ql_bgzf_block_size(bytes, 17), 0);
    bytes[14] = 3; /* a subfield of these letters, but of three bytes */
    assert_int_equal(ql_bgzf_block_size(bytes, len), 0);
    bytes[14] = 2;
    for (const ql_gzip_inflater *by = ql_gzip_inflaters; by->name; by++) {
        size_t used = 0, got = 0;
        assert_int_equal(by->inflate(bytes, len, out, N, &used, &got), QL_GZIP_OK);
        assert_int_equal(used, block);
        assert_int_equal(got, 60000);
        assert_memory_equal(out, text, got);
        assert_int_equal(by->inflate(bytes, len, out, 60000, &used, &got), QL_GZIP_OK);
        assert_int_equal(by->inflate(bytes, len, out, 59999, &used, &got), QL_GZIP_SMALL);
        assert_int_equal(by->inflate(bytes, block - 1, out, N, &used, &got), QL_GZIP_BAD);
        bytes[block / 2] ^= 0x55;
        assert_int_equal(by->inflate(bytes, len, out, N, &used, &got), QL_GZIP_BAD);
        bytes[block / 2] ^= 0x55;
    }
    ql_free(bytes);
    ql_free(out);
}

static void test_open_errors(void **state)
{
    ql_text *t = NULL;
    (void)state;
    assert_int_equal(ql_text_open(fx_path("none"), QL_TEXT_ALL, &t, &fx_err), QL_ENOINPUT);
    fx_assert_text(fx_err.msg, "No such file");
    assert_null(t);
    fx_text("empty", "");
    size_t got = 1;
    fx_assert_ok(read_all(fx_path("empty"), QL_TEXT_ALL, &got, &fx_err));
    assert_int_equal(got, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_text),
        cmocka_unit_test(test_behind_the_end),
        cmocka_unit_test(test_heads_that_promise_more),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_wrong_hint),
        cmocka_unit_test(test_inflaters),
        cmocka_unit_test(test_open_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
