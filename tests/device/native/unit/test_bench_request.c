/* The options of `bench`, and the plan that follows from them. */
#include <stdlib.h>

#include "bench/bench_request.h"
#include "bench/plan.h"
#include "check.h"

/* The request of a command line of words, which are parted by one blank. `line` is cut up and must live on.
 */
static bool parse(char *line, struct bench_request *request, struct failure *failure) {
    static char *argv[16];
    int argc = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL;)
        argv[argc++] = word;
    argv[argc] = NULL;
    return bench_request_parse(argc, argv, request, failure);
}

static void test_defaults_and_options(void) {
    struct bench_request request;
    struct failure failure = {0};
    char plain[] = "bench art", much[] = "bench art --threads 2,1,2 --quick "
                                         "--json out --library lib --library-version 2.3.0";
    CHECK(parse(plain, &request, &failure));
    CHECK_TEXT(request.artifact, "art");
    CHECK_LONG(request.threads_count, 1);
    CHECK_LONG(request.threads[0], 1);
    CHECK_LONG(request.launches, 3);
    CHECK_LONG(request.limits.steady_runs, 1000);
    CHECK(bench_request_asks(KIND_STEP_LATENCY));
    CHECK(!bench_request_asks(KIND_REALTIME));
    CHECK(!bench_request_asks(KIND_POWER));
    CHECK(parse(much, &request, &failure));
    CHECK_LONG(request.threads_count, 2);
    CHECK_LONG(request.threads[0], 2);
    CHECK_LONG(request.threads[1], 1);
    CHECK_LONG(request.launches, 1);
    CHECK_TEXT(request.json, "out");
    CHECK_TEXT(request.library, "lib");
    CHECK_TEXT(request.library_version, "2.3.0");
}

static void test_wrong_options_are_named(void) {
    static const char *const WRONG[][2] = {
        {"bench", "give one artifact"},
        {"bench a b", "give one artifact"},
        {"bench a --treads 2", "there is no option --treads"},
        {"bench a --threads", "a value is needed by --threads"},
        {"bench a --threads 0", "--threads is 0"},
        {"bench a --threads 1,,2", "--threads is "},
        {"bench a --threads 1;2", "--threads is 1;2"},
        {"bench a --threads 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "give 16 at most"},
        {"bench a --json ", "--json: give"},
        {"bench a --realtime", "there is no option --realtime"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct bench_request request;
        struct failure failure = {0};
        char line[128];
        strcpy(line, WRONG[i][0]);
        if (CHECK(!parse(line, &request, &failure)))
            CHECK_FAILURE(failure, USAGE, WRONG[i][1]);
    }
}

static void test_the_plan(void) {
    struct bench_request request;
    struct failure failure = {0};
    char line[] = "bench a --threads 1,2", why[] = "it is not causal", reason[REASON_MAX];
    if (!CHECK(parse(line, &request, &failure)))
        return;
    struct sheet sheet = {.step = {.reason = why}};
    struct plan_of of = {&request, &sheet, .emulated = false};
    size_t count;
    struct measurement *plan = plan_make(&of, &count);
    CHECK_LONG(count, 2 + 2 + 2 * 3); /* RAM, parity, latency */
    CHECK_LONG(plan[0].kind, KIND_RAM);
    CHECK_LONG(plan[1].threads_at, 1);
    CHECK_LONG(plan[6].kind, KIND_LATENCY);
    CHECK_LONG(plan[6].launch, 2);
    free(plan);
    CHECK_TEXT(plan_reason_not_to(&of, KIND_STEP_LATENCY, reason), "no step form: it is not causal");
    CHECK_TEXT(plan_reason_not_to(&of, KIND_POWER, reason), "not by the native runner: --runner python");
    CHECK_TEXT(plan_reason_not_to(&of, KIND_FITS, reason), "not asked for");
    CHECK_TEXT(plan_reason_not_to(&of, KIND_INSTRUCTIONS, reason),
               "counted by qemu-user only: edgeseq bench --device pi4 --emulate");
    CHECK_TEXT(plan_reason_not_to(&of, KIND_RAM, reason), NULL);
    sheet.step.there = of.emulated = true;
    CHECK_TEXT(plan_reason_not_to(&of, KIND_STEP_LATENCY, reason),
               "emulated: the time of an emulated processor says nothing about the board");
    plan = plan_make(&of, &count);
    CHECK_LONG(count, 6); /* RAM, parity of both forms */
    free(plan);
}

int main(void) {
    test_defaults_and_options();
    test_wrong_options_are_named();
    test_the_plan();
    return CHECKED;
}
