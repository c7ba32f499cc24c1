/* Any bytes as a file that can tell of an emulator, under a root of its own: evidence has words. The first of
 * them says which file: m the marker, c cpuinfo, p the mappings, any other DMI. */
#include <string.h>
#include <sys/stat.h>

#include "board/emulation.h"
#include "scratch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const FOLDERS[] = {"",     "/etc",       "/proc",          "/proc/thread-self",
                                      "/sys", "/sys/class", "/sys/class/dmi", "/sys/class/dmi/id"};
static const char *const FILES[] = {"/etc/edgeseq-virtual-board", "/proc/cpuinfo", "/proc/thread-self/maps",
                                    "/sys/class/dmi/id/sys_vendor"};

enum { FOLDERS_COUNT = sizeof FOLDERS / sizeof *FOLDERS, FILES_COUNT = sizeof FILES / sizeof *FILES };

static char root[] = "/tmp/edgeseq-fuzz-XXXXXX";

static const char *in_root(const char *name) {
    static char path[100];
    snprintf(path, sizeof path, "%s%s", root, name);
    return path;
}

static void remove_root(void) {
    for (int i = 0; i < FILES_COUNT; i++)
        unlink(in_root(FILES[i]));
    for (int i = FOLDERS_COUNT - 1; i >= 0; i--)
        rmdir(in_root(FOLDERS[i]));
}

static void make_root(void) {
    if (mkdtemp(root) == NULL)
        abort();
    for (int i = 1; i < FOLDERS_COUNT; i++)
        if (mkdir(in_root(FOLDERS[i]), 0700) != 0)
            abort();
    atexit(remove_root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool is_made;
    if (size == 0)
        return 0;
    if (!is_made)
        make_root();
    is_made = true;
    const char *name = FILES[data[0] == 'm' ? 0 : data[0] == 'c' ? 1 : data[0] == 'p' ? 2 : 3];
    if (symlink(scratch_file(data + 1, size - 1), in_root(name)) != 0)
        abort();
    struct emulation emulation;
    emulation_find_under(root, "aarch64", &emulation);
    unlink(in_root(name));
    if (memchr(emulation.because, '\0', sizeof emulation.because) == NULL ||
        emulation.emulated != (emulation.because[0] != '\0') || (emulation.user_tier && !emulation.emulated))
        abort();
    return 0;
}
