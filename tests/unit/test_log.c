/* The sinks of the log with a fake clock: what a terminal, a file and a program get to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quell/log.h"
#include "scratch_file.h"

static double now;

static double fake_clock(void)
{
    return now;
}

typedef struct {
    ql_logger *log;
    FILE *file;
    char *text;
    size_t size;
} fixture;

static void open_log(fixture *f, ql_log_text settings)
{
    ql_err err = {0};
    now = 100;
    f->file = open_memstream(&f->text, &f->size);
    assert_non_null(f->file);
    settings.file = f->file;
    settings.prefix = "quell test";
    assert_int_equal(ql_log_new(fake_clock, &f->log, &err), QL_OK);
    assert_int_equal(ql_log_add_text(f->log, &settings, &err), QL_OK);
}

static void close_log(fixture *f, const char *wanted)
{
    ql_log_free(f->log);
    fclose(f->file);
    assert_string_equal(f->text, wanted);
    free(f->text);
}

static void say_everything(ql_logger *log)
{
    ql_err err = {.code = QL_EDATA, .msg = "x.h5: bad", .hint = "mend it"};
    ql_log_debug(log, "detail %d", 1);
    ql_log_info(log, "read %s", "x");
    ql_log_warn(log, "few cells: %d", 3);
    ql_log_metric(log, 1, "loss", 0.5);
    ql_log_error(log, &err);
}

static void plain(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){0});
    say_everything(f.log);
    close_log(&f,
              "read x\nquell test: warning: few cells: 3\nquell test: x.h5: bad; hint: mend it\n");
}

static void quiet_and_verbose(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){.quiet = true, .verbose = true});
    say_everything(f.log);
    close_log(&f, "quell test: warning: few cells: 3\nquell test: x.h5: bad; hint: mend it\n");
    open_log(&f, (ql_log_text){.verbose = true});
    ql_log_debug(f.log, "detail");
    close_log(&f, "detail\n");
}

static void coloured(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){.colour = true});
    ql_log_warn(f.log, "hm");
    close_log(&f, "quell test: \033[33mwarning:\033[0m hm\n");
}

static void control_bytes_are_harmless(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){0});
    ql_log_info(f.log, "gene \033[2Jx\r\ny\x7f caf\xC3\xA9");
    close_log(&f, "gene ?[2Jx??y? caf\xC3\xA9\n");
}

static void error_without_text(void **state)
{
    fixture f;
    ql_err err = {.code = QL_EIO};
    (void)state;
    open_log(&f, (ql_log_text){0});
    ql_log_error(f.log, &err);
    close_log(&f, "quell test: input/output error\n");
}

static void run_epochs(ql_logger *log, int n)
{
    for (int i = 0; i <= n; i++) {
        ql_progress p = QL_PROGRESS("train", "epoch", i, n);
        ql_log_progress(log, &p);
        now += 0.5;
    }
}

static void terminal(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){.terminal = true, .columns = 40});
    run_epochs(f.log, 4);
    ql_log_info(f.log, "between");
    ql_log_progress_end(f.log);
    close_log(&f, "\rtrain: epoch 2/4, 0:01 left\033[K"
                  "\rtrain: epoch 3/4, 0:01 left\033[K"
                  "\rtrain: epoch 4/4\033[K"
                  "\r\033[Kbetween\n");
}

static void narrow_terminal(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){.terminal = true, .columns = 12});
    run_epochs(f.log, 2);
    close_log(&f, "\rtrain: epoc\033[K\r\033[K");
}

static void not_a_terminal(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){0});
    run_epochs(f.log, 5);
    ql_log_progress_end(f.log);
    ql_log_progress_end(f.log);
    close_log(&f, "train: epoch 2/5, 0:02 left\n"
                  "train: epoch 4/5, 0:01 left\n"
                  "train: epoch 5/5\n");
}

/* A stage that was over before a line was due leaves none. */
static void short_stage(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){0});
    run_epochs(f.log, 1);
    ql_log_progress_end(f.log);
    close_log(&f, "");
}

static void quiet_progress(void **state)
{
    fixture f;
    (void)state;
    open_log(&f, (ql_log_text){.quiet = true});
    run_epochs(f.log, 50);
    ql_log_progress_end(f.log);
    close_log(&f, "");
}

