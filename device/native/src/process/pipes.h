/* A stream from one pipe into another: waits without using the processor, ends between two lines when it is
 * told to, and notices that nobody reads any more. */
#ifndef EDGESEQ_PIPES_H
#define EDGESEQ_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

struct pipes {
    int input, output;
    int signals; /* readable once SIGTERM or SIGINT has come; a signalfd */
};

enum pipes_event {
    PIPES_GO_ON,  /* there is something to read; the text has been written */
    PIPES_ENDED,  /* told to end by SIGTERM or SIGINT */
    PIPES_CLOSED, /* nobody reads the output */
    PIPES_FAILED,
};

/* From now on SIGTERM, SIGINT and SIGPIPE end no thread of this process by themselves. To be called before
 * other threads start, which could be ended otherwise. pipes_close() frees. */
bool pipes_open(struct pipes *pipes, int input, int output, struct failure *failure);

void pipes_close(struct pipes *pipes);

/* Waits until a read would not wait: it gives something, or the end of the input. */
enum pipes_event pipes_wait(const struct pipes *pipes, struct failure *failure);

/* Writes the whole text, or, when told to end and nobody takes it, a part. */
enum pipes_event pipes_write(const struct pipes *pipes, const char *text, size_t size,
                             struct failure *failure);

#endif
