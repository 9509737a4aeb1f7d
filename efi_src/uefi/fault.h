/* Exceptions of the processor end a turn, not the program: struct platform's guard on UEFI, on every core. */
#ifndef INGOT_UEFI_FAULT_H
#define INGOT_UEFI_FAULT_H

#include "../engine/status.h"
#include <efi.h>
#include <stdint.h>

#define FAULT_PAINT 0x5a /* of a worker's stack where it was never used: the report tells how much was */

/* On the first core, once, before park_prepare: from here on exceptions are ours. The image's place makes addresses
 * in the report comparable to a listing. */
void fault_open(EFI_HANDLE image, EFI_BOOT_SERVICES *bs);

/* As struct platform has them; on the first core. Guards may be nested: the innermost ends. */
enum status fault_guard(void *ctx, enum status (*work)(void *arg), void *arg, struct error *error);
const char *fault_report(void *ctx);

/* What the first core does before it leaves a job in the midst: waits for the others, whose arguments lie on the
 * stack that is being left. */
void fault_settle_by(void (*settle)(void));

/* On a worker, once, with its number (from 1) and its stack. */
void fault_worker(unsigned core, uint32_t apic_id, const uint8_t *stack, uint32_t stack_bytes);
/* On a worker: work(arg), or what of it ran before an exception. */
void fault_try(unsigned core, void (*work)(void *arg), void *arg);
/* On the first core, after a job: leaves the guard where a worker had an exception; else returns. */
void fault_check(void);

#endif
