#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILES = 10000 };

bool ql_is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool ql_is_file(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

bool ql_join(const char *folder, const char *name, char *out, size_t cap)
{
    size_t n = strlen(folder);
    const char *slash = n && folder[n - 1] == '/' ? "" : "/";
    int len = snprintf(out, cap, "%s%s%s", folder, slash, name);
    return len >= 0 && (size_t)len < cap;
}

bool ql_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static int skip_dots(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

ql_status ql_folder_list(const char *path, ql_names *out, ql_err *err)
{
    struct dirent **list = NULL;
    ql_status st = QL_OK;
    int n = scandir(path, &list, skip_dots, by_bytes);
    if (n < 0) return ql_fail(err, QL_ENOINPUT, "cannot be listed: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        if (st == QL_OK && i < MAX_FILES)
            st = ql_names_add(out, list[i]->d_name, strlen(list[i]->d_name), err);
        free(list[i]);
    }
    free(list);
    return st;
}
