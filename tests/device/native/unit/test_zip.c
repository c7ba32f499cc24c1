/* Archives, right and wrong. */
#include "archive.h"
#include "artifact/zip.h"
#include "check.h"

/* Two members, "a" of 3 bytes and "bb" of none. */
static struct archive *two_members(void) {
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        abort();
    archive_add(archive, "a", "xyz", 3);
    archive_add(archive, "bb", "", 0);
    archive_end(archive);
    return archive;
}

/* In memory of just that size. What a member says why it cannot be read, or all does. */
static bool read(const unsigned char *data, size_t size, const char *name, struct failure *failure) {
    unsigned char *copy = malloc(size + (size == 0));
    struct zip zip;
    struct zip_member member;
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    bool done =
        zip_open(copy, size, "a.npz", &zip, failure) && zip_read(&zip, name, "a.npz", &member, failure);
    free(copy);
    return done;
}

static void members_are_found_by_name(void) {
    struct archive *archive = two_members();
    struct zip zip;
    struct zip_member member;
    struct failure failure;
    CHECK(zip_open(archive->data, archive->size, "a.npz", &zip, &failure));
    CHECK(zip_has(&zip, "a") && zip_has(&zip, "bb") && !zip_has(&zip, "b") && !zip_has(&zip, ""));
    CHECK(zip_read(&zip, "a", "a.npz", &member, &failure));
    CHECK(member.size == 3 && memcmp(member.data, "xyz", 3) == 0);
    CHECK(zip_read(&zip, "bb", "a.npz", &member, &failure) && member.size == 0);
    CHECK(!zip_read(&zip, "c", "a.npz", &member, &failure));
    CHECK_FAILURE(failure, BAD_DATA, "a.npz: c is missing; export the artifact again");
    free(archive);
}

static void a_descriptor_behind_the_content_and_a_comment_are_no_matter(void) {
    struct archive *archive = calloc(1, sizeof *archive);
    struct failure failure;
    if (!CHECK(archive != NULL))
        return;
    archive_add(archive, "a", "xyz", 3);
    archive->data[6] = archive->directory[8] = 8; /* a flag: sizes and CRC are in the descriptor */
    memset(archive->data + 14, 0, 12);
    memcpy(archive->data + archive->size, "PK\7\10 and 12 bytes", 16);
    archive->size += 16;
    archive_add(archive, "b", "second", 6);
    archive_end(archive);
    CHECK(read(archive->data, archive->size, "a", &failure));
    CHECK(read(archive->data, archive->size, "b", &failure));
    memcpy(archive->data + archive->size, "PK\5\6", 4);
    archive->data[archive->size - 2] = 4;
    CHECK(read(archive->data, archive->size + 4, "a", &failure));
    CHECK(!read(archive->data, archive->size + 3, "a", &failure));
    free(archive);
}

static void an_archive_cut_anywhere_is_refused(void) {
    struct archive *archive = two_members();
    for (size_t cut = 0; cut < archive->size; cut++) {
        struct failure failure = {0};
        CHECK(!read(archive->data, cut, "a", &failure));
        CHECK_FAILURE(failure, BAD_DATA, "a.npz: cannot be read as .npz (no zip archive, or not all of");
    }
    free(archive);
}

