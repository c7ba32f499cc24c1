/* plain_table_notes(): the lines under the table of a result. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plain_table.h"

/* One line; of an emulated processor it says so. */
static void note(const struct result *result, FILE *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(const struct result *result, FILE *file, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs(result->system->emulation.emulated ? "emulated: " : "", file);
    vfprintf(file, format, values);
    fputc('\n', file);
    va_end(values);
}

/* Adds the names of the entries that lack a figure with that label for that reason. */
static void find_lacking(const struct result *result, const char *label, const char *reason,
                         struct texts *names) {
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        char own[64], name[40];
        if (!plain_table_label(result, i, own) || strcmp(own, label) != 0)
            continue;
        for (int j = 0; j < result->request->threads_count; j++) {
            const struct figure *figure = &result->entries[j].figures[i];
            result_name(&result->entries[j], name);
            if (figure->json == NULL && strcmp(figure->reason, reason) == 0 && !texts_has(names, name))
                texts_add(names, "%s", name);
        }
    }
}

/* What is missing for one reason: labels, each once, with the entries' names where it is not all of them. */
static void note_reason(const struct result *result, const char *reason, FILE *file) {
    struct texts labels = {0}, told = {0};
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        char label[64];
        struct texts names = {0};
        if (plain_table_label(result, i, label) && !texts_has(&labels, label))
            find_lacking(result, label, reason, &names);
        char *joined = names.count == 0 ? NULL : texts_join(&names, ", ");
        if (joined != NULL) {
            bool all = names.count == (size_t)result->request->threads_count;
            texts_add(&labels, "%s", label);
            texts_add(&told, all ? "%s" : "%s (%s)", label, joined);
        }
        texts_free(&names);
        free(joined);
    }
    char *joined = texts_join(&told, "; ");
    note(result, file, "not measured: %s: %s", joined == NULL ? "" : joined, reason);
    free(joined);
    texts_free(&labels);
    texts_free(&told);
}

static void note_gaps(const struct result *result, FILE *file) {
    struct texts reasons = {0};
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        char label[64];
        for (int j = 0; plain_table_label(result, i, label) && j < result->request->threads_count; j++) {
            const struct figure *figure = &result->entries[j].figures[i];
            if (figure->json == NULL && !texts_has(&reasons, figure->reason) &&
                texts_add(&reasons, "%s", figure->reason) != NULL)
                note_reason(result, figure->reason, file);
        }
    }
    texts_free(&reasons);
}

void plain_table_notes(const struct result *result, FILE *file) {
    const struct system *system = result->system;
    note(result, file, "device: %s, %s, edgeseq-run " EDGESEQ_VERSION, system_name(system),
         system->os == NULL ? "unknown system" : system->os);
    if (system->emulation.emulated)
        note(result, file, "%s; there is no latency of an emulated processor", system->emulation.because);
    note_gaps(result, file);
    for (int i = 0; i < result->request->threads_count; i++) {
        char name[40];
        result_name(&result->entries[i], name);
        for (size_t j = 0; j < result->entries[i].warnings.count; j++)
            note(result, file, "warning: %s: %s", name, result->entries[i].warnings.items[j]);
    }
    for (size_t i = 0; i < result->warnings.count; i++)
        note(result, file, "warning: %s", result->warnings.items[i]);
    for (size_t i = 0; i < result->invalid.count; i++)
        note(result, file, "INVALID: %s", result->invalid.items[i]);
}
