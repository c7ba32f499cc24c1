/* Runs a fuzz target on files and on mutations of them, where clang's libFuzzer is not at hand: gcc has its
 * sanitizers, not its fuzzer. The same arguments give the same inputs.
 *
 *     TARGET [--runs N] [--seed S] [--keep FILE] CORPUS_FILE...
 *
 * An input that the target does not survive is left in FILE ("crash"), which run as the corpus shows it
 * again. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sanitizers call this back before they end the program; without them it is not there. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { MUTATIONS_MAX = 4, INSERTED_MAX = 16, GROWTH_MAX = 4096, SECONDS_MAX = 10 };

struct input {
    uint8_t *data;
    size_t size;
};

struct corpus {
    struct input *inputs;
    size_t count;
};

static const char *const NUMBERS[] = {
    "0", "-1", "256", "2147483648", "4294967296", "18446744073709551616", "1e309", "nan", "0x10", ""};

static const uint64_t WORDS[] = {0, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX};

/* What is being run, for the handlers of its end. */
static struct {
    const char *file;
    struct input input;
} running = {"crash", {NULL, 0}};

static uint64_t random_state;

/* Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators (splitmix64). */
static uint64_t random_word(void) {
    uint64_t word = random_state += 0x9e3779b97f4a7c15;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
}

/* From 0 to below `limit`; 0 where that is 0. */
static size_t random_below(size_t limit) {
    return limit == 0 ? 0 : (size_t)(random_word() % limit);
}

static void keep(void) {
    FILE *file = fopen(running.file, "wb");
    if (!file)
        return;
    fwrite(running.input.data, 1, running.input.size, file);
    fclose(file);
    fprintf(stderr, "the input is in %s, %zu bytes\n", running.file, running.input.size);
}

static void end(int signal_number) {
    fprintf(stderr, signal_number == SIGALRM ? "the target does not end\n" : "the target aborted\n");
    keep();
    _exit(1);
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory && size != 0) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* Puts `size` bytes where `removed` bytes from `at` on were. */
static void replace(struct input *input, size_t at, size_t removed, const void *bytes, size_t size) {
    size_t tail = input->size - at - removed;
    uint8_t *data = allocate(at + size + tail);
    if (at > 0)
        memcpy(data, input->data, at);
    if (size > 0)
        memcpy(data + at, bytes, size);
    if (tail > 0)
        memcpy(data + at + size, input->data + at + removed, tail);
    free(input->data);
    *input = (struct input){data, at + size + tail};
}

static void change_byte(struct input *input) {
    if (input->size > 0)
        input->data[random_below(input->size)] ^= (uint8_t)(1u << random_below(8));
}

static void set_byte(struct input *input) {
    if (input->size > 0)
        input->data[random_below(input->size)] = (uint8_t)random_word();
}

