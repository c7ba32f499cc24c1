#include "litert/model.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "litert/give_back.h"
#include "litert/graph.h"

/* What a step gives back under a state's name with .next, to be taken under its name. */
struct carried {
    struct port *before, *after;
    float initial;
};

/* One form: ports of its graph. */
struct loaded_form {
    struct graph graph;
    struct port *features, *logits;
    struct carried *states; /* of a step, [form->states_count] */
    bool is_ready;          /* of a step: every port has memory */
};

struct model {
    struct litert *litert;
    const struct artifact *artifact;
    struct litert_model *model;
    struct litert_options *options;
    char xnnpack[32]; /* text that the options point to */
    struct litert_compiled_model *compiled;
    struct loaded_form sequence, step;
    int frames; /* of the sequence form's memory; 0: none yet */
};

static bool refused(const struct model *model, const char *what, int status, struct failure *failure) {
    return graph_refused(model->litert, model->artifact->model_path, what, status, failure);
}

static void keep(void *text) {
    (void)text;
}

/* CPU only, XNNPACK with that many threads. */
static bool make_options(struct model *model, int threads, struct failure *failure) {
    const struct litert_calls *calls = &model->litert->calls;
    struct litert_opaque_options *xnnpack = NULL;
    snprintf(model->xnnpack, sizeof model->xnnpack, "num_threads = %d\n", threads);
    int status = calls->create_options(&model->options);
    if (status == LITERT_OK)
        status = calls->set_accelerators(model->options, LITERT_CPU);
    if (status == LITERT_OK)
        status = calls->create_opaque_options("xnnpack", model->xnnpack, keep, &xnnpack);
    if (status == LITERT_OK)
        status = calls->add_opaque_options(model->options, xnnpack); /* and takes them over */
    if (status == LITERT_OK)
        return true;
    if (xnnpack != NULL)
        calls->destroy_opaque_options(xnnpack);
    return refused(model, "its options", status, failure);
}

static bool open_form(struct model *model, struct loaded_form *loaded, const struct form *form,
                      struct failure *failure) {
    struct graph *graph = &loaded->graph;
    if (!graph_open(graph, model->litert, model->model, model->artifact->model_path, form, failure))
        return false;
    loaded->states = calloc((size_t)form->states_count + 1, sizeof *loaded->states); /* 0 are fine */
    if (loaded->states == NULL)
        return fail_memory(failure);
    /* All are there: the sheet names them among its tensors. */
    loaded->features = graph_port(graph, true, "features", "");
    loaded->logits = graph_port(graph, false, "logits", "");
    for (int i = 0; i < form->states_count; i++)
        loaded->states[i] = (struct carried){graph_port(graph, true, form->states[i].name, ""),
                                             graph_port(graph, false, form->states[i].name, ".next"),
                                             form->states[i].initial};
    return true;
}

static bool open_forms(struct model *model, struct failure *failure) {
    const struct sheet *sheet = &model->artifact->sheet;
    return open_form(model, &model->sequence, &sheet->sequence, failure) &&
           (!sheet->step.there || (open_form(model, &model->step, &sheet->step, failure) &&
                                   graph_pin_inputs(&model->step.graph, model->options, failure)));
}

static bool compile(struct model *model, int threads, struct failure *failure) {
    const struct litert_calls *calls = &model->litert->calls;
    const struct bytes *file = &model->artifact->model;
    struct litert_environment *environment = model->litert->environment;
    int status = calls->create_model(environment, file->data, file->size, &model->model);
    if (status != LITERT_OK)
        return refused(model, "not a TFLite model that it knows", status, failure);
    give_back_code();
    if (!make_options(model, threads, failure) || !open_forms(model, failure))
        return false;
    status = calls->compile(environment, model->model, model->options, &model->compiled);
    if (status != LITERT_OK)
        return refused(model, "it does not compile", status, failure);
    model->sequence.graph.compiled = model->step.graph.compiled = model->compiled;
    return true;
}

struct model *model_load(struct litert *litert, const struct artifact *artifact, int threads,
                         struct failure *failure) {
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        fail_memory(failure);
        return NULL;
    }
    model->litert = litert;
    model->artifact = artifact;
    if (!compile(model, threads, failure)) {
        model_free(model);
        return NULL;
    }
    give_back_code();
    return model;
}

