/* Option tables: values, spellings, sources, texts made from rows, and the self-check. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quell/option.h"
#include "scratch_file.h"

typedef struct {
    int epochs;
    int64_t seed, memory;
    double rate, dropout;
    bool batchnorm, quiet;
    const char *output, *type, *config;
    ql_int_list hidden;
    ql_double_list weights;
    bool help;
} args_type;

static const char *const type_names[] = {"nb", "zinb", "poisson", NULL};

static const ql_option rows[] = {
    {.name = "epochs",
     .letter = 'e',
     QL_INT_AT(args_type, epochs),
     .def = "300",
     .min = 1,
     .max = 1000,
     .group = "Training",
     .help = "number of epochs"},
    {.name = "rate",
     .letter = 'r',
     QL_DOUBLE_AT(args_type, rate),
     .unset = "by model",
     .min = 0,
     .max = INFINITY,
     .bits = QL_OPT_MIN_EXCLUDED,
     .aliases = "learningrate",
     .group = "Training",
     .help = "learning rate"},
    {.name = "type",
     QL_CHOICE_AT(args_type, type),
     .def = "nb",
     .choices = type_names,
     .group = "Model",
     .help = "likelihood"},
    {.name = "batchnorm",
     QL_FLAG_AT(args_type, batchnorm),
     .def = "yes",
     .aliases = "bn,!nobatchnorm",
     .group = "Model",
     .help = "batch normalisation"},
    {.name = "hidden",
     .letter = 's',
     QL_INTS_AT(args_type, hidden),
     .def = "64,32,64",
     .min = 1,
     .max = 4096,
     .aliases = "hiddensize,h-size",
     .group = "Model",
     .help = "hidden sizes"},
    {.name = "weights",
     QL_DOUBLES_AT(args_type, weights),
     .unset = "equal",
     .group = "Model",
     .help = "weights",
     .level = QL_OPT_EXPERT},
    {.name = "dropout",
     QL_DOUBLE_AT(args_type, dropout),
     .def = "0.1",
     .min = 0,
     .max = 1,
     .bits = QL_OPT_MAX_EXCLUDED,
     .group = "Training",
     .help = "dropout"},
    {.name = NULL},
};

static const ql_option run_rows[] = {
    {.name = "seed",
     QL_INT64_AT(args_type, seed),
     .def = "0",
     .min = 0,
     .max = INFINITY,
     .group = "Run",
     .help = "seed"},
    {.name = "memory",
     QL_BYTES_AT(args_type, memory),
     .unset = "all",
     .min = 1024,
     .max = 1e15,
     .group = "Run",
     .bits = QL_OPT_VOLATILE,
     .help = "memory"},
    {.name = "output",
     .letter = 'o',
     QL_STRING_AT(args_type, output),
     .unit = "FILE",
     .group = "Run",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED,
     .help = "output"},
    {.name = "quiet",
     .letter = 'q',
     QL_FLAG_AT(args_type, quiet),
     .group = "Run",
     .bits = QL_OPT_VOLATILE,
     .help = "quiet"},
    {.name = "config",
     QL_STRING_AT(args_type, config),
     .unit = "FILE",
     .group = "Run",
     .bits = QL_OPT_META,
     .help = "config"},
    {.name = "help",
     .letter = 'h',
     QL_FLAG_AT(args_type, help),
     .group = "Run",
     .bits = QL_OPT_META,
     .help = "help"},
    {.name = NULL},
};

static const ql_opt_table tables[] = {{rows, 0}, {run_rows, 0}, {NULL, 0}};

static const char *const dca_settings[] = {"epochs=200", "dropout=0", "batchnorm=no", NULL};
static const char *const fast_settings[] = {"epochs=10", NULL};
static const ql_preset presets[] = {{"dca", "as DCA", dca_settings, NULL},
                                    {"fast", "quick look", fast_settings, NULL},
                                    {NULL, NULL, NULL, NULL}};

/* ---- helpers ---- */

static args_type args;
static ql_opts *opts;
static ql_err err;

static char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static ql_status parse_env(char *(*env)(const char *), int n, const char *const *words)
{
    char *argv[32];
    for (int i = 0; i < n; i++) argv[i] = (char *)(uintptr_t)words[i];
    ql_opts_free(opts);
    opts = NULL;
    err = (ql_err){0};
    assert_int_equal(ql_opts_new(tables, presets, &args, &opts, &err), QL_OK);
    return ql_opts_parse(opts, n, argv, env, &err);
}

