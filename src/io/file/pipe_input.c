#include "pipe_input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"

enum { MAX_COPIES = 16, HEAD = 4096, CHUNK = 1 << 18 };

/* The copies made so far. One process reads a handful of inputs. */
static struct {
    char given[PATH_MAX];
    char path[64];
} copies[MAX_COPIES];
static int n_copies;

/* --- reading --- */

static ql_status fail_read(ql_err *err)
{
    return ql_fail(err, QL_EIO, "cannot be read: %s", strerror(errno));
}

/* A pipe may be silent for long; a signal must be seen meanwhile. */
static ql_status wait_for(int fd, ql_err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        QL_TRY(ql_interrupt_check(err));
        int n = poll(&p, 1, 200);
        if (n > 0) return QL_OK;
        if (n < 0 && errno != EINTR && errno != EAGAIN) return fail_read(err);
    }
}

/* Up to cap bytes; *got < cap only at the end. */
static ql_status read_some(int fd, char *buf, size_t cap, size_t *got, ql_err *err)
{
    *got = 0;
    while (*got < cap) {
        QL_TRY(wait_for(fd, err));
        ssize_t n = read(fd, buf + *got, cap - *got);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return fail_read(err);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return QL_OK;
}

/* --- the copy --- */

static const char *temp_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

static ql_status fail_write(const char *doing, ql_err *err)
{
    int code = errno;
    const bool full = code == ENOSPC || code == EDQUOT || code == EIO;
    const ql_status st = ql_fail(err, full ? QL_EIO : QL_ECREATE, "its copy in %s cannot be %s: %s",
                                 temp_folder(), doing, strerror(code));
    return ql_hint(err, st, "set TMPDIR to a folder with room");
}

/* A new file without a name. */
static ql_status open_copy(int *fd, ql_err *err)
{
    char name[PATH_MAX];
    *fd = open(temp_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0) return QL_OK;
    int len = snprintf(name, sizeof name, "%s/quell-XXXXXX", temp_folder());
    if (len < 0 || (size_t)len >= sizeof name) errno = ENAMETOOLONG;
    if (len >= 0 && (size_t)len < sizeof name) *fd = mkstemp(name);
    if (*fd < 0) return fail_write("made", err);
    (void)unlink(name);
    return QL_OK;
}

static ql_status write_all(int fd, const char *bytes, size_t n, ql_err *err)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return fail_write("written", err);
        bytes += done;
        n -= (size_t)done;
    }
    return QL_OK;
}

/* HDF5 begins at 0 or, behind a user block, at 512, 1024, 2048. */
static bool is_hdf5(const char *head, size_t n)
{
    for (size_t at = 0; at + 8 <= n; at = at ? at * 2 : 512)
        if (memcmp(head + at, "\x89HDF\r\n\x1a\n", 8) == 0) return true;
    return false;
}

/* Text or gzip. Of anything else the head is enough to say what it is. */
static bool may_be_read(const char *head, size_t n)
{
    if (n >= 2 && memcmp(head, "\x1f\x8b", 2) == 0) return true;
    return memchr(head, '\0', n) == NULL;
}

static ql_status check_head(const char *head, size_t n, ql_err *err)
{
    if (n == 0) return ql_fail(err, QL_EDATA, "is empty");
    if (!is_hdf5(head, n)) return QL_OK;
    ql_fail(err, QL_ENOINPUT, "is HDF5 through a pipe: that needs a file that can be sought");
    return ql_hint(err, QL_ENOINPUT, "save it to a file first and name that");
}

static ql_status copy_bytes(int from, int to, char *buf, ql_err *err)
{
    size_t got = 0;
    QL_TRY(read_some(from, buf, HEAD, &got, err));
    QL_TRY(check_head(buf, got, err));
    bool go_on = got == HEAD && may_be_read(buf, got);
    QL_TRY(write_all(to, buf, got, err));
    while (go_on) {
        QL_TRY(read_some(from, buf, CHUNK, &got, err));
        QL_TRY(write_all(to, buf, got, err));
        go_on = got == CHUNK;
    }
    return QL_OK;
}

