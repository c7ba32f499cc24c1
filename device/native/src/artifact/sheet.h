/* native.txt: what edgeseq-run must know of an artifact, one item a line (manifest.json in short). */
#ifndef EDGESEQ_SHEET_H
#define EDGESEQ_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

enum element { FLOAT32, INT32 }; /* both of 4 bytes, little-endian */

enum { RANK_MAX = 4, TENSORS_MAX = 64, LABELS_MAX = 100000, FEATURES_MAX = 1000000, GOLDEN_MAX = 4096 };

struct tensor {
    char *name;
    enum element element;
    int rank;
    int dims[RANK_MAX]; /* -1: T, the frames of a sequence */
};

/* What a step carries from one frame to the next, float32. */
struct state {
    char *name;
    int rank;
    int dims[RANK_MAX];
    float initial;
};

/* One signature of the model. The step form's inputs are the features and its states by their names, its
 * outputs the logits and each state under its name with ".next" behind it. A sequence form has no states; of
 * a language model it may give those of the step form. */
struct form {
    bool there;
    char *reason; /* why it is not there; NULL where it is */
    char *signature;
    double tolerance; /* of parity: the largest absolute difference of a logit */
    int inputs_count, outputs_count, states_count;
    struct tensor *inputs, *outputs;
    struct state *states;
};

enum front_end_kind { FRONT_NONE, FRONT_LOG_MEL, FRONT_STANDARDISE, FRONT_TOKENS };

/* How samples become features. What a kind does not have is 0 or NULL. */
struct front_end {
    enum front_end_kind kind;
    int sample_rate_hz; /* 0: unknown */
    int frame_samples, hop_samples, fft_size, mels;
    double low_hz, high_hz, pre_emphasis, floor;
    int count;           /* values of mean and of scale: the features of a frame */
    float *mean, *scale; /* both NULL: none */
};

enum model_task { CLASSIFY, LANGUAGE_MODEL, FORECAST };

struct sheet {
    char *name, manifest_sha256[65];
    enum model_task task;
    int labels_count; /* classes, tokens or channels */
    char **labels;
    int features_count;   /* F: the values of a frame */
    int context, horizon; /* of a forecaster the frames that it takes and gives; of another 0: any, and 1 */
    int outputs_count;    /* C: the numbers of an answer, of a forecaster frame by frame */
    enum element element;
    struct front_end front_end;
    char *model_file, *golden_file; /* plain names in the artifact's folder */
    long weight_bytes;
    int golden_count;
    bool rejects;
    double rejection_threshold; /* 0 to 1; an answer less likely is none */
    struct form sequence, step;
};

/* Reads the text of a sheet; `path` is for messages. BAD_DATA names the first line that is not what it must
 * be. What is read holds together: numbers are finite and in their limits, each form takes the features and
 * gives the logits in the sheet's shapes, a tensor has at most 2^28 values (T counted as 1), sizes add up
 * without overflow. sheet_free() frees; on failure nothing is left to free. */
bool sheet_parse(const char *text, size_t size, const char *path, struct sheet *sheet,
                 struct failure *failure);

const char *sheet_task_name(const struct sheet *sheet); /* "lm" */

/* Frees what a sheet holds; one of all zeros is fine. */
void sheet_free(struct sheet *sheet);

#endif
