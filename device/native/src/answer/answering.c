#include "answer/answering.h"

#include <stdlib.h>

static bool prepare(const struct options *options, const char *input, struct answering *answering,
                    struct failure *failure) {
    const struct sheet *sheet = &answering->artifact.sheet;
    if (sheet->task == FORECAST)
        input = NULL; /* its answer is in the units of readings too */
    if (!input_kind_of(options->input != NULL ? options->input : input, sheet, &answering->kind, failure))
        return false;
    if (options->rate_hz != 0 && !input_check_rate(sheet, options->rate_hz, failure))
        return false;
    answering->logits = calloc((size_t)sheet->outputs_count, sizeof(float));
    return answering->logits != NULL || fail_memory(failure);
}

bool answering_open(const struct options *options, const char *input, struct answering *answering,
                    struct failure *failure) {
    *answering = (struct answering){0};
    if (!artifact_open(options->operands[0], &answering->artifact, failure))
        return false;
    bool open = prepare(options, input, answering, failure);
    if (!open)
        answering_close(answering);
    return open;
}

bool answering_load(const struct options *options, struct answering *answering, struct failure *failure) {
    answering->litert = litert_open(options->library, options->library_version, failure);
    if (answering->litert == NULL)
        return false;
    answering->model = model_load(answering->litert, &answering->artifact, (int)options->threads, failure);
    return answering->model != NULL;
}

void answering_close(struct answering *answering) {
    model_free(answering->model);
    litert_close(answering->litert);
    artifact_close(&answering->artifact);
    free(answering->logits);
    *answering = (struct answering){0};
}

void answering_write(const struct answering *answering, const struct answer *answer, bool logits,
                     struct json *json) {
    json_key(json, "label");
    json_text(json, answer->label);
    json_key(json, "probability");
    json_float(json, answer->probability);
    if (!logits)
        return;
    json_key(json, "logits");
    json_open(json, '[');
    for (int i = 0; i < answering->artifact.sheet.outputs_count; i++)
        json_float(json, answering->logits[i]);
    json_close(json, ']');
}
