/* `edgeseq-run check`: does this LiteRT library work here, and does it answer as an artifact's golden
 * vectors? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "litert/litert.h"
#include "litert/model.h"
#include "measure/options.h"
#include "measure/parity.h"

static const char USE[] =
    "edgeseq-run check [ARTIFACT]: try the LiteRT library, and its answers to the artifact's golden vectors\n"
    "\n";

/* One form's answers held against the reference's. */
static bool compare(const struct artifact *artifact, struct model *model, const struct golden *golden,
                    bool of_step, struct failure *failure) {
    const char *name = of_step ? "step" : "sequence";
    double tolerance = of_step ? artifact->sheet.step.tolerance : artifact->sheet.sequence.tolerance;
    float *answers = parity_answers(model, artifact, golden, of_step, failure);
    if (answers == NULL)
        return false;
    struct parity parity = parity_judge(artifact, golden, of_step, answers);
    free(answers);
    char decisions[48] = "";
    if (artifact->sheet.task != FORECAST)
        snprintf(decisions, sizeof decisions, ", %zu decisions changed", parity.decisions_changed);
    if (!parity.ok)
        return fail(
            failure, OUT_OF_PARITY,
            "%s: the %s form is out of parity: off by %.2g in golden vector %zu (at most %g)%s; use the "
            "Python runner here",
            artifact->folder, name, parity.finite ? parity.error : HUGE_VAL, parity.worst, tolerance,
            decisions);
    printf("%s: %s form, %d golden vectors, off by %.2g (at most %g)\n", artifact->folder, name,
           golden->count, parity.error, tolerance);
    return true;
}

static bool check_artifact(struct litert *litert, const char *folder, int threads, struct failure *failure) {
    struct artifact artifact = {0};
    struct golden golden = {0};
    struct model *model = NULL;
    bool is_ok = artifact_open(folder, &artifact, failure) && artifact_golden(&artifact, &golden, failure) &&
                 (model = model_load(litert, &artifact, threads, failure)) != NULL &&
                 compare(&artifact, model, &golden, false, failure) &&
                 (!model_has_step(model) || compare(&artifact, model, &golden, true, failure));
    model_free(model);
    golden_free(&golden);
    artifact_close(&artifact);
    return is_ok;
}

int command_check(int argc, char **argv, struct failure *failure) {
    struct options options;
    if (!options_parse(argc, argv, CHECK_LIBRARY, 0, 1, "one artifact at most", &options, failure))
        return FAILED;
    if (options.help)
        return options_help(USE);
    struct litert *litert = litert_open(options.library, options.library_version, failure);
    bool is_ok = litert != NULL;
    if (is_ok)
        printf("%s: opens (%s)\n", litert_path(litert), litert_version(litert));
    if (is_ok && options.operands_count > 0)
        is_ok = check_artifact(litert, options.operands[0], (int)options.threads, failure);
    litert_close(litert);
    return is_ok ? 0 : FAILED;
}