static void insert(struct input *input) {
    uint8_t bytes[INSERTED_MAX];
    size_t size = 1 + random_below(sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_word();
    replace(input, random_below(input->size + 1), 0, bytes, size);
}

static void cut(struct input *input) {
    size_t at = random_below(input->size);
    replace(input, at, random_below(input->size - at + 1), NULL, 0);
}

static void truncate_end(struct input *input) {
    size_t size = random_below(input->size);
    replace(input, size, input->size - size, NULL, 0);
}

/* An interesting number of 1, 2, 4 or 8 bytes, little-endian. */
static void set_word(struct input *input) {
    uint64_t word = WORDS[random_below(sizeof WORDS / sizeof *WORDS)] + random_below(3) - 1;
    size_t size = (size_t)1 << random_below(4);
    if (input->size < size)
        return;
    size_t at = random_below(input->size - size + 1);
    for (size_t i = 0; i < size; i++)
        input->data[at + i] = (uint8_t)(word >> (8 * i));
}

/* Another number in place of one that is written in digits. */
static void set_number(struct input *input) {
    size_t at = random_below(input->size), end_at;
    while (at < input->size && (input->data[at] < '0' || input->data[at] > '9'))
        at++;
    for (end_at = at; end_at < input->size && input->data[end_at] >= '0' && input->data[end_at] <= '9';)
        end_at++;
    const char *number = NUMBERS[random_below(sizeof NUMBERS / sizeof *NUMBERS)];
    replace(input, at, end_at - at, number, strlen(number));
}

/* The line that byte `at` is in, its end included. */
static struct input line_at(const struct input *input, size_t at) {
    size_t begin = at, after = at;
    while (begin > 0 && input->data[begin - 1] != '\n')
        begin--;
    while (after < input->size && input->data[after++] != '\n')
        continue;
    return (struct input){input->data + begin, after - begin};
}

/* A line of the input once more, in place of another or between two. */
static void copy_line(struct input *input) {
    if (input->size == 0)
        return;
    struct input line = line_at(input, random_below(input->size));
    struct input other = line_at(input, random_below(input->size));
    bool instead = random_below(2) == 0;
    replace(input, (size_t)(other.data - input->data), instead ? other.size : 0, line.data, line.size);
}

static void remove_line(struct input *input) {
    if (input->size == 0)
        return;
    struct input line = line_at(input, random_below(input->size));
    replace(input, (size_t)(line.data - input->data), line.size, NULL, 0);
}

/* The beginning of this input, then the end of another. */
static void splice(struct input *input, const struct input *other) {
    size_t at = random_below(input->size + 1), from = random_below(other->size + 1);
    replace(input, at, input->size - at, other->data + from, other->size - from);
}

static void (*const MUTATIONS[])(struct input *) = {
    change_byte, set_byte, insert, cut, truncate_end, set_word, set_number, copy_line, remove_line,
};

static struct input mutation(const struct corpus *corpus) {
    const struct input *seed = &corpus->inputs[random_below(corpus->count)];
    struct input input = {NULL, 0};
    replace(&input, 0, 0, seed->data, seed->size);
    if (random_below(16) == 0)
        splice(&input, &corpus->inputs[random_below(corpus->count)]);
    for (size_t count = 1 + random_below(MUTATIONS_MAX); count > 0; count--)
        MUTATIONS[random_below(sizeof MUTATIONS / sizeof *MUTATIONS)](&input);
    if (input.size > seed->size + GROWTH_MAX)
        replace(&input, seed->size + GROWTH_MAX, input.size - seed->size - GROWTH_MAX, NULL, 0);
    return input;
}

/* Runs the target on memory of just that size, so that a byte read behind it is noticed. Frees it. */
static void run(struct input input) {
    running.input = input;
    alarm(SECONDS_MAX);
    LLVMFuzzerTestOneInput(input.data, input.size);
    running.input = (struct input){NULL, 0};
    free(input.data);
}

static struct input read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    long size = ftell(file);
    struct input input = {allocate((size_t)size), (size_t)size};
    rewind(file);
    if (fread(input.data, 1, input.size, file) != input.size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return input;
}

int main(int argc, char **argv) {
    long runs = 0;
    int first = 1;
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (strcmp(argv[first], "--runs") == 0)
            runs = strtol(argv[first + 1], NULL, 10);
        else if (strcmp(argv[first], "--seed") == 0)
            random_state = strtoull(argv[first + 1], NULL, 10);
        else if (strcmp(argv[first], "--keep") == 0)
            running.file = argv[first + 1];
    }
    struct corpus corpus = {allocate((size_t)argc * sizeof(struct input)), 0};
    for (int i = first; i < argc; i++)
        corpus.inputs[corpus.count++] = read_file(argv[i]);
    if (corpus.count == 0) {
        fprintf(stderr, "%s [--runs N] [--seed S] [--keep FILE] CORPUS_FILE...\n", argv[0]);
        return 2;
    }
    signal(SIGALRM, end);
    signal(SIGABRT, end);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep);
    for (size_t i = 0; i < corpus.count; i++) {
        struct input copy = {NULL, 0};
        replace(&copy, 0, 0, corpus.inputs[i].data, corpus.inputs[i].size);
        run(copy);
    }
    for (long i = 0; i < runs; i++)
        run(mutation(&corpus));
    printf("%zu files and %ld mutations\n", corpus.count, runs);
    for (size_t i = 0; i < corpus.count; i++)
        free(corpus.inputs[i].data);
    free(corpus.inputs);
    return 0;
}
