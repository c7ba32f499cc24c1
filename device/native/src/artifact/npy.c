#include "artifact/npy.h"

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are read as they lie");
_Static_assert(sizeof(float) == 4 && sizeof(int32_t) == 4, "both elements are of 4 bytes");

enum { MAGIC = 6, ITEM = 4 };

/* What is left of the header: the text of a Python dict, without a NUL behind it. */
struct header {
    const char *at, *end;
    const char *cause; /* why it is refused; NULL: it is not what numpy writes */
};

static void skip_blanks(struct header *header) {
    while (header->at < header->end && (*header->at == ' ' || *header->at == '\n'))
        header->at++;
}

/* Takes `text` if it comes next, after any blanks. */
static bool take(struct header *header, const char *text) {
    skip_blanks(header);
    size_t length = strlen(text);
    if ((size_t)(header->end - header->at) < length || memcmp(header->at, text, length) != 0)
        return false;
    header->at += length;
    return true;
}

static bool take_element(struct header *header, enum element *element) {
    bool float32 = take(header, "'<f4'");
    *element = float32 ? FLOAT32 : INT32;
    header->cause = "its type is neither <f4 nor <i4: save numpy.float32, or numpy.int32 for ids";
    if (!float32 && !take(header, "'<i4'"))
        return false;
    header->cause = NULL;
    return true;
}

static bool take_order(struct header *header) {
    if (take(header, "False"))
        return true;
    header->cause = "it is in Fortran order: save numpy.ascontiguousarray of it";
    return false;
}

static bool take_size(struct header *header, long *size) {
    skip_blanks(header);
    const char *begin = header->at;
    *size = 0;
    for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++) {
        if (__builtin_mul_overflow(*size, 10L, size) ||
            __builtin_add_overflow(*size, (long)(*header->at - '0'), size)) {
            header->cause = "its sizes are too large";
            return false;
        }
    }
    return header->at > begin;
}

/* A tuple: (), (3,), (3, 40) */
static bool take_shape(struct header *header, struct npy *npy) {
    if (!take(header, "("))
        return false;
    for (npy->rank = 0; !take(header, ")"); npy->rank++) {
        if (npy->rank == RANK_MAX) {
            header->cause = "it has more than 4 dimensions";
            return false;
        }
        if (!take_size(header, &npy->dims[npy->rank]))
            return false;
        if (!take(header, ",") && (npy->rank == 0 || header->at == header->end || *header->at != ')'))
            return false;
    }
    return true;
}

enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };

/* One `key: value` of the dict; in `seen`, what there was. */
static bool take_item(struct header *header, struct npy *npy, int *seen) {
    int key = take(header, "'descr'")           ? DESCR
              : take(header, "'fortran_order'") ? ORDER
              : take(header, "'shape'")         ? SHAPE
                                                : 0;
    if (key == 0 || (*seen & key) != 0 || !take(header, ":"))
        return false;
    *seen |= key;
    if (key == DESCR)
        return take_element(header, &npy->element);
    return key == ORDER ? take_order(header) : take_shape(header, npy);
}

static bool take_header(struct header *header, struct npy *npy) {
    int seen = 0;
    if (!take(header, "{"))
        return false;
    while (!take(header, "}")) {
        if (!take_item(header, npy, &seen))
            return false;
        if (!take(header, ",") && (header->at == header->end || *header->at != '}'))
            return false;
    }
    skip_blanks(header);
    return seen == ALL && header->at == header->end;
}

/* The size of the array in bytes; false where it overflows. */
static bool data_size(const struct npy *npy, size_t *size) {
    *size = ITEM;
    for (int i = 0; i < npy->rank; i++)
        if (__builtin_mul_overflow(*size, (size_t)npy->dims[i], size) || *size > PTRDIFF_MAX)
            return false;
    return true;
}

static bool refuse(const char *where, const char *cause, struct failure *failure) {
    return fail(failure, BAD_DATA, "%s: cannot be read as .npy: %s", where, cause);
}

/* Where the text of the header begins and ends. */
static bool find_header(const unsigned char *bytes, size_t size, size_t *begin, size_t *end) {
    if (size < MAGIC + 4 || memcmp(bytes, "\x93NUMPY", MAGIC) != 0)
        return false;
    unsigned major = bytes[MAGIC];
    const unsigned char *length = bytes + MAGIC + 2;
    *begin = major == 1 ? 10 : 12;
    if (major < 1 || major > 3 || size < *begin)
        return false;
    *end = *begin + length[0] + ((size_t)length[1] << 8);
    if (major > 1)
        *end += (size_t)length[2] << 16 | (size_t)length[3] << 24;
    return *end <= size;
}

bool npy_parse(const void *bytes, size_t size, const char *where, struct npy *npy, struct failure *failure) {
    *npy = (struct npy){0};
    size_t begin = 0, end = 0, wanted = 0;
    if (!find_header(bytes, size, &begin, &end))
        return refuse(where, "it does not begin as a .npy file of version 1 to 3", failure);
    struct header header = {.at = (const char *)bytes + begin, .end = (const char *)bytes + end};
    if (!take_header(&header, npy))
        return refuse(where, header.cause == NULL ? "its header is damaged" : header.cause, failure);
    if (!data_size(npy, &wanted))
        return refuse(where, "its sizes are too large", failure);
    if (size - end != wanted)
        return fail(failure, BAD_DATA,
                    "%s: cannot be read as .npy: it holds %zu bytes of data where its shape has %zu", where,
                    size - end, wanted);
    npy->data = (const unsigned char *)bytes + end;
    if ((uintptr_t)npy->data % ITEM != 0)
        return refuse(where, "its data is not aligned: save it again with numpy.save", failure);
    return true;
}

size_t npy_count(const struct npy *npy) {
    size_t count = 1;
    for (int i = 0; i < npy->rank; i++)
        count *= (size_t)npy->dims[i];
    return count;
}
