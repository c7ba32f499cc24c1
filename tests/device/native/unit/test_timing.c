#include "check.h"
#include "measure/timing.h"

static const uint64_t MS = 1000000;

/* A clock that only work and waiting move. */
static uint64_t clock_now;

static uint64_t now(void) {
    return clock_now;
}

/* Work of some ms that gets slower by a factor at each run, and before which pass 5 ms. */
struct labour {
    uint64_t ns;
    double factor;
    long runs, fails_at;
};

static void before(void *of) {
    (void)of;
    clock_now += 5 * MS;
}

static bool run(void *of, struct failure *failure) {
    struct labour *labour = of;
    if (++labour->runs == labour->fails_at)
        return fail(failure, BAD_DATA, "run %ld", labour->runs);
    if (labour->factor > 0)
        labour->ns = (uint64_t)((double)labour->ns * labour->factor);
    clock_now += labour->ns;
    return true;
}

static const struct limits LIMITS = {.warmup_runs = 10,
                                     .warmup_s = 0.5,
                                     .warmup_max_s = 5,
                                     .steady_runs = 100,
                                     .steady_s = 1,
                                     .steady_max_s = 2};

static void a_warm_up_ends_when_windows_agree_and_its_time_is_over(void) {
    struct labour labour = {.ns = MS};
    struct warm_up warm_up;
    struct failure failure;
    CHECK(timing_warm_up(&(struct work){NULL, run, &labour}, &LIMITS, now, &warm_up, &failure));
    CHECK_LONG(warm_up.runs, 500);
    CHECK_NEAR(warm_up.seconds, 0.5, 1e-9);
    CHECK(warm_up.settled);
}

static void a_warm_up_that_does_not_settle_ends_all_the_same(void) {
    struct labour labour = {.ns = MS, .factor = 1.01};
    struct warm_up warm_up;
    struct failure failure;
    CHECK(timing_warm_up(&(struct work){NULL, run, &labour}, &LIMITS, now, &warm_up, &failure));
    CHECK(warm_up.seconds >= 5);
    CHECK(!warm_up.settled);
}

static void what_comes_before_a_run_is_not_in_its_time(void) {
    struct labour labour = {.ns = 2 * MS};
    struct failure failure;
    uint64_t duration_ns;
    CHECK(timing_once(&(struct work){before, run, &labour}, now, &duration_ns, &failure));
    CHECK_LONG(duration_ns, 2 * MS);
}

static void work_that_fails_ends_the_measurement(void) {
    struct labour labour = {.ns = MS, .fails_at = 20};
    struct warm_up warm_up;
    struct failure failure;
    uint64_t samples[STEADY_RUNS_MAX];
    size_t count;
    CHECK(!timing_warm_up(&(struct work){NULL, run, &labour}, &LIMITS, now, &warm_up, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "run 20");
    labour.runs = 0;
    CHECK(!timing_steady(&(struct work){NULL, run, &labour}, &LIMITS, now, samples, &count, &failure));
}

static size_t steady_count(uint64_t ns) {
    struct labour labour = {.ns = ns};
    struct failure failure;
    uint64_t samples[STEADY_RUNS_MAX];
    size_t count = 0;
    CHECK(timing_steady(&(struct work){NULL, run, &labour}, &LIMITS, now, samples, &count, &failure));
    CHECK_LONG(samples[count - 1], ns);
    return count;
}

static void the_steady_state_has_enough_of_runs_and_of_time(void) {
    CHECK_LONG(steady_count(MS), 1000);     /* the time is later */
    CHECK_LONG(steady_count(15 * MS), 100); /* the runs are */
    CHECK_LONG(steady_count(100 * MS), 20); /* no more than steady_max_s */
    CHECK_LONG(steady_count(MS / 100), STEADY_RUNS_MAX);
}

int main(void) {
    a_warm_up_ends_when_windows_agree_and_its_time_is_over();
    a_warm_up_that_does_not_settle_ends_all_the_same();
    what_comes_before_a_run_is_not_in_its_time();
    work_that_fails_ends_the_measurement();
    the_steady_state_has_enough_of_runs_and_of_time();
    return CHECKED;
}
