#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "artifact/sha256.h"
#include "base/beside.h"
#include "bench/worker.h"
#include "board/cooldown.h"
#include "board/cpu.h"

static bool hash_file(const char *path, char hex[65], struct failure *failure) {
    struct bytes bytes;
    if (!file_map(path, &bytes, failure)) {
        failure->exit_code = UNFIT;
        return false;
    }
    sha256_hex(bytes.data, bytes.size, hex);
    bytes_free(&bytes);
    return true;
}

static const char INPUT[] = "a file in memory for the workers' input";

/* The golden input of median length as a bare file: unpacking an archive would be in a worker's memory. It is
 * in memory, and a worker has it open from its start. */
static bool open_input(struct bench *bench, struct failure *failure) {
    struct golden golden;
    if (!artifact_golden(&bench->artifact, &golden, failure))
        return false;
    const struct npy *rows = &golden.features[golden_median(&golden)];
    bench->frames = rows->dims[0];
    bench->input = (int)syscall(SYS_memfd_create, "edgeseq-input", 0u);
    bool written = bench->input < 0 ? fail_errno(failure, FAULT, INPUT, "cannot be made")
                                    : file_write_all(bench->input, INPUT, rows->data,
                                                     npy_count(rows) * sizeof(float), failure);
    golden_free(&golden);
    snprintf(bench->input_path, sizeof bench->input_path, "/proc/self/fd/%d", bench->input);
    return written;
}

/* The entries of the result, each with its threads and the processors that they are bound to. */
static bool open_entries(struct bench *bench, struct failure *failure) {
    int count = bench->request->threads_count, cpus[CPUS_MAX];
    struct entry *entries = bench->result.entries = calloc((size_t)count, sizeof *entries);
    for (int i = 0; entries != NULL && i < count; i++) {
        struct entry *entry = &entries[i];
        entry->threads = bench->request->threads[i];
        if (bench->system.emulation.emulated)
            continue;
        if (!cpu_choose(entry->threads, cpus, &entry->cpus_count, failure))
            return false;
        if (entry->cpus_count == 0)
            continue;
        entry->cpus = calloc((size_t)entry->cpus_count, sizeof *cpus);
        if (entry->cpus == NULL)
            return fail_memory(failure);
        memcpy(entry->cpus, cpus, (size_t)entry->cpus_count * sizeof *cpus);
    }
    return entries != NULL || fail_memory(failure);
}

static bool open_plan(struct bench *bench, struct failure *failure) {
    struct plan_of of = {bench->request, &bench->artifact.sheet, bench->system.emulation.emulated};
    struct measurement *plan = plan_make(&of, &bench->result.taken_count);
    bench->taken = plan == NULL ? NULL : calloc(bench->result.taken_count + 1, sizeof *bench->taken);
    for (size_t i = 0; bench->taken != NULL && i < bench->result.taken_count; i++)
        bench->taken[i].what = plan[i];
    free(plan);
    return bench->taken != NULL || fail_memory(failure);
}

static bool open_all(struct bench *bench, struct failure *failure) {
    const struct bench_request *request = bench->request;
    struct result *result = &bench->result;
    if (!artifact_open(request->artifact, &bench->artifact, failure) ||
        (bench->sums_path = file_in(request->artifact, "SHA256SUMS", failure)) == NULL ||
        !hash_file(bench->sums_path, bench->sums_sha256, failure) ||
        !library_find(request->library, request->library_version, &bench->library, failure) ||
        !hash_file(bench->library.path, result->library_sha256, failure) ||
        !beside_program("edgeseq-run", "put it there, `make runner` builds both", bench->runner, failure) ||
        !hash_file(bench->runner, result->runner_sha256, failure))
        return false;
    system_describe("/", NULL, &bench->system);
    return open_entries(bench, failure) && open_plan(bench, failure) && open_input(bench, failure) &&
           watch_begin(&bench->watch, failure);
}

bool bench_open(const struct bench_request *request, struct bench *bench, struct failure *failure) {
    *bench = (struct bench){.request = request, .input = -1, .watch = {.file = -1}};
    bench->result.request = request;
    if (open_all(bench, failure))
        return true;
    bench_close(bench);
    return false;
}

/* What was read before counts as read afterwards too, until there is a reading. */
static void begin_guards(struct bench *bench) {
    guards_read("/", bench->system.emulation.emulated, &bench->watch, &bench->before);
    bench->after = bench->before;
    if (bench->before.governor != NULL)
        bench->after.governor = strdup(bench->before.governor);
}

