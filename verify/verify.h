/*
 * The verbs of verify/: what sworn.c dispatches to.
 */
#ifndef SWORN_VERIFY_VERIFY_H
#define SWORN_VERIFY_VERIFY_H

/* sworn verify TRACE...: checks integrity, executes nothing. Returns the exit code; --help says more. */
int cmd_verify(int argc, char **argv);

/* sworn twin -- COMMAND: records it several times and compares the traces. Returns the exit code; --help says more. */
int cmd_twin(int argc, char **argv);

/* sworn audit QUESTION ... TRACE: what a run did, from its trace. Returns the exit code; --help says more. */
int cmd_audit(int argc, char **argv);

/* sworn gate run|list|explain|diff: whether recorded runs still hold, for a CI. Returns the exit code; --help says more. */
int cmd_gate(int argc, char **argv);

/* sworn key init|export|import|trust, and sworn tenant create|list|show. Return the exit code; --help says more. */
int cmd_key(int argc, char **argv);
int cmd_tenant(int argc, char **argv);

/* Verbs that make traces of traces, and those that look after a store. Each returns the exit code; its --help says more. */
int cmd_pack(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_rm(int argc, char **argv);

#endif
