#include "process/watch.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static const int ENDING[] = {SIGTERM, SIGINT, SIGHUP};

static const struct {
    int number;
    char name[8];
} NAMES[] = {
    {SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGHUP, "SIGHUP"},   {SIGILL, "SIGILL"},   {SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"},
    {SIGPIPE, "SIGPIPE"}, {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},
    {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
};

bool watch_begin(struct watch *watch, struct failure *failure) {
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    for (size_t i = 0; i < sizeof ENDING / sizeof *ENDING; i++) {
        struct sigaction action;
        if (sigaction(ENDING[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&taken, ENDING[i]);
    }
    signal(SIGCHLD, SIG_DFL); /* ignored, a child would leave no exit code */
    *watch = (struct watch){0};
    sigprocmask(SIG_BLOCK, &taken, &watch->before);
    watch->file = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (watch->file >= 0)
        return true;
    fail_errno(failure, FAULT, "signals", "cannot be waited for");
    sigprocmask(SIG_SETMASK, &watch->before, NULL);
    return false;
}

bool watch_look(struct watch *watch) {
    struct signalfd_siginfo told;
    while (read(watch->file, &told, sizeof told) == (ssize_t)sizeof told)
        if (told.ssi_signo != SIGCHLD && watch->caught == 0)
            watch->caught = (int)told.ssi_signo;
    return watch->caught == 0;
}

double watch_now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool watch_wait(struct watch *watch, double seconds) {
    double end_s = watch_now_s() + seconds;
    for (double left_s = seconds; left_s > 0 && watch_look(watch); left_s = end_s - watch_now_s()) {
        struct pollfd poll_for = {.fd = watch->file, .events = POLLIN};
        poll(&poll_for, 1, (int)(1000 * left_s) + 1);
    }
    return watch_look(watch);
}

const char *watch_signal_name(int number, char text[24]) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].number == number)
            return NAMES[i].name;
    snprintf(text, 24, "signal %d", number);
    return text;
}

void watch_end(struct watch *watch) {
    close(watch->file);
    sigprocmask(SIG_SETMASK, &watch->before, NULL);
}
