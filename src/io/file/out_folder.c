#include "out_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/strbuf.h"

enum {
    MAX_NAMES = 100, /* temporaries of killed runs with our process number, stepped over */
    NAME_KEPT = 200, /* bytes of the target's name in the temporary's: NAME_MAX is 255 */
};

/* ---- paths ---- */

static ql_status joined(char **out, ql_err *err, const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    QL_TRY(ql_new_((void **)out, (int64_t)n, 1, "a path", err));
    snprintf(*out, n, "%s/%s", folder, name);
    return QL_OK;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "a/b" -> "a", "/b" -> "/", "b" -> "." into buf of PATH_MAX. */
static const char *parent_of(const char *path, char *buf)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!slash) return ".";
    if (n == 0) return "/";
    if (n >= PATH_MAX) n = PATH_MAX - 1;
    memcpy(buf, path, n);
    buf[n] = '\0';
    return buf;
}

static ql_status find_target(ql_out_folder *f, ql_err *err)
{
    char real[PATH_MAX];
    QL_TRY(ql_text_copy(f->path, &f->target, err));
    size_t n = strlen(f->target);
    while (n > 1 && f->target[n - 1] == '/') f->target[--n] = '\0';
    const char *name = name_of(f->target);
    if (*name == '\0' || !strcmp(name, ".") || !strcmp(name, "..") || n >= PATH_MAX)
        return ql_fail(err, QL_EUSAGE, "the output needs the name of a folder (it is \"%s\")",
                       f->path);
    if (!realpath(f->target, real)) return QL_OK; /* it is to be made */
    ql_free(f->target);
    f->target = NULL;
    return ql_text_copy(real, &f->target, err);
}

/* ---- is it free? ---- */

static bool same_file(const struct stat *a, const char *path)
{
    struct stat b;
    return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool is_member(const ql_out_folder *f, const char *name)
{
    for (const char *const *m = f->members; *m; m++)
        if (strcmp(*m, name) == 0) return true;
    return false;
}

/* How many members the folder holds, and a name that is none of them ("" for none). */
static ql_status look_into(const ql_out_folder *f, int *n_members, ql_str *foreign, ql_err *err)
{
    DIR *dir = opendir(f->target);
    if (!dir) return ql_fail(err, QL_ECREATE, "%s: %s", f->path, strerror(errno));
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (is_member(f, e->d_name))
            ++*n_members;
        else if (foreign->len == 0)
            ql_str_escape(foreign, e->d_name, strlen(e->d_name));
    }
    closedir(dir);
    return QL_OK;
}

static ql_status check_contents(const ql_out_folder *f, ql_err *err)
{
    int n_members = 0;
    ql_str foreign = {0};
    ql_status st = look_into(f, &n_members, &foreign, err);
    if (st == QL_OK && foreign.len > 0) {
        ql_fail(err, QL_ECREATE, "%s: exists and holds other files (%s)", f->path, foreign.text);
        st = ql_hint(err, QL_ECREATE, "name a folder that does not exist yet");
    } else if (st == QL_OK && n_members > 0 && !f->force) {
        ql_fail(err, QL_ECREATE, "%s: exists already", f->path);
        st = ql_hint(err, QL_ECREATE, "--force replaces it");
    }
    ql_str_free(&foreign);
    return st;
}

static ql_status check_target(const ql_out_folder *f, const char *in_path, ql_err *err)
{
    char buf[PATH_MAX];
    struct stat sb;
    if (stat(f->target, &sb) != 0) {
        if (errno == ENOENT && lstat(f->target, &sb) != 0) return QL_OK;
        if (errno == ENOENT)
            return ql_fail(err, QL_ECREATE, "%s: is a link to a folder that does not exist",
                           f->path);
        return ql_fail(err, QL_ECREATE, "%s: %s", f->path, strerror(errno));
    }
    if (!S_ISDIR(sb.st_mode)) {
        ql_fail(err, QL_ECREATE, "%s: is no folder, and this format is one", f->path);
        return ql_hint(err, QL_ECREATE, "name a folder that does not exist yet");
    }
    if (in_path && (same_file(&sb, in_path) || same_file(&sb, parent_of(in_path, buf)))) {
        ql_fail(err, QL_EUSAGE, "%s: is the input's folder", f->path);
        return ql_hint(err, QL_EUSAGE, "choose another name for the output");
    }
    return check_contents(f, err);
}

/* ---- the temporary ---- */

static ql_status cannot_create(const ql_out_folder *f, const char *parent, int error, ql_err *err)
{
    ql_fail(err, QL_ECREATE, "%s: cannot make a folder in %s: %s", f->path, parent,
            strerror(error));
    return error == ENOENT ? ql_hint(err, QL_ECREATE, "mkdir -p '%s'", parent) : QL_ECREATE;
}

