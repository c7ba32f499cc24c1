#include "bench/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/texts.h"
#include "process/processes.h"

static const size_t OUTPUT_MAX = 16u << 20; /* logits of 1000 golden vectors of 150 classes are 3 MB */

static const char LITERT_NOISE[] = "INFO: Created TensorFlow Lite XNNPACK delegate";

static void add_limits(const struct bench_request *request, struct texts *words) {
    const struct limits *limits = &request->limits;
    const struct {
        const char *name;
        double value;
    } options[] = {
        {"--warmup-runs", (double)limits->warmup_runs},
        {"--steady-runs", (double)limits->steady_runs},
        {"--warmup-s", limits->warmup_s},
        {"--warmup-max-s", limits->warmup_max_s},
        {"--steady-s", limits->steady_s},
        {"--steady-max-s", limits->steady_max_s},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        texts_add(words, "%s", options[i].name);
        texts_add(words, "%.17g", options[i].value);
    }
}

/* The command line of a job. */
static void add_words(const struct workplace *workplace, const struct worker_job *job, struct texts *words) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    texts_add(words, "edgeseq-run");
    texts_add(words, "measure");
    texts_add(words, "%s", keys_kind_name(job->kind));
    texts_add(words, "--artifact");
    texts_add(words, "%s", workplace->request->artifact);
    texts_add(words, "--library");
    texts_add(words, "%s", workplace->library->path);
    if (workplace->library->version[0] != '\0') {
        texts_add(words, "--library-version");
        texts_add(words, "%s", workplace->library->version);
    }
    texts_add(words, "--threads");
    texts_add(words, "%d", job->threads);
    texts_add(words, "--input");
    texts_add(words, "%s", workplace->input);
    texts_add(words, "--frames");
    texts_add(words, "%ld", workplace->frames);
    add_limits(workplace->request, words);
    texts_add(words, "--spawned-ns"); /* last: from here on it counts to the worker's start */
    texts_add(words, "%lld", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
}

/* The last line that was said, without what LiteRT always says; "" where there is none. Cuts `said` up. */
static const char *last_line(char *said) {
    const char *last = "";
    for (char *line; (line = strsep(&said, "\n")) != NULL;) {
        line += strspn(line, " \t\r");
        size_t size = strlen(line);
        while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL)
            line[--size] = '\0';
        if (size > 0 && strncmp(line, LITERT_NOISE, strlen(LITERT_NOISE)) != 0)
            last = line;
    }
    return last;
}

/* Why a process that has ended gave no outcome; true where it should have given one. */
static bool ended_well(struct ended *ended, double timeout_s, struct failure *failure) {
    char name[24];
    const char *said = last_line(ended->said), *colon = *said == '\0' ? "" : ": ";
    switch (ended->how) {
    case ENDED_NOT_STARTED:
        return fail(failure, FAULT, "the worker cannot be started: %s%s", strerror(ended->code),
                    ended->code == ENOEXEC ? "; does the emulator see to programs that a program starts?"
                                           : "");
    case ENDED_TIMEOUT:
        return fail(failure, FAULT, "the worker hung: no outcome after %g s", timeout_s);
    case ENDED_OUTPUT:
        return fail(failure, FAULT, "the worker wrote more than %zu bytes", OUTPUT_MAX);
    case ENDED_INTERRUPTED:
        return fail(failure, FAULT, "the worker was ended");
    case ENDED_SIGNAL:
        return fail(failure, FAULT, "the worker was killed by %s%s%s%s", watch_signal_name(ended->code, name),
                    ended->code == SIGKILL ? "; the board may have run out of RAM" : "", colon, said);
    case ENDED_EXIT:
        break;
    }
    if (ended->code != 0)
        return fail(failure, FAULT, "the worker failed with exit code %d%s%s", ended->code, colon, said);
    if (ended->output_size == 0)
        return fail(failure, FAULT, "the worker ended without an outcome%s%s", colon, said);
    return true;
}

bool worker_run(const struct workplace *workplace, const struct worker_job *job, struct watch *watch,
                struct outcome *outcome, struct failure *failure) {
    struct texts words = {0};
    add_words(workplace, job, &words);
    char **argv = words.incomplete ? NULL : calloc(words.count + 1, sizeof *argv);
    if (argv == NULL) {
        texts_free(&words);
        return fail_memory(failure);
    }
    memcpy(argv, words.items, words.count * sizeof *argv);
    struct task task = {
        .program = workplace->runner,
        .argv = argv,
        .cpus = job->cpus,
        .cpus_count = job->cpus_count,
        .timeout_s = workplace->request->timeout_s,
        .output_max = OUTPUT_MAX,
    };
    struct ended ended;
    processes_run(&task, watch, &ended);
    free(argv);
    texts_free(&words);
    bool well = ended_well(&ended, task.timeout_s, failure);
    char *output = ended.output;
    ended.output = NULL; /* the outcome takes it over */
    processes_free(&ended);
    if (!well)
        free(output);
    return well && outcome_read(output, outcome, failure);
}
