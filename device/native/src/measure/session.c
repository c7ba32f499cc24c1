#include "measure/session.h"

#include <stdlib.h>
#include <string.h>

#include "measure/outcome.h"

enum { VALUE_BYTES = 4, INPUT_BYTES_MAX = 1 << 30 };

static bool read_file(struct session *session, const struct job *job, struct failure *failure) {
    struct bytes bytes;
    if (!file_read(job->options->input, INPUT_BYTES_MAX, &bytes, failure))
        return false;
    size_t frames = (size_t)job->options->frames;
    if (bytes.size == 0 || bytes.size % (frames * VALUE_BYTES) != 0) {
        bytes_free(&bytes);
        return fail(failure, BAD_DATA,
                    "%s: %zu bytes are no %zu rows of 4-byte values; give --frames as it is",
                    job->options->input, bytes.size, frames);
    }
    session->features = bytes.data; /* from malloc, as it was read and not mapped */
    session->frames = (int)job->options->frames;
    session->row_bytes = bytes.size / frames;
    return true;
}

static bool copy_median(struct session *session, const struct golden *golden, struct failure *failure) {
    const struct npy *input = &golden->features[golden_median(golden)];
    size_t size = npy_count(input) * VALUE_BYTES;
    session->features = malloc(size);
    if (session->features == NULL)
        return fail_memory(failure);
    memcpy(session->features, input->data, size);
    session->frames = (int)input->dims[0];
    session->row_bytes = (size_t)input->dims[1] * VALUE_BYTES;
    return true;
}

static bool read_golden(struct session *session, const struct job *job, struct failure *failure) {
    struct artifact artifact = {0};
    struct golden golden = {0};
    bool is_read = artifact_open(job->options->artifact, &artifact, failure) &&
                   artifact_golden(&artifact, &golden, failure) && copy_median(session, &golden, failure);
    golden_free(&golden);
    artifact_close(&artifact);
    return is_read;
}

bool session_read_input(struct session *session, const struct job *job, struct failure *failure) {
    return job->options->input != NULL ? read_file(session, job, failure)
                                       : read_golden(session, job, failure);
}

bool session_open_library(struct session *session, const struct job *job, struct failure *failure) {
    session->litert = litert_open(job->options->library, job->options->library_version, failure);
    return session->litert != NULL;
}

static bool check_input(const struct session *session, const struct job *job, struct failure *failure) {
    const struct sheet *sheet = &session->artifact.sheet;
    if (session->features == NULL || session->row_bytes == (size_t)sheet->features_count * VALUE_BYTES)
        return true;
    return fail(failure, BAD_DATA, "%s: rows of %zu values, the model of %s takes %d", job->options->input,
                session->row_bytes / VALUE_BYTES, session->artifact.folder, sheet->features_count);
}

bool session_load(struct session *session, const struct job *job, struct failure *failure) {
    if (!artifact_open(job->options->artifact, &session->artifact, failure) ||
        !check_input(session, job, failure))
        return false;
    session->model = model_load(session->litert, &session->artifact, (int)job->options->threads, failure);
    if (session->model == NULL)
        return false;
    session->logits = calloc((size_t)session->artifact.sheet.outputs_count, sizeof *session->logits);
    if (session->logits == NULL)
        return fail_memory(failure);
    return !job->of_step || model_prepare_step(session->model, failure);
}

bool session_open(struct session *session, const struct job *job, struct failure *failure) {
    return session_read_input(session, job, failure) && session_open_library(session, job, failure) &&
           session_load(session, job, failure);
}

void session_close(struct session *session) {
    model_free(session->model);
    artifact_close(&session->artifact);
    litert_close(session->litert);
    free(session->features);
    free(session->logits);
}

bool session_run(void *of, struct failure *failure) {
    struct session *session = of;
    return model_run(session->model, session->features, session->frames, session->logits, failure);
}

void replay_before(void *of) {
    struct replay *replay = of;
    replay->at = (replay->at + 1) % replay->session->frames;
    if (replay->at == 0)
        model_reset(replay->session->model);
}

bool replay_run(void *of, struct failure *failure) {
    const struct replay *replay = of;
    const struct session *session = replay->session;
    const char *frame = (const char *)session->features + (size_t)replay->at * session->row_bytes;
    return model_step(session->model, frame, session->logits, failure);
}

void session_write_runtime(const struct session *session, const struct job *job, FILE *outcome) {
    outcome_runtime(outcome, litert_version(session->litert));
    outcome_setting_long(outcome, "threads", job->options->threads);
    outcome_setting_text(outcome, "delegate", "the runtime's default (XNNPACK)");
}
