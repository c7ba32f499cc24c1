/* A model's answers to an artifact's golden vectors, held against the reference interpreter's. */
#ifndef EDGESEQ_PARITY_H
#define EDGESEQ_PARITY_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/artifact.h"
#include "artifact/golden.h"
#include "base/failure.h"
#include "litert/model.h"

struct parity {
    bool finite;              /* else an answer is NaN or infinite, and there is no error */
    double error;             /* the largest max|a-b| / max(1, max|b|) of a recording */
    size_t worst;             /* which recording that is */
    size_t decisions_changed; /* recordings whose class or token differs although the reference was surer than
                                 the tolerance; of forecasts, which decide nothing, 0 */
    bool ok;
};

/* Parity of answers [count, classes] against a reference of the same shape; count and classes > 0. decides:
 * whether the largest number of an answer is a decision. */
struct parity parity_compare(const float *answers, const float *reference, size_t count, size_t classes,
                             double tolerance, bool decides);

/* The answers [count, C] of the whole sequence form, or of the step form behind the last frame of each; to be
 * freed. NULL on failure. */
float *parity_answers(struct model *model, const struct artifact *artifact, const struct golden *golden,
                      bool of_step, struct failure *failure);

/* What that form's tolerance and reference say of them. */
struct parity parity_judge(const struct artifact *artifact, const struct golden *golden, bool of_step,
                           const float *answers);

#endif
