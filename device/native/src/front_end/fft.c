#include "front_end/fft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Complex numbers lie as pairs: real part, imaginary part. */
struct fft {
    int size;
    double *turns;   /* [size]: exp(-2 pi i k / size) */
    double *work[2]; /* [size / 2] each: what goes into a pass and what comes out of it */
};

struct fft *fft_new(int size, struct failure *failure) {
    size_t values = (size_t)size;
    struct fft *fft = calloc(1, sizeof *fft);
    if (fft == NULL) {
        fail_memory(failure);
        return NULL;
    }
    fft->size = size;
    fft->turns = calloc(2 * values, sizeof(double));
    fft->work[0] = calloc(values, sizeof(double));
    fft->work[1] = calloc(values, sizeof(double));
    if (fft->turns == NULL || fft->work[0] == NULL || fft->work[1] == NULL) {
        fft_free(fft);
        fail_memory(failure);
        return NULL;
    }
    for (int k = 0; k < size; k++) {
        fft->turns[2 * k] = cos(2 * M_PI * k / size);
        fft->turns[2 * k + 1] = -sin(2 * M_PI * k / size);
    }
    return fft;
}

void fft_free(struct fft *fft) {
    if (fft == NULL)
        return;
    free(fft->turns);
    free(fft->work[0]);
    free(fft->work[1]);
    free(fft);
}

/* out = turn * (re + i im) */
static void turned(double *out, const double *turn, double re, double im) {
    out[0] = turn[0] * re - turn[1] * im;
    out[1] = turn[0] * im + turn[1] * re;
}

/* A radix-4 pass of Stockham's transform, whose output comes in order without a permutation (Van Loan,
 * Computational Frameworks for the FFT, section 1.7): `stride` interleaved transforms of `length` numbers
 * become 4 * stride of length / 4. */
static void pass_of_four(const struct fft *fft, int length, int stride, const double *in, double *out) {
    int quarter = length / 4, turn = fft->size / length;
    for (int p = 0; p < quarter; p++) {
        const double *w1 = fft->turns + 2 * p * turn;
        const double *w2 = fft->turns + 4 * p * turn;
        const double *w3 = fft->turns + 6 * p * turn;
        for (int q = 0; q < stride; q++) {
            const double *a = in + 2 * (q + stride * p), *b = a + 2 * stride * quarter;
            const double *c = b + 2 * stride * quarter, *d = c + 2 * stride * quarter;
            double *to = out + 2 * (q + stride * 4 * p);
            double sum_re = a[0] + c[0], sum_im = a[1] + c[1];
            double difference_re = a[0] - c[0], difference_im = a[1] - c[1];
            double other_re = b[0] + d[0], other_im = b[1] + d[1];
            double turned_re = d[1] - b[1], turned_im = b[0] - d[0]; /* i (b - d) */
            to[0] = sum_re + other_re;
            to[1] = sum_im + other_im;
            turned(to + 2 * stride, w1, difference_re - turned_re, difference_im - turned_im);
            turned(to + 4 * stride, w2, sum_re - other_re, sum_im - other_im);
            turned(to + 6 * stride, w3, difference_re + turned_re, difference_im + turned_im);
        }
    }
}

/* The last pass where the length is no power of four. */
static void pass_of_two(int stride, const double *in, double *out) {
    for (int i = 0; i < 2 * stride; i++) {
        out[i] = in[i] + in[i + 2 * stride];
        out[i + 2 * stride] = in[i] - in[i + 2 * stride];
    }
}

/* The transform of the size / 2 complex numbers in work[0]; gives where the result lies. */
static const double *complex_transform(struct fft *fft) {
    int stride = 1, length = fft->size / 2, from = 0;
    for (; length >= 4; length /= 4, stride *= 4, from = !from)
        pass_of_four(fft, length, stride, fft->work[from], fft->work[!from]);
    if (length == 2) {
        pass_of_two(stride, fft->work[from], fft->work[!from]);
        from = !from;
    }
    return fft->work[from];
}

void fft_power(struct fft *fft, const double *signal, int count, double *power) {
    int half = fft->size / 2;
    /* Two real samples as one complex number; the spectra of the even and of the odd ones are then told
     * apart by their symmetry (Oppenheim & Schafer, Discrete-Time Signal Processing, 3rd ed., problem 9.31).
     */
    memcpy(fft->work[0], signal, (size_t)count * sizeof(double));
    memset(fft->work[0] + count, 0, (size_t)(fft->size - count) * sizeof(double));
    const double *z = complex_transform(fft);
    power[0] = (z[0] + z[1]) * (z[0] + z[1]);
    power[half] = (z[0] - z[1]) * (z[0] - z[1]);
    for (int k = 1; k <= half / 2; k++) {
        const double *a = z + 2 * k, *b = z + 2 * (half - k);
        double even_re = 0.5 * (a[0] + b[0]), even_im = 0.5 * (a[1] - b[1]);
        double odd[2];
        turned(odd, fft->turns + 2 * k, 0.5 * (a[1] + b[1]), 0.5 * (b[0] - a[0]));
        double re = even_re + odd[0], im = even_im + odd[1];
        double mirrored_re = even_re - odd[0], mirrored_im = even_im - odd[1];
        power[k] = re * re + im * im;
        power[half - k] = mirrored_re * mirrored_re + mirrored_im * mirrored_im;
    }
}
