/* `edgeseq-run predict`: what an artifact answers to files. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "answer/answering.h"
#include "answer/forecast.h"
#include "artifact/npy.h"
#include "base/file.h"
#include "commands.h"
#include "front_end/features.h"

static const char USE[] =
    "edgeseq-run predict ARTIFACT FILE...: the answer to each file, a line each; - is stdin\n"
    "\n"
    "A FILE is numpy's .npy or plain little-endian values.\n"
    "  --input features   rows [T, F] as the model takes them: float32, or int32 of a text (the default)\n"
    "  --input s16le      mono sound of 16 bits, as arecord -t raw -f S16_LE writes it\n"
    "  --input f32le      float32 readings: sound in [-1, 1], or the rows of a series (a forecaster's "
    "default)\n"
    "  --rate HZ          of the readings; refused where it is not the model's\n"
    "  --json             a line of JSON each: file, label (null: none of the classes), probability, "
    "logits\n"
    "A language model answers with the next token. A forecaster needs the last moments of its channels, "
    "goes\n"
    "by as many as it was trained with, and answers with the next ones in their units, as CSV; with --json "
    "a\n"
    "line: file, channels, forecast.\n";

enum { FILE_BYTES_MAX = 1 << 30 };

/* What a file holds, as values in the order of the file. */
struct values {
    struct bytes bytes;
    float *converted; /* NULL, or the values, where the file's are of another type */
    const void *data; /* of 4 bytes each */
    size_t count;
};

static void values_free(struct values *values) {
    free(values->converted);
    bytes_free(&values->bytes);
}

static bool read_npy(const struct answering *answering, const char *path, struct values *values,
                     struct failure *failure) {
    const struct sheet *sheet = &answering->artifact.sheet;
    struct npy npy;
    if (answering->kind == INPUT_S16LE)
        return fail(failure, USAGE, "%s: a .npy file is no plain s16le; give --input f32le", path);
    if (!npy_parse(values->bytes.data, values->bytes.size, path, &npy, failure))
        return false;
    bool features = answering->kind == INPUT_FEATURES;
    enum element element = features ? sheet->element : FLOAT32;
    bool sound = !features && sheet->front_end.kind == FRONT_LOG_MEL;
    bool fits = sound ? npy.rank == 1 : npy.rank == 2 && npy.dims[1] == sheet->features_count;
    if (sound && (npy.element != element || !fits))
        return fail(failure, BAD_DATA, "%s: the array is not mono sound, float32 [n]", path);
    if (npy.element != element || !fits)
        return fail(failure, BAD_DATA, "%s: the array is not %s [T, %d], as the model takes it", path,
                    element == INT32 ? "int32" : "float32", sheet->features_count);
    values->data = npy.data;
    values->count = npy_count(&npy);
    return true;
}

static bool read_plain(const struct answering *answering, const char *path, struct values *values,
                       struct failure *failure) {
    const struct sheet *sheet = &answering->artifact.sheet;
    const struct bytes *bytes = &values->bytes;
    size_t piece = input_piece(sheet, answering->kind);
    if (!input_check_plain(sheet, answering->kind, bytes->data, bytes->size, path, failure))
        return false;
    if (bytes->size == 0 || bytes->size % piece != 0)
        return fail(failure, BAD_DATA, "%s: its %zu bytes are no whole %ss of %zu bytes", path, bytes->size,
                    input_piece_name(sheet, answering->kind), piece);
    values->data = bytes->data;
    values->count = bytes->size / sizeof(float);
    if (answering->kind != INPUT_S16LE)
        return true;
    values->count = bytes->size / piece;
    values->converted = calloc(values->count, sizeof(float));
    if (values->converted == NULL)
        return fail_memory(failure);
    input_from_s16le(bytes->data, values->count, values->converted);
    values->data = values->converted;
    return true;
}

