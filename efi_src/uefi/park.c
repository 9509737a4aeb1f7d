/* Intel SDM volume 3, 6.14 (interrupts in 64-bit mode) and chapter 10 (the local APIC). */
#include "park.h"
#include "idt.h"
#include <stdbool.h>

#define EXCEPTIONS 32  /* vectors below are the processor's own */
#define VECTOR 0xf1u   /* of the highest class, so that no other interrupt in service holds it back */
#define SPURIOUS 0xffu /* what the APIC delivers where an interrupt has gone away */

#define MSR_APIC_BASE 0x1bu
#define BASE_X2APIC (1u << 10)
#define MSR_X2APIC 0x800u

/* Registers, by their offset in memory; x2APIC's are model specific ones, 16 times as dense. */
enum { ID = 0x20, TASK_PRIORITY = 0x80, EOI = 0xb0, SPURIOUS_VECTOR = 0xf0, COMMAND = 0x300, COMMAND_HIGH = 0x310,
       LVT_TIMER = 0x320, LVT_LINT0 = 0x350 };
#define APIC_ENABLED (1u << 8)
#define LVT_MASKED (1u << 16)
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)

static struct gate gates[GATES] __attribute__((aligned(16)));

static uint64_t msr_read(uint32_t msr) {
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void msr_write(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr) : "memory");
}

/* The registers in memory; NULL: in x2APIC mode there are none */
static volatile uint8_t *registers(void) {
    uint64_t base = msr_read(MSR_APIC_BASE);

    return base & BASE_X2APIC ? NULL : (volatile uint8_t *)(uintptr_t)(base & 0xffffffffff000u);
}

static uint32_t apic_read(uint32_t at) {
    volatile uint8_t *memory = registers();

    return memory ? *(volatile uint32_t *)(memory + at) : (uint32_t)msr_read(MSR_X2APIC + at / 16);
}

static void apic_write(uint32_t at, uint32_t value) {
    volatile uint8_t *memory = registers();

    if (memory)
        *(volatile uint32_t *)(memory + at) = value;
    else
        msr_write(MSR_X2APIC + at / 16, value);
}

/* The handler of every interrupt: that the core runs again is all there is to it. */
__attribute__((naked)) static void woken(void) { __asm__ volatile("iretq"); }

void park_prepare(void) {
    idt_copy(gates); /* of exceptions: fault.c's */
    for (unsigned i = EXCEPTIONS; i < GATES; i++)
        gates[i] = idt_gate(woken);
}

void park_enter(void) {
    __asm__ volatile("cli");
    idt_load(gates);
    apic_write(LVT_TIMER, LVT_MASKED | SPURIOUS); /* what reaches cores otherwise is the first one's */
    apic_write(LVT_LINT0, LVT_MASKED | SPURIOUS);
    apic_write(TASK_PRIORITY, 0);
    apic_write(SPURIOUS_VECTOR, APIC_ENABLED | SPURIOUS);
}

/* sti takes effect after the next instruction: an interrupt that is already there ends the halt. */
void park_sleep(const uint32_t *asleep) {
    if (!__atomic_load_n(asleep, __ATOMIC_SEQ_CST))
        return;
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    apic_write(EOI, 0);
}

uint32_t park_id(void) {
    uint32_t id = apic_read(ID);

    return registers() ? id >> 24 : id;
}

/* The firmware's own interrupts stay out while the two halves are written. */
static void send(volatile uint8_t *memory, uint32_t id) {
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    while (apic_read(COMMAND) & COMMAND_PENDING)
        __builtin_ia32_pause();
    *(volatile uint32_t *)(memory + COMMAND_HIGH) = id << 24;
    *(volatile uint32_t *)(memory + COMMAND) = COMMAND_ASSERT | VECTOR;
    __asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}

void park_wake(uint32_t id) {
    volatile uint8_t *memory = registers();

    if (memory) {
        send(memory, id);
    } else {
        __asm__ volatile("mfence; lfence" : : : "memory"); /* this register's write passes earlier stores (10.12.3) */
        msr_write(MSR_X2APIC + COMMAND / 16, (uint64_t)id << 32 | COMMAND_ASSERT | VECTOR);
    }
}
