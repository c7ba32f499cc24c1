#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board/elf.h"
#include "board/emulation.h"
#include "check.h"

/* Writes a file under root/, which grows folders for it. */
static void write_under(const char *root, const char *name, const void *content, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    if (CHECK(file != NULL)) {
        fwrite(content, 1, size, file);
        fclose(file);
    }
}

static void write_text(const char *root, const char *name, const char *text) {
    write_under(root, name, text, strlen(text));
}

/* The head of an ELF file of 64 bits. */
static void write_program(const char *root, const char *name, unsigned char machine) {
    unsigned char head[20] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [18] = machine};
    write_under(root, name, head, sizeof head);
}

enum { AARCH64 = 0xB7, X86_64 = 0x3E };

/* The program of a process: a link in /proc to a file of that name. */
static void run_program(const char *root, const char *process, const char *name, unsigned char machine) {
    char path[256], target[1024], here[512];
    write_program(root, name, machine);
    snprintf(path, sizeof path, "%s/here", process);
    write_text(root, path, "");
    snprintf(path, sizeof path, "%s/%s/exe", root, process);
    CHECK(getcwd(here, sizeof here) != NULL);
    snprintf(target, sizeof target, "%s/%s/%s", here, root, name);
    CHECK(symlink(target, path) == 0);
}

static void a_real_processor_has_no_evidence(void) {
    struct emulation emulation;
    write_text("x86", "sys/class/dmi/id/sys_vendor", "QEMU\n");
    write_text("x86", "proc/cpuinfo", "vendor_id : GenuineIntel\n");
    emulation_find_under("x86", "x86_64", &emulation);
    CHECK(!emulation.emulated);
    write_text("pi", "proc/cpuinfo", "processor : 0\nBogoMIPS : 108.00\n");
    write_text("pi", "proc/device-tree/compatible", "raspberrypi,4-model-b");
    run_program("pi", "proc/self", "bin/edgeseq-run", AARCH64);
    run_program("pi", "proc/thread-self", "bin/edgeseq-run", AARCH64);
    emulation_find_under("pi", "aarch64", &emulation);
    CHECK(!emulation.emulated);
}

static void a_virtual_board_is_told_by_its_marker(void) {
    struct emulation emulation;
    write_text("marked", "etc/edgeseq-virtual-board",
               "{\"board\": \"pi4\", \"tier\": \"user\", \"emulator\": \"qemu-user 7.2 cortex-a72\"}\n");
    emulation_find_under("marked", "x86_64", &emulation);
    CHECK(emulation.emulated && emulation.user_tier);
    CHECK_TEXT(emulation.because, "/etc/edgeseq-virtual-board says: virtual pi4, qemu-user 7.2 cortex-a72");
    write_text("marked", "etc/edgeseq-virtual-board",
               "{\"board\":\"virtual-pi\",\"tier\":\"system\",\"emulator\":\"qemu\"}");
    emulation_find_under("marked", "x86_64", &emulation);
    CHECK(emulation.emulated && !emulation.user_tier);
    CHECK_TEXT(emulation.because, "/etc/edgeseq-virtual-board says: virtual-pi, qemu");
}

static void a_broken_marker_is_one_too(void) {
    static const char *const BROKEN[] = {"", "{", "{\"board\": 4}", "{\"board\": \"pi4\", \"tier\": \"us"};
    struct emulation emulation;
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        write_text("broken", "etc/edgeseq-virtual-board", BROKEN[i]);
        emulation_find_under("broken", "x86_64", &emulation);
        CHECK(emulation.emulated);
        CHECK(strstr(emulation.because, "prepare the board again") != NULL);
    }
}

static void an_arm_program_on_an_x86_is_emulated(void) {
    struct emulation emulation;
    write_text("cpu", "proc/cpuinfo", "processor : 0\nvendor_id : AuthenticAMD\n");
    emulation_find_under("cpu", "aarch64", &emulation);
    CHECK(emulation.emulated && emulation.user_tier);
}

static void the_kernel_tells_of_another_program_that_runs_this_one(void) {
    struct emulation emulation;
    run_program("named", "proc/thread-self", "bin/qemu-aarch64-static", AARCH64);
    emulation_find_under("named", "aarch64", &emulation);
    CHECK_TEXT(emulation.because, "the process is run by qemu-aarch64-static, a program for aarch64");
    run_program("other", "proc/thread-self", "bin/ld-linux", X86_64);
    emulation_find_under("other", "aarch64", &emulation);
    CHECK(emulation.emulated && emulation.user_tier);
    CHECK_TEXT(emulation.because, "the process is run by ld-linux, a program for x86_64");
    write_text("mapped", "proc/thread-self/maps", "00-01 r-xp 00 00:00 7 /usr/bin/qemu-aarch64\n");
    emulation_find_under("mapped", "aarch64", &emulation);
    CHECK_TEXT(emulation.because, "the process is run by qemu-aarch64");
}

static void an_emulated_machine_shows_in_its_firmware(void) {
    struct emulation emulation;
    write_text("dmi", "sys/class/dmi/id/product_name", "QEMU Virtual Machine\n");
    emulation_find_under("dmi", "aarch64", &emulation);
    CHECK(emulation.emulated && !emulation.user_tier);
    CHECK_TEXT(emulation.because, "DMI product_name is 'QEMU Virtual Machine'");
    write_text("tree", "proc/device-tree/compatible", "linux,dummy-virt");
    emulation_find_under("tree", "aarch64", &emulation);
    CHECK(emulation.emulated && !emulation.user_tier);
}

static void a_file_says_which_processor_it_is_for(void) {
    char machine[MACHINE_MAX];
    write_program("elf", "arm", AARCH64);
    CHECK(elf_machine("elf/arm", machine));
    CHECK_TEXT(machine, "aarch64");
    write_program("elf", "odd", 0x99);
    CHECK(elf_machine("elf/odd", machine));
    CHECK_TEXT(machine, "class 2, e_machine 0x99");
    write_text("elf", "text", "not a library, but longer than the head of one");
    CHECK(elf_machine("elf/text", machine));
    CHECK_TEXT(machine, "");
    CHECK(!elf_machine("elf/none", machine));
    CHECK(elf_machine("/proc/self/exe", machine));
    CHECK_TEXT(machine, MACHINE_OWN);
}

static void a_program_that_is_cut_off_is_not_whole(void) {
    char content[8192];
    FILE *file = fopen("/proc/self/exe", "rb");
    size_t size = file == NULL ? 0 : fread(content, 1, sizeof content, file);
    if (file != NULL)
        fclose(file);
    write_under("cut", "short", content, size);
    write_under("cut", "shorter", content, 70);
    CHECK(elf_is_whole("/proc/self/exe"));
    CHECK(!elf_is_whole("cut/short"));
    CHECK(!elf_is_whole("cut/shorter"));
    CHECK(!elf_is_whole("cut/none"));
}

int main(void) {
    a_real_processor_has_no_evidence();
    a_virtual_board_is_told_by_its_marker();
    a_broken_marker_is_one_too();
    an_arm_program_on_an_x86_is_emulated();
    the_kernel_tells_of_another_program_that_runs_this_one();
    an_emulated_machine_shows_in_its_firmware();
    a_file_says_which_processor_it_is_for();
    a_program_that_is_cut_off_is_not_whole();
    return CHECKED;
}
