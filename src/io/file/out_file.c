#include "out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/output_check.h"

enum {
    MAX_LINKS = 40,  /* the kernel's own limit on following links */
    MAX_NAMES = 100, /* temporaries of killed runs with our process number, stepped over */
    NAME_KEPT = 200, /* bytes of the target's name in the temporary's: NAME_MAX is 255 */
    COPY_BLOCK = 1 << 20,
    COPY_RANGE = 1 << 26, /* between two looks at the interrupt flag */
};

static ql_status join(char **out, ql_err *err, const char *a, const char *b, const char *c)
{
    size_t n = strlen(a) + strlen(b) + strlen(c) + 1;
    QL_TRY(ql_new_((void **)out, (int64_t)n, 1, "a path", err));
    snprintf(*out, n, "%s%s%s", a, b, c);
    return QL_OK;
}

/* Folder part of path, without the name: "" becomes ".", "/" stays. */
static ql_status folder_of(const char *path, char **out, ql_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return join(out, err, ".", "", "");
    QL_TRY(join(out, err, path, "", ""));
    (*out)[slash == path ? 1 : slash - path] = '\0';
    return QL_OK;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What the link at *path points to, replacing *path; *is_link says whether there was one. */
static ql_status follow_link(char **path, bool *is_link, ql_err *err)
{
    char text[PATH_MAX];
    struct stat sb;
    char *folder = NULL, *next = NULL;
    ql_status st = QL_OK;

    *is_link = lstat(*path, &sb) == 0 && S_ISLNK(sb.st_mode);
    if (!*is_link) return QL_OK;
    ssize_t n = readlink(*path, text, sizeof text - 1);
    if (n < 0) return ql_fail(err, QL_ECREATE, "%s: %s", *path, strerror(errno));
    text[n] = '\0';
    QL_GO(folder_of(*path, &folder, err));
    QL_GO(text[0] == '/' ? join(&next, err, text, "", "") : join(&next, err, folder, "/", text));
    ql_free(*path);
    *path = next;
out:
    ql_free(folder);
    return st;
}

/* A dangling link is followed too: the file it names is the one to create. */
static ql_status resolve(const char *path, char **out, ql_err *err)
{
    bool is_link = true;
    QL_TRY(join(out, err, path, "", ""));
    for (int i = 0; i < MAX_LINKS && is_link; i++) {
        ql_status st = follow_link(out, &is_link, err);
        if (st != QL_OK) return st;
    }
    if (is_link) return ql_fail(err, QL_ECREATE, "%s: too many levels of symbolic links", path);
    return QL_OK;
}

/* Names of the standard streams, which may lead to a regular file that is open elsewhere. */
static bool is_stream(const char *path)
{
    static const char *const streams[] = {"/dev/std", "/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (strncmp(path, streams[i], strlen(streams[i])) == 0) return true;
    return strcmp(path, "-") == 0;
}

static ql_status check_name(const char *path, ql_err *err)
{
    const char *name = name_of(path);
    if (*name == '\0' && *path != '\0') {
        return ql_fail(err, QL_ECREATE, "%s: is the name of a folder, not of a file", path);
    }
    if (*name != '\0' && !is_stream(path)) return QL_OK;
    ql_fail(err, QL_EUSAGE, "the output needs a file name (it is \"%s\")", path);
    return ql_hint(err, QL_EUSAGE,
                   "it is written under a temporary name and renamed: no pipe will do");
}

static ql_status check_existing(const char *path, const struct stat *sb, const char *in_path,
                                bool force, ql_err *err)
{
    struct stat in;
    if (S_ISDIR(sb->st_mode)) return ql_fail(err, QL_ECREATE, "%s: is a folder", path);
    if (!S_ISREG(sb->st_mode)) {
        ql_fail(err, QL_EUSAGE, "%s: is not a regular file (a pipe or device)", path);
        return ql_hint(err, QL_EUSAGE, "write to a file, then copy it");
    }
    if (in_path && stat(in_path, &in) == 0 && in.st_dev == sb->st_dev && in.st_ino == sb->st_ino) {
        ql_fail(err, QL_EUSAGE, "%s: is the input file", path);
        return ql_hint(err, QL_EUSAGE, "choose another name for the output");
    }
    if (force) return QL_OK;
    ql_fail(err, QL_ECREATE, "%s: exists already", path);
    return ql_hint(err, QL_ECREATE, "--force replaces it");
}

static ql_status check_target(const char *path, const char *in_path, bool force, ql_err *err)
{
    struct stat sb;
    QL_TRY(check_name(path, err));
    if (stat(path, &sb) == 0) return check_existing(path, &sb, in_path, force, err);
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return QL_OK;
    return ql_fail(err, QL_ECREATE, "%s: %s", path, strerror(errno));
}

/* A missing folder is the usual reason, and open() does not say which part is missing. */
static ql_status cannot_create(const ql_out_file *f, int error, ql_err *err)
{
    struct stat sb;
    if (stat(f->folder, &sb) != 0) {
        ql_fail(err, QL_ECREATE, "%s: folder %s: %s", f->path, f->folder, strerror(errno));
        return errno == ENOENT ? ql_hint(err, QL_ECREATE, "mkdir -p '%s'", f->folder) : QL_ECREATE;
    }
    if (!S_ISDIR(sb.st_mode)) {
        return ql_fail(err, QL_ECREATE, "%s: %s is not a folder", f->path, f->folder);
    }
    return ql_fail(err, QL_ECREATE, "%s: cannot create a file in folder %s: %s", f->path, f->folder,
                   strerror(error));
}

static ql_status create_tmp(ql_out_file *f, ql_err *err)
{
    const char *name = name_of(f->target);
    size_t size = strlen(f->folder) + NAME_KEPT + 64;

    QL_TRY(ql_new_((void **)&f->tmp, (int64_t)size, 1, "a path", err));
    for (int i = 0; i < MAX_NAMES; i++) {
        int n = snprintf(f->tmp, size, "%s/.%.*s.%ld", f->folder, NAME_KEPT, name, (long)getpid());
        if (i > 0) n += snprintf(f->tmp + n, size - (size_t)n, ".%d", i);
        snprintf(f->tmp + n, size - (size_t)n, ".tmp");
        f->fd = open(f->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0) return QL_OK;
        if (errno != EEXIST) break;
    }
    int error = errno;
    ql_free(f->tmp);
    f->tmp = NULL;
    return cannot_create(f, error, err);
}

ql_status ql_out_begin(ql_out_file *f, const char *path, const char *in_path, bool force,
                       ql_err *err)
{
    ql_status st;

    *f = (ql_out_file){.fd = -1, .force = force};
    QL_GO(check_target(path, in_path, force, err));
    QL_GO(join(&f->path, err, path, "", ""));
    QL_GO(resolve(path, &f->target, err));
    QL_GO(folder_of(f->target, &f->folder, err));
    QL_GO(create_tmp(f, err));
    ql_tempfile_register(f->tmp);
out:
    if (st != QL_OK) ql_out_abort(f);
    return st;
}

ql_status ql_output_check(const char *out_path, const char *in_path, bool force, ql_err *err)
{
    ql_out_file probe;
    /* Permissions, read-only mounts, quotas and server-side rules: trying is the only sure test. */
    QL_TRY(ql_out_begin(&probe, out_path, in_path, force, err));
    ql_out_abort(&probe);
    return QL_OK;
}

static ql_status write_failed(const ql_out_file *f, ql_err *err)
{
    return ql_fail(err, QL_EIO, "%s: cannot write: %s", f->path, strerror(errno));
}

static ql_status write_all(ql_out_file *f, const char *bytes, size_t n, ql_err *err)
{
    while (n > 0) {
        ssize_t done = write(f->fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return write_failed(f, err);
        bytes += done;
        n -= (size_t)done;
    }
    return QL_OK;
}

ql_status ql_out_write(ql_out_file *f, const void *bytes, size_t n, ql_err *err)
{
    return write_all(f, bytes, n, err);
}

/* Blocks shared or moved inside the kernel as far as the file system goes along; what is left is
 * for the plain loop, which starts where this stopped. */
static ql_status copy_in_kernel(ql_out_file *f, int from, int64_t size, ql_err *err)
{
#ifdef FICLONE
    if (ioctl(f->fd, FICLONE, from) == 0) {
        return lseek(from, 0, SEEK_END) < 0 ? write_failed(f, err) : QL_OK;
    }
#endif
#ifdef __linux__
    for (int64_t left = size; left > 0;) {
        QL_TRY(ql_interrupt_check(err));
        size_t want = left < COPY_RANGE ? (size_t)left : COPY_RANGE;
        ssize_t done = copy_file_range(from, NULL, f->fd, NULL, want, 0);
        if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
            return write_failed(f, err);
        }
        if (done <= 0) break;
        left -= done;
    }
#endif
    return QL_OK;
}

static ql_status copy_rest(ql_out_file *f, int from, const char *source, ql_err *err)
{
    char *block = NULL;
    ql_status st;

    QL_GO(ql_new_((void **)&block, COPY_BLOCK, 1, "the copy of the input", err));
    for (;;) {
        QL_GO(ql_interrupt_check(err));
        ssize_t n = read(from, block, COPY_BLOCK);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) QL_GO(ql_fail(err, QL_ENOINPUT, "%s: %s", source, strerror(errno)));
        if (n == 0) break;
        QL_GO(write_all(f, block, (size_t)n, err));
    }
out:
    ql_free(block);
    return st;
}

ql_status ql_out_copy(ql_out_file *f, const char *source, ql_err *err)
{
    struct stat sb;
    ql_status st;
    int from = open(source, O_RDONLY | O_CLOEXEC);

    if (from < 0) return ql_fail(err, QL_ENOINPUT, "%s: %s", source, strerror(errno));
    if (fstat(from, &sb) != 0) {
        QL_GO(ql_fail(err, QL_ENOINPUT, "%s: %s", source, strerror(errno)));
    }
    QL_GO(copy_in_kernel(f, from, (int64_t)sb.st_size, err));
    QL_GO(copy_rest(f, from, source, err));
out:
    close(from);
    return st;
}

ql_status ql_out_room(const ql_out_file *f, int64_t bytes, ql_err *err)
{
    struct statvfs vfs;
    if (fstatvfs(f->fd, &vfs) != 0) return QL_OK; /* unknown: the write itself will tell */
    double free_bytes = (double)vfs.f_bavail * (double)vfs.f_frsize;
    if ((double)bytes <= free_bytes) return QL_OK;
    ql_fail(err, QL_EIO, "needs %.2f GB more, folder %s has %.2f GB left", (double)bytes / 1e9,
            f->folder, free_bytes / 1e9);
    return ql_hint(err, QL_EIO, "free some space, write elsewhere, or store fewer genes");
}

static void release(ql_out_file *f)
{
    if (f->fd >= 0 && f->tmp) close(f->fd);
    ql_free(f->path);
    ql_free(f->target);
    ql_free(f->folder);
    ql_free(f->tmp);
    *f = (ql_out_file){.fd = -1};
}

void ql_out_abort(ql_out_file *f)
{
    if (f->tmp) {
        unlink(f->tmp);
        ql_tempfile_forget(f->tmp);
    }
    release(f);
}

/* A rename that is in the journal only is lost by a power cut. Not every file system can sync a
 * folder, so that failure is none. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

/* Somebody else's file may have appeared during the run. */
static ql_status check_still_free(const ql_out_file *f, ql_err *err)
{
    struct stat sb;
    if (f->force || stat(f->target, &sb) != 0) return QL_OK;
    ql_fail(err, QL_ECREATE, "%s: was created by another program during the run", f->path);
    return ql_hint(err, QL_ECREATE, "--force replaces it");
}

ql_status ql_out_commit(ql_out_file *f, ql_err *err)
{
    ql_status st;

    if (fsync(f->fd) != 0) QL_GO(write_failed(f, err));
    QL_GO(check_still_free(f, err));
    if (rename(f->tmp, f->target) != 0) {
        QL_GO(ql_fail(err, QL_ECREATE, "%s: cannot rename the finished file: %s", f->path,
                      strerror(errno)));
    }
    ql_tempfile_forget(f->tmp);
    sync_folder(f->folder);
out:
    if (st != QL_OK) ql_out_abort(f);
    release(f);
    return st;
}