void model_free(struct model *model) {
    if (model == NULL)
        return;
    const struct litert_calls *calls = &model->litert->calls;
    if (model->compiled != NULL)
        calls->destroy_compiled_model(model->compiled);
    graph_close(&model->sequence.graph);
    graph_close(&model->step.graph);
    free(model->sequence.states);
    free(model->step.states);
    if (model->options != NULL)
        calls->destroy_options(model->options);
    if (model->model != NULL)
        calls->destroy_model(model->model);
    free(model);
}

bool model_prepare_step(struct model *model, struct failure *failure) {
    struct loaded_form *step = &model->step;
    const struct form *form = &model->artifact->sheet.step;
    if (!form->there)
        return fail(failure, BAD_DATA, "%s: has no step form: %s", model->artifact->folder, form->reason);
    if (!step->is_ready && !graph_bind(&step->graph, failure))
        return false;
    if (!step->is_ready) {
        step->is_ready = true;
        model_reset(model);
    }
    return true;
}

static bool check_ids(const struct model *model, const int32_t *ids, size_t count, struct failure *failure) {
    int32_t lowest = 0;
    for (size_t i = 0; i < count; i++)
        lowest = ids[i] < lowest ? ids[i] : lowest;
    if (lowest < 0)
        return fail(failure, BAD_DATA, "%s: features hold the id %d; ids of tokens are 0 or above",
                    model->artifact->model_path, lowest);
    return true;
}

/* What a runtime answers plausibly and without an error. */
static bool check_features(const struct model *model, const void *features, int frames,
                           struct failure *failure) {
    const struct sheet *sheet = &model->artifact->sheet;
    if (frames < 1)
        return fail(failure, BAD_DATA, "%s: takes features [T >= 1, %d], not %d frames",
                    model->artifact->model_path, sheet->features_count, frames);
    if (sheet->context > 0 && frames != sheet->context)
        return fail(failure, BAD_DATA, "%s: takes exactly %d frames, not %d; give it as many",
                    model->artifact->model_path, sheet->context, frames);
    size_t columns = (size_t)sheet->features_count, count = (size_t)frames * columns;
    if (sheet->element == INT32)
        return check_ids(model, features, count, failure);
    size_t at = finite_count(features, count);
    return at == count ||
           fail(failure, BAD_DATA, "%s: features hold NaN or infinity in frame %zu; mend the recording",
                model->artifact->model_path, at / columns);
}

static bool set_frames(struct model *model, int frames, struct failure *failure) {
    struct loaded_form *sequence = &model->sequence;
    if (frames == model->frames)
        return true;
    model->frames = 0; /* should it fail, the next run plans again */
    bool are_fixed = model->artifact->sheet.context > 0;
    if (!are_fixed && !graph_set_frames(&sequence->graph, sequence->features, frames, failure))
        return false;
    if (!graph_bind(&sequence->graph, failure))
        return false;
    model->frames = frames;
    return true;
}

bool model_run(struct model *model, const void *features, int frames, float *logits,
               struct failure *failure) {
    struct loaded_form *sequence = &model->sequence;
    if (!check_features(model, features, frames, failure) || !set_frames(model, frames, failure))
        return false;
    memcpy(sequence->features->memory, features, sequence->features->bytes);
    if (!graph_run(&sequence->graph, failure))
        return false;
    memcpy(logits, sequence->logits->memory, sequence->logits->bytes);
    return true;
}

bool model_has_step(const struct model *model) {
    return model->artifact->sheet.step.there;
}

void model_reset(struct model *model) {
    if (!model->step.is_ready)
        return; /* it begins so */
    for (int i = 0; i < model->artifact->sheet.step.states_count; i++) {
        const struct carried *state = &model->step.states[i];
        float *values = state->before->memory;
        for (size_t k = 0; k < state->before->bytes / sizeof *values; k++)
            values[k] = state->initial;
    }
}

bool model_step(struct model *model, const void *frame, float *logits, struct failure *failure) {
    struct loaded_form *step = &model->step;
    const struct sheet *sheet = &model->artifact->sheet;
    if (!step->is_ready && !model_prepare_step(model, failure))
        return false;
    if (sheet->element == INT32 && !check_ids(model, frame, (size_t)sheet->features_count, failure))
        return false;
    memcpy(step->features->memory, frame, step->features->bytes);
    if (!graph_run(&step->graph, failure))
        return false;
    for (int i = 0; i < sheet->step.states_count; i++)
        memcpy(step->states[i].before->memory, step->states[i].after->memory, step->states[i].before->bytes);
    memcpy(logits, step->logits->memory, step->logits->bytes);
    return true;
}
