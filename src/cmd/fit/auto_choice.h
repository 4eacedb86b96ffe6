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
    ensemble_specs specs;     /* the candidates */
    int row[QL_MEMBERS_MOST]; /* of each, in the table of all that there may be */
    ql_choice choice;
} auto_choice;

/* The candidates of these options, the options as given first; of_batches: those alone that know
 * batches where these do. Free *out with ql_free. */
QL_MUST_USE ql_status auto_candidates(const model_args *a, bool of_batches, int threads,
                                      auto_choice **out, ql_err *err);

/* Compare the candidates in f->candidates, tell of it, and make what was chosen f->specs (NULL: the
 * options as given) with the weights f->shares. Does nothing without candidates. */
QL_MUST_USE ql_status auto_choose(struct fit_run *f);

/* What candidate i is called; specs.n: the mixture. */
const char *auto_name(const auto_choice *a, int i);

/* The table below prefix; nothing where there is none. */
QL_MUST_USE ql_status auto_write(const auto_choice *a, const char *prefix, ql_h5ad_writer *w,
                                 ql_err *err);

/* The same into the file of a model, nothing where there is none; and back, checked, with the names
 * of the candidates alone in specs: NULL where the file has none. Free *out with ql_free. */
QL_MUST_USE ql_status auto_put(const auto_choice *a, ql_bundle *b, ql_err *err);
QL_MUST_USE ql_status auto_take(const ql_bundle *b, auto_choice **out, ql_err *err);

#endif
