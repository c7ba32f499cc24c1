#include "artifact/sheet.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/lines.h"
#include "artifact/sheet_check.h"

enum { VERSION = 1, HASH = 64, VALUES_MAX = 1 << 28 };
enum { RATE_MAX = 100000000, FFT_MAX = 1 << 20, HOP_MAX = 1 << 24, MELS_MAX = 1024 };

/* `count` items with one more of zeros behind them; NULL, with the failure told, without memory. */
static void *one_more(struct lines *lines, void *items, int count, size_t size) {
    char *grown = realloc(items, ((size_t)count + 1) * size);
    if (grown == NULL) {
        fail_memory(lines->failure);
        return NULL;
    }
    memset(grown + (size_t)count * size, 0, size);
    return grown;
}

static bool read_version(struct lines *lines) {
    long version = 0;
    if (!lines_take(lines, "edgeseq-native") || !lines_long(lines, 0, LONG_MAX, &version))
        return false;
    if (version != VERSION)
        return fail(lines->failure, BAD_DATA,
                    "%s: version %ld is not known, this edgeseq-run reads version %d; use that of the "
                    "edgeseq that exported it",
                    lines->path, version, VERSION);
    return lines_done(lines);
}

static bool read_manifest(struct lines *lines, char sha256[65]) {
    if (!lines_take(lines, "manifest"))
        return false;
    const char *word = lines_word(lines);
    if (word == NULL || strlen(word) != HASH || strspn(word, "0123456789abcdef") != HASH)
        return lines_refuse(lines, "manifest: not a sha256");
    memcpy(sha256, word, HASH + 1);
    return lines_done(lines);
}

static bool read_labels(struct lines *lines, struct sheet *sheet) {
    int count = 0, fewest = sheet->task == FORECAST ? 1 : 2;
    if (!lines_take_int(lines, "labels", fewest, LABELS_MAX, &count))
        return false;
    while (sheet->labels_count < count) {
        char **grown = one_more(lines, sheet->labels, sheet->labels_count, sizeof *grown);
        if (grown == NULL)
            return false;
        sheet->labels = grown;
        sheet->labels_count++;
        char **label = &grown[sheet->labels_count - 1];
        if (!lines_take(lines, "label") || !lines_text(lines, label) || !lines_done(lines))
            return false;
    }
    return true;
}

static bool read_element(struct lines *lines, enum element *element) {
    const char *word = lines_word(lines);
    bool float32 = word != NULL && strcmp(word, "float32") == 0;
    if (!float32 && (word == NULL || strcmp(word, "int32") != 0))
        return lines_refuse(lines, "%s: the type must be float32 or int32", lines->key);
    *element = float32 ? FLOAT32 : INT32;
    return true;
}

/* `KEY WORD`, whose word is one of `count`: its number. */
static bool read_one_of(struct lines *lines, const char *key, const char *const *words, int count,
                        int *found) {
    if (!lines_take(lines, key))
        return false;
    const char *word = lines_word(lines);
    for (*found = 0; word != NULL && *found < count; (*found)++)
        if (strcmp(word, words[*found]) == 0)
            return lines_done(lines);
    return lines_refuse(lines, "%s `%.60s` is not known to this edgeseq-run", key, word == NULL ? "" : word);
}

static bool read_kind(struct lines *lines, enum front_end_kind *kind) {
    static const char *const KINDS[] = {"none", "log_mel", "standardise", "tokens"};
    int found;
    if (!read_one_of(lines, "front_end", KINDS, FRONT_TOKENS + 1, &found))
        return false;
    *kind = (enum front_end_kind)found;
    return true;
}

static const char *const TASKS[] = {"classify", "lm", "forecast"};

static bool read_task(struct lines *lines, enum model_task *task) {
    int found;
    if (!read_one_of(lines, "task", TASKS, FORECAST + 1, &found))
        return false;
    *task = (enum model_task)found;
    return true;
}

const char *sheet_task_name(const struct sheet *sheet) {
    return TASKS[sheet->task];
}