#define PARSE(...)                                                                                 \
    parse_env(no_env, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),               \
              (const char *[]){__VA_ARGS__})

static int tear_down(void **state)
{
    (void)state;
    ql_opts_free(opts);
    opts = NULL;
    return 0;
}

static void write_file(char path[SCRATCH_PATH], const char *text)
{
    scratch_file(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Parse with --config over a file that holds text. */
static ql_status parse_config(const char *text)
{
    char path[SCRATCH_PATH];
    write_file(path, text);
    ql_status st = PARSE("--config", path);
    unlink(path);
    return st;
}

/* ---- values ---- */

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(parse_env(NULL, 0, NULL), QL_OK);
    assert_int_equal(args.epochs, 300);
    assert_true(isnan(args.rate));
    assert_string_equal(args.type, "nb");
    assert_ptr_equal(args.type, type_names[0]);
    assert_true(args.batchnorm);
    assert_false(args.quiet);
    assert_int_equal(args.hidden.n, 3);
    assert_int_equal(args.hidden.v[1], 32);
    assert_int_equal(args.weights.n, 0);
    assert_int_equal(args.memory, 0);
    assert_null(args.output);
    assert_false(ql_opts_was_set(opts, "epochs"));
}

static const ql_option *row_named(const char *name)
{
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (strcmp(ql_opts_row(opts, i)->name, name) == 0) return ql_opts_row(opts, i);
    fail_msg("no row %s", name);
    return NULL;
}

static void good_values(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--epochs=7", "--rate", "1e-3", "--type", "zinb", "--hidden", "16",
                           "--weights=0.5,-1,2e3", "--memory", "1.5G", "--seed",
                           "9223372036854775807"),
                     QL_OK);
    assert_int_equal(args.epochs, 7);
    assert_true(args.rate == 1e-3);
    assert_string_equal(args.type, "zinb");
    assert_int_equal(args.hidden.n, 1);
    assert_int_equal(args.hidden.v[0], 16);
    assert_int_equal(args.weights.n, 3);
    assert_true(args.weights.v[1] == -1 && args.weights.v[2] == 2000);
    assert_int_equal(args.memory, 3LL << 29);
    assert_true(args.seed == INT64_MAX);
    assert_int_equal(PARSE("--epochs=1", "--dropout=0", "--hidden", "1,4096"), QL_OK);
    assert_int_equal(PARSE("--epochs=1000", "--dropout=0.999"), QL_OK);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"2048", 2048},      {"5K", 5120},          {"5k", 5120},
                {"5KB", 5120},       {"5KiB", 5120},        {"800M", 800LL << 20},
                {"24G", 24LL << 30}, {"24gib", 24LL << 30}, {"1T", 1LL << 40},
                {"4096B", 4096}};
    static const char *const bad[] = {"",    "G",    "12Q",    "1.2.3G", "-5G",
                                      "5 G", "0x10", "1e300G", "5Kx",    "99999999999999999999T"};
    (void)state;
    parse_env(NULL, 0, NULL);
    const ql_option *row = row_named("memory");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t v = 0;
        assert_int_equal(ql_opt_set(row, good[i].text, &v, &err), QL_OK);
        assert_int_equal(v, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t v = 77;
        assert_int_equal(ql_opt_set(row, bad[i], &v, &err), QL_EUSAGE);
        assert_int_equal(v, 77);
    }
}

/* Numbers that the type does not hold, where the row itself sets no bound. */
static void values_beyond_the_type(void **state)
{
    static const ql_option whole = {
        .name = "n", QL_INT_AT(args_type, epochs), .min = -INFINITY, .max = INFINITY};
    static const ql_option size = {
        .name = "m", QL_BYTES_AT(args_type, memory), .min = 0, .max = INFINITY};
    int n = 0;
    int64_t m = 0;
    (void)state;
    assert_int_equal(ql_opt_set(&whole, "2147483647", &n, &err), QL_OK);
    assert_int_equal(n, INT32_MAX);
    assert_int_equal(ql_opt_set(&whole, "2147483648", &n, &err), QL_EUSAGE);
    assert_string_equal(err.msg, "'2147483648' is too large");
    assert_int_equal(ql_opt_set(&whole, "-2147483649", &n, &err), QL_EUSAGE);
    assert_int_equal(n, INT32_MAX);
    assert_int_equal(ql_opt_set(&size, "4194303T", &m, &err), QL_OK);
    assert_true(m == (int64_t)4194303 << 40);
    assert_int_equal(ql_opt_set(&size, "4194304T", &m, &err), QL_EUSAGE);
    assert_string_equal(err.msg, "'4194304T' is too large");
}

