/* Wall and processor time, memory in use: figures for the last lines of a run, never for a result.
 */
#ifndef QUELL_CLOCK_H
#define QUELL_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

double ql_clock_wall(void); /* seconds, monotonic */
double ql_clock_cpu(void);  /* user + system seconds of this process */
int64_t ql_peak_rss(void);  /* bytes; highest resident set of this process so far */
int64_t ql_memory_available(
    void); /* bytes: the smaller of the cgroup's limit and MemAvailable; 0: unknown */

#ifdef __cplusplus
}
#endif
#endif
