/* From outcomes to a result: figures, the reasons of those that are missing, and what makes it invalid. */
#include <math.h>
#include <stdlib.h>

#include "bench/result.h"
#include "check.h"

enum { TAKEN = 5 };

/* All that a result is made from, with one entry. */
struct made {
    struct bench_request request;
    struct artifact artifact;
    struct system system;
    struct guards guards;
    struct taken taken[TAKEN];
    struct entry entry;
    struct result result;
};

#define RAM \
    "edgeseq-outcome 1\nruntime ai-edge-litert 2.3.0\nsetting threads 1\nframes 37\n" \
    "value ram_start_bytes 1\nmissing ram_numpy_bytes no numpy\nvalue ram_runtime_bytes 2\n" \
    "value ram_loaded_bytes 3\nvalue ram_first_bytes 4\nvalue ram_steady_bytes 5\nvalue ram_peak_bytes 6\n"
#define PARITY \
    "edgeseq-outcome 1\nvalue parity_error 0.5\nvalue parity_tolerance 0.001\nvalue parity_n 2\n" \
    "value parity_decisions_changed 1\nvalue logits [[1.0, 2.0], [1.0, 0.5]]\nvalue parity_ok "
#define PHASES(start) \
    "phase start_ms " start "\nphase import_ms 1.0\nphase load_ms 1.0\nphase first_inference_ms 1.0\n" \
    "phase first_answer_ms 4.0\nmissing numpy_ms no numpy\n"

static const char LAUNCHES[2][400] = {
    "edgeseq-outcome 1\n" PHASES("-1.0") "warmup 20 0.5 true\nsamples 3 1000000 3000000 2000000\nend\n",
    "edgeseq-outcome 1\n" PHASES("0.5") "warmup 30 0.4 false\nsamples 1 4000000\nend\n",
};

static void make(struct made *made) {
    *made = (struct made){
        .request = {.threads = {1}, .threads_count = 1, .launches = 2},
        .guards = {NULL, -1, -1, NAN, -1, NAN, -1, -1, -1, -1},
        .taken = {{.what = {.kind = KIND_RAM}},
                  {.what = {.kind = KIND_PARITY}},
                  {.what = {.kind = KIND_LATENCY}},
                  {.what = {.kind = KIND_LATENCY, .launch = 1}}},
        .entry = {.threads = 1},
    };
    made->artifact.sheet.model_file = made->artifact.sheet.step.reason = strdup("model.tflite");
    made->result = (struct result){
        .request = &made->request,
        .artifact = &made->artifact,
        .system = &made->system,
        .before = &made->guards,
        .after = &made->guards,
        .taken = made->taken,
        .taken_count = 4,
        .entries = &made->entry,
    };
}

static void tell(struct made *made, int at, const char *text) {
    struct failure failure;
    made->taken[at].done = true;
    if (!outcome_read(strdup(text), &made->taken[at].outcome, &failure))
        made->taken[at].error = strdup(failure.message);
}

static void unmake(struct made *made) {
    for (int i = 0; i < TAKEN; i++) {
        outcome_free(&made->taken[i].outcome);
        free(made->taken[i].error);
    }
    free(made->artifact.sheet.model_file);
    result_free(&made->result);
}

static struct figure figure(const struct made *made, enum kind kind, const char *name) {
    return made->entry.figures[keys_find(kind, name)];
}

