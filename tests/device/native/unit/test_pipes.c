#include <signal.h>
#include <unistd.h>

#include "check.h"
#include "process/pipes.h"

enum { FULL = 1 << 20 };

struct ends {
    int reads, writes;
};

static struct ends made(void) {
    int both[2] = {-1, -1};
    CHECK(pipe(both) == 0);
    return (struct ends){both[0], both[1]};
}

static void closed(struct ends ends) {
    close(ends.reads);
    close(ends.writes);
}

static void text_goes_through(void) {
    struct ends in = made(), out = made();
    struct pipes pipes;
    struct failure failure;
    char read_back[8] = "";
    CHECK(pipes_open(&pipes, in.reads, out.writes, &failure));
    CHECK(write(in.writes, "x", 1) == 1);
    CHECK_LONG(pipes_wait(&pipes, &failure), PIPES_GO_ON);
    CHECK_LONG(pipes_write(&pipes, "answer\n", 7, &failure), PIPES_GO_ON);
    CHECK(read(out.reads, read_back, 7) == 7);
    CHECK_TEXT(read_back, "answer\n");
    pipes_close(&pipes);
    closed(in);
    closed(out);
}

static void a_reader_that_is_gone_is_noticed(void) {
    struct ends in = made(), out = made();
    struct pipes pipes;
    struct failure failure;
    CHECK(pipes_open(&pipes, in.reads, out.writes, &failure));
    close(out.reads);
    CHECK_LONG(pipes_wait(&pipes, &failure), PIPES_CLOSED);
    CHECK_LONG(pipes_write(&pipes, "x", 1, &failure), PIPES_CLOSED);
    close(out.writes);
    CHECK_LONG(pipes_write(&pipes, "x", 1, &failure), PIPES_FAILED);
    CHECK_FAILURE(failure, FAULT, "stdout: cannot be written");
    pipes_close(&pipes);
    closed(in);
}

static void a_line_is_written_whole_before_the_end(void) {
    static const char text[FULL];
    struct ends in = made(), out = made();
    struct pipes pipes;
    struct failure failure;
    char read_back[3] = "";
    CHECK(pipes_open(&pipes, in.reads, out.writes, &failure));
    kill(getpid(), SIGTERM);
    CHECK_LONG(pipes_write(&pipes, "ab", 2, &failure), PIPES_ENDED);
    CHECK(read(out.reads, read_back, 2) == 2);
    CHECK_TEXT(read_back, "ab");
    CHECK_LONG(pipes_wait(&pipes, &failure), PIPES_ENDED);
    /* Nobody takes it: the end does not wait for that. */
    CHECK_LONG(pipes_write(&pipes, text, sizeof text, &failure), PIPES_ENDED);
    pipes_close(&pipes);
    closed(in);
    closed(out);
}

int main(void) {
    text_goes_through();
    a_reader_that_is_gone_is_noticed();
    a_line_is_written_whole_before_the_end();
    return CHECKED;
}
