#include "litert/give_back.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Only whole pages; an error changes nothing. Never of memory that was written to: it would be lost. */
static void drop(uintptr_t begin, uintptr_t end) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* Whether the loader had to write into the code of a library to place it. */
static bool is_patched(const struct dl_phdr_info *library) {
    for (int i = 0; i < library->dlpi_phnum; i++) {
        if (library->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(library->dlpi_addr + library->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return true;
    }
    return false;
}

/* What is not writable by the file's own word is code and constants. What the loader makes read-only once it
 * has written there (relro) is writable by that word, and kept. */
static int drop_parts(struct dl_phdr_info *library, size_t size, void *of) {
    (void)size;
    (void)of;
    if (is_patched(library))
        return 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        uintptr_t begin = library->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
            drop(begin, begin + part->p_memsz);
    }
    return 0;
}

void give_back_code(void) {
    dl_iterate_phdr(drop_parts, NULL);
}
