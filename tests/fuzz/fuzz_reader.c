/* Files and folders of any bytes through the readers. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "fuzz.h"
/* ---- one file: settings, then its bytes ---- */

void fz_file(const char *argument, const uint8_t *data, size_t size)
{
    fz_bytes b = {data, data + size};
    fz_settings s = fz_take_settings(&b);
    const char *path = fz_file_with(b.at, fz_left(&b));
    if (!path) return;
    fz_read(path, NULL, &s);
    fz_read(path, argument, &s);
}

/* ---- a folder: settings, then files one after the other ----
 * A file is its name and a NUL, its length in two bytes, its bytes. '!' before the name: the bytes
 * are stored as gzip (so that mutations reach what is inside). '/' in a name makes folders. */

enum { MAX_NAME = 100, MAX_FILES = 16, MAX_PATH = 700 };

static bool fit_for_a_path(const char *name)
{
    return *name && *name != '/' && !strstr(name, "..") && !strstr(name, "//");
}

static void make_parents(char *path, size_t from)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

static bool put_gzip(const char *path, const uint8_t *bytes, unsigned n)
{
    gzFile f = gzopen(path, "wb1");
    if (!f) return false;
    if (n) (void)gzwrite(f, bytes, n);
    return gzclose(f) == Z_OK;
}

static bool put_plain(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    if (n) (void)fwrite(bytes, 1, n, f);
    return fclose(f) == 0;
}

/* The next file of the input; its path into `path`. */
static bool unpack_one(fz_bytes *b, const char *folder, char path[MAX_PATH])
{
    char word[MAX_NAME + 2];
    (void)fz_word(b, word, sizeof word);
    bool gzip = *word == '!';
    const char *name = word + gzip;
    size_t n = fz_u16(b);
    if (n > fz_left(b)) n = fz_left(b);
    const uint8_t *bytes = b->at;
    b->at += n;
    if (!fit_for_a_path(name)) return false;
    (void)snprintf(path, MAX_PATH, "%s/%s", folder, name);
    make_parents(path, strlen(folder) + 1);
    return gzip ? put_gzip(path, bytes, (unsigned)n) : put_plain(path, bytes, n);
}

static int remove_below(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
    (void)s, (void)type;
    return ftw->level > 0 ? remove(path) : 0;
}

void fz_folder(const char *argument, const uint8_t *data, size_t size)
{
    fz_bytes b = {data, data + size};
    fz_settings s = fz_take_settings(&b);
    char folder[MAX_PATH - MAX_NAME - 8], path[MAX_PATH], first[MAX_PATH] = "";
    (void)snprintf(folder, sizeof folder, "%s/folder", fz_scratch());
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return;
    for (int i = 0; i < MAX_FILES && fz_left(&b); i++)
        if (unpack_one(&b, folder, path) && !*first) memcpy(first, path, sizeof first);
    fz_read(folder, NULL, &s);
    if (argument) fz_read(folder, argument, &s);
    if (*first) fz_read(first, argument, &s); /* with the others beside it */
    (void)nftw(folder, remove_below, 8, FTW_DEPTH | FTW_PHYS);
}
