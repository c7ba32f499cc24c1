#include "bench/bench_request.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const char BENCH_USE[] =
    "edgeseq-run bench ARTIFACT: measures it on this machine, each figure in a process of its own\n"
    "\n"
    "  --threads N[,N...]  of the model; each number is measured [default: 1]\n"
    "  --quick             one short launch: less precise\n"
    "  --json FILE         write the whole result there; - is stdout, the table then goes to stderr\n"
    "  --library FILE      libLiteRt.so [default: beside edgeseq-run]\n"
    "  --library-version VERSION  of its package [default: as libLiteRt.version beside it says]\n";

static const struct bench_request DEFAULTS = {
    .threads = {1},
    .threads_count = 1,
    .limits =
        {
            .warmup_runs = 10,
            .warmup_s = 0.5,
            .warmup_max_s = 5.0,
            .steady_runs = 1000,
            .steady_s = 1.0,
            .steady_max_s = 10.0,
            .instruction_runs = 11,
        },
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
    char copy[128], *rest = copy;
    if (strlen(text) >= sizeof copy)
        return fail(failure, USAGE, "--threads: too many numbers; give %d at most", THREADS_COUNTS_MAX);
    strcpy(copy, text);
    request->threads_count = 0;
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        long number;
        if (!text_long("--threads", part, 1, THREADS_MAX, &number, failure))
            return false;
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

static bool parse_option(int letter, const char *value, struct bench_request *request,
                         struct failure *failure) {
    switch (letter) {
    case 't':
        return parse_threads(value, request, failure);
    case 'q':
        make_quick(request);
        return true;
    case 'j':
        request->json = value;
        return *value != '\0' || fail(failure, USAGE, "--json: give the name of a file");
    case 'l':
        request->library = value;
        return true;
    case 'v':
        request->library_version = value;
        return true;
    default:
        return request->help = true;
    }
}

bool bench_request_parse(int argc, char **argv, struct bench_request *request, struct failure *failure) {
    static const struct option OPTIONS[] = {
        {"threads", required_argument, NULL, 't'},
        {"quick", no_argument, NULL, 'q'},
        {"json", required_argument, NULL, 'j'},
        {"library", required_argument, NULL, 'l'},
        {"library-version", required_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *request = DEFAULTS;
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":h", OPTIONS, NULL)) != -1;) {
        if (letter == '?' || letter == ':')
            return fail(failure, USAGE, "bench: %s %s; see: edgeseq-run bench --help", argv[optind - 1],
                        letter == ':' ? "takes a value" : "is no option");
        if (!parse_option(letter, optarg, request, failure))
            return false;
    }
    if (request->help)
        return true;
    if (argc - optind != 1)
        return fail(failure, USAGE, "bench: give one artifact, its folder; see: edgeseq-run bench --help");
    request->artifact = argv[optind];
    return true;
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
