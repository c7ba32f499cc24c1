#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"

void standard_fill(void) {
    static const int MODES[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR};
    int file = STDIN_FILENO;
    /* The lowest that is free is what open() gives. */
    while (file <= STDERR_FILENO && (fcntl(file, F_GETFD) >= 0 || open("/dev/null", MODES[file]) == file))
        file++;
}

int standard_written(int exit_code) {
    errno = 0;
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (exit_code != 0 || written)
        return exit_code;
    fprintf(stderr, "edgeseq-run: stdout: cannot be written (%s)\n",
            errno ? strerror(errno) : "an earlier fault");
    return FAULT;
}
