/* A log found in memory after a crash: u8 how many records it had, the records (u8 length, text), then changes to its
 * bytes (u16 where, u8 what). With no records the memory is the input itself. */
#include "../engine/ringlog.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

#define ROOM 1024

static void line(void *ctx, const char *text, size_t n) {
    (void)ctx;
    FUZZ_PROMISE(n <= RINGLOG_LINE_MAX);
    for (size_t i = 0; i < n; i++) FUZZ_PROMISE((uint8_t)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
}

static void read(uint8_t *bytes, size_t size) {
    struct ringlog log;
    if (!ringlog_open(&log, bytes, size)) return;
    ringlog_dump(&log, line, NULL);
    ringlog_add(&log, 1, LOG_INFO, "more", 4);
    ringlog_dump(&log, line, NULL);
}

static void write(uint8_t *bytes, struct fuzz_input *in, uint32_t records) {
    struct ringlog log;
    struct error error;
    FUZZ_PROMISE(ringlog_create(&log, bytes, ROOM, &error) == OK);
    for (uint32_t i = 0; i < records; i++) {
        size_t n = fuzz_u8(in);
        if (n > in->left) n = in->left;
        ringlog_add(&log, i * 1000, (enum ringlog_level)(n % 4), (const char *)in->at, n);
        in->at += n;
        in->left -= n;
    }
    while (in->left > 0) {
        size_t at = fuzz_u16(in) % ROOM;
        bytes[at] = (uint8_t)fuzz_u8(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    uint32_t records = fuzz_u8(&in) % 16;
    void *bytes;
    size_t room = records > 0 ? ROOM : in.left;
    FUZZ_PROMISE(posix_memalign(&bytes, RINGLOG_ALIGN, room) == 0);
    if (records > 0) write(bytes, &in, records);
    else if (room > 0) memcpy(bytes, in.at, room);
    read(bytes, room);
    free(bytes);
    return 0;
}
