/* Screen, keyboard and serial lines as one console, and the clock: struct platform on UEFI. */
#ifndef INGOT_UEFI_CONSOLE_H
#define INGOT_UEFI_CONSOLE_H

#include "clock.h"
#include "keyboard.h"
#include "queue.h"
#include "screen.h"
#include "serial.h"
#include <efi.h>

struct console {
    EFI_BOOT_SERVICES *bs;
    struct clock *clock;
    struct serial serial;
    struct screen screen;
    struct keyboard keyboard;
    struct queue input;
    EFI_EVENT tick;   /* NULL where the firmware has no timer: waiting then spins */
    uint64_t last_us; /* when input last came */
};

void console_open(struct console *c, EFI_HANDLE image, EFI_SYSTEM_TABLE *st, struct clock *clock);

/* As struct platform (engine/platform.h) has them. */
void console_write(struct console *c, const char *text, size_t n);
int console_read(struct console *c);
void console_wait(struct console *c);
void console_clear(struct console *c);

#endif
