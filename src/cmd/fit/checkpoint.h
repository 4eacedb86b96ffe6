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

/* List {checkpoint_rows, offsetof(S, checkpoint)} in .tables; zero in commands that only apply. */
typedef struct {
    const char *dir, *every;
    bool keep;
} checkpoint_args;

extern const ql_option checkpoint_rows[];

/* The trainings of a run that are kept. */
typedef enum { CHECKPOINT_FIT, CHECKPOINT_MCV, N_CHECKPOINTS } checkpoint_stage;

enum { CHECKPOINT_FILES = 64 };

/* One training's file; texts owned. */
typedef struct {
    checkpoint_stage stage;
    uint64_t origin;
    ql_str key; /* all that the training depends on, in words */
    ql_str path;
    bool there;  /* the file holds a state of this training */
    bool failed; /* the last one could not be written */
} checkpoint_file;

typedef struct checkpoint checkpoint;

/* The trainings of a stage; a fit may take several, one after the other. */
typedef struct {
    checkpoint *owner;
    checkpoint_stage stage;
    ql_train_keeper keeper;
} checkpoint_group;

struct checkpoint {
    const checkpoint_args *args;
    ql_run *run;
    double every; /* seconds */
    ql_str basis; /* what all trainings of the run depend on, in words; owned */
    checkpoint_group group[N_CHECKPOINTS];
    checkpoint_file file[CHECKPOINT_FILES];
    int n_files;
    int64_t before; /* epochs of the training at hand that earlier runs have done */
    bool told;      /* that the folder holds states of other runs only */
};

/* Read the options and make the folder; nothing without --checkpoint. QL_EUSAGE, QL_ECREATE.
 * Release with checkpoint_free whatever this returns. */
QL_MUST_USE ql_status checkpoint_begin(checkpoint *c, const checkpoint_args *args, ql_run *run);
void checkpoint_free(checkpoint *c);

/* Say what the trainings depend on, now that the counts are read and before the fit changes them.
 * products: how they are computed where that decides bits; NULL: by the one order. */
QL_MUST_USE ql_status checkpoint_name(checkpoint *c, const ql_rows *counts, const char *products);

/* For the listener of a training; NULL without --checkpoint. */
const ql_train_keeper *checkpoint_keeper(checkpoint *c, checkpoint_stage stage);

/* The command ends so: remove what is no longer needed, or add to run->err where it goes on.
 * Returns st. */
QL_MUST_USE ql_status checkpoint_end(checkpoint *c, ql_status st);

#endif
