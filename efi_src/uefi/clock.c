/* The clock is the time stamp counter (TSC). Its rate is measured, never believed: under emulation it
 * is not what CPUID says. It is measured against the ACPI power management timer, 3.579545 MHz by
 * specification, and not against a wait of fixed length: a wait ends late when the host is busy, two
 * readings of two counters stay true. Without that timer the firmware's Stall has to do. */
#include "clock.h"
#include "acpi.h"
#include <x86intrin.h>

#define PM_HZ 3579545u
#define MEASURE_TICKS (PM_HZ / 50) /* 20 ms */
#define STALL_US 20000u
#define GIVE_UP (1u << 24) /* readings of a timer that stands still (at ~1 us each) */
#define TRIES 8

static uint32_t port_read32(uint16_t port) {
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* One reading of both counters, close together: an interrupt or a busy host between them would
 * spoil the measurement, so the tightest of a few is taken. */
struct reading {
    uint64_t tsc;
    uint32_t pm;
};

static struct reading read_both(uint16_t port) {
    struct reading best = {0};
    uint64_t tightest = UINT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc();
        uint32_t pm = port_read32(port);
        uint64_t after = __rdtsc();
        if (after - before < tightest) {
            tightest = after - before;
            best = (struct reading){before + (after - before) / 2, pm};
        }
    }
    return best;
}

/* TSC ticks a second, or 0 when the timer does not run */
static uint64_t measure_by_pm(const struct acpi_pm_timer *timer) {
    struct reading first = read_both(timer->port), now = first;

    for (uint32_t i = 0; i < GIVE_UP; i++) {
        if (((port_read32(timer->port) - first.pm) & timer->mask) < MEASURE_TICKS)
            continue;
        now = read_both(timer->port);
        return (now.tsc - first.tsc) * PM_HZ / ((now.pm - first.pm) & timer->mask);
    }
    return 0;
}

static uint64_t measure_by_stall(EFI_BOOT_SERVICES *bs) {
    uint64_t before = __rdtsc();

    bs->Stall(STALL_US);
    return (__rdtsc() - before) * (1000000u / STALL_US);
}

const char *clock_open(struct clock *c, EFI_SYSTEM_TABLE *st) {
    struct acpi_pm_timer timer;
    const char *source = "acpi-pm";

    c->hz = acpi_find_pm_timer(st, &timer) ? measure_by_pm(&timer) : 0;
    if (c->hz == 0) {
        source = "firmware";
        c->hz = measure_by_stall(st->BootServices);
    }
    if (c->hz == 0)
        c->hz = 1; /* a TSC that stands still: times are 0, nothing divides by it */
    c->start = __rdtsc();
    c->last_us = 0;
    return source;
}

uint64_t clock_us(struct clock *c) {
    uint64_t ticks = __rdtsc() - c->start;
    uint64_t us = ticks / c->hz * 1000000u + ticks % c->hz * 1000000u / c->hz;

    if (us > c->last_us)
        c->last_us = us;
    return c->last_us;
}
