/* A model's answers to an artifact's golden vectors, held against the reference interpreter's. */
#ifndef EDGESEQ_PARITY_H
#define EDGESEQ_PARITY_H

#include <stdbool.h>

#include "artifact/artifact.h"
#include "artifact/golden.h"
#include "base/failure.h"
#include "litert/model.h"
#include "measure/statistics.h"

/* The answers [count, C] of the whole sequence form, or of the step form behind the last frame of each; to be
 * freed. NULL on failure. */
float *parity_answers(struct model *model, const struct artifact *artifact, const struct golden *golden,
                      bool of_step, struct failure *failure);

/* What that form's tolerance and reference say of them. */
struct parity parity_judge(const struct artifact *artifact, const struct golden *golden, bool of_step,
                           const float *answers);

#endif
