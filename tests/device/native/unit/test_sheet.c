/* native.txt: one whole sheet, and every way to spoil it. */
#include <stdlib.h>

#include "artifact/sheet.h"
#include "artifact/states.h"
#include "check.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char WHOLE[] = "edgeseq-native 1\n"
                            "name gr%C3%B6%C3%9Fe\n"
                            "task classify\n"
                            "manifest " HASH "\n"
                            "labels 3\n"
                            "label turn%20left\n"
                            "label \n"
                            "label 100%25\n"
                            "features 2 float32\n"
                            "front_end log_mel\n"
                            "sample_rate_hz 8000\n"
                            "frame_samples 200\n"
                            "hop_samples 80\n"
                            "fft_size 256\n"
                            "mels 2\n"
                            "low_hz 20.0\n"
                            "high_hz 4000.0\n"
                            "pre_emphasis 0.97\n"
                            "floor 1e-08\n"
                            "mean 2 -10.612215 0.5\n"
                            "scale 2 3.911433 0.0001\n"
                            "model model.tflite\n"
                            "weight_bytes 20608\n"
                            "rejection_threshold 0.5\n"
                            "golden golden.npz 16\n"
                            "sequence serving_default 0.001\n"
                            "input features float32 1 T 2\n"
                            "output logits float32 1 3\n"
                            "step step 2e-05\n"
                            "input features float32 1 2\n"
                            "input gru0.h float32 1 8\n"
                            "output logits float32 1 3\n"
                            "output gru0.h.next float32 1 8\n"
                            "state gru0.h -3.4028234663852886e+38 1 8\n"
                            "end\n";

/* In memory of just that size. */
static bool parse(const char *text, size_t size, struct sheet *sheet, struct failure *failure) {
    char *copy = malloc(size + (size == 0));
    if (copy == NULL)
        abort();
    memcpy(copy, text, size);
    bool parsed = sheet_parse(copy, size, "native.txt", sheet, failure);
    free(copy);
    return parsed;
}

/* The whole sheet with `old` in it replaced by `new`. */
static bool parse_with(const char *old, const char *new, struct sheet *sheet, struct failure *failure) {
    char text[sizeof WHOLE + 4096];
    const char *found = strstr(WHOLE, old);
    if (!CHECK(found != NULL))
        return false;
    int size = snprintf(text, sizeof text, "%.*s%s%s", (int)(found - WHOLE), WHOLE, new, found + strlen(old));
    return parse(text, (size_t)size, sheet, failure);
}

static void every_line_is_read(void) {
    struct sheet sheet;
    struct failure failure = {0};
    if (!CHECK(parse(WHOLE, sizeof WHOLE - 1, &sheet, &failure))) {
        fprintf(stderr, "%s\n", failure.message);
        return;
    }
    CHECK_TEXT(sheet.name, "größe");
    CHECK(sheet.task == CLASSIFY && sheet.context == 0 && sheet.horizon == 1);
    CHECK_TEXT(sheet_task_name(&sheet), "classify");
    CHECK_LONG(sheet.outputs_count, 3);
    CHECK_LONG(states_bytes(&sheet.step), 32);
    CHECK_LONG(states_window(&sheet.step), 0);
    CHECK_TEXT(sheet.manifest_sha256, HASH);
    CHECK_LONG(sheet.labels_count, 3);
    CHECK_TEXT(sheet.labels[0], "turn left");
    CHECK_TEXT(sheet.labels[1], "");
    CHECK_TEXT(sheet.labels[2], "100%");
    CHECK(sheet.features_count == 2 && sheet.element == FLOAT32);
    CHECK_TEXT(sheet.model_file, "model.tflite");
    CHECK_LONG(sheet.weight_bytes, 20608);
    CHECK(sheet.rejects && sheet.rejection_threshold == 0.5);
    CHECK_TEXT(sheet.golden_file, "golden.npz");
    CHECK_LONG(sheet.golden_count, 16);
    const struct front_end *front_end = &sheet.front_end;
    CHECK(front_end->kind == FRONT_LOG_MEL && front_end->sample_rate_hz == 8000);
    CHECK(front_end->frame_samples == 200 && front_end->hop_samples == 80);
    CHECK(front_end->fft_size == 256 && front_end->mels == 2 && front_end->count == 2);
    CHECK(front_end->low_hz == 20 && front_end->high_hz == 4000);
    CHECK(front_end->pre_emphasis == 0.97 && front_end->floor == 1e-8);
    CHECK(front_end->mean[0] == -10.612215F && front_end->scale[1] == 0.0001F);
    const struct form *sequence = &sheet.sequence, *step = &sheet.step;
    CHECK(sequence->there && sequence->tolerance == 0.001 && sequence->states_count == 0);
    CHECK_TEXT(sequence->signature, "serving_default");
    CHECK(sequence->inputs_count == 1 && sequence->inputs[0].rank == 3);
    CHECK(sequence->inputs[0].dims[1] == -1 && sequence->inputs[0].dims[2] == 2);
    CHECK(step->there && step->inputs_count == 2 && step->outputs_count == 2);
    CHECK_TEXT(step->outputs[1].name, "gru0.h.next");
    CHECK(step->states_count == 1 && step->states[0].rank == 2 && step->states[0].dims[1] == 8);
    CHECK(step->states[0].initial < -3.4e38F);
    sheet_free(&sheet);
    CHECK(sheet.name == NULL && sheet.labels == NULL);
}

