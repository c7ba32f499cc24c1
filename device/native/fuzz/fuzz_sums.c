/* Any bytes as SHA256SUMS: refused, or names that are found again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/sums.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sums sums;
    struct failure failure = {0};
    if (!sums_parse((const char *)data, size, "SHA256SUMS", &sums, &failure)) {
        if (failure.exit_code != BAD_DATA || sums.count != 0)
            abort();
        return 0;
    }
    for (int i = 0; i < sums.count; i++)
        if (sums_find(&sums, sums.sums[i].name) != sums.sums[i].sha256 || strlen(sums.sums[i].sha256) != 64 ||
            strchr(sums.sums[i].name, '/') != NULL)
            abort();
    sums_free(&sums);
    return 0;
}
