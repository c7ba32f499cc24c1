/* Whole files; in a folder of the test's own. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"

static void put(const char *path, const char *content) {
    FILE *file = fopen(path, "w");
    if (CHECK(file != NULL)) {
        fputs(content, file);
        fclose(file);
    }
}

static void a_file_is_mapped_and_an_empty_one_has_no_bytes(void) {
    struct bytes bytes;
    struct failure failure;
    put("some", "abc");
    put("empty", "");
    CHECK(file_map("some", &bytes, &failure) && bytes.mapped);
    CHECK(bytes.size == 3 && memcmp(bytes.data, "abc", 3) == 0);
    bytes_free(&bytes);
    CHECK(bytes.data == NULL && bytes.size == 0);
    CHECK(file_map("empty", &bytes, &failure));
    CHECK(bytes.data == NULL && bytes.size == 0);
    bytes_free(&bytes);
}

static void what_is_no_regular_file_is_not_mapped(void) {
    struct bytes bytes;
    struct failure failure;
    CHECK(mkdir("folder", 0700) == 0 && mkfifo("pipe", 0600) == 0);
    CHECK(symlink("some", "link") == 0);
    CHECK(!file_map("absent", &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "absent: cannot be read (No such file");
    CHECK(!file_map("folder", &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "folder: not a regular file");
    CHECK(!file_map("pipe", &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "pipe: not a regular file");
    CHECK(file_map("link", &bytes, &failure));
    bytes_free(&bytes);
}

static void a_file_is_read_up_to_what_is_allowed(void) {
    struct bytes bytes;
    struct failure failure;
    char *large = malloc(200001);
    if (!CHECK(large != NULL))
        return;
    memset(large, 'x', 200000);
    large[200000] = '\0';
    put("large", large);
    free(large);
    CHECK(file_read("large", 200000, &bytes, &failure) && bytes.size == 200000 && !bytes.mapped);
    CHECK(bytes.data[199999] == 'x');
    bytes_free(&bytes);
    CHECK(!file_read("large", 199999, &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "large: holds more than 199999 bytes");
    CHECK(bytes.data == NULL);
    CHECK(file_read("empty", 0, &bytes, &failure) && bytes.data == NULL);
    CHECK(!file_read("folder", 10, &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "folder: cannot be read");
    CHECK(!file_read("absent", 10, &bytes, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "absent: cannot be read (No such file");
}

static void a_file_is_replaced_whole(void) {
    struct bytes bytes;
    struct failure failure;
    CHECK(file_write_atomic("new", "one", 3, &failure));
    CHECK(file_write_atomic("new", "second", 6, &failure));
    CHECK(file_map("new", &bytes, &failure) && bytes.size == 6);
    CHECK(memcmp(bytes.data, "second", 6) == 0);
    bytes_free(&bytes);
    CHECK(!file_write_atomic("absent/new", "x", 1, &failure));
    CHECK_FAILURE(failure, FAULT, "absent/new: cannot be written (No such file");
    CHECK(!file_write_atomic("folder", "x", 1, &failure));
    CHECK_FAILURE(failure, FAULT, "folder: cannot be written");
}

static void what_is_no_regular_file_is_written_and_not_replaced(void) {
    struct bytes bytes;
    struct failure failure;
    struct stat status;
    CHECK(file_write_atomic("/dev/null", "x", 1, &failure));
    CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(file_write_atomic("link", "through", 7, &failure));
    CHECK(lstat("link", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(file_map("some", &bytes, &failure) && bytes.size == 7);
    bytes_free(&bytes);
}

static void a_path_is_put_together(void) {
    struct failure failure;
    char *path = file_in("folder", "name", &failure);
    CHECK_TEXT(path, "folder/name");
    free(path);
}

int main(void) {
    a_file_is_mapped_and_an_empty_one_has_no_bytes();
    what_is_no_regular_file_is_not_mapped();
    a_file_is_read_up_to_what_is_allowed();
    a_file_is_replaced_whole();
    what_is_no_regular_file_is_written_and_not_replaced();
    a_path_is_put_together();
    return CHECKED;
}
