/* A filter bank of triangles equally spaced in mel, as edgeseq_device.mel makes it, without its zeros. */
#ifndef EDGESEQ_MEL_H
#define EDGESEQ_MEL_H

#include <stdbool.h>

#include "artifact/sheet.h"
#include "base/failure.h"

/* Filter m weighs the bins first[m] .. first[m] + counts[m] - 1; the weights lie one filter after the other.
 */
struct mel_filters {
    int mels;
    int *first, *counts;
    double *weights;
};

/* The filters of a front end with peak 1, for the fft_size / 2 + 1 bins of its spectrum. BAD_DATA where a
 * filter holds no bin. mel_filters_free() frees; on failure nothing is left to free. */
bool mel_filters_make(const struct front_end *front_end, struct mel_filters *filters,
                      struct failure *failure);

/* Filters of all zeros are fine. */
void mel_filters_free(struct mel_filters *filters);

#endif
