/* Prints what a model answers to the beginnings of one input, in one process: what test_library.py asks.
 *
 *     print_answers ARTIFACT LIBRARY THREADS ROWS LENGTH...
 *
 * ROWS: a file of rows as the model takes them. Of each LENGTH a line of the sequence form and, where there
 * is one, of the step form: its name, the length, and the logits' bits; or what it is refused for. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/artifact.h"
#include "base/file.h"
#include "litert/model.h"

static void print(const char *form, int length, bool answered, const float *logits, int count,
                  const struct failure *failure) {
    printf("%s %d", form, length);
    for (int i = 0; answered && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        printf(" %08x", bits);
    }
    if (!answered)
        printf(" %d %s", failure->exit_code, failure->message);
    putchar('\n');
}

static bool stream(struct model *model, const unsigned char *rows, size_t row_bytes, int length,
                   float *logits, struct failure *failure) {
    model_reset(model);
    for (int i = 0; i < length; i++)
        if (!model_step(model, rows + (size_t)i * row_bytes, logits, failure))
            return false;
    return length > 0;
}

static void answer(struct model *model, const struct sheet *sheet, const unsigned char *rows, int length) {
    struct failure failure = {FAULT, "no frame"};
    float *logits = calloc((size_t)sheet->outputs_count, sizeof *logits);
    bool answered = model_run(model, rows, length, logits, &failure);
    print("sequence", length, answered, logits, sheet->outputs_count, &failure);
    if (model_has_step(model)) {
        answered = stream(model, rows, 4 * (size_t)sheet->features_count, length, logits, &failure);
        print("step", length, answered, logits, sheet->outputs_count, &failure);
    }
    free(logits);
}

int main(int argc, char **argv) {
    struct failure failure = {FAULT, ""};
    struct artifact artifact = {0};
    struct bytes rows = {0};
    struct model *model = NULL;
    struct litert *litert = litert_open(argv[2], "of a test", &failure);
    bool is_ready = litert != NULL && artifact_open(argv[1], &artifact, &failure) &&
                    file_read(argv[4], 1 << 20, &rows, &failure) &&
                    (model = model_load(litert, &artifact, atoi(argv[3]), &failure)) != NULL;
    for (int i = 5; is_ready && i < argc; i++)
        answer(model, &artifact.sheet, rows.data, atoi(argv[i]));
    model_free(model);
    bytes_free(&rows);
    artifact_close(&artifact);
    litert_close(litert);
    if (!is_ready)
        printf("refused %d %s\n", failure.exit_code, failure.message);
    return 0;
}
