/* The processor's exceptions, vectors 0 to 19, and the way out of the code in which one happened. */
#ifndef INGOT_UEFI_EXCEPTION_H
#define INGOT_UEFI_EXCEPTION_H

#include "idt.h"
#include <stdint.h>

#define EXCEPTIONS_OURS 20

/* The interrupted code's registers, as exception.c and the processor push them. */
struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* Where to go on: the stack of an escape_call that has not returned. */
struct escape {
    uint64_t rsp;
};

/* Puts our handlers into a table (not those of 2, an NMI, 9 and 15, which do not exist). */
void exception_gates(struct gate table[GATES]);

/* Called by the handlers, interrupts off; fault.c has it. Where the frame says, it goes on; never in the code that was
 * interrupted, whose vector registers are not kept. */
void exception_happened(struct frame *frame);

/* work(arg)'s status, or the one that escape_from or escape_now gives. */
int escape_call(struct escape *escape, int (*work)(void *arg), void *arg);
/* The frame goes on behind escape_call. */
void escape_from(struct frame *frame, const struct escape *escape, int status);
/* The same for code that is not interrupted; does not return. */
_Noreturn void escape_now(const struct escape *escape, int status);

/* The arithmetic of DESIGN.md, and an empty x87 stack: after an exception they are in any state. */
void exception_reset_arithmetic(void);

#endif
