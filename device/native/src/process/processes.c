#include "process/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_BYTES = 65536 }; /* as much as a pipe of Linux holds */

/* The child, and the ends of the pipes to it that are this process's; -1: closed. */
struct child {
    pid_t id;
    int output, said;
};

/* Ends of pipes, in pairs: the child writes into [1]. */
struct ends {
    int output[2], said[2], started[2];
};

static void close_pair(int pair[2]) {
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static void ends_close(struct ends *ends) {
    close_pair(ends->output);
    close_pair(ends->said);
    close_pair(ends->started);
}

static bool ends_open(struct ends *ends) {
    *ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(ends->output, O_CLOEXEC) == 0 && pipe2(ends->said, O_CLOEXEC) == 0 &&
        pipe2(ends->started, O_CLOEXEC) == 0)
        return true;
    ends_close(ends);
    return false;
}

/* In the child: becomes the program. What keeps it from that goes into the pipe `started`. */
static void become(const struct task *task, const struct watch *watch, const struct ends *ends,
                   pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setsid();
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, 0);
    dup2(ends->output[1], 1);
    dup2(ends->said[1], 2);
    if (task->cpus_count > 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (int i = 0; i < task->cpus_count; i++)
            CPU_SET((size_t)task->cpus[i], &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    sigprocmask(SIG_SETMASK, &watch->before, NULL);
    if (strchr(task->program, '/') != NULL)
        execv(task->program, task->argv); /* execvp would have a shell try another machine's program */
    else
        execvp(task->program, task->argv);
    int error = errno;
    if (write(ends->started[1], &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* False: `error` says why there is no such process. */
static bool start(const struct task *task, const struct watch *watch, struct child *child, int *error) {
    struct ends ends;
    if (!ends_open(&ends)) {
        *error = errno;
        return false;
    }
    pid_t parent = getpid();
    child->id = fork();
    if (child->id == 0)
        become(task, watch, &ends, parent);
    *error = child->id < 0 ? errno : 0;
    close(ends.started[1]);
    ends.started[1] = -1;
    if (child->id > 0 && read(ends.started[0], error, sizeof *error) > 0)
        waitpid(child->id, NULL, 0);
    if (*error != 0) {
        ends_close(&ends);
        return false;
    }
    child->output = ends.output[0];
    child->said = ends.said[0];
    ends.output[0] = ends.said[0] = -1;
    fcntl(child->output, F_SETFL, O_NONBLOCK);
    fcntl(child->said, F_SETFL, O_NONBLOCK);
    ends_close(&ends);
    return true;
}

static void hang_up(int *file) {
    if (*file >= 0)
        close(*file);
    *file = -1;
}

/* What has come through a pipe, all that it can hold; 0 where nothing has. Closes one that has ended. */
static size_t take(int *file, char part[PIPE_BYTES]) {
    ssize_t got = *file < 0 ? -1 : read(*file, part, PIPE_BYTES);
    if (got == 0)
        hang_up(file);
    return got < 0 ? 0 : (size_t)got;
}

/* Adds to the output; false where it is too much, or there is no memory for it. */
static bool keep_output(const char *part, size_t part_size, size_t output_max, struct ended *ended) {
    size_t size = ended->output_size + part_size;
    char *larger = size > output_max ? NULL : realloc(ended->output, size + 1);
    if (larger == NULL)
        return false;
    ended->output = larger;
    memcpy(larger + ended->output_size, part, part_size);
    larger[size] = '\0';
    ended->output_size = size;
    return true;
}

/* Adds to what was said and keeps the end of it; it is a text, without a NUL within. */
static void keep_said(const char *part, size_t part_size, struct ended *ended) {
    size_t kept = strlen(ended->said);
    if (part_size > PROCESS_SAID_MAX) {
        part += part_size - PROCESS_SAID_MAX;
        part_size = PROCESS_SAID_MAX;
    }
    size_t over = kept + part_size > PROCESS_SAID_MAX ? kept + part_size - PROCESS_SAID_MAX : 0;
    memmove(ended->said, ended->said + over, kept - over);
    for (size_t i = 0; i < part_size; i++)
        ended->said[kept - over + i] = part[i] == '\0' ? ' ' : part[i];
    ended->said[kept - over + part_size] = '\0';
}

/* Takes what the child has written; false where that is too much. */
static bool listen_to(struct child *child, size_t output_max, struct ended *ended) {
    char part[PIPE_BYTES];
    keep_said(part, take(&child->said, part), ended);
    return keep_output(part, take(&child->output, part), output_max, ended);
}

/* Whether the child has ended. It is not reaped: as long as it is not, no other process has its number. */
static bool is_over(pid_t id) {
    siginfo_t told = {0};
    return waitid(P_PID, (id_t)id, &told, WEXITED | WNOHANG | WNOWAIT) == 0 && told.si_pid == id;
}

/* Until the child has ended or must not go on, which ended->how then says. */
static void attend(const struct task *task, struct watch *watch, struct child *child, struct ended *ended) {
    double end_s = watch_now_s() + task->timeout_s;
    for (;;) {
        bool go_on = watch_look(watch); /* first: what comes from here on wakes the poll below */
        bool over = is_over(child->id);
        bool fits = listen_to(child, task->output_max, ended);
        if (over && fits)
            return;
        double left_s = end_s - watch_now_s();
        if (!fits || left_s <= 0 || !go_on) {
            ended->how = !fits ? ENDED_OUTPUT : left_s <= 0 ? ENDED_TIMEOUT : ENDED_INTERRUPTED;
            return;
        }
        struct pollfd ready[] = {{.fd = watch->file, .events = POLLIN},
                                 {.fd = child->output, .events = POLLIN},
                                 {.fd = child->said, .events = POLLIN}};
        poll(ready, 3, left_s > 3600 ? 3600000 : (int)(1000 * left_s) + 1);
    }
}

void processes_run(const struct task *task, struct watch *watch, struct ended *ended) {
    *ended = (struct ended){.how = ENDED_NOT_STARTED};
    struct child child;
    if (!start(task, watch, &child, &ended->code))
        return;
    ended->how = ENDED_EXIT;
    attend(task, watch, &child, ended);
    kill(-child.id, SIGKILL); /* what it started too */
    int status = 0;
    waitpid(child.id, &status, 0);
    if (ended->how == ENDED_EXIT) {
        ended->how = WIFSIGNALED(status) ? ENDED_SIGNAL : ENDED_EXIT;
        ended->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    }
    hang_up(&child.output);
    hang_up(&child.said);
}

void processes_free(struct ended *ended) {
    free(ended->output);
    *ended = (struct ended){0};
}
