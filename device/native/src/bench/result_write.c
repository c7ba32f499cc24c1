/* result_write(): a result as JSON. */
#include <string.h>

#include "artifact/states.h"
#include "bench/result.h"

static void write_cpus(const struct entry *entry, struct json *json) {
    json_key(json, "affinity");
    if (entry->cpus == NULL) {
        json_null(json);
        return;
    }
    json_open(json, '[');
    for (int i = 0; i < entry->cpus_count; i++)
        json_long(json, entry->cpus[i]);
    json_close(json, ']');
}

static void write_settings(const struct entry *entry, struct json *json) {
    json_key(json, "runtime_settings");
    if (entry->settings == NULL) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    for (size_t i = 0; i < entry->settings->lines_count; i++) {
        const struct outcome_line *line = &entry->settings->lines[i];
        if (strcmp(line->item, "setting") != 0)
            continue;
        json_key(json, line->name);
        json_raw(json, line->text);
    }
    json_close(json, '}');
}

static void write_model(const struct result *result, struct json *json) {
    const struct artifact *artifact = result->artifact;
    bool has_step = artifact->sheet.step.there;
    json_text_of(json, "file", artifact->sheet.model_file);
    json_text_of(json, "sha256", artifact->model_sha256);
    json_long_of(json, "model_bytes", (long)artifact->model.size);
    json_long_of(json, "weight_bytes", artifact->sheet.weight_bytes);
    json_text_of(json, "step_file", has_step ? artifact->sheet.model_file : NULL);
    json_text_of(json, "step_sha256", has_step ? artifact->step_sha256 : NULL);
    json_count_of(json, "step_bytes", has_step ? (long)artifact->model.size : -1);
    json_count_of(json, "states_bytes", has_step ? states_bytes(&artifact->sheet.step) : -1);
}

static void write_task(const struct sheet *sheet, struct json *json) {
    json_text_of(json, "task", sheet_task_name(sheet));
    int window = states_window(&sheet->step);
    if (sheet->task == LANGUAGE_MODEL)
        json_count_of(json, "window", window == 0 ? -1 : window);
    if (sheet->task != FORECAST)
        return;
    json_long_of(json, "context", sheet->context);
    json_long_of(json, "horizon", sheet->horizon);
}

static void write_figures(const struct result *result, const struct entry *entry, struct json *json) {
    enum model_task task = result->artifact->sheet.task;
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (!keys_is_of(&KEYS[i], task))
            continue;
        json_key(json, keys_name(&KEYS[i]));
        json_raw(json, entry->figures[i].json == NULL ? "null" : entry->figures[i].json);
    }
    json_key(json, "not_measured");
    json_open(json, '{');
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (entry->figures[i].json == NULL && keys_is_of(&KEYS[i], task))
            json_text_of(json, keys_name(&KEYS[i]), entry->figures[i].reason);
    json_close(json, '}');
}

static void write_entry(const struct result *result, const struct entry *entry, struct json *json) {
    json_open(json, '{');
    json_text_of(json, "format", "tflite");
    write_task(&result->artifact->sheet, json);
    json_long_of(json, "threads", entry->threads);
    json_text_of(json, "runner", "native");
    json_text_of(json, "runner_sha256", result->runner_sha256);
    json_text_of(json, "library_sha256", result->library_sha256);
    write_cpus(entry, json);
    write_model(result, json);
    json_text_of(json, "runtime", entry->runtime);
    write_settings(entry, json);
    json_count_of(json, "frames", entry->frames == 0 ? -1 : entry->frames);
    json_texts_of(json, "failures", &entry->failures);
    json_texts_of(json, "warnings", &entry->warnings);
    write_figures(result, entry, json);
    json_close(json, '}');
}

static void write_machine(const struct result *result, struct json *json) {
    json_key(json, "device");
    system_write(result->system, json);
    json_key(json, "guards_before");
    guards_write(result->before, json);
    json_key(json, "guards_after");
    guards_write(result->after, json);
}

void result_write(const struct result *result, FILE *file) {
    struct json out = json_to(file, true), *json = &out;
    const struct emulation *emulation = &result->system->emulation;
    json_open(json, '{');
    json_text_of(json, "schema", "edgeseq.bench");
    json_long_of(json, "schema_version", SCHEMA_VERSION);
    json_text_of(json, "agent_version", EDGESEQ_VERSION);
    json_text_of(json, "started_utc", result->started_utc);
    json_bool_of(json, "emulated", emulation->emulated);
    json_text_of(json, "emulated_because", emulation->emulated ? emulation->because : NULL);
    json_bool_of(json, "valid", result->invalid.count == 0);
    json_texts_of(json, "invalid_because", &result->invalid);
    json_texts_of(json, "warnings", &result->warnings);
    write_machine(result, json);
    json_key(json, "threads");
    json_open(json, '[');
    for (int i = 0; i < result->request->threads_count; i++)
        json_long(json, result->request->threads[i]);
    json_close(json, ']');
    json_key(json, "settings");
    bench_request_write_limits(result->request, json);
    json_key(json, "models");
    json_open(json, '[');
    for (int i = 0; i < result->request->threads_count; i++)
        write_entry(result, &result->entries[i], json);
    json_close(json, ']');
    json_close(json, '}');
    fputc('\n', file);
}
