#include "measure/parity.h"

#include <stdlib.h>

static bool answer(struct model *model, const struct npy *input, bool of_step, float *logits,
                   struct failure *failure) {
    if (!of_step)
        return model_run(model, input->data, (int)input->dims[0], logits, failure);
    model_reset(model);
    const float *frame = input->data; /* or int32, of the same size */
    for (long i = 0; i < input->dims[0]; i++, frame += input->dims[1])
        if (!model_step(model, frame, logits, failure))
            return false;
    return true;
}

float *parity_answers(struct model *model, const struct artifact *artifact, const struct golden *golden,
                      bool of_step, struct failure *failure) {
    size_t classes = (size_t)artifact->sheet.labels_count;
    float *answers = calloc((size_t)golden->count * classes, sizeof *answers);
    if (answers == NULL) {
        fail_memory(failure);
        return NULL;
    }
    for (int i = 0; i < golden->count; i++) {
        if (!answer(model, &golden->features[i], of_step, answers + (size_t)i * classes, failure)) {
            free(answers);
            return NULL;
        }
    }
    return answers;
}

struct parity parity_judge(const struct artifact *artifact, const struct golden *golden, bool of_step,
                           const float *answers) {
    const struct sheet *sheet = &artifact->sheet;
    const struct npy *reference = of_step ? &golden->step_reference : &golden->reference;
    return statistics_compare_logits(answers, reference->data, (size_t)golden->count,
                                     (size_t)sheet->labels_count,
                                     of_step ? sheet->step.tolerance : sheet->sequence.tolerance);
}
