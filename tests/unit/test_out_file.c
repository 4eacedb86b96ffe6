/* What happens when an output cannot be written: refused early, or removed without a trace. */
#include "h5ad_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "quell/interrupt.h"

static void touch(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void assert_refused(const char *path, const char *input, bool force, ql_status code,
                           const char *word)
{
    ql_err err = {0};
    assert_int_equal(ql_output_check(path, input, force, &err), code);
    if (!strstr(err.msg, word)) fail_msg("\"%s\" does not say \"%s\"", err.msg, word);
    assert_null(strchr(err.msg, '\n'));
}

static void bad_names_are_refused(void **state)
{
    char path[PATH_BYTES], below[PATH_BYTES + 16];
    const char *folder = *state;
    in_folder(path, folder, "there.h5ad");
    touch(path, "x");
    snprintf(below, sizeof below, "%s/x.h5ad", path);

    assert_refused("", NULL, true, QL_EUSAGE, "file name");
    assert_refused("-", NULL, true, QL_EUSAGE, "file name");
    assert_refused("/dev/stdout", NULL, true, QL_EUSAGE, "");
    assert_refused("/dev/null", NULL, true, QL_EUSAGE, "regular");
    assert_refused(folder, NULL, true, QL_ECREATE, "folder");
    assert_refused(path, NULL, false, QL_ECREATE, "exists");
    assert_refused(path, path, true, QL_EUSAGE, "is the input");
    assert_refused(below, NULL, true, QL_ECREATE, "there.h5ad");
    in_folder(path, folder, "none/x.h5ad");
    assert_refused(path, NULL, true, QL_ECREATE, "No such file");
    in_folder(path, folder, "none/");
    assert_refused(path, NULL, true, QL_ECREATE, "folder");
    in_folder(path, folder, "loop");
    assert_int_equal(symlink("loop", path), 0);
    assert_refused(path, NULL, true, QL_ECREATE, "links");
    assert_refused("/proc/x.h5ad", NULL, true, QL_ECREATE, "/proc");
    assert_int_equal(count_files(folder), 2);
}

static void good_names_pass(void **state)
{
    ql_err err = {0};
    char path[PATH_BYTES], name[252];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    in_folder(path, *state, name); /* leaves no room for a longer temporary name */
    assert_ok(ql_output_check(path, "/none/input.h5ad", false, &err));
    in_folder(path, *state, "x.h5ad");
    touch(path, "x");
    assert_ok(ql_output_check(path, NULL, true, &err));
    assert_int_equal(count_files(*state), 1);
}

static void write_small(const char *path, bool force)
{
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    make_dataset(&ds, 4, 3, "10x-mtx");
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){.force = force}, NULL, &w, &err));
    assert_ok(ql_h5ad_commit(w, &err));
    drop_dataset(&ds);
}

static void links_stay_links(void **state)
{
    struct stat sb;
    char link[PATH_BYTES], target[PATH_BYTES], dangling[PATH_BYTES];
    in_folder(link, *state, "link.h5ad");
    in_folder(target, *state, "target.h5ad");
    in_folder(dangling, *state, "dangling.h5ad");
    touch(target, "x");
    assert_int_equal(symlink("target.h5ad", link), 0);
    write_small(link, true);
    assert_int_equal(lstat(link, &sb), 0);
    assert_true(S_ISLNK(sb.st_mode));
    assert_int_equal(stat(target, &sb), 0);
    assert_true(sb.st_size > 1000);
    assert_int_equal(symlink(target, dangling), 0);
    unlink(target);
    write_small(dangling, false);
    assert_int_equal(stat(target, &sb), 0);
    assert_int_equal(count_files(*state), 3);
}

static void abort_leaves_the_old_file(void **state)
{
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    char path[PATH_BYTES];
    in_folder(path, *state, "x.h5ad");
    touch(path, "old");
    make_dataset(&ds, 4, 3, "10x-mtx");
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){.force = true}, NULL, &w, &err));
    assert_int_equal(count_files(*state), 2);
    int64_t band = 0;
    assert_ok(ql_h5ad_dense_begin(w, "layers/denoised", 4, 3, &band, &err));
    ql_h5ad_abort(w);
    ql_h5ad_abort(NULL);
    assert_int_equal(count_files(*state), 1);
    struct stat sb;
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_size, 3);
    drop_dataset(&ds);
}

static void a_file_that_appears_meanwhile_is_kept(void **state)
{
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    char path[PATH_BYTES];
    in_folder(path, *state, "x.h5ad");
    make_dataset(&ds, 4, 3, "10x-mtx");
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err));
    touch(path, "other");
    assert_int_equal(ql_h5ad_commit(w, &err), QL_ECREATE);
    assert_int_equal(count_files(*state), 1);
    drop_dataset(&ds);
}

