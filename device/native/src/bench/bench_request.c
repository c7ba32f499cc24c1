#include "bench/bench_request.h"

#include <string.h>

#include "base/text.h"
#include "measure/options.h"

const char BENCH_USE[] = "edgeseq-run bench ARTIFACT: measures it on this machine\n"
                         "\n"
                         "  --quick            one short launch\n"
                         "  --json FILE        the result; - is stdout, and stderr has the table\n"
                         "  --threads N,N...   each number is measured\n";

static const struct bench_request DEFAULTS = {
    .threads = {1},
    .threads_count = 1,
    .launches = 3,
    .profile_runs = 100,
    .realtime_s = 10.0,
    .sustained_s = 300.0,
    .power_s = 10.0,
    .cooldown_max_s = 120.0,
    .timeout_s = 120.0,
};

/* One short launch: rougher latency. */
static void make_quick(struct bench_request *request) {
    request->limits.warmup_s = 0.1;
    request->limits.warmup_max_s = 1.0;
    request->limits.steady_runs = 200;
    request->limits.steady_s = 0.2;
    request->limits.steady_max_s = 2.0;
    request->launches = 1;
    request->realtime_s = 2.0;
    request->power_s = 2.0;
    request->cooldown_max_s = 0.0;
}

/* Numbers with commas between; one that is there twice counts once. */
static bool parse_threads(const char *text, struct bench_request *request, struct failure *failure) {
    request->threads_count = 0;
    for (const char *rest = text; rest != NULL;) {
        char part[12];
        long number;
        size_t size = strcspn(rest, ",");
        snprintf(part, sizeof part, "%.*s", (int)size, rest);
        if (!text_long("--threads", size < sizeof part ? part : rest, 1, THREADS_MAX, &number, failure))
            return false;
        rest = rest[size] == '\0' ? NULL : rest + size + 1;
        bool known = false;
        for (int i = 0; i < request->threads_count; i++)
            known = known || request->threads[i] == number;
        if (known)
            continue;
        if (request->threads_count == THREADS_COUNTS_MAX)
            return fail(failure, USAGE, "--threads: too many numbers; give %d at most", THREADS_COUNTS_MAX);
        request->threads[request->threads_count++] = (int)number;
    }
    return true;
}

bool bench_request_parse(int argc, char **argv, struct bench_request *request, struct failure *failure) {
    struct options options;
    if (!options_parse(argc, argv, BENCH, 1, 1, "one artifact, its folder", &options, failure))
        return false;
    *request = DEFAULTS;
    request->limits = options.limits;
    request->artifact = options.operands[0];
    request->library = options.library;
    request->library_version = options.library_version;
    request->json = options.json_path;
    request->help = options.help;
    if (options.quick)
        make_quick(request);
    if (options.json_path != NULL && *options.json_path == '\0')
        return fail(failure, USAGE, "--json: give the name of a file");
    return options.help || options.threads_list == NULL ||
           parse_threads(options.threads_list, request, failure);
}

bool bench_request_asks(enum kind kind) {
    switch (kind) {
    case KIND_RAM:
    case KIND_PARITY:
    case KIND_STEP_PARITY:
    case KIND_LATENCY:
    case KIND_STEP_LATENCY:
        return true;
    default:
        return false;
    }
}

void bench_request_write_limits(const struct bench_request *request, struct json *json) {
    const struct limits *limits = &request->limits;
    json_open(json, '{');
    json_long_of(json, "warmup_runs", limits->warmup_runs);
    json_double_of(json, "warmup_s", limits->warmup_s);
    json_double_of(json, "warmup_max_s", limits->warmup_max_s);
    json_long_of(json, "steady_runs", limits->steady_runs);
    json_double_of(json, "steady_s", limits->steady_s);
    json_double_of(json, "steady_max_s", limits->steady_max_s);
    json_long_of(json, "launches", request->launches);
    json_long_of(json, "instruction_runs", limits->instruction_runs);
    json_long_of(json, "profile_runs", request->profile_runs);
    json_double_of(json, "realtime_s", request->realtime_s);
    json_double_of(json, "sustained_s", request->sustained_s);
    json_double_of(json, "power_s", request->power_s);
    json_double_of(json, "cooldown_max_s", request->cooldown_max_s);
    json_double_of(json, "timeout_s", request->timeout_s);
    json_close(json, '}');
}
