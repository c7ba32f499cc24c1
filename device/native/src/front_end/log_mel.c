#include "front_end/log_mel.h"

#include <math.h>
#include <stdlib.h>

#include "front_end/fft.h"
#include "front_end/mel.h"

struct log_mel {
    int frame_samples;
    double floor;
    double *window, *windowed; /* [frame_samples] */
    double *power;             /* [fft_size / 2 + 1] */
    struct fft *fft;
    struct mel_filters filters; /* divided by the window's power */
};

/* Fills the periodic Hann window (Oppenheim & Schafer, 3rd ed., equation 7.60c, with M = length); gives its
 * power. */
static double make_window(double *window, int length) {
    double power = 0;
    for (int i = 0; i < length; i++) {
        window[i] = 0.5 - 0.5 * cos(2 * M_PI * i / length);
        power += window[i] * window[i];
    }
    return power;
}

static bool make(struct log_mel *log_mel, const struct front_end *front_end, struct failure *failure) {
    size_t samples = (size_t)front_end->frame_samples;
    log_mel->frame_samples = front_end->frame_samples;
    log_mel->floor = front_end->floor;
    log_mel->window = calloc(samples, sizeof(double));
    log_mel->windowed = calloc(samples, sizeof(double));
    log_mel->power = calloc((size_t)front_end->fft_size / 2 + 1, sizeof(double));
    if (log_mel->window == NULL || log_mel->windowed == NULL || log_mel->power == NULL)
        return fail_memory(failure);
    log_mel->fft = fft_new(front_end->fft_size, failure);
    if (log_mel->fft == NULL || !mel_filters_make(front_end, &log_mel->filters, failure))
        return false;
    double power = make_window(log_mel->window, log_mel->frame_samples);
    double *weight = log_mel->filters.weights;
    for (int m = 0; m < front_end->mels; m++)
        for (int i = 0; i < log_mel->filters.counts[m]; i++)
            *weight++ /= power;
    return true;
}

struct log_mel *log_mel_new(const struct front_end *front_end, struct failure *failure) {
    struct log_mel *log_mel = calloc(1, sizeof *log_mel);
    if (log_mel == NULL) {
        fail_memory(failure);
        return NULL;
    }
    if (!make(log_mel, front_end, failure)) {
        log_mel_free(log_mel);
        return NULL;
    }
    return log_mel;
}

void log_mel_free(struct log_mel *log_mel) {
    if (log_mel == NULL)
        return;
    mel_filters_free(&log_mel->filters);
    fft_free(log_mel->fft);
    free(log_mel->power);
    free(log_mel->windowed);
    free(log_mel->window);
    free(log_mel);
}

void log_mel_frame(struct log_mel *log_mel, const double *signal, float *features) {
    for (int i = 0; i < log_mel->frame_samples; i++)
        log_mel->windowed[i] = signal[i] * log_mel->window[i];
    fft_power(log_mel->fft, log_mel->windowed, log_mel->frame_samples, log_mel->power);
    const struct mel_filters *filters = &log_mel->filters;
    const double *weight = filters->weights;
    for (int m = 0; m < filters->mels; m++) {
        const double *power = log_mel->power + filters->first[m];
        double sum = 0;
        for (int i = 0; i < filters->counts[m]; i++)
            sum += power[i] * *weight++;
        features[m] = (float)log(fmax(sum, log_mel->floor));
    }
}
