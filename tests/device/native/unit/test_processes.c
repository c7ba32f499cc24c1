/* A program in a process of its own: how it ended, what it wrote, and that nothing of it is left. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "process/processes.h"

static void run_shell(const char *script, struct task task, struct watch *watch, struct ended *ended) {
    char *argv[] = {strdup("sh"), strdup("-c"), strdup(script), NULL};
    task.program = "sh";
    task.argv = argv;
    processes_run(&task, watch, ended);
    for (int i = 0; i < 3; i++)
        free(argv[i]);
}

static const struct task PATIENT = {.timeout_s = 60, .output_max = 100000};

static void test_output_and_exit_code(struct watch *watch) {
    struct ended ended;
    run_shell("echo out; echo err >&2; exit 3", PATIENT, watch, &ended);
    CHECK_LONG(ended.how, ENDED_EXIT);
    CHECK_LONG(ended.code, 3);
    CHECK_TEXT(ended.output, "out\n");
    CHECK_TEXT(ended.said, "err\n");
    processes_free(&ended);
}

static void test_long_output_is_whole_and_of_stderr_the_end_is_kept(struct watch *watch) {
    struct ended ended;
    run_shell(
        "i=0; while [ $i -lt 2000 ]; do echo 1234567890123456789012345678901234567890; i=$((i+1)); done;"
        "i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done",
        PATIENT, watch, &ended);
    CHECK_LONG(ended.how, ENDED_EXIT);
    CHECK_LONG(ended.output_size, 2000 * 41);
    CHECK_LONG(strlen(ended.output), 2000 * 41);
    CHECK_LONG(strlen(ended.said), PROCESS_SAID_MAX);
    CHECK_TEXT(ended.said + PROCESS_SAID_MAX - 9, "line 499\n");
    processes_free(&ended);
}

static void test_signals(struct watch *watch) {
    struct ended ended;
    char text[24];
    run_shell("kill -SEGV $$", PATIENT, watch, &ended);
    CHECK_LONG(ended.how, ENDED_SIGNAL);
    CHECK_TEXT(watch_signal_name(ended.code, text), "SIGSEGV");
    CHECK_TEXT(watch_signal_name(64, text), "signal 64");
    processes_free(&ended);
}

static void test_what_hangs_or_floods_is_ended(struct watch *watch) {
    struct ended ended;
    run_shell("exec sleep 60", (struct task){.timeout_s = 0.02, .output_max = 10}, watch, &ended);
    CHECK_LONG(ended.how, ENDED_TIMEOUT);
    processes_free(&ended);
    run_shell("exec yes", (struct task){.timeout_s = 60, .output_max = 1000}, watch, &ended);
    CHECK_LONG(ended.how, ENDED_OUTPUT);
    processes_free(&ended);
    run_shell("exec yes >&2", (struct task){.timeout_s = 0.05, .output_max = 1000}, watch, &ended);
    CHECK_LONG(ended.how, ENDED_TIMEOUT);
    processes_free(&ended);
}

static void test_what_it_started_is_ended_with_it(struct watch *watch) {
    struct ended ended;
    run_shell("sleep 60 & echo $!", PATIENT, watch, &ended);
    CHECK_LONG(ended.how, ENDED_EXIT);
    pid_t left = (pid_t)strtol(ended.output, NULL, 10);
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)left);
    for (int i = 0; i < 120000; i++) { /* it dies soon, on a busy machine later; nobody may reap it here */
        FILE *stat = fopen(path, "r");
        if (stat == NULL || fscanf(stat, "%*d %*s %c", &state) != 1)
            state = 'Z';
        if (stat != NULL)
            fclose(stat);
        if (state == 'Z' || state == 'X')
            break;
        usleep(1000);
    }
    CHECK(state == 'Z' || state == 'X');
    processes_free(&ended);
}

static void test_a_program_that_is_not_there(struct watch *watch) {
    char *argv[] = {NULL};
    struct task task = {.program = "/nowhere/edgeseq-run", .argv = argv, .timeout_s = 1};
    struct ended ended;
    processes_run(&task, watch, &ended);
    CHECK_LONG(ended.how, ENDED_NOT_STARTED);
    CHECK_LONG(ended.code, ENOENT);
    processes_free(&ended);
}

/* Last: from then on nothing is started any more. */
static void test_a_signal_ends_what_runs(struct watch *watch) {
    struct ended ended;
    CHECK(watch_wait(watch, 0.001));
    run_shell("kill -TERM $PPID; exec sleep 60", PATIENT, watch, &ended);
    CHECK_LONG(ended.how, ENDED_INTERRUPTED);
    CHECK_LONG(watch->caught, SIGTERM);
    CHECK(!watch_look(watch));
    CHECK(!watch_wait(watch, 60));
    processes_free(&ended);
}

int main(void) {
    struct watch watch;
    struct failure failure = {0};
    if (!CHECK(watch_begin(&watch, &failure)))
        return CHECKED;
    test_output_and_exit_code(&watch);
    test_long_output_is_whole_and_of_stderr_the_end_is_kept(&watch);
    test_signals(&watch);
    test_what_hangs_or_floods_is_ended(&watch);
    test_what_it_started_is_ended_with_it(&watch);
    test_a_program_that_is_not_there(&watch);
    test_a_signal_ends_what_runs(&watch);
    watch_end(&watch);
    return CHECKED;
}
