#include "board/system.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "board/cpu.h"
#include "board/root_file.h"

static char *dmi_name(const char *root) {
    char *vendor = root_file_text(root, "/sys/class/dmi/id/sys_vendor");
    char *product = root_file_text(root, "/sys/class/dmi/id/product_name");
    struct texts parts = {0};
    if (vendor != NULL && *vendor != '\0')
        texts_add(&parts, "%s", vendor);
    if (product != NULL && *product != '\0')
        texts_add(&parts, "%s", product);
    char *name = parts.count == 0 ? NULL : texts_join(&parts, " ");
    texts_free(&parts);
    free(vendor);
    free(product);
    return name;
}

static char *board_model(const char *root, const char *cpuinfo) {
    char *model = root_file_text(root, "/proc/device-tree/model");
    if (model != NULL && *model != '\0')
        return model;
    free(model);
    model = root_file_field(cpuinfo, "Model"); /* a container sees no device tree */
    if (model != NULL && *model != '\0')
        return model;
    free(model);
    return dmi_name(root);
}

static char *os_name(const char *root) {
    static const char NAME[] = "PRETTY_NAME=";
    char *release = root_file_text(root, "/etc/os-release"), *rest = release, *name = NULL;
    for (char *line; name == NULL && rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, NAME, strlen(NAME)) != 0)
            continue;
        line += strlen(NAME);
        line += strspn(line, "\"'");
        size_t size = strlen(line);
        while (size > 0 && strchr("\"'", line[size - 1]) != NULL)
            size--;
        name = strndup(line, size);
    }
    free(release);
    return name;
}

static long ram_bytes(const char *root) {
    char *meminfo = root_file_text(root, "/proc/meminfo");
    char *total = meminfo == NULL ? NULL : root_file_field(meminfo, "MemTotal");
    long bytes = total == NULL ? -1 : 1024 * strtol(total, NULL, 10);
    free(total);
    free(meminfo);
    return bytes;
}

static char *glibc_version(void) {
    char text[64];
    size_t size = confstr(_CS_GNU_LIBC_VERSION, text, sizeof text);
    return size == 0 || size > sizeof text ? NULL : strdup(text);
}

/* A real processor that is shared with strangers still gives latencies, but noisier ones. */
static void warn_of_machine(const char *root, const char *cpuinfo, struct texts *warnings) {
    if (!cpu_is_virtual(cpuinfo))
        return;
    char *vendor = root_file_text(root, "/sys/class/dmi/id/sys_vendor");
    bool known = vendor != NULL && *vendor != '\0';
    texts_add(warnings, "this is a virtual machine (%s): others may share its cores",
              known ? vendor : "maker unknown");
    free(vendor);
}

void system_describe(const char *root, const char *machine, struct system *system) {
    struct utsname names = {0};
    uname(&names);
    int cpus[CPUS_MAX];
    char *read = root_file_text(root, "/proc/cpuinfo");
    const char *cpuinfo = read == NULL ? "" : read;
    *system = (struct system){.cores = -1, .ram_bytes = -1};
    system->machine = strdup(machine == NULL ? names.machine : machine);
    system->kernel = strdup(names.release);
    system->board_model = board_model(root, cpuinfo);
    system->os = os_name(root);
    system->cpu_model = cpu_model(cpuinfo);
    cpu_features(cpuinfo, &system->cpu_features);
    system->glibc = glibc_version();
    emulation_find_under(root, machine == NULL ? names.machine : machine, &system->emulation);
    if (!system->emulation.emulated || !system->emulation.user_tier) {
        system->cores = cpu_allowed(cpus);
        system->ram_bytes = ram_bytes(root);
    }
    if (!system->emulation.emulated)
        warn_of_machine(root, cpuinfo, &system->warnings);
    free(read);
}

void system_write(const struct system *system, struct json *json) {
    const struct emulation *emulation = &system->emulation;
    json_open(json, '{');
    json_text_of(json, "board_model", system->board_model);
    json_text_of(json, "machine", system->machine);
    json_text_of(json, "os", system->os);
    json_count_of(json, "os_bits", 8 * (long)sizeof(void *));
    json_text_of(json, "kernel", system->kernel);
    json_text_of(json, "cpu_model", system->cpu_model);
    json_texts_of(json, "cpu_features", &system->cpu_features);
    json_count_of(json, "cores", system->cores);
    json_count_of(json, "ram_bytes", system->ram_bytes);
    json_text_of(json, "python", NULL);
    json_text_of(json, "glibc", system->glibc);
    json_bool_of(json, "emulated", emulation->emulated);
    json_text_of(json, "emulated_because", emulation->emulated ? emulation->because : NULL);
    const char *tier = emulation->user_tier ? "user" : "system";
    json_text_of(json, "emulation_tier", emulation->emulated ? tier : NULL);
    json_texts_of(json, "warnings", &system->warnings);
    json_close(json, '}');
}

const char *system_name(const struct system *system) {
    if (system->board_model != NULL)
        return system->board_model;
    return system->cpu_model != NULL ? system->cpu_model : system->machine;
}

void system_free(struct system *system) {
    free(system->board_model);
    free(system->machine);
    free(system->os);
    free(system->kernel);
    free(system->cpu_model);
    free(system->glibc);
    texts_free(&system->cpu_features);
    texts_free(&system->warnings);
}
