#include "board/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board/root_file.h"

/* Of an x86 processor's 150 flags, how those begin that choose a kernel in a runtime. */
static const char *const X86_FEATURES[] = {
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512", "avx_vnni", "amx",
};

static const struct {
    const char *implementer, *part, *name;
} ARM_PARTS[] = {
    {"0x41", "0xd03", "ARM Cortex-A53"}, {"0x41", "0xd08", "ARM Cortex-A72"},
    {"0x41", "0xd0b", "ARM Cortex-A76"}, {"0x41", "0xb76", "ARM1176"},
    {"0x41", "0xc07", "ARM Cortex-A7"},
};

enum { ARM_PARTS_COUNT = sizeof ARM_PARTS / sizeof *ARM_PARTS };

char *cpu_model(const char *cpuinfo) {
    char *part = root_file_field(cpuinfo, "CPU part");
    if (part == NULL)
        return root_file_field(cpuinfo, "model name");
    char *implementer = root_file_field(cpuinfo, "CPU implementer");
    const char *maker = implementer == NULL ? "?" : implementer, *name = "unknown ARM core";
    for (size_t i = 0; i < ARM_PARTS_COUNT; i++)
        if (strcmp(ARM_PARTS[i].implementer, maker) == 0 && strcmp(ARM_PARTS[i].part, part) == 0)
            name = ARM_PARTS[i].name;
    char *model = NULL;
    if (asprintf(&model, "%s (%s/%s)", name, maker, part) < 0)
        model = NULL;
    free(implementer);
    free(part);
    return model;
}

static bool chooses_kernels(const char *flag) {
    for (size_t i = 0; i < sizeof X86_FEATURES / sizeof *X86_FEATURES; i++)
        if (strncmp(flag, X86_FEATURES[i], strlen(X86_FEATURES[i])) == 0)
            return true;
    return false;
}

void cpu_features(const char *cpuinfo, struct texts *features) {
    char *all = root_file_field(cpuinfo, "Features");
    bool of_arm = all != NULL;
    if (!of_arm)
        all = root_file_field(cpuinfo, "flags");
    char *rest = all;
    for (char *flag; rest != NULL && (flag = strsep(&rest, " \t")) != NULL;)
        if (*flag != '\0' && (of_arm || chooses_kernels(flag)))
            texts_add(features, "%s", flag);
    free(all);
    texts_sort(features);
}

bool cpu_is_virtual(const char *cpuinfo) {
    char *all = root_file_field(cpuinfo, "flags"), *rest = all;
    bool found = false;
    for (char *flag; rest != NULL && (flag = strsep(&rest, " \t")) != NULL;)
        found = found || strcmp(flag, "hypervisor") == 0;
    free(all);
    return found;
}

int cpu_allowed(int cpus[CPUS_MAX]) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 0;
    int count = 0;
    for (size_t i = 0; i < CPU_SETSIZE && count < CPUS_MAX; i++)
        if (CPU_ISSET(i, &allowed))
            cpus[count++] = (int)i;
    return count;
}

bool cpu_choose(int threads, int cpus[CPUS_MAX], int *count, struct failure *failure) {
    int allowed = cpu_allowed(cpus);
    if (allowed > 0 && threads > allowed)
        return fail(failure, UNFIT, "--threads %d: this board has %d CPUs; ask for fewer", threads, allowed);
    *count = allowed == 0 ? 0 : threads;
    memmove(cpus, cpus + allowed - *count, (size_t)*count * sizeof *cpus);
    return true;
}
