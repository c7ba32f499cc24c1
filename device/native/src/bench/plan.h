/* Which worker processes a benchmark takes, in which order, and why a kind of measurement is left out: as
 * edgeseq_device.measuring.plan. */
#ifndef EDGESEQ_PLAN_H
#define EDGESEQ_PLAN_H

#include <stddef.h>

#include "artifact/sheet.h"
#include "bench/bench_request.h"

/* One worker process. */
struct measurement {
    enum kind kind;
    int threads_at; /* the place of its number of threads in the request */
    long launch;    /* 0 for the first */
};

/* Where the plan is made: what an artifact has, and whether the processor is emulated. */
struct plan_of {
    const struct bench_request *request;
    const struct sheet *sheet;
    bool emulated;
};

enum { REASON_MAX = 512 };

/* Why a kind of measurement cannot be taken here, in `reason`; NULL when it can. */
const char *plan_reason_not_to(const struct plan_of *of, enum kind kind, char reason[REASON_MAX]);

/* The measurements in order, for the caller to free; NULL without memory. */
struct measurement *plan_make(const struct plan_of *of, size_t *count);

#endif
