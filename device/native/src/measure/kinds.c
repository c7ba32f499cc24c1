#include "measure/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "board/emulation.h"
#include "board/memory.h"
#include "measure/counting.h"
#include "measure/outcome.h"
#include "measure/parity.h"
#include "measure/timing.h"

enum { RAM_RUNS = 10, FITS_RUNS = 10 };

static bool run_often(struct session *session, int runs, struct failure *failure) {
    for (int i = 0; i < runs; i++)
        if (!session_run(session, failure))
            return false;
    return true;
}

static void write_bytes(FILE *outcome, const char *name, long bytes, const char *reason) {
    if (bytes >= 0)
        outcome_value_long(outcome, name, bytes);
    else
        outcome_missing(outcome, name, reason);
}

/* What each stage holds: ram_start this program with libc and no more; ram_runtime the library, opened and
 * proved, less what of its code it gave back; ram_loaded the model compiled, again less that; ram_first the
 * form that is run, planned, with its buffers; ram_steady what ten more runs use of code. The peak is higher
 * than any of them: it lies within compiling, for which most of the library's code is needed at once. */
static bool measure_ram(const struct job *job, struct session *session, FILE *outcome,
                        struct failure *failure) {
    static const char UNKNOWN[] = "this kernel does not tell what a process holds in RAM";
    long start = memory_rss_bytes();
    if (!session_read_input(session, job, failure) || !session_open_library(session, job, failure))
        return false;
    long runtime = memory_rss_bytes();
    if (!session_load(session, job, failure))
        return false;
    long loaded = memory_rss_bytes();
    if (!session_run(session, failure))
        return false;
    long first = memory_rss_bytes();
    if (!run_often(session, RAM_RUNS, failure))
        return false;
    long steady = memory_rss_bytes(), pss = memory_pss_bytes(), peak = memory_peak_bytes();
    session_write_runtime(session, job, outcome);
    outcome_frames(outcome, session->frames);
    write_bytes(outcome, "ram_start_bytes", start, UNKNOWN);
    outcome_missing(outcome, "ram_numpy_bytes", "the native runner has no numpy");
    write_bytes(outcome, "ram_runtime_bytes", runtime, UNKNOWN);
    write_bytes(outcome, "ram_loaded_bytes", loaded, UNKNOWN);
    write_bytes(outcome, "ram_first_bytes", first, UNKNOWN);
    write_bytes(outcome, "ram_steady_bytes", steady, UNKNOWN);
    write_bytes(outcome, "ram_pss_bytes", pss, "this kernel keeps no proportional figure");
    write_bytes(outcome, "ram_peak_bytes", peak, "the kernel's peak would include the emulator");
    return true;
}

/* UNFIT on an emulated processor: nothing is timed there, whoever asks. */
static bool refuse_emulation(struct failure *failure) {
    struct emulation emulation;
    emulation_find(&emulation);
    if (emulation.emulated)
        return fail(failure, UNFIT, "latency is never measured on an emulated processor: %s",
                    emulation.because);
    return true;
}

/* Warm-up and steady state; called when nothing can fail any more but the work itself. */
static bool write_samples(const struct job *job, const struct session *session, const struct work *work,
                          FILE *outcome, struct failure *failure) {
    uint64_t *samples = malloc(STEADY_RUNS_MAX * sizeof *samples);
    if (samples == NULL)
        return fail_memory(failure);
    struct warm_up warm_up;
    size_t count;
    bool ran = timing_warm_up(work, &job->options->limits, timing_now_ns, &warm_up, failure) &&
               timing_steady(work, &job->options->limits, timing_now_ns, samples, &count, failure);
    if (ran) {
        session_write_runtime(session, job, outcome);
        outcome_warm_up(outcome, warm_up.runs, warm_up.seconds, warm_up.settled);
        outcome_samples(outcome, samples, count);
    }
    free(samples);
    return ran;
}

/* Below 0 where the first was read from another clock. */
static double ms_between(uint64_t begin_ns, uint64_t end_ns) {
    return (double)(int64_t)(end_ns - begin_ns) / 1e6;
}

/* The phases: start, from before the process was started to its main; import, the library; load, the artifact
 * verified and its model compiled; first inference, with the planning for this number of frames. Reading the
 * input is in none of them, as no program of a user's would read it so: first_answer is their sum. */
static bool measure_latency(const struct job *job, struct session *session, FILE *outcome,
                            struct failure *failure) {
    if (!refuse_emulation(failure) || !session_read_input(session, job, failure))
        return false;
    uint64_t begin_ns = timing_now_ns();
    if (!session_open_library(session, job, failure))
        return false;
    uint64_t imported_ns = timing_now_ns();
    if (!session_load(session, job, failure))
        return false;
    uint64_t loaded_ns = timing_now_ns();
    if (!session_run(session, failure))
        return false;
    uint64_t answered_ns = timing_now_ns();
    struct work work = {NULL, session_run, session};
    if (!write_samples(job, session, &work, outcome, failure))
        return false;
    long spawned_ns = job->options->spawned_ns;
    double start_ms = spawned_ns == 0 ? 0 : ms_between((uint64_t)spawned_ns, job->entered_ns);
    outcome_frames(outcome, session->frames);
    outcome_phase(outcome, "start_ms", start_ms);
    outcome_missing(outcome, "numpy_ms", "the native runner has no numpy");
    outcome_phase(outcome, "import_ms", ms_between(begin_ns, imported_ns));
    outcome_phase(outcome, "load_ms", ms_between(imported_ns, loaded_ns));
    outcome_phase(outcome, "first_inference_ms", ms_between(loaded_ns, answered_ns));
    outcome_phase(outcome, "first_answer_ms", start_ms + ms_between(begin_ns, answered_ns));
    return true;
}

