#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "front_end/features.h"
#include "front_end/stream_features.h"

enum { SAMPLES = 1000, MELS = 6 };

static float mean[MELS] = {-3, -2, -1, 0, 1, 2}, scale[MELS] = {1, 2, 3, 4, 5, 6};
static const struct front_end SOUND = {.kind = FRONT_LOG_MEL,
                                       .sample_rate_hz = 8000,
                                       .frame_samples = 99,
                                       .hop_samples = 40,
                                       .fft_size = 128,
                                       .mels = MELS,
                                       .low_hz = 20,
                                       .high_hz = 4000,
                                       .pre_emphasis = 0.97,
                                       .floor = 1e-8,
                                       .count = MELS,
                                       .mean = mean,
                                       .scale = scale};
static const struct front_end SERIES = {.kind = FRONT_STANDARDISE, .count = 3, .mean = mean, .scale = scale};

static void fill(float *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        samples[i] = 0.5f * sinf((float)(i * i % 977));
}

static void pieces_of_any_size_give_the_same_frames(const struct front_end *front_end, size_t features) {
    float samples[SAMPLES], *whole;
    int frames;
    struct failure failure;
    const size_t count = SAMPLES - SAMPLES % 3;
    fill(samples, count);
    CHECK(features_of(front_end, samples, count, &whole, &frames, &failure));
    for (size_t piece = 1; piece < 250; piece = piece * 2 + 1) {
        struct stream_features *stream = stream_features_new(front_end, &failure);
        int found = 0;
        for (size_t at = 0; at < count;) {
            const float *frame;
            size_t left = count - at;
            at += stream_features_push(stream, samples + at, left < piece ? left : piece, &frame);
            if (frame != NULL && found < frames)
                CHECK(memcmp(frame, whole + (size_t)found++ * features, features * sizeof(float)) == 0);
        }
        CHECK_LONG(found, frames);
        CHECK(stream_features_end(stream) == NULL);
        stream_features_free(stream);
    }
    free(whole);
}

static void a_hop_longer_than_a_frame_leaves_samples_out(void) {
    struct front_end sparse = SOUND;
    sparse.hop_samples = 150;
    sparse.pre_emphasis = 0;
    float samples[SAMPLES], *all, *second;
    int frames;
    struct failure failure;
    fill(samples, SAMPLES);
    pieces_of_any_size_give_the_same_frames(&sparse, MELS);
    CHECK(features_of(&sparse, samples, SAMPLES, &all, &frames, &failure));
    CHECK_LONG(frames, 1 + (SAMPLES - 99) / 150);
    CHECK(features_of(&sparse, samples + 150, 99, &second, &frames, &failure));
    CHECK_LONG(frames, 1);
    CHECK(memcmp(all + MELS, second, sizeof(float) * MELS) == 0);
    free(all);
    free(second);
}

static void a_short_recording_is_filled_up_with_zeros(void) {
    struct front_end plain = SOUND;
    plain.pre_emphasis = 0;
    float samples[99] = {0}, *shorter, *padded;
    int frames;
    struct failure failure;
    fill(samples, 30);
    CHECK(features_of(&plain, samples, 30, &shorter, &frames, &failure));
    CHECK_LONG(frames, 1);
    CHECK(features_of(&plain, samples, 99, &padded, &frames, &failure));
    CHECK_LONG(frames, 1);
    CHECK(memcmp(shorter, padded, sizeof(float) * MELS) == 0);
    free(shorter);
    free(padded);
}

static void silence_is_at_the_floor(void) {
    float samples[99] = {0}, *features;
    int frames;
    struct failure failure;
    CHECK(features_of(&SOUND, samples, 99, &features, &frames, &failure));
    for (int m = 0; m < MELS; m++)
        CHECK(features[m] == ((float)log(1e-8) - mean[m]) / scale[m]);
    free(features);
}

static void rows_are_standardised_or_left_as_they_are(void) {
    float rows[] = {1, 2, 3, 4, 5, 6}, *features;
    struct front_end unfitted = {.kind = FRONT_STANDARDISE, .count = 3};
    int frames;
    struct failure failure;
    CHECK(features_of(&SERIES, rows, 6, &features, &frames, &failure));
    CHECK_LONG(frames, 2);
    CHECK(features[1] == 2 && features[5] == 7 / 3.0f);
    free(features);
    CHECK(features_of(&unfitted, rows, 6, &features, &frames, &failure));
    CHECK(memcmp(features, rows, sizeof rows) == 0);
    free(features);
}

static void bad_samples_are_refused(void) {
    float samples[] = {1, 2, 3, 4, NAN, 6, 7}, *features;
    int frames;
    struct failure failure;
    CHECK(!features_of(&SOUND, samples, 0, &features, &frames, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "holds no samples");
    CHECK(!features_of(&SOUND, samples, 6, &features, &frames, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "NaN or infinity (first at sample 4, channel 0)");
    CHECK(!features_of(&SERIES, samples, 6, &features, &frames, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "NaN or infinity (first at sample 1, channel 1)");
    CHECK(!features_of(&SERIES, samples, 7, &features, &frames, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "no whole rows of 3");
}

static void front_ends_that_cannot_be_computed_are_refused(void) {
    struct front_end none = {.kind = FRONT_NONE, .count = 3}, many = SOUND;
    struct failure failure;
    many.mels = 90;
    many.mean = many.scale = NULL;
    CHECK(stream_features_new(&none, &failure) == NULL);
    CHECK_FAILURE(failure, USAGE, "no front end for readings");
    CHECK(stream_features_new(&many, &failure) == NULL);
    CHECK_FAILURE(failure, BAD_DATA, "90 mels are too many");
}

int main(void) {
    pieces_of_any_size_give_the_same_frames(&SOUND, MELS);
    pieces_of_any_size_give_the_same_frames(&SERIES, 3);
    a_hop_longer_than_a_frame_leaves_samples_out();
    a_short_recording_is_filled_up_with_zeros();
    silence_is_at_the_floor();
    rows_are_standardised_or_left_as_they_are();
    bad_samples_are_refused();
    front_ends_that_cannot_be_computed_are_refused();
    return CHECKED;
}
