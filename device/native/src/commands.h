/* The commands of edgeseq-run. Each is given its own arguments, argv[0] being its name, and gives the exit
 * code, or FAILED, and then `failure` says why. */
#ifndef EDGESEQ_COMMANDS_H
#define EDGESEQ_COMMANDS_H

#include "base/failure.h"

enum { FAILED = -1 };

/* Of edgeseq-bench, which edgeseq-run becomes for `bench`. */
int command_bench(int argc, char **argv, struct failure *failure);

int command_predict(int argc, char **argv, struct failure *failure);
int command_stream(int argc, char **argv, struct failure *failure);
int command_measure(int argc, char **argv, struct failure *failure);
int command_check(int argc, char **argv, struct failure *failure);

#endif
