#include "measure/outcome.h"

#include <inttypes.h>
#include <string.h>

/* A text up to the end of the line. */
static void write_line(FILE *file, const char *text) {
    for (; *text != '\0'; text++)
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, file);
    fputc('\n', file);
}

void outcome_begin(FILE *file) {
    fputs("edgeseq-outcome 1\n", file);
}

void outcome_end(FILE *file) {
    fputs("end\n", file);
    fflush(file);
}

void outcome_error(FILE *file, const struct failure *failure) {
    fprintf(file, "error %d ", failure->exit_code);
    write_line(file, failure->message);
}

void outcome_runtime(FILE *file, const char *version) {
    fputs("runtime ", file);
    write_line(file, version);
}

void outcome_setting_long(FILE *file, const char *name, long value) {
    fprintf(file, "setting %s %ld\n", name, value);
}

void outcome_frames(FILE *file, long frames) {
    fprintf(file, "frames %ld\n", frames);
}

struct json outcome_value_begin(FILE *file, const char *name) {
    fprintf(file, "value %s ", name);
    return json_to(file, false);
}

void outcome_value_end(struct json *json) {
    fputc('\n', json->file);
}

void outcome_setting_text(FILE *file, const char *name, const char *value) {
    fprintf(file, "setting %s ", name);
    struct json json = json_to(file, false);
    json_text(&json, value);
    outcome_value_end(&json);
}

void outcome_value_long(FILE *file, const char *name, long value) {
    fprintf(file, "value %s %ld\n", name, value);
}

void outcome_value_double(FILE *file, const char *name, double value) {
    char text[JSON_NUMBER_MAX];
    fprintf(file, "value %s %s\n", name, json_number(value, text));
}

void outcome_value_bool(FILE *file, const char *name, bool value) {
    fprintf(file, "value %s %s\n", name, value ? "true" : "false");
}

void outcome_value_rows(FILE *file, const char *name, const float *rows, size_t count, size_t columns) {
    struct json json = outcome_value_begin(file, name);
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&json, '[');
        for (size_t j = 0; j < columns; j++)
            json_double(&json, (double)rows[i * columns + j]);
        json_close(&json, ']');
    }
    json_close(&json, ']');
    outcome_value_end(&json);
}

void outcome_missing(FILE *file, const char *name, const char *reason) {
    fprintf(file, "missing %s ", name);
    write_line(file, reason);
}

void outcome_phase(FILE *file, const char *name, double ms) {
    char text[JSON_NUMBER_MAX];
    fprintf(file, "phase %s %s\n", name, json_number(ms, text));
}

void outcome_warm_up(FILE *file, long runs, double seconds, bool settled) {
    char text[JSON_NUMBER_MAX];
    fprintf(file, "warmup %ld %s %s\n", runs, json_number(seconds, text), settled ? "true" : "false");
}

void outcome_samples(FILE *file, const uint64_t *samples_ns, size_t count) {
    fprintf(file, "samples %zu", count);
    for (size_t i = 0; i < count; i++)
        fprintf(file, " %" PRIu64, samples_ns[i]);
    fputc('\n', file);
}
