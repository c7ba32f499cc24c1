#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "front_end/fft.h"

enum { LARGEST = 512 };

/* re^2 + im^2 by the definition. */
static double power_by_definition(const double *signal, int count, int size, int k) {
    double re = 0, im = 0;
    for (int i = 0; i < count; i++) {
        double angle = 2 * M_PI * (k * i % size) / size;
        re += signal[i] * cos(angle);
        im -= signal[i] * sin(angle);
    }
    return re * re + im * im;
}

static void every_power_of_two_agrees_with_the_definition(void) {
    struct failure failure;
    double signal[LARGEST], power[LARGEST / 2 + 1];
    unsigned random = 1;
    for (int i = 0; i < LARGEST; i++) {
        random = random * 1103515245u + 12345u;
        signal[i] = (random >> 8) / 8388608.0 - 1;
    }
    for (int size = 2; size <= LARGEST; size *= 2) {
        struct fft *fft = fft_new(size, &failure);
        for (int count = size; count > size / 2; count -= 1 + size / 5) {
            fft_power(fft, signal, count, power);
            for (int k = 0; k <= size / 2; k++)
                CHECK_NEAR(power[k], power_by_definition(signal, count, size, k), 1e-11 * size);
        }
        fft_free(fft);
    }
}

static void a_transform_of_nothing_is_freed(void) {
    fft_free(NULL);
}

int main(void) {
    every_power_of_two_agrees_with_the_definition();
    a_transform_of_nothing_is_freed();
    return CHECKED;
}
