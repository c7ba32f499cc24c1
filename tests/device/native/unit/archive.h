/* Archives of arrays as numpy.savez writes them, for tests: each member stored, its local header with sizes
 * in a zip64 field. */
#ifndef EDGESEQ_ARCHIVE_H
#define EDGESEQ_ARCHIVE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARCHIVE_MAX = 65536, LOCAL_EXTRA = 20 };

struct archive {
    unsigned char data[ARCHIVE_MAX], directory[ARCHIVE_MAX];
    size_t size, directory_size, count;
    size_t entry_at; /* in the directory, of the last member */
};

/* Little-endian, in `width` bytes. */
static inline void put_number(unsigned char *at, uint64_t number, int width) {
    for (int i = 0; i < width; i++)
        at[i] = (unsigned char)(number >> (8 * i));
}

static inline uint32_t plain_crc32(const unsigned char *data, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static inline void archive_add(struct archive *archive, const char *name, const void *data, size_t size) {
    size_t length = strlen(name), at = archive->size;
    if (at + 30 + length + LOCAL_EXTRA + size > ARCHIVE_MAX)
        abort();
    unsigned char *local = archive->data + at, *entry = archive->directory + archive->directory_size;
    uint32_t crc = plain_crc32(data, size);
    memcpy(local, "PK\3\4\55\0", 6);
    put_number(local + 14, crc, 4);
    put_number(local + 18, 0xffffffff, 4);
    put_number(local + 22, 0xffffffff, 4);
    put_number(local + 26, length, 2);
    put_number(local + 28, LOCAL_EXTRA, 2);
    memcpy(local + 30, name, length);
    put_number(local + 30 + length, 0x100001, 4); /* field 1, 16 bytes */
    put_number(local + 34 + length, size, 8);
    put_number(local + 42 + length, size, 8);
    if (size > 0)
        memcpy(local + 50 + length, data, size);
    memcpy(entry, "PK\1\2\55\3\55\0", 8);
    put_number(entry + 16, crc, 4);
    put_number(entry + 20, size, 4);
    put_number(entry + 24, size, 4);
    put_number(entry + 28, length, 2);
    put_number(entry + 42, at, 4);
    memcpy(entry + 46, name, length);
    archive->size += 50 + length + size;
    archive->entry_at = archive->directory_size;
    archive->directory_size += 46 + length;
    archive->count++;
}

/* Adds an array of 4-byte elements, "<f4" or "<i4". */
static inline void archive_add_array(struct archive *archive, const char *name, const char *type, int rows,
                                     int columns, const void *values) {
    unsigned char file[4096] = "\x93NUMPY\1\0\x76";
    size_t size = 4 * (size_t)rows * (size_t)columns;
    if (128 + size > sizeof file)
        abort();
    memset(file + 10, ' ', 117);
    file[127] = '\n';
    int length =
        snprintf((char *)file + 10, 117, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", type,
                 rows, columns);
    file[10 + length] = ' ';
    memcpy(file + 128, values, size);
    archive_add(archive, name, file, 128 + size);
}

/* Adds the directory and the record at the end. */
static inline void archive_end(struct archive *archive) {
    unsigned char *end = archive->data + archive->size + archive->directory_size;
    if (archive->size + archive->directory_size + 22 > ARCHIVE_MAX)
        abort();
    memcpy(archive->data + archive->size, archive->directory, archive->directory_size);
    memset(end, 0, 22);
    memcpy(end, "PK\5\6", 4);
    put_number(end + 8, archive->count, 2);
    put_number(end + 10, archive->count, 2);
    put_number(end + 12, archive->directory_size, 4);
    put_number(end + 16, archive->size, 4);
    archive->size += archive->directory_size + 22;
}

#endif
