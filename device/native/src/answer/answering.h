/* What `predict` and `stream` share: an artifact's model ready to answer. */
#ifndef EDGESEQ_ANSWERING_H
#define EDGESEQ_ANSWERING_H

#include <stdbool.h>
#include <stdio.h>

#include "answer/answer.h"
#include "answer/input.h"
#include "artifact/artifact.h"
#include "base/failure.h"
#include "base/json.h"
#include "litert/litert.h"
#include "litert/model.h"
#include "measure/options.h"

struct answering {
    struct artifact artifact;
    struct litert *litert;
    struct model *model;
    enum input_kind kind;
    float *logits; /* [C]: of the last answer */
};

/* Verifies the artifact, the first operand. What the options want of it is checked by then: the kind of input
 * (`input` where the options name none; NULL, and of a forecaster, as input_kind_of() says) and the rate.
 * answering_close() frees; on failure nothing is left to free. */
bool answering_open(const struct options *options, const char *input, struct answering *answering,
                    struct failure *failure);

/* Loads the library and the model. */
bool answering_load(const struct options *options, struct answering *answering, struct failure *failure);

/* One of all zeros is fine. */
void answering_close(struct answering *answering);

/* Behind a key or place that has been written: the label, the probability and, if asked for, the logits, each
 * so that it reads back as the same number. For a JSON object that is open. */
void answering_write(const struct answering *answering, const struct answer *answer, bool logits,
                     struct json *json);

#endif
