#ifndef INGOT_UEFI_ACPI_H
#define INGOT_UEFI_ACPI_H

#include <efi.h>
#include <stdbool.h>
#include <stdint.h>

struct acpi_pm_timer {
    uint16_t port;
    uint32_t mask; /* 24 or 32 bits count */
};

/* The power management timer, from the firmware's tables; false where there is none. */
bool acpi_find_pm_timer(EFI_SYSTEM_TABLE *st, struct acpi_pm_timer *timer);

#endif
