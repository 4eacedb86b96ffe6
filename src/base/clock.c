/* Time and memory of this process. */
#include "quell/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"

double ql_clock_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

double ql_clock_cpu(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0) return 0;
    return seconds(use.ru_utime) + seconds(use.ru_stime);
}

/* What stands behind key in a file of /proc in kB, as bytes; 0 when it is not there. */
static int64_t proc_bytes(const char *path, const char *key)
{
    char line[256];
    int64_t bytes = 0;
    FILE *f = fopen(path, "r");

    if (!f) return 0;
    while (bytes == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            bytes = (int64_t)strtoll(line + strlen(key), NULL, 10) * 1024;
    fclose(f);
    return bytes;
}

/* By getrusage where the system has no /proc: there a program that another one starts may be given
 * that one's peak as its own. */
int64_t ql_peak_rss(void)
{
#ifdef __APPLE__
    const int64_t unit = 1;
#else
    const int64_t unit = 1024;
#endif
    struct rusage use;
    const int64_t own = proc_bytes("/proc/self/status", "VmHWM:");
    if (own > 0) return own;
    return getrusage(RUSAGE_SELF, &use) == 0 ? (int64_t)use.ru_maxrss * unit : 0;
}

/* Where the system does not tell what is available: all of its memory. */
static int64_t installed_memory(void)
{
#ifdef _SC_PHYS_PAGES
    int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? pages * size : 0;
#else
    return 0;
#endif
}

int64_t ql_memory_available(void)
{
    int64_t available = proc_bytes("/proc/meminfo", "MemAvailable:"), limit = ql_cgroup_memory("");
    if (available <= 0) available = installed_memory();
    if (available <= 0) return limit;
    return limit > 0 && limit < available ? limit : available;
}
