#include "bench/plan.h"

#include <stdio.h>
#include <stdlib.h>

const char *plan_reason_not_to(const struct plan_of *of, enum kind kind, char reason[REASON_MAX]) {
    const struct form *step = &of->sheet->step;
    if (kind == KIND_FITS)
        return "not asked for";
    if (keys_needs_step(kind) && !step->there) {
        snprintf(reason, REASON_MAX, "no step form: %s", step->reason == NULL ? "unknown" : step->reason);
        return reason;
    }
    if (keys_is_timed(kind) && of->emulated)
        return "emulated: the time of an emulated processor says nothing about the board";
    if (kind == KIND_INSTRUCTIONS || kind == KIND_STEP_INSTRUCTIONS)
        return "counted by qemu-user only: edgeseq bench --device pi4 --emulate";
    return bench_request_asks(kind) ? NULL : "not by the native runner: --runner python";
}

struct measurement *plan_make(const struct plan_of *of, size_t *count) {
    size_t most = KINDS_COUNT * (size_t)of->request->threads_count * (size_t)of->request->launches;
    struct measurement *plan = calloc(most, sizeof *plan);
    char reason[REASON_MAX];
    *count = 0;
    for (enum kind kind = 0; plan != NULL && kind < KINDS_COUNT; kind++) {
        if (plan_reason_not_to(of, kind, reason) != NULL)
            continue;
        for (int i = 0; i < of->request->threads_count; i++)
            for (long launch = 0; launch < (keys_is_latency(kind) ? of->request->launches : 1); launch++)
                plan[(*count)++] = (struct measurement){kind, i, launch};
    }
    return plan;
}
