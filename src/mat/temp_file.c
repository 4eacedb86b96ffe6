#include "temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"

static ql_status name_file(ql_temp_file *t, const char *folder, ql_err *err)
{
    int64_t n = (int64_t)strlen(folder) + 1;
    QL_TRY(QL_NEW(t->folder, n, "a path", err));
    memcpy(t->folder, folder, (size_t)n);
    QL_TRY(QL_NEW(t->path, n + 32, "a path", err));
    (void)snprintf(t->path, (size_t)n + 32, "%s/.quell-cache-XXXXXX", folder);
    return QL_OK;
}

static void forget_name(ql_temp_file *t)
{
    if (!t->path) return;
    if (unlink(t->path) != 0 && errno != ENOENT) return; /* some systems keep open files */
    ql_tempfile_forget(t->path);
    ql_free(t->path);
    t->path = NULL;
}

static ql_status open_file(ql_temp_file *t, ql_err *err)
{
    t->fd = mkstemp(t->path);
    if (t->fd < 0) {
        ql_fail(err, QL_ECREATE, "%s: cannot make a temporary file: %s", t->folder,
                strerror(errno));
        ql_free(t->path);
        t->path = NULL;
        return ql_hint(err, QL_ECREATE, "--tmpdir names another folder");
    }
    (void)fcntl(t->fd, F_SETFD, FD_CLOEXEC);
    ql_tempfile_register(t->path);
    forget_name(t);
    return QL_OK;
}

ql_status ql_temp_open(ql_temp_file *t, const char *folder, ql_err *err)
{
    *t = (ql_temp_file){.fd = -1};
    ql_status st = name_file(t, folder, err);
    return st == QL_OK ? open_file(t, err) : st;
}

void ql_temp_close(ql_temp_file *t)
{
    if (t->fd >= 0) close(t->fd);
    t->fd = -1;
    forget_name(t);
    ql_free(t->path);
    ql_free(t->folder);
    t->path = t->folder = NULL;
}

ql_status ql_temp_write(ql_temp_file *t, const uint8_t *bytes, int64_t n, ql_err *err)
{
    for (int64_t done = 0; done < n;) {
        ssize_t some = write(t->fd, bytes + done, (size_t)(n - done));
        if (some < 0 && errno == EINTR) continue;
        if (some == 0) errno = ENOSPC;
        if (some <= 0) {
            ql_fail(err, QL_EIO, "%s: the temporary cache of the counts cannot be written: %s",
                    t->folder, strerror(errno));
            return ql_hint(err, QL_EIO, "--tmpdir names a folder with more room");
        }
        done += some;
    }
    return ql_interrupt_check(err);
}

int ql_temp_read(const ql_temp_file *t, int64_t from, int64_t n, uint8_t *bytes)
{
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(t->fd, bytes + done, (size_t)(n - done), (off_t)(from + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : EIO;
        done += got;
    }
    return 0;
}
