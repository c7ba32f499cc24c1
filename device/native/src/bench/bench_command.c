/* `edgeseq-run bench`: a benchmark on this machine, for people at the board. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/plain_table.h"
#include "commands.h"
#include "measure/options.h"

static bool write_json(const struct result *result, const char *path, struct failure *failure) {
    if (path == NULL)
        return true;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return fail_memory(failure);
    result_write(result, file);
    bool whole = !ferror(file);
    whole = fclose(file) == 0 && whole; /* in any case */
    bool written = whole ? file_write_atomic(path, text, size, failure) : fail_memory(failure);
    free(text);
    return written;
}

static bool write_table(const struct result *result, FILE *out, struct failure *failure) {
    fprintf(out, "%s\n", result->artifact->sheet.name);
    plain_table_write(result, out);
    plain_table_notes(result, out);
    if (fflush(out) == 0 || out == stderr) /* which nobody need be listening to */
        return true;
    return fail_errno(failure, FAULT, "stdout", "cannot be written");
}

/* The result as JSON where it is wanted, and the table in any case. */
static bool report(const struct result *result, const char *path, struct failure *failure) {
    struct failure second;
    FILE *out = path != NULL && strcmp(path, "-") == 0 ? stderr : stdout;
    bool written = write_json(result, path, failure);
    return write_table(result, out, written ? failure : &second) && written;
}

int command_bench(int argc, char **argv, struct failure *failure) {
    struct bench_request request;
    struct bench bench;
    if (!bench_request_parse(argc, argv, &request, failure))
        return FAILED;
    if (request.help)
        return options_help(BENCH_USE);
    /* Minutes of measuring shall not end in nothing: the table or the result goes to stdout. */
    if (!file_check_writable("-", failure) ||
        (request.json != NULL && !file_check_writable(request.json, failure)) ||
        !bench_open(&request, &bench, failure))
        return FAILED;
    bool good = bench_run(&bench, failure) && report(&bench.result, request.json, failure) &&
                result_judge(&bench.result, failure);
    bench_close(&bench);
    return good ? 0 : FAILED;
}
