/* --auto: which models, or which mixture of them, predict held-out molecules best. Private to
 * src/cmd. */
#ifndef QL_AUTO_CHOICE_H
#define QL_AUTO_CHOICE_H

#include "ensemble_specs.h"
#include "quell/choice.h"
#include "quell/h5ad_writer.h"

struct fit_run;

/* What was compared, and what it said. */
typedef struct {
    ensemble_specs specs; /* the candidates */
    ql_choice choice;
} auto_choice;

/* The candidates of these options, the options as given first. Free *out with ql_free. */
QL_MUST_USE ql_status auto_candidates(const model_args *a, int threads, auto_choice **out,
                                      ql_err *err);

/* Compare the candidates in f->candidates, tell of it, and make what was chosen f->specs (NULL: the
 * options as given) with the weights f->shares. Does nothing without candidates. */
QL_MUST_USE ql_status auto_choose(struct fit_run *f);

/* What candidate i is called; specs.n: the mixture. */
const char *auto_name(const auto_choice *a, int i);

/* The table below prefix; nothing where there is none. */
QL_MUST_USE ql_status auto_write(const auto_choice *a, const char *prefix, ql_h5ad_writer *w,
                                 ql_err *err);

#endif
