/* A new empty file in $TMPDIR for a test to use; the test removes it. */
#ifndef QL_TEST_SCRATCH_FILE_H
#define QL_TEST_SCRATCH_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCRATCH_PATH = 512 };

static inline void scratch_file(char path[SCRATCH_PATH])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, SCRATCH_PATH, "%s/quell-test-XXXXXX", base ? base : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    close(fd);
}

#endif
