/* `edgeseq-run bench`: a benchmark on this machine, for people at the board. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/plain_table.h"
#include "commands.h"

static bool refuse_file(const char *path, int error, struct failure *failure) {
    bool full = error == ENOSPC || error == EDQUOT;
    return fail(failure, FAULT, "%s: %s%s", path, strerror(error), full ? "; has its disk room?" : "");
}

/* Whether the result will be able to be written: minutes of measuring shall not end in nothing. */
static bool check_writable(const char *path, struct failure *failure) {
    struct stat status;
    if (path == NULL || strcmp(path, "-") == 0)
        return true;
    bool there = lstat(path, &status) == 0;
    if (there && S_ISDIR(status.st_mode))
        return refuse_file(path, EISDIR, failure);
    if (there && !S_ISREG(status.st_mode)) /* such as /dev/null, or a link: it is not replaced */
        return access(path, W_OK) == 0 || refuse_file(path, errno, failure);
    char *beside = NULL;
    if (asprintf(&beside, "%s.%ld.new", path, (long)getpid()) < 0)
        return refuse_file(path, ENOMEM, failure);
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int error = errno;
    if (file >= 0) {
        close(file);
        unlink(beside);
    }
    free(beside);
    return file >= 0 || refuse_file(path, error, failure);
}

static bool write_json(const struct result *result, const char *path, struct failure *failure) {
    if (path == NULL)
        return true;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return refuse_file(path, errno, failure);
    result_write(result, file);
    bool whole = !ferror(file);
    whole = fclose(file) == 0 && whole; /* in any case */
    bool written = whole ? file_write_atomic(path, text, size, failure) : refuse_file(path, ENOMEM, failure);
    free(text);
    return written;
}

static bool write_table(const struct result *result, FILE *out, struct failure *failure) {
    fprintf(out, "%s\n", result->artifact->sheet.name);
    plain_table_write(result, out);
    plain_table_notes(result, out);
    if (fflush(out) == 0)
        return true;
    return fail(failure, FAULT, "the table cannot be written: %s", strerror(errno));
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
    if (request.help) {
        fputs(BENCH_USE, stdout);
        return 0;
    }
    if (!check_writable(request.json, failure) || !bench_open(&request, &bench, failure))
        return FAILED;
    bool good = bench_run(&bench, failure) && report(&bench.result, request.json, failure) &&
                result_judge(&bench.result, failure);
    bench_close(&bench);
    return good ? 0 : FAILED;
}
