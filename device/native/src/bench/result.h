/* From the outcomes of the workers to one result: every figure there, or null with its reason. As
 * edgeseq_device.measuring.assemble, and checked by the same rules on a host: measuring.protocol. */
#ifndef EDGESEQ_RESULT_H
#define EDGESEQ_RESULT_H

#include <stdbool.h>
#include <stdio.h>

#include "artifact/artifact.h"
#include "base/texts.h"
#include "bench/outcome_reader.h"
#include "bench/plan.h"
#include "board/guards.h"
#include "board/system.h"

/* What became of one measurement of the plan. */
struct taken {
    struct measurement what;
    bool done;
    struct outcome outcome; /* where there is no error */
    char *error;
};

/* One figure: a value in JSON, or NULL and why there is none. */
struct figure {
    const char *json, *reason;
};

/* A model's part of the result, with one number of threads. */
struct entry {
    int threads;
    int *cpus; /* NULL: not bound to some */
    int cpus_count;
    const char *runtime;            /* NULL: no worker told */
    const struct outcome *settings; /* whose the runtime's settings are; NULL likewise */
    long frames;                    /* 0: no worker told */
    struct figure figures[KEYS_COUNT];
    struct texts failures, warnings;
};

struct result {
    const struct bench_request *request;
    const struct artifact *artifact;
    const struct system *system;
    const struct guards *before, *after;
    char started_utc[32];
    char runner_sha256[65], library_sha256[65];
    const struct taken *taken;
    size_t taken_count;
    const char *lost;      /* why not all of the plan was measured; NULL where it was */
    struct entry *entries; /* [request->threads_count], with threads and cpus filled in */
    struct texts kept, invalid, warnings;
};

/* Fills the entries' figures, `invalid` and `warnings` from what was taken; all else has been filled in. */
void result_assemble(struct result *result);

/* False where there was no memory for something that it says. */
bool result_is_whole(const struct result *result);

/* How a result calls one of its entries: "tflite native", or "tflite native, 2 threads". For
 * edgeseq_device.measuring.assemble.name says the same. */
void result_name(const struct entry *entry, char name[40]);

/* The result as JSON in lines. */
void result_write(const struct result *result, FILE *file);

/* What a result is failed for, in `failure`: answers out of parity, then an unfit device. True if all is
 * well. */
bool result_judge(const struct result *result, struct failure *failure);

/* Frees what result_assemble() made. */
void result_free(struct result *result);

/* For the figures of one kind of measurement: gives a key, by its name in a worker, a value or the reason
 * that there is none. A number that is not finite is left out. */
void result_set(struct result *result, struct entry *entry, enum kind kind, const char *name, double value);
void result_set_whole(struct result *result, struct entry *entry, enum kind kind, const char *name,
                      long value);
void result_leave_out(struct entry *entry, enum kind kind, const char *name, const char *reason);

#endif
