/* Features of cases on stdin, for test_features.py: a line of settings, then mean and scale (where it says
 * that they are fitted) and the samples as float32. Out comes T as int32, then the features as float32.
 *
 * kind rate frame hop fft mels low high pre_emphasis floor count fitted piece samples
 * piece: so many samples at once into a stream of features; 0: features_of the whole. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_end/features.h"
#include "front_end/stream_features.h"

static void stop(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static float *read_floats(size_t count) {
    float *found = malloc((count + 1) * sizeof(float));
    if (found == NULL || fread(found, sizeof(float), count, stdin) != count)
        stop("the input ends early");
    return found;
}

/* As features_of, in pieces. */
static int features_in_pieces(const struct front_end *front_end, const float *samples, size_t count,
                              size_t piece, float **features, struct failure *failure) {
    struct stream_features *stream = stream_features_new(front_end, failure);
    size_t size = (size_t)front_end->count, frames = 0;
    *features = malloc((count + 1) * size * sizeof(float));
    if (stream == NULL || *features == NULL)
        stop(failure->message);
    for (size_t at = 0; at < count;) {
        const float *frame;
        at += stream_features_push(stream, samples + at, count - at < piece ? count - at : piece, &frame);
        if (at == count && frame == NULL)
            frame = stream_features_end(stream);
        if (frame != NULL)
            memcpy(*features + frames++ * size, frame, size * sizeof(float));
    }
    stream_features_free(stream);
    return (int)frames;
}

static void print_case(struct front_end *front_end, int fitted, size_t piece, size_t count) {
    struct failure failure;
    float *features = NULL;
    int frames = 0;
    if (fitted) {
        front_end->mean = read_floats((size_t)front_end->count);
        front_end->scale = read_floats((size_t)front_end->count);
    }
    float *samples = read_floats(count);
    if (piece > 0)
        frames = features_in_pieces(front_end, samples, count, piece, &features, &failure);
    else if (!features_of(front_end, samples, count, &features, &frames, &failure))
        stop(failure.message);
    int32_t T = frames;
    fwrite(&T, sizeof T, 1, stdout);
    fwrite(features, sizeof(float), (size_t)frames * (size_t)front_end->count, stdout);
    free(features);
    free(samples);
    free(front_end->mean);
    free(front_end->scale);
}

int main(void) {
    char line[512];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct front_end of = {0};
        int kind, fitted;
        size_t piece, count;
        int read = sscanf(line, "%d %d %d %d %d %d %lf %lf %lf %lf %d %d %zu %zu", &kind, &of.sample_rate_hz,
                          &of.frame_samples, &of.hop_samples, &of.fft_size, &of.mels, &of.low_hz, &of.high_hz,
                          &of.pre_emphasis, &of.floor, &of.count, &fitted, &piece, &count);
        if (read != 14)
            stop("settings are missing");
        of.kind = (enum front_end_kind)kind;
        print_case(&of, fitted, piece, count);
    }
    return 0;
}
