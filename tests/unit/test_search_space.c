/* Search spaces: what is read, drawn and refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cmd/fit/search_space.h"

typedef struct {
    ql_int_list hidden;
    double rate;
    ql_double_list dropout;
    int epochs;
    bool norm;
} args;

#define S args
static const ql_option rows[] = {
    {.name = "hidden", QL_INTS_AT(S, hidden), .min = 1, .max = 4096},
    {.name = "rate", QL_DOUBLE_AT(S, rate), .min = 0, .max = 10, .bits = QL_OPT_MIN_EXCLUDED},
    {.name = "dropout", QL_DOUBLES_AT(S, dropout), .min = 0, .max = 1},
    {.name = "epochs", QL_INT_AT(S, epochs), .min = 1, .max = 1000},
    {.name = "norm", QL_FLAG_AT(S, norm)},
    {.name = NULL},
};
#undef S

static const ql_option *const tables[] = {rows, NULL};

static double number_of(const char *settings, const char *name)
{
    const char *at = strstr(settings, name);
    assert_non_null(at);
    return strtod(at + strlen(name) + 1, NULL);
}

/* Ranges are kept to and filled: evenly, or on a logarithmic scale where they are wide. */
static void draws_lie_in_the_space(void **state)
{
    (void)state;
    enum { N = 2000 };
    search_space s;
    ql_err err = {0};
    int below = 0, low = 0, small = 0, yes = 0;
    assert_int_equal(
        search_parse("rate=0.001..0.1 dropout=0.2..0.6\nhidden=64,16|32  epochs=10..20;"
                     "norm=yes|no",
                     tables, &s, &err),
        QL_OK);
    for (uint64_t i = 0; i < N; i++) {
        ql_str text = {0}, again = {0};
        search_draw(&s, 4, i, &text);
        search_draw(&s, 4, i, &again);
        const char *t = ql_str_text(&text);
        assert_string_equal(t, ql_str_text(&again));
        double rate = number_of(t, "rate"), dropout = number_of(t, "dropout");
        double epochs = number_of(t, "epochs");
        assert_true(rate >= 0.001 && rate <= 0.1 && dropout >= 0.2 && dropout <= 0.6);
        assert_true(epochs >= 10 && epochs <= 20 && epochs == floor(epochs));
        below += rate < 0.01;
        low += dropout < 0.4;
        small += strstr(t, "hidden=32") != NULL;
        yes += strstr(t, "norm=yes") != NULL;
        ql_str_free(&text);
        ql_str_free(&again);
    }
    const int counts[] = {below, low, small, yes};
    for (int i = 0; i < 4; i++) assert_in_range(counts[i], N / 2 - 150, N / 2 + 150);
    search_free(&s);
}

static ql_status set_row(void *ctx, const ql_option *row, const char *value, ql_err *err)
{
    return ql_opt_set(row, value, (char *)ctx + row->offset, err);
}

static void settings_reach_their_options(void **state)
{
    (void)state;
    search_space s;
    args a = {0};
    ql_err err = {0};
    assert_int_equal(search_parse("hidden=64,16 rate=0.5 norm=yes", tables, &s, &err), QL_OK);
    ql_str text = {0};
    search_draw(&s, 1, 0, &text);
    assert_string_equal(ql_str_text(&text), "hidden=64,16 rate=0.5 norm=yes");
    assert_int_equal(search_each(&s, ql_str_text(&text), set_row, &a, &err), QL_OK);
    assert_int_equal(a.hidden.n, 2);
    assert_int_equal(a.hidden.v[1], 16);
    assert_true(a.rate == 0.5 && a.norm);
    ql_str_free(&text);
    search_free(&s);
}

static void wrong_spaces_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "nothing to search"},
        {"hidden", "is not NAME=VALUES"},
        {"hiden=3", "is called 'hiden'"},
        {"hidden=", "no value"},
        {"hidden=64|x", "--search hidden"},
        {"hidden=8..64", "takes no range"},
        {"rate=0..1", "--search rate"},
        {"rate=0.5..0.1", "is not below"},
        {"dropout=0.1..2", "--search dropout"},
        {"rate=0.1 rate=0.2", "is given twice"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        search_space s;
        ql_err err = {0};
        assert_int_equal(search_parse(wrong[i].text, tables, &s, &err), QL_EUSAGE);
        assert_non_null(strstr(err.msg, wrong[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_lie_in_the_space),
        cmocka_unit_test(settings_reach_their_options),
        cmocka_unit_test(wrong_spaces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