static void bad_values(void **state)
{
    static const struct {
        const char *option, *value, *message;
    } bad[] = {
        {"--epochs", "abc", "--epochs: 'abc' is not a whole number"},
        {"--epochs", "", "--epochs: '' is not a whole number"},
        {"--epochs", "5x", "--epochs: '5x' is not a whole number"},
        {"--epochs", "2.5", "--epochs: '2.5' is not a whole number"},
        {"--epochs", " 5", "--epochs: ' 5' is not a whole number"},
        {"--epochs", "0", "--epochs: '0' is out of range: it must be at least 1 and at most 1000"},
        {"--epochs", "99999999999999999999", "--epochs: '99999999999999999999' is too large"},
        {"--epochs", "auto", "--epochs: 'auto' is not a whole number"},
        {"--rate", "0", "--rate: '0' is out of range: it must be above 0"},
        {"--rate", "nan", "--rate: 'nan' is not a number"},
        {"--rate", "inf", "--rate: 'inf' is not a number"},
        {"--rate", "0x1p3", "--rate: '0x1p3' is not a number"},
        {"--rate", "1e999", "--rate: '1e999' is too large"},
        {"--dropout", "1", "--dropout: '1' is out of range: it must be at least 0 and below 1"},
        {"--seed", "-1", "--seed: '-1' is out of range: it must be at least 0"},
        {"--type", "nbb", "--type: 'nbb' is none of: nb, zinb, poisson"},
        {"--hidden", "64,,32", "--hidden: '' is not a whole number"},
        {"--hidden", "64,", "--hidden: '' is not a whole number"},
        {"--hidden", "0", "--hidden: '0' is out of range: it must be at least 1 and at most 4096"},
        {"--hidden", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
         "--hidden: '1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1' has more than 16 items"},
        {"--batchnorm=maybe", "x", "--batchnorm: 'maybe' is neither yes nor no"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(PARSE(bad[i].option, bad[i].value), QL_EUSAGE);
        assert_string_equal(err.msg, bad[i].message);
    }
    PARSE("--type", "nbb");
    assert_string_equal(err.hint, "did you mean 'nb'?");
}

static void unset_by_word(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--rate", "0.1", "--rate", "auto", "--weights", "1", "--weights", "auto",
                           "--memory", "auto", "--hidden", "none", "--output", "auto"),
                     QL_OK);
    assert_true(isnan(args.rate));
    assert_int_equal(args.weights.n, 0);
    assert_int_equal(args.hidden.n, 0);
    assert_string_equal(args.output, "auto"); /* a file may be called so */
}

/* ---- spellings ---- */

static void flags(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--no-batchnorm", "-q"), QL_OK);
    assert_false(args.batchnorm);
    assert_true(args.quiet);
    assert_int_equal(PARSE("--nobatchnorm"), QL_OK);
    assert_false(args.batchnorm);
    assert_int_equal(PARSE("--no-batchnorm", "--bn"), QL_OK);
    assert_true(args.batchnorm);
    assert_int_equal(PARSE("--batchnorm=off", "--quiet=1"), QL_OK);
    assert_false(args.batchnorm);
    assert_true(args.quiet);
    assert_int_equal(PARSE("--no-batchnorm=yes"), QL_EUSAGE);
    assert_int_equal(PARSE("--no-epochs"), QL_EUSAGE);
}

static void letters_and_words(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("in.h5", "-e5", "-qoout.h5", "-r=0.5", "-", "-s", "8,8", "--", "-x", "--y"), QL_OK);
    assert_int_equal(args.epochs, 5);
    assert_true(args.quiet);
    assert_string_equal(args.output, "out.h5");
    assert_true(args.rate == 0.5);
    assert_int_equal(args.hidden.n, 2);
    assert_int_equal(ql_opts_n_positionals(opts), 4);
    assert_string_equal(ql_opts_positional(opts, 0), "in.h5");
    assert_string_equal(ql_opts_positional(opts, 1), "-");
    assert_string_equal(ql_opts_positional(opts, 2), "-x");
    assert_string_equal(ql_opts_positional(opts, 3), "--y");
}

