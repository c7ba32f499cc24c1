/* .npy files, right and wrong. */
#include <stdint.h>
#include <stdlib.h>

#include "artifact/npy.h"
#include "check.h"

enum { HEADER = 10 };

/* A file of version 1 with this header and `size` bytes of zeros behind it, in memory of just its size. */
static unsigned char *file_of(const char *header, size_t data_size, size_t *size) {
    size_t length = strlen(header);
    *size = HEADER + length + data_size;
    unsigned char *file = calloc(*size, 1);
    if (!CHECK(file != NULL))
        abort();
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (unsigned char)length;
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + HEADER, header, length);
    return file;
}

static bool parse(const char *header, size_t data_size, struct npy *npy, struct failure *failure) {
    size_t size = 0;
    unsigned char *file = file_of(header, data_size, &size);
    bool parsed = npy_parse(file, size, "a.npy", npy, failure);
    if (parsed && npy->data != file + size - data_size)
        parsed = CHECK(false);
    free(file);
    return parsed;
}

/* Headers are of such lengths that the data is aligned. */
static void what_numpy_writes_is_read(void) {
    struct npy npy;
    struct failure failure;
    CHECK(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24, &npy, &failure));
    CHECK(npy.element == FLOAT32 && npy.rank == 2 && npy.dims[0] == 2 && npy.dims[1] == 3);
    CHECK_LONG(npy_count(&npy), 6);
    CHECK(parse("{'descr': '<i4', 'fortran_order': False, 'shape': (5,), }    \n", 20, &npy, &failure));
    CHECK(npy.element == INT32 && npy.rank == 1 && npy.dims[0] == 5);
    CHECK(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (), }      \n", 4, &npy, &failure));
    CHECK(npy.rank == 0 && npy_count(&npy) == 1);
    CHECK(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }  \n", 0, &npy, &failure));
    CHECK_LONG(npy_count(&npy), 0);
    CHECK(parse("{'shape':(1,2,3,4),'fortran_order':False,'descr':'<f4'}      \n", 96, &npy, &failure));
    CHECK(npy.rank == 4 && npy.dims[3] == 4);
}

static void what_is_none_or_cannot_be_used_is_refused(void) {
#define DICT(type, order, shape) "{'descr': " type ", 'fortran_order': " order ", 'shape': " shape ", }"
    static const struct {
        const char *header;
        size_t data_size;
        const char *said;
    } WRONG[] = {
        {DICT("'<f8'", "False", "(2,)"), 16, "its type is neither <f4 nor <i4: save numpy.float32"},
        {DICT("'>f4'", "False", "(2,)"), 8, "its type"},
        {DICT("'|O'", "False", "(2,)"), 8, "its type"},
        {DICT("[('a', '<f4')]", "False", "(2,)"), 8, "its type"},
        {DICT("'<f4'", "True", "(2, 2)"), 16, "it is in Fortran order: save numpy.ascontiguousarray"},
        {DICT("'<f4'", "False", "(1, 1, 1, 1, 1)"), 4, "it has more than 4 dimensions"},
        {DICT("'<f4'", "False", "(99999999999999999999,)"), 4, "its sizes are too large"},
        {DICT("'<f4'", "False", "(4294967296, 4294967296)"), 0, "its sizes are too large"},
        {DICT("'<f4'", "False", "(0, 9223372036854775807, 4)"), 4, "a.npy: cannot be read"},
        {DICT("'<f4'", "False", "(4611686018427387904,)"), 0, "its sizes are too large"},
        {DICT("'<f4'", "False", "(-1,)"), 4, "its header is damaged"},
        {DICT("'<f4'", "False", "(2"), 8, "its header is damaged"},
        {DICT("'<f4'", "False", "(2 3)"), 24, "its header is damaged"},
        {DICT("'<f4'", "False", "(3)"), 12, "its header is damaged"},
        {DICT("'<f4'", "False", "(,)"), 4, "its header is damaged"},
        {DICT("'<f4'", "False", "3"), 12, "its header is damaged"},
        {DICT("'<f4'", "0", "(3,)"), 12, "it is in Fortran order"},
        {"{'descr': '<f4', 'shape': (3,), }", 12, "its header is damaged"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 12, "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}", 12, "damaged"},
        {DICT("'<f4'", "False", "(3,)") " x", 12, "its header is damaged"},
        {"{'descr'", 0, "its header is damaged"},
        {"", 0, "its header is damaged"},
        {"{", 0, "its header is damaged"},
        {DICT("'<f4'", "False", "(3,)"), 11, "holds 11 bytes of data where its shape has 12"},
        {DICT("'<f4'", "False", "(3,)"), 13, "holds 13 bytes of data where its shape has 12"},
        {DICT("'<f4'", "False", "(333333333,)"), 12, "where its shape has 1333333332"},
        {DICT("'<f4'", "False", "(3,)") "  \n", 12, "not aligned: save it again with numpy.save"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct npy npy;
        struct failure failure = {0};
        CHECK(!parse(WRONG[i].header, WRONG[i].data_size, &npy, &failure));
        CHECK_FAILURE(failure, BAD_DATA, WRONG[i].said);
    }
}

static void a_file_cut_anywhere_is_refused(void) {
    size_t size = 0;
    unsigned char *file =
        file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24, &size);
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *part = malloc(cut + (cut == 0));
        struct npy npy;
        struct failure failure = {0};
        if (!CHECK(part != NULL))
            break;
        memcpy(part, file, cut);
        CHECK(!npy_parse(part, cut, "a.npy", &npy, &failure));
        CHECK_FAILURE(failure, BAD_DATA, "a.npy: cannot be read as .npy");
        free(part);
    }
    free(file);
}

/* Versions 2 and 3 tell the header's length in 4 bytes. */
static void other_versions_are_read_or_refused(void) {
    static const char HEADER_2[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }  \n";
    _Alignas(4) unsigned char file[12 + sizeof HEADER_2 - 1 + 4] = "\x93NUMPY\2\0";
    struct npy npy;
    struct failure failure;
    memcpy(file + 12, HEADER_2, sizeof HEADER_2 - 1);
    file[8] = sizeof HEADER_2 - 1;
    for (unsigned char version = 2; version < 4; version++) {
        file[6] = version;
        CHECK(npy_parse(file, sizeof file, "a.npy", &npy, &failure) && npy.rank == 1);
    }
    file[11] = 0xff;
    CHECK(!npy_parse(file, sizeof file, "a.npy", &npy, &failure));
    file[11] = 0;
    file[6] = 4;
    CHECK(!npy_parse(file, sizeof file, "a.npy", &npy, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "it does not begin as a .npy file of version 1 to 3");
    file[6] = 0;
    CHECK(!npy_parse(file, sizeof file, "a.npy", &npy, &failure));
}

int main(void) {
    what_numpy_writes_is_read();
    what_is_none_or_cannot_be_used_is_refused();
    a_file_cut_anywhere_is_refused();
    other_versions_are_read_or_refused();
    return CHECKED;
}
