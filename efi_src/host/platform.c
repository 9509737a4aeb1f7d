/* Console, clock and memory of a Linux process. */
#include "platform.h"
#include "files.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct console {
    unsigned char bytes[4096]; /* read, not yet taken */
    size_t at, count;
    int ended;  /* stdin */
    int failed; /* stdout */
};

static struct termios cooked;

static void console_write(void *ctx, const char *text, size_t n) {
    struct console *c = ctx;
    if (fwrite(text, 1, n, stdout) != n) c->failed = 1;
}

/* Fills the buffer when it is empty; waits up to `timeout` ms (-1: for ever). */
static void fill(struct console *c, int timeout) {
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    if (c->at < c->count || c->ended || poll(&fd, 1, timeout) <= 0) return;
    ssize_t n = read(STDIN_FILENO, c->bytes, sizeof c->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    c->at = 0;
    c->count = n > 0 ? (size_t)n : 0;
    c->ended = n <= 0;
}

static int console_read(void *ctx) {
    struct console *c = ctx;
    if (!host_flush()) c->failed = 1; /* the engine looks for input after each token: text streams */
    fill(c, 0);
    if (c->at < c->count) return c->bytes[c->at++];
    return c->ended ? PLATFORM_END : -1;
}

static void console_wait(void *ctx) { fill(ctx, -1); }

static void console_clear(void *ctx) {
    if (isatty(STDOUT_FILENO)) console_write(ctx, "\033[H\033[2J", 7);
}

static uint64_t now_us(void *ctx) {
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void *alloc(void *ctx, size_t bytes) {
    void *memory = NULL;
    (void)ctx;
    if (bytes > SIZE_MAX / 2 || posix_memalign(&memory, 64, bytes ? bytes : 1) != 0) return NULL;
    return memset(memory, 0, bytes);
}

static void release(void *ctx, void *memory, size_t bytes) {
    (void)ctx;
    (void)bytes;
    free(memory);
}

/* What the kernel says can be had without swapping; UINT64_MAX: it does not say. */
static uint64_t available(void) {
    char line[128];
    unsigned long long kb;
    uint64_t found = UINT64_MAX;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1) found = kb * 1024;
    if (file) fclose(file);
    return found;
}

/* What `ulimit -v` leaves */
static uint64_t addresses(void) {
    struct rlimit limit;
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    int known = file && fscanf(file, "%llu", &pages) == 1 && getrlimit(RLIMIT_AS, &limit) == 0;
    if (file) fclose(file);
    if (!known || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    uint64_t used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

/* Free memory has no holes here. */
static uint64_t memory_free(void *ctx, uint64_t *largest) {
    uint64_t there = available(), may = addresses();
    (void)ctx;
    return *largest = there < may ? there : may;
}

static struct console console;
#define PLAIN .ctx = &console, .write = console_write, .read = console_read, .wait = console_wait, \
              .clear = console_clear, .now_us = now_us, .alloc = alloc, .release = release, \
              .memory_free = memory_free
static const struct platform plain = {PLAIN};
static const struct platform chat = {
    PLAIN, .file_size = files_size, .file_read = files_read, .file_write = files_write};

const struct platform *host_platform(void) { return &plain; }
const struct platform *host_chat_platform(void) { return &chat; }

static void restore(void) { tcsetattr(STDIN_FILENO, TCSANOW, &cooked); }

void host_raw_terminal(void) {
    if (tcgetattr(STDIN_FILENO, &cooked) != 0) return; /* no terminal */
    struct termios raw = cooked;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    atexit(restore);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int host_flush(void) {
    if (fflush(stdout) != 0) console.failed = 1;
    return !console.failed;
}