static void aliases(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--hiddensize", "4", "--learningrate=2"), QL_OK);
    assert_int_equal(args.hidden.v[0], 4);
    assert_true(args.rate == 2);
    assert_int_equal(PARSE("--h-size=5"), QL_OK);
    assert_int_equal(args.hidden.v[0], 5);
    assert_int_equal(ql_opts_source(opts, "hidden"), QL_SRC_CLI);
}

static void suggestions(void **state)
{
    static const struct {
        const char *word, *hint;
    } cases[] = {{"--epoch", "did you mean '--epochs'?"},
                 {"--ephocs", "did you mean '--epochs'?"},
                 {"--hidde", "did you mean '--hidden'?"},
                 {"--drop", "did you mean '--dropout'?"},
                 {"--no-bathnorm", "did you mean '--no-batchnorm'?"},
                 {"--completely-different", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(PARSE(cases[i].word), QL_EUSAGE);
        assert_string_equal(err.hint, cases[i].hint);
    }
    assert_int_equal(PARSE("--epochs"), QL_EUSAGE);
    assert_string_equal(err.msg, "--epochs needs a value (N)");
    assert_int_equal(PARSE("-z"), QL_EUSAGE);
}

static void help_wins(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--bogus", "--help"), QL_OK);
    assert_true(ql_opts_help_wanted(opts));
    assert_int_equal(PARSE("-h"), QL_OK);
    assert_true(ql_opts_help_wanted(opts));
    assert_int_equal(PARSE("--", "--help"), QL_OK);
    assert_false(ql_opts_help_wanted(opts));
}

static void required(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-q"), QL_OK);
    assert_int_equal(ql_opts_check_required(opts, &err), QL_EUSAGE);
    assert_string_equal(err.msg, "--output is missing");
    assert_int_equal(PARSE("-o", "x"), QL_OK);
    assert_int_equal(ql_opts_check_required(opts, &err), QL_OK);
}

/* ---- sources ---- */

static char *some_env(const char *name)
{
    static char epochs[] = "40", rate[] = "0.25", empty[] = "", quiet[] = "0", help[] = "1";
    if (strcmp(name, "QUELL_EPOCHS") == 0) return epochs;
    if (strcmp(name, "QUELL_RATE") == 0) return rate;
    if (strcmp(name, "QUELL_TYPE") == 0) return empty;
    if (strcmp(name, "QUELL_QUIET") == 0) return quiet;
    if (strcmp(name, "QUELL_HELP") == 0) return help;
    return NULL;
}

static void precedence(void **state)
{
    char path[SCRATCH_PATH];
    (void)state;
    write_file(path, "like = dca\nepochs = 50\nrate = 0.5\ndropout = 0.3\ntype = poisson\n");
    const char *words[] = {"--config", path, "--rate", "2"};
    assert_int_equal(parse_env(some_env, 4, words), QL_OK);
    unlink(path);
    assert_true(args.rate == 2);               /* command line over environment */
    assert_int_equal(args.epochs, 40);         /* environment over config */
    assert_true(args.dropout == 0.3);          /* config over preset */
    assert_false(args.batchnorm);              /* preset over default */
    assert_string_equal(args.type, "poisson"); /* an empty variable is none */
    assert_false(args.help);                   /* --help is for the command line only */
    assert_int_equal(ql_opts_source(opts, "rate"), QL_SRC_CLI);
    assert_int_equal(ql_opts_source(opts, "epochs"), QL_SRC_ENV);
    assert_int_equal(ql_opts_source(opts, "dropout"), QL_SRC_CONFIG);
    assert_int_equal(ql_opts_source(opts, "batchnorm"), QL_SRC_PRESET);
    assert_int_equal(ql_opts_source(opts, "hidden"), QL_SRC_DEFAULT);
}

static void preset_on_command_line(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--epochs", "3", "--like", "dca"), QL_OK);
    assert_int_equal(args.epochs, 3); /* the order of words does not matter */
    assert_true(args.dropout == 0);
    assert_int_equal(PARSE("--like", "dac"), QL_EUSAGE);
    assert_string_equal(err.msg, "--like: 'dac' is none of: dca, fast");
}

static char *bad_env(const char *name)
{
    static char text[] = "many";
    return strcmp(name, "QUELL_EPOCHS") == 0 ? text : NULL;
}

static void bad_environment(void **state)
{
    (void)state;
    assert_int_equal(parse_env(bad_env, 0, NULL), QL_EUSAGE);
    assert_string_equal(err.msg, "QUELL_EPOCHS: 'many' is not a whole number");
}

static void config_lines(void **state)
{
    (void)state;
    assert_int_equal(parse_config("\xEF\xBB\xBF# comment\r\n\n  epochs=8  \r\n hidden = 5,6\n"
                                  "output = \" a \\u00e9\\t\\\"b\\\"\"\nbatchnorm = no"),
                     QL_OK);
    assert_int_equal(args.epochs, 8);
    assert_int_equal(args.hidden.n, 2);
    assert_false(args.batchnorm);
    assert_string_equal(args.output, " a \xC3\xA9\t\"b\"");
}

static void config_json(void **state)
{
    (void)state;
    assert_int_equal(parse_config(" {\"epochs\": 8, \"hidden\":[5, 6],\n \"batchnorm\": false,"
                                  "\"rate\": null, \"weights\": [], \"type\":\"zinb\","
                                  "\"dropout\": 2.5e-1, \"output\": \"\\ud83d\\ude00 null\"}\n"),
                     QL_OK);
    assert_int_equal(args.epochs, 8);
    assert_int_equal(args.hidden.v[1], 6);
    assert_false(args.batchnorm);
    assert_true(isnan(args.rate));
    assert_string_equal(args.type, "zinb");
    assert_true(args.dropout == 0.25);
    assert_string_equal(args.output, "\xF0\x9F\x98\x80 null");
    assert_int_equal(parse_config("{}"), QL_OK);
}

static void bad_config(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"epochs 5", "line 1: this is not 'option = value'"},
        {"\nepoch = 5", "line 2: unknown option 'epoch'"},
        {"epochs = x", "line 1: epochs: 'x' is not a whole number"},
        {"config = x", "line 1: 'config' has no place in a config file"},
        {"no-batchnorm = yes", "line 1: 'no-batchnorm' has no place in a config file"},
        {"output = \"x", "line 1: a string is not closed"},
        {"output = \"x\" y", "line 1: there is text after the closing quote"},
        {"{\"epochs\" 5}", "line 1: ':' must follow an option name"},
        {"{\"epochs\": {}}",
         "line 1: a string, number, true, false, null or a list of these must follow"},
        {"{\"epochs\": 5", "line 1: ',' or '}' must follow a value"},
        {"{\"epochs\":\n\n x}", "line 3: epochs: 'x' is not a whole number"},
        {"{\"hidden\": [1, 2}", "line 1: a list is not closed"},
        {"{\"hidden\": [[1]]}",
         "line 1: a string, number, true, false, null or a list of these must follow"},
        {"{\"output\": \"\\u00\"}", "line 1: a string holds an escape that is no JSON"},
        {"{\"output\": \"\\ud83d\"}", "line 1: a string holds an escape that is no JSON"},
        {"{\"output\": \"\\", "line 1: a string holds an escape that is no JSON"},
        {"{\"output\": \"\\u0000\"}", "line 1: a string holds an escape that is no JSON"},
        {"{} x", "line 1: there is text after the closing '}'"},
        {"{", "line 1: an option name in quotes must follow"},
        {"{\"epochs\": 5,}", "line 1: an option name in quotes must follow"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse_config(bad[i].text) != QL_EUSAGE) fail_msg("accepted: %s", bad[i].text);
        const char *at = strstr(err.msg, ": line");
        assert_non_null(at);
        assert_string_equal(at + 2, bad[i].message);
    }
    assert_int_equal(PARSE("--config", "/nonexistent/x"), QL_ENOINPUT);
    assert_string_equal(err.msg, "/nonexistent/x: No such file or directory");
}

