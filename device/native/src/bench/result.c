#include "bench/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bench/latency_figures.h"

void result_name(const struct entry *entry, char name[40]) {
    if (entry->threads == 1)
        strcpy(name, "tflite native");
    else
        snprintf(name, 40, "tflite native, %d threads", entry->threads);
}

static void set_json(struct entry *entry, enum kind kind, const char *name, const char *json) {
    size_t at = keys_find(kind, name);
    if (at < KEYS_COUNT && json != NULL)
        entry->figures[at] = (struct figure){.json = json};
}

void result_set(struct result *result, struct entry *entry, enum kind kind, const char *name, double value) {
    char text[JSON_NUMBER_MAX];
    if (isfinite(value))
        set_json(entry, kind, name, texts_add(&result->kept, "%s", json_number(value, text)));
}

void result_set_whole(struct result *result, struct entry *entry, enum kind kind, const char *name,
                      long value) {
    set_json(entry, kind, name, texts_add(&result->kept, "%ld", value));
}

void result_leave_out(struct entry *entry, enum kind kind, const char *name, const char *reason) {
    size_t at = keys_find(kind, name);
    if (at < KEYS_COUNT)
        entry->figures[at] = (struct figure){.reason = reason};
}

static bool fits(enum value_type type, const char *json) {
    long whole;
    double number;
    switch (type) {
    case WHOLE:
        return text_is_long(json, &whole);
    case NUMBER:
        return text_is_double(json, &number);
    case FLAG:
        return strcmp(json, "true") == 0 || strcmp(json, "false") == 0;
    case TEXT:
        return *json == '"';
    case LIST:
        return *json == '[';
    }
    return false;
}

/* The figures that a worker told as they are. */
static void take_values(struct entry *entry, enum kind kind, const struct outcome *outcome) {
    for (size_t i = 0; i < outcome->lines_count; i++) {
        const struct outcome_line *line = &outcome->lines[i];
        size_t at = keys_find(kind, line->name);
        if (at < KEYS_COUNT && strcmp(line->item, "value") == 0 && fits(KEYS[at].type, line->text))
            set_json(entry, kind, line->name, line->text);
        else if (strcmp(line->item, "missing") == 0)
            result_leave_out(entry, kind, line->name, line->text);
    }
}

static void leave_out_all(struct entry *entry, enum kind kind, const char *reason) {
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (KEYS[i].kind == kind)
            entry->figures[i] = (struct figure){.reason = reason};
}

/* A figure without a value and without a reason is a failure of the worker. */
static void find_gaps(struct entry *entry, enum kind kind, enum model_task task) {
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        struct figure *figure = &entry->figures[i];
        if (KEYS[i].kind != kind || !keys_is_of(&KEYS[i], task) || figure->json != NULL ||
            figure->reason != NULL)
            continue;
        figure->reason = "the worker did not tell it";
        texts_add(&entry->failures, "%s: the worker did not tell %s", keys_kind_name(kind),
                  keys_name(&KEYS[i]));
    }
}

/* The outcomes of a kind with an entry's threads; why there are none or not all in *failed. */
static size_t find_outcomes(const struct result *result, int threads_at, enum kind kind,
                            const struct outcome **outcomes, const char **failed) {
    size_t count = 0;
    for (size_t i = 0; i < result->taken_count; i++) {
        const struct taken *taken = &result->taken[i];
        if (taken->what.kind != kind || taken->what.threads_at != threads_at)
            continue;
        const char *error = taken->done ? taken->error : result->lost;
        if (error != NULL && *failed == NULL)
            *failed = error;
        outcomes[count++] = &taken->outcome;
    }
    return count;
}

static void take_provenance(struct entry *entry, const struct outcome *outcome) {
    entry->runtime = outcome->runtime == NULL ? entry->runtime : outcome->runtime;
    entry->settings = outcome->runtime == NULL ? entry->settings : outcome;
    entry->frames = outcome->frames == 0 ? entry->frames : outcome->frames;
}

