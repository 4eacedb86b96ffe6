#include "quell/cpu_count.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroup.h"

#ifdef __linux__
#include <sched.h>

/* Processors in a mask with room for `room`; -1: that room does not suffice; 0: other errors. */
static int count_mask(int room)
{
    cpu_set_t *set = CPU_ALLOC((size_t)room);
    if (!set) return 0;
    size_t size = CPU_ALLOC_SIZE((size_t)room);
    int n = 0;
    if (sched_getaffinity(0, size, set) == 0) {
        n = CPU_COUNT_S(size, set);
    } else if (errno == EINVAL) {
        n = -1;
    }
    CPU_FREE(set);
    return n;
}

static int affinity(void)
{
    const int most = 1 << 20;
    int n = -1;
    for (int room = 1024; n < 0 && room <= most; room *= 2) n = count_mask(room);
    return n;
}
#else
static int affinity(void)
{
    return 0;
}
#endif

static int cpus_allowed(void)
{
    int n = affinity();
    if (n <= 0) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? n : 1;
}

/* Whole processors of the quota: a thread more would be halted in every period. 0: none is set. */
static int quota(void)
{
    double cpus = ql_cgroup_cpus("");
    if (!(cpus > 0) || cpus >= INT_MAX) return 0;
    return cpus < 1 ? 1 : (int)cpus;
}

int ql_cpus_usable(void)
{
    int allowed = cpus_allowed(), limit = quota();
    return limit > 0 && limit < allowed ? limit : allowed;
}

/* A positive number at the start of a variable ("4", "4,2"), or 0. */
static int from_environment(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text) return 0;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || n <= 0 || n > INT_MAX) return 0;
    return *end == '\0' || *end == ',' || *end == ' ' ? (int)n : 0;
}

int ql_threads_default(const char **why)
{
    const struct {
        const char *why;
        int n; /* 0: says nothing */
    } sources[] = {
        {"SLURM_CPUS_PER_TASK", from_environment("SLURM_CPUS_PER_TASK")},
        {"OMP_NUM_THREADS", from_environment("OMP_NUM_THREADS")},
        {"the processors this process may use", cpus_allowed()},
        {"the cgroup's CPU quota", quota()},
    };
    int best = 0;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (sources[i].n == 0 || (best > 0 && sources[i].n >= best)) continue;
        best = sources[i].n;
        if (why) *why = sources[i].why;
    }
    return best;
}
