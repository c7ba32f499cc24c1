/* Starting one worker, edgeseq-run in a fresh process, and getting its outcome, whatever becomes of it. */
#ifndef EDGESEQ_WORKER_H
#define EDGESEQ_WORKER_H

#include "bench/bench_request.h"
#include "bench/outcome_reader.h"
#include "litert/library.h"
#include "process/watch.h"

/* One measurement of a benchmark. */
struct worker_job {
    enum kind kind;
    int threads;
    const int *cpus; /* the processors it may use; cpus_count 0: all */
    int cpus_count;
};

/* What every job of a benchmark takes. */
struct workplace {
    const struct bench_request *request;
    const char *runner; /* the path of edgeseq-run */
    const struct library *library;
    const char *input; /* a file of the rows to run */
    long frames;       /* how many there are */
};

/* Runs a job. On failure `failure` says what became of it in one line; then, if watch->caught is set, the job
 * was ended because this program shall end. outcome_free() frees. */
bool worker_run(const struct workplace *workplace, const struct worker_job *job, struct watch *watch,
                struct outcome *outcome, struct failure *failure);

#endif