static void test_a_whole_result(void) {
    struct made made;
    struct failure failure = {0};
    make(&made);
    tell(&made, 0, RAM "missing ram_pss_bytes not kept\nend\n");
    tell(&made, 1, PARITY "true\nend\n");
    tell(&made, 2, LAUNCHES[0]);
    tell(&made, 3, LAUNCHES[1]);
    result_assemble(&made.result);
    CHECK_LONG(made.result.invalid.count, 0);
    CHECK(result_judge(&made.result, &failure));
    CHECK_TEXT(made.entry.runtime, "ai-edge-litert 2.3.0");
    CHECK_LONG(made.entry.frames, 37);
    CHECK_TEXT(figure(&made, KIND_RAM, "ram_peak_bytes").json, "6");
    CHECK_TEXT(figure(&made, KIND_RAM, "ram_pss_bytes").reason, "not kept");
    CHECK_TEXT(figure(&made, KIND_PARITY, "logits").json, "[[1.0, 2.0], [1.0, 0.5]]");
    CHECK_TEXT(figure(&made, KIND_POWER, "power_w").reason, "not by the native runner: --runner python");
    CHECK_TEXT(figure(&made, KIND_STEP_PARITY, "parity_ok").reason, "no step form: model.tflite");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_n").json, "4");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_launches").json, "2");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_p50_ms").json, "2.5");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_p99_ms").reason, "4 samples, fewer than 500");
    CHECK_NEAR(strtod(figure(&made, KIND_LATENCY, "latency_spread_percent").json, NULL), 200.0 / 3, 1e-9);
    CHECK_TEXT(figure(&made, KIND_LATENCY, "warmup_n").json, "30");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "warmup_s").json, "0.5");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "load_ms").json, "1.0");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "start_ms").reason, "the clocks of agent and worker disagree");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "numpy_ms").reason, "no numpy");
    CHECK_LONG(made.entry.warnings.count, 2);
    CHECK_TEXT(made.entry.warnings.items[0],
               "latency: the launches' p50 differ by 67 %: something else used the processor");
    CHECK_TEXT(made.entry.warnings.items[1],
               "latency: the warm-up of 1 of 2 launches did not settle within 5 %");
    unmake(&made);
}

static void test_workers_that_failed(void) {
    struct made made;
    struct failure failure = {0};
    make(&made);
    tell(&made, 0, RAM "value ram_pss_bytes 1.5\nend\n");
    tell(&made, 1, PARITY "true\n");
    tell(&made, 2, LAUNCHES[0]);
    tell(&made, 3, "edgeseq-outcome 1\nerror 5 no library\nend\n");
    result_assemble(&made.result);
    CHECK_LONG(made.result.invalid.count, 3);
    CHECK_TEXT(made.result.invalid.items[0], "tflite native: ram: the worker did not tell ram_pss_bytes");
    CHECK_TEXT(made.result.invalid.items[1], "tflite native: parity: the worker ended within its outcome");
    CHECK_TEXT(made.result.invalid.items[2], "tflite native: latency: no library");
    CHECK_TEXT(figure(&made, KIND_RAM, "ram_start_bytes").json, "1");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_n").reason, "no library");
    CHECK(!result_judge(&made.result, &failure));
    CHECK_FAILURE(failure, UNFIT, "not a valid result: tflite native: ram: the worker did not tell");
    unmake(&made);
}

static void test_an_early_end_keeps_what_was_measured(void) {
    struct made made;
    struct failure failure = {0};
    make(&made);
    tell(&made, 0, RAM "value ram_pss_bytes 7\nend\n");
    tell(&made, 1, PARITY "true\nend\n");
    tell(&made, 2, LAUNCHES[0]);
    made.result.lost = "interrupted by SIGTERM: the rest was not measured";
    result_assemble(&made.result);
    CHECK_LONG(made.result.invalid.count, 1);
    CHECK_TEXT(made.result.invalid.items[0], made.result.lost);
    CHECK_LONG(made.entry.failures.count, 0);
    CHECK_TEXT(figure(&made, KIND_RAM, "ram_pss_bytes").json, "7");
    CHECK_TEXT(figure(&made, KIND_LATENCY, "latency_n").reason, made.result.lost);
    CHECK(!result_judge(&made.result, &failure));
    CHECK_FAILURE(failure, INTERRUPTED, "not a valid result: interrupted by SIGTERM");
    unmake(&made);
}

static void test_answers_out_of_parity_come_first(void) {
    struct made made;
    struct failure failure = {0};
    make(&made);
    tell(&made, 1, PARITY "false\nend\n");
    made.result.lost = "interrupted";
    result_assemble(&made.result);
    CHECK(!result_judge(&made.result, &failure));
    CHECK_FAILURE(
        failure, OUT_OF_PARITY,
        "model.tflite by the native runner is out of parity: error 5.0e-01 of 1.0e-03, decisions changed: "
        "1 of 2; do not use it on this device");
    unmake(&made);
}

int main(void) {
    test_a_whole_result();
    test_workers_that_failed();
    test_an_early_end_keeps_what_was_measured();
    test_answers_out_of_parity_come_first();
    return CHECKED;
}