/* The descriptor of the copy stays open to the end of the process: it is the file. */
static ql_status make_copy(int from, char *path, size_t cap, ql_err *err)
{
    char *buf = NULL;
    int to = -1;
    ql_status st;
    QL_GO(QL_NEW(buf, CHUNK, "a block of input", err));
    QL_GO(open_copy(&to, err));
    QL_GO(copy_bytes(from, to, buf, err));
    (void)snprintf(path, cap, "/proc/self/fd/%d", to);
    if (access(path, R_OK) != 0) st = fail_write("opened again", err);
out:
    ql_free(buf);
    if (st != QL_OK && to >= 0) (void)close(to);
    return st;
}

/* --- which inputs --- */

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* A file on standard input that nobody has read from is opened by itself. */
static bool is_fresh_file(const struct stat *s)
{
    return S_ISREG(s->st_mode) && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
}

static ql_status remember(const char *path, int fd, ql_input *in, ql_err *err)
{
    if (n_copies == MAX_COPIES)
        return ql_fail(err, QL_ENOINPUT, "is one pipe too many (%d at most)", MAX_COPIES);
    QL_TRY(make_copy(fd, copies[n_copies].path, sizeof copies[n_copies].path, err));
    (void)snprintf(copies[n_copies].given, sizeof copies[n_copies].given, "%s", path);
    in->path = copies[n_copies++].path;
    return QL_OK;
}

static ql_status find_stdin(const char *path, ql_input *in, ql_err *err)
{
    struct stat s;
    if (fstat(STDIN_FILENO, &s) != 0) return ql_fail(err, QL_ENOINPUT, "%s", strerror(errno));
    if (S_ISDIR(s.st_mode)) return ql_fail(err, QL_ENOINPUT, "is a folder");
    if (is_fresh_file(&s)) {
        /* under this name the writer of an h5ad can open it once more */
        in->path = in->shown = "/dev/stdin";
        return QL_OK;
    }
    return remember(path, STDIN_FILENO, in, err);
}

static ql_status find_pipe(const char *path, ql_input *in, ql_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ql_fail(err, QL_ENOINPUT, "%s", strerror(errno));
    ql_status st = remember(path, fd, in, err);
    (void)close(fd);
    return st;
}

ql_status ql_input_find(const char *path, ql_input *in, ql_err *err)
{
    struct stat s;
    *in = (ql_input){path, path};
    if (is_stdin(path)) in->shown = "<stdin>";
    for (int i = 0; i < n_copies; i++) {
        if (strcmp(copies[i].given, path) != 0) continue;
        in->path = copies[i].path;
        return QL_OK;
    }
    ql_status st = QL_OK;
    if (is_stdin(path))
        st = find_stdin(path, in, err);
    else if (stat(path, &s) == 0 && (S_ISFIFO(s.st_mode) || S_ISCHR(s.st_mode)))
        st = find_pipe(path, in, err);
    if (st != QL_OK) ql_context(err, st, "%s", in->shown);
    return st;
}

/* --- names in messages --- */

/* text with each copy's path replaced; at most cap bytes. */
static void replace(const ql_input *in, char *text, size_t cap)
{
    size_t n_old = strlen(in->path), n_new = strlen(in->shown), n = strlen(text);
    if (in->path == in->shown) return;
    for (char *at = text; (at = strstr(at, in->path)); at += n_new) {
        if (n - n_old + n_new >= cap) return;
        memmove(at + n_new, at + n_old, n - (size_t)(at - text) - n_old + 1);
        memcpy(at, in->shown, n_new);
        n = n - n_old + n_new;
    }
}

void ql_input_rename_err(const ql_input *in, ql_err *err)
{
    if (!err) return;
    replace(in, err->msg, sizeof err->msg);
    replace(in, err->hint, sizeof err->hint);
}

ql_status ql_input_rename(const ql_input *in, char **text, ql_err *err)
{
    char *copy = NULL;
    if (in->path == in->shown || !*text || !strstr(*text, in->path)) return QL_OK;
    size_t cap = strlen(*text) * (strlen(in->shown) + 1) + 1;
    QL_TRY(QL_NEW(copy, (int64_t)cap, "a text", err));
    memcpy(copy, *text, strlen(*text) + 1);
    replace(in, copy, cap);
    ql_free(*text);
    *text = copy;
    return QL_OK;
}

void ql_input_rename_notes(const ql_input *in, ql_notes *notes, int from)
{
    for (int i = from; notes && i < notes->n; i++)
        if (ql_input_rename(in, &notes->items[i].text, NULL) != QL_OK) return;
}
