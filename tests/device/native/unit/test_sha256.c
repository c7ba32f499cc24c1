/* Digests of FIPS 180-4's examples, and of every length around a block's end. */
#include <stdlib.h>

#include "artifact/sha256.h"
#include "check.h"

static void digests_are_those_of_the_standard(void) {
    char hex[65];
    sha256_hex("", 0, hex);
    CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(NULL, 0, hex);
    CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex("abc", 3, hex);
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    CHECK_TEXT(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* The digest of the digests of 0, 1 ... 199 bytes "a": as Python's hashlib gives it. */
static void every_length_ends_in_its_own_way(void) {
    enum { LENGTHS = 200 };
    char *all = malloc(LENGTHS * 64), hex[65];
    if (!CHECK(all != NULL))
        return;
    for (size_t length = 0; length < LENGTHS; length++) {
        char *text = malloc(length + 1);
        if (!CHECK(text != NULL))
            break;
        memset(text, 'a', length);
        sha256_hex(text, length, hex);
        memcpy(all + 64 * length, hex, 64);
        free(text);
    }
    sha256_hex(all, LENGTHS * 64, hex);
    CHECK_TEXT(hex, "019f2b9f1af27a53a1f046da7e98af2c179f431e4b5bebb000e74040917a4123");
    free(all);
}

static void a_million_bytes_are_hashed_too(void) {
    char *text = malloc(1000000), hex[65];
    if (!CHECK(text != NULL))
        return;
    memset(text, 'a', 1000000);
    sha256_hex(text, 1000000, hex);
    CHECK_TEXT(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

int main(void) {
    digests_are_those_of_the_standard();
    every_length_ends_in_its_own_way();
    a_million_bytes_are_hashed_too();
    return CHECKED;
}
