/* From a command line to a finished run: find the command, resolve its options, set up log, threads
 * and memory, run it, report how it ended. Knows no command by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command_internal.h"
#include "help_internal.h"
#include "quell/alloc.h"
#include "quell/clock.h"

typedef struct {
    ql_run run;
    ql_common_args *args; /* the command's args struct, which begins with these */
    ql_opts *opts;
    char prefix[64];  /* of messages: "quell denoise" */
    bool has_sinks;   /* the log is set up as the options say */
    bool answered;    /* --help or --print-config: nothing is left to do */
    double wall, cpu; /* at the start */
    char started[32];
    ql_str text; /* for whatever is printed */
} job;

/* ---- without a command ---- */

static const char *command_name_at(const void *ctx, int i)
{
    const ql_command *c = ((const ql_command *const *)ctx)[i];
    return c ? c->name : NULL;
}

static int print_and_exit(FILE *f, const ql_str *text, ql_status code)
{
    bool good = fputs(ql_str_text(text), f) >= 0 && fflush(f) == 0 && !text->failed;
    if (!good) fprintf(stderr, "quell: standard output: %s\n", strerror(errno));
    return ql_status_exit_code(good ? code : QL_EIO);
}

static int no_command(const ql_command *const *commands)
{
    ql_str text = {0};
    ql_help_short(commands, &text);
    int code = print_and_exit(stderr, &text, QL_EUSAGE);
    ql_str_free(&text);
    return code;
}

static int program_help(const ql_command *const *commands)
{
    ql_str text = {0};
    ql_status st = ql_help(commands, NULL, "text", false, &text, NULL);
    int code = print_and_exit(stdout, &text, st);
    ql_str_free(&text);
    return code;
}

static int program_version(const ql_command *const *commands)
{
    ql_str text = {0};
    (void)commands;
    ql_str_puts(&text, QL_VERSION "\n");
    int code = print_and_exit(stdout, &text, QL_OK);
    ql_str_free(&text);
    return code;
}

static const struct {
    const char *word;
    int (*answer)(const ql_command *const *commands);
} program_options[] = {{"--help", program_help},
                       {"-h", program_help},
                       {"--version", program_version},
                       {"-V", program_version}};

static const char *program_option_at(const void *ctx, int i)
{
    size_t n = sizeof program_options / sizeof *program_options;
    (void)ctx;
    return (size_t)i < n ? program_options[i].word : NULL;
}

static int unknown_command(const char *word, const ql_command *const *commands)
{
    bool option = word[0] == '-';
    const char *kind = option ? "option" : "command";
    const char *near = option ? ql_nearest(word, program_option_at, NULL)
                              : ql_nearest(word, command_name_at, commands);
    ql_err err = {0};
    ql_logger *log = NULL;
    ql_log_text settings = ql_log_text_stderr("quell", false, false);
    ql_fail(&err, QL_EUSAGE, "unknown %s '%s'", kind, word);
    if (near)
        ql_hint(&err, QL_EUSAGE, "did you mean '%s'?", near);
    else
        ql_hint(&err, QL_EUSAGE, "see 'quell --help'");
    if (ql_log_new(NULL, &log, NULL) == QL_OK && ql_log_add_text(log, &settings, NULL) == QL_OK)
        ql_log_error(log, &err);
    ql_log_free(log);
    return ql_status_exit_code(QL_EUSAGE);
}

/* ---- setting up ---- */

static ql_status set_up_log(job *j)
{
    ql_err *err = &j->run.err;
    ql_log_text settings = ql_log_text_stderr(j->prefix, j->args->quiet, j->args->verbose);
    QL_TRY(ql_log_add_text(j->run.log, &settings, err));
    j->has_sinks = true;
    QL_TRY(ql_log_add(j->run.log, &ql_summary_sink, j->run.summary, err));
    if (j->args->log_file)
        QL_TRY(ql_log_add_text_file(j->run.log, j->args->log_file, j->prefix, err));
    return j->args->log_json ? ql_log_add_json(j->run.log, j->args->log_json, err) : QL_OK;
}

