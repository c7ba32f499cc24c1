/* edgeseq-bench: measures an artifact on a board without Python, through edgeseq-run beside it. */
#include <stdio.h>

#include "commands.h"

int main(int argc, char **argv) {
    struct failure failure = {FAULT, "failed without a reason"};
    int exit_code = command_bench(argc, argv, &failure);
    if (exit_code != FAILED)
        return exit_code;
    fprintf(stderr, "edgeseq-bench: %s\n", failure.message);
    return failure.exit_code;
}
