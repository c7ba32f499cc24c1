/* What went wrong: a message for people and the exit code that goes with it. */
#ifndef EDGESEQ_FAILURE_H
#define EDGESEQ_FAILURE_H

#include <stdbool.h>

/* The exit codes of edgeseq's command line. */
enum { FAULT = 1, USAGE = 2, OUT_OF_PARITY = 4, UNFIT = 5, BAD_DATA = 6, INTERRUPTED = 130 };

struct failure {
    int exit_code;
    char message[1024];
};

/* Says what happened, to which file or tensor, and what to do next. Always false, so that a function that
 * fails can end with `return fail(...)`. A message that is too long is cut. */
bool fail(struct failure *failure, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* fail() with BAD_DATA for what is wrong with an artifact: behind the message stands what to do, to export
 * the artifact again. */
bool fail_export(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fail() with what the system says of its last error: "path: what (No such file or directory)". */
bool fail_errno(struct failure *failure, int exit_code, const char *path, const char *what);

/* FAULT: out of memory. */
bool fail_memory(struct failure *failure);

#endif
