/* Limits that Linux control groups (containers, batch systems) set on this process. Private to
 * src/base. On other systems nothing is limited. */
#ifndef QUELL_BASE_CGROUP_H
#define QUELL_BASE_CGROUP_H

#include <stdint.h>

/* root is put in front of /proc and /sys: "" except in tests. The limits of all parent groups
 * count, in version 2 and version 1 hierarchies. */

/* Processors' worth of time, e.g. 1.5; 0: not limited. */
double ql_cgroup_cpus(const char *root);

/* Bytes; 0: not limited. */
int64_t ql_cgroup_memory(const char *root);

#endif
