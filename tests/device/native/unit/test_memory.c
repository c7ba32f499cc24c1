#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "board/memory.h"
#include "board/proc.h"
#include "check.h"
#include "litert/give_back.h"

enum { MORE = 8 << 20 };

static void memory_that_is_used_counts_until_it_is_given_back(void) {
    long before = memory_rss_bytes();
    char *block = mmap(NULL, MORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(block != MAP_FAILED))
        return;
    memset(block, 1, MORE);
    long with = memory_rss_bytes();
    CHECK(with - before >= MORE);
    CHECK(memory_pss_bytes() <= with);
    munmap(block, MORE);
    CHECK(memory_rss_bytes() < with - MORE / 2);
    CHECK(memory_peak_bytes() >= with - MORE / 8); /* the kernel keeps it in round numbers */
}

static void code_that_was_given_back_runs_on(void) {
    static const char CONSTANT[] = "kept";
    static int written = 7;
    written++;
    give_back_code();
    CHECK_TEXT(CONSTANT, "kept");
    CHECK_LONG(written, 8);
}

static void lines_come_whole_or_in_pieces(void) {
    struct proc proc;
    FILE *file = fopen("lines", "wb");
    if (!CHECK(file != NULL))
        return;
    fputs("first\n\n", file);
    for (int i = 0; i < PROC_LINE_MAX + 5; i++)
        fputc('x', file);
    fputs("\nlast", file);
    fclose(file);
    if (!CHECK(proc_open(&proc, "lines")))
        return;
    CHECK_TEXT(proc_line(&proc), "first");
    CHECK_TEXT(proc_line(&proc), "");
    CHECK_LONG(strlen(proc_line(&proc)), PROC_LINE_MAX - 1);
    CHECK_TEXT(proc_line(&proc), "xxxxxx");
    CHECK_TEXT(proc_line(&proc), "last");
    CHECK(proc_line(&proc) == NULL);
    proc_close(&proc);
    CHECK(!proc_open(&proc, "none"));
}

static void a_mapping_is_told_from_other_lines(void) {
    struct mapping mapping;
    CHECK(proc_mapping("7f00a000-7f00b000 r-xp 00002000 fe:01 17   /lib/a b.so", &mapping));
    CHECK_LONG(mapping.start, 0x7f00a000);
    CHECK_LONG(mapping.end, 0x7f00b000);
    CHECK_LONG(mapping.offset, 0x2000);
    CHECK_TEXT(mapping.permissions, "r-xp");
    CHECK_TEXT(mapping.file, "/lib/a b.so");
    CHECK(proc_mapping("7f00a000-7f00b000 rw-p 00000000 00:00 0 ", &mapping));
    CHECK_TEXT(mapping.file, "");
    CHECK(!proc_mapping("Rss:                 184 kB", &mapping));
    CHECK(!proc_mapping("VmFlags: rd ex mr", &mapping));
    CHECK(!proc_mapping("", &mapping));
    CHECK_LONG(proc_bytes("Rss:                 184 kB", "Rss:"), 184 * 1024);
    CHECK_LONG(proc_bytes("Pss:                 184 kB", "Rss:"), -1);
    CHECK_LONG(proc_bytes_in("lines", "Rss:"), -1);
    CHECK_LONG(proc_bytes_in("none", "Rss:"), -1);
}

static void the_user_is_who_the_kernel_says(void) {
    CHECK_LONG(getuid(), syscall(SYS_getuid));
}

int main(void) {
    memory_that_is_used_counts_until_it_is_given_back();
    code_that_was_given_back_runs_on();
    lines_come_whole_or_in_pieces();
    a_mapping_is_told_from_other_lines();
    the_user_is_who_the_kernel_says();
    return CHECKED;
}
