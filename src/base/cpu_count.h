/* Processors this process may use. Private to src/base. */
#ifndef QUELL_BASE_CPU_COUNT_H
#define QUELL_BASE_CPU_COUNT_H

/* Processors in the affinity mask, or those online where there is no such thing, bounded by the
 * cgroup quota: how many threads can run at one time. At least 1. */
int ql_cpus_usable(void);

#endif
