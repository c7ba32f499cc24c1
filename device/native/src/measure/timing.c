#include "measure/timing.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "measure/statistics.h"

#define AGREEMENT 0.05
#define WINDOW_NS 50000000u

uint64_t timing_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool timing_once(const struct work *work, clock_ns *now, uint64_t *duration_ns, struct failure *failure) {
    if (work->before != NULL)
        work->before(work->of);
    uint64_t begin_ns = now();
    bool ran = work->run(work->of, failure);
    *duration_ns = now() - begin_ns;
    return ran;
}

/* Durations of a window, of which there is no saying how many they become. */
struct window {
    double *values;
    size_t count, room;
};

static bool append(struct window *window, double value, struct failure *failure) {
    if (window->count == window->room) {
        size_t room = window->room == 0 ? 1024 : 2 * window->room;
        double *grown = realloc(window->values, room * sizeof *grown);
        if (grown == NULL)
            return fail_memory(failure);
        window->values = grown;
        window->room = room;
    }
    window->values[window->count++] = value;
    return true;
}

/* Runs of at least `runs_min` and 50 ms into the window, which begins empty. */
static bool fill(struct window *window, const struct work *work, long runs_min, clock_ns *now,
                 struct failure *failure) {
    uint64_t begin_ns = now(), duration_ns;
    window->count = 0;
    while (window->count < (size_t)runs_min || now() - begin_ns < WINDOW_NS) {
        if (!timing_once(work, now, &duration_ns, failure) || !append(window, (double)duration_ns, failure))
            return false;
    }
    return true;
}

bool timing_warm_up(const struct work *work, const struct limits *limits, clock_ns *now,
                    struct warm_up *warm_up, struct failure *failure) {
    struct window window = {0};
    uint64_t begin_ns = now();
    double median = 0, previous = 0;
    *warm_up = (struct warm_up){0};
    bool ran = true;
    for (bool is_first = true;; is_first = false) {
        ran = fill(&window, work, limits->warmup_runs, now, failure);
        if (!ran)
            break;
        warm_up->runs += (long)window.count;
        previous = median;
        median = statistics_median_of(window.values, window.count);
        warm_up->seconds = (double)(now() - begin_ns) / 1e9;
        warm_up->settled = !is_first && fabs(median - previous) <= AGREEMENT * previous;
        if ((warm_up->settled && warm_up->seconds >= limits->warmup_s) ||
            warm_up->seconds >= limits->warmup_max_s)
            break;
    }
    free(window.values);
    return ran;
}

bool timing_steady(const struct work *work, const struct limits *limits, clock_ns *now, uint64_t *samples,
                   size_t *count, struct failure *failure) {
    uint64_t begin_ns = now();
    *count = 0;
    while (*count < STEADY_RUNS_MAX) {
        if (!timing_once(work, now, &samples[*count], failure))
            return false;
        ++*count;
        double seconds = (double)(now() - begin_ns) / 1e9;
        bool is_enough = seconds >= limits->steady_s && *count >= (size_t)limits->steady_runs;
        if (is_enough || seconds >= limits->steady_max_s)
            break;
    }
    return true;
}