static void fill_kind(struct result *result, struct entry *entry, enum kind kind,
                      const struct outcome **outcomes) {
    struct plan_of of = {result->request, &result->artifact->sheet, result->system->emulation.emulated};
    char reason[REASON_MAX];
    const char *left_out = plan_reason_not_to(&of, kind, reason), *failed = NULL;
    size_t count = find_outcomes(result, (int)(entry - result->entries), kind, outcomes, &failed);
    if (failed != NULL && failed != result->lost) /* that is told once, of the whole result */
        texts_add(&entry->failures, "%s: %s", keys_kind_name(kind), failed);
    if (left_out != NULL) {
        leave_out_all(entry, kind, texts_add(&result->kept, "%s", left_out));
    } else if (failed != NULL) {
        leave_out_all(entry, kind, failed);
    } else if (count > 0) {
        take_provenance(entry, outcomes[0]);
        if (!keys_is_latency(kind))
            take_values(entry, kind, outcomes[0]);
        else if (!latency_figures(result, entry, kind, outcomes, count))
            texts_add(&entry->failures, "%s: a worker told no samples", keys_kind_name(kind));
    }
    find_gaps(entry, kind, result->artifact->sheet.task);
}

void result_assemble(struct result *result) {
    const struct outcome **outcomes = calloc(result->taken_count + 1, sizeof *outcomes);
    for (size_t i = 0; i < result->system->warnings.count; i++)
        texts_add(&result->warnings, "%s", result->system->warnings.items[i]);
    if (result->lost != NULL)
        texts_add(&result->invalid, "%s", result->lost);
    guards_judge(result->before, result->after, &result->invalid, &result->warnings);
    for (int i = 0; outcomes != NULL && i < result->request->threads_count; i++) {
        struct entry *entry = &result->entries[i];
        char name[40];
        result_name(entry, name);
        for (enum kind kind = 0; kind < KINDS_COUNT; kind++)
            fill_kind(result, entry, kind, outcomes);
        for (size_t j = 0; j < entry->failures.count; j++)
            texts_add(&result->invalid, "%s: %s", name, entry->failures.items[j]);
    }
    result->kept.incomplete = result->kept.incomplete || outcomes == NULL;
    free(outcomes);
}

bool result_is_whole(const struct result *result) {
    bool lacks = result->kept.incomplete || result->invalid.incomplete || result->warnings.incomplete;
    for (int i = 0; i < result->request->threads_count; i++)
        lacks = lacks || result->entries[i].failures.incomplete || result->entries[i].warnings.incomplete;
    return !lacks;
}

static const struct figure *figure_of(const struct entry *entry, enum kind kind, const char *name) {
    return &entry->figures[keys_find(kind, name)];
}

/* Whether the answers of a form are in parity, as far as they were held against the reference. */
static bool judge_form(const struct result *result, const struct entry *entry, enum kind kind,
                       struct failure *failure) {
    const struct figure *ok = figure_of(entry, kind, "parity_ok");
    const char *error = figure_of(entry, kind, "parity_error")->json;
    const char *tolerance = figure_of(entry, kind, "parity_tolerance")->json;
    const char *changed = figure_of(entry, kind, "parity_decisions_changed")->json;
    const char *n = figure_of(entry, kind, "parity_n")->json;
    if (ok->json == NULL || strcmp(ok->json, "false") != 0)
        return true;
    char by[24] = "NaN or infinite";
    if (error != NULL)
        snprintf(by, sizeof by, "%.1e", strtod(error, NULL));
    bool forecasts = result->artifact->sheet.task == FORECAST;
    char counts[80];
    snprintf(counts, sizeof counts, forecasts ? " over%.0s %s forecasts" : ", decisions changed: %s of %s",
             changed == NULL ? "?" : changed, n == NULL ? "?" : n);
    return fail(
        failure, OUT_OF_PARITY,
        "%s%s by the native runner%s is out of parity: error %s of %.1e%s; do not use it on this device",
        result->system->emulation.emulated ? "emulated: " : "", result->artifact->sheet.model_file,
        kind == KIND_STEP_PARITY ? ", step form," : "", by, tolerance == NULL ? 0.0 : strtod(tolerance, NULL),
        counts);
}

bool result_judge(const struct result *result, struct failure *failure) {
    for (int i = 0; i < result->request->threads_count; i++)
        if (!judge_form(result, &result->entries[i], KIND_PARITY, failure) ||
            !judge_form(result, &result->entries[i], KIND_STEP_PARITY, failure))
            return false;
    if (result->invalid.count == 0)
        return true;
    char *because = texts_join(&result->invalid, "; ");
    fail(failure, result->lost == NULL ? UNFIT : INTERRUPTED, "%snot a valid result: %s",
         result->system->emulation.emulated ? "emulated: " : "", because == NULL ? "" : because);
    free(because);
    return false;
}

void result_free(struct result *result) {
    for (int i = 0; result->entries != NULL && i < result->request->threads_count; i++) {
        texts_free(&result->entries[i].failures);
        texts_free(&result->entries[i].warnings);
    }
    texts_free(&result->kept);
    texts_free(&result->invalid);
    texts_free(&result->warnings);
}
