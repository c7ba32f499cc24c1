/* One frame of sound -> the log power of a mel filter bank, as edgeseq_device.log_mel computes it. */
#ifndef EDGESEQ_LOG_MEL_H
#define EDGESEQ_LOG_MEL_H

#include "artifact/sheet.h"
#include "base/failure.h"

struct log_mel;

/* What a front end of kind FRONT_LOG_MEL computes with: window, transform, filters. Not for several threads
 * at once. NULL: BAD_DATA for more mels than the transform has room for, FAULT without memory. log_mel_free()
 * frees. */
struct log_mel *log_mel_new(const struct front_end *front_end, struct failure *failure);

/* NULL too. */
void log_mel_free(struct log_mel *log_mel);

/* signal: [frame_samples] in [-1, 1], pre-emphasised -> features: [mels], the natural log of each filter's
 * power, not standardised. */
void log_mel_frame(struct log_mel *log_mel, const double *signal, float *features);

#endif
