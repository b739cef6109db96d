/* Verbs of this folder. */
#ifndef SWORN_RECORD_RECORD_H
#define SWORN_RECORD_RECORD_H

int cmd_record(int argc, char **argv);

#endif
