/* What edgeseq-run reads of the artifact in a folder, for test_artifact_files.py: lines of words. */
#include <stdint.h>
#include <stdio.h>

#include "artifact/artifact.h"

static void print_array(const char *name, const struct npy *npy) {
    printf("%s %ld %ld", name, npy->dims[0], npy->dims[1]);
    for (size_t i = 0; i < npy_count(npy); i++)
        if (npy->element == FLOAT32)
            printf(" %.9g", (double)((const float *)npy->data)[i]);
        else
            printf(" %d", ((const int32_t *)npy->data)[i]);
    printf("\n");
}

static void print_all(const struct artifact *artifact, const struct golden *golden) {
    const struct sheet *sheet = &artifact->sheet;
    printf("name %s\nmanifest %s\nlabels", sheet->name, sheet->manifest_sha256);
    for (int i = 0; i < sheet->labels_count; i++)
        printf(" %s", sheet->labels[i]);
    printf("\nmodel %s %s %zu\n", artifact->model_path, artifact->model_sha256, artifact->model.size);
    printf("tolerances %.17g %.17g\nmedian %d\n", sheet->sequence.tolerance, sheet->step.tolerance,
           golden_median(golden));
    for (int i = 0; i < golden->count; i++)
        print_array("features", &golden->features[i]);
    print_array("reference", &golden->reference);
    print_array("step_reference", &golden->step_reference);
}

int main(int argc, char **argv) {
    struct artifact artifact = {0};
    struct golden golden = {0};
    struct failure failure = {FAULT, "give a folder"};
    bool opened = argc == 2 && artifact_open(argv[1], &artifact, &failure) &&
                  artifact_golden(&artifact, &golden, &failure);
    if (opened)
        print_all(&artifact, &golden);
    else
        fprintf(stderr, "%s\n", failure.message);
    golden_free(&golden);
    artifact_close(&artifact);
    return opened ? 0 : failure.exit_code;
}
