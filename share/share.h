/*
 * The verbs that make traces of traces, and those that look after a store: what sworn.c dispatches to. Each
 * returns the exit code; its --help says more.
 */
#ifndef SWORN_SHARE_SHARE_H
#define SWORN_SHARE_SHARE_H

int cmd_pack(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_rm(int argc, char **argv);

#endif
