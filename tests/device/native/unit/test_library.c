#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "litert/library.h"

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

static void what_is_said_counts(void) {
    struct library library;
    struct failure failure;
    CHECK(library_find("nowhere/lib.so", "2.3.0", &library, &failure));
    CHECK_TEXT(library.path, "nowhere/lib.so");
    CHECK_TEXT(library.version, "2.3.0");
    CHECK(library_find("nowhere/lib.so", NULL, &library, &failure));
    CHECK_TEXT(library.version, "");
}

static void the_version_lies_beside_the_library(void) {
    struct library library;
    struct failure failure;
    write_file("libLiteRt.version", "2.2.0\n");
    CHECK(library_find("libLiteRt.so", NULL, &library, &failure));
    CHECK_TEXT(library.version, "2.2.0");
    unlink("libLiteRt.version");
}

static void no_library_beside_the_program_is_refused(void) {
    struct library library;
    struct failure failure;
    CHECK(!library_find(NULL, NULL, &library, &failure));
    CHECK_FAILURE(failure, UNFIT,
                  "there is no libLiteRt.so beside this program; say where it is with --library");
}

int main(void) {
    what_is_said_counts();
    the_version_lies_beside_the_library();
    no_library_beside_the_program_is_refused();
    return CHECKED;
}
