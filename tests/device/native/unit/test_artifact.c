/* An artifact's folder, written by the test, and every way to spoil it. */
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "artifact/artifact.h"
#include "artifact/sha256.h"
#include "check.h"

static const float VALUES[] = {1, 2, 3, 4};
static char manifest_sha256[65], model_sha256[65];

static void put(const char *name, const void *content, size_t size) {
    struct failure failure;
    char path[300];
    snprintf(path, sizeof path, "made/%s", name);
    unlink(path);
    CHECK(file_write_atomic(path, content, size, &failure));
}

/* Lists a file that was put in the folder; `text` grows by its line. */
static void list(const char *name, char *text, size_t text_size) {
    struct failure failure;
    struct bytes bytes;
    char path[300], hex[65];
    snprintf(path, sizeof path, "made/%s", name);
    if (!CHECK(file_map(path, &bytes, &failure)))
        return;
    sha256_hex(bytes.data, bytes.size, hex);
    bytes_free(&bytes);
    size_t length = strlen(text);
    snprintf(text + length, text_size - length, "%s  %s\n", hex, name);
}

static void put_sheet(const char *manifest) {
    char text[2000];
    int size = snprintf(text, sizeof text,
                        "edgeseq-native 1\nname small\ntask classify\nmanifest %s\nlabels 2\nlabel a\n"
                        "label b\nfeatures 2 float32\nfront_end none\nmodel model.tflite\n"
                        "weight_bytes 8\ngolden golden.npz 1\nsequence serving_default 0.001\n"
                        "input features float32 1 T 2\noutput logits float32 1 2\nstep step 0.001\n"
                        "input features float32 1 2\noutput logits float32 1 2\nend\n",
                        manifest);
    put("native.txt", text, (size_t)size);
}

static void put_golden(void) {
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        abort();
    archive_add_array(archive, "features_00.npy", "<f4", 2, 2, VALUES);
    archive_add_array(archive, "reference_tflite.npy", "<f4", 1, 2, VALUES);
    archive_end(archive);
    put("golden.npz", archive->data, archive->size);
    free(archive);
}

/* Lists what is in the folder, and files that were left away. */
static void seal(void) {
    char text[2000] = "";
    snprintf(text, sizeof text, "%s  manifest.json\n%s  model.onnx\n", manifest_sha256, manifest_sha256);
    list("native.txt", text, sizeof text);
    list("model.tflite", text, sizeof text);
    list("golden.npz", text, sizeof text);
    put("SHA256SUMS", text, strlen(text));
}

/* A whole artifact in the folder "made", but for manifest.json and model.onnx, which the runner leaves alone.
 */
static void make(void) {
    mkdir("made", 0700);
    sha256_hex("{}", 2, manifest_sha256);
    sha256_hex("a model", 7, model_sha256);
    put("model.tflite", "a model", 7);
    put_sheet(manifest_sha256);
    put_golden();
    seal();
}

static void refused(const char *said) {
    struct artifact artifact;
    struct failure failure = {0};
    if (!CHECK(!artifact_open("made", &artifact, &failure)))
        artifact_close(&artifact);
    CHECK_FAILURE(failure, BAD_DATA, said);
    CHECK(artifact.folder == NULL && artifact.model.data == NULL);
    make();
}

static void a_folder_is_opened_with_what_was_hashed(void) {
    struct artifact artifact;
    struct golden golden;
    struct failure failure = {0};
    make();
    if (!CHECK(artifact_open("made", &artifact, &failure))) {
        fprintf(stderr, "%s\n", failure.message);
        return;
    }
    CHECK_TEXT(artifact.folder, "made");
    CHECK_TEXT(artifact.model_path, "made/model.tflite");
    CHECK_TEXT(artifact.model_sha256, model_sha256);
    CHECK_TEXT(artifact.step_sha256, model_sha256);
    CHECK_TEXT(artifact.sheet.name, "small");
    CHECK(artifact.model.size == 7 && memcmp(artifact.model.data, "a model", 7) == 0);
    if (CHECK(artifact_golden(&artifact, &golden, &failure))) {
        CHECK(golden.count == 1 && golden.features[0].dims[0] == 2);
        CHECK(((const float *)golden.reference.data)[1] == 2);
        golden_free(&golden);
    }
    artifact_close(&artifact);
    CHECK(artifact.folder == NULL);
}

