#include "litert/graph.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PADDING = 128, ELEMENT_BYTES = 4, BYTES_MAX = 1 << 30 };
enum { CANARY = 0xA5, CANARIES = 512 };

bool graph_refused(const struct litert *litert, const char *path, const char *what, int status,
                   struct failure *failure) {
    return fail(failure, BAD_DATA, "%s: refused by %s: %s (status %d)", path, litert_version(litert), what,
                status);
}

static bool refused(const struct graph *graph, const char *what, int status, struct failure *failure) {
    return graph_refused(graph->litert, graph->path, what, status, failure);
}

static bool find_signature(struct graph *graph, struct litert_model *model,
                           struct litert_signature **signature, struct failure *failure) {
    const struct litert_calls *calls = &graph->litert->calls;
    size_t count = 0;
    int status = calls->count_signatures(model, &count);
    for (size_t i = 0; status == LITERT_OK && i < count; i++) {
        const char *key = NULL;
        status = calls->get_signature(model, i, signature);
        if (status == LITERT_OK)
            status = calls->get_signature_key(*signature, &key);
        if (status == LITERT_OK && strcmp(key, graph->name) == 0) {
            graph->signature = i;
            return true;
        }
    }
    if (status != LITERT_OK)
        return refused(graph, "its signatures cannot be read", status, failure);
    return fail_export(failure, "%s: has no signature %s", graph->path, graph->name);
}

/* The type of a tensor, between canaries: the struct of another version is longer, or shorter. */
static bool get_type(const struct litert *litert, struct litert_tensor *tensor,
                     struct litert_tensor_type *type, struct failure *failure) {
    struct room {
        unsigned char before[CANARIES];
        struct litert_tensor_type type;
        unsigned char after[CANARIES];
    } room;
    const unsigned char *bytes = (const unsigned char *)&room;
    size_t begin = offsetof(struct room, type), end = begin + sizeof room.type;
    memset(&room, CANARY, sizeof room);
    bool is_like = litert->calls.get_tensor_type(tensor, &room.type) == LITERT_OK &&
                   room.type.layout.rank <= LITERT_RANK_MAX && !room.type.layout.has_strides &&
                   memcmp(&room.type.layout.dims[LITERT_RANK_MAX - 1], room.before, sizeof(int32_t)) != 0;
    for (size_t i = 0; i < sizeof room; i++)
        is_like = is_like && ((i >= begin && i < end) || bytes[i] == CANARY);
    *type = room.type;
    return is_like ||
           litert_unfit(litert_path(litert), failure, "its LiteRtGetRankedTensorType does otherwise");
}

static bool describe(struct graph *graph, struct litert_signature *signature, bool is_input,
                     struct failure *failure) {
    const struct litert_calls *calls = &graph->litert->calls;
    struct side *side = is_input ? &graph->inputs : &graph->outputs;
    int status = is_input ? calls->count_inputs(signature, &side->count)
                          : calls->count_outputs(signature, &side->count);
    if (status != LITERT_OK || side->count == 0 || side->count > 2 * TENSORS_MAX)
        return refused(graph, "a signature without tensors, or of too many", status, failure);
    side->ports = calloc(side->count, sizeof *side->ports);
    side->buffers = calloc(side->count, sizeof *side->buffers);
    if (side->ports == NULL || side->buffers == NULL)
        return fail_memory(failure);
    for (size_t i = 0; status == LITERT_OK && i < side->count; i++) {
        struct litert_tensor *tensor = NULL;
        struct port *port = &side->ports[i];
        status = is_input ? calls->get_input_name(signature, i, &port->name)
                          : calls->get_output_name(signature, i, &port->name);
        if (status == LITERT_OK)
            status =
                is_input ? calls->get_input(signature, i, &tensor) : calls->get_output(signature, i, &tensor);
        if (status == LITERT_OK && !get_type(graph->litert, tensor, &port->type, failure))
            return false;
    }
    if (status != LITERT_OK)
        return refused(graph, "a tensor cannot be described", status, failure);
    return true;
}

