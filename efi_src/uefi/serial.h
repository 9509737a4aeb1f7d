/* The serial lines, all of them at once: what is written goes to each, what comes in from any goes
 * to one queue. */
#ifndef INGOT_UEFI_SERIAL_H
#define INGOT_UEFI_SERIAL_H

#include "queue.h"
#include <efi.h>
#include <stdbool.h>
#include <stddef.h>

#define SERIAL_MAX 4

struct serial_line {
    EFI_SERIAL_IO_PROTOCOL *io;
    bool stalled; /* the far end takes nothing: don't wait for it again */
    bool deaf;    /* its firmware claims input that is not there: don't ask again */
};

struct serial {
    struct serial_line line[SERIAL_MAX];
    size_t lines;
    bool framed; /* between STX and ETX */
};

/* Takes every serial port from the firmware. */
void serial_open(struct serial *s, EFI_HANDLE image, EFI_BOOT_SERVICES *bs);

/* UTF-8 goes out as it is; `\n` as `\r\n`, but bare between STX and ETX. */
void serial_write(struct serial *s, const char *text, size_t n);

/* Moves what has arrived into the queue, as far as there is room. */
void serial_poll(struct serial *s, struct queue *q);

#endif
