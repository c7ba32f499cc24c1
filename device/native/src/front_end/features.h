/* A whole recording or series -> features, as edgeseq_device's LogMel.features and Standardise.features. */
#ifndef EDGESEQ_FEATURES_H
#define EDGESEQ_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/sheet.h"
#include "base/failure.h"

/* samples: [count] floats: mono in [-1, 1] for FRONT_LOG_MEL, rows [F] one after the other for
 * FRONT_STANDARDISE -> features: [frames, F], standardised where the front end has a mean, the caller's to
 * free(). The front end's `count` must be F, also where it has no mean. BAD_DATA for no samples, NaN or
 * infinity (the first is named) and an end within a row. */
bool features_of(const struct front_end *front_end, const float *samples, size_t count, float **features,
                 int *frames, struct failure *failure);

#endif
