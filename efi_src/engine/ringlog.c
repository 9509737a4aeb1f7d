/* The ring log. */
#include "ringlog.h"
#include "text.h"
#include "utf8.h"

#define MAGIC 0x31474F4C544F474Eull /* "NGOTLOG1" */
#define NUMBER_MAX (UINT64_MAX / 2)

_Static_assert(sizeof(struct ringlog_header) == 64, "the layout is fixed");
_Static_assert(sizeof(struct ringlog_record) == 128, "the layout is fixed");

/* FNV-1a */
static uint64_t checksum(const void *bytes, size_t n) {
    uint64_t sum = 0xCBF29CE484222325ull;
    for (size_t i = 0; i < n; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3ull;
    return sum;
}

static uint64_t header_sum(const struct ringlog_header *h) {
    return checksum(h, offsetof(struct ringlog_header, checksum));
}

static uint64_t record_sum(const struct ringlog_record *r) {
    return checksum((const char *)r + sizeof r->checksum, sizeof *r - sizeof r->checksum);
}

static int aligned(const void *at) { return (uintptr_t)at % RINGLOG_ALIGN == 0; }

static size_t records_in(size_t bytes) {
    size_t header = sizeof(struct ringlog_header);
    return bytes < header ? 0 : (bytes - header) / sizeof(struct ringlog_record);
}

static struct ringlog_record *records_of(void *block) {
    return (struct ringlog_record *)((char *)block + sizeof(struct ringlog_header));
}

enum status ringlog_create(struct ringlog *log, void *block, size_t bytes, struct error *error) {
    struct ringlog_header *header = block;
    size_t count = records_in(bytes);
    if (!aligned(block)) return fail(error, E_RANGE, "the memory of the log is not aligned", NULL, 0);
    if (count == 0) return fail(error, E_MEMORY, "the memory of the log holds not one record", NULL, 0);
    if (count > UINT32_MAX) count = UINT32_MAX;
    *log = (struct ringlog){.records = records_of(block), .count = (uint32_t)count};
    for (size_t i = 0; i < count; i++) log->records[i] = (struct ringlog_record){.checksum = 0}; /* none valid */
    *header = (struct ringlog_header){
        .magic = MAGIC, .record_bytes = sizeof(struct ringlog_record), .records = (uint32_t)count};
    header->checksum = header_sum(header);
    return OK;
}

/* The record in a slot, when it is whole and belongs there. */
static const struct ringlog_record *whole(const struct ringlog *log, uint64_t slot) {
    const struct ringlog_record *r = &log->records[slot];
    if (r->number > NUMBER_MAX || r->number % log->count != slot || r->length > RINGLOG_TEXT) return NULL;
    return r->checksum == record_sum(r) ? r : NULL;
}

static int is_log(const void *block, size_t bytes) {
    const struct ringlog_header *h = block;
    if (!aligned(block) || bytes < sizeof *h || h->magic != MAGIC) return 0;
    if (h->record_bytes != sizeof(struct ringlog_record) || h->checksum != header_sum(h)) return 0;
    return h->records > 0 && h->records <= records_in(bytes);
}

int ringlog_open(struct ringlog *log, void *block, size_t bytes) {
    if (!is_log(block, bytes)) return 0;
    *log = (struct ringlog){.records = records_of(block), .count = ((struct ringlog_header *)block)->records};
    for (uint32_t slot = 0; slot < log->count; slot++) {
        const struct ringlog_record *r = whole(log, slot);
        if (r && r->number >= log->next) log->next = r->number + 1;
    }
    return 1;
}

void ringlog_add(struct ringlog *log, uint64_t time_us, enum ringlog_level level, const char *text, size_t n) {
    uint64_t number = log->next++; /* first, so that an exception in between logs behind it */
    struct ringlog_record *slot = &log->records[number % log->count];
    struct ringlog_record r = {.number = number, .time_us = time_us, .level = (uint16_t)level};
    if (n > RINGLOG_TEXT) {
        n = RINGLOG_TEXT;
        for (int i = 0; i < 3 && ((uint8_t)text[n] & 0xC0) == 0x80; i++) n--;
    }
    for (size_t i = 0; i < n; i++) r.text[i] = text[i];
    r.length = (uint16_t)n;
    r.checksum = record_sum(&r);
    *slot = r;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* in memory before anything that may crash */
}

const struct ringlog_record *ringlog_next(const struct ringlog *log, uint64_t *number) {
    uint64_t oldest = log->next > log->count ? log->next - log->count : 0;
    if (*number < oldest) *number = oldest;
    while (*number < log->next) {
        uint64_t wanted = (*number)++;
        const struct ringlog_record *r = whole(log, wanted % log->count);
        if (r && r->number == wanted) return r;
    }
    return NULL;
}

static void add_safe(struct text *line, const char *text, size_t n) {
    struct utf8 utf8 = {0};
    char out[UTF8_PUSH_MAX];
    for (size_t i = 0; i < n; i++) {
        int space = text[i] == '\n' || text[i] == '\t';
        text_add_bytes(line, out, utf8_push(&utf8, space ? ' ' : (uint8_t)text[i], out));
    }
    text_add_bytes(line, out, utf8_end(&utf8, out));
}

void ringlog_dump(const struct ringlog *log, void (*write)(void *ctx, const char *text, size_t n), void *ctx) {
    static const char *const levels[] = {"info", "warning", "error", "crash"};
    const struct ringlog_record *r;
    uint64_t number = 0;
    while ((r = ringlog_next(log, &number)) != NULL) {
        char buffer[RINGLOG_LINE_MAX + 1];
        struct text line = text_into(buffer, sizeof buffer);
        text_add(&line, "[");
        text_add_u64(&line, r->time_us / 1000000);
        text_add(&line, ".");
        for (uint64_t unit = 100000; unit > 0; unit /= 10) text_add_u64(&line, r->time_us / unit % 10);
        text_add(&line, "] ");
        text_add(&line, r->level <= LOG_CRASH ? levels[r->level] : "unknown");
        text_add(&line, ": ");
        add_safe(&line, r->text, r->length);
        text_add(&line, "\n");
        write(ctx, line.at, line.used);
    }
}
