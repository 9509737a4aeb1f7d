/* RSDP -> XSDT -> FADT -> PM_TMR (ACPI specification 6.4, 5.2.5 to 5.2.9). */
#include "acpi.h"
#include <stddef.h>

#define RSDP_XSDT 24u /* offsets of fields */
#define TABLE_LENGTH 4u
#define TABLE_HEADER 36u
#define FADT_PM_TMR_BLK 76u
#define FADT_PM_TMR_LEN 91u
#define FADT_FLAGS 112u
#define FADT_X_PM_TMR_BLK 208u /* a generic address: space id, width, offset, access, then the address */
#define FLAG_TMR_VAL_EXT (1u << 8)
#define SPACE_IO 1

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p) {
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool has_name(const uint8_t *p, const char *name, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != (uint8_t)name[i])
            return false;
    return true;
}

static const uint8_t *find_rsdp(EFI_SYSTEM_TABLE *st) {
    static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID;

    for (UINTN i = 0; i < st->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *entry = &st->ConfigurationTable[i];
        const uint8_t *guid = (const uint8_t *)&entry->VendorGuid;
        if (has_name(guid, (const char *)&acpi2, sizeof(acpi2)) &&
            has_name(entry->VendorTable, "RSD PTR ", 8))
            return entry->VendorTable;
    }
    return NULL;
}

static const uint8_t *find_fadt(const uint8_t *rsdp) {
    const uint8_t *xsdt = (const uint8_t *)(uintptr_t)get64(rsdp + RSDP_XSDT);

    if (!xsdt || !has_name(xsdt, "XSDT", 4))
        return NULL;
    uint32_t length = get32(xsdt + TABLE_LENGTH);
    for (uint32_t at = TABLE_HEADER; at + 8 <= length; at += 8) {
        const uint8_t *table = (const uint8_t *)(uintptr_t)get64(xsdt + at);
        if (table && has_name(table, "FACP", 4))
            return table;
    }
    return NULL;
}

bool acpi_find_pm_timer(EFI_SYSTEM_TABLE *st, struct acpi_pm_timer *timer) {
    const uint8_t *rsdp = find_rsdp(st);
    const uint8_t *fadt = rsdp ? find_fadt(rsdp) : NULL;

    if (!fadt || get32(fadt + TABLE_LENGTH) < FADT_FLAGS + 4)
        return false;
    uint64_t port = fadt[FADT_PM_TMR_LEN] == 4 ? get32(fadt + FADT_PM_TMR_BLK) : 0;
    const uint8_t *extended = fadt + FADT_X_PM_TMR_BLK;
    if (get32(fadt + TABLE_LENGTH) >= FADT_X_PM_TMR_BLK + 12 && extended[0] == SPACE_IO &&
        get64(extended + 4) != 0)
        port = get64(extended + 4);
    if (port == 0 || port > UINT16_MAX)
        return false;
    timer->port = (uint16_t)port;
    timer->mask = get32(fadt + FADT_FLAGS) & FLAG_TMR_VAL_EXT ? UINT32_MAX : 0xffffffu;
    return true;
}
