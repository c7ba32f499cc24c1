/* The outcome of a worker: what is written is read, and what is damaged is refused. */
#include <stdlib.h>

#include "bench/outcome_reader.h"
#include "check.h"
#include "measure/outcome.h"

static bool read_text(const char *text, struct outcome *outcome, struct failure *failure) {
    return outcome_read(strdup(text), outcome, failure);
}

/* The text that an outcome is written as; to be freed. */
static char *written(void (*write)(FILE *file)) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    outcome_begin(file);
    write(file);
    outcome_end(file);
    fclose(file);
    return text;
}

static void write_latency(FILE *file) {
    const uint64_t samples_ns[] = {1200, 1300, 1000000};
    outcome_runtime(file, "ai-edge-litert 2.3.0");
    outcome_setting_long(file, "threads", 1);
    outcome_setting_text(file, "delegate", "XN\"NPACK");
    outcome_frames(file, 37);
    outcome_phase(file, "start_ms", 1.25);
    outcome_missing(file, "numpy_ms", "the native runner has no numpy");
    outcome_warm_up(file, 20, 0.51, true);
    outcome_samples(file, samples_ns, 3);
}

static void test_latency(void) {
    struct outcome outcome;
    struct failure failure = {0};
    if (!CHECK(outcome_read(written(write_latency), &outcome, &failure)))
        return;
    CHECK_TEXT(outcome.runtime, "ai-edge-litert 2.3.0");
    CHECK_TEXT(outcome_find(&outcome, "setting", "threads")->text, "1");
    CHECK_TEXT(outcome_find(&outcome, "setting", "delegate")->text, "\"XN\\\"NPACK\"");
    CHECK_TEXT(outcome_find(&outcome, "phase", "start_ms")->text, "1.25");
    CHECK_TEXT(outcome_find(&outcome, "missing", "numpy_ms")->text, "the native runner has no numpy");
    CHECK(outcome_find(&outcome, "value", "numpy_ms") == NULL);
    CHECK_LONG(outcome.frames, 37);
    CHECK_LONG(outcome.warmup_runs, 20);
    CHECK_NEAR(outcome.warmup_s, 0.51, 0);
    CHECK(outcome.warmup_settled);
    CHECK_LONG(outcome.samples_count, 3);
    CHECK_NEAR(outcome.samples_ms[0], 0.0012, 0);
    CHECK_NEAR(outcome.samples_ms[2], 1.0, 0);
    outcome_free(&outcome);
}

static void write_values(FILE *file) {
    const float rows[] = {0.5f, -1.0f, 0.1f, 3e10f};
    outcome_value_long(file, "whole", 1368064);
    outcome_value_double(file, "number", 1e-3);
    outcome_value_bool(file, "flag", false);
    outcome_value_rows(file, "rows", rows, 2, 2);
    struct json json = outcome_value_begin(file, "windows");
    json_open(&json, '[');
    json_open(&json, '{');
    json_double_of(&json, "s", 1.0);
    json_count_of(&json, "frequency_hz", -1);
    json_close(&json, '}');
    json_close(&json, ']');
    outcome_value_end(&json);
    outcome_missing(file, "why", "two\nlines");
}

static void test_values(void) {
    static const char *const EXPECTED[][2] = {
        {"whole", "1368064"},
        {"number", "0.001"},
        {"flag", "false"},
        {"rows", "[[0.5, -1.0], [0.10000000149011612, 30000001024.0]]"},
        {"windows", "[{\"s\": 1.0, \"frequency_hz\": null}]"},
    };
    struct outcome outcome;
    struct failure failure = {0};
    if (!CHECK(outcome_read(written(write_values), &outcome, &failure)))
        return;
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++)
        CHECK_TEXT(outcome_find(&outcome, "value", EXPECTED[i][0])->text, EXPECTED[i][1]);
    CHECK_TEXT(outcome_find(&outcome, "missing", "why")->text, "two lines");
    outcome_free(&outcome);
}

static void write_error(FILE *file) {
    struct failure failure;
    fail(&failure, BAD_DATA, "model.tflite: damaged\nexport it again");
    outcome_error(file, &failure);
}

static void test_errors(void) {
    struct outcome outcome;
    struct failure failure = {0};
    CHECK(!outcome_read(written(write_error), &outcome, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "model.tflite: damaged export it again");
    CHECK(!read_text("edgeseq-outcome 1\nerror 0 \nend\n", &outcome, &failure));
    CHECK_FAILURE(failure, FAULT, "without a reason");
}

static void test_what_is_damaged_is_refused(void) {
    static const char *const DAMAGED[][2] = {
        {"", "without an outcome"},
        {"hello\nend\n", "without an outcome"},
        {"edgeseq-outcome 2\nend\n", "without an outcome"},
        {"edgeseq-outcome 1", "within its outcome"},
        {"edgeseq-outcome 1\nframes 3\n", "within its outcome"},
        {"edgeseq-outcome 1\nvalue a 1\nend", "within its outcome"},
        {"edgeseq-outcome 1\nframes 3end\n", "within its outcome"},
        {"edgeseq-outcome 1\nframes 0\nend\n", "a line that is none: frames 0"},
        {"edgeseq-outcome 1\nframes 3x\nend\n", "frames 3x"},
        {"edgeseq-outcome 1\nruntime \nend\n", "runtime"},
        {"edgeseq-outcome 1\n\nend\n", "a line that is none"},
        {"edgeseq-outcome 1\nvalue\nend\n", "value"},
        {"edgeseq-outcome 1\nvalue a\nend\n", "value a"},
        {"edgeseq-outcome 1\nvalue a nan\nend\n", "value a nan"},
        {"edgeseq-outcome 1\nvalue a [1, 2\nend\n", "value a [1, 2"},
        {"edgeseq-outcome 1\nvalue a {\"b\" 1}\nend\n", "value a {"},
        {"edgeseq-outcome 1\nvalue a \"b\nend\n", "value a"},
        {"edgeseq-outcome 1\nvalue a 1 2\nend\n", "value a 1 2"},
        {"edgeseq-outcome 1\nvalue a [[[[[[[[[]]]]]]]]]\nend\n", "value a"},
        {"edgeseq-outcome 1\nwarmup 0 1.0 true\nend\n", "warmup"},
        {"edgeseq-outcome 1\nwarmup 3 1.0 maybe\nend\n", "warmup"},
        {"edgeseq-outcome 1\nsamples 3 1 2\nend\n", "samples"},
        {"edgeseq-outcome 1\nsamples 1 1 2\nend\n", "samples"},
        {"edgeseq-outcome 1\nsamples 1 -2\nend\n", "samples"},
        {"edgeseq-outcome 1\nsamples 99999999999 1\nend\n", "samples"},
        {"edgeseq-outcome 1\nsamples 1 2\nsamples 1 2\nend\n", "samples"},
        {"edgeseq-outcome 1\nsurprise 1\nend\n", "surprise"},
    };
    for (size_t i = 0; i < sizeof DAMAGED / sizeof *DAMAGED; i++) {
        struct outcome outcome;
        struct failure failure = {0};
        if (CHECK(!read_text(DAMAGED[i][0], &outcome, &failure)))
            CHECK_FAILURE(failure, FAULT, DAMAGED[i][1]);
    }
    struct outcome outcome;
    struct failure failure = {0};
    CHECK(!outcome_read(NULL, &outcome, &failure));
}

int main(void) {
    test_latency();
    test_values();
    test_errors();
    test_what_is_damaged_is_refused();
    return CHECKED;
}