/* `mean 3 v v v` or `scale 3 v v v`; the count must be that of the features. */
static bool read_statistics(struct lines *lines, const char *key, int count, float **values) {
    int told = 0;
    if (!lines_take(lines, key) || !lines_int(lines, count, count, &told))
        return false;
    *values = calloc((size_t)count, sizeof **values);
    if (*values == NULL)
        return fail_memory(lines->failure);
    for (int i = 0; i < count; i++)
        if (!lines_float(lines, &(*values)[i]))
            return false;
    return lines_done(lines);
}

static bool read_log_mel(struct lines *lines, struct front_end *front_end) {
    return lines_take_int(lines, "frame_samples", 2, FFT_MAX, &front_end->frame_samples) &&
           lines_take_int(lines, "hop_samples", 1, HOP_MAX, &front_end->hop_samples) &&
           lines_take_int(lines, "fft_size", 2, FFT_MAX, &front_end->fft_size) &&
           lines_take_int(lines, "mels", 1, MELS_MAX, &front_end->mels) &&
           lines_take_double(lines, "low_hz", &front_end->low_hz) &&
           lines_take_double(lines, "high_hz", &front_end->high_hz) &&
           lines_take_double(lines, "pre_emphasis", &front_end->pre_emphasis) &&
           lines_take_double(lines, "floor", &front_end->floor);
}

static bool read_front_end(struct lines *lines, int features_count, struct front_end *front_end) {
    if (!read_kind(lines, &front_end->kind))
        return false;
    if (front_end->kind == FRONT_NONE || front_end->kind == FRONT_TOKENS)
        return true;
    if (!lines_take_int(lines, "sample_rate_hz", 0, RATE_MAX, &front_end->sample_rate_hz))
        return false;
    if (front_end->kind == FRONT_LOG_MEL && !read_log_mel(lines, front_end))
        return false;
    front_end->count = features_count;
    if (!lines_next_is(lines, "mean"))
        return true;
    return read_statistics(lines, "mean", features_count, &front_end->mean) &&
           read_statistics(lines, "scale", features_count, &front_end->scale);
}

/* The rest of the line: sizes of at least 1, or T once where `frames` allows it. */
static bool read_dims(struct lines *lines, bool frames, int *rank, int dims[RANK_MAX]) {
    long values = 1;
    for (*rank = 0; lines->words != NULL; (*rank)++) {
        if (*rank == RANK_MAX)
            return lines_refuse(lines, "%s: more than %d sizes", lines->key, RANK_MAX);
        if (frames && (strcmp(lines->words, "T") == 0 || strncmp(lines->words, "T ", 2) == 0)) {
            lines_word(lines);
            dims[*rank] = -1;
            frames = false;
            continue;
        }
        if (!lines_int(lines, 1, (int)(VALUES_MAX / values), &dims[*rank]))
            return false;
        values *= dims[*rank];
    }
    return true;
}

static bool read_tensors(struct lines *lines, const char *key, bool frames, struct tensor **tensors,
                         int *count) {
    while (lines_next_is(lines, key)) {
        struct tensor *grown = one_more(lines, *tensors, *count, sizeof *grown);
        if (grown == NULL)
            return false;
        *tensors = grown;
        struct tensor *tensor = &grown[(*count)++];
        if (!lines_take(lines, key))
            return false;
        if (*count > TENSORS_MAX)
            return lines_refuse(lines, "%s: more than %d of one form", key, TENSORS_MAX);
        if (!lines_name(lines, &tensor->name) || !read_element(lines, &tensor->element) ||
            !read_dims(lines, frames, &tensor->rank, tensor->dims))
            return false;
    }
    return true;
}

static bool read_states(struct lines *lines, struct form *form) {
    while (lines_next_is(lines, "state")) {
        struct state *grown = one_more(lines, form->states, form->states_count, sizeof *grown);
        if (grown == NULL)
            return false;
        form->states = grown;
        struct state *state = &grown[form->states_count++];
        if (!lines_take(lines, "state"))
            return false;
        if (form->states_count > TENSORS_MAX)
            return lines_refuse(lines, "state: more than %d", TENSORS_MAX);
        if (!lines_name(lines, &state->name) || !lines_float(lines, &state->initial) ||
            !read_dims(lines, false, &state->rank, state->dims))
            return false;
    }
    return true;
}

