#ifndef INGOT_UEFI_CLOCK_H
#define INGOT_UEFI_CLOCK_H

#include <efi.h>
#include <stdint.h>

struct clock {
    uint64_t start, hz; /* of the time stamp counter */
    uint64_t last_us;
};

/* Takes about 20 ms: it measures. Returns what it measured against: "acpi-pm" or "firmware". */
const char *clock_open(struct clock *c, EFI_SYSTEM_TABLE *st);

/* Microseconds since clock_open; never goes back. */
uint64_t clock_us(struct clock *c);

#endif
