/* A benchmark on this machine: one fresh process for each measurement of the plan, then one result. As
 * edgeseq_device.measuring.agent. */
#ifndef EDGESEQ_BENCH_H
#define EDGESEQ_BENCH_H

#include "artifact/artifact.h"
#include "bench/bench_request.h"
#include "bench/result.h"
#include "board/system.h"
#include "litert/library.h"
#include "process/watch.h"

struct bench {
    const struct bench_request *request;
    char runner[PATH_MAX]; /* edgeseq-run, which takes each measurement */
    struct artifact artifact;
    char *sums_path; /* of SHA256SUMS, by which each worker verifies the artifact */
    char sums_sha256[65];
    struct library library;
    struct system system;
    struct guards before, after;
    struct watch watch;
    int input; /* the rows that workers run: a file in memory */
    char input_path[32];
    long frames;
    struct taken *taken;
    char lost[64];
    struct result result;
};

/* Opens what is measured: everything that can be refused is refused here. bench_close() frees; on failure
 * nothing is left to free. The request must outlive it. */
bool bench_open(const struct bench_request *request, struct bench *bench, struct failure *failure);

/* Measures, with a line on stderr for each measurement, and fills bench->result. SIGTERM, SIGINT and SIGHUP
 * end it early; the result then says so and has what was measured until then. */
bool bench_run(struct bench *bench, struct failure *failure);

void bench_close(struct bench *bench);

#endif