static ql_status parse(job *j)
{
    const ql_command *command = j->run.command;
    ql_err *err = &j->run.err;
    char *args;
    QL_TRY(QL_NEW(args, (int64_t)command->args_size, "the options", err));
    j->args = (ql_common_args *)(void *)args;
    QL_TRY(ql_command_opts(command, args, &j->opts, err));
    j->run.opts = j->opts;
    return ql_opts_parse(j->opts, j->run.argc - 2, j->run.argv + 2, getenv, err);
}

static ql_status answer(job *j, ql_status made)
{
    if (made == QL_OK && j->text.failed) made = ql_fail(&j->run.err, QL_EMEMORY, "no memory");
    if (made == QL_OK) fputs(ql_str_text(&j->text), j->run.out);
    j->answered = true;
    return made;
}

static ql_status answer_help(job *j)
{
    return answer(j,
                  ql_help(j->run.commands, j->run.command, "text", false, &j->text, &j->run.err));
}

static ql_status answer_config(job *j)
{
    ql_str_printf(&j->text, "# quell %s %s\n", QL_VERSION, j->run.command->name);
    ql_options_config(j->opts, &j->text);
    return answer(j, QL_OK);
}

static ql_status take_words(job *j)
{
    const char **words;
    int n = ql_opts_n_positionals(j->opts);
    QL_TRY(ql_command_check_words(j->run.command, j->opts, &j->run.err));
    QL_TRY(QL_NEW(words, n, "the arguments", &j->run.err));
    for (int i = 0; i < n; i++) words[i] = ql_opts_positional(j->opts, i);
    j->run.args = words;
    j->run.n_args = n;
    return QL_OK;
}

static ql_status prepare(job *j)
{
    QL_TRY(ql_log_new(NULL, &j->run.log, &j->run.err));
    QL_TRY(ql_summary_new(&j->run.summary, &j->run.err));
    QL_TRY(parse(j));
    if (ql_opts_help_wanted(j->opts)) return answer_help(j);
    if (j->args->print_config) return answer_config(j);
    ql_run_resources(&j->run, j->args);
    QL_TRY(set_up_log(j));
    QL_TRY(take_words(j));
    QL_TRY(ql_opts_check_required(j->opts, &j->run.err));
    ql_alloc_set_cap(j->run.memory);
    return QL_OK;
}

static bool brief(const job *j)
{
    return (j->run.command->bits & (QL_CMD_BRIEF | QL_CMD_PLAIN)) != 0;
}

static ql_status execute(job *j)
{
    ql_run *run = &j->run;
    if (j->answered) return QL_OK;
    if (!brief(j)) {
        ql_log_info(run->log, "threads: %d (%s)", run->threads, run->threads_from);
        ql_log_debug(run->log, "memory budget: %.1f MiB (%s)", (double)run->memory / (1 << 20),
                     run->memory_from);
    }
    ql_status st = run->command->run(j->args, run);
    ql_log_progress_end(run->log);
    return st;
}

/* ---- the end ---- */

/* Standard output may be a full disk: that shows only when it is flushed. */
static ql_status check_output(job *j, ql_status st)
{
    errno = 0;
    bool good = fflush(j->run.out) == 0 && !ferror(j->run.out);
    if (st != QL_OK) return st;
    if (!good)
        return ql_fail(&j->run.err, QL_EIO, "standard output: %s",
                       errno ? strerror(errno) : "write failed");
    if (ql_log_failed(j->run.log))
        return ql_fail(&j->run.err, QL_EIO, "the log could not be written");
    return QL_OK;
}

