#include "artifact/golden.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/zip.h"
#include "base/finite.h"

static const char REFERENCE[] = "reference_tflite.npy", STEP_REFERENCE[] = "reference_tflite_step.npy";

/* An archive that is being read. */
struct source {
    struct zip zip;
    const char *path;
    const struct sheet *sheet;
    struct failure *failure;
};

/* Copies a member that lies unaligned; golden_free() frees the copy. */
static bool align(const struct source *source, struct zip_member *member, void **copy) {
    if ((uintptr_t)member->data % sizeof(float) == 0 || member->size == 0)
        return true;
    *copy = malloc(member->size);
    if (*copy == NULL)
        return fail_memory(source->failure);
    memcpy(*copy, member->data, member->size);
    member->data = *copy;
    return true;
}

/* An array [rows, columns] of finite values; rows -1: one or more. */
static bool read_array(const struct source *source, const char *name, enum element element, long rows,
                       long columns, struct npy *npy, void **copy) {
    char where[300];
    struct zip_member member = {0};
    snprintf(where, sizeof where, "%.200s: %s", source->path, name);
    if (!zip_read(&source->zip, name, source->path, &member, source->failure) ||
        !align(source, &member, copy) || !npy_parse(member.data, member.size, where, npy, source->failure))
        return false;
    bool fits = npy->rank == 2 && npy->element == element && npy->dims[0] > 0 &&
                (rows < 0 || npy->dims[0] == rows) && npy->dims[1] == columns;
    if (!fits)
        return fail_export(source->failure, "%s: not of the type and shape that the sheet has", where);
    if (element == FLOAT32 && finite_count(npy->data, npy_count(npy)) < npy_count(npy))
        return fail_export(source->failure, "%s: holds NaN or infinity", where);
    return true;
}

static bool read_features(const struct source *source, struct golden *golden) {
    const struct sheet *sheet = source->sheet;
    for (int i = 0; i < golden->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "features_%02d.npy", i);
        if (!read_array(source, name, sheet->element, -1, sheet->features_count, &golden->features[i],
                        &golden->copies[i]))
            return false;
        if (golden->features[i].dims[0] > INT32_MAX)
            return fail(source->failure, BAD_DATA, "%s: %s has too many frames", source->path, name);
    }
    return true;
}

static bool read_references(const struct source *source, struct golden *golden) {
    int count = golden->count, outputs = source->sheet->outputs_count;
    void **copies = golden->copies + count;
    if (!read_array(source, REFERENCE, FLOAT32, count, outputs, &golden->reference, &copies[0]))
        return false;
    golden->step_reference = golden->reference;
    return !zip_has(&source->zip, STEP_REFERENCE) ||
           read_array(source, STEP_REFERENCE, FLOAT32, count, outputs, &golden->step_reference, &copies[1]);
}

bool golden_parse(struct bytes *archive, const char *path, const struct sheet *sheet, struct golden *golden,
                  struct failure *failure) {
    size_t count = (size_t)sheet->golden_count;
    *golden = (struct golden){
        .archive = *archive,
        .count = sheet->golden_count,
        .features = calloc(count, sizeof *golden->features),
        .copies = calloc(count + 2, sizeof *golden->copies),
    };
    *archive = (struct bytes){0};
    struct source source = {.path = path, .sheet = sheet, .failure = failure};
    bool read = golden->features != NULL && golden->copies != NULL;
    if (!read)
        fail_memory(failure);
    read = read && zip_open(golden->archive.data, golden->archive.size, path, &source.zip, failure) &&
           read_features(&source, golden) && read_references(&source, golden);
    if (!read)
        golden_free(golden);
    return read;
}

int golden_median(const struct golden *golden) {
    for (int i = 0; i < golden->count; i++) {
        int shorter = 0; /* inputs before this one, sorted by length and then as they are */
        for (int j = 0; j < golden->count; j++) {
            long frames = golden->features[j].dims[0], own = golden->features[i].dims[0];
            shorter += frames < own || (frames == own && j < i);
        }
        if (shorter == (golden->count - 1) / 2)
            return i;
    }
    return 0;
}

void golden_free(struct golden *golden) {
    for (int i = 0; golden->copies != NULL && i < golden->count + 2; i++)
        free(golden->copies[i]);
    free(golden->copies);
    free(golden->features);
    bytes_free(&golden->archive);
    *golden = (struct golden){0};
}
