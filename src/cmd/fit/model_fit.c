#include "model_fit.h"

#include "model_type.h"
#include "net_args.h"
#include "train_args.h"

/* What is predicted, against what is asked for beside it. */
static ql_status check_target(const model_args *a, ql_err *err)
{
    if (!model_predicts_input(a)) return QL_OK;
    if (model_type_is_auto(a)) {
        ql_fail(err, QL_EUSAGE, "--type auto chooses among likelihoods of counts");
        return ql_hint(err, QL_EUSAGE, "leave it out with --target input");
    }
    if (a->input_thin > 0)
        return ql_fail(err, QL_EUSAGE,
                       "--input-thinning predicts counts: leave it out with --target input");
    return QL_OK;
}

ql_status model_args_check(const model_args *a, ql_err *err)
{
    QL_TRY(vae_args_check(&a->vae, model_is_vae(a), err));
    if (model_is_vae(a) && model_predicts_input(a))
        return ql_fail(err, QL_EUSAGE, "--target input: a variational model predicts counts");
    QL_TRY(model_type_check(a, err));
    QL_TRY(train_args_check(a, err));
    QL_TRY(check_target(a, err));
    return net_args_check(a, err);
}

static ql_ae_config network_of(const model_args *a)
{
    ql_ae_config c = {.seed = (uint64_t)a->seed.seed};
    net_args_config(a, &c);
    train_args_config(a, &c);
    if (model_is_vae(a)) vae_args_config(&a->vae, &c);
    c.vae.library_sees_total = c.vae.latent_library && a->size_factors;
    label_args_config(&a->vae, &c);
    return c;
}

void model_fit_options(const model_args *a, int threads, ql_fit_options *out)
{
    *out = (ql_fit_options){
        .prep = {.log = a->log_input,
                 .size_factors = a->size_factors,
                 .center = a->norm_input,
                 .scale = a->norm_input},
        .ae = network_of(a),
        .train = train_args_options(a),
        .threads = threads,
        .layer_epochs = train_layer_epochs(a),
    };
    const ql_likelihood *lik = out->ae.likelihood;
    out->fit_theta = lik->disp != QL_DISP_CELL && lik->disp != QL_DISP_EXP_CELL && !lik->gaussian;
}
