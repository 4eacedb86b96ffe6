/* Options kept as text and set from it again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quell/option.h"

typedef struct {
    int epochs, size, patience;
    double rate;
    const char *title, *path;
    bool flag;
    ql_int_list hidden;
} args_type;

#define G .group = "Group", .help = "help"
static const ql_option rows[] = {
    {.name = "epochs", QL_INT_AT(args_type, epochs), .def = "300", .min = 0, .max = 1000, G},
    {.name = "size", QL_INT_AT(args_type, size), .min = 1, .max = 9, G},
    {.name = "patience", QL_INT_AT(args_type, patience), .def = "8", .min = 0, .max = 9, G},
    {.name = "rate", QL_DOUBLE_AT(args_type, rate), .min = 0, .max = 1, G},
    {.name = "title", QL_STRING_AT(args_type, title), .def = " a b", G},
    {.name = "path", QL_STRING_AT(args_type, path), .bits = QL_OPT_VOLATILE, G},
    {.name = "flag", QL_FLAG_AT(args_type, flag), .def = "yes", G},
    {.name = "hidden", QL_INTS_AT(args_type, hidden), .def = "3,2", .min = 1, .max = 9, G},
    {.name = NULL},
};
static const ql_opt_table tables[] = {{rows, 0}, {NULL, 0}};

static ql_opts *set_of(args_type *args)
{
    ql_opts *opts = NULL;
    assert_int_equal(ql_opts_new(tables, NULL, args, &opts, NULL), QL_OK);
    return opts;
}

static void text_sets_the_same_values(void **state)
{
    (void)state;
    args_type a, b;
    ql_opts *from = set_of(&a), *to = set_of(&b);
    ql_str text = {0};
    ql_err err = {0};
    a.epochs = 7;
    a.size = 4;
    a.patience = 0; /* not its default, all the same set */
    a.rate = 0.1 + 0.2;
    a.path = "/somewhere";
    a.flag = false;
    a.hidden = (ql_int_list){3, {9, 1, 9}};
    ql_options_text(from, &text);
    assert_string_equal(ql_str_text(&text), "epochs = 7\nsize = 4\npatience = 0\n"
                                            "rate = 0.30000000000000004\ntitle = \" a b\"\n"
                                            "flag = no\nhidden = 9,1,9\n");
    assert_int_equal(ql_opts_set_text(to, ql_str_text(&text), "here", &err), QL_OK);
    assert_int_equal(b.epochs, 7);
    assert_int_equal(b.size, 4);
    assert_int_equal(b.patience, 0);
    assert_true(b.rate == 0.1 + 0.2);
    assert_string_equal(b.title, " a b");
    assert_null(b.path);
    assert_false(b.flag);
    assert_int_equal(b.hidden.n, 3);
    ql_str_free(&text);
    ql_opts_free(from);
    ql_opts_free(to);
}

static void what_is_unset_is_not_said(void **state)
{
    (void)state;
    args_type a;
    ql_opts *opts = set_of(&a);
    ql_str text = {0};
    ql_options_text(opts, &text);
    assert_null(strstr(ql_str_text(&text), "size"));
    assert_null(strstr(ql_str_text(&text), "rate"));
    ql_str_free(&text);
    ql_opts_free(opts);
}

static void bad_text_is_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {{"epochs = 7\nmagic = 3\n", "here: line 2: unknown option 'magic'"},
                 {"epochs = 1001\n", "here: line 1: epochs"},
                 {"epochs\n", "here: line 1: this is not 'option = value'"},
                 {"{\"epochs\": ", "here: line 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        args_type a;
        ql_opts *opts = set_of(&a);
        ql_err err = {0};
        assert_int_equal(ql_opts_set_text(opts, cases[i].text, "here", &err), QL_EUSAGE);
        if (!strstr(err.msg, cases[i].said)) fail_msg("%s", err.msg);
        ql_opts_free(opts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_sets_the_same_values),
        cmocka_unit_test(what_is_unset_is_not_said),
        cmocka_unit_test(bad_text_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
