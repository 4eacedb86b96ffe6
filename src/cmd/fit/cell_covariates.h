/* Covariates of cells: from columns of obs to the numbers a model sees. Private to src/cmd. */
#ifndef QL_CELL_COVARIATES_H
#define QL_CELL_COVARIATES_H

#include "quell/covariates.h"
#include "quell/log.h"
#include "vae_args.h"

/* Those that the options name, of the cells of a file that a model is trained on: levels in the
 * order of their names, numbers standardised. QL_EUSAGE where a column is not there, QL_EDATA where
 * a cell has no value. */
QL_MUST_USE ql_status cell_covariates_read(const vae_args *a, const ql_frame *cells,
                                           ql_covariates *out, ql_err *err);

/* The values of other cells for the covariates of a model, into known->value: levels by name.
 * free: the cells' own levels decide nothing, so that others and missing columns are let pass. */
QL_MUST_USE ql_status cell_covariates_match(const vae_args *a, const ql_frame *cells, bool free,
                                            ql_covariates *known, ql_err *err);

/* Fails, as no level of the column is called what the option says: which there are, and what else
 * the option takes ("": nothing). QL_EUSAGE. */
QL_MUST_USE ql_status cell_level_unknown(const ql_names *levels, const char *column,
                                         const char *option, const char *name, const char *also,
                                         ql_err *err);

/* In words, for the log. */
void cell_covariates_tell(const ql_covariates *c, ql_logger *log);

#endif