/* ---- texts ---- */

static void print_config_reads_back(void **state)
{
    ql_str first = {0}, second = {0};
    char path[SCRATCH_PATH];
    (void)state;
    assert_int_equal(PARSE("--like", "fast", "-e9", "--rate", "0.1", "-o", " x\ny ", "--weights",
                           "0.1,1e-20", "--no-batchnorm", "--memory", "3G", "--hidden", "none"),
                     QL_OK);
    ql_options_config(opts, &first);
    assert_non_null(strstr(first.text, "\nepochs = 9\n"));
    assert_non_null(strstr(first.text, "\nmemory = 3G\n"));
    assert_non_null(strstr(first.text, "\noutput = \" x\\ny \"\n"));
    assert_null(strstr(first.text, "config ="));
    write_file(path, first.text);
    assert_int_equal(PARSE("--config", path), QL_OK);
    unlink(path);
    ql_options_config(opts, &second);
    assert_string_equal(first.text, second.text);
    ql_str_free(&first);
    ql_str_free(&second);
}

/* Spaces of every kind at the ends, quotes, and bytes that are no UTF-8. */
static void print_config_keeps_every_byte(void **state)
{
    static const char *const outputs[] = {"\v x", "x\f", " \xE9 ", "\"a\\b\"", "a\r\n\xFF\"", "#"};
    (void)state;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        ql_str text = {0};
        assert_int_equal(PARSE("--output", outputs[i]), QL_OK);
        ql_options_config(opts, &text);
        assert_int_equal(parse_config(text.text), QL_OK);
        assert_string_equal(args.output, outputs[i]);
        ql_str_free(&text);
    }
}

