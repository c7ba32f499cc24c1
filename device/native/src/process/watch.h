/* The signals that end this program in good order, taken as they come: while a watch is on they wait until
 * somebody looks, so that no moment is unprepared for them. */
#ifndef EDGESEQ_WATCH_H
#define EDGESEQ_WATCH_H

#include <signal.h>
#include <stdbool.h>

#include "base/failure.h"

struct watch {
    int file; /* readable when a signal has come, a child's end too */
    sigset_t before;
    int caught; /* SIGTERM, SIGINT or SIGHUP once one has come; else 0 */
};

/* Takes SIGTERM, SIGINT and SIGHUP, each unless it is ignored (nohup), and SIGCHLD. */
bool watch_begin(struct watch *watch, struct failure *failure);

/* Takes in what has come without waiting. False once a signal has asked for the end. */
bool watch_look(struct watch *watch);

/* Waits so long; false as soon as a signal asks for the end. */
bool watch_wait(struct watch *watch, double seconds);

/* "SIGTERM"; "signal 70" for one without a name, in `text`. */
const char *watch_signal_name(int number, char text[24]);

/* Seconds of the monotonic clock. */
double watch_now_s(void);

void watch_end(struct watch *watch);

#endif
