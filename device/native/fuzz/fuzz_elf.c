/* Any bytes as a library's file: it has a processor or none, and is whole only with what its header names. */
#include <string.h>

#include "board/elf.h"
#include "scratch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char machine[MACHINE_MAX];
    const char *path = scratch_file(data, size);
    if (!elf_machine(path, machine) || memchr(machine, '\0', sizeof machine) == NULL)
        abort();
    bool is_elf = size >= 20 && memcmp(data, "\177ELF", 4) == 0;
    if ((machine[0] != '\0') != is_elf)
        abort();
    if (elf_is_whole(path) && size < 64 + 56) /* a header and a part's */
        abort();
    return 0;
}
