/* Status codes and error records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quell/status.h"

static void exit_codes_follow_the_table(void **state)
{
    (void)state;
    assert_int_equal(ql_status_exit_code(QL_OK), 0);
    assert_int_equal(ql_status_exit_code(QL_EUSAGE), 64);
    assert_int_equal(ql_status_exit_code(QL_EMISMATCH), 78);
    assert_int_equal(ql_status_exit_code(QL_EINT), 130);
    assert_int_equal(ql_status_exit_code(QL_EMEMORY), 137);
    assert_int_equal(ql_status_exit_code(QL_ETERM), 143);
    assert_string_equal(ql_status_text(QL_EDIVERGED), "training diverged");
    assert_int_equal(ql_status_exit_code((ql_status)999), 70);
}

static void fail_hint_context_build_the_record(void **state)
{
    (void)state;
    ql_err err;
    assert_int_equal(ql_fail(&err, QL_EDATA, "value %d at %s", -7, "cell 3"), QL_EDATA);
    assert_string_equal(err.msg, "value -7 at cell 3");
    assert_string_equal(err.hint, "");
    assert_int_equal(ql_hint(&err, QL_EDATA, "try %s", "quell info"), QL_EDATA);
    assert_int_equal(ql_context(&err, QL_EDATA, "/X/%s", "data"), QL_EDATA);
    assert_int_equal(ql_context(&err, QL_EDATA, "%s", "pbmc.h5ad"), QL_EDATA);
    assert_string_equal(err.msg, "pbmc.h5ad: /X/data: value -7 at cell 3");
    assert_string_equal(err.hint, "try quell info");
    assert_int_equal(err.code, QL_EDATA);
    assert_int_equal(ql_context(&err, QL_EINTERNAL, "a bug"), QL_EINTERNAL);
    assert_int_equal(err.code, QL_EINTERNAL);

    ql_fail(&err, QL_EIO, "again: %s", err.msg);
    assert_string_equal(err.msg, "again: a bug: pbmc.h5ad: /X/data: value -7 at cell 3");
    assert_string_equal(err.hint, "");
}

static void no_record_is_fine(void **state)
{
    (void)state;
    assert_int_equal(ql_fail(NULL, QL_EIO, "lost"), QL_EIO);
    assert_int_equal(ql_hint(NULL, QL_EMEMORY, "lost"), QL_EMEMORY);
    assert_int_equal(ql_context(NULL, QL_EMEMORY, "lost"), QL_EMEMORY);
}

/* 3 bytes a character, so that cuts fall inside one. */
static void fill(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) text[i] = "\xe2\x82\xac"[i % 3];
    text[n] = '\0';
}

static void overlong_text_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[3001];
    ql_err err;
    for (size_t pad = 0; pad < 3; pad++) {
        fill(text, 3000);
        ql_fail(&err, QL_EDATA, "%.*s%s", (int)pad, "ab", text);
        size_t n = strlen(err.msg);
        assert_true(n < sizeof err.msg && n > sizeof err.msg - 8);
        assert_string_equal(err.msg + n - 3, "...");
        assert_int_equal((n - 3 - pad) % 3, 0);
    }
    ql_hint(&err, QL_EDATA, "%s", text);
    assert_true(strlen(err.hint) < sizeof err.hint);
    ql_context(&err, QL_EDATA, "%s", text);
    assert_true(strlen(err.msg) < sizeof err.msg);
    ql_fail(&err, QL_EDATA, "short");
    fill(text, 1022);
    ql_context(&err, QL_EDATA, "%s", text);
    assert_string_equal(err.msg + strlen(err.msg) - 3, "...");
}

static ql_status forward(ql_status status)
{
    QL_TRY(status);
    return QL_EINTERNAL;
}

static ql_status jump(ql_status status, int *cleaned)
{
    ql_status st;
    QL_GO(status);
    st = QL_EINTERNAL;
out:
    ++*cleaned;
    return st;
}

static void macros_forward_failures(void **state)
{
    (void)state;
    int cleaned = 0;
    assert_int_equal(forward(QL_EIO), QL_EIO);
    assert_int_equal(forward(QL_OK), QL_EINTERNAL);
    assert_int_equal(jump(QL_EIO, &cleaned), QL_EIO);
    assert_int_equal(jump(QL_OK, &cleaned), QL_EINTERNAL);
    assert_int_equal(cleaned, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_follow_the_table),
        cmocka_unit_test(fail_hint_context_build_the_record),
        cmocka_unit_test(no_record_is_fine),
        cmocka_unit_test(overlong_text_is_cut_at_a_character),
        cmocka_unit_test(macros_forward_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
