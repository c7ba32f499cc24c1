/* An artifact's model in LiteRT: the answer to a whole sequence, and the step form, frame by frame. */
#ifndef EDGESEQ_MODEL_H
#define EDGESEQ_MODEL_H

#include <stdbool.h>

#include "artifact/artifact.h"
#include "base/failure.h"
#include "litert/litert.h"

struct model;

/* The model for `threads` threads. The artifact and the library must outlive it. Names tensors by the sheet.
 * Neither form is planned before it is first used. NULL: BAD_DATA where the library refuses the file, or the
 * file has not the tensors of the sheet: names, types, shapes. */
struct model *model_load(struct litert *litert, const struct artifact *artifact, int threads,
                         struct failure *failure);
/* NULL too. */
void model_free(struct model *model);

/* Sets the step form up now, which the first step would do otherwise. BAD_DATA, with the reason, where the
 * artifact has none. */
bool model_prepare_step(struct model *model, struct failure *failure);

/* features: [frames, F] of the sheet's element -> logits [C]. Memory is planned anew only when `frames`
 * changes. BAD_DATA for no frame, another number than a forecaster takes, NaN, infinity (the frame is named)
 * or a negative id. */
bool model_run(struct model *model, const void *features, int frames, float *logits, struct failure *failure);

/* Whether the artifact has a step form. */
bool model_has_step(const struct model *model);

/* Forget every frame: the next one is the first of a stream. */
void model_reset(struct model *model);

/* frame: [F] of the sheet's element -> logits [C] over all frames since the last reset. BAD_DATA for a
 * negative id, which leaves the state as it was. NaN and infinity are not looked for: see model_run. */
bool model_step(struct model *model, const void *frame, float *logits, struct failure *failure);

#endif