#define STEP_LINES \
    "step step 2e-05\ninput features float32 1 2\ninput gru0.h float32 1 8\noutput logits float32 1 3\n" \
    "output gru0.h.next float32 1 8\nstate gru0.h -3.4028234663852886e+38 1 8\n"
#define STATISTICS "mean 2 -10.612215 0.5\nscale 2 3.911433 0.0001\n"
#define LOG_MEL \
    "log_mel\nsample_rate_hz 8000\nframe_samples 200\nhop_samples 80\nfft_size 256\nmels 2\n" \
    "low_hz 20.0\nhigh_hz 4000.0\npre_emphasis 0.97\nfloor 1e-08\n" STATISTICS

static void what_may_be_left_out_may(void) {
    struct sheet sheet;
    struct failure failure;
    CHECK(parse_with("rejection_threshold 0.5\n", "", &sheet, &failure) && !sheet.rejects);
    sheet_free(&sheet);
    CHECK(parse_with(STATISTICS, "", &sheet, &failure) && sheet.front_end.mean == NULL);
    sheet_free(&sheet);
    CHECK(parse_with(STEP_LINES, "step_none gru0%20reads%20frames\n", &sheet, &failure));
    CHECK(!sheet.step.there);
    CHECK_TEXT(sheet.step.reason, "gru0 reads frames");
    sheet_free(&sheet);
    CHECK(parse_with(LOG_MEL, "none\n", &sheet, &failure) && sheet.front_end.kind == FRONT_NONE);
    sheet_free(&sheet);
    CHECK(parse_with(LOG_MEL, "standardise\nsample_rate_hz 0\n", &sheet, &failure));
    CHECK(sheet.front_end.kind == FRONT_STANDARDISE && sheet.front_end.count == 2);
    sheet_free(&sheet);
    CHECK(parse_with(LOG_MEL, "standardise\nsample_rate_hz 50\n" STATISTICS, &sheet, &failure));
    CHECK(sheet.front_end.scale[0] == 3.911433F);
    sheet_free(&sheet);
}

static void ids_are_for_tokens(void) {
    static const char TEXT[] =
        "edgeseq-native 1\nname n\ntask classify\nmanifest " HASH "\nlabels 2\nlabel a\nlabel b\n"
        "features 18 int32\nfront_end tokens\nmodel m\nweight_bytes 0\ngolden g 1\nsequence s 0.5\n"
        "input features int32 1 T 18\noutput logits float32 1 2\nstep_none \nend\n";
    struct sheet sheet;
    struct failure failure;
    CHECK(parse(TEXT, sizeof TEXT - 1, &sheet, &failure));
    CHECK(sheet.element == INT32 && sheet.front_end.kind == FRONT_TOKENS);
    CHECK_TEXT(sheet.step.reason, "");
    sheet_free(&sheet);
}

