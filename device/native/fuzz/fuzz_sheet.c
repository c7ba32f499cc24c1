/* Any bytes as native.txt: refused, or a sheet that can be read through and freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/sheet.h"
#include "artifact/states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_form(const struct form *form, size_t *length) {
    for (int i = 0; i < form->inputs_count; i++)
        *length += strlen(form->inputs[i].name);
    for (int i = 0; i < form->outputs_count; i++)
        *length += strlen(form->outputs[i].name);
    for (int i = 0; i < form->states_count; i++)
        *length += strlen(form->states[i].name);
    if (form->there ? form->inputs_count < 1 || form->outputs_count < 1 : form->reason == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sheet sheet;
    struct failure failure = {0};
    if (!sheet_parse((const char *)data, size, "native.txt", &sheet, &failure)) {
        if (failure.exit_code != BAD_DATA || failure.message[0] == '\0' || sheet.name != NULL)
            abort();
        return 0;
    }
    size_t length = strlen(sheet.name) + strlen(sheet_task_name(&sheet)) + strlen(sheet.manifest_sha256) +
                    strlen(sheet.model_file) + strlen(sheet.golden_file);
    for (int i = 0; i < sheet.labels_count; i++)
        length += strlen(sheet.labels[i]);
    for (int i = 0; sheet.front_end.mean != NULL && i < sheet.features_count; i++)
        if (!(sheet.front_end.scale[i] > 0))
            abort();
    read_form(&sheet.sequence, &length);
    read_form(&sheet.step, &length);
    if (length > size || states_bytes(&sheet.step) < 0 || states_window(&sheet.step) < 0)
        abort();
    if (sheet.outputs_count < sheet.labels_count || (sheet.context > 0) != (sheet.task == FORECAST))
        abort();
    sheet_free(&sheet);
    return 0;
}
