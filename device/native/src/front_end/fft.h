/* The power spectrum of real signals, in double precision. */
#ifndef EDGESEQ_FFT_H
#define EDGESEQ_FFT_H

#include "base/failure.h"

struct fft;

/* A transform of `size` samples, a power of two of at least 2. Holds memory of its own: not for several
 * threads at once. NULL: FAULT without memory. fft_free() frees. */
struct fft *fft_new(int size, struct failure *failure);

/* NULL too. */
void fft_free(struct fft *fft);

/* signal: [count] samples, count at most the size; zeros count as following.
 * power: [size / 2 + 1], re^2 + im^2 of each frequency. */
void fft_power(struct fft *fft, const double *signal, int count, double *power);

#endif
