/* Running one program in a process and session of its own, and what became of it. Nothing in its process
 * group survives the call, nor the process a death of this one by SIGKILL. */
#ifndef EDGESEQ_PROCESSES_H
#define EDGESEQ_PROCESSES_H

#include <stddef.h>

#include "process/watch.h"

enum { PROCESS_SAID_MAX = 2000 };

struct task {
    const char *program; /* a path, or a name that is looked up in PATH */
    char *const *argv;   /* ends with NULL */
    const int *cpus;     /* that it may use; cpus_count 0: as this process */
    int cpus_count;
    double timeout_s;
    size_t output_max; /* bytes on its stdout; more end it */
};

enum ending {
    ENDED_EXIT,        /* code: its exit code */
    ENDED_SIGNAL,      /* code: the signal's number */
    ENDED_TIMEOUT,     /* it ran longer than it may */
    ENDED_OUTPUT,      /* it wrote more than it may */
    ENDED_INTERRUPTED, /* a signal asked this program to end: watch->caught */
    ENDED_NOT_STARTED  /* code: errno */
};

struct ended {
    enum ending how;
    int code;
    char *output; /* what it wrote on stdout and a NUL; processes_free() frees */
    size_t output_size;
    char said[PROCESS_SAID_MAX + 1]; /* the end of what it wrote on stderr */
};

/* Runs a task to its end; its stdin is empty. */
void processes_run(const struct task *task, struct watch *watch, struct ended *ended);

void processes_free(struct ended *ended);

#endif
