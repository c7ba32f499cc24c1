/* Any bytes as golden.npz of a sheet with 2 inputs of 2 features and 3 labels: refused, or arrays whose every
 * value can be read. Both for readings and for ids. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/golden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct golden *golden) {
    int64_t sum = 0;
    for (int i = 0; i < golden->count; i++) {
        const int32_t *values = golden->features[i].data;
        for (size_t at = 0; at < npy_count(&golden->features[i]); at++)
            sum += values[at];
    }
    const float *reference = golden->reference.data, *step = golden->step_reference.data;
    for (int i = 0; i < 6; i++)
        if (!isfinite(reference[i]) || !isfinite(step[i]))
            abort();
    int median = golden_median(golden);
    if (median < 0 || median >= golden->count || sum == INT64_MIN)
        abort();
}

static void parse(const uint8_t *data, size_t size, enum element element) {
    struct sheet sheet = {.features_count = 2, .element = element, .outputs_count = 3, .golden_count = 2};
    struct golden golden;
    struct failure failure = {0};
    struct bytes archive = {.data = size == 0 ? NULL : malloc(size), .size = size};
    if (size > 0 && archive.data == NULL)
        abort();
    if (size > 0)
        memcpy(archive.data, data, size);
    if (golden_parse(&archive, "golden.npz", &sheet, &golden, &failure))
        read_all(&golden);
    else if (failure.exit_code != BAD_DATA)
        abort();
    if (archive.data != NULL)
        abort();
    golden_free(&golden);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parse(data, size, FLOAT32);
    parse(data, size, INT32);
    return 0;
}
