/* What `edgeseq-run bench` is asked for. */
#ifndef EDGESEQ_BENCH_REQUEST_H
#define EDGESEQ_BENCH_REQUEST_H

#include <stdbool.h>

#include "base/failure.h"
#include "base/json.h"
#include "bench/keys.h"
#include "measure/limits.h"

enum { THREADS_MAX = 256, THREADS_COUNTS_MAX = 16 };

struct bench_request {
    const char *artifact;
    const char *library, *library_version, *json; /* NULL: not given */
    int threads[THREADS_COUNTS_MAX];              /* each number of threads is measured */
    int threads_count;
    struct limits limits;
    long launches, profile_runs;
    double realtime_s, sustained_s, power_s, cooldown_max_s; /* the first three only for the result */
    double timeout_s;                                        /* for one measurement */
    bool help;
};

/* What the options of the command say; its texts are theirs. USAGE names what is wrong with them. */
bool bench_request_parse(int argc, char **argv, struct bench_request *request, struct failure *failure);

/* Whether a kind of measurement is asked for. */
bool bench_request_asks(enum kind kind);

/* An object with every limit, as in a result's settings. */
void bench_request_write_limits(const struct bench_request *request, struct json *json);

/* How the command is used, in lines. */
extern const char BENCH_USE[];

#endif
