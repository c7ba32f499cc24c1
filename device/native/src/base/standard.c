#include "base/standard.h"

#include <fcntl.h>
#include <unistd.h>

void standard_fill(void) {
    static const int MODES[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR};
    int file = STDIN_FILENO;
    /* The lowest that is free is what open() gives. */
    while (file <= STDERR_FILENO && (fcntl(file, F_GETFD) >= 0 || open("/dev/null", MODES[file]) == file))
        file++;
}
