/* The options every command has, and the seed of those that draw random numbers. */
#include <math.h>

#include "quell/command.h"

const ql_option ql_run_rows[] = {
    {.name = "threads",
     QL_INT_AT(ql_common_args, threads),
     .min = 1,
     .max = 65536,
     .unset = "what the job may use",
     .group = "Run",
     .bits = QL_OPT_VOLATILE,
     .help = "number of threads; results do not depend on it",
     .more =
         "Unset, the smallest of SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, the affinity mask and the "
         "processor quota of the control group is taken; the log says which."},
    {.name = "memory",
     QL_BYTES_AT(ql_common_args, memory),
     .min = 1 << 20,
     .max = 1e18,
     .unset = "what the job may use",
     .group = "Run",
     .bits = QL_OPT_VOLATILE,
     .help = "upper bound on memory, such as 800M or 24G",
     .more =
         "Unset, the memory granted by Slurm is taken, or else 80 % of what the control group and "
         "the machine have left. A run that cannot fit says so before it starts and exits with "
         "137."},
    {.name = "summary",
     QL_STRING_AT(ql_common_args, summary),
     .unit = "FILE",
     .group = "Run",
     .bits = QL_OPT_VOLATILE,
     .help = "write facts of the run as JSON, also when it fails",
     .more =
         "Time, memory, host, command line, options, metrics, warnings and exit reason: what may "
         "differ between two runs with the same result."},
    {.name = "config",
     QL_STRING_AT(ql_common_args, config),
     .unit = "FILE",
     .group = "Run",
     .bits = QL_OPT_VOLATILE | QL_OPT_META,
     .help = "read options from a file",
     .more =
         "A JSON object or lines of 'option = value', keys being long option names without dashes. "
         "Order of strength: default, --like, --config, QUELL_* environment, command line."},
    {.name = "print-config",
     QL_FLAG_AT(ql_common_args, print_config),
     .group = "Run",
     .bits = QL_OPT_VOLATILE | QL_OPT_META,
     .help = "print the resolved options as such a file and stop"},
    {.name = NULL},
};

const ql_option ql_message_rows[] = {
    {.name = "quiet",
     .letter = 'q',
     QL_FLAG_AT(ql_common_args, quiet),
     .group = "Messages",
     .bits = QL_OPT_VOLATILE,
     .help = "warnings and errors only"},
    {.name = "verbose",
     .letter = 'v',
     QL_FLAG_AT(ql_common_args, verbose),
     .group = "Messages",
     .bits = QL_OPT_VOLATILE,
     .help = "details too"},
    {.name = "log",
     QL_STRING_AT(ql_common_args, log_file),
     .unit = "FILE",
     .group = "Messages",
     .bits = QL_OPT_VOLATILE,
     .help = "write the messages to a file as well"},
    {.name = "log-json",
     QL_STRING_AT(ql_common_args, log_json),
     .unit = "FILE",
     .group = "Messages",
     .bits = QL_OPT_VOLATILE,
     .help = "write messages, metrics and progress as JSON lines",
     .more = "One object per line with \"v\":1, seconds \"t\" and \"event\"; \"-\" is standard "
             "output."},
    {.name = NULL},
};

const ql_option ql_help_rows[] = {
    {.name = "help",
     .letter = 'h',
     QL_FLAG_AT(ql_common_args, help),
     .group = "Messages",
     .bits = QL_OPT_VOLATILE | QL_OPT_META,
     .help = "print this help and stop"},
    {.name = NULL},
};

const ql_option ql_seed_rows[] = {
    {.name = "seed",
     QL_INT64_AT(ql_seed_args, seed),
     .def = "0",
     .min = 0,
     .max = INFINITY,
     .group = "Run",
     .help = "seed of all random numbers",
     .more =
         "The same version, input, options and seed give the same output, byte for byte, whatever "
         "the number of threads."},
    {.name = NULL},
};
