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

int states_window(const struct form *step) {
    static const char KEYS[] = ".keys";
    int window = 0;
    for (int i = 0; i < step->states_count; i++) {
        const struct state *state = &step->states[i];
        size_t length = strlen(state->name), end = sizeof KEYS - 1;
        bool is_cache = state->rank > 0 && length > end && strcmp(state->name + length - end, KEYS) == 0;
        window = is_cache && state->dims[0] > window ? state->dims[0] : window;
    }
    return window;
}
