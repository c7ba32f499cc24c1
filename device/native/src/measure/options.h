/* What the commands of edgeseq-run are told on the command line: one table of options for all of them. */
#ifndef EDGESEQ_OPTIONS_H
#define EDGESEQ_OPTIONS_H

#include <stdbool.h>

#include "base/failure.h"
#include "measure/limits.h"

/* The commands, as bits. */
enum { PREDICT = 1, STREAM = 2, CHECK_LIBRARY = 4, MEASURE = 8, BENCH = 16 };

/* A text that was not given is NULL, a number 0, unless another default stands here. */
struct options {
    const char *library;         /* default: libLiteRt.so beside the program */
    const char *library_version; /* default: what libLiteRt.version beside the library says */
    const char *artifact, *input, *agent;
    const char *threads_list, *json_path; /* of bench: --threads and --json */
    long threads, every;                  /* 1 */
    long rate_hz, frames;                 /* frames: rows that the file `input` holds */
    long spawned_ns;
    struct limits limits; /* default: LIMITS_DEFAULT */
    bool json, logits, quick, help;
    char **operands; /* the words that are no options, in their order */
    int operands_count;
};

/* Reads the words behind argv[0], the name of the command, and brings the operands to their front. `operands`
 * says what of them there must be, from fewest to most. USAGE names what is wrong. After --help nothing else
 * counts. */
bool options_parse(int argc, char **argv, int command, int fewest, int most, const char *operands,
                   struct options *options, struct failure *failure);

/* Prints how a command is used, with the options that all have. Its exit code. */
int options_help(const char *use);

#endif
