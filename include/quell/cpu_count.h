/* How many processors there are for us, and how many threads to use. */
#ifndef QUELL_CPU_COUNT_H
#define QUELL_CPU_COUNT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Processors in the affinity mask, or those online where there is no such thing, bounded by the
 * cgroup quota: how many threads can run at one time. At least 1. */
int ql_cpus_usable(void);

/* Threads to use when the user names none: the smallest of SLURM_CPUS_PER_TASK, OMP_NUM_THREADS,
 * the affinity mask and the cgroup CPU quota (at least 1). *why (may be NULL) is set to a static
 * text that says which of them decided. */
int ql_threads_default(const char **why);

#ifdef __cplusplus
}
#endif
#endif
