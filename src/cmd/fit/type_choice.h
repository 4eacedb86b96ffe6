/* --type auto: which likelihood the counts ask for. Private to src/cmd. */
#ifndef QL_TYPE_CHOICE_H
#define QL_TYPE_CHOICE_H

#include "quell/status.h"

enum { TYPE_CANDIDATES = 3 };

/* How the candidates did: log-likelihood of held-out molecules, relative to the chosen one, in nats
 * per molecule. n is 0 where none was asked for. */
typedef struct {
    int n, chosen;
    const char *name[TYPE_CANDIDATES];
    double difference[TYPE_CANDIDATES], error[TYPE_CANDIDATES];
} type_choice;

struct fit_run;

/* Fit the candidates (poisson, nb, zinb) to eight tenths of the molecules and set the run's --type:
 * the simplest one that no other beats by more than two standard errors and 0.002 nats a molecule.
 * Does nothing unless --type is auto. */
QL_MUST_USE ql_status type_choose(struct fit_run *f);

#endif