static void read_guards(struct bench *bench) {
    struct guards now;
    guards_read("/", bench->system.emulation.emulated, &bench->watch, &now);
    if (bench->watch.caught == 0)
        guards_worst_of(&bench->after, &now);
    guards_free(&now);
}

static void tell(const struct bench *bench, size_t at) {
    const struct measurement *what = &bench->taken[at].what;
    char name[40], kind[32];
    result_name(&bench->result.entries[what->threads_at], name);
    snprintf(kind, sizeof kind, "%s", keys_kind_name(what->kind));
    for (char *each = kind; *each != '\0'; each++)
        *each = *each == '_' ? ' ' : *each;
    fprintf(stderr, "[%zu/%zu] %s: %s", at + 1, bench->result.taken_count, name, kind);
    if (what->launch > 0)
        fprintf(stderr, ", launch %ld", what->launch + 1);
    fputc('\n', stderr);
}

/* One measurement of the plan. False where it was to end before its end. */
static bool take(struct bench *bench, size_t at) {
    struct taken *taken = &bench->taken[at];
    const struct entry *entry = &bench->result.entries[taken->what.threads_at];
    struct workplace workplace = {bench->request, bench->runner, &bench->library, bench->input_path,
                                  bench->frames};
    struct worker_job job = {taken->what.kind, entry->threads, entry->cpus, entry->cpus_count};
    bool timed = keys_is_timed(job.kind);
    if (timed)
        cooldown_wait("/", bench->before.temperature_c, bench->request->cooldown_max_s, &bench->watch);
    if (!watch_look(&bench->watch))
        return false;
    tell(bench, at);
    struct failure failure;
    if (!worker_run(&workplace, &job, &bench->watch, &taken->outcome, &failure)) {
        if (!watch_look(&bench->watch)) /* the signal may have gone to the worker too */
            return false;
        taken->error = strdup(failure.message);
    }
    taken->done = true;
    if (timed)
        read_guards(bench);
    return true;
}

/* A file that is measured: workers open it by its path, each anew. Puts one that is another one by now among
 * what makes the result invalid. */
static void compare_file(const char *path, const char *sha256, struct texts *invalid) {
    char now[65];
    struct failure failure;
    if (!hash_file(path, now, &failure) || strcmp(now, sha256) != 0)
        texts_add(invalid, "%s changed while it was measured", path);
}

static void compare_files(struct bench *bench) {
    struct result *result = &bench->result;
    compare_file(bench->runner, result->runner_sha256, &result->invalid);
    compare_file(bench->library.path, result->library_sha256, &result->invalid);
    compare_file(bench->sums_path, bench->sums_sha256, &result->invalid);
}

bool bench_run(struct bench *bench, struct failure *failure) {
    struct result *result = &bench->result;
    time_t now = time(NULL);
    struct tm utc;
    char name[24];
    if (gmtime_r(&now, &utc) == NULL)
        return fail(failure, FAULT, "the clock of this machine tells no time");
    strftime(result->started_utc, sizeof result->started_utc, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
    begin_guards(bench);
    size_t at = 0;
    while (at < result->taken_count && take(bench, at))
        at++;
    if (at == result->taken_count) {
        read_guards(bench);
    } else {
        snprintf(bench->lost, sizeof bench->lost, "interrupted by %s: the rest was not measured",
                 watch_signal_name(bench->watch.caught, name));
        result->lost = bench->lost;
    }
    result->artifact = &bench->artifact;
    result->system = &bench->system;
    result->before = &bench->before;
    result->after = &bench->after;
    result->taken = bench->taken;
    result_assemble(result);
    compare_files(bench);
    return result_is_whole(result) || fail_memory(failure);
}

void bench_close(struct bench *bench) {
    struct result *result = &bench->result;
    result_free(result);
    for (int i = 0; result->entries != NULL && i < bench->request->threads_count; i++)
        free(result->entries[i].cpus);
    free(result->entries);
    for (size_t i = 0; bench->taken != NULL && i < result->taken_count; i++) {
        outcome_free(&bench->taken[i].outcome);
        free(bench->taken[i].error);
    }
    free(bench->taken);
    guards_free(&bench->before);
    guards_free(&bench->after);
    system_free(&bench->system);
    artifact_close(&bench->artifact);
    free(bench->sums_path);
    if (bench->watch.file >= 0)
        watch_end(&bench->watch);
    if (bench->input >= 0)
        close(bench->input);
}
