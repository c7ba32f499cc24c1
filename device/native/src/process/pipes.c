#include "process/pipes.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool pipes_open(struct pipes *pipes, int input, int output, struct failure *failure) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    *pipes = (struct pipes){.input = input, .output = output, .signals = -1};
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0 && signal(SIGPIPE, SIG_IGN) != SIG_ERR)
        pipes->signals = signalfd(-1, &signals, SFD_CLOEXEC);
    return pipes->signals >= 0 || fail(failure, FAULT, "signals cannot be waited for (%s)", strerror(errno));
}

void pipes_close(struct pipes *pipes) {
    if (pipes->signals >= 0)
        close(pipes->signals);
    pipes->signals = -1;
}

/* Waits for the signals and for the events of the other two files, 0 where only its end counts. */
static bool wait_for(const struct pipes *pipes, struct pollfd *files, short input, short output,
                     struct failure *failure) {
    files[0] = (struct pollfd){.fd = pipes->signals, .events = POLLIN};
    files[1] = (struct pollfd){.fd = pipes->output, .events = output};
    files[2] = (struct pollfd){.fd = pipes->input, .events = input};
    nfds_t count = input != 0 ? 3 : 2;
    while (poll(files, count, -1) < 0)
        if (errno != EINTR)
            return fail(failure, FAULT, "stdin and stdout cannot be waited for (%s)", strerror(errno));
    return true;
}

enum pipes_event pipes_wait(const struct pipes *pipes, struct failure *failure) {
    struct pollfd files[3];
    do {
        if (!wait_for(pipes, files, POLLIN, 0, failure))
            return PIPES_FAILED;
        if (files[0].revents != 0)
            return PIPES_ENDED;
        if (files[1].revents != 0) /* a pipe says POLLERR, a socket POLLHUP */
            return PIPES_CLOSED;
    } while (files[2].revents == 0);
    return PIPES_GO_ON;
}

/* At most PIPE_BUF bytes, which a pipe with any room takes without waiting. Gives how many, -1 for none. */
static ssize_t write_some(const struct pipes *pipes, const char *text, size_t size) {
    ssize_t written = write(pipes->output, text, size < PIPE_BUF ? size : PIPE_BUF);
    return written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : written;
}

enum pipes_event pipes_write(const struct pipes *pipes, const char *text, size_t size,
                             struct failure *failure) {
    struct pollfd files[3];
    bool ended = false;
    while (size > 0) {
        if (!wait_for(pipes, files, 0, POLLOUT, failure))
            return PIPES_FAILED;
        ended = files[0].revents != 0;
        if (files[1].revents == 0)
            break;
        ssize_t written = write_some(pipes, text, size);
        if (written < 0 && errno == EPIPE)
            return PIPES_CLOSED;
        if (written < 0) {
            fail_errno(failure, FAULT, "stdout", "cannot be written");
            return PIPES_FAILED;
        }
        text += written;
        size -= (size_t)written;
    }
    return ended ? PIPES_ENDED : PIPES_GO_ON;
}
