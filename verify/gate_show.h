/*
 * The verbs of `sworn gate` that execute nothing: what a trace is for the gate. Dispatched to by cmd_gate.c, which has parsed the
 * options and selected the traces.
 */
#ifndef SWORN_VERIFY_GATE_SHOW_H
#define SWORN_VERIFY_GATE_SHOW_H

#include "gate.h"

/* A table of what `run` would select. Returns the exit code, as all here. */
int gate_list(struct gate *gate);
/* One trace: how its command would be started again, and what would be compared. */
int gate_explain(struct gate *gate);
/* Two: what two recorded runs did differently. */
int gate_diff(struct gate *gate);

#endif
