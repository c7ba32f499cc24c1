/* Samples or rows as they come -> frames of features: the same ones whatever pieces the input came in, in
 * memory that does not grow. */
#ifndef EDGESEQ_STREAM_FEATURES_H
#define EDGESEQ_STREAM_FEATURES_H

#include <stddef.h>

#include "artifact/sheet.h"
#include "base/failure.h"

struct stream_features;

/* One stream through a front end, which must outlive it and whose `count` is F, also where it has no mean.
 * FRONT_LOG_MEL takes mono samples in [-1, 1], FRONT_STANDARDISE the values of rows [F]; FRONT_NONE and
 * FRONT_TOKENS have nothing to compute: a USAGE failure. NULL as log_mel_new(). stream_features_free() frees.
 */
struct stream_features *stream_features_new(const struct front_end *front_end, struct failure *failure);

/* NULL too. */
void stream_features_free(struct stream_features *stream);

/* Takes of `count` finite values as many as the next frame needs and gives how many it took. frame: [F], to
 * be used before the next call, or NULL where the frame is not whole yet (then all values were taken). */
size_t stream_features_push(struct stream_features *stream, const float *values, size_t count,
                            const float **frame);

/* At the end of a stream: the frame [F], filled up with zeros, of a sound shorter than one frame (as
 * features_of() pads a short recording); NULL where nothing or a whole frame came. */
const float *stream_features_end(struct stream_features *stream);

#endif
