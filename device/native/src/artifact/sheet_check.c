#include "artifact/sheet_check.h"

#include <math.h>
#include <string.h>

#include "artifact/sums.h"

static const double LARGEST_NUMBER = 1e30; /* of a front end's settings, as edgeseq_device has it */

static bool log_mel_fits(const struct front_end *front_end) {
    int fft = front_end->fft_size;
    return front_end->sample_rate_hz > 0 && front_end->mels == front_end->count && (fft & (fft - 1)) == 0 &&
           front_end->frame_samples <= fft && front_end->low_hz >= 0 &&
           front_end->low_hz < front_end->high_hz && front_end->high_hz <= front_end->sample_rate_hz / 2.0 &&
           fabs(front_end->pre_emphasis) < LARGEST_NUMBER && front_end->floor > 0;
}

static bool front_end_fits(const struct front_end *front_end, enum element element) {
    if (front_end->kind == FRONT_NONE)
        return true;
    for (int i = 0; front_end->scale != NULL && i < front_end->count; i++)
        if (!(front_end->scale[i] > 0))
            return false;
    return element == (front_end->kind == FRONT_TOKENS ? INT32 : FLOAT32) &&
           (front_end->kind != FRONT_LOG_MEL || log_mel_fits(front_end));
}

static const struct tensor *tensor_of(const struct tensor *tensors, int count, const char *name,
                                      const char *suffix) {
    size_t length = strlen(name);
    for (int i = 0; i < count; i++)
        if (strncmp(tensors[i].name, name, length) == 0 && strcmp(tensors[i].name + length, suffix) == 0)
            return &tensors[i];
    return NULL;
}

/* A tensor that is there, of that type and of these sizes. */
static bool is(const struct tensor *tensor, enum element element, int rank, const int *dims) {
    return tensor != NULL && tensor->element == element && tensor->rank == rank &&
           memcmp(tensor->dims, dims, (size_t)rank * sizeof *dims) == 0;
}

/* Each input but the features is a state, and so is each output but the logits, with ".next" behind its
 * name; that of a sequence form is one of the step form, which it has all of or none. */
static bool sequence_fits(const struct form *form, const struct form *step) {
    for (int i = 0; form->outputs_count > 1 && i < step->states_count; i++) {
        const struct state *state = &step->states[i];
        const struct tensor *output = tensor_of(form->outputs, form->outputs_count, state->name, ".next");
        if (!is(output, FLOAT32, state->rank, state->dims))
            return false;
    }
    return form->inputs_count == 1 &&
           (form->outputs_count == 1 || form->outputs_count == 1 + step->states_count);
}

static bool states_fit(const struct form *form) {
    for (int i = 0; i < form->states_count; i++) {
        const struct state *state = &form->states[i];
        for (int j = 0; j < i; j++)
            if (strcmp(state->name, form->states[j].name) == 0)
                return false;
        const struct tensor *input = tensor_of(form->inputs, form->inputs_count, state->name, "");
        const struct tensor *output = tensor_of(form->outputs, form->outputs_count, state->name, ".next");
        if (strcmp(state->name, "features") == 0 || !is(input, FLOAT32, state->rank, state->dims) ||
            !is(output, FLOAT32, state->rank, state->dims))
            return false;
    }
    return form->inputs_count == 1 + form->states_count && form->outputs_count == 1 + form->states_count;
}

static bool named_twice(const struct tensor *tensors, int count) {
    for (int i = 1; i < count; i++)
        if (tensor_of(tensors, i, tensors[i].name, "") != NULL)
            return true;
    return false;
}

/* What is wrong with a form; NULL: nothing. */
static const char *wrong_form(const struct sheet *sheet, const struct form *form) {
    const int sequence[] = {1, sheet->context > 0 ? sheet->context : -1, sheet->features_count};
    const int step[] = {1, sheet->features_count}, logits[] = {1, sheet->outputs_count};
    bool frames = form == &sheet->sequence;
    if (!(form->tolerance > 0 && form->tolerance < 1))
        return "its parity tolerance is not between 0 and 1";
    if (!is(tensor_of(form->inputs, form->inputs_count, "features", ""), sheet->element, frames ? 3 : 2,
            frames ? sequence : step))
        return "it has no input `features` of the type and sizes of the features";
    if (!is(tensor_of(form->outputs, form->outputs_count, "logits", ""), FLOAT32, 2, logits))
        return "it has no output `logits`, float32 and one for each label, of a forecaster for each moment "
               "too";
    if (named_twice(form->inputs, form->inputs_count) || named_twice(form->outputs, form->outputs_count) ||
        !(frames ? sequence_fits(form, &sheet->step) : states_fit(form)))
        return "its other tensors are not its states, float32, each once";
    return NULL;
}

bool sheet_check(const struct sheet *sheet, const char *path, struct failure *failure) {
    if (!front_end_fits(&sheet->front_end, sheet->element))
        return fail_export(failure, "%s: the front end has settings that do not fit together", path);
    bool of_series = sheet->front_end.kind == FRONT_NONE || sheet->front_end.kind == FRONT_STANDARDISE;
    if (sheet->task == FORECAST &&
        (!of_series || sheet->element != FLOAT32 || sheet->features_count != sheet->labels_count))
        return fail_export(failure, "%s: a forecaster takes readings of the channels that it has labels of",
                           path);
    const char *cause = wrong_form(sheet, &sheet->sequence);
    if (cause != NULL)
        return fail_export(failure, "%s: sequence: %s", path, cause);
    cause = sheet->step.there ? wrong_form(sheet, &sheet->step) : NULL;
    if (cause != NULL)
        return fail_export(failure, "%s: step: %s", path, cause);
    if (sheet->rejects && !(sheet->rejection_threshold >= 0 && sheet->rejection_threshold <= 1))
        return fail_export(failure, "%s: rejection_threshold is not from 0 to 1", path);
    return (sums_plain_name(sheet->model_file) && sums_plain_name(sheet->golden_file)) ||
           fail_export(failure, "%s: model or golden names no plain file of the artifact", path);
}
