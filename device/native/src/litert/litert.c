#include "litert/litert.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "board/elf.h"
#include "litert/give_back.h"
#include "litert/litert_api.h"

bool litert_unfit(const char *path, struct failure *failure, const char *format, ...) {
    char cause[400];
    va_list values;
    va_start(values, format);
    vsnprintf(cause, sizeof cause, format, values);
    va_end(values);
    return fail(failure, UNFIT,
                "%s: %s; take libLiteRt.so from ai-edge-litert 2.1.6 to 2.3.0 for " MACHINE_OWN, path, cause);
}

/* The file is there and a library for this processor. What the loader says of one for another is that there
 * is no such file. */
static bool check_file(const char *path, struct failure *failure) {
    char machine[MACHINE_MAX];
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return litert_unfit(path, failure, "not a file");
    if (!elf_machine(path, machine))
        return litert_unfit(path, failure, "%s", strerror(errno));
    if (strcmp(machine, MACHINE_OWN) != 0)
        return litert_unfit(path, failure, machine[0] == '\0' ? "not a shared library" : "a library for %s",
                            machine);
    return elf_is_whole(path) || litert_unfit(path, failure, "cut off, there is more to it");
}

/* Without a slash in it the loader would search for the name elsewhere. */
static bool open_library(struct litert *litert, struct failure *failure) {
    const char *name = litert->where.path;
    char path[PATH_MAX + 2];
    snprintf(path, sizeof path, "%s%s", strchr(name, '/') == NULL ? "./" : "", name);
    litert->library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    return litert->library != NULL || litert_unfit(name, failure, "does not load (%s)", dlerror());
}

#define SYMBOL(name, there, arguments) #there "\0"

static bool find_calls(struct litert *litert, struct failure *failure) {
    /* In the order of struct litert_calls; the last is no call of this program's but came with 2.1.6: earlier
     * ones have all of the others, and some take other arguments. */
    static const char CALLS[] =
        LITERT_STATUS_CALLS(SYMBOL) LITERT_DESTROY_CALLS(SYMBOL) "CreateModelFromFd\0";
    char *call = (char *)&litert->calls;
    for (const char *name = CALLS; *name != '\0'; name += strlen(name) + 1) {
        char symbol[64];
        snprintf(symbol, sizeof symbol, "LiteRt%s", name);
        void *found = dlsym(litert->library, symbol);
        if (found == NULL)
            return litert_unfit(litert->where.path, failure, "has no %s", symbol);
        if (call < (char *)(&litert->calls + 1))
            memcpy(call, &found, sizeof found);
        call += sizeof found;
    }
    return true;
}

/* Without the options it would load every accelerator's library that it finds, and tell of it. */
static bool make_environment(struct litert *litert, struct failure *failure) {
    const struct litert_environment_option options[] = {
        {.tag = LITERT_OPTION_SEVERITY,
         .type = LITERT_OPTION_IS_NUMBER,
         .value.number = LITERT_SEVERITY_ERROR},
        {.tag = LITERT_OPTION_ACCELERATORS, .type = LITERT_OPTION_IS_NUMBER, .value.number = LITERT_CPU},
    };
    int status = litert->calls.create_environment(2, options, &litert->environment);
    if (status != LITERT_OK)
        return litert_unfit(litert->where.path, failure, "makes no environment (status %d)", status);
    return true;
}

struct litert *litert_open(const char *path, const char *version, struct failure *failure) {
    struct litert *litert = calloc(1, sizeof *litert);
    if (litert == NULL) {
        fail_memory(failure);
        return NULL;
    }
    if (!library_find(path, version, &litert->where, failure) || !check_file(litert->where.path, failure) ||
        !open_library(litert, failure) || !find_calls(litert, failure) ||
        !make_environment(litert, failure)) {
        litert_close(litert);
        return NULL;
    }
    bool is_known = litert->where.version[0] != '\0';
    snprintf(litert->version, sizeof litert->version, "ai-edge-litert%s%s", is_known ? " " : "",
             is_known ? litert->where.version : ", version unknown");
    give_back_code();
    return litert;
}

const char *litert_path(const struct litert *litert) {
    return litert->where.path;
}

const char *litert_version(const struct litert *litert) {
    return litert->version;
}

/* No dlclose: threads that the library has started may still be in it. */
void litert_close(struct litert *litert) {
    if (litert == NULL)
        return;
    if (litert->environment != NULL)
        litert->calls.destroy_environment(litert->environment);
    free(litert);
}
