/* A command line from end to end with commands made for the purpose: exit codes, closing lines, the
 * summary, threads and memory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quell/alloc.h"
#include "quell/command.h"
#include "scratch_file.h"

/* ---- commands ---- */

typedef struct {
    ql_common_args common;
    ql_seed_args seed;
    const char *mode;
} work_args;

static const char *const modes[] = {"good", "bad", "silent", "greedy", NULL};

static const ql_option work_rows[] = {
    {.name = "mode",
     QL_CHOICE_AT(work_args, mode),
     .def = "good",
     .choices = modes,
     .group = "Work",
     .help = "how it ends"},
    {.name = NULL},
};

static const ql_opt_table work_tables[] = {
    {work_rows, 0}, {ql_seed_rows, offsetof(work_args, seed)}, {NULL, 0}};

static const ql_positional work_words[] = {
    {"INPUT", "some input"}, {"[EXTRA]", "more"}, {NULL, NULL}};

static int seen_threads;
static int64_t seen_memory, seen_seed;

static ql_status work(const void *args, ql_run *run)
{
    const work_args *a = args;
    seen_threads = run->threads;
    seen_memory = run->memory;
    seen_seed = a->seed.seed;
    ql_log_warn(run->log, "mind the %s", run->args[0]);
    ql_summary_int(run->summary, "cells", 3);
    ql_summary_int(run->summary, "cells", 4);
    ql_summary_double(run->summary, "gain", 0.25);
    ql_summary_string(run->summary, "kind", "x\"y");
    if (strcmp(a->mode, "bad") == 0) {
        ql_fail(&run->err, QL_EDATA, "%s: row 3 is bad", run->args[0]);
        return ql_hint(&run->err, QL_EDATA, "mend it");
    }
    if (strcmp(a->mode, "silent") == 0) return QL_EDIVERGED;
    if (strcmp(a->mode, "greedy") == 0) {
        char *block;
        ql_status st = QL_NEW(block, run->memory, "everything", &run->err);
        if (st == QL_OK) ql_free(block);
        return st;
    }
    fputs("data\n", run->out);
    return QL_OK;
}

static const ql_command work_command = {
    .name = "work",
    .group = "Work",
    .summary = "do something",
    .positionals = work_words,
    .examples = {{"quell work x", "works"}, {"quell work y", "works too"}},
    .tables = work_tables,
    QL_ARGS(work_args),
    .run = work,
};

static const ql_command *const commands[] = {&work_command, NULL};

/* ---- running one with its streams in files ---- */

typedef struct {
    int code;
    char out[8192], err[8192];
} result;

static int redirect(FILE *stream, int fd, FILE *to)
{
    fflush(stream);
    int saved = dup(fd);
    dup2(fileno(to), fd);
    return saved;
}

static void restore(FILE *stream, int fd, int saved, FILE *from, char *text, size_t size)
{
    fflush(stream);
    dup2(saved, fd);
    close(saved);
    rewind(from);
    size_t n = fread(text, 1, size - 1, from);
    text[n] = '\0';
    fclose(from);
}

static result run_words(int n, const char *const *words)
{
    static result r;
    char *argv[16];
    for (int i = 0; i < n; i++) argv[i] = (char *)(uintptr_t)words[i];
    FILE *out = tmpfile(), *err = tmpfile();
    assert_true(out && err);
    int saved_out = redirect(stdout, 1, out), saved_err = redirect(stderr, 2, err);
    r.code = ql_dispatch(n, argv, commands, "none");
    restore(stdout, 1, saved_out, out, r.out, sizeof r.out);
    restore(stderr, 2, saved_err, err, r.err, sizeof r.err);
    return r;
}

#define RUN(...)                                                                                   \
    run_words((int)(sizeof((const char *[]){"quell", __VA_ARGS__}) / sizeof(char *)),              \
              (const char *[]){"quell", __VA_ARGS__})

static int clean_environment(void **state)
{
    (void)state;
    unsetenv("QUELL_THREADS");
    unsetenv("QUELL_MEMORY");
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("SLURM_MEM_PER_NODE");
    unsetenv("SLURM_MEM_PER_CPU");
    unsetenv("OMP_NUM_THREADS");
    setenv("TERM", "dumb", 1);
    return 0;
}

/* ---- tests ---- */

static void a_good_run(void **state)
{
    (void)state;
    result r = RUN("work", "a file", "--threads", "2", "--seed", "7");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out, "data\n");
    assert_int_equal(seen_threads, 2);
    assert_true(seen_seed == 7);
    const char *start =
        "threads: 2 (--threads)\nquell work: warning: mind the a file\nquell " QL_VERSION " work: ";
    assert_memory_equal(r.err, start, strlen(start));
    assert_non_null(strstr(r.err, " s, CPU "));
    assert_non_null(strstr(r.err, " s, peak memory "));
    assert_non_null(strstr(r.err, " MiB\ncommand: quell work 'a file' --threads 2 --seed 7\n"));
}

static void quiet(void **state)
{
    (void)state;
    result r = RUN("work", "x", "-q");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.err, "quell work: warning: mind the x\n");
}