static void closing_lines(job *j, const ql_summary_facts *f)
{
    ql_str_clear(&j->text);
    ql_command_line(f->argc, f->argv, &j->text);
    ql_log_info(j->run.log, "quell %s %s: %.1f s, CPU %.1f s, peak memory %.1f MiB", QL_VERSION,
                f->command, f->seconds, f->cpu_seconds, (double)f->peak_bytes / (1 << 20));
    ql_log_info(j->run.log, "command: %s", ql_str_text(&j->text));
}

static ql_summary_facts facts(const job *j)
{
    const ql_run *run = &j->run;
    return (ql_summary_facts){.command = run->command->name,
                              .argc = run->argc,
                              .argv = run->argv,
                              .opts = run->opts,
                              .threads = run->threads,
                              .threads_from = run->threads_from,
                              .memory = run->memory,
                              .memory_from = run->memory_from,
                              .simd = run->simd,
                              .started = j->started,
                              .seconds = ql_clock_wall() - j->wall,
                              .cpu_seconds = ql_clock_cpu() - j->cpu,
                              .peak_bytes = ql_peak_rss(),
                              .err = &run->err};
}

static ql_status write_summary(job *j, const ql_summary_facts *f, ql_status st)
{
    ql_err err = {0};
    if (!j->has_sinks || !j->args->summary) return st;
    if (ql_summary_write(j->run.summary, f, j->args->summary, &err) == QL_OK) return st;
    if (st != QL_OK) {
        ql_log_warn(j->run.log, "%s", err.msg);
        return st;
    }
    j->run.err = err;
    return err.code;
}

/* The one line that says why; before the options are known it still needs a sink. */
static void report(job *j)
{
    if (!j->has_sinks && j->run.log) {
        ql_log_text settings = ql_log_text_stderr(j->prefix, false, false);
        if (ql_log_add_text(j->run.log, &settings, NULL) == QL_OK) j->has_sinks = true;
    }
    if (j->has_sinks)
        ql_log_error(j->run.log, &j->run.err);
    else
        fprintf(stderr, "%s: %s\n", j->prefix, j->run.err.msg);
}

static ql_status finish(job *j, ql_status st)
{
    st = check_output(j, st);
    j->run.err.code = st;
    if (!j->answered) {
        ql_summary_facts f = facts(j);
        ql_alloc_set_cap(0);
        if (st == QL_OK && !brief(j)) closing_lines(j, &f);
        st = write_summary(j, &f, st);
    }
    if (st != QL_OK) report(j);
    return st;
}

static void release(job *j)
{
    ql_log_free(j->run.log);
    ql_summary_free(j->run.summary);
    ql_opts_free(j->opts);
    ql_free(j->args);
    ql_free((void *)(uintptr_t)j->run.args);
    ql_str_free(&j->text);
}

static void start_clock(job *j)
{
    time_t now = time(NULL);
    struct tm utc;
    j->wall = ql_clock_wall();
    j->cpu = ql_clock_cpu();
    if (gmtime_r(&now, &utc)) strftime(j->started, sizeof j->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int run_command(const ql_command *command, int argc, char **argv,
                       const ql_command *const *commands, const char *simd)
{
    job j = {.run = {.command = command,
                     .commands = commands,
                     .threads = 1,
                     .simd = simd,
                     .out = stdout,
                     .argc = argc,
                     .argv = argv}};
    snprintf(j.prefix, sizeof j.prefix, "quell %s", command->name);
    start_clock(&j);
    ql_status st = prepare(&j);
    if (st == QL_OK) st = execute(&j);
    st = finish(&j, st);
    release(&j);
    return ql_status_exit_code(st);
}

int ql_dispatch(int argc, char **argv, const ql_command *const *commands, const char *simd)
{
    if (argc < 2) return no_command(commands);
    for (size_t i = 0; i < sizeof program_options / sizeof *program_options; i++)
        if (strcmp(argv[1], program_options[i].word) == 0)
            return program_options[i].answer(commands);
    const ql_command *command = ql_command_find(commands, argv[1]);
    if (!command) return unknown_command(argv[1], commands);
    return run_command(command, argc, argv, commands, simd);
}
