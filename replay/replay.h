/* Verbs of this folder. */
#ifndef SWORN_REPLAY_REPLAY_H
#define SWORN_REPLAY_REPLAY_H

int cmd_replay(int argc, char **argv);

#endif
