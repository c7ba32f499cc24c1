/* `edgeseq-run measure`: one measurement in this fresh process, for `edgeseq-run bench` and the agent. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "commands.h"
#include "measure/kinds.h"
#include "measure/outcome.h"
#include "measure/timing.h"

static const char USE[] =
    "edgeseq-run measure KIND --artifact DIR: one measurement; its outcome is lines on stdout\n"
    "\n"
    "KIND: ram, latency, step_latency, parity, step_parity, instructions, step_instructions, fits\n"
    "  --input FILE --frames T     little-endian rows of the model's features [default: a golden input]\n"
    "  --spawned-ns NS        of the monotonic clock, before this process was started\n"
    "  --agent FD:INODE       a pipe: this process group ends when who writes to it is gone\n"
    "  --warmup-runs N --warmup-s S --warmup-max-s S --steady-runs N --steady-s S --steady-max-s S\n"
    "  --instruction-runs N\n";

/* Lets the kernel end this process group (SIGIO) as soon as the agent, the pipe's only writer, is gone: an
 * agent that is killed cannot end its worker itself. inode: of the pipe, in case that a launcher has closed
 * it. False where the agent is gone already. */
static bool end_with_the_agent(const char *agent, struct failure *failure) {
    char number[24];
    const char *colon = strchr(agent, ':');
    long file, inode;
    if (colon == NULL || (size_t)(colon - agent) >= sizeof number)
        return fail(failure, USAGE, "--agent must be FD:INODE, not %s", agent);
    snprintf(number, sizeof number, "%.*s", (int)(colon - agent), agent);
    if (!text_long("--agent", number, 0, INT_MAX, &file, failure) ||
        !text_long("--agent", colon + 1, 0, LONG_MAX, &inode, failure))
        return false;
    struct stat status;
    char byte;
    if (fstat((int)file, &status) != 0 || (long)status.st_ino != inode)
        return true;
    if (fcntl((int)file, F_SETOWN, -getpgrp()) != 0 || fcntl((int)file, F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
        return true;
    if (read((int)file, &byte, 1) < 0) /* EAGAIN: it lives */
        return true;
    return fail(failure, FAULT, "the agent that started this measurement is gone");
}

/* Standard output as the outcome's own: whatever a library prints there goes to stderr from now on. */
static FILE *take_stdout(struct failure *failure) {
    int own = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *outcome = own < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ? NULL : fdopen(own, "w");
    if (outcome == NULL)
        fail_errno(failure, FAULT, "stdout", "cannot be written");
    return outcome;
}

static bool write_outcome(struct job *job, FILE *outcome, struct failure *failure) {
    struct failure why = {FAULT, ""};
    outcome_begin(outcome);
    if (!kinds_measure(job->options->operands[0], job, outcome, &why))
        outcome_error(outcome, &why);
    outcome_end(outcome);
    bool is_written = !ferror(outcome);
    if (fclose(outcome) != 0 || !is_written)
        return fail_errno(failure, FAULT, "stdout", "cannot be written");
    return true;
}

int command_measure(int argc, char **argv, struct failure *failure) {
    struct options options;
    struct job job = {.options = &options, .entered_ns = timing_now_ns()};
    if (!options_parse(argc, argv, MEASURE, 1, 1, "one kind of measurement", &options, failure))
        return FAILED;
    if (options.help)
        return options_help(USE);
    bool is_whole = options.artifact != NULL && (options.input == NULL) == (options.frames == 0);
    if (!is_whole)
        fail(failure, USAGE, "measure: give --artifact, and --input and --frames together");
    if (!is_whole || (options.agent != NULL && !end_with_the_agent(options.agent, failure)))
        return FAILED;
    FILE *outcome = take_stdout(failure);
    return outcome != NULL && write_outcome(&job, outcome, failure) ? 0 : FAILED;
}
