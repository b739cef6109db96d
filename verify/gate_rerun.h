/*
 * `sworn gate run --mode rerun`: the recorded command is started again, under the recording's circumstances and in
 * today's files, and what it did is compared with what it did when it was recorded. Runs in a worker of the gate.
 */
#ifndef SWORN_VERIFY_GATE_RERUN_H
#define SWORN_VERIFY_GATE_RERUN_H

#include "gate.h"

/* The whole work on gate->items[index]. */
void gate_rerun(const struct gate *gate, size_t index, struct gate_result *result);

#endif
