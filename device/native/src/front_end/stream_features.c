#include "front_end/stream_features.h"

#include <stdlib.h>
#include <string.h>

#include "front_end/log_mel.h"

struct stream_features {
    const struct front_end *front_end;
    struct log_mel *log_mel; /* NULL: rows, not a sound */
    double *signal;          /* [frame_samples], pre-emphasised: what came of the next frame */
    double previous;         /* the last sample before pre-emphasis; 0 before the first */
    int filled;              /* values of the next frame that are there; below 0: so many come before it */
    bool framed;             /* a frame has been given */
    float *frame;            /* [F] */
};

static bool make(struct stream_features *stream, struct failure *failure) {
    const struct front_end *front_end = stream->front_end;
    bool sound = front_end->kind == FRONT_LOG_MEL;
    int count = sound ? front_end->mels : front_end->count;
    if (!sound && front_end->kind != FRONT_STANDARDISE)
        return fail(failure, USAGE, "this artifact has no front end for readings; give features");
    if (sound && (stream->log_mel = log_mel_new(front_end, failure)) == NULL)
        return false;
    stream->frame = calloc((size_t)count, sizeof(float));
    stream->signal = calloc(sound ? (size_t)front_end->frame_samples : 1, sizeof(double));
    return (stream->frame != NULL && stream->signal != NULL) || fail_memory(failure);
}

struct stream_features *stream_features_new(const struct front_end *front_end, struct failure *failure) {
    struct stream_features *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        fail_memory(failure);
        return NULL;
    }
    stream->front_end = front_end;
    if (!make(stream, failure)) {
        stream_features_free(stream);
        return NULL;
    }
    return stream;
}

void stream_features_free(struct stream_features *stream) {
    if (stream == NULL)
        return;
    log_mel_free(stream->log_mel);
    free(stream->signal);
    free(stream->frame);
    free(stream);
}

/* The frame that is whole, its features brought to mean 0 and deviation 1, in float32 as numpy does. */
static const float *standardised(struct stream_features *stream) {
    const struct front_end *front_end = stream->front_end;
    int count = front_end->kind == FRONT_LOG_MEL ? front_end->mels : front_end->count;
    if (front_end->mean != NULL)
        for (int i = 0; i < count; i++)
            stream->frame[i] = (stream->frame[i] - front_end->mean[i]) / front_end->scale[i];
    stream->framed = true;
    return stream->frame;
}

/* Keeps what the next frame shares with the one that is whole. */
static void advance(struct stream_features *stream) {
    int frame = stream->front_end->frame_samples, hop = stream->front_end->hop_samples;
    stream->filled = frame - hop;
    if (stream->filled > 0)
        memmove(stream->signal, stream->signal + hop, (size_t)stream->filled * sizeof(double));
}

static size_t push_samples(struct stream_features *stream, const float *samples, size_t count,
                           const float **frame) {
    double emphasis = stream->front_end->pre_emphasis, previous = stream->previous;
    int filled = stream->filled, whole = stream->front_end->frame_samples;
    size_t taken = 0;
    for (; taken < count && filled < whole; taken++, filled++) {
        if (filled >= 0)
            stream->signal[filled] = samples[taken] - emphasis * previous;
        previous = samples[taken];
    }
    stream->previous = previous;
    stream->filled = filled;
    if (filled < whole)
        return taken;
    log_mel_frame(stream->log_mel, stream->signal, stream->frame);
    advance(stream);
    *frame = standardised(stream);
    return taken;
}

static size_t push_values(struct stream_features *stream, const float *values, size_t count,
                          const float **frame) {
    size_t missing = (size_t)(stream->front_end->count - stream->filled);
    size_t taken = count < missing ? count : missing;
    memcpy(stream->frame + stream->filled, values, taken * sizeof(float));
    stream->filled += (int)taken;
    if (taken == missing) {
        stream->filled = 0;
        *frame = standardised(stream);
    }
    return taken;
}

size_t stream_features_push(struct stream_features *stream, const float *values, size_t count,
                            const float **frame) {
    *frame = NULL;
    if (count == 0)
        return 0;
    return stream->log_mel != NULL ? push_samples(stream, values, count, frame)
                                   : push_values(stream, values, count, frame);
}

const float *stream_features_end(struct stream_features *stream) {
    if (stream->log_mel == NULL || stream->framed || stream->filled <= 0)
        return NULL;
    size_t missing = (size_t)(stream->front_end->frame_samples - stream->filled);
    memset(stream->signal + stream->filled, 0, missing * sizeof(double));
    log_mel_frame(stream->log_mel, stream->signal, stream->frame);
    return standardised(stream);
}
