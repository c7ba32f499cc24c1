/* edgeseq-run: an artifact on a board without Python. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/standard.h"
#include "commands.h"

#ifndef EDGESEQ_VERSION
#error "the build gives EDGESEQ_VERSION"
#endif

static const char USE[] =
    "edgeseq-run " EDGESEQ_VERSION ": runs an edgeseq artifact with LiteRT, without Python\n"
    "\n"
    "  edgeseq-run bench ARTIFACT      measure it: latency, RAM by stage, parity\n"
    "  edgeseq-run predict ARTIFACT FILE...   answer features of .npy or raw files\n"
    "  edgeseq-run stream ARTIFACT     answer readings on stdin, step by step\n"
    "  edgeseq-run check               try the LiteRT library\n"
    "  edgeseq-run COMMAND --help      the options of one of them\n";

/* Becomes the program that measures and is none of what an application needs. */
static int become_bench(int argc, char **argv, struct failure *failure) {
    char program[PATH_MAX];
    (void)argc;
    if (beside_program("edgeseq-bench", "put it there, `make runner` builds both", program, failure)) {
        execv(program, argv);
        fail(failure, FAULT, "%s: cannot be started (%s)", program, strerror(errno));
    }
    return FAILED;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct failure *failure);
} COMMANDS[] = {
    {"bench", become_bench},  {"predict", command_predict}, {"stream", command_stream},
    {"check", command_check}, {"measure", command_measure},
};

static int run(int argc, char **argv) {
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) != 0)
            continue;
        struct failure failure = {FAULT, "failed without a reason"};
        int exit_code = COMMANDS[i].run(argc - 1, argv + 1, &failure);
        if (exit_code != FAILED)
            return exit_code;
        fprintf(stderr, "edgeseq-run: %s\n", failure.message);
        return failure.exit_code;
    }
    fprintf(stderr, "edgeseq-run: there is no command %s; see: edgeseq-run --help\n", argv[1]);
    return USAGE;
}

int main(int argc, char **argv) {
    standard_fill();
    if (argc < 2) {
        fputs(USE, stderr);
        return USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(USE, stdout);
        return standard_written(0);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("edgeseq-run " EDGESEQ_VERSION);
        return standard_written(0);
    }
    return standard_written(run(argc, argv));
}
