/* Decisions from bytes, files and a folder for the targets. */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

uint8_t fz_u8(fz_bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

uint32_t fz_u16(fz_bytes *b)
{
    uint32_t low = fz_u8(b);
    return low | (uint32_t)fz_u8(b) << 8;
}

size_t fz_word(fz_bytes *b, char *out, size_t cap)
{
    const uint8_t *nul = fz_left(b) ? memchr(b->at, 0, fz_left(b)) : NULL;
    const uint8_t *end = nul ? nul : b->end;
    size_t n = (size_t)(end - b->at);
    size_t kept = n < cap ? n : cap - 1;
    if (kept) memcpy(out, b->at, kept);
    out[kept] = '\0';
    b->at = nul ? nul + 1 : b->end;
    return kept;
}

/* ---- the folder ---- */

static char scratch[512];

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
    (void)s, (void)type, (void)ftw;
    return remove(path);
}

static void remove_scratch(void)
{
    (void)nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fz_scratch(void)
{
    const char *base = getenv("TMPDIR");
    if (*scratch) return scratch;
    (void)snprintf(scratch, sizeof scratch, "%s/quell-fuzz-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(scratch)) {
        perror(scratch);
        exit(1);
    }
    (void)atexit(remove_scratch);
    return scratch;
}

/* ---- the file ---- */

/* It has a name, since libhdf5 asks for the real path of what it opens. */
const char *fz_file_with(const void *bytes, size_t n)
{
    static char path[600];
    static int fd = -1;
    if (fd < 0) {
        (void)snprintf(path, sizeof path, "%s/input", fz_scratch());
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0) return NULL;
    return pwrite(fd, bytes, n, 0) == (ssize_t)n ? path : NULL;
}
