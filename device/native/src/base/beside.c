#include "base/beside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool beside_file(const char *file, const char *name, char path[PATH_MAX]) {
    const char *slash = strrchr(file, '/');
    int folder = slash == NULL ? 0 : (int)(slash - file) + 1;
    return snprintf(path, PATH_MAX, "%.*s%s", folder, file, name) < PATH_MAX;
}

bool beside_program(const char *name, const char *remedy, char path[PATH_MAX], struct failure *failure) {
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size < 0 ? 0 : size] = '\0';
    if (size <= 0 || !beside_file(program, name, path) || access(path, F_OK) != 0)
        return fail(failure, UNFIT, "there is no %s beside this program; %s", name, remedy);
    return true;
}