/* ---- no space ---- */

/* A whole output; the first failure, or QL_OK. */
static ql_status write_much(const char *path, int level, bool many_small, ql_err *err)
{
    enum { CELLS = 600, GENES = 700 };
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    int64_t band = 0;
    char key[64];
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    float *rows = calloc((size_t)CELLS * GENES, sizeof *rows);
    for (int i = 0; rows && i < CELLS * GENES; i++)
        rows[i] = (float)(((unsigned)i * 2654435761u) >> 8);
    ql_status st = ql_h5ad_begin(path, &ds, &(ql_write_options){.deflate = level, .threads = 2},
                                 NULL, &w, err);
    for (int i = 0; many_small && st == QL_OK && i < 20000; i++) {
        snprintf(key, sizeof key, "uns/quell/value%d", i);
        st = ql_h5ad_int(w, key, i, err);
    }
    if (!many_small && st == QL_OK)
        st = ql_h5ad_dense_begin(w, "layers/d", CELLS, GENES, &band, err);
    for (int64_t at = 0; !many_small && st == QL_OK && at < CELLS; at += band) {
        int64_t n = CELLS - at < band ? CELLS - at : band;
        st = ql_h5ad_dense_rows(w, rows + at * GENES, n, err);
    }
    if (!many_small && st == QL_OK) st = ql_h5ad_dense_end(w, err);
    if (st == QL_OK)
        st = ql_h5ad_commit(w, err);
    else if (w)
        ql_h5ad_abort(w);
    free(rows);
    drop_dataset(&ds);
    return st;
}

enum { CHILD_OK = 0, CHILD_BAD = 1, CHILD_SKIP = 2 };

/* Exit status of a child: failed as it should, with a useful line and no file left? */
static int judge(const char *folder, ql_status st, const ql_err *err, const char *reason)
{
    bool fine = st == QL_EIO && strstr(err->msg, "x.h5ad") && !strchr(err->msg, '\n') &&
                strstr(err->msg, reason) && count_files(folder) == 0;
    if (!fine) fprintf(stderr, "status %d, %d files: %s\n", (int)st, count_files(folder), err->msg);
    return fine ? CHILD_OK : CHILD_BAD;
}

typedef int (*child_fn)(const char *folder, int level, bool many_small);

static void run_child(const char *folder, child_fn fn, int level, bool many_small)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(fn(folder, level, many_small));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_SKIP) skip();
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

static int limited_size(const char *folder, int level, bool many_small)
{
    ql_err err = {0};
    char path[PATH_BYTES];
    in_folder(path, folder, "x.h5ad");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {400000, 400000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return CHILD_SKIP;
    return judge(folder, write_much(path, level, many_small, &err), &err, "File too large");
}

static void file_size_limit(void **state)
{
    run_child(*state, limited_size, 0, false);
    run_child(*state, limited_size, 1, false);
    run_child(*state, limited_size, 0, true);
}

/* A file system of its own, seen by the child only. */
static int full_disk(const char *folder, int level, bool many_small)
{
    ql_err err = {0};
    char path[PATH_BYTES];
    in_folder(path, folder, "x.h5ad");
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return CHILD_SKIP;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return CHILD_SKIP;
    if (mount("none", folder, "tmpfs", 0, "size=400k") != 0) return CHILD_SKIP;
    return judge(folder, write_much(path, level, many_small, &err), &err,
                 level == 0 && !many_small ? "GB left" : "No space left");
}

static void disk_full(void **state)
{
    run_child(*state, full_disk, 0, false);
    run_child(*state, full_disk, 1, false);
    run_child(*state, full_disk, 0, true);
}

static int interrupted(const char *folder, int level, bool many_small)
{
    ql_err err = {0};
    char path[PATH_BYTES];
    (void)many_small;
    in_folder(path, folder, "x.h5ad");
    ql_interrupt_install();
    raise(SIGTERM);
    ql_status st = write_much(path, level, false, &err);
    return st == QL_ETERM && count_files(folder) == 0 ? CHILD_OK : CHILD_BAD;
}

static void a_signal_stops_the_writing(void **state)
{
    run_child(*state, interrupted, 0, false);
    run_child(*state, interrupted, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_names_are_refused, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(good_names_pass, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(links_stay_links, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(abort_leaves_the_old_file, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_appears_meanwhile_is_kept, new_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(file_size_limit, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(disk_full, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_signal_stops_the_writing, new_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
