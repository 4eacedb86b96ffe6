/* Facts of a finished run as JSON (--summary FILE): what may differ between two runs with the same
 * result belongs here and not in the output. First key "quell_summary_version". */
#ifndef QUELL_SUMMARY_H
#define QUELL_SUMMARY_H

#include <stdint.h>

#include "quell/log.h"
#include "quell/option.h"
#include "quell/status.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QL_SUMMARY_VERSION 1

typedef struct ql_summary ql_summary;

QL_MUST_USE ql_status ql_summary_new(ql_summary **out, ql_err *err);
void ql_summary_free(ql_summary *summary); /* NULL is allowed */

/* A figure of the run under "metrics". A name used again replaces its value. summary may be NULL. A
 * lack of memory drops the figure. */
void ql_summary_int(ql_summary *summary, const char *name, int64_t value);
void ql_summary_double(ql_summary *summary, const char *name, double value);
void ql_summary_string(ql_summary *summary, const char *name, const char *value);

/* Collect the warnings of a log: add it as a sink with the summary as self. */
extern const ql_log_sink ql_summary_sink;

/* The run, as the dispatcher knows it. Strings are borrowed. */
typedef struct {
    const char *command;
    int argc;
    char *const *argv;
    const ql_opts *opts; /* resolved options; NULL: none */
    int threads;
    const char *threads_from;
    int64_t memory; /* budget in bytes; 0: none */
    const char *memory_from;
    const char *simd;    /* instruction set of the kernels */
    const char *started; /* UTC, ISO 8601 */
    double seconds, cpu_seconds;
    int64_t peak_bytes;
    const ql_err *err; /* code QL_OK: the run succeeded */
} ql_summary_facts;

/* All of it as JSON into a file, through a temporary in its folder and a rename. QL_ECREATE,
 * QL_EIO. */
QL_MUST_USE ql_status ql_summary_write(const ql_summary *summary, const ql_summary_facts *facts,
                                       const char *path, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