static void json_text(void **state)
{
    ql_str out = {0};
    (void)state;
    assert_int_equal(PARSE("-e9", "-o", "x", "--hidden", "3,4", "--memory", "1G", "-q"), QL_OK);
    ql_options_json(opts, false, &out);
    assert_string_equal(out.text,
                        "{\"like\":null,\"epochs\":9,\"rate\":null,\"dropout\":0.1,\"type\":\"nb\","
                        "\"batchnorm\":true,\"hidden\":[3,4],\"weights\":null,\"seed\":0}");
    ql_str_clear(&out);
    ql_options_json(opts, true, &out);
    assert_non_null(strstr(out.text, "\"memory\":1073741824,\"output\":\"x\",\"quiet\":true}"));
    ql_str_free(&out);
}

static void json_reads_back(void **state)
{
    ql_str first = {0}, second = {0};
    (void)state;
    assert_int_equal(PARSE("--rate", "0.3", "--weights", "1,2", "--seed", "5", "--type", "zinb"),
                     QL_OK);
    ql_options_json(opts, true, &first);
    assert_int_equal(parse_config(first.text), QL_OK);
    ql_options_json(opts, true, &second);
    assert_string_equal(first.text, second.text);
    ql_str_free(&first);
    ql_str_free(&second);
}

static void rows_come_by_group(void **state)
{
    static const char *const order[] = {"like",      "epochs", "rate",    "dropout", "type",
                                        "batchnorm", "hidden", "weights", "seed",    "memory",
                                        "output",    "quiet",  "config",  "help"};
    (void)state;
    parse_env(NULL, 0, NULL);
    assert_int_equal(ql_opts_n(opts), (int)(sizeof order / sizeof *order));
    for (int i = 0; i < ql_opts_n(opts); i++)
        assert_string_equal(ql_opts_row(opts, i)->name, order[i]);
}

/* ---- self-check ---- */

static void good_tables_pass(void **state)
{
    ql_str out = {0};
    (void)state;
    int n = ql_options_selfcheck(tables, presets, &out);
    assert_string_equal(ql_str_text(&out), "");
    assert_int_equal(n, 0);
    ql_str_free(&out);
}

