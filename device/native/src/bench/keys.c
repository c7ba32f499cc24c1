#include "bench/keys.h"

#include <string.h>

/* In the order of a result, names in the order of the kinds. */
static const char KIND_NAMES[KINDS_COUNT][18] = {
    "ram",   "parity", "step_parity", "instructions", "step_instructions", "latency", "step_latency",
    "power", "fits",   "accuracy",    "realtime",     "sustained",         "profile",
};

const struct key KEYS[KEYS_COUNT] = {
    {"ram_start_bytes\0RAM, start", KIND_RAM, WHOLE, BYTES},
    {"ram_numpy_bytes\0-", KIND_RAM, WHOLE, BYTES},
    {"ram_runtime_bytes\0RAM, + runtime", KIND_RAM, WHOLE, BYTES},
    {"ram_loaded_bytes\0RAM, + model", KIND_RAM, WHOLE, BYTES},
    {"ram_first_bytes\0RAM, 1st inference", KIND_RAM, WHOLE, BYTES},
    {"ram_steady_bytes\0RAM, steady", KIND_RAM, WHOLE, BYTES},
    {"ram_peak_bytes\0RAM, peak", KIND_RAM, WHOLE, BYTES},
    {"ram_pss_bytes\0RAM, proportional", KIND_RAM, WHOLE, BYTES},
    {"parity_error", KIND_PARITY, NUMBER, ANOTHER},
    {"parity_tolerance", KIND_PARITY, NUMBER, ANOTHER},
    {"parity_n", KIND_PARITY, WHOLE, ANOTHER},
    {"parity_decisions_changed", KIND_PARITY, WHOLE, ANOTHER},
    {"parity_ok", KIND_PARITY, FLAG, ANOTHER},
    {"step_parity_error", KIND_STEP_PARITY, NUMBER, ANOTHER},
    {"step_parity_tolerance", KIND_STEP_PARITY, NUMBER, ANOTHER},
    {"step_parity_n", KIND_STEP_PARITY, WHOLE, ANOTHER},
    {"step_parity_decisions_changed", KIND_STEP_PARITY, WHOLE, ANOTHER},
    {"step_parity_ok", KIND_STEP_PARITY, FLAG, ANOTHER},
    {"logits", KIND_PARITY, LIST, ANOTHER},
    {"instructions", KIND_INSTRUCTIONS, WHOLE, ANOTHER},
    {"instructions_n", KIND_INSTRUCTIONS, WHOLE, ANOTHER},
    {"instructions_spread_percent", KIND_INSTRUCTIONS, NUMBER, PERCENT},
    {"step_instructions", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER},
    {"step_instructions_n", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER},
    {"step_instructions_spread_percent", KIND_STEP_INSTRUCTIONS, NUMBER, PERCENT},
    {"start_ms\0process start", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"numpy_ms\0-", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"import_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"load_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"first_inference_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"first_answer_ms\0all to first answer", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"warmup_n", KIND_LATENCY, WHOLE, ANOTHER},
    {"warmup_s", KIND_LATENCY, NUMBER, SECONDS},
    {"latency_n\0latency samples", KIND_LATENCY, WHOLE, ANOTHER},
    {"latency_launches", KIND_LATENCY, WHOLE, ANOTHER},
    {"latency_p50_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"latency_p50_low_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"latency_p50_high_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"latency_p90_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"latency_p99_ms", KIND_LATENCY, NUMBER, MILLISECONDS},
    {"latency_spread_percent\0spread of launches", KIND_LATENCY, NUMBER, PERCENT},
    {"step_load_ms\0load, step form", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_warmup_n", KIND_STEP_LATENCY, WHOLE, ANOTHER},
    {"step_warmup_s", KIND_STEP_LATENCY, NUMBER, SECONDS},
    {"step_latency_n", KIND_STEP_LATENCY, WHOLE, ANOTHER},
    {"step_latency_launches", KIND_STEP_LATENCY, WHOLE, ANOTHER},
    {"step_latency_p50_ms\0step p50", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_latency_p50_low_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_latency_p50_high_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_latency_p90_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_latency_p99_ms\0step p99", KIND_STEP_LATENCY, NUMBER, MILLISECONDS},
    {"step_latency_spread_percent", KIND_STEP_LATENCY, NUMBER, PERCENT},
    {"power_idle_w", KIND_POWER, NUMBER, WATTS},
    {"power_w", KIND_POWER, NUMBER, WATTS},
    {"energy_mj\0energy per inference", KIND_POWER, NUMBER, MILLIJOULES},
    {"ram_limit_bytes", KIND_FITS, WHOLE, BYTES},
    {"fits_ram", KIND_FITS, FLAG, ANOTHER},
    {"ram_limit_peak_bytes", KIND_FITS, WHOLE, BYTES},
    {"device_accuracy", KIND_ACCURACY, NUMBER, ANOTHER},
    {"device_accuracy_n", KIND_ACCURACY, WHOLE, ANOTHER},
    {"device_accuracy_split", KIND_ACCURACY, TEXT, ANOTHER},
    {"realtime_period_ms", KIND_REALTIME, NUMBER, MILLISECONDS},
    {"realtime_s", KIND_REALTIME, NUMBER, SECONDS},
    {"realtime_n", KIND_REALTIME, WHOLE, ANOTHER},
    {"realtime_misses", KIND_REALTIME, WHOLE, ANOTHER},
    {"realtime_factor", KIND_REALTIME, NUMBER, ANOTHER},
    {"realtime_cpu_percent", KIND_REALTIME, NUMBER, PERCENT},
    {"realtime_p50_ms", KIND_REALTIME, NUMBER, MILLISECONDS},
    {"realtime_p99_ms", KIND_REALTIME, NUMBER, MILLISECONDS},
    {"sustained_s", KIND_SUSTAINED, NUMBER, SECONDS},
    {"sustained_n", KIND_SUSTAINED, WHOLE, ANOTHER},
    {"sustained_first_p50_ms", KIND_SUSTAINED, NUMBER, MILLISECONDS},
    {"sustained_last_p50_ms", KIND_SUSTAINED, NUMBER, MILLISECONDS},
    {"sustained_slowdown_percent", KIND_SUSTAINED, NUMBER, PERCENT},
    {"sustained_windows", KIND_SUSTAINED, LIST, ANOTHER},
    {"profile_n", KIND_PROFILE, WHOLE, ANOTHER},
    {"profile", KIND_PROFILE, LIST, ANOTHER},
};

const char *keys_kind_name(enum kind kind) {
    return KIND_NAMES[kind];
}

bool keys_kind_of(const char *name, enum kind *kind) {
    for (size_t i = 0; i < KINDS_COUNT; i++) {
        if (strcmp(KIND_NAMES[i], name) != 0)
            continue;
        *kind = (enum kind)i;
        return true;
    }
    return false;
}

bool keys_is_of_step(enum kind kind) {
    return strncmp(KIND_NAMES[kind], "step_", strlen("step_")) == 0;
}

bool keys_needs_step(enum kind kind) {
    return keys_is_of_step(kind) || kind == KIND_REALTIME;
}

bool keys_is_latency(enum kind kind) {
    return kind == KIND_LATENCY || kind == KIND_STEP_LATENCY;
}

bool keys_is_timed(enum kind kind) {
    return keys_is_latency(kind) || kind == KIND_REALTIME || kind == KIND_SUSTAINED || kind == KIND_PROFILE ||
           kind == KIND_POWER;
}

const char *keys_label(const struct key *key) {
    return key->name + strlen(key->name) + 1;
}

const char *keys_worker_name(const struct key *key) {
    return keys_is_of_step(key->kind) ? key->name + strlen("step_") : key->name;
}

size_t keys_find(enum kind kind, const char *name) {
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (KEYS[i].kind == kind && strcmp(keys_worker_name(&KEYS[i]), name) == 0)
            return i;
    return KEYS_COUNT;
}
