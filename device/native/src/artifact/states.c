#include "artifact/states.h"

#include <string.h>

long states_bytes(const struct form *step) {
    long bytes = 0;
    for (int i = 0; i < step->states_count; i++) {
        long values = 1;
        for (int k = 0; k < step->states[i].rank; k++)
            values *= step->states[i].dims[k];
        bytes += values * (long)sizeof(float);
    }
    return bytes;
}

/* The length of the name of the layer whose state this is: what stands in front of the last dot. */
static size_t layer_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot == NULL ? 0 : (size_t)(dot - name);
}

/* The rows of the keys of a state's layer, one for each token that it sees; 0 where it has none. */
static int layer_window(const struct form *step, const char *name) {
    size_t length = layer_length(name);
    for (int i = 0; i < step->states_count; i++) {
        const struct state *state = &step->states[i];
        if (state->rank > 0 && strncmp(state->name, name, length) == 0 &&
            strcmp(state->name + length, ".keys") == 0)
            return state->dims[0];
    }
    return 0;
}

int states_window(const struct form *step) {
    int least = 0;
    for (int i = 0; i < step->states_count; i++) {
        int window = layer_window(step, step->states[i].name);
        if (window == 0)
            return 0;
        least = least == 0 || window < least ? window : least;
    }
    return least;
}
