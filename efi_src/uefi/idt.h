/* Interrupt tables: Intel SDM volume 3, 6.10 to 6.14. */
#ifndef INGOT_UEFI_IDT_H
#define INGOT_UEFI_IDT_H

#include "mem.h"
#include <stdint.h>

#define GATES 256

struct gate {
    uint16_t offset0, selector;
    uint8_t stack, type;
    uint16_t offset1;
    uint32_t offset2, zero;
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

_Static_assert(sizeof(struct gate) == 16 && sizeof(struct table_register) == 10, "the processor's layouts");

/* An interrupt gate: the handler runs with interrupts off, on the stack that there is. */
static inline struct gate idt_gate(void (*handler)(void)) {
    uint64_t at = (uint64_t)(uintptr_t)handler;
    uint16_t selector;

    __asm__ volatile("mov %%cs, %0" : "=r"(selector));
    return (struct gate){.offset0 = (uint16_t)at, .selector = selector, .type = 0x8e,
                         .offset1 = (uint16_t)(at >> 16), .offset2 = (uint32_t)(at >> 32)};
}

/* This core's table, as far as it goes. */
static inline void idt_copy(struct gate table[GATES]) {
    struct table_register now;

    __asm__ volatile("sidt %0" : "=m"(now));
    size_t count = ((size_t)now.limit + 1) / sizeof(struct gate);
    memcpy(table, (const void *)(uintptr_t)now.base, (count < GATES ? count : GATES) * sizeof(struct gate));
}

static inline void idt_load(const struct gate table[GATES]) {
    struct table_register own = {GATES * sizeof(struct gate) - 1, (uint64_t)(uintptr_t)table};

    __asm__ volatile("lidt %0" : : "m"(own) : "memory");
}

#endif
