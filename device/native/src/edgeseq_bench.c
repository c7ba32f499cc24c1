/* edgeseq-bench: measures an artifact on a board without Python, through edgeseq-run beside it, which becomes
 * this program for `edgeseq-run bench`. Its messages are of that command. */
#include <stdio.h>
#include <string.h>

#include "base/standard.h"
#include "commands.h"

int main(int argc, char **argv) {
    char name[] = "bench";
    standard_fill();
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("edgeseq-bench " EDGESEQ_VERSION);
        return standard_written(0);
    }
    if (argc > 0)
        argv[0] = name;
    struct failure failure = {FAULT, "failed without a reason"};
    int exit_code = command_bench(argc, argv, &failure);
    if (exit_code != FAILED)
        return standard_written(exit_code);
    fprintf(stderr, "edgeseq-run: %s\n", failure.message);
    return failure.exit_code;
}
