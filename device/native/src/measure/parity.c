#include "measure/parity.h"

#include <math.h>
#include <stdlib.h>

#include "base/finite.h"

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
    size_t classes = (size_t)artifact->sheet.outputs_count;
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

static double largest_of(const float *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)values[i]));
    return largest;
}

static size_t best_of(const float *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

/* By how much the best of some values exceeds the second best. */
static double lead_of(const float *values, size_t count) {
    size_t best = best_of(values, count);
    double lead = INFINITY;
    for (size_t i = 0; i < count; i++)
        if (i != best)
            lead = fmin(lead, (double)values[best] - (double)values[i]);
    return lead;
}

static void compare_one(const float *answer, const float *reference, size_t classes, double tolerance,
                        size_t index, struct parity *parity) {
    double scale = fmax(1.0, largest_of(reference, classes)), difference = 0;
    for (size_t i = 0; i < classes; i++)
        difference = fmax(difference, fabs((double)answer[i] - (double)reference[i]));
    double error = difference / scale;
    if (error > parity->error || index == 0) {
        parity->error = error;
        parity->worst = index;
    }
    bool sure = lead_of(reference, classes) > tolerance * scale;
    if (sure && best_of(answer, classes) != best_of(reference, classes))
        parity->decisions_changed++;
}

struct parity parity_compare(const float *answers, const float *reference, size_t count, size_t classes,
                             double tolerance, bool decides) {
    struct parity parity = {.finite = true};
    struct parity broken = {.finite = false, .error = NAN};
    for (size_t i = 0; i < count; i++) {
        const float *answer = answers + i * classes, *expected = reference + i * classes;
        if (finite_count(answer, classes) < classes || finite_count(expected, classes) < classes) {
            broken.worst = broken.decisions_changed++ == 0 ? i : broken.worst;
            continue;
        }
        compare_one(answer, expected, classes, tolerance, i, &parity);
    }
    bool is_broken = broken.decisions_changed > 0;
    if (!decides)
        parity.decisions_changed = broken.decisions_changed = 0;
    if (is_broken)
        return broken;
    parity.ok = parity.error <= tolerance && parity.decisions_changed == 0;
    return parity;
}

struct parity parity_judge(const struct artifact *artifact, const struct golden *golden, bool of_step,
                           const float *answers) {
    const struct sheet *sheet = &artifact->sheet;
    const struct npy *reference = of_step ? &golden->step_reference : &golden->reference;
    return parity_compare(answers, reference->data, (size_t)golden->count, (size_t)sheet->outputs_count,
                          of_step ? sheet->step.tolerance : sheet->sequence.tolerance,
                          sheet->task != FORECAST);
}