static void a_sequence_may_give_the_states_of_the_step(void) {
    struct sheet sheet;
    struct failure failure;
    CHECK(parse_with("step step", "output gru0.h.next float32 1 8\nstep step", &sheet, &failure));
    CHECK_LONG(sheet.sequence.outputs_count, 2);
    sheet_free(&sheet);
    CHECK(parse_with(STEP_LINES,
                     "step step 2e-05\ninput features float32 1 2\ninput a.keys float32 5 4\n"
                     "input b.keys float32 7 4\noutput logits float32 1 3\noutput a.keys.next float32 5 4\n"
                     "output b.keys.next float32 7 4\nstate a.keys 0.0 5 4\nstate b.keys 0.0 7 4\n",
                     &sheet, &failure));
    CHECK_LONG(states_window(&sheet.step), 5);
    CHECK_LONG(states_bytes(&sheet.step), 4 * (5 + 7) * 4);
    sheet_free(&sheet);
    CHECK(parse_with(STEP_LINES,
                     "step step 2e-05\ninput features float32 1 2\ninput a.keys float32 5 4\n"
                     "input gru0.h float32 1 8\noutput logits float32 1 3\noutput a.keys.next float32 5 4\n"
                     "output gru0.h.next float32 1 8\nstate a.keys 0.0 5 4\nstate gru0.h 0.0 1 8\n",
                     &sheet, &failure));
    CHECK_LONG(states_window(&sheet.step), 0);
    sheet_free(&sheet);
}

#define FORECASTER(labels, frames, outputs) \
    "edgeseq-native 1\nname n\ntask forecast\nmanifest " HASH "\n" labels "features 1 float32\ncontext 9\n" \
    "horizon 4\nfront_end standardise\nsample_rate_hz 0\nmodel m\nweight_bytes 0\ngolden g 1\n" \
    "sequence s 0.5\ninput features float32 1 " frames " 1\noutput logits float32 1 " outputs "\n" \
    "step_none it%20has%20none\nend\n"

static void a_forecaster_has_a_context_and_a_horizon(void) {
    static const struct {
        const char *text, *said;
    } CASES[] = {
        {FORECASTER("labels 1\nlabel a\n", "9", "4"), NULL},
        {FORECASTER("labels 1\nlabel a\n", "T", "4"), "sequence: it has no input `features`"},
        {FORECASTER("labels 1\nlabel a\n", "8", "4"), "sequence: it has no input `features`"},
        {FORECASTER("labels 1\nlabel a\n", "9", "1"), "sequence: it has no output `logits`"},
        {FORECASTER("labels 2\nlabel a\nlabel b\n", "9", "8"), "takes readings of the channels"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct sheet sheet;
        struct failure failure = {0};
        bool parsed = parse(CASES[i].text, strlen(CASES[i].text), &sheet, &failure);
        CHECK(parsed == (CASES[i].said == NULL));
        if (!parsed) {
            CHECK_FAILURE(failure, BAD_DATA, CASES[i].said);
            continue;
        }
        CHECK(sheet.task == FORECAST && sheet.context == 9 && sheet.horizon == 4);
        CHECK_LONG(sheet.outputs_count, 4);
        sheet_free(&sheet);
    }
}

static void a_sheet_cut_anywhere_is_refused(void) {
    for (size_t size = 0; size + 1 < sizeof WHOLE; size++) {
        struct sheet sheet;
        struct failure failure = {0};
        CHECK(!parse(WHOLE, size, &sheet, &failure));
        CHECK_FAILURE(failure, BAD_DATA, "export the artifact again");
    }
}

static size_t line_size(const char *line) {
    return strcspn(line, "\n") + 1;
}

/* The whole sheet but for the line at `line`, that comes `times` times. */
static bool parse_repeated(const char *line, int times, struct failure *failure) {
    char text[2 * sizeof WHOLE];
    size_t size = (size_t)(line - WHOLE);
    memcpy(text, WHOLE, size);
    for (; times > 0; times--, size += line_size(line))
        memcpy(text + size, line, line_size(line));
    const char *rest = line + line_size(line);
    memcpy(text + size, rest, strlen(rest));
    struct sheet sheet;
    bool parsed = parse(text, size + strlen(rest), &sheet, failure);
    if (parsed)
        sheet_free(&sheet);
    return parsed;
}

static void a_line_that_is_missing_or_there_twice_is_refused(void) {
    for (const char *line = WHOLE; *line != '\0'; line += line_size(line)) {
        struct failure failure = {0};
        bool optional = strncmp(line, "rejection", 9) == 0;
        CHECK(parse_repeated(line, 0, &failure) == optional);
        failure = (struct failure){0};
        CHECK(!parse_repeated(line, 2, &failure));
        CHECK_FAILURE(failure, BAD_DATA, "export the artifact again");
    }
}

/* Every number, and every T, with a word in its place that is none. */
static void a_word_that_is_no_number_is_refused(void) {
    static const char *const WORDS[] = {"nan", "inf", "1e309", "0x10", "1,5", "%", ""};
    for (const char *at = strchr(WHOLE, ' ') + 1; (at = strpbrk(at, " ")) != NULL;) {
        bool label = strncmp(at - 5, "label", 5) == 0;
        at++;
        if (label || strspn(at, "-0123456789T") == 0)
            continue;
        for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
            char text[sizeof WHOLE + 64];
            int size = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - WHOLE), WHOLE, WORDS[i],
                                at + strcspn(at, " \n"));
            struct sheet sheet;
            struct failure failure = {0};
            if (!CHECK(!parse(text, (size_t)size, &sheet, &failure)))
                sheet_free(&sheet);
            CHECK_FAILURE(failure, BAD_DATA, "native.txt:");
        }
    }
}

