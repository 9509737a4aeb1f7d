/* Zone C: a log of fixed-size records over a block of memory, the newest over the oldest. It can be read
 * where it lies after a crash: header and records carry checksums, and a record that was being
 * written is passed over. One core writes; no function here allocates or asks the host for anything, so
 * that an exception handler may log. Bytes are as the machine has them (little-endian). */
#ifndef INGOT_RINGLOG_H
#define INGOT_RINGLOG_H

#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define RINGLOG_ALIGN 64 /* of the block */
#define RINGLOG_TEXT 100
#define RINGLOG_LINE_MAX 360 /* of a line of ringlog_dump, with its newline */

enum ringlog_level { LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRASH };

struct ringlog_header {
    uint64_t magic;
    uint32_t record_bytes, records;
    uint64_t checksum; /* of what stands before it */
    uint8_t unused[40];
};

struct ringlog_record {
    uint64_t checksum; /* of what follows */
    uint64_t number;   /* from 0; at [number mod records] */
    uint64_t time_us;
    uint16_t level, length;
    char text[RINGLOG_TEXT]; /* (length), the rest 0 */
};

struct ringlog {
    struct ringlog_record *records; /* (count) */
    uint32_t count;
    uint64_t next; /* number of the next record */
};

/* An empty log over the block. E_MEMORY when not one record fits, E_RANGE when it is not aligned. */
enum status ringlog_create(struct ringlog *log, void *block, size_t bytes, struct error *error);

/* The log that lies at `block`, to be read or written on; 0 when there is none that fits into the bytes. */
int ringlog_open(struct ringlog *log, void *block, size_t bytes);

/* Text beyond RINGLOG_TEXT bytes is cut, at the start of a code point. */
void ringlog_add(struct ringlog *log, uint64_t time_us, enum ringlog_level level, const char *text, size_t n);

/* The oldest record numbered *number or above, and *number made the one after it; NULL past the last.
 * Begin with 0. */
const struct ringlog_record *ringlog_next(const struct ringlog *log, uint64_t *number);

/* Every record, oldest first, as a line "[12.345678] error: text\n" that is safe to show. */
void ringlog_dump(const struct ringlog *log, void (*write)(void *ctx, const char *text, size_t n), void *ctx);

#endif
