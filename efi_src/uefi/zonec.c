#include "zonec.h"
#include "../engine/generate.h"
#include "mem.h"
#include "memory.h"

/* Below 8 MiB, where firmware keeps nothing for long and no large piece of memory is cut in two. */
#define ADDRESS 0x700000u

static struct ringlog last;
static uint8_t *memory; /* this run's log, then a copy of the last one's */

void zonec_open(EFI_BOOT_SERVICES *bs) {
    struct ringlog log;
    struct error error;

    memory = memory_at(bs, ADDRESS, 2 * SESSION_LOG_BYTES);
    if (!memory)
        return;
    uint8_t *copy = memory + SESSION_LOG_BYTES;
    memcpy(copy, memory, SESSION_LOG_BYTES);
    if (!ringlog_open(&last, copy, SESSION_LOG_BYTES))
        last.next = 0;
    if (ringlog_create(&log, memory, SESSION_LOG_BYTES, &error) != OK)
        memory = NULL;
}

void *zonec_log(void) { return memory; }
const struct ringlog *zonec_last(void) { return last.next > 0 ? &last : NULL; }