static void failures(void **state)
{
    (void)state;
    result r = RUN("work", "x", "-q", "--mode", "bad");
    assert_int_equal(r.code, 65);
    assert_string_equal(
        r.err, "quell work: warning: mind the x\nquell work: x: row 3 is bad; hint: mend it\n");
    r = RUN("work", "x", "-q", "--mode=silent");
    assert_int_equal(r.code, 76);
    assert_non_null(strstr(r.err, "quell work: training diverged\n"));
}

static void usage(void **state)
{
    (void)state;
    assert_int_equal(RUN("work").code, 64);
    result r = RUN("work", "a", "b", "c");
    assert_int_equal(r.code, 64);
    assert_string_equal(r.err, "quell work: unexpected argument 'c'\n");
    assert_int_equal(RUN("work", "a", "b", "-q").code, 0);
    r = RUN("work", "--mode", "wrong", "x");
    assert_int_equal(r.code, 64);
    assert_string_equal(r.err,
                        "quell work: --mode: 'wrong' is none of: good, bad, silent, greedy\n");
}

static void threads_and_memory(void **state)
{
    (void)state;
    setenv("QUELL_THREADS", "3", 1);
    setenv("SLURM_MEM_PER_NODE", "512", 1);
    result r = RUN("work", "x", "-v");
    assert_int_equal(seen_threads, 3);
    assert_true(seen_memory == 512LL << 20);
    assert_non_null(strstr(r.err, "threads: 3 (QUELL_THREADS)\n"));
    assert_non_null(strstr(r.err, "memory budget: 512.0 MiB (SLURM_MEM_PER_NODE)\n"));
    RUN("work", "x", "--threads=1", "--memory", "100M");
    assert_int_equal(seen_threads, 1);
    assert_true(seen_memory == 100LL << 20);
    unsetenv("SLURM_MEM_PER_NODE");
    setenv("SLURM_MEM_PER_CPU", "1000", 1);
    setenv("SLURM_CPUS_ON_NODE", "4", 1);
    RUN("work", "x");
    assert_true(seen_memory == 4000LL << 20);
    setenv("SLURM_MEM_PER_CPU", "9999999999999999999", 1);
    unsetenv("SLURM_CPUS_ON_NODE");
    RUN("work", "x");
    assert_true(seen_memory >= 0);
    clean_environment(NULL);
}

static void the_budget_is_a_cap(void **state)
{
    (void)state;
    result r = RUN("work", "x", "--mode=greedy", "--memory", "64M");
    assert_int_equal(r.code, 137);
    assert_non_null(strstr(r.err, "everything"));
    void *block = ql_alloc(65 << 20, 1); /* and gone afterwards */
    assert_non_null(block);
    ql_free(block);
}

static void summary_file(void **state)
{
    static const char *const wanted[] = {
        "\"command\":\"work\"",
        "\"argv\":[\"quell\",\"work\",\"x\",",
        "\"status\":\"ok\",\"exit_code\":0,",
        "\"metrics\":{\"cells\":4,\"gain\":0.25,\"kind\":\"x\\\"y\"}",
        "\"warnings\":[\"mind the x\"]",
        "\"options\":{\"mode\":\"good\",\"seed\":0,\"threads\":2,",
        "\"threads_from\":\"--threads\"",
        "\"simd\":\"none\""};
    char path[SCRATCH_PATH], text[8192] = "";
    (void)state;
    scratch_file(path);
    assert_int_equal(RUN("work", "x", "--threads=2", "--summary", path).code, 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    unlink(path);
    const char *start = "{\"quell_summary_version\":1,\"version\":\"" QL_VERSION "\",";
    assert_memory_equal(text, start, strlen(start));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i])) fail_msg("no %s in %s", wanted[i], text);
}

static void summary_of_wrong_usage(void **state)
{
    char path[SCRATCH_PATH], text[8192] = "";
    (void)state;
    scratch_file(path);
    assert_int_equal(RUN("work", "--summary", path).code, 64);
    FILE *f = fopen(path, "r");
    assert_true(f && fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    unlink(path);
    assert_non_null(strstr(
        text, "\"exit_code\":64,\"message\":\"INPUT is missing: some input\",\"hint\":\"see"));
}

static void full_output(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) skip();
    char quell[] = "quell", name[] = "work", word[] = "x", option[] = "-q";
    char *argv[] = {quell, name, word, option, NULL};
    fflush(stdout);
    int saved = dup(1);
    dup2(full, 1);
    int code = ql_dispatch(4, argv, commands, "none");
    dup2(saved, 1);
    close(saved);
    close(full);
    clearerr(stdout);
    assert_int_equal(code, 74);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_run),         cmocka_unit_test(quiet),
        cmocka_unit_test(failures),           cmocka_unit_test(usage),
        cmocka_unit_test(threads_and_memory), cmocka_unit_test(the_budget_is_a_cap),
        cmocka_unit_test(summary_file),       cmocka_unit_test(summary_of_wrong_usage),
        cmocka_unit_test(full_output),
    };
    return cmocka_run_group_tests(tests, clean_environment, NULL);
}
