#include "artifact/artifact.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/listed.h"
#include "artifact/sums.h"

static const char SUMS[] = "SHA256SUMS", SHEET[] = "native.txt", MANIFEST[] = "manifest.json";

/* Whether there is anything of that name, be it a broken link. */
static bool exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool read_sums(const char *folder, struct sums *sums, struct failure *failure) {
    char *path = file_in(folder, SUMS, failure);
    if (path == NULL)
        return false;
    struct bytes text = {0};
    bool read = exists(path) || fail_export(failure, "%s: missing, so the artifact cannot be verified", path);
    read = read && file_map(path, &text, failure) &&
           sums_parse((const char *)text.data, text.size, path, sums, failure);
    bytes_free(&text);
    free(path);
    return read;
}

/* The listed hash of a file that the sheet names. */
static const char *listed(const char *folder, const struct sums *sums, const char *name,
                          struct failure *failure) {
    const char *sha256 = sums_find(sums, name);
    if (sha256 == NULL)
        fail_export(failure, "%s/%s: %s is not listed in %s", folder, SHEET, name, SUMS);
    return sha256;
}

/* Why there is no native.txt: the exporter writes it for every artifact with a tflite model. */
static const char *why_no_sheet(const struct sums *sums) {
    for (int i = 0; i < sums->count; i++) {
        const char *suffix = strrchr(sums->sums[i].name, '.');
        if (suffix != NULL && strcmp(suffix, ".tflite") == 0)
            return "exported by an edgeseq that knew no native runner; export it again";
    }
    return "the artifact has no tflite model and edgeseq-run runs no other; export it with --format tflite";
}

static bool read_sheet(const char *folder, const struct sums *sums, struct sheet *sheet,
                       struct failure *failure) {
    char *path = file_in(folder, SHEET, failure);
    if (path == NULL)
        return false;
    const char *sha256 = sums_find(sums, SHEET);
    struct bytes text = {0};
    bool read = false;
    if (sha256 == NULL && exists(path))
        fail_export(failure, "%s: not listed in %s", path, SUMS);
    else if (sha256 == NULL)
        fail(failure, BAD_DATA, "%s: missing: %s", path, why_no_sheet(sums));
    else
        read = listed_read(path, sha256, &text, failure) &&
               sheet_parse((const char *)text.data, text.size, path, sheet, failure);
    bytes_free(&text);
    free(path);
    return read;
}

/* Its sheet was written for the manifest that lies beside it. */
static bool check_manifest(const char *folder, const struct sums *sums, const struct sheet *sheet,
                           struct failure *failure) {
    const char *sha256 = listed(folder, sums, MANIFEST, failure);
    if (sha256 == NULL)
        return false;
    return strcmp(sha256, sheet->manifest_sha256) == 0 ||
           fail_export(failure, "%s/%s: belongs to another %s", folder, SHEET, MANIFEST);
}

static bool read_model(const struct sums *sums, struct artifact *artifact, struct failure *failure) {
    const char *name = artifact->sheet.model_file;
    const char *sha256 = listed(artifact->folder, sums, name, failure);
    artifact->model_path = sha256 == NULL ? NULL : file_in(artifact->folder, name, failure);
    if (artifact->model_path == NULL || !listed_read(artifact->model_path, sha256, &artifact->model, failure))
        return false;
    memcpy(artifact->model_sha256, sha256, sizeof artifact->model_sha256);
    if (artifact->sheet.step.there)
        memcpy(artifact->step_sha256, sha256, sizeof artifact->step_sha256);
    return artifact->model.size > 0 || fail_export(failure, "%s: is empty", artifact->model_path);
}

static bool note_golden(const struct sums *sums, struct artifact *artifact, struct failure *failure) {
    const char *sha256 = listed(artifact->folder, sums, artifact->sheet.golden_file, failure);
    if (sha256 == NULL)
        return false;
    memcpy(artifact->golden_sha256, sha256, sizeof artifact->golden_sha256);
    return true;
}

bool artifact_open(const char *folder, struct artifact *artifact, struct failure *failure) {
    *artifact = (struct artifact){0};
    struct stat status;
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode))
        return fail(failure, BAD_DATA, "%s: not an artifact folder; `edgeseq export` makes one", folder);
    struct sums sums = {0};
    artifact->folder = strdup(folder);
    bool opened = artifact->folder != NULL || fail_memory(failure);
    opened = opened && read_sums(folder, &sums, failure) &&
             read_sheet(folder, &sums, &artifact->sheet, failure) &&
             check_manifest(folder, &sums, &artifact->sheet, failure) &&
             read_model(&sums, artifact, failure) && note_golden(&sums, artifact, failure);
    sums_free(&sums);
    if (!opened)
        artifact_close(artifact);
    return opened;
}

bool artifact_golden(const struct artifact *artifact, struct golden *golden, struct failure *failure) {
    *golden = (struct golden){0};
    char *path = file_in(artifact->folder, artifact->sheet.golden_file, failure);
    if (path == NULL)
        return false;
    struct bytes archive = {0};
    bool read = listed_read(path, artifact->golden_sha256, &archive, failure) &&
                golden_parse(&archive, path, &artifact->sheet, golden, failure);
    free(path);
    return read;
}

void artifact_close(struct artifact *artifact) {
    free(artifact->folder);
    free(artifact->model_path);
    sheet_free(&artifact->sheet);
    bytes_free(&artifact->model);
    *artifact = (struct artifact){0};
}
