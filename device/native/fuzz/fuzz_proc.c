/* Any bytes as a file of /proc: lines that are all of it, mappings that point into their line. */
#include <string.h>

#include "board/proc.h"
#include "scratch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line) {
    struct mapping mapping;
    size_t length = strlen(line);
    if (proc_mapping(line, &mapping) &&
        (mapping.file < line || mapping.file > line + length || strlen(mapping.permissions) != 4))
        abort();
    if (proc_bytes(line, "Rss:") < -1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proc proc;
    if (!proc_open(&proc, scratch_file(data, size)))
        abort();
    size_t length = 0;
    for (char *line; (line = proc_line(&proc)) != NULL;) {
        if (line < proc.buffer || line >= proc.buffer + sizeof proc.buffer || length > size)
            abort();
        length += strlen(line);
        check_line(line);
    }
    proc_close(&proc);
    return 0;
}
