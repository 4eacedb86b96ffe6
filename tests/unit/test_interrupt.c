/* Signals. Each case runs in a child process, whose exit code is what is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quell/interrupt.h"

static char folder[] = P_tmpdir "/quell-interrupt-XXXXXX";

static void path_of(int i, char *path, size_t size)
{
    snprintf(path, size, "%s/%d.tmp", folder, i);
}

static void make_file(int i)
{
    char path[128];
    path_of(i, path, sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) close(fd);
}

static int file_exists(int i)
{
    char path[128];
    path_of(i, path, sizeof path);
    return access(path, F_OK) == 0;
}

static int exit_code_of(int (*child)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(child());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* After one signal: the status of the next check, as an exit code. */
static int after(int number)
{
    ql_err err;
    ql_interrupt_install();
    if (ql_interrupt_check(&err) != QL_OK) return 1;
    raise(number);
    ql_status status = ql_interrupt_check(&err);
    if (status == QL_OK) return 0;
    return status == err.code && err.msg[0] ? ql_status_exit_code(status) : 2;
}

static int after_int(void)
{
    return after(SIGINT);
}

static int after_term(void)
{
    return after(SIGTERM);
}

static int after_usr2(void)
{
    return after(SIGUSR2);
}

static int after_pipe(void)
{
    return after(SIGPIPE);
}

static void the_first_signal_is_seen_by_the_check(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(after_int), 130);
    assert_int_equal(exit_code_of(after_term), 143);
    assert_int_equal(exit_code_of(after_usr2), 143);
    assert_int_equal(exit_code_of(after_pipe), 0);
}

/* Noted while held, told afterwards; a second one still ends the process. */
static int after_hold(void)
{
    ql_err err;
    ql_interrupt_install();
    ql_interrupt_hold(true);
    raise(SIGTERM);
    if (ql_interrupt_check(&err) != QL_OK) return 1;
    ql_interrupt_hold(false);
    return ql_status_exit_code(ql_interrupt_check(&err));
}

static int twice_in_hold(void)
{
    ql_interrupt_install();
    ql_interrupt_hold(true);
    raise(SIGTERM);
    raise(SIGINT);
    return 1;
}

static void a_held_signal_comes_later(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(after_hold), 143);
    assert_int_equal(exit_code_of(twice_in_hold), 130);
}

/* Files 0 and 2 stay registered, 1 is forgotten, 3 was never known. */
static int second_signal(int first, int second)
{
    char path[128];
    ql_interrupt_install();
    for (int i = 0; i < 3; i++) {
        path_of(i, path, sizeof path);
        ql_tempfile_register(path);
    }
    path_of(1, path, sizeof path);
    ql_tempfile_forget(path);
    raise(first);
    raise(second);
    return 1;
}

static int int_int(void)
{
    return second_signal(SIGINT, SIGINT);
}

static int int_term(void)
{
    return second_signal(SIGINT, SIGTERM);
}

static int usr2_term(void)
{
    return second_signal(SIGUSR2, SIGTERM);
}

static void a_second_signal_removes_the_files_and_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) make_file(i);
    assert_int_equal(exit_code_of(usr2_term), 1); /* goes on: a warning came first */
    for (int i = 0; i < 4; i++) assert_true(file_exists(i));
    assert_int_equal(exit_code_of(int_int), 130);
    for (int i = 0; i < 4; i++) assert_int_equal(file_exists(i), i % 2);
    assert_int_equal(exit_code_of(int_term), 143);
}

/* More files than fit, an overlong path, and slots used again. */
static int many_files(void)
{
    char path[128], overlong[6000];
    memset(overlong, 'x', sizeof overlong);
    overlong[sizeof overlong - 1] = '\0';
    ql_interrupt_install();
    ql_tempfile_register(overlong);
    for (int i = 0; i < 20; i++) {
        path_of(i, path, sizeof path);
        ql_tempfile_register(path);
        if (i < 10) ql_tempfile_forget(path);
    }
    ql_tempfile_forget("never registered");
    raise(SIGTERM);
    raise(SIGTERM);
    return 1;
}

static void the_table_of_files_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) make_file(i);
    assert_int_equal(exit_code_of(many_files), 143);
    for (int i = 0; i < 20; i++) assert_int_equal(file_exists(i), i < 10 || i >= 18);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];
    (void)state;
    for (int i = 0; i < 20; i++) {
        path_of(i, path, sizeof path);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal_is_seen_by_the_check),
        cmocka_unit_test(a_held_signal_comes_later),
        cmocka_unit_test(a_second_signal_removes_the_files_and_ends),
        cmocka_unit_test(the_table_of_files_is_bounded),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