static ql_status make_tmp(ql_out_folder *f, ql_err *err)
{
    char buf[PATH_MAX], name[NAME_KEPT + 64];
    const char *parent = parent_of(f->target, buf);
    int error = 0;
    for (int i = 0; i < MAX_NAMES; i++) {
        snprintf(name, sizeof name, ".%.*s.%ld.%d.tmp", NAME_KEPT, name_of(f->target),
                 (long)getpid(), i);
        QL_TRY(joined(&f->tmp, err, parent, name));
        if (mkdir(f->tmp, 0777) == 0) return QL_OK;
        error = errno;
        ql_free(f->tmp);
        f->tmp = NULL;
        if (error != EEXIST) break;
    }
    return cannot_create(f, parent, error, err);
}

/* A second signal removes files first, then the folders that are empty. */
static ql_status register_all(const ql_out_folder *f, void (*what)(const char *), ql_err *err)
{
    for (const char *const *m = f->members; *m; m++) {
        char *path = NULL;
        QL_TRY(joined(&path, err, f->tmp, *m));
        what(path);
        ql_free(path);
    }
    what(f->tmp);
    return QL_OK;
}

ql_status ql_outdir_begin(ql_out_folder *f, const char *path, const char *in_path,
                          const char *const *members, bool force, ql_err *err)
{
    ql_status st;
    *f = (ql_out_folder){.members = members, .force = force};
    QL_GO(ql_text_copy(path, &f->path, err));
    QL_GO(find_target(f, err));
    QL_GO(check_target(f, in_path, err));
    QL_GO(make_tmp(f, err));
    QL_GO(register_all(f, ql_tempfile_register, err));
out:
    if (st != QL_OK) ql_outdir_abort(f);
    return st;
}

ql_status ql_outdir_member(const ql_out_folder *f, int i, ql_out_file *file, ql_err *err)
{
    char *path = NULL;
    QL_TRY(joined(&path, err, f->tmp, f->members[i]));
    ql_status st = ql_out_begin(file, path, NULL, false, err);
    ql_free(path);
    QL_TRY(st);
    ql_free(file->path); /* messages are about the name the file will have */
    file->path = NULL;
    st = joined(&file->path, err, f->path, f->members[i]);
    if (st != QL_OK) ql_out_abort(file);
    return st;
}

/* ---- the end ---- */

static void remove_folder(const ql_out_folder *f, const char *folder)
{
    for (const char *const *m = f->members; *m; m++) {
        char *path = NULL;
        if (joined(&path, NULL, folder, *m) == QL_OK) unlink(path);
        ql_free(path);
    }
    rmdir(folder);
}

static void release(ql_out_folder *f)
{
    if (f->tmp) (void)register_all(f, ql_tempfile_forget, NULL);
    ql_free(f->path);
    ql_free(f->target);
    ql_free(f->tmp);
    *f = (ql_out_folder){0};
}

void ql_outdir_abort(ql_out_folder *f)
{
    if (f->tmp) remove_folder(f, f->tmp);
    release(f);
}

static void sync_parent(const char *path)
{
    char buf[PATH_MAX];
    int fd = open(parent_of(path, buf), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

/* The old folder steps aside for the new one, and back if that fails. */
static ql_status replace(ql_out_folder *f, ql_err *err)
{
    char *aside = NULL;
    size_t n = strlen(f->tmp) + 8;
    QL_TRY(ql_new_((void **)&aside, (int64_t)n, 1, "a path", err));
    snprintf(aside, n, "%s.old", f->tmp);
    ql_status st = QL_OK;
    if (rename(f->target, aside) != 0 || rename(f->tmp, f->target) != 0) {
        st = ql_fail(err, QL_ECREATE, "%s: cannot be replaced: %s", f->path, strerror(errno));
        (void)rename(aside, f->target);
    } else {
        remove_folder(f, aside);
    }
    ql_free(aside);
    return st;
}

ql_status ql_outdir_commit(ql_out_folder *f, ql_err *err)
{
    ql_status st = QL_OK;
    int error = 0;
    if (rename(f->tmp, f->target) != 0) error = errno; /* goes over an empty folder, too */
    if (error == ENOTEMPTY || error == EEXIST) {
        QL_GO(check_target(f, NULL, err)); /* it may have been filled during the run */
        QL_GO(replace(f, err));
    } else if (error) {
        QL_GO(ql_fail(err, QL_ECREATE, "%s: cannot rename the finished folder: %s", f->path,
                      strerror(error)));
    }
    sync_parent(f->target);
    release(f);
    return QL_OK;
out:
    ql_outdir_abort(f);
    return st;
}
