/* How much memory a run takes that fits a model, and whether its counts stay in memory. Private to
 * src/cmd. */
#ifndef QL_MEMORY_PLAN_H
#define QL_MEMORY_PLAN_H

#include "ensemble_specs.h"
#include "quell/command.h"
#include "quell/fit.h"
#include "quell/reader.h"
#include "quell/scdha_fit.h"

/* Bytes, all upper bounds of the most that is held at once, program and libraries included. */
typedef struct {
    int64_t cells, genes, nonzeros; /* 0: not known */
    int64_t memory;                 /* with the counts in memory */
    int64_t stream;                 /* with the counts in a file */
    int64_t bands;                  /* the same if the format could be read in bands */
    int64_t cache;                  /* of that file, and of those that reading makes besides */
    int64_t near;                   /* of the part of it that training holds */
    bool streams;                   /* the format can be read in bands */
} memory_plan;

/* What is planned beside the fit. */
typedef struct {
    bool layer;                       /* values of all cells and genes are written */
    bool text;                        /* as text too */
    bool mcv;                         /* a fit of its own on 90 % of the molecules goes before */
    bool trials;                      /* fits are compared before (quell/trials.h) */
    int64_t held;                     /* bytes that are held all the while: a model to start from */
    int64_t model_genes;              /* of a model that comes from a file; 0: it is trained */
    unsigned scores;                  /* of the cells, that are made after the fit */
    const ensemble_specs *models;     /* of an ensemble; NULL: one model */
    const ensemble_specs *candidates; /* that are compared first, and may be mixed; NULL: none */
    int64_t components;               /* > 0: principal components instead of a network */
    const ql_scdha_options *scdha;    /* this instead of a network; NULL: none */
} planned_output;

/* Plan for counts of this size, of which names takes so many bytes (0: not known) in memory. */
memory_plan memory_plan_of(const planned_output *out, const ql_fit_options *fit,
                           const ql_read_sizes *sizes, int64_t names);

/* The counts are in this store, whose sizes are what they are. */
void memory_plan_store(memory_plan *p, const ql_row_store *store);

/* The run's plan in the form that was asked for, on its output. */
QL_MUST_USE ql_status memory_plan_print(const memory_plan *p, const char *form, ql_run *run);

/* QL_EMEMORY with the figure needed when neither way fits the budget; else *stream says which: in
 * memory if that fits. A budget of 0 is none. */
QL_MUST_USE ql_status memory_plan_choose(const memory_plan *p, bool forced, ql_run *run,
                                         bool *stream);

/* Tell what was chosen. folder: of the cache. */
void memory_plan_tell(const memory_plan *p, bool stream, const char *folder, ql_run *run);

#endif