/* Such as "float32 [1, T, 40]". */
static void describe_shape(int element, int rank, const int *dims, char *text, size_t size) {
    const char *name = element == LITERT_FLOAT32 ? "float32"
                       : element == LITERT_INT32 ? "int32"
                                                 : "another type";
    size_t at = (size_t)snprintf(text, size, "%s [", name);
    for (int i = 0; i < rank && at < size; i++) {
        const char *comma = i == 0 ? "" : ", ";
        if (dims[i] < 0)
            at += (size_t)snprintf(text + at, size - at, "%sT", comma);
        else
            at += (size_t)snprintf(text + at, size - at, "%s%d", comma, dims[i]);
    }
    if (at < size)
        snprintf(text + at, size - at, "]");
}

static bool is_of_shape(const struct litert_layout *layout, int rank, const int *dims) {
    if (layout->rank != (unsigned)rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (layout->dims[i] != dims[i])
            return false;
    return true;
}

struct port *graph_port(struct graph *graph, bool is_input, const char *name, const char *suffix) {
    const struct side *side = is_input ? &graph->inputs : &graph->outputs;
    size_t length = strlen(name);
    for (size_t i = 0; i < side->count; i++)
        if (strncmp(side->ports[i].name, name, length) == 0 &&
            strcmp(side->ports[i].name + length, suffix) == 0)
            return &side->ports[i];
    return NULL;
}

/* The signature has the tensors of the sheet, and no others. */
static bool compare(struct graph *graph, bool is_input, const struct tensor *tensors, int count,
                    struct failure *failure) {
    const char *side = is_input ? "input" : "output";
    size_t found = is_input ? graph->inputs.count : graph->outputs.count;
    for (int i = 0; i < count; i++) {
        const struct tensor *tensor = &tensors[i];
        const struct port *port = graph_port(graph, is_input, tensor->name, "");
        if (port == NULL)
            return fail_export(failure, "%s: has no %s %s, which native.txt names", graph->path, side,
                               tensor->name);
        int wanted = tensor->element == FLOAT32 ? LITERT_FLOAT32 : LITERT_INT32;
        const struct litert_layout *layout = &port->type.layout;
        if (port->type.element == wanted && is_of_shape(layout, tensor->rank, tensor->dims))
            continue;
        char is[128], should_be[128];
        describe_shape(port->type.element, (int)layout->rank, layout->dims, is, sizeof is);
        describe_shape(wanted, tensor->rank, tensor->dims, should_be, sizeof should_be);
        return fail_export(failure, "%s: its tensor %s is %s, by native.txt %s", graph->path, tensor->name,
                           is, should_be);
    }
    return found == (size_t)count || fail_export(failure, "%s: signature %s has %zu %ss, by native.txt %d",
                                                 graph->path, graph->name, found, side, count);
}

bool graph_open(struct graph *graph, const struct litert *litert, struct litert_model *model,
                const char *path, const struct form *form, struct failure *failure) {
    *graph = (struct graph){.litert = litert, .path = path, .name = form->signature};
    struct litert_signature *signature = NULL;
    return find_signature(graph, model, &signature, failure) && describe(graph, signature, true, failure) &&
           describe(graph, signature, false, failure) &&
           compare(graph, true, form->inputs, form->inputs_count, failure) &&
           compare(graph, false, form->outputs, form->outputs_count, failure);
}

bool graph_set_frames(struct graph *graph, struct port *input, int frames, struct failure *failure) {
    struct litert_layout *layout = &input->type.layout;
    int dims[LITERT_RANK_MAX];
    memcpy(dims, layout->dims, sizeof dims);
    dims[1] = frames;
    int status = graph->litert->calls.resize_input(graph->compiled, graph->signature,
                                                   (size_t)(input - graph->inputs.ports), dims, layout->rank);
    if (status != LITERT_OK)
        return refused(graph, "it does not take so many frames", status, failure);
    layout->dims[1] = frames;
    return true;
}

/* The bytes of a tensor; false where a dimension is unknown or they are beyond reason. */
static bool bytes_of(const struct graph *graph, const struct port *port, size_t *bytes,
                     struct failure *failure) {
    const struct litert_layout *layout = &port->type.layout;
    bool is_known = layout->rank <= LITERT_RANK_MAX;
    *bytes = ELEMENT_BYTES;
    for (unsigned i = 0; is_known && i < layout->rank; i++)
        is_known = layout->dims[i] > 0 && !__builtin_mul_overflow(*bytes, (size_t)layout->dims[i], bytes);
    if (!is_known || *bytes > BYTES_MAX)
        return fail_export(failure, "%s: the shape of its tensor %s is unknown or too large", graph->path,
                           port->name);
    return true;
}

/* Memory that kernels may read beyond the end of; NULL without. */
static void *allocate(size_t bytes, size_t *capacity) {
    *capacity = (bytes + PADDING + LITERT_ALIGNMENT - 1) / LITERT_ALIGNMENT * LITERT_ALIGNMENT;
    char *memory = aligned_alloc(LITERT_ALIGNMENT, *capacity);
    if (memory != NULL)
        memset(memory + bytes, 0, *capacity - bytes);
    return memory;
}

bool graph_pin_inputs(struct graph *graph, struct litert_options *options, struct failure *failure) {
    graph->is_pinned = true;
    for (size_t i = 0; i < graph->inputs.count; i++) {
        struct port *port = &graph->inputs.ports[i];
        if (!bytes_of(graph, port, &port->bytes, failure))
            return false;
        port->memory = allocate(port->bytes, &port->capacity);
        if (port->memory == NULL)
            return fail_memory(failure);
        int status =
            graph->litert->calls.bind_input(options, graph->name, port->name, port->memory, port->bytes);
        if (status != LITERT_OK)
            return refused(graph, "an input's memory", status, failure);
    }
    return true;
}

/* A buffer of `bytes` for the port; the old one, and then memory that is too small for them, go behind it. */
static bool bind_port(struct graph *graph, struct port *port, struct litert_buffer **buffer, size_t bytes,
                      struct failure *failure) {
    const struct litert_calls *calls = &graph->litert->calls;
    bool grows = bytes + PADDING > port->capacity;
    size_t capacity = port->capacity;
    void *memory = grows ? allocate(bytes, &capacity) : port->memory;
    if (memory == NULL)
        return fail_memory(failure);
    struct litert_buffer *made = NULL;
    int status = calls->create_buffer(&port->type, memory, bytes, NULL, &made);
    if (status != LITERT_OK) {
        if (grows)
            free(memory);
        return refused(graph, "a tensor's memory", status, failure);
    }
    if (*buffer != NULL)
        calls->destroy_buffer(*buffer);
    *buffer = made;
    if (grows)
        free(port->memory);
    *port = (struct port){port->name, port->type, memory, bytes, capacity};
    return true;
}

static bool bind_side(struct graph *graph, struct side *side, struct failure *failure) {
    for (size_t i = 0; i < side->count; i++) {
        struct port *port = &side->ports[i];
        size_t bytes;
        if (!bytes_of(graph, port, &bytes, failure))
            return false;
        if (side->buffers[i] != NULL && bytes == port->bytes)
            continue;
        if (!bind_port(graph, port, &side->buffers[i], bytes, failure))
            return false;
    }
    return true;
}

bool graph_bind(struct graph *graph, struct failure *failure) {
    return (graph->is_pinned || bind_side(graph, &graph->inputs, failure)) &&
           bind_side(graph, &graph->outputs, failure);
}

bool graph_run(struct graph *graph, struct failure *failure) {
    int status =
        graph->litert->calls.run(graph->compiled, graph->signature, graph->inputs.count,
                                 graph->inputs.buffers, graph->outputs.count, graph->outputs.buffers);
    if (status != LITERT_OK)
        return refused(graph, "it does not compute this input", status, failure);
    return true;
}

static void close_side(const struct litert_calls *calls, struct side *side) {
    for (size_t i = 0; i < side->count; i++) {
        if (side->buffers != NULL && side->buffers[i] != NULL)
            calls->destroy_buffer(side->buffers[i]);
        if (side->ports != NULL)
            free(side->ports[i].memory);
    }
    free(side->buffers);
    free(side->ports);
}

void graph_close(struct graph *graph) {
    if (graph->litert != NULL) {
        close_side(&graph->litert->calls, &graph->inputs);
        close_side(&graph->litert->calls, &graph->outputs);
    }
    *graph = (struct graph){0};
}
