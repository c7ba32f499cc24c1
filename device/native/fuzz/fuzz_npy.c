/* Any bytes as a .npy file: refused, or an array whose every value can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/npy.h"
#include "base/finite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct npy npy;
    struct failure failure = {0};
    if (!npy_parse(data, size, "a.npy", &npy, &failure)) {
        if (failure.exit_code != BAD_DATA)
            abort();
        return 0;
    }
    size_t count = npy_count(&npy);
    const unsigned char *bytes = npy.data;
    if (count > size / 4 || bytes < data || bytes + 4 * count != data + size)
        abort();
    if (npy.element == FLOAT32 && finite_count(npy.data, count) > count)
        abort();
    return 0;
}
