/* JSON writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/json.h"

static void values_and_nesting(void **state)
{
    (void)state;
    ql_str s = {0};
    ql_json j = {.out = &s};
    ql_json_begin_object(&j, NULL);
    ql_json_int(&j, "cells", 2700);
    ql_json_begin_object(&j, "model");
    ql_json_end_object(&j);
    ql_json_begin_array(&j, "loss");
    ql_json_double(&j, NULL, 0.5);
    ql_json_begin_object(&j, NULL);
    ql_json_bool(&j, "ok", true);
    ql_json_bool(&j, "bad", false);
    ql_json_end_object(&j);
    ql_json_int(&j, NULL, INT64_MIN);
    ql_json_end_array(&j);
    ql_json_string(&j, "name", "pbmc");
    ql_json_string(&j, "none", NULL);
    ql_json_end_object(&j);
    assert_string_equal(s.text,
                        "{\"cells\":2700,\"model\":{},\"loss\":[0.5,{\"ok\":true,\"bad\":false},"
                        "-9223372036854775808],\"name\":\"pbmc\",\"none\":null}");
    ql_str_free(&s);
}

static void check_string(const char *value, const char *expected)
{
    ql_str s = {0};
    ql_json j = {.out = &s};
    ql_json_string(&j, NULL, value);
    assert_string_equal(s.text, expected);
    ql_str_free(&s);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("", "\"\"");
    check_string("a\"b\\c", "\"a\\\"b\\\\c\"");
    check_string("\b\f\n\r\t\x01\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u007f\"");
    check_string("</script>&", "\"\\u003c/script\\u003e\\u0026\"");
    check_string("\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"");
    check_string("\xce\xb2", "\"\xce\xb2\"");
    check_string("\xe9"
                 "a",
                 "\"\xef\xbf\xbd"
                 "a\""); /* not UTF-8 */
}

static void check_double(double value, const char *expected)
{
    ql_str s = {0};
    ql_json j = {.out = &s};
    ql_json_double(&j, NULL, value);
    if (expected)
        assert_string_equal(s.text, expected);
    else
        assert_true(strtod(s.text, NULL) == value);
    ql_str_free(&s);
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    check_double(0.1, "0.1");
    check_double(3, "3");
    check_double(-0.0, "-0");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double((double)NAN, "null");
    check_double((double)INFINITY, "null");
    check_double(-(double)INFINITY, "null");
    const double exact[] = {1.0 / 3, DBL_MAX, DBL_MIN,     DBL_TRUE_MIN,
                            1e22,    1e23,    DBL_EPSILON, 2.5e-7};
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) check_double(exact[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_nesting),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(doubles_are_short_and_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
