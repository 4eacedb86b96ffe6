/* How many threads and how much memory a run may use, and who said so. */
#include <stdlib.h>

#include "command_internal.h"
#include "quell/clock.h"
#include "quell/cpu_count.h"

static const char *who(const ql_opts *opts, const char *name, const char *variable,
                       const char *option)
{
    const ql_opt_source source = ql_opts_source(opts, name);
    return source == QL_SRC_CLI   ? option
           : source == QL_SRC_ENV ? variable
                                  : ql_opt_source_text(source);
}

/* A positive number, or 0 if the variable holds none that makes sense (below 2^31). */
static int64_t variable(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    long long v = text && *text ? strtoll(text, &end, 10) : 0;
    return end && *end == '\0' && v > 0 && v < (1LL << 31) ? v : 0;
}

/* Slurm counts in MiB; a number that would overflow is none. */
static int64_t slurm_memory(const char **from)
{
    int64_t node = variable("SLURM_MEM_PER_NODE");
    int64_t cpu = variable("SLURM_MEM_PER_CPU");
    int64_t cpus = variable("SLURM_CPUS_ON_NODE");
    *from = node ? "SLURM_MEM_PER_NODE" : "SLURM_MEM_PER_CPU";
    int64_t mib = node ? node : cpus > 1 ? cpu * cpus : cpu;
    return mib < (1LL << 40) ? mib << 20 : 0;
}

static int64_t memory_default(const char **from)
{
    int64_t bytes = slurm_memory(from);
    if (bytes > 0) return bytes;
    *from = "80 % of what is available";
    return ql_memory_available() / 5 * 4;
}

void ql_run_resources(ql_run *run, const ql_common_args *common)
{
    run->threads = common->threads;
    run->threads_from = who(run->opts, "threads", "QUELL_THREADS", "--threads");
    if (run->threads < 1) run->threads = ql_threads_default(&run->threads_from);
    run->memory = common->memory;
    run->memory_from = who(run->opts, "memory", "QUELL_MEMORY", "--memory");
    if (run->memory < 1) run->memory = memory_default(&run->memory_from);
}
