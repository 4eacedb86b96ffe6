#include "model_type.h"

#include <string.h>

bool model_type_is_auto(const model_args *a)
{
    return strcmp(a->type, "auto") == 0;
}

bool model_predicts_input(const model_args *a)
{
    return strcmp(a->target, "input") == 0;
}

const ql_likelihood *model_likelihood(const model_args *a)
{
    if (model_predicts_input(a)) return &ql_gaussian;
    if (model_is_vae(a)) return ql_vae_likelihood_find(a->type, vae_theta(&a->vae));
    return ql_likelihood_find(model_type_is_auto(a) ? "nb" : a->type);
}

ql_status model_type_check(const model_args *a, ql_err *err)
{
    if (model_likelihood(a)) return QL_OK;
    if (!model_is_vae(a)) return ql_fail(err, QL_EUSAGE, "--type %s is for --model vae", a->type);
    ql_fail(err, QL_EUSAGE, "--type %s: not with --model vae", a->type);
    return ql_hint(err, QL_EUSAGE,
                   "it has zinb, nb, poisson, normal and bernoulli, with --dispersion");
}
