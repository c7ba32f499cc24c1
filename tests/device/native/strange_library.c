/* Stands in for libLiteRt.so in test_library.py: has every name that edgeseq-run calls, and does one thing
 * otherwise, by the macro that it is compiled with. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef NOISY
__attribute__((constructor)) static void greet(void) {
    puts("edgeseq-outcome 1\nend");
    fflush(stdout);
}
#endif

#ifndef OLD
int LiteRtCreateModelFromFd(void) {
    abort();
}
#define DO(status) return status
#else
#define DO(status) abort() /* nothing of an old one may be called */
#endif

#ifdef REFUSING
enum { MADE = 5 };
#else
enum { MADE = 0 };
#endif

static int made;

int LiteRtCreateEnvironment(int count, const void *options, void **environment) {
    (void)count, (void)options;
    *environment = &made;
    DO(MADE);
}

int LiteRtCreateModelFromBuffer(void *environment, const void *data, size_t size, void **model) {
    (void)environment, (void)data, (void)size;
    *model = &made;
    DO(0);
}

static int one(void *of, size_t *count) {
    (void)of;
    *count = 1;
    DO(0);
}

int LiteRtGetNumModelSignatures(void *model, size_t *count) {
    return one(model, count);
}

int LiteRtGetNumSignatureInputs(void *signature, size_t *count) {
    return one(signature, count);
}

int LiteRtGetModelSignature(void *model, size_t index, void **signature) {
    (void)model, (void)index;
    *signature = &made;
    DO(0);
}

int LiteRtGetSignatureKey(void *signature, const char **key) {
    (void)signature;
    *key = "serving_default";
    DO(0);
}

int LiteRtGetSignatureInputName(void *signature, size_t index, const char **name) {
    (void)signature, (void)index;
    *name = "features";
    DO(0);
}

int LiteRtGetSignatureInputTensorByIndex(void *signature, size_t index, void **tensor) {
    (void)signature, (void)index;
    *tensor = &made;
    DO(0);
}

#if defined(WIDER) || defined(NOISY)
/* Sizes of 64 bits: the struct is longer. */
struct type {
    int32_t element;
    uint32_t rank;
    int64_t dims[8], strides[8];
};
#elif defined(SHORTER)
struct type {
    int32_t element;
    uint16_t rank, dims[3];
};
#else
struct type {
    int32_t element;
    uint32_t rank;
    int32_t dims[8];
    uint32_t strides[8];
};
#endif

int LiteRtGetRankedTensorType(void *tensor, void *type) {
    const struct type found = {.element = 1, .rank = 3, .dims = {1, -1, 5}};
    (void)tensor;
    memcpy(type, &found, sizeof found);
    DO(0);
}

int LiteRtCreateOptions(void **options) {
    *options = &made;
    DO(0);
}

int LiteRtSetOptionsHardwareAccelerators(void *options, int accelerators) {
    (void)options, (void)accelerators;
    DO(0);
}

int LiteRtCreateOpaqueOptions(const char *of, void *content, void (*end)(void *), void **options) {
    (void)of, (void)content, (void)end;
    *options = &made;
    DO(0);
}

int LiteRtAddOpaqueOptions(void *options, void *more) {
    (void)options, (void)more;
    DO(0);
}

void LiteRtDestroyOptions(void *options) {
    (void)options;
}

/* The others are never reached. */
#define NEVER(name) \
    void name(void) { \
        abort(); \
    }
NEVER(LiteRtGetNumSignatureOutputs)
NEVER(LiteRtGetSignatureOutputName)
NEVER(LiteRtGetSignatureOutputTensorByIndex)
NEVER(LiteRtAddExternalTensorBinding)
NEVER(LiteRtCreateCompiledModel)
NEVER(LiteRtCompiledModelResizeInputTensor)
NEVER(LiteRtCreateTensorBufferFromHostMemory)
NEVER(LiteRtRunCompiledModel)
NEVER(LiteRtDestroyOpaqueOptions)
NEVER(LiteRtDestroyCompiledModel)
NEVER(LiteRtDestroyTensorBuffer)

void LiteRtDestroyModel(void *model) {
    (void)model;
}

void LiteRtDestroyEnvironment(void *environment) {
    (void)environment;
}