static void what_is_not_there_is_named(void) {
    struct artifact artifact;
    struct failure failure = {0};
    CHECK(!artifact_open("absent", &artifact, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "absent: not an artifact folder; `edgeseq export` makes one");
    CHECK(!artifact_open("made/model.tflite", &artifact, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "not an artifact folder");
    unlink("made/SHA256SUMS");
    refused("made/SHA256SUMS: missing, so the artifact cannot be verified; export the artifact again");
    unlink("made/model.tflite");
    refused("made/model.tflite: listed in SHA256SUMS but missing");
    unlink("made/native.txt");
    refused("made/native.txt: listed in SHA256SUMS but missing");
}

static void a_file_that_is_not_listed_is_refused(void) {
    struct bytes sums;
    struct failure failure;
    if (!CHECK(file_read("made/SHA256SUMS", 10000, &sums, &failure)))
        return;
    static const struct {
        int line;
        const char *said;
    } LINES[] = {
        {0, "made/native.txt: manifest.json is not listed in SHA256SUMS; export the artifact again"},
        {2, "made/native.txt: not listed in SHA256SUMS; export the artifact again"},
        {3, "made/native.txt: model.tflite is not listed in SHA256SUMS"},
        {4, "made/native.txt: golden.npz is not listed in SHA256SUMS"},
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        char text[2000] = "";
        size_t size = 0;
        int line = 0;
        for (size_t at = 0; at < sums.size; line += sums.data[at++] == '\n')
            if (line != LINES[i].line)
                text[size++] = (char)sums.data[at];
        put("SHA256SUMS", text, size);
        refused(LINES[i].said);
    }
    bytes_free(&sums);
}

static void without_a_sheet_it_is_told_why(void) {
    char text[200];
    unlink("made/native.txt");
    snprintf(text, sizeof text, "%s  model.onnx\n%s  tflite\n", model_sha256, model_sha256);
    put("SHA256SUMS", text, strlen(text));
    refused("made/native.txt: missing: the artifact has no tflite model and edgeseq-run runs no other");
    unlink("made/native.txt");
    snprintf(text, sizeof text, "%s  model.tflite\n", model_sha256);
    put("SHA256SUMS", text, strlen(text));
    refused("made/native.txt: missing: exported by an edgeseq that knew no native runner; export it again");
}

static void what_was_changed_is_refused(void) {
    put("model.tflite", "a modeL", 7);
    refused("made/model.tflite: its content changed after the export (sha256 differs); export the artifact "
            "again");
    put_sheet(model_sha256);
    refused("made/native.txt: its content changed after the export");
    put_sheet(model_sha256);
    seal();
    refused("made/native.txt: belongs to another manifest.json; export the artifact again");
    put("native.txt", "edgeseq-native 9\n", 17);
    seal();
    refused("made/native.txt: version 9 is not known");
    put("model.tflite", "", 0);
    seal();
    refused("made/model.tflite: is empty");
}

static void a_link_is_refused(void) {
    CHECK(rename("made/model.tflite", "model.tflite") == 0);
    CHECK(symlink("../model.tflite", "made/model.tflite") == 0);
    refused("made/model.tflite: not a regular file");
}

static void golden_vectors_are_verified_when_they_are_used(void) {
    struct artifact artifact;
    struct golden golden;
    struct failure failure = {0};
    put("golden.npz", "changed", 7);
    if (!CHECK(artifact_open("made", &artifact, &failure)))
        return;
    CHECK(!artifact_golden(&artifact, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "made/golden.npz: its content changed after the export");
    unlink("made/golden.npz");
    CHECK(!artifact_golden(&artifact, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "made/golden.npz: listed in SHA256SUMS but missing; take the whole");
    artifact_close(&artifact);
    put("golden.npz", "no archive", 10);
    seal();
    if (!CHECK(artifact_open("made", &artifact, &failure)))
        return;
    CHECK(!artifact_golden(&artifact, &golden, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "made/golden.npz: cannot be read as .npz");
    CHECK(golden.features == NULL);
    artifact_close(&artifact);
    make();
}

int main(void) {
    a_folder_is_opened_with_what_was_hashed();
    what_is_not_there_is_named();
    a_file_that_is_not_listed_is_refused();
    without_a_sheet_it_is_told_why();
    what_was_changed_is_refused();
    a_link_is_refused();
    golden_vectors_are_verified_when_they_are_used();
    return CHECKED;
}