/* X(name of the case, what is done to a good row, part of the complaint) */
#define SPOILED(X)                                                                                 \
    X(capital_name, row->name = "Some", "a name is lower-case words")                              \
    X(negative_name, row->name = "no-some", "'no-' is how flags are negated")                      \
    X(taken_name, row->name = "help", "is taken by --help")                                        \
    X(taken_alias, row->aliases = "x,config", "'config' is taken by --config")                     \
    X(negative_alias, row->aliases = "!x", "'!' alias on no flag")                                 \
    X(taken_letter, row->letter = 'o', "its letter is taken")                                      \
    X(wrong_default, row->def = "x", "default 'x' is not a whole number")                          \
    X(large_default, row->def = "10", "default '10' is out of range")                              \
    X(crossed, row->min = 10, "min exceeds max")                                                   \
    X(zero_unset, (row->def = NULL, row->min = 0), "0 means unset")                                \
    X(silent_unset, row->def = NULL, "no default, and no text")                                    \
    X(two_defaults, row->unset = "x", "has a default and a text for being unset")                  \
    X(required_default, row->bits = QL_OPT_REQUIRED, "is required and has a default")              \
    X(no_help, row->help = NULL, "no help")                                                        \
    X(capital_help, row->help = "Help", "help begins with a capital")                              \
    X(stopped_help, row->help = "help.", "help ends in a full stop")                               \
    X(long_help, row->help = "this help is so very long that it does not fit in sixty columns",    \
      "help is longer than 60 columns")                                                            \
    X(no_group, row->group = NULL, "no group")                                                     \
    X(needless_choices, row->choices = type_names, "choices on another type")                      \
    X(no_choices, (row->type = QL_OPT_CHOICE, row->def = NULL), "a choice without choices")        \
    X(wrong_choice, (row->type = QL_OPT_CHOICE, row->choices = type_names), "'1' is none of")      \
    X(bounded_flag, (row->type = QL_OPT_FLAG, row->def = "no"),                                    \
      "bounds on something that is no number")

#define X(name, change, complaint)                                                                 \
    static void name(ql_option *row)                                                               \
    {                                                                                              \
        (void)(change);                                                                            \
    }
SPOILED(X)
#undef X

static void bad_rows_are_found(void **state)
{
    static const struct {
        void (*spoil)(ql_option *row);
        const char *complaint;
    } bad[] = {
#define X(name, change, complaint) {name, complaint},
        SPOILED(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ql_str out = {0};
        ql_option table[] = {{.name = "some",
                              QL_INT_AT(args_type, epochs),
                              .def = "1",
                              .min = 1,
                              .max = 9,
                              .group = "G",
                              .help = "help"},
                             {.name = NULL}};
        ql_opt_table merged[] = {{run_rows, 0}, {table, 0}, {NULL, 0}};
        assert_int_equal(ql_options_selfcheck(merged, NULL, &out), 0);
        bad[i].spoil(&table[0]);
        assert_true(ql_options_selfcheck(merged, NULL, &out) > 0);
        if (!strstr(ql_str_text(&out), bad[i].complaint))
            fail_msg("wanted \"%s\", got \"%s\"", bad[i].complaint, ql_str_text(&out));
        ql_str_free(&out);
    }
}

static void bad_presets_are_found(void **state)
{
    static const char *const settings[] = {"epochs=0", "nothing=1", "epochs", NULL};
    static const ql_preset bad[] = {{"x", "summary", settings, NULL}, {NULL, NULL, NULL, NULL}};
    ql_str out = {0};
    (void)state;
    assert_int_equal(ql_options_selfcheck(tables, bad, &out), 3);
    ql_str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(defaults, tear_down),
        cmocka_unit_test_teardown(good_values, tear_down),
        cmocka_unit_test_teardown(sizes, tear_down),
        cmocka_unit_test_teardown(bad_values, tear_down),
        cmocka_unit_test(values_beyond_the_type),
        cmocka_unit_test_teardown(unset_by_word, tear_down),
        cmocka_unit_test_teardown(flags, tear_down),
        cmocka_unit_test_teardown(letters_and_words, tear_down),
        cmocka_unit_test_teardown(aliases, tear_down),
        cmocka_unit_test_teardown(suggestions, tear_down),
        cmocka_unit_test_teardown(help_wins, tear_down),
        cmocka_unit_test_teardown(required, tear_down),
        cmocka_unit_test_teardown(precedence, tear_down),
        cmocka_unit_test_teardown(preset_on_command_line, tear_down),
        cmocka_unit_test_teardown(bad_environment, tear_down),
        cmocka_unit_test_teardown(config_lines, tear_down),
        cmocka_unit_test_teardown(config_json, tear_down),
        cmocka_unit_test_teardown(bad_config, tear_down),
        cmocka_unit_test_teardown(print_config_reads_back, tear_down),
        cmocka_unit_test_teardown(print_config_keeps_every_byte, tear_down),
        cmocka_unit_test_teardown(json_text, tear_down),
        cmocka_unit_test_teardown(json_reads_back, tear_down),
        cmocka_unit_test_teardown(rows_come_by_group, tear_down),
        cmocka_unit_test(good_tables_pass),
        cmocka_unit_test(bad_rows_are_found),
        cmocka_unit_test(bad_presets_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