static void what_cannot_be_is_named_with_its_line(void) {
    static const struct {
        const char *old, *new, *said;
    } WRONG[] = {
        {"native 1", "native 2", "native.txt: version 2 is not known, this edgeseq-run reads version 1"},
        {"native 1", "native 1 ", "native.txt:1: the line `edgeseq-native` has too many words"},
        {"edgeseq-native 1", "{}", "native.txt:1: `{}` where the line `edgeseq-native` must be"},
        {"name gr", "nam gr", "native.txt:2: `nam gr%C3%B6%C3%9Fe` where the line `name` must be"},
        {"%C3%9F", "%C3", "native.txt:2: `gr%C3%B6%C3e` is not percent-encoded UTF-8"},
        {"name gr%C3%B6%C3%9Fe", "name", "native.txt:2: the line `name` has too few words"},
        {"name gr%C3%B6%C3%9Fe", "name ", "native.txt:2: the line `name` has an empty name"},
        {"classify", "cl\tassify", "native.txt:3: holds a character that is not printable ASCII"},
        {"classify", "classify x", "native.txt:3: the line `task` has too many words"},
        {"manifest 0", "manifest A", "native.txt:4: manifest: not a sha256"},
        {"manifest 0", "manifest 00", "native.txt:4: manifest: not a sha256"},
        {"labels 3", "labels 1", "native.txt:5: labels: `1` must be a whole number from 2 to 100000"},
        {"labels 3", "labels 2", "native.txt:8: `label 100%25` where the line `features` must be"},
        {"labels 3", "labels 4", "native.txt:9: `features 2 float32` where the line `label` must be"},
        {"labels 3", "labels 100001", "native.txt:5: labels: `100001` must be"},
        {"features 2 float32", "features 0 float32", "native.txt:9: features: `0` must be"},
        {"2 float32", "2 float64", "native.txt:9: features: the type must be float32 or int32"},
        {"2 float32", "2 int32", "native.txt: the front end has settings that do not fit together"},
        {"log_mel", "mfcc", "native.txt:10: front_end `mfcc` is not known to this edgeseq-run"},
        {"task classify", "task", "native.txt:3: task `` is not known to this edgeseq-run"},
        {"task classify", "task rank", "native.txt:3: task `rank` is not known to this edgeseq-run"},
        {"task classify", "task forecast",
         "native.txt:10: `front_end log_mel` where the line `context` must"},
        {LOG_MEL, "tokens\n", "native.txt: the front end has settings that do not fit together"},
        {"rate_hz 8000", "rate_hz 0", "native.txt: the front end has settings that do not fit together"},
        {"frame_samples 200", "frame_samples 1", "native.txt:12: frame_samples: `1` must be"},
        {"frame_samples 200", "frame_samples 257",
         "native.txt: the front end has settings that do not fit together"},
        {"hop_samples 80", "hop_samples 0", "native.txt:13: hop_samples: `0` must be"},
        {"fft_size 256", "fft_size 255", "native.txt: the front end has settings that do not fit together"},
        {"fft_size 256", "fft_size 2097152", "native.txt:14: fft_size: `2097152` must be"},
        {"mels 2", "mels 3", "native.txt: the front end has settings that do not fit together"},
        {"mels 2", "mels 1025", "native.txt:15: mels: `1025` must be"},
        {"low_hz 20.0", "low_hz -0.1", "native.txt: the front end has settings that do not fit together"},
        {"low_hz 20.0", "low_hz 4000.0", "native.txt: the front end has settings that do not fit together"},
        {"high_hz 4000.0", "high_hz 4000.1",
         "native.txt: the front end has settings that do not fit together"},
        {"pre_emphasis 0.97", "pre_emphasis -1e30",
         "native.txt: the front end has settings that do not fit together"},
        {"floor 1e-08", "floor 0.0", "native.txt: the front end has settings that do not fit together"},
        {"floor 1e-08", "floor nan", "native.txt:19: floor: `nan` must be a finite number"},
        {"mean 2 -10.612215", "mean 1 -10.612215", "native.txt:20: mean: `1` must be a whole number from 2"},
        {" 0.5\nscale", "\nscale", "native.txt:20: mean: `` must be a finite number"},
        {" 0.5\nscale", " 0.5 1\nscale", "native.txt:20: the line `mean` has too many words"},
        {"-10.612215", "1e39", "native.txt:20: mean: 1e+39 is beyond float32"},
        {"scale 2 3.911433 0.0001\n", "", "native.txt:21: `model model.tflite` where the line `scale`"},
        {"mean 2 -10.612215 0.5\n", "", "native.txt:20: `scale 2 3.911433 0.0001` where the line `model`"},
        {"3.911433", "0.0", "native.txt: the front end has settings that do not fit together"},
        {"3.911433", "1e-60", "native.txt: the front end has settings that do not fit together"},
        {"model model.tflite", "model ../model", "native.txt: model or golden names no plain file"},
        {"golden.npz", "a%2Fb", "native.txt: model or golden names no plain file of the artifact"},
        {"golden.npz 16", "golden.npz 0", "native.txt:25: golden: `0` must be"},
        {"golden.npz 16", "golden.npz 4097", "native.txt:25: golden: `4097` must be"},
        {"bytes 20608", "bytes -1", "native.txt:23: weight_bytes: `-1` must be"},
        {"threshold 0.5", "threshold 1.5", "native.txt: rejection_threshold is not from 0 to 1"},
        {"default 0.001", "default 0", "native.txt: sequence: its parity tolerance"},
        {"default 0.001", "default 1.0", "native.txt: sequence: its parity tolerance"},
        {"1 T 2", "1 T T", "native.txt:27: input: `T` must be a whole number from 1"},
        {"1 T 2", "1 T 0", "native.txt:27: input: `0` must be a whole number from 1"},
        {"1 T 2", "1 T 2 1 1", "native.txt:27: input: more than 4 sizes"},
        {"1 T 2", "1 T 2 1", "sequence: it has no input `features` of the type and sizes"},
        {"1 T 2", "16384 T 16385", "native.txt:27: input: `16385` must be a whole number from 1 to 16384"},
        {"1 T 2", "1 T 3", "sequence: it has no input `features` of the type and sizes"},
        {"1 T 2", "1 5 2", "sequence: it has no input `features` of the type and sizes"},
        {"features float32 1 T", "features int32 1 T", "sequence: it has no input `features`"},
        {"logits float32 1 3", "logits float32 1 4", "sequence: it has no output `logits`"},
        {"logits float32 1 3", "logit float32 1 3", "sequence: it has no output `logits`"},
        {"logits float32 1 3", "logits float32 3", "sequence: it has no output `logits`"},
        {"step step", "output gru0.h.next float32 1 9\nstep step",
         "sequence: its other tensors are not its states"},
        {"step step", "output gru0.c.next float32 1 8\nstep step",
         "sequence: its other tensors are not its states"},
        {"output logits", "input gru0.h float32 1 8\noutput logits",
         "sequence: its other tensors are not its st"},
        {"input features float32 1 2", "input features float32 T 2", "native.txt:30: input: `T` must be"},
        {"input gru0.h float32 1 8\n", "", "step: its other tensors are not its states"},
        {"input gru0.h f", "input gru0.h.x f", "step: its other tensors are not its states"},
        {"gru0.h float32 1 8", "gru0.h float32 1 9", "step: its other tensors are not its states"},
        {"gru0.h float32 1 8", "gru0.h int32 1 8", "step: its other tensors are not its states"},
        {"gru0.h.next float32 1 8", "gru0.h float32 1 8", "step: its other tensors are not its states"},
        {"gru0.h.next float32 1 8", "gru0.h.next float32 8", "step: its other tensors are not its states"},
        {"input gru0.h float32 1 8", "input features float32 1 8",
         "step: its other tensors are not its states"},
        {"state gru0.h", "state features", "step: its other tensors are not its states"},
        {"+38 1 8", "+39 1 8", "native.txt:34: state: -3.40282e+39 is beyond float32"},
        {"end\n", "end x\n", "native.txt:35: the line `end` has too many words"},
        {"end\n", "end\n\n", "native.txt:36: there is more after the line `end`"},
        {"end\n", "more 1\nend\n", "native.txt:35: `more 1` where the line `end` must be"},
        {"end\n", "end", "native.txt: was cut off"},
        {"golden golden.npz 16\n", "unknown 1\ngolden golden.npz 16\n", "native.txt:25: `unknown 1` where"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct sheet sheet;
        struct failure failure = {0};
        CHECK(!parse_with(WRONG[i].old, WRONG[i].new, &sheet, &failure));
        CHECK_FAILURE(failure, BAD_DATA, WRONG[i].said);
        CHECK(sheet.name == NULL);
    }
}

static void two_states_of_one_name_are_refused(void) {
    struct sheet sheet;
    struct failure failure = {0};
    CHECK(!parse_with("input gru0.h float32 1 8\noutput logits float32 1 3\noutput gru0.h.next float32 1 8\n"
                      "state gru0.h -3.4028234663852886e+38 1 8\n",
                      "input gru0.h float32 1 8\ninput other float32 1 8\noutput logits float32 1 3\n"
                      "output gru0.h.next float32 1 8\noutput other.next float32 1 8\n"
                      "state gru0.h 0.0 1 8\nstate gru0.h 0.0 1 8\n",
                      &sheet, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "step: its other tensors are not its states");
}

static void more_tensors_or_states_than_a_form_can_have_are_refused(void) {
    static const struct {
        const char *before, *line, *said;
    } CASES[] = {{"input gru0.h f", "input x float32 1\n", "input: more than 64 of one form"},
                 {"state gru0.h", "state x 0.0 1\n", "state: more than 64"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[4096];
        size_t size = 0;
        for (int line = 0; line < 65; line++)
            size += (size_t)snprintf(text + size, sizeof text - size, "%s", CASES[i].line);
        snprintf(text + size, sizeof text - size, "%s", CASES[i].before);
        struct sheet sheet;
        struct failure failure = {0};
        CHECK(!parse_with(CASES[i].before, text, &sheet, &failure));
        CHECK_FAILURE(failure, BAD_DATA, CASES[i].said);
    }
}

static void a_nul_anywhere_is_refused(void) {
    for (size_t at = 0; at + 1 < sizeof WHOLE; at += 7) {
        char text[sizeof WHOLE];
        struct sheet sheet;
        struct failure failure = {0};
        memcpy(text, WHOLE, sizeof WHOLE);
        text[at] = '\0';
        CHECK(!parse(text, sizeof WHOLE - 1, &sheet, &failure));
        CHECK_FAILURE(failure, BAD_DATA, "holds a character that is not printable ASCII");
    }
}

int main(void) {
    every_line_is_read();
    what_may_be_left_out_may();
    ids_are_for_tokens();
    a_sequence_may_give_the_states_of_the_step();
    a_forecaster_has_a_context_and_a_horizon();
    a_sheet_cut_anywhere_is_refused();
    a_line_that_is_missing_or_there_twice_is_refused();
    a_word_that_is_no_number_is_refused();
    what_cannot_be_is_named_with_its_line();
    two_states_of_one_name_are_refused();
    more_tensors_or_states_than_a_form_can_have_are_refused();
    a_nul_anywhere_is_refused();
    return CHECKED;
}
