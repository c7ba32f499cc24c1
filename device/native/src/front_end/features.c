#include "front_end/features.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "front_end/stream_features.h"

/* T, the frames that `count` values make; 0 where they do not fit, and then `failure` says why. */
static size_t frames_in(const struct front_end *front_end, size_t count, struct failure *failure) {
    bool sound = front_end->kind == FRONT_LOG_MEL;
    size_t unit = (size_t)(sound ? front_end->frame_samples : front_end->count);
    size_t frames = 0;
    if (count == 0)
        fail(failure, BAD_DATA, "the input holds no samples");
    else if (sound)
        frames = count < unit ? 1 : 1 + (count - unit) / (size_t)front_end->hop_samples;
    else if (count % unit != 0)
        fail(failure, BAD_DATA, "the input's %zu values are no whole rows of %zu, the model's channels",
             count, unit);
    else
        frames = count / unit;
    size_t features = (size_t)(sound ? front_end->mels : front_end->count);
    if (frames > INT_MAX || frames > SIZE_MAX / sizeof(float) / features) {
        fail(failure, BAD_DATA, "the input's %zu frames are too many; give it in parts", frames);
        return 0;
    }
    return frames;
}

static bool check_finite(const struct front_end *front_end, const float *samples, size_t count,
                         struct failure *failure) {
    size_t channels = front_end->kind == FRONT_LOG_MEL ? 1 : (size_t)front_end->count;
    size_t at = finite_count(samples, count);
    return at == count ||
           fail(failure, BAD_DATA, "the input holds NaN or infinity (first at sample %zu, channel %zu)",
                at / channels, at % channels);
}

/* All frames of the input, one behind the other; memory of the caller's. NULL: no memory. */
static float *collect(struct stream_features *stream, const float *samples, size_t count, size_t frames,
                      size_t features) {
    float *found = malloc(frames * features * sizeof(float));
    float *to = found;
    const float *frame;
    while (found != NULL && count > 0) {
        size_t taken = stream_features_push(stream, samples, count, &frame);
        samples += taken;
        count -= taken;
        if (count == 0 && frame == NULL)
            frame = stream_features_end(stream);
        if (frame != NULL) {
            memcpy(to, frame, features * sizeof(float));
            to += features;
        }
    }
    return found;
}

bool features_of(const struct front_end *front_end, const float *samples, size_t count, float **features,
                 int *frames, struct failure *failure) {
    struct stream_features *stream = stream_features_new(front_end, failure);
    if (stream == NULL)
        return false;
    size_t values = (size_t)(front_end->kind == FRONT_LOG_MEL ? front_end->mels : front_end->count);
    size_t rows = frames_in(front_end, count, failure);
    float *found = NULL;
    if (rows > 0 && check_finite(front_end, samples, count, failure)) {
        found = collect(stream, samples, count, rows, values);
        if (found == NULL)
            fail_memory(failure);
    }
    stream_features_free(stream);
    *features = found;
    *frames = (int)rows;
    return found != NULL;
}