static void read_back(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    fclose(f);
}

static void json_lines(void **state)
{
    char path[SCRATCH_PATH], text[4096];
    ql_err err = {0};
    ql_logger *log;
    (void)state;
    scratch_file(path);
    now = 10;
    assert_int_equal(ql_log_new(fake_clock, &log, &err), QL_OK);
    assert_int_equal(ql_log_add_json(log, path, &err), QL_OK);
    now = 11.5;
    say_everything(log);
    ql_log_metric(log, -1, "gain", 0.25);
    run_epochs(log, 4);
    ql_log_progress_end(log);
    assert_false(ql_log_failed(log));
    ql_log_free(log);
    read_back(path, text, sizeof text);
    unlink(path);
    assert_string_equal(
        text,
        "{\"v\":1,\"t\":1.5,\"event\":\"debug\",\"text\":\"detail 1\"}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"info\",\"text\":\"read x\"}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"warning\",\"text\":\"few cells: 3\"}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"metric\",\"name\":\"loss\",\"step\":1,\"value\":0.5}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"error\",\"text\":\"x.h5: bad; hint: mend it\"}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"metric\",\"name\":\"gain\",\"value\":0.25}\n"
        "{\"v\":1,\"t\":1.5,\"event\":\"progress\",\"stage\":\"train\",\"unit\":\"epoch\",\"done\":"
        "0,\"total\":4,\"elapsed\":0}\n"
        "{\"v\":1,\"t\":2.5,\"event\":\"progress\",\"stage\":\"train\",\"unit\":\"epoch\",\"done\":"
        "2,\"total\":4,\"elapsed\":1}\n"
        "{\"v\":1,\"t\":3.5,\"event\":\"progress\",\"stage\":\"train\",\"unit\":\"epoch\",\"done\":"
        "4,\"total\":4,\"elapsed\":2}\n"
        "{\"v\":1,\"t\":4,\"event\":\"end\"}\n");
}

static void text_file(void **state)
{
    char path[SCRATCH_PATH], text[4096];
    ql_err err = {0};
    ql_logger *log;
    (void)state;
    scratch_file(path);
    assert_int_equal(ql_log_new(fake_clock, &log, &err), QL_OK);
    assert_int_equal(ql_log_add_text_file(log, path, "quell x", &err), QL_OK);
    ql_log_warn(log, "hm");
    ql_log_free(log);
    read_back(path, text, sizeof text);
    unlink(path);
    assert_string_equal(text, "quell x: warning: hm\n");
}

static void unwritable(void **state)
{
    ql_err err = {0};
    ql_logger *log;
    (void)state;
    assert_int_equal(ql_log_new(fake_clock, &log, &err), QL_OK);
    assert_int_equal(ql_log_add_json(log, "/nonexistent/log", &err), QL_ECREATE);
    assert_string_equal(err.msg, "/nonexistent/log: cannot be written: No such file or directory");
    assert_int_equal(ql_log_add_text_file(log, "/nonexistent/log", "x", &err), QL_ECREATE);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(ql_log_add_json(log, "/dev/full", &err), QL_OK);
        assert_false(ql_log_failed(log));
        ql_log_info(log, "x");
        assert_true(ql_log_failed(log));
    }
    ql_log_free(log);
}

static void no_log(void **state)
{
    ql_progress p = QL_PROGRESS("s", "u", 1, 2);
    (void)state;
    say_everything(NULL);
    ql_log_progress(NULL, &p);
    ql_log_progress_end(NULL);
    ql_log_free(NULL);
    assert_false(ql_log_failed(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(quiet_and_verbose),
        cmocka_unit_test(coloured),
        cmocka_unit_test(control_bytes_are_harmless),
        cmocka_unit_test(error_without_text),
        cmocka_unit_test(terminal),
        cmocka_unit_test(narrow_terminal),
        cmocka_unit_test(not_a_terminal),
        cmocka_unit_test(short_stage),
        cmocka_unit_test(quiet_progress),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(text_file),
        cmocka_unit_test(unwritable),
        cmocka_unit_test(no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
