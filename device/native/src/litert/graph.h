/* One signature of a compiled model: its tensors by name, the memory behind each, and running it. */
#ifndef EDGESEQ_GRAPH_H
#define EDGESEQ_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "artifact/sheet.h"
#include "base/failure.h"
#include "litert/litert_api.h"

/* A tensor of the signature. memory holds `bytes` of it, and the padding that kernels read beyond. */
struct port {
    const char *name; /* the model's own */
    struct litert_tensor_type type;
    void *memory;
    size_t bytes, capacity;
};

struct side {
    size_t count;
    struct port *ports;
    struct litert_buffer **buffers; /* [count], of the memory of each port; NULL of one that is pinned */
};

struct graph {
    const struct litert *litert;
    struct litert_compiled_model *compiled; /* the caller's, before anything is run */
    const char *path;                       /* of the model, for messages */
    const char *name;
    size_t signature;
    struct side inputs, outputs;
    bool is_pinned; /* its inputs are */
};

/* BAD_DATA: the library refuses what a model's file is, or is asked for. Always false. */
bool graph_refused(const struct litert *litert, const char *path, const char *what, int status,
                   struct failure *failure);

/* Finds the signature of a form in the model. BAD_DATA where the model has no such signature, or one of other
 * tensors than the form's: names, elements, shapes. UNFIT where the library lays out a tensor's type
 * otherwise than this program reads it. graph_close() frees, on failure too. The form must outlive it. */
bool graph_open(struct graph *graph, const struct litert *litert, struct litert_model *model,
                const char *path, const struct form *form, struct failure *failure);

/* The tensor of a side by its name with `suffix` behind it; NULL where there is none. */
struct port *graph_port(struct graph *graph, bool is_input, const char *name, const char *suffix);

/* Before the model is compiled, with the options it will be compiled with: memory for every input, which have
 * no unknown dimension, and which so need not be told to the library at each run: a fifth of a small model's
 * step. */
bool graph_pin_inputs(struct graph *graph, struct litert_options *options, struct failure *failure);

/* Sets the second dimension of an input, the frames. The other tensors are planned anew by the next run. */
bool graph_set_frames(struct graph *graph, struct port *input, int frames, struct failure *failure);

/* Memory for every tensor that has none of its size yet; all dimensions are known by now. The library never
 * sees memory that was freed: buffers of old memory go first. */
bool graph_bind(struct graph *graph, struct failure *failure);

/* Computes the outputs' memory from the inputs'. BAD_DATA where the library refuses, such as an id that the
 * model has no row of. */
bool graph_run(struct graph *graph, struct failure *failure);

/* When the compiled model has gone. One of all zeros is fine. */
void graph_close(struct graph *graph);

#endif
