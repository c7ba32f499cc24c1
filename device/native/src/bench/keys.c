#include "bench/keys.h"

#include <string.h>

/* In the order of a result, names in the order of the kinds. */
static const char *const KIND_NAMES[KINDS_COUNT] = {
    "ram",   "parity", "step_parity", "instructions", "step_instructions", "latency", "step_latency",
    "power", "fits",   "accuracy",    "realtime",     "sustained",         "profile",
};

const struct key KEYS[KEYS_COUNT] = {
    {"ram_start_bytes", KIND_RAM, WHOLE, BYTES, "RAM, start"},
    {"ram_numpy_bytes", KIND_RAM, WHOLE, BYTES, ""},
    {"ram_runtime_bytes", KIND_RAM, WHOLE, BYTES, "RAM, + runtime"},
    {"ram_loaded_bytes", KIND_RAM, WHOLE, BYTES, "RAM, + model"},
    {"ram_first_bytes", KIND_RAM, WHOLE, BYTES, "RAM, 1st inference"},
    {"ram_steady_bytes", KIND_RAM, WHOLE, BYTES, "RAM, steady"},
    {"ram_peak_bytes", KIND_RAM, WHOLE, BYTES, "RAM, peak"},
    {"ram_pss_bytes", KIND_RAM, WHOLE, BYTES, "RAM, proportional"},
    {"parity_error", KIND_PARITY, NUMBER, ANOTHER, NULL},
    {"parity_tolerance", KIND_PARITY, NUMBER, ANOTHER, NULL},
    {"parity_n", KIND_PARITY, WHOLE, ANOTHER, NULL},
    {"parity_decisions_changed", KIND_PARITY, WHOLE, ANOTHER, NULL},
    {"parity_ok", KIND_PARITY, FLAG, ANOTHER, NULL},
    {"step_parity_error", KIND_STEP_PARITY, NUMBER, ANOTHER, NULL},
    {"step_parity_tolerance", KIND_STEP_PARITY, NUMBER, ANOTHER, NULL},
    {"step_parity_n", KIND_STEP_PARITY, WHOLE, ANOTHER, NULL},
    {"step_parity_decisions_changed", KIND_STEP_PARITY, WHOLE, ANOTHER, NULL},
    {"step_parity_ok", KIND_STEP_PARITY, FLAG, ANOTHER, NULL},
    {"logits", KIND_PARITY, LIST, ANOTHER, NULL},
    {"instructions", KIND_INSTRUCTIONS, WHOLE, ANOTHER, NULL},
    {"instructions_n", KIND_INSTRUCTIONS, WHOLE, ANOTHER, NULL},
    {"instructions_spread_percent", KIND_INSTRUCTIONS, NUMBER, PERCENT, NULL},
    {"step_instructions", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER, NULL},
    {"step_instructions_n", KIND_STEP_INSTRUCTIONS, WHOLE, ANOTHER, NULL},
    {"step_instructions_spread_percent", KIND_STEP_INSTRUCTIONS, NUMBER, PERCENT, NULL},
    {"start_ms", KIND_LATENCY, NUMBER, MILLISECONDS, "process start"},
    {"numpy_ms", KIND_LATENCY, NUMBER, MILLISECONDS, ""},
    {"import_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"load_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"first_inference_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"first_answer_ms", KIND_LATENCY, NUMBER, MILLISECONDS, "all to first answer"},
    {"warmup_n", KIND_LATENCY, WHOLE, ANOTHER, NULL},
    {"warmup_s", KIND_LATENCY, NUMBER, SECONDS, NULL},
    {"latency_n", KIND_LATENCY, WHOLE, ANOTHER, "latency samples"},
    {"latency_launches", KIND_LATENCY, WHOLE, ANOTHER, NULL},
    {"latency_p50_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"latency_p50_low_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"latency_p50_high_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"latency_p90_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"latency_p99_ms", KIND_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"latency_spread_percent", KIND_LATENCY, NUMBER, PERCENT, "spread of launches"},
    {"step_load_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, "load, step form"},
    {"step_warmup_n", KIND_STEP_LATENCY, WHOLE, ANOTHER, NULL},
    {"step_warmup_s", KIND_STEP_LATENCY, NUMBER, SECONDS, NULL},
    {"step_latency_n", KIND_STEP_LATENCY, WHOLE, ANOTHER, NULL},
    {"step_latency_launches", KIND_STEP_LATENCY, WHOLE, ANOTHER, NULL},
    {"step_latency_p50_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, "step p50"},
    {"step_latency_p50_low_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"step_latency_p50_high_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"step_latency_p90_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, NULL},
    {"step_latency_p99_ms", KIND_STEP_LATENCY, NUMBER, MILLISECONDS, "step p99"},
    {"step_latency_spread_percent", KIND_STEP_LATENCY, NUMBER, PERCENT, NULL},
    {"power_idle_w", KIND_POWER, NUMBER, WATTS, NULL},
    {"power_w", KIND_POWER, NUMBER, WATTS, NULL},
    {"energy_mj", KIND_POWER, NUMBER, MILLIJOULES, "energy per inference"},
    {"ram_limit_bytes", KIND_FITS, WHOLE, BYTES, NULL},
    {"fits_ram", KIND_FITS, FLAG, ANOTHER, NULL},
    {"ram_limit_peak_bytes", KIND_FITS, WHOLE, BYTES, NULL},
    {"device_accuracy", KIND_ACCURACY, NUMBER, ANOTHER, NULL},
    {"device_accuracy_n", KIND_ACCURACY, WHOLE, ANOTHER, NULL},
    {"device_accuracy_split", KIND_ACCURACY, TEXT, ANOTHER, NULL},
    {"realtime_period_ms", KIND_REALTIME, NUMBER, MILLISECONDS, NULL},
    {"realtime_s", KIND_REALTIME, NUMBER, SECONDS, NULL},
    {"realtime_n", KIND_REALTIME, WHOLE, ANOTHER, NULL},
    {"realtime_misses", KIND_REALTIME, WHOLE, ANOTHER, NULL},
    {"realtime_factor", KIND_REALTIME, NUMBER, ANOTHER, NULL},
    {"realtime_cpu_percent", KIND_REALTIME, NUMBER, PERCENT, NULL},
    {"realtime_p50_ms", KIND_REALTIME, NUMBER, MILLISECONDS, NULL},
    {"realtime_p99_ms", KIND_REALTIME, NUMBER, MILLISECONDS, NULL},
    {"sustained_s", KIND_SUSTAINED, NUMBER, SECONDS, NULL},
    {"sustained_n", KIND_SUSTAINED, WHOLE, ANOTHER, NULL},
    {"sustained_first_p50_ms", KIND_SUSTAINED, NUMBER, MILLISECONDS, NULL},
    {"sustained_last_p50_ms", KIND_SUSTAINED, NUMBER, MILLISECONDS, NULL},
    {"sustained_slowdown_percent", KIND_SUSTAINED, NUMBER, PERCENT, NULL},
    {"sustained_windows", KIND_SUSTAINED, LIST, ANOTHER, NULL},
    {"profile_n", KIND_PROFILE, WHOLE, ANOTHER, NULL},
    {"profile", KIND_PROFILE, LIST, ANOTHER, NULL},
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

const char *keys_worker_name(const struct key *key) {
    return keys_is_of_step(key->kind) ? key->name + strlen("step_") : key->name;
}

size_t keys_find(enum kind kind, const char *name) {
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (KEYS[i].kind == kind && strcmp(keys_worker_name(&KEYS[i]), name) == 0)
            return i;
    return KEYS_COUNT;
}
