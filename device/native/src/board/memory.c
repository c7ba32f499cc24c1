#include "board/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "board/emulation.h"
#include "board/proc.h"

enum { MAPPINGS_MAX = 512 };

struct resident {
    long rss_bytes, pss_bytes; /* -1: unknown */
};

/* A mapping of the guest; of the file behind it a hash, 0 for none. */
struct guest {
    unsigned long start, end, offset;
    uint64_t file;
};

/* FNV-1a; never 0. */
static uint64_t hash_of(const char *text) {
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash | 1;
}

/* The guest's own view of its mappings: how many, or -1 where they cannot be read or are too many. */
static int read_guest(struct guest guest[MAPPINGS_MAX]) {
    struct proc proc;
    if (!proc_open(&proc, "/proc/self/maps"))
        return -1;
    int count = 0;
    for (char *line; (line = proc_line(&proc)) != NULL;) {
        struct mapping mapping;
        if (!proc_mapping(line, &mapping))
            continue;
        if (count == MAPPINGS_MAX) {
            count = -1;
            break;
        }
        uint64_t file = mapping.file[0] == '/' ? hash_of(mapping.file) : 0;
        guest[count++] = (struct guest){mapping.start, mapping.end, mapping.offset, file};
    }
    proc_close(&proc);
    return count;
}

/* The guest's mapping of the same part of the same file; NULL where there is none. */
static const struct guest *same_file(const struct guest *guest, int count, const struct mapping *host) {
    if (host->file[0] != '/')
        return NULL;
    uint64_t file = hash_of(host->file);
    for (int i = 0; i < count; i++)
        if (guest[i].file == file && guest[i].offset == host->offset)
            return &guest[i];
    return NULL;
}

static bool is_inside(const struct guest *guest, int count, unsigned long base, const struct mapping *host) {
    for (int i = 0; i < count; i++)
        if (guest[i].start + base < host->end && guest[i].end + base > host->start)
            return true;
    return false;
}

/* Guest addresses are the host's less a constant, which a file that both have mapped reveals. */
static bool find_base(const struct guest *guest, int count, unsigned long *base) {
    struct proc proc;
    if (!proc_open(&proc, "/proc/thread-self/smaps"))
        return false;
    *base = 0;
    for (char *line; (line = proc_line(&proc)) != NULL;) {
        struct mapping host;
        const struct guest *same = proc_mapping(line, &host) ? same_file(guest, count, &host) : NULL;
        if (same != NULL) {
            *base = host.start - same->start;
            break;
        }
    }
    proc_close(&proc);
    return true;
}

/* The part of the host's smaps that lies in the guest's maps. */
static struct resident resident_in_guest(void) {
    struct resident unknown = {-1, -1}, sum = {0, 0};
    struct guest guest[MAPPINGS_MAX];
    int count = read_guest(guest);
    unsigned long base;
    struct proc proc;
    if (count < 0 || !find_base(guest, count, &base) || !proc_open(&proc, "/proc/thread-self/smaps"))
        return unknown;
    bool counts = false;
    for (char *line; (line = proc_line(&proc)) != NULL;) {
        struct mapping host;
        if (proc_mapping(line, &host)) {
            counts = is_inside(guest, count, base, &host);
            continue;
        }
        long rss = proc_bytes(line, "Rss:"), pss = proc_bytes(line, "Pss:");
        if (counts && rss > 0)
            sum.rss_bytes += rss;
        if (counts && pss > 0)
            sum.pss_bytes += pss;
    }
    proc_close(&proc);
    return sum;
}

static bool is_under_qemu_user(void) {
    struct emulation emulation;
    emulation_find(&emulation);
    return emulation.emulated && emulation.user_tier;
}

long memory_rss_bytes(void) {
    if (is_under_qemu_user())
        return resident_in_guest().rss_bytes;
    /* smaps_rollup walks the pages; VmRSS is a batched counter that can be some hundred KB off. */
    long bytes = proc_bytes_in("/proc/self/smaps_rollup", "Rss:");
    return bytes >= 0 ? bytes : proc_bytes_in("/proc/self/status", "VmRSS:");
}

long memory_pss_bytes(void) {
    if (is_under_qemu_user())
        return resident_in_guest().pss_bytes;
    return proc_bytes_in("/proc/self/smaps_rollup", "Pss:");
}

long memory_peak_bytes(void) {
    if (is_under_qemu_user())
        return -1;
    long peak = proc_bytes_in("/proc/self/status", "VmHWM:");
    if (peak < 0)
        return -1;
    /* The kernel batches its counters; the peak can lag behind an exact reading by some pages. */
    long now = memory_rss_bytes();
    return now > peak ? now : peak;
}
