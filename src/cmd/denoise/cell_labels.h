/* Labels that a model predicts for cells (--labels). Private to src/cmd. */
#ifndef QL_CELL_LABELS_H
#define QL_CELL_LABELS_H

#include "denoise_output.h"

/* obs/quell_label and obs/quell_label_prob into frame, of all cells; nothing without a classifier.
 */
QL_MUST_USE ql_status cell_labels_columns(const denoise_result *r, ql_frame *frame, ql_err *err);

/* obsm/quell_label_probs and the names of its columns. */
QL_MUST_USE ql_status cell_labels_write(const denoise_result *r, const char *run_key,
                                        ql_h5ad_writer *w, ql_err *err);

#define CELL_LABELS_KEY "obsm/quell_label_probs"

#endif
