/* What edgeseq-run calls in LiteRT's shared library, 2.1.6 to 2.3: its own declarations, because the wheel
 * that the library comes in has no headers. graph_open() proves the layout of what the library fills. */
#ifndef EDGESEQ_LITERT_API_H
#define EDGESEQ_LITERT_API_H

#include <stddef.h>
#include <stdint.h>

#include "litert/library.h"
#include "litert/litert.h"

/* What the library makes and only it looks into. */
struct litert_environment;
struct litert_model;
struct litert_signature;
struct litert_tensor;
struct litert_options;
struct litert_opaque_options;
struct litert_compiled_model;
struct litert_buffer;

enum { LITERT_OK = 0, LITERT_INVALID_FLATBUFFER = 501 }; /* of the status that every call gives */

enum { LITERT_FLOAT32 = 1, LITERT_INT32 = 2 }; /* elements of a tensor */

enum { LITERT_CPU = 1, LITERT_RANK_MAX = 8, LITERT_ALIGNMENT = 64 };

struct litert_layout {
    unsigned rank : 7, has_strides : 1;
    int32_t dims[LITERT_RANK_MAX]; /* -1: any */
    uint32_t strides[LITERT_RANK_MAX];
};

/* LiteRtRankedTensorType. */
struct litert_tensor_type {
    int32_t element;
    struct litert_layout layout;
};

/* LiteRtEnvOption. */
struct litert_environment_option {
    int32_t tag;
    int32_t : 32;
    int32_t type;
    int32_t : 32;
    union {
        int64_t number;
        const void *pointer;
    } value;
};

_Static_assert(sizeof(struct litert_tensor_type) == 72, "as the library's");
_Static_assert(sizeof(struct litert_environment_option) == 24, "as the library's");

enum { LITERT_OPTION_ACCELERATORS = 24, LITERT_OPTION_SEVERITY = 25 };
enum { LITERT_OPTION_IS_NUMBER = 2, LITERT_SEVERITY_ERROR = 3 };

/* Name here, name there without "LiteRt", arguments. */
#define LITERT_STATUS_CALLS(CALL) \
    CALL(create_environment, CreateEnvironment, \
         (int, const struct litert_environment_option *, struct litert_environment **)) \
    CALL(create_model, CreateModelFromBuffer, \
         (struct litert_environment *, const void *, size_t, struct litert_model **)) \
    CALL(count_signatures, GetNumModelSignatures, (struct litert_model *, size_t *)) \
    CALL(get_signature, GetModelSignature, (struct litert_model *, size_t, struct litert_signature **)) \
    CALL(get_signature_key, GetSignatureKey, (struct litert_signature *, const char **)) \
    CALL(count_inputs, GetNumSignatureInputs, (struct litert_signature *, size_t *)) \
    CALL(count_outputs, GetNumSignatureOutputs, (struct litert_signature *, size_t *)) \
    CALL(get_input_name, GetSignatureInputName, (struct litert_signature *, size_t, const char **)) \
    CALL(get_output_name, GetSignatureOutputName, (struct litert_signature *, size_t, const char **)) \
    CALL(get_input, GetSignatureInputTensorByIndex, \
         (struct litert_signature *, size_t, struct litert_tensor **)) \
    CALL(get_output, GetSignatureOutputTensorByIndex, \
         (struct litert_signature *, size_t, struct litert_tensor **)) \
    CALL(get_tensor_type, GetRankedTensorType, (struct litert_tensor *, struct litert_tensor_type *)) \
    CALL(create_options, CreateOptions, (struct litert_options **)) \
    CALL(set_accelerators, SetOptionsHardwareAccelerators, (struct litert_options *, int)) \
    CALL(create_opaque_options, CreateOpaqueOptions, \
         (const char *, void *, void (*)(void *), struct litert_opaque_options **)) \
    CALL(bind_input, AddExternalTensorBinding, \
         (struct litert_options *, const char *, const char *, void *, size_t)) \
    CALL(add_opaque_options, AddOpaqueOptions, (struct litert_options *, struct litert_opaque_options *)) \
    CALL(compile, CreateCompiledModel, \
         (struct litert_environment *, struct litert_model *, struct litert_options *, \
          struct litert_compiled_model **)) \
    CALL(resize_input, CompiledModelResizeInputTensor, \
         (struct litert_compiled_model *, size_t, size_t, const int *, size_t)) \
    CALL(create_buffer, CreateTensorBufferFromHostMemory, \
         (const struct litert_tensor_type *, void *, size_t, void (*)(void *), struct litert_buffer **)) \
    CALL(run, RunCompiledModel, \
         (struct litert_compiled_model *, size_t, size_t, struct litert_buffer **, size_t, \
          struct litert_buffer **))

#define LITERT_DESTROY_CALLS(CALL) \
    CALL(destroy_environment, DestroyEnvironment, (struct litert_environment *)) \
    CALL(destroy_model, DestroyModel, (struct litert_model *)) \
    CALL(destroy_options, DestroyOptions, (struct litert_options *)) \
    CALL(destroy_opaque_options, DestroyOpaqueOptions, (struct litert_opaque_options *)) \
    CALL(destroy_compiled_model, DestroyCompiledModel, (struct litert_compiled_model *)) \
    CALL(destroy_buffer, DestroyTensorBuffer, (struct litert_buffer *))

#define LITERT_STATUS_FIELD(name, there, arguments) int(*name) arguments;
#define LITERT_DESTROY_FIELD(name, there, arguments) void(*name) arguments;

struct litert_calls {
    LITERT_STATUS_CALLS(LITERT_STATUS_FIELD)
    LITERT_DESTROY_CALLS(LITERT_DESTROY_FIELD)
};

struct litert {
    struct litert_calls calls;
    struct litert_environment *environment;
    void *library;
    struct library where;
    char version[LIBRARY_VERSION_MAX + 32];
};

#endif