static bool measure_step_latency(const struct job *job, struct session *session, FILE *outcome,
                                 struct failure *failure) {
    if (!refuse_emulation(failure) || !session_read_input(session, job, failure) ||
        !session_open_library(session, job, failure))
        return false;
    uint64_t begin_ns = timing_now_ns();
    if (!session_load(session, job, failure))
        return false;
    double load_ms = ms_between(begin_ns, timing_now_ns());
    struct replay replay = {session, -1};
    struct work work = {replay_before, replay_run, &replay};
    if (!write_samples(job, session, &work, outcome, failure))
        return false;
    outcome_phase(outcome, "load_ms", load_ms);
    return true;
}

static void write_parity(const struct job *job, const struct session *session, const struct golden *golden,
                         const float *answers, FILE *outcome) {
    static const char NOT_FINITE[] = "the answers hold NaN or infinity";
    const struct sheet *sheet = &session->artifact.sheet;
    bool of_step = job->of_step;
    struct parity parity = parity_judge(&session->artifact, golden, of_step, answers);
    session_write_runtime(session, job, outcome);
    if (parity.finite)
        outcome_value_double(outcome, "parity_error", parity.error);
    else
        outcome_missing(outcome, "parity_error", NOT_FINITE);
    outcome_value_double(outcome, "parity_tolerance",
                         of_step ? sheet->step.tolerance : sheet->sequence.tolerance);
    outcome_value_long(outcome, "parity_n", golden->count);
    if (sheet->task != FORECAST)
        outcome_value_long(outcome, "parity_decisions_changed", (long)parity.decisions_changed);
    outcome_value_bool(outcome, "parity_ok", parity.ok);
    if (of_step)
        return;
    if (parity.finite)
        outcome_value_rows(outcome, "logits", answers, (size_t)golden->count, (size_t)sheet->outputs_count);
    else
        outcome_missing(outcome, "logits", NOT_FINITE);
}

static bool measure_parity(const struct job *job, struct session *session, FILE *outcome,
                           struct failure *failure) {
    struct golden golden = {0};
    if (!session_open_library(session, job, failure) || !session_load(session, job, failure) ||
        !artifact_golden(&session->artifact, &golden, failure))
        return false;
    float *answers = parity_answers(session->model, &session->artifact, &golden, job->of_step, failure);
    if (answers != NULL)
        write_parity(job, session, &golden, answers, outcome);
    bool is_answered = answers != NULL;
    free(answers);
    golden_free(&golden);
    return is_answered;
}

/* Regions of nothing, then of the work. Who started the emulator counts their instructions from its log, and
 * takes the median less that of the empty ones. */
static bool measure_instructions(const struct job *job, struct session *session, FILE *outcome,
                                 struct failure *failure) {
    if (!session_open(session, job, failure))
        return false;
    struct replay replay = {session, -1};
    long runs = COUNTING_WARMUP_RUNS + job->options->limits.instruction_runs;
    for (long i = 0; i < runs; i++) {
        counting_begin();
        counting_end();
    }
    for (long i = 0; i < runs; i++) {
        if (job->of_step)
            replay_before(&replay);
        counting_begin();
        bool ran = job->of_step ? replay_run(&replay, failure) : session_run(session, failure);
        counting_end();
        if (!ran)
            return false;
    }
    session_write_runtime(session, job, outcome);
    if (!job->of_step)
        outcome_frames(outcome, session->frames);
    return true;
}

/* In a control group that holds no more than so much: who started it judges. */
static bool measure_fits(const struct job *job, struct session *session, FILE *outcome,
                         struct failure *failure) {
    if (!session_open(session, job, failure) || !run_often(session, FITS_RUNS, failure))
        return false;
    long peak = memory_peak_bytes();
    session_write_runtime(session, job, outcome);
    write_bytes(outcome, "peak_rss_bytes", peak, "the kernel's peak would include the emulator");
    return true;
}

/* The kinds by name. */
static const struct {
    char name[18];
    bool of_step;
    bool (*measure)(const struct job *, struct session *, FILE *, struct failure *);
} KINDS[] = {
    {"ram", false, measure_ram},
    {"latency", false, measure_latency},
    {"step_latency", true, measure_step_latency},
    {"parity", false, measure_parity},
    {"step_parity", true, measure_parity},
    {"instructions", false, measure_instructions},
    {"step_instructions", true, measure_instructions},
    {"fits", false, measure_fits},
};

bool kinds_measure(const char *kind, struct job *job, FILE *outcome, struct failure *failure) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(KINDS[i].name, kind) != 0)
            continue;
        struct session session = {0};
        job->of_step = KINDS[i].of_step;
        bool is_measured = KINDS[i].measure(job, &session, outcome, failure);
        session_close(&session);
        return is_measured;
    }
    return fail(failure, USAGE, "%s is not measured by the native runner; use --runner python", kind);
}
