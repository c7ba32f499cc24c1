#include "front_end/mel.h"

#include <math.h>
#include <stdlib.h>

/* mel(f) = 2595 log10(1 + f / 700): Young et al., The HTK Book (3.4), section 5.4, equation 5.13. */
static double mel_of(double hz) {
    return 2595 * log10(1 + hz / 700);
}

/* Where the triangles begin, peak and end: [mels + 2] in Hz. */
static void find_corners(const struct front_end *front_end, double *corners_hz) {
    int last = front_end->mels + 1;
    double low = mel_of(front_end->low_hz), high = mel_of(front_end->high_hz);
    double step = (high - low) / last;
    for (int i = 0; i <= last; i++)
        corners_hz[i] = 700 * (pow(10, (i == last ? high : i * step + low) / 2595) - 1);
}

/* Of one triangle at one frequency; corners: [3] in Hz. */
static double weight_at(const double *corners, double hz) {
    double rising = (hz - corners[0]) / (corners[1] - corners[0]);
    double falling = (corners[2] - hz) / (corners[2] - corners[1]);
    return fmax(0, fmin(rising, falling));
}

/* Finds the bins of each filter, and their weights where weights is not NULL. Gives the number of weights. */
static size_t fill(const struct front_end *front_end, const double *corners, struct mel_filters *filters,
                   double *weights) {
    int last_bin = front_end->fft_size / 2;
    double step_hz = front_end->sample_rate_hz / 2.0 / last_bin;
    size_t found = 0;
    for (int m = 0; m < filters->mels; m++) {
        filters->counts[m] = 0;
        for (int bin = 0; bin <= last_bin; bin++) {
            double weight = weight_at(corners + m, bin * step_hz);
            if (weight == 0)
                continue;
            if (weights != NULL)
                weights[found] = weight;
            if (filters->counts[m]++ == 0)
                filters->first[m] = bin;
            found++;
        }
    }
    return found;
}

static bool make(const struct front_end *front_end, double *corners, struct mel_filters *filters,
                 struct failure *failure) {
    find_corners(front_end, corners);
    size_t count = fill(front_end, corners, filters, NULL);
    for (int m = 0; m < filters->mels; m++)
        if (filters->counts[m] == 0)
            return fail_export(
                failure,
                "log-mel: %d mels are too many for a transform of %d samples at %d Hz (filter %d"
                " holds no bin)",
                filters->mels, front_end->fft_size, front_end->sample_rate_hz, m);
    filters->weights = malloc(count * sizeof(double));
    if (filters->weights == NULL)
        return fail_memory(failure);
    fill(front_end, corners, filters, filters->weights);
    return true;
}

bool mel_filters_make(const struct front_end *front_end, struct mel_filters *filters,
                      struct failure *failure) {
    size_t mels = (size_t)front_end->mels;
    double *corners = calloc(mels + 2, sizeof(double));
    *filters = (struct mel_filters){
        .mels = front_end->mels,
        .first = calloc(mels, sizeof(int)),
        .counts = calloc(mels, sizeof(int)),
    };
    bool made = corners != NULL && filters->first != NULL && filters->counts != NULL
                    ? make(front_end, corners, filters, failure)
                    : fail_memory(failure);
    free(corners);
    if (!made)
        mel_filters_free(filters);
    return made;
}

void mel_filters_free(struct mel_filters *filters) {
    free(filters->first);
    free(filters->counts);
    free(filters->weights);
    *filters = (struct mel_filters){0};
}
