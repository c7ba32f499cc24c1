#include "artifact/zip.h"

#include <stdint.h>
#include <string.h>

/* Sizes and places of fields: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16. */
enum { LOCAL = 30, ENTRY = 46, END = 22, COMMENT_MAX = 0xffff };
enum { ENCRYPTED = 1 /* a bit of the flags */, STORED = 0 /* a method */ };

static uint32_t number16(const unsigned char *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t number32(const unsigned char *at) {
    return number16(at) | number16(at + 2) << 16;
}

static bool refuse(const char *where, const char *cause, struct failure *failure) {
    return fail_export(failure, "%s: cannot be read as .npz (%s)", where, cause);
}

/* The record at the end, behind which there is nothing but its comment; NULL: none. */
static const unsigned char *find_end(const unsigned char *data, size_t size) {
    for (size_t comment = 0; comment <= COMMENT_MAX && END + comment <= size; comment++) {
        const unsigned char *end = data + size - comment - END;
        if (memcmp(end, "PK\5\6", 4) == 0 && number16(end + 20) == comment)
            return end;
    }
    return NULL;
}

/* The size of the entry at an offset of the central directory; 0 where no entry fits there. */
static size_t entry_size(const struct zip *zip, size_t offset) {
    const unsigned char *entry = zip->data + offset;
    size_t left = zip->directory_end - offset;
    if (left < ENTRY || memcmp(entry, "PK\1\2", 4) != 0)
        return 0;
    size_t size = ENTRY + number16(entry + 28) + number16(entry + 30) + number16(entry + 32);
    return size <= left ? size : 0;
}

static bool directory_is_whole(const struct zip *zip) {
    size_t offset = zip->directory;
    for (size_t i = 0; i < zip->count; i++) {
        size_t size = entry_size(zip, offset);
        if (size == 0)
            return false;
        offset += size;
    }
    return offset == zip->directory_end;
}

bool zip_open(const void *data, size_t size, const char *where, struct zip *zip, struct failure *failure) {
    const unsigned char *end = size == 0 ? NULL : find_end(data, size);
    if (end == NULL)
        return refuse(where, "no zip archive, or not all of one", failure);
    size_t offset = number32(end + 16), directory_size = number32(end + 12);
    size_t end_at = (size_t)(end - (const unsigned char *)data);
    *zip = (struct zip){
        .data = data,
        .size = size,
        .directory = offset,
        .directory_end = end_at,
        .count = number16(end + 10),
    };
    bool one_disk = number32(end + 4) == 0 && number16(end + 8) == zip->count;
    if (!one_disk || offset > end_at || end_at - offset != directory_size)
        return refuse(where, "its directory is not where it must be", failure);
    return directory_is_whole(zip) || refuse(where, "its directory is damaged", failure);
}

/* The entry of a name; *times: how many there are. */
static const unsigned char *find_entry(const struct zip *zip, const char *name, int *times) {
    const unsigned char *found = NULL;
    size_t length = strlen(name), offset = zip->directory;
    *times = 0;
    for (size_t i = 0; i < zip->count; i++, offset += entry_size(zip, offset)) {
        const unsigned char *entry = zip->data + offset;
        if (number16(entry + 28) != length || memcmp(entry + ENTRY, name, length) != 0)
            continue;
        found = entry;
        (*times)++;
    }
    return found;
}

bool zip_has(const struct zip *zip, const char *name) {
    int times = 0;
    return find_entry(zip, name, &times) != NULL;
}

/* CRC-32 of IEEE 802.3, four bits at a time. */
static uint32_t crc32_of(const unsigned char *data, size_t size) {
    static const uint32_t TABLE[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

/* Why the content of an entry cannot be had; NULL where it can, and then it is in `member`. What lies where
 * is told by the directory: a local header may leave sizes and CRC to a descriptor behind the content. */
static const char *locate(const struct zip *zip, const unsigned char *entry, struct zip_member *member) {
    size_t size = number32(entry + 24), offset = number32(entry + 42);
    if ((number16(entry + 8) & ENCRYPTED) != 0)
        return "is encrypted";
    if (number16(entry + 10) != STORED || number32(entry + 20) != size)
        return "is compressed; numpy.savez writes it as it must be";
    if (number16(entry + 34) != 0 || offset > zip->directory || zip->directory - offset < LOCAL)
        return "lies outside the archive";
    const unsigned char *local = zip->data + offset;
    size_t name_size = number16(local + 26), left = zip->directory - offset - LOCAL;
    size_t before = name_size + number16(local + 28);
    if (memcmp(local, "PK\3\4", 4) != 0 || before > left || size > left - before)
        return "lies outside the archive";
    if (name_size != number16(entry + 28) || memcmp(local + LOCAL, entry + ENTRY, name_size) != 0)
        return "has another name where it lies";
    *member = (struct zip_member){local + LOCAL + before, size};
    return crc32_of(member->data, size) == number32(entry + 16) ? NULL : "has changed (CRC differs)";
}

bool zip_read(const struct zip *zip, const char *name, const char *where, struct zip_member *member,
              struct failure *failure) {
    int times = 0;
    const unsigned char *entry = find_entry(zip, name, &times);
    const char *cause = times == 0   ? "is missing"
                        : times == 1 ? locate(zip, entry, member)
                                     : "is there twice";
    return cause == NULL || fail_export(failure, "%s: %s %s", where, name, cause);
}
