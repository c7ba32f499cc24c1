#include "bench/latency_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "measure/statistics.h"

static const double SPREAD_PERCENT_MAX = 10; /* launches that differ by more are warned about */

/* What the figures of one kind are made from, and where they go. */
struct making {
    struct result *result;
    struct entry *entry;
    enum kind kind;
    const struct outcome *const *outcomes;
    size_t count;
};

static void set(const struct making *making, const char *name, double value) {
    result_set(making->result, making->entry, making->kind, name, value);
}

static const char *what(const struct making *making) {
    return keys_is_of_step(making->kind) ? "step latency" : "latency";
}

/* The launches' samples in one row; NULL without memory. For the caller to free. */
static double *pool(const struct making *making, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < making->count; i++)
        *count += making->outcomes[i]->samples_count;
    double *pooled = calloc(*count, sizeof *pooled), *at = pooled;
    for (size_t i = 0; pooled != NULL && i < making->count; i++) {
        memcpy(at, making->outcomes[i]->samples_ms, making->outcomes[i]->samples_count * sizeof *at);
        at += making->outcomes[i]->samples_count;
    }
    return pooled;
}

/* The interval of p50, and how far the launches are apart. False without memory. */
static bool compare_launches(const struct making *making) {
    const double **samples = calloc(making->count, sizeof *samples);
    size_t *sizes = calloc(making->count, sizeof *sizes);
    double *medians = calloc(making->count, sizeof *medians);
    double low = 0, high = 0;
    bool made = samples != NULL && sizes != NULL && medians != NULL;
    for (size_t i = 0; made && i < making->count; i++) {
        samples[i] = making->outcomes[i]->samples_ms;
        sizes[i] = making->outcomes[i]->samples_count;
        medians[i] = statistics_median(samples[i], sizes[i]);
    }
    made = made && statistics_bootstrap_p50(&(struct launches){making->count, samples, sizes}, &low, &high);
    if (made) {
        statistics_sort(medians, making->count);
        double middle = statistics_percentile(medians, making->count, 50);
        double spread = 100 * (medians[making->count - 1] - medians[0]) / middle;
        set(making, "latency_p50_low_ms", low);
        set(making, "latency_p50_high_ms", high);
        set(making, "latency_spread_percent", spread);
        if (making->count < 2)
            result_leave_out(making->entry, making->kind, "latency_spread_percent",
                             "one process launch has no spread");
        else if (spread > SPREAD_PERCENT_MAX)
            texts_add(&making->entry->warnings,
                      "%s: the launches' p50 differ by %.0f %%: something else used the processor",
                      what(making), spread);
    }
    free(samples);
    free(sizes);
    free(medians);
    return made;
}

/* What a model does in a second. */
static void set_rate(const struct making *making, double p50_ms) {
    enum model_task task = making->result->artifact->sheet.task;
    double frames = making->entry->frames == 0 ? 1 : (double)making->entry->frames;
    if (task == FORECAST)
        set(making, "forecasts_per_second", 1000 / p50_ms);
    else if (task == LANGUAGE_MODEL && keys_is_of_step(making->kind))
        set(making, "tokens_per_second", 1000 / p50_ms);
    else if (task == LANGUAGE_MODEL)
        set(making, "prefill_tokens_per_second", 1000 * frames / p50_ms);
}

static void set_percentiles(const struct making *making, double *pooled, size_t count) {
    statistics_sort(pooled, count);
    result_set_whole(making->result, making->entry, making->kind, "latency_n", (long)count);
    result_set_whole(making->result, making->entry, making->kind, "latency_launches", (long)making->count);
    double p50_ms = statistics_percentile(pooled, count, 50);
    set(making, "latency_p50_ms", p50_ms);
    set_rate(making, p50_ms);
    set(making, "latency_p90_ms", statistics_percentile(pooled, count, 90));
    set(making, "latency_p99_ms", statistics_percentile(pooled, count, 99));
    if (count >= P99_SAMPLES_MIN)
        return;
    const char *reason =
        texts_add(&making->result->kept, "%zu samples, fewer than %d", count, P99_SAMPLES_MIN);
    result_leave_out(making->entry, making->kind, "latency_p99_ms", reason);
}

static void set_warm_up(const struct making *making) {
    long runs = 0;
    double seconds = 0;
    size_t unsettled = 0;
    for (size_t i = 0; i < making->count; i++) {
        runs = making->outcomes[i]->warmup_runs > runs ? making->outcomes[i]->warmup_runs : runs;
        seconds = fmax(seconds, making->outcomes[i]->warmup_s);
        unsettled += !making->outcomes[i]->warmup_settled;
    }
    result_set_whole(making->result, making->entry, making->kind, "warmup_n", runs);
    set(making, "warmup_s", seconds);
    if (unsettled > 0)
        texts_add(&making->entry->warnings,
                  "%s: the warm-up of %zu of %zu launches did not settle within 5 %%", what(making),
                  unsettled, making->count);
}

/* The median over the launches of one phase of the way to the first answer. */
static void set_phase(const struct making *making, const char *name) {
    double *each_ms = calloc(making->count, sizeof *each_ms);
    size_t told = 0;
    for (size_t i = 0; each_ms != NULL && i < making->count; i++) {
        const struct outcome_line *line = outcome_find(making->outcomes[i], "phase", name);
        told += line != NULL && text_is_double(line->text, &each_ms[told]);
    }
    double middle_ms = told == 0 ? NAN : statistics_median_of(each_ms, told);
    free(each_ms);
    set(making, name, middle_ms);
    if (middle_ms <= 0)
        result_leave_out(making->entry, making->kind, name, "the clocks of agent and worker disagree");
}

bool latency_figures(struct result *result, struct entry *entry, enum kind kind,
                     const struct outcome *const *outcomes, size_t count) {
    struct making making = {result, entry, kind, outcomes, count};
    for (size_t i = 0; i < count; i++)
        if (outcomes[i]->samples_count == 0 || outcomes[i]->warmup_runs == 0)
            return false;
    size_t pooled_count;
    double *pooled = pool(&making, &pooled_count);
    bool made = pooled != NULL && compare_launches(&making);
    if (made) {
        set_percentiles(&making, pooled, pooled_count);
        set_warm_up(&making);
        for (size_t i = 0; i < outcomes[0]->lines_count; i++) {
            const struct outcome_line *line = &outcomes[0]->lines[i];
            if (strcmp(line->item, "phase") == 0)
                set_phase(&making, line->name);
            else if (strcmp(line->item, "missing") == 0) /* a phase that this runner does not have */
                result_leave_out(entry, kind, line->name, line->text);
        }
    }
    free(pooled);
    return made;
}
