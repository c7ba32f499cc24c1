/* How long a measurement goes on. */
#ifndef EDGESEQ_LIMITS_H
#define EDGESEQ_LIMITS_H

/* Warm-up and steady state end when both count and time are reached. */
struct limits {
    long warmup_runs, steady_runs, instruction_runs;
    double warmup_s, warmup_max_s, steady_s, steady_max_s;
};

/* An initializer: those of edgeseq_device.measuring.request.Limits. */
#define LIMITS_DEFAULT \
    {.warmup_runs = 10, \
     .warmup_s = 0.5, \
     .warmup_max_s = 5, \
     .steady_runs = 1000, \
     .steady_s = 1, \
     .steady_max_s = 10, \
     .instruction_runs = 11}

#endif
