#include "board/emulation.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board/elf.h"
#include "board/proc.h"

#define MARKER "etc/edgeseq-virtual-board"

enum { PATH_LENGTH = 512, MARKER_BYTES_MAX = 1024, WORD_MAX = 80 };

static void found(struct emulation *emulation, bool user_tier, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void found(struct emulation *emulation, bool user_tier, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(emulation->because, sizeof emulation->because, format, values);
    va_end(values);
    emulation->emulated = true;
    emulation->user_tier = user_tier;
}

/* The beginning of a file as text without surrounding white space, NULs as blanks; false where the kernel
 * does not offer it. */
static bool read_text(const char *root, const char *name, char *text, size_t size) {
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s", root, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, text, size - 1);
    close(file);
    size_t length = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    while (length > 0 && strchr(" \t\n", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    size_t blank = strspn(text, " \t\n");
    memmove(text, text + blank, length - blank + 1);
    return got >= 0;
}

/* Of flat JSON the text behind a key; false where there is none. Only what edgeseq's own launchers write. */
static bool text_of_key(const char *json, const char *key, char value[WORD_MAX]) {
    char quoted[WORD_MAX];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(json, quoted);
    if (at == NULL)
        return false;
    at += strlen(quoted);
    at += strspn(at, " \t\n");
    if (*at++ != ':')
        return false;
    at += strspn(at, " \t\n");
    if (*at++ != '"')
        return false;
    size_t length = strcspn(at, "\"\\");
    if (at[length] != '"')
        return false;
    snprintf(value, WORD_MAX, "%.*s", (int)length, at);
    return true;
}

static bool find_marker(const char *root, struct emulation *emulation) {
    char text[MARKER_BYTES_MAX], board[WORD_MAX], tier[WORD_MAX], emulator[WORD_MAX];
    if (!read_text(root, MARKER, text, sizeof text))
        return false;
    if (!text_of_key(text, "board", board) || !text_of_key(text, "tier", tier) ||
        !text_of_key(text, "emulator", emulator)) {
        found(emulation, false, "/%s: not a marker of a virtual board; prepare the board again", MARKER);
        return true;
    }
    const char *kind = strncmp(board, "virtual", 7) == 0 ? "" : "virtual ";
    found(emulation, strcmp(tier, "user") == 0, "/%s says: %s%s, %s", MARKER, kind, board, emulator);
    return true;
}

/* The name and processor of the program of a process by its folder in /proc; false where the kernel does not
 * tell. */
static bool program_of(const char *root, const char *folder, char name[WORD_MAX], char machine[MACHINE_MAX]) {
    char path[PATH_LENGTH], target[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s/exe", root, folder);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0 || !elf_machine(path, machine))
        return false;
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(name, WORD_MAX, "%.*s", WORD_MAX - 1, slash == NULL ? target : slash + 1);
    return true;
}

static bool is_arm(const char *machine) {
    return strcmp(machine, "aarch64") == 0 || strcmp(machine, "armv7l") == 0;
}

/* qemu-user answers for the files of /proc/self as if the guest ran by itself; those of a thread come from
 * the kernel. */
static bool find_interpreter(const char *root, struct emulation *emulation) {
    char own_name[WORD_MAX], own[MACHINE_MAX], name[WORD_MAX], machine[MACHINE_MAX], task[64];
    bool knows_own = program_of(root, "proc/self", own_name, own);
    snprintf(task, sizeof task, "proc/self/task/%ld", (long)getpid());
    const char *folders[] = {"proc/thread-self", task};
    for (int i = 0; i < 2; i++) {
        if (!program_of(root, folders[i], name, machine))
            continue;
        bool is_other = knows_own && strcmp(own, machine) != 0;
        if (strncmp(name, "qemu-", 5) != 0 && is_arm(machine) && !is_other)
            continue;
        found(emulation, true, "the process is run by %s, a program for %s", name,
              machine[0] == '\0' ? "an unknown processor" : machine);
        return true;
    }
    return false;
}

/* A mapping of the emulator itself, where the links of /proc tell nothing. */
static bool find_mapped_emulator(const char *root, struct emulation *emulation) {
    char path[PATH_LENGTH];
    struct proc proc;
    snprintf(path, sizeof path, "%s/proc/thread-self/maps", root);
    if (!proc_open(&proc, path))
        return false;
    for (char *line; !emulation->emulated && (line = proc_line(&proc)) != NULL;) {
        const char *slash = strrchr(line, '/');
        if (slash != NULL && strncmp(slash + 1, "qemu-", 5) == 0)
            found(emulation, true, "the process is run by %s", slash + 1);
    }
    proc_close(&proc);
    return emulation->emulated;
}

/* As the kernel of an emulated machine sees it: DMI, or the device tree. */
static void find_machine(const char *root, struct emulation *emulation) {
    static const char *const NAMES[] = {"sys_vendor", "product_name"};
    char path[PATH_LENGTH], text[512];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "sys/class/dmi/id/%s", NAMES[i]);
        if (read_text(root, path, text, sizeof text) && strcasestr(text, "qemu") != NULL) {
            found(emulation, false, "DMI %s is '%.80s'", NAMES[i], text);
            return;
        }
    }
    if (read_text(root, "proc/device-tree/compatible", text, sizeof text) &&
        strstr(text, "linux,dummy-virt") != NULL)
        found(emulation, false, "the device tree is QEMU's virt machine (linux,dummy-virt)");
}

/* Whether /proc/cpuinfo has a line that only an x86's has. */
static bool is_x86_cpuinfo(const char *root) {
    char path[PATH_LENGTH];
    struct proc proc;
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    if (!proc_open(&proc, path))
        return false;
    bool is_x86 = false;
    for (char *line; !is_x86 && (line = proc_line(&proc)) != NULL;)
        is_x86 = strstr(line, "vendor_id") != NULL;
    proc_close(&proc);
    return is_x86;
}

void emulation_find_under(const char *root, const char *machine, struct emulation *emulation) {
    *emulation = (struct emulation){0};
    if (find_marker(root, emulation))
        return;
    if (strncmp(machine, "aarch64", 7) != 0 && strncmp(machine, "arm", 3) != 0)
        return;
    if (is_x86_cpuinfo(root)) {
        found(emulation, true, "/proc/cpuinfo is that of an x86 processor while the program is an ARM one");
        return;
    }
    if (!find_interpreter(root, emulation) && !find_mapped_emulator(root, emulation))
        find_machine(root, emulation);
}

void emulation_find(struct emulation *emulation) {
    emulation_find_under("", MACHINE_OWN, emulation);
}
