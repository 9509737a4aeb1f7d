/* How a core other than the first sleeps and is woken: it halts, and an interrupt from the first core's local APIC
 * ends that. Halted, it costs neither power nor, in a virtual machine, the host's time. */
#ifndef INGOT_UEFI_PARK_H
#define INGOT_UEFI_PARK_H

#include <stdint.h>

/* On the first core, once, after fault_open: what park_enter needs. */
void park_prepare(void);

/* On a core that is to sleep, once: own interrupt table, nothing but our interrupt comes. */
void park_enter(void);

/* Halts until an interrupt comes, unless *asleep is 0. Interrupts are off before and after. */
void park_sleep(const uint32_t *asleep);

/* This core's number, for park_wake. */
uint32_t park_id(void);

/* Ends that core's park_sleep, or its next one. */
void park_wake(uint32_t id);

#endif
