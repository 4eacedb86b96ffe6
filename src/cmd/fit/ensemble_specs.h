/* The models of an ensemble as settings, such as "hidden=128,64 type=poisson seed=3": what they
 * differ by from the options of the run. The same text builds a model, names it in tables, and is
 * kept in model files. Private to src/cmd. */
#ifndef QL_ENSEMBLE_SPECS_H
#define QL_ENSEMBLE_SPECS_H

#include "model_args.h"
#include "quell/ensemble.h"

typedef struct {
    int n; /* 1: no ensemble */
    ql_member_spec spec[QL_MEMBERS_MOST];
    char settings[QL_MEMBERS_MOST][QL_MEMBER_TEXT]; /* "" : the options as given */
} ensemble_specs;

/* Options that no ensemble can be of (QL_EUSAGE). */
QL_MUST_USE ql_status ensemble_check(const model_args *a, ql_err *err);

/* a->ensemble models: the options as given, then other bottlenecks, a Poisson loss, a wider first
 * layer, and so on with other seeds. Free *out with ql_free. */
QL_MUST_USE ql_status ensemble_specs_make(const model_args *a, int threads, ensemble_specs **out,
                                          ql_err *err);

/* One more model. */
QL_MUST_USE ql_status ensemble_specs_add(ensemble_specs *s, const model_args *a,
                                         const char *settings, int threads, ql_err *err);

/* Append the settings of model i of --ensemble; nothing for 0, the options as given. */
void ensemble_put_variant(const model_args *a, int i, ql_str *out);

/* The first is a variational model or has labels: what the cells' columns are is known now. */
void ensemble_specs_covariates(ensemble_specs *s, const ql_fit_options *first);

/* The models of a file, under these options. Free *out with ql_free; NULL: it is a single model. */
QL_MUST_USE ql_status ensemble_specs_read(const ql_bundle *b, const model_args *a, int threads,
                                          ensemble_specs **out, ql_err *err);

#endif
