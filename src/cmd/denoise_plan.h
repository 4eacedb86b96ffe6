/* How much memory a run of `quell denoise` takes, and whether its counts stay in memory. Private to
 * src/cmd. */
#ifndef QL_DENOISE_PLAN_H
#define QL_DENOISE_PLAN_H

#include "denoise_args.h"

/* Bytes, all upper bounds of the most that is held at once, program and libraries included. */
typedef struct {
    int64_t cells, genes, nonzeros; /* 0: not known */
    int64_t memory;                 /* with the counts in memory */
    int64_t stream;                 /* with the counts in a file */
    int64_t bands;                  /* the same if the format could be read in bands */
    int64_t cache;                  /* of that file, and of those that reading makes besides */
    int64_t near;                   /* of the part of it that training holds */
    bool streams;                   /* the format can be read in bands */
} denoise_plan;

/* Plan for counts of this size, of which names takes so many bytes (0: not known) in memory. */
denoise_plan denoise_plan_of(const denoise_args *a, const ql_fit_options *fit,
                             const ql_read_sizes *sizes, int64_t names);

/* The counts are in this store, whose sizes are what they are. */
void denoise_plan_store(denoise_plan *p, const ql_row_store *store);

/* The run's plan in the form that was asked for, on its output. */
QL_MUST_USE ql_status denoise_plan_print(const denoise_plan *p, const char *form, ql_run *run);

/* QL_EMEMORY with the figure needed when neither way fits the budget; else *stream says which: in
 * memory if that fits. A budget of 0 is none. */
QL_MUST_USE ql_status denoise_plan_choose(const denoise_plan *p, bool forced, ql_run *run,
                                          bool *stream);

/* Tell what was chosen. folder: of the cache. */
void denoise_plan_tell(const denoise_plan *p, bool stream, const char *folder, ql_run *run);

#endif
