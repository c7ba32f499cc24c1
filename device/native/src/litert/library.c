#include "litert/library.h"

#include <stdio.h>
#include <string.h>

#include "base/beside.h"

/* The first line of libLiteRt.version; "" where there is none. */
static void read_version(const char *library, char version[LIBRARY_VERSION_MAX]) {
    char path[PATH_MAX];
    FILE *file = beside_file(library, "libLiteRt.version", path) ? fopen(path, "re") : NULL;
    if (file == NULL)
        return;
    if (fgets(version, LIBRARY_VERSION_MAX, file) == NULL)
        version[0] = '\0';
    version[strcspn(version, "\r\n")] = '\0';
    fclose(file);
}

bool library_find(const char *path, const char *version, struct library *library, struct failure *failure) {
    library->version[0] = '\0';
    if (path == NULL) {
        if (!beside_program("libLiteRt.so", "say where it is with --library", library->path, failure))
            return false;
    } else if (snprintf(library->path, PATH_MAX, "%s", path) >= PATH_MAX) {
        return fail(failure, UNFIT, "%.200s...: too long a path for a library", path);
    }
    if (version == NULL)
        read_version(library->path, library->version);
    else
        snprintf(library->version, LIBRARY_VERSION_MAX, "%s", version);
    return true;
}
