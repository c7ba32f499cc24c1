/* What modules of `bench` make of what they are given, as JSON, for tests that hold it against Python:
 *
 *     keys                  the figures
 *     system ROOT MACHINE   the provenance of the machine whose files are under ROOT
 *     guards ROOT           the guards of that machine
 *     judge BEFORE AFTER    what breaks a measurement between two such readings, and what is warned about
 *     latency               medians and percentiles of launches on stdin: a count of launches, then the count
 * of each and its samples, all as doubles parity                of a case on stdin: count, classes, decides,
 * tolerance as doubles, then answers and reference as floats numbers               doubles on stdin as JSON
 * text TEXT a text as JSON */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/keys.h"
#include "board/guards.h"
#include "board/system.h"
#include "measure/parity.h"
#include "measure/statistics.h"

static bool take(void *data, size_t size) {
    return fread(data, 1, size, stdin) == size;
}

static size_t take_count(void) {
    double count = 0;
    if (!take(&count, sizeof count))
        exit(1);
    return (size_t)count;
}

static void print_keys(struct json *json) {
    static const char *const TYPES[] = {"whole", "number", "flag", "text", "list"};
    static const char *const TASKS[] = {"classify", "lm", "forecast"};
    static const char *const UNITS[] = {"", "bytes", "ms", "s", "W", "mJ", "%"};
    json_open(json, '[');
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        json_open(json, '{');
        json_text_of(json, "name", keys_name(&KEYS[i]));
        json_text_of(json, "kind", keys_kind_name(KEYS[i].kind));
        json_text_of(json, "type", TYPES[KEYS[i].type]);
        json_text_of(json, "unit", UNITS[KEYS[i].unit]);
        json_text_of(json, "label", *keys_label(&KEYS[i]) == '\0' ? NULL : keys_label(&KEYS[i]));
        json_text_of(json, "worker_name", keys_worker_name(&KEYS[i]));
        json_bool_of(json, "needs_step", keys_needs_step(KEYS[i].kind));
        json_bool_of(json, "timed", keys_is_timed(KEYS[i].kind));
        json_key(json, "tasks");
        json_open(json, '[');
        for (int task = CLASSIFY; task <= FORECAST; task++)
            if (keys_is_of(&KEYS[i], (enum model_task)task))
                json_text(json, TASKS[task]);
        json_close(json, ']');
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void print_system(struct json *json, const char *root, const char *machine) {
    struct system system;
    system_describe(root, machine, &system);
    system_write(&system, json);
    system_free(&system);
}

static void read_guards(const char *root, struct guards *guards) {
    struct watch watch;
    struct failure failure;
    if (!watch_begin(&watch, &failure))
        exit(1);
    guards_read(root, false, &watch, guards);
    watch_end(&watch);
}

static void print_guards(struct json *json, const char *root) {
    struct guards guards;
    read_guards(root, &guards);
    guards_write(&guards, json);
    guards_free(&guards);
}

/* Both readings, what they come to, and the worst of both. */
static void print_judgement(struct json *json, const char *root_before, const char *root_after) {
    struct guards before, after;
    struct texts broken = {0}, warnings = {0};
    read_guards(root_before, &before);
    read_guards(root_after, &after);
    guards_judge(&before, &after, &broken, &warnings);
    json_open(json, '{');
    json_texts_of(json, "broken", &broken);
    json_texts_of(json, "warnings", &warnings);
    guards_worst_of(&before, &after);
    json_key(json, "worst");
    guards_write(&before, json);
    json_close(json, '}');
    guards_free(&before);
    guards_free(&after);
    texts_free(&broken);
    texts_free(&warnings);
}

static void print_latency(struct json *json) {
    static const double PERCENTS[] = {0, 2.5, 50, 90, 97.5, 99, 100};
    size_t count = take_count(), sizes[8] = {0}, all = 0;
    const double *samples[8];
    double *each[8], *pooled = NULL, low, high;
    for (size_t i = 0; i < count; i++) {
        sizes[i] = take_count();
        samples[i] = each[i] = calloc(sizes[i], sizeof(double));
        pooled = realloc(pooled, (all + sizes[i]) * sizeof *pooled);
        if (!take(each[i], sizes[i] * sizeof(double)))
            exit(1);
        memcpy(pooled + all, each[i], sizes[i] * sizeof(double));
        all += sizes[i];
    }
    json_open(json, '{');
    json_double_of(json, "median", statistics_median(pooled, all));
    if (!statistics_bootstrap_p50(&(struct launches){count, samples, sizes}, &low, &high))
        exit(1);
    json_double_of(json, "low", low);
    json_double_of(json, "high", high);
    statistics_sort(pooled, all);
    json_key(json, "percentiles");
    json_open(json, '[');
    for (size_t i = 0; i < sizeof PERCENTS / sizeof *PERCENTS; i++)
        json_double(json, statistics_percentile(pooled, all, PERCENTS[i]));
    json_close(json, ']');
    json_close(json, '}');
    for (size_t i = 0; i < count; i++)
        free(each[i]);
    free(pooled);
}

static void print_parity(struct json *json) {
    size_t count = take_count(), classes = take_count(), size = count * classes * sizeof(float);
    bool decides = take_count() != 0;
    double tolerance = 0;
    float *answers = malloc(size), *reference = malloc(size);
    if (!take(&tolerance, sizeof tolerance) || !take(answers, size) || !take(reference, size))
        exit(1);
    struct parity parity = parity_compare(answers, reference, count, classes, tolerance, decides);
    json_open(json, '{');
    json_double_of(json, "error", parity.error);
    json_long_of(json, "worst", (long)parity.worst);
    json_long_of(json, "decisions_changed", (long)parity.decisions_changed);
    json_bool_of(json, "ok", parity.ok);
    json_close(json, '}');
    free(answers);
    free(reference);
}

static void print_numbers(struct json *json) {
    double value;
    json_open(json, '[');
    while (take(&value, sizeof value))
        json_double(json, value);
    json_close(json, ']');
}

int main(int argc, char **argv) {
    struct json json = json_to(stdout, argc % 2 == 0);
    const char *what = argc < 2 ? "" : argv[1];
    if (strcmp(what, "keys") == 0)
        print_keys(&json);
    else if (strcmp(what, "system") == 0 && argc == 4)
        print_system(&json, argv[2], argv[3]);
    else if (strcmp(what, "guards") == 0 && argc == 3)
        print_guards(&json, argv[2]);
    else if (strcmp(what, "judge") == 0 && argc == 4)
        print_judgement(&json, argv[2], argv[3]);
    else if (strcmp(what, "latency") == 0)
        print_latency(&json);
    else if (strcmp(what, "parity") == 0)
        print_parity(&json);
    else if (strcmp(what, "numbers") == 0)
        print_numbers(&json);
    else if (strcmp(what, "text") == 0 && argc == 3)
        json_text(&json, argv[2]);
    else
        return 2;
    return 0;
}
