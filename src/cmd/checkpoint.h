/* Checkpoints of trainings (docs/checkpoints.md): options, files, and what is said about them.
 * Private to src/cmd.
 *
 * A file is named by a hash of all that the training depends on, so that several runs share a
 * folder, and is replaced as a whole. Two runs of the same name write states of the same training,
 * of which either may go on: nothing is locked. */
#ifndef QL_CHECKPOINT_H
#define QL_CHECKPOINT_H

#include "quell/command.h"
#include "quell/trainer.h"

/* List {checkpoint_rows, offsetof(S, checkpoint)} in .tables. */
typedef struct {
    const char *dir, *every;
    bool keep;
} checkpoint_args;

extern const ql_option checkpoint_rows[];

/* The trainings of a run that are kept. */
typedef enum { CHECKPOINT_FIT, CHECKPOINT_MCV, N_CHECKPOINTS } checkpoint_stage;

typedef struct checkpoint checkpoint;

/* One training's file. */
typedef struct {
    checkpoint *owner;
    ql_str key;  /* all that the training depends on, in words */
    ql_str path; /* of the file; owned */
    bool there;  /* the file holds a state of this training */
    bool failed; /* the last one could not be written */
    ql_train_keeper keeper;
} checkpoint_file;

struct checkpoint {
    const checkpoint_args *args;
    ql_run *run;
    double every; /* seconds */
    checkpoint_file file[N_CHECKPOINTS];
};

/* Read the options and make the folder; nothing without --checkpoint. QL_EUSAGE, QL_ECREATE.
 * Release with checkpoint_free whatever this returns. */
QL_MUST_USE ql_status checkpoint_begin(checkpoint *c, const checkpoint_args *args, ql_run *run);
void checkpoint_free(checkpoint *c);

/* Name the files, now that the counts are read and before the fit changes them. products: how they
 * are computed where that decides bits; NULL: by the one order. */
QL_MUST_USE ql_status checkpoint_name(checkpoint *c, const ql_rows *counts, const char *products);

/* For the listener of a training; NULL without --checkpoint. */
const ql_train_keeper *checkpoint_keeper(checkpoint *c, checkpoint_stage stage);

/* The command ends so: remove what is no longer needed, or add to run->err where it goes on.
 * Returns st. */
ql_status checkpoint_end(checkpoint *c, ql_status st);

#endif
