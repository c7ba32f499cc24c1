#include "answer/answer.h"

#include <math.h>

#include "base/finite.h"

static float largest(const float *logits, int count) {
    float found = logits[0];
    for (int i = 1; i < count; i++)
        found = fmaxf(found, logits[i]);
    return found;
}

bool answer_of(const struct sheet *sheet, const float *logits, struct answer *answer,
               struct failure *failure) {
    if (finite_count(logits, (size_t)sheet->labels_count) < (size_t)sheet->labels_count)
        return fail(failure, BAD_DATA,
                    "the model's answer holds NaN or infinity; are the features of the kind it was"
                    " trained on?");
    /* Softmax in double. The nearest class is the first of those that are most probable after rounding. */
    double top = largest(logits, sheet->labels_count), sum = 0;
    answer->nearest = -1;
    for (int i = 0; i < sheet->labels_count; i++) {
        double power = exp(logits[i] - top);
        sum += power;
        if (answer->nearest < 0 && power == 1)
            answer->nearest = i;
    }
    answer->probability = 1 / sum;
    bool rejected = sheet->rejects && answer->probability < sheet->rejection_threshold;
    answer->label = rejected ? NULL : sheet->labels[answer->nearest];
    return true;
}
