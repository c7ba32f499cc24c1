#include "board/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    unsigned bits_class, machine; /* class 1 is 32 bits, 2 is 64 bits */
    const char *name;
} MACHINES[] = {{2, 0xB7, "aarch64"}, {1, 0x28, "armv7l"}, {2, 0x3E, "x86_64"}, {1, 0x03, "i686"}};

static void name_machine(const unsigned char *header, char machine[MACHINE_MAX]) {
    bool is_little = header[5] == 1;
    unsigned number = (unsigned)header[is_little ? 18 : 19] | (unsigned)header[is_little ? 19 : 18] << 8;
    for (size_t i = 0; i < sizeof MACHINES / sizeof *MACHINES; i++) {
        if (MACHINES[i].bits_class == header[4] && MACHINES[i].machine == number) {
            snprintf(machine, MACHINE_MAX, "%s", MACHINES[i].name);
            return;
        }
    }
    snprintf(machine, MACHINE_MAX, "class %u, e_machine %#x", (unsigned)header[4], number);
}

bool elf_machine(const char *path, char machine[MACHINE_MAX]) {
    unsigned char header[20];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, header, sizeof header);
    int error = errno;
    close(file);
    errno = error;
    if (got < 0)
        return false;
    machine[0] = '\0';
    if (got == sizeof header && memcmp(header, ELFMAG, SELFMAG) == 0)
        name_machine(header, machine);
    return true;
}

/* Where in the file the last byte ends that is loaded; 0 where that cannot be told. */
static uint64_t end_of_parts(int file) {
    Elf64_Ehdr header;
    if (pread(file, &header, sizeof header, 0) != sizeof header || header.e_phentsize != sizeof(Elf64_Phdr))
        return 0;
    uint64_t end = 0;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr part;
        if (pread(file, &part, sizeof part, (off_t)(header.e_phoff + i * sizeof part)) != sizeof part)
            return UINT64_MAX;
        uint64_t here;
        if (part.p_type == PT_LOAD && __builtin_add_overflow(part.p_offset, part.p_filesz, &here))
            return UINT64_MAX;
        if (part.p_type == PT_LOAD && here > end)
            end = here;
    }
    return end;
}

bool elf_is_whole(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    uint64_t end = end_of_parts(file);
    bool is_whole = end > 0 && fstat(file, &status) == 0 && end <= (uint64_t)status.st_size;
    close(file);
    return is_whole;
}
