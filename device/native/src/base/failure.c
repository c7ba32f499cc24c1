#include "base/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void describe(struct failure *failure, int exit_code, const char *format, va_list values)
    __attribute__((format(printf, 3, 0)));

static void describe(struct failure *failure, int exit_code, const char *format, va_list values) {
    failure->exit_code = exit_code;
    vsnprintf(failure->message, sizeof failure->message, format, values);
}

bool fail(struct failure *failure, int exit_code, const char *format, ...) {
    va_list values;
    va_start(values, format);
    describe(failure, exit_code, format, values);
    va_end(values);
    return false;
}

bool fail_export(struct failure *failure, const char *format, ...) {
    va_list values;
    va_start(values, format);
    describe(failure, BAD_DATA, format, values);
    va_end(values);
    size_t length = strlen(failure->message);
    snprintf(failure->message + length, sizeof failure->message - length, "; export the artifact again");
    return false;
}

bool fail_errno(struct failure *failure, int exit_code, const char *path, const char *what) {
    return fail(failure, exit_code, "%s: %s (%s)", path, what, strerror(errno));
}

bool fail_memory(struct failure *failure) {
    return fail(failure, FAULT, "out of memory");
}
