#include "exception.h"

#define MXCSR_DEFAULT 0x1f80u
#define FLAGS_INTERRUPTS_OFF 2u

/* The stack is 16-byte aligned before the processor pushes five words and an error code; we push one where it does
 * not, the vector and 15 registers: aligned again for the call. */
__attribute__((naked, used)) static void common(void) {
    __asm__ volatile("pushq %rax; pushq %rcx; pushq %rdx; pushq %rbx; pushq %rbp; pushq %rsi; pushq %rdi\n\t"
                     "pushq %r8; pushq %r9; pushq %r10; pushq %r11; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n\t"
                     "cld\n\t"
                     "movq %rsp, %rdi\n\t"
                     "call exception_happened\n\t"
                     "popq %r15; popq %r14; popq %r13; popq %r12; popq %r11; popq %r10; popq %r9; popq %r8\n\t"
                     "popq %rdi; popq %rsi; popq %rbp; popq %rbx; popq %rdx; popq %rcx; popq %rax\n\t"
                     "addq $16, %rsp\n\t"
                     "iretq");
}

#define STUB(vector, push) \
    __attribute__((naked)) static void stub##vector(void) { __asm__ volatile(push "pushq $" #vector "; jmp common"); }
#define NONE "pushq $0; " /* the processor pushes no error code */

STUB(0, NONE) STUB(1, NONE) STUB(3, NONE) STUB(4, NONE) STUB(5, NONE) STUB(6, NONE) STUB(7, NONE) STUB(8, "")
STUB(10, "") STUB(11, "") STUB(12, "") STUB(13, "") STUB(14, "") STUB(16, NONE) STUB(17, "") STUB(18, NONE)
STUB(19, NONE)

void exception_gates(struct gate table[GATES]) {
    void (*const handlers[EXCEPTIONS_OURS])(void) = {
        stub0, stub1, NULL, stub3, stub4, stub5, stub6, stub7, stub8, NULL,
        stub10, stub11, stub12, stub13, stub14, NULL, stub16, stub17, stub18, stub19};

    for (unsigned i = 0; i < EXCEPTIONS_OURS; i++)
        if (handlers[i])
            table[i] = idt_gate(handlers[i]);
}

/* Keeps on the stack what a function must keep for its caller. */
__attribute__((naked)) int escape_call(struct escape *escape, int (*work)(void *arg), void *arg) {
    __asm__ volatile("pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15; pushfq\n\t"
                     "movq %rsp, (%rdi)\n\t"
                     "movq %rdx, %rdi\n\t"
                     "call *%rsi\n"
                     "escaped:\n\t"
                     "popfq; popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n\t"
                     "ret");
    (void)escape, (void)work, (void)arg;
}

__attribute__((naked)) _Noreturn void escape_now(const struct escape *escape, int status) {
    __asm__ volatile("movq (%rdi), %rsp; movl %esi, %eax; jmp escaped");
    (void)escape, (void)status;
}

/* By way of escape_now, whose arguments are these two registers. */
void escape_from(struct frame *frame, const struct escape *escape, int status) {
    frame->rip = (uint64_t)(uintptr_t)escape_now;
    frame->rdi = (uint64_t)(uintptr_t)escape;
    frame->rsi = (uint64_t)status;
    frame->rsp = escape->rsp;
    frame->rflags = FLAGS_INTERRUPTS_OFF; /* until escape_call gives back its caller's */
}

void exception_reset_arithmetic(void) {
    uint32_t mxcsr = MXCSR_DEFAULT;

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}
