/* Logits -> what the model says, as edgeseq_device.classify. */
#ifndef EDGESEQ_ANSWER_H
#define EDGESEQ_ANSWER_H

#include <stdbool.h>

#include "artifact/sheet.h"
#include "base/failure.h"

struct answer {
    const char *label;  /* the sheet's; NULL where the probability is below its rejection threshold */
    double probability; /* of the nearest class, whether it is rejected or not */
    int nearest;        /* its number in the labels */
};

/* logits: [labels_count]. BAD_DATA where one is NaN or infinity. */
bool answer_of(const struct sheet *sheet, const float *logits, struct answer *answer,
               struct failure *failure);

#endif