/* The model's logits of values. */
static bool compute(struct answering *answering, const struct values *values, struct failure *failure) {
    const struct sheet *sheet = &answering->artifact.sheet;
    const float *data = values->data; /* or int32, of the same size */
    size_t count = values->count;
    if (sheet->task == FORECAST && !forecast_last(sheet, &data, &count, failure))
        return false;
    size_t rows = count / (size_t)sheet->features_count;
    float *computed = NULL;
    int frames = rows > INT_MAX ? INT_MAX : (int)rows;
    bool is_done =
        (answering->kind == INPUT_FEATURES ||
         features_of(&sheet->front_end, data, count, &computed, &frames, failure)) &&
        model_run(answering->model, computed != NULL ? computed : data, frames, answering->logits, failure);
    free(computed);
    return is_done;
}

/* The label as text, a token as in JSON: it may be a line's end. */
static void print_line(const struct answering *answering, const char *path, const struct answer *answer) {
    printf("%s: ", path);
    if (answering->artifact.sheet.task == LANGUAGE_MODEL) {
        struct json json = json_to(stdout, false);
        json_text(&json, answer->label);
    } else {
        fputs(answer->label != NULL ? answer->label : "(none of the classes)", stdout);
    }
    printf(" %.2f %%\n", 100 * answer->probability);
}

/* answer: NULL of a forecast. */
static void print(const struct answering *answering, const char *path, const struct answer *answer,
                  bool as_json) {
    const struct sheet *sheet = &answering->artifact.sheet;
    if (!as_json && answer == NULL) {
        forecast_write_csv(sheet, answering->logits, stdout);
        return;
    }
    if (!as_json) {
        print_line(answering, path, answer);
        return;
    }
    struct json json = json_to(stdout, false);
    json_open(&json, '{');
    json_key(&json, "file");
    json_text(&json, path);
    if (answer == NULL)
        forecast_write_json(sheet, answering->logits, &json);
    else
        answering_write(answering, answer, true, &json);
    json_close(&json, '}');
    putchar('\n');
}

/* The complaint of the model or the front end gets the file's name. */
static bool answer_values(struct answering *answering, const char *path, const struct values *values,
                          bool as_json, struct failure *failure) {
    const struct sheet *sheet = &answering->artifact.sheet;
    bool forecasts = sheet->task == FORECAST;
    struct answer answer;
    struct failure why = {FAULT, ""};
    if (!compute(answering, values, &why) ||
        !(forecasts ? forecast_finish(sheet, answering->logits, &why)
                    : answer_of(sheet, answering->logits, &answer, &why)))
        return fail(failure, why.exit_code, "%s: %s", path, why.message);
    print(answering, path, forecasts ? NULL : &answer, as_json);
    return true;
}

static bool predict_file(struct answering *answering, const char *path, bool as_json,
                         struct failure *failure) {
    struct values values = {0};
    bool answered = false;
    if (file_read(path, FILE_BYTES_MAX, &values.bytes, failure)) {
        bool is_npy =
            values.bytes.size >= INPUT_HEADER && memcmp(values.bytes.data, "\x93NUMPY", INPUT_HEADER) == 0;
        answered = (is_npy ? read_npy : read_plain)(answering, path, &values, failure) &&
                   answer_values(answering, path, &values, as_json, failure);
    }
    values_free(&values);
    if (answered && fflush(stdout) != 0)
        return fail_errno(failure, FAULT, "stdout", "cannot be written");
    return answered;
}

int command_predict(int argc, char **argv, struct failure *failure) {
    struct options options;
    struct answering answering;
    if (!options_parse(argc, argv, PREDICT, 2, INT_MAX, "an artifact and then a FILE", &options, failure))
        return FAILED;
    if (options.help)
        return options_help(USE);
    if (!answering_open(&options, "features", &answering, failure))
        return FAILED;
    bool answered = answering.artifact.sheet.task != FORECAST || options.json ||
                    options.operands_count == 2 ||
                    fail(failure, USAGE, "predict: several forecasts are not told apart in CSV; add --json");
    answered = answered && answering_load(&options, &answering, failure);
    for (int i = 1; answered && i < options.operands_count; i++)
        answered = predict_file(&answering, options.operands[i], options.json, failure);
    answering_close(&answering);
    return answered ? 0 : FAILED;
}