/* Each field of the entry of "a", of its local header and of the end, with a number that lies. */
static void a_field_that_lies_is_found_out(void) {
    enum { LOCAL, ENTRY, END };
    static const struct {
        int record;
        size_t at;
        uint64_t number;
        int width;
        const char *said;
    } LIES[] = {
        {END, 4, 1, 2, "its directory is not where it must be"},
        {END, 6, 1, 2, "its directory is not where it must be"},
        {END, 8, 1, 2, "its directory is not where it must be"},
        {END, 8, 0x00030003, 4, "its directory is damaged"},
        {END, 8, 0x00010001, 4, "its directory is damaged"},
        {END, 8, 0xffffffff, 4, "its directory is damaged"},
        {END, 12, 1, 4, "its directory is not where it must be"},
        {END, 12, 0xffffffff, 4, "its directory is not where it must be"},
        {END, 16, 0xffffffff, 4, "its directory is not where it must be"},
        {END, 16, 0, 4, "its directory is not where it must be"},
        {END, 20, 1, 2, "no zip archive"},
        {ENTRY, 0, 0, 4, "its directory is damaged"},
        {ENTRY, 8, 1, 2, "a is encrypted"},
        {ENTRY, 10, 8, 2, "a is compressed; numpy.savez writes it as it must be"},
        {ENTRY, 16, 0, 4, "a has changed (CRC differs)"},
        {ENTRY, 20, 4, 4, "a is compressed"},
        {ENTRY, 24, 4, 4, "a is compressed"},
        {ENTRY, 20, 0xffffffffffffffff, 8, "a lies outside the archive"},
        {ENTRY, 20, 0x0000010000000100, 8, "a lies outside the archive"},
        {ENTRY, 28, 2, 2, "its directory is damaged"},
        {ENTRY, 28, 0xffff, 2, "its directory is damaged"},
        {ENTRY, 30, 0xffff, 2, "its directory is damaged"},
        {ENTRY, 32, 0xffff, 2, "its directory is damaged"},
        {ENTRY, 34, 1, 2, "a lies outside the archive"},
        {ENTRY, 42, 0xffffffff, 4, "a lies outside the archive"},
        {ENTRY, 42, 100, 4, "a lies outside the archive"},
        {ENTRY, 42, 54, 4, "a lies outside the archive"},
        {LOCAL, 0, 0, 4, "a lies outside the archive"},
        {LOCAL, 26, 2, 2, "a has another name where it lies"},
        {LOCAL, 26, 0xffff, 2, "a lies outside the archive"},
        {LOCAL, 28, 0xffff, 2, "a lies outside the archive"},
        {LOCAL, 30, 'b', 1, "a has another name where it lies"},
        {LOCAL, 51, '!', 1, "a has changed (CRC differs)"},
    };
    for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++) {
        struct archive *archive = two_members();
        struct failure failure = {0};
        size_t end = archive->size - 22;
        size_t record = LIES[i].record == LOCAL   ? 0
                        : LIES[i].record == ENTRY ? end - archive->directory_size
                                                  : end;
        put_number(archive->data + record + LIES[i].at, LIES[i].number, LIES[i].width);
        CHECK(!read(archive->data, archive->size, "a", &failure));
        if (!strstr(failure.message, LIES[i].said))
            fprintf(stderr, "lie %zu:\n", i);
        CHECK_FAILURE(failure, BAD_DATA, LIES[i].said);
        free(archive);
    }
}

static void a_name_that_is_there_twice_is_refused(void) {
    struct archive *archive = calloc(1, sizeof *archive);
    struct failure failure;
    if (!CHECK(archive != NULL))
        return;
    archive_add(archive, "a", "one", 3);
    archive_add(archive, "a", "two", 3);
    archive_end(archive);
    CHECK(!read(archive->data, archive->size, "a", &failure));
    CHECK_FAILURE(failure, BAD_DATA, "a.npz: a is there twice");
    free(archive);
}

static void bytes_before_the_archive_are_refused(void) {
    struct archive *archive = two_members();
    struct failure failure;
    memmove(archive->data + 1, archive->data, archive->size);
    CHECK(!read(archive->data, archive->size + 1, "a", &failure));
    CHECK_FAILURE(failure, BAD_DATA, "its directory is not where it must be");
    free(archive);
}

int main(void) {
    members_are_found_by_name();
    a_descriptor_behind_the_content_and_a_comment_are_no_matter();
    an_archive_cut_anywhere_is_refused();
    a_field_that_lies_is_found_out();
    a_name_that_is_there_twice_is_refused();
    bytes_before_the_archive_are_refused();
    return CHECKED;
}
