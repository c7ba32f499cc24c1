/* Durations of one piece of work: warm-up until it has settled, and the steady state. */
#ifndef EDGESEQ_TIMING_H
#define EDGESEQ_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "measure/limits.h"

enum { STEADY_RUNS_MAX = 10000 };

/* What is measured. `before` comes ahead of each run and is no part of it; NULL: nothing does. */
struct work {
    void (*before)(void *of);
    bool (*run)(void *of, struct failure *failure);
    void *of;
};

/* runs and seconds it took; settled: the last two windows' medians agreed within 5 %. */
struct warm_up {
    long runs;
    double seconds;
    bool settled;
};

typedef uint64_t clock_ns(void); /* a test gives one of its own */

/* The monotonic clock in ns. */
uint64_t timing_now_ns(void);

/* One run and its duration in ns. */
bool timing_once(const struct work *work, clock_ns *now, uint64_t *duration_ns, struct failure *failure);

/* Runs until the counts and times of `limits` are reached and the last windows agree. */
bool timing_warm_up(const struct work *work, const struct limits *limits, clock_ns *now,
                    struct warm_up *warm_up, struct failure *failure);

/* Durations in ns into samples[STEADY_RUNS_MAX]: at least limits' steady_runs and steady_s, cut off at
 * steady_max_s or STEADY_RUNS_MAX. */
bool timing_steady(const struct work *work, const struct limits *limits, clock_ns *now, uint64_t *samples,
                   size_t *count, struct failure *failure);

#endif
