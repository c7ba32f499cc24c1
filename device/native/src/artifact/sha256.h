/* The sha256 of bytes (FIPS 180-4). */
#ifndef EDGESEQ_SHA256_H
#define EDGESEQ_SHA256_H

#include <stddef.h>

/* The digest of `size` bytes in 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const void *data, size_t size, char hex[65]);

#endif
