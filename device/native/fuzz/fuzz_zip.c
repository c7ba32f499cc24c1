/* Any bytes as a zip archive: refused, or members whose every byte can be read. */
#include <stdint.h>
#include <stdlib.h>

#include "artifact/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const NAMES[] = {"features_00.npy", "features_01.npy", "reference_tflite.npy", ""};
    struct zip zip;
    struct failure failure = {0};
    if (!zip_open(data, size, "a.npz", &zip, &failure)) {
        if (failure.exit_code != BAD_DATA)
            abort();
        return 0;
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct zip_member member = {0};
        bool there = zip_has(&zip, NAMES[i]);
        if (!zip_read(&zip, NAMES[i], "a.npz", &member, &failure))
            continue;
        if (!there || member.data < data || member.size > size || member.data + member.size > data + size)
            abort();
    }
    return 0;
}
