#include "dca_args.h"

#include "model_type.h"

static const char *const normtypes[] = {"zheng", "deseq", NULL};

#define S dca_args
/* clang-format off */
const ql_option dca_rows[] = {
    {.name = "normtype", QL_CHOICE_AT(S, normtype), .choices = normtypes, .group = "Input",
     .level = QL_OPT_HIDDEN, .bits = QL_OPT_VOLATILE, .help = "no effect, as in DCA"},
    {.name = "hyper", QL_FLAG_AT(S, hyper), .group = "Training", .level = QL_OPT_HIDDEN,
     .bits = QL_OPT_VOLATILE, .help = "not here: quell tune"},
    {.name = "hypern", QL_INT_AT(S, hyper_n), .min = 1, .max = 1e9, .unset = "no search",
     .group = "Training", .level = QL_OPT_HIDDEN, .bits = QL_OPT_VOLATILE, .help = "not here: quell tune"},
    {.name = "hyperepoch", QL_INT_AT(S, hyper_epochs), .min = 1, .max = 1e9, .unset = "no search",
     .group = "Training", .level = QL_OPT_HIDDEN, .bits = QL_OPT_VOLATILE, .help = "not here: quell tune"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static ql_status check_type(const model_args *m, ql_run *run)
{
    QL_TRY(model_type_check(m, &run->err));
    const ql_likelihood *lik = model_likelihood(m);
    if (m->shared_pi && lik->heads.kind[QL_HEAD_PI] != QL_KIND_ELEMENT)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--sharedpi: --type %s has no k and c (zinb-elempi has)", m->type);
    if (lik->heads.fork && m->hidden.n / 2 == m->hidden.n - 1)
        ql_log_warn(run->log,
                    "--type %s: no layers lie behind the bottleneck, so the heads have none of "
                    "their own (--hidden 64,32,64 has one)",
                    m->type);
    return QL_OK;
}

ql_status dca_args_check(const dca_args *a, const model_args *model, ql_run *run)
{
    if (a->hyper || a->hyper_n || a->hyper_epochs) {
        ql_fail(&run->err, QL_EUSAGE, "--hyper: quell denoise searches no hyperparameters");
        return ql_hint(&run->err, QL_EUSAGE, "quell tune does");
    }
    if (a->normtype)
        ql_log_warn(run->log, "--normtype %s has no effect (nor has it in DCA)", a->normtype);
    return check_type(model, run);
}
