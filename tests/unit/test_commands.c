/* Every registered command: its row and tables are sound, and every form of help can be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/app/commands.c"

static void rows_are_sound(void **state)
{
    ql_str out = {0};
    (void)state;
    for (const ql_command *const *c = ql_commands; *c; c++) ql_command_selfcheck(*c, &out);
    assert_string_equal(ql_str_text(&out), "");
    ql_str_free(&out);
}

static void names_are_unique(void **state)
{
    (void)state;
    for (const ql_command *const *c = ql_commands; *c; c++)
        assert_ptr_equal(ql_command_find(ql_commands, (*c)->name), *c);
    assert_null(ql_command_find(ql_commands, "nothing"));
}

/* Column of the widest line. */
static size_t width(const char *text)
{
    size_t widest = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n > widest) widest = n;
        text += n + (text[n] == '\n');
    }
    return widest;
}

static void every_help(void **state)
{
    (void)state;
    for (const ql_help_format *const *f = ql_help_formats; *f; f++)
        for (const ql_command *const *c = ql_commands;; c++) {
            ql_str out = {0};
            ql_err err = {0};
            assert_int_equal(ql_help(ql_commands, *c, (*f)->name, true, &out, &err), QL_OK);
            assert_true(out.len > 0);
            if (strcmp((*f)->name, "text") == 0) assert_true(width(out.text) <= 80);
            ql_str_free(&out);
            if (!*c) break;
        }
}

static void unknown_format(void **state)
{
    ql_str out = {0};
    ql_err err = {0};
    (void)state;
    assert_int_equal(ql_help(ql_commands, NULL, "html", false, &out, &err), QL_EUSAGE);
    ql_str_free(&out);
}

/* A shown option must be in every reference. */
static void no_option_is_left_out(void **state)
{
    static const char *const formats[] = {"text", "markdown", "bash"};
    (void)state;
    for (const ql_command *const *c = ql_commands; *c; c++) {
        ql_opts *opts;
        ql_err err = {0};
        assert_int_equal(ql_command_opts(*c, NULL, &opts, &err), QL_OK);
        for (size_t k = 0; k < 3; k++) {
            ql_str out = {0};
            assert_int_equal(ql_help(ql_commands, *c, formats[k], true, &out, &err), QL_OK);
            for (int i = 0; i < ql_opts_n(opts); i++) {
                const ql_option *row = ql_opts_row(opts, i);
                if (row->level == QL_OPT_HIDDEN) continue;
                if (!strstr(out.text, row->name)) fail_msg("%s: no --%s", formats[k], row->name);
            }
            ql_str_free(&out);
        }
        ql_opts_free(opts);
    }
}

/* Wrapped text uses the 80 columns and no more, wherever its words end. */
static void help_is_wrapped(void **state)
{
    size_t widest = 0;
    (void)state;
    for (int pad = 1; pad < 20; pad++) {
        char text[400];
        int n = snprintf(text, sizeof text, "%.*s", pad, "xxxxxxxxxxxxxxxxxxxx");
        for (int i = 0; i < 40; i++) n += snprintf(text + n, sizeof text - (size_t)n, " word%d", i);
        const ql_positional words[] = {{"INPUT", text}, {NULL, NULL}};
        ql_command command = *ql_commands[0];
        ql_str out = {0};
        ql_err err = {0};
        command.positionals = words;
        assert_int_equal(ql_help(ql_commands, &command, "text", false, &out, &err), QL_OK);
        if (width(out.text) > widest) widest = width(out.text);
        ql_str_free(&out);
    }
    assert_int_equal(widest, 80);
}

static void quoting(void **state)
{
    static char a[] = "quell", b[] = "it's", c[] = "", d[] = "a b", e[] = "-o=x,y";
    char *argv[] = {a, b, c, d, e};
    ql_str out = {0};
    (void)state;
    ql_command_line(5, argv, &out);
    assert_string_equal(out.text, "quell 'it'\\''s' '' 'a b' -o=x,y");
    ql_str_free(&out);
}

static ql_status no_run(const void *args, ql_run *run)
{
    (void)args, (void)run;
    return QL_OK;
}

static void bad_rows_are_found(void **state)
{
    static const ql_positional words[] = {{"[A]", "a"}, {"B...", NULL}, {"C", "c"}, {NULL, NULL}};
    static const ql_command bad = {
        .name = "bad", .positionals = words, .examples = {{"x", "y"}}, .run = no_run};
    ql_str out = {0};
    (void)state;
    ql_command_selfcheck(&bad, &out);
    assert_non_null(strstr(out.text, "no group"));
    assert_non_null(strstr(out.text, "no QL_ARGS"));
    assert_non_null(strstr(out.text, "fewer than two worked examples"));
    assert_non_null(strstr(out.text, "an example begins with"));
    assert_non_null(strstr(out.text, "only the last positional may repeat"));
    assert_non_null(strstr(out.text, "an optional positional before a required one"));
    assert_non_null(strstr(out.text, "a positional without help"));
    ql_str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(every_help),
        cmocka_unit_test(unknown_format),
        cmocka_unit_test(no_option_is_left_out),
        cmocka_unit_test(help_is_wrapped),
        cmocka_unit_test(quoting),
        cmocka_unit_test(bad_rows_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
