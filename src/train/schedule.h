/* What a validation value means for the run: the reference's plateau rule and early stopping, as
 * small state machines. A value that is not finite is never an improvement. Private to src/train.
 */
#ifndef QUELL_TRAIN_SCHEDULE_H
#define QUELL_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t patience; /* 0: never fires */
    double min_delta;
    double best;
    int64_t wait;
    bool seen;
} ql_patience;

/* Feed one value; true when patience has run out. *improved (may be NULL): it was the best so far.
 * After firing, the count starts anew (best stays). */
bool ql_patience_step(ql_patience *p, double value, bool *improved);

#endif