static bool read_form(struct lines *lines, const char *key, bool frames, struct form *form) {
    if (!lines_take(lines, key) || !lines_name(lines, &form->signature) ||
        !lines_double(lines, &form->tolerance) || !lines_done(lines))
        return false;
    form->there = true;
    return read_tensors(lines, "input", frames, &form->inputs, &form->inputs_count) &&
           read_tensors(lines, "output", frames, &form->outputs, &form->outputs_count);
}

static bool read_step(struct lines *lines, struct form *step) {
    if (!lines_next_is(lines, "step_none"))
        return read_form(lines, "step", false, step) && read_states(lines, step);
    return lines_take(lines, "step_none") && lines_text(lines, &step->reason) && lines_done(lines);
}

static bool read_threshold(struct lines *lines, struct sheet *sheet) {
    sheet->rejects = lines_next_is(lines, "rejection_threshold");
    return !sheet->rejects || lines_take_double(lines, "rejection_threshold", &sheet->rejection_threshold);
}

static bool read_model(struct lines *lines, struct sheet *sheet) {
    return lines_take_name(lines, "model", &sheet->model_file) && lines_take(lines, "weight_bytes") &&
           lines_long(lines, 0, LONG_MAX, &sheet->weight_bytes) && lines_done(lines) &&
           read_threshold(lines, sheet) && lines_take(lines, "golden") &&
           lines_name(lines, &sheet->golden_file) && lines_int(lines, 1, GOLDEN_MAX, &sheet->golden_count) &&
           lines_done(lines);
}

/* How many frames go in and come out. */
static bool read_reach(struct lines *lines, struct sheet *sheet) {
    sheet->horizon = 1;
    if (sheet->task == FORECAST &&
        (!lines_take_int(lines, "context", 1, VALUES_MAX / sheet->features_count, &sheet->context) ||
         !lines_take_int(lines, "horizon", 1, VALUES_MAX / sheet->labels_count, &sheet->horizon)))
        return false;
    sheet->outputs_count = sheet->horizon * sheet->labels_count;
    return true;
}

static bool read_features(struct lines *lines, struct sheet *sheet) {
    return lines_take(lines, "features") && lines_int(lines, 1, FEATURES_MAX, &sheet->features_count) &&
           read_element(lines, &sheet->element) && lines_done(lines) && read_reach(lines, sheet) &&
           read_front_end(lines, sheet->features_count, &sheet->front_end);
}

static bool read_sheet(struct lines *lines, struct sheet *sheet) {
    return read_version(lines) && lines_take_name(lines, "name", &sheet->name) &&
           read_task(lines, &sheet->task) && read_manifest(lines, sheet->manifest_sha256) &&
           read_labels(lines, sheet) && read_features(lines, sheet) && read_model(lines, sheet) &&
           read_form(lines, "sequence", true, &sheet->sequence) && read_step(lines, &sheet->step) &&
           lines_take(lines, "end") && lines_done(lines) && lines_end(lines);
}

bool sheet_parse(const char *text, size_t size, const char *path, struct sheet *sheet,
                 struct failure *failure) {
    *sheet = (struct sheet){0};
    struct lines lines;
    if (!lines_open(text, size, path, &lines, failure))
        return false;
    bool read = read_sheet(&lines, sheet) && sheet_check(sheet, path, failure);
    lines_close(&lines);
    if (!read)
        sheet_free(sheet);
    return read;
}

static void free_tensors(struct tensor *tensors, int count) {
    for (int i = 0; i < count; i++)
        free(tensors[i].name);
    free(tensors);
}

static void free_form(struct form *form) {
    free(form->reason);
    free(form->signature);
    free_tensors(form->inputs, form->inputs_count);
    free_tensors(form->outputs, form->outputs_count);
    for (int i = 0; i < form->states_count; i++)
        free(form->states[i].name);
    free(form->states);
}

void sheet_free(struct sheet *sheet) {
    free(sheet->name);
    for (int i = 0; i < sheet->labels_count; i++)
        free(sheet->labels[i]);
    free(sheet->labels);
    free(sheet->front_end.mean);
    free(sheet->front_end.scale);
    free(sheet->model_file);
    free(sheet->golden_file);
    free_form(&sheet->sequence);
    free_form(&sheet->step);
    *sheet = (struct sheet){0};
}
