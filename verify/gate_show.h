/* The verbs of `sworn gate` that execute nothing: what a trace is for the gate. Dispatched to by cmd_gate.c. */
#ifndef SWORN_VERIFY_GATE_SHOW_H
#define SWORN_VERIFY_GATE_SHOW_H

/* TRACE|DIR...: a table of what `run` would select. Returns the exit code, as all here. */
int gate_list(int argc, char **argv);
/* TRACE: how its command would be started again, and what would be compared. */
int gate_explain(int argc, char **argv);
/* TRACE TRACE: what two recorded runs did differently. */
int gate_diff(int argc, char **argv);

#endif
