/* One measurement in this process, and what its kinds share: the input, the library, the model. */
#ifndef EDGESEQ_SESSION_H
#define EDGESEQ_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "artifact/artifact.h"
#include "base/failure.h"
#include "litert/litert.h"
#include "litert/model.h"
#include "measure/options.h"

struct job {
    const struct options *options;
    uint64_t entered_ns; /* monotonic: as main began */
    bool of_step;        /* it looks at the step form */
};

/* What a job has at hand. */
struct session {
    void *features; /* [frames, row_bytes] */
    int frames;
    size_t row_bytes;
    struct litert *litert;
    struct artifact artifact;
    struct model *model;
    float *logits; /* [C], room for an answer */
};

/* The parts of getting ready, in this order; session_close() after any of them, failed or not. One of all
 * zeros is a session at its beginning.
 * The input first, so that no figure has it in it. It leaves nothing open. */
bool session_read_input(struct session *session, const struct job *job, struct failure *failure);
bool session_open_library(struct session *session, const struct job *job, struct failure *failure);
/* The artifact, verified, and its model, with the step form made ready where the job looks at that one. */
bool session_load(struct session *session, const struct job *job, struct failure *failure);
/* All three. */
bool session_open(struct session *session, const struct job *job, struct failure *failure);
void session_close(struct session *session);

/* One inference of the whole input: struct work's run, `of` a session. */
bool session_run(void *of, struct failure *failure);

/* Frame after frame of the input through the step form; behind the last one comes the first again and all is
 * forgotten, which is no part of a step. */
struct replay {
    struct session *session;
    int at; /* the frame that comes now; -1: none was */
};

void replay_before(void *of); /* struct work's before and run, `of` a replay */
bool replay_run(void *of, struct failure *failure);

/* What an outcome says of the runtime. */
void session_write_runtime(const struct session *session, const struct job *job, FILE *outcome);

#endif
