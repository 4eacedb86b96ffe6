/* A variational autoencoder as a member of an ensemble. It is fitted as it would be alone: its loss
 * has the divergence of the code, its layers are told the covariates (spec->fit.cov). What it is
 * asked for is the expected counts at the mean of the code, without a draw, and with the cell's own
 * covariates unless the source decodes others; its dispersions are of no use to the mixture, which
 * has its own. */
#include "member_network.h"

const ql_member_kind ql_member_vae = {
    .name = "vae",
    .help = "a variational autoencoder of counts, by its own defaults",
    MEMBER_NETWORK,
};
