/* The core on which an exception happens keeps what it knows, once; then it goes on behind the innermost guard, or a
 * worker behind its part of the job: the first core sees it after the job. Without a guard there is nothing to go
 * on with: such a core halts. (A stack pointer that points nowhere resets the machine, as the handler uses it.) */
#include "fault.h"
#include "../engine/cores.h"
#include "../engine/text.h"
#include "exception.h"
#include "park.h"
#include <stdbool.h>

#define WORDS 16       /* of the stack, in the report */
#define NEAR (1u << 20) /* of the guard's stack: what lies below it is stack, too */

struct core {
    uint32_t apic_id;
    bool known, busy;
    const struct escape *escape; /* NULL: nowhere to go */
    const uint8_t *stack;        /* a worker's */
    uint32_t stack_bytes;
};

struct record {
    struct frame frame;
    uint64_t cr2, stack[WORDS];
    unsigned core, words;
};

static EFI_BOOT_SERVICES *services;
static const uint8_t *image_base;
static uint64_t image_size;
static struct gate table[GATES] __attribute__((aligned(16)));
static struct core cores[CORES_MAX];
static void (*settle)(void);
static uint32_t happened; /* 1: record is being written or to be looked at */
static struct record record;
static char report[2560];

static struct core *this_core(void) {
    uint32_t id = park_id();

    for (unsigned i = 0; i < CORES_MAX; i++)
        if (cores[i].known && cores[i].apic_id == id)
            return &cores[i];
    return NULL;
}

/* Whether the word at `at` is part of the stack that the core works on */
static bool on_stack(const struct core *core, uint64_t at) {
    uint64_t low = (uint64_t)(uintptr_t)core->stack, high = low + core->stack_bytes;

    if (!core->stack && core->escape) {
        high = core->escape->rsp;
        low = high - NEAR;
    }
    return at % 8 == 0 && at >= low && at < high;
}

static void keep(const struct core *core, const struct frame *frame) {
    uint32_t none = 0;

    if (!__atomic_compare_exchange_n(&happened, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return; /* another core was first */
    record = (struct record){.frame = *frame, .core = (unsigned)(core - cores)};
    __asm__ volatile("mov %%cr2, %0" : "=r"(record.cr2));
    for (uint64_t at = frame->rsp; record.words < WORDS && on_stack(core, at); at += 8)
        record.stack[record.words++] = *(const uint64_t *)(uintptr_t)at;
}

/* A second exception while this one is looked at goes straight on. */
void exception_happened(struct frame *frame) {
    struct core *core = this_core();

    exception_reset_arithmetic();
    if (core && !core->busy) {
        core->busy = true;
        keep(core, frame);
        if (core == &cores[0] && settle)
            settle();
    }
    while (!core || !core->escape)
        __asm__ volatile("cli; hlt");
    core->busy = false;
    escape_from(frame, core->escape, E_FAULT);
}

void fault_open(EFI_HANDLE image, EFI_BOOT_SERVICES *bs) {
    EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *loaded = NULL;

    services = bs;
    if (!EFI_ERROR(bs->HandleProtocol(image, &guid, (void **)&loaded)) && loaded) {
        image_base = loaded->ImageBase;
        image_size = loaded->ImageSize;
    }
    cores[0] = (struct core){.apic_id = park_id(), .known = true};
    idt_copy(table); /* the firmware's timer, and what else it needs */
    exception_gates(table);
    idt_load(table);
}

void fault_settle_by(void (*function)(void)) { settle = function; }

void fault_worker(unsigned core, uint32_t apic_id, const uint8_t *stack, uint32_t stack_bytes) {
    cores[core] = (struct core){.apic_id = apic_id, .stack = stack, .stack_bytes = stack_bytes, .known = true};
}

struct call {
    void (*work)(void *arg);
    void *arg;
};

static int call(void *arg) {
    struct call *c = arg;

    c->work(c->arg);
    return OK;
}

void fault_try(unsigned core, void (*work)(void *arg), void *arg) {
    struct call what = {work, arg};
    struct escape escape;

    cores[core].escape = &escape;
    escape_call(&escape, call, &what);
    cores[core].escape = NULL;
}

void fault_check(void) {
    if (__atomic_load_n(&happened, __ATOMIC_ACQUIRE) && cores[0].escape)
        escape_now(cores[0].escape, E_FAULT);
}

static const char *name_of(uint64_t vector) {
    static const char *const names[EXCEPTIONS_OURS] = {
        "divide error", "debug", "", "breakpoint", "overflow", "bound", "invalid opcode", "no coprocessor",
        "double fault", "", "invalid TSS", "segment not present", "stack segment", "general protection", "page fault",
        "", "x87 error", "alignment", "machine check", "SIMD error"};

    return vector < EXCEPTIONS_OURS ? names[vector] : "";
}

static void add_hex(struct text *out, const char *name, uint64_t value) {
    char digits[19] = "0x";

    for (unsigned i = 0; i < 16; i++)
        digits[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    text_add(out, name);
    text_add(out, digits);
}

/* "exception 14 (page fault) on core 1 at image+0x…, address 0x…" */
static void add_line(struct text *out) {
    const struct frame *f = &record.frame;
    uint64_t at = f->rip - (uint64_t)(uintptr_t)image_base;

    text_add(out, "exception ");
    text_add_u64(out, f->vector);
    text_add(out, " (");
    text_add(out, name_of(f->vector));
    text_add(out, ") on core ");
    text_add_u64(out, record.core);
    if (at < image_size)
        add_hex(out, " at image+", at);
    else
        add_hex(out, " at ", f->rip);
    if (f->vector == 14)
        add_hex(out, ", address ", record.cr2);
}

/* Of the deepest that any job has used of a worker's stack, which was painted */
static void add_stacks(struct text *out) {
    uint32_t most = 0, size = 0;

    for (unsigned i = 1; i < CORES_MAX && cores[i].known; i++) {
        uint32_t free = 0;
        while (free < cores[i].stack_bytes && cores[i].stack[free] == FAULT_PAINT)
            free++;
        size = cores[i].stack_bytes;
        if (size - free > most)
            most = size - free;
    }
    if (size == 0)
        return;
    text_add(out, "worker stacks: at most ");
    text_add_u64(out, most);
    text_add(out, " of ");
    text_add_u64(out, size);
    text_add(out, " bytes used\n");
}

static void write_report(void) {
    const struct frame *f = &record.frame;
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rip=", f->rip}, {" rsp=", f->rsp}, {" rflags=", f->rflags}, {" error=", f->error},
        {"cr2=", record.cr2}, {" image=", (uint64_t)(uintptr_t)image_base}, {" cs=", f->cs}, {" ss=", f->ss},
        {"rax=", f->rax}, {" rbx=", f->rbx}, {" rcx=", f->rcx}, {" rdx=", f->rdx},
        {"rsi=", f->rsi}, {" rdi=", f->rdi}, {" rbp=", f->rbp}, {" r8=", f->r8},
        {"r9=", f->r9}, {" r10=", f->r10}, {" r11=", f->r11}, {" r12=", f->r12},
        {"r13=", f->r13}, {" r14=", f->r14}, {" r15=", f->r15},
    };
    size_t count = sizeof(registers) / sizeof(registers[0]);
    struct text out = text_into(report, sizeof(report));

    add_line(&out);
    text_add(&out, "\n");
    for (size_t i = 0; i < count; i++) {
        add_hex(&out, registers[i].name, registers[i].value);
        if (i % 4 == 3 || i + 1 == count)
            text_add(&out, "\n");
    }
    for (unsigned i = 0; i < record.words; i++) {
        add_hex(&out, i % 4 == 0 ? "stack: " : " ", record.stack[i]);
        if (i % 4 == 3 || i + 1 == record.words)
            text_add(&out, "\n");
    }
    add_stacks(&out);
}

/* escape_call's int is an enum status */
struct job {
    enum status (*work)(void *arg);
    void *arg;
};

static int run(void *arg) {
    struct job *job = arg;

    return job->work(job->arg);
}

enum status fault_guard(void *ctx, enum status (*work)(void *arg), void *arg, struct error *error) {
    const struct escape *outer = cores[0].escape;
    EFI_TPL level = services->RaiseTPL(TPL_HIGH_LEVEL);
    struct job job = {work, arg};
    struct escape escape;

    (void)ctx;
    services->RestoreTPL(level);
    cores[0].escape = &escape;
    int status = escape_call(&escape, run, &job);
    cores[0].escape = outer;
    if (!__atomic_load_n(&happened, __ATOMIC_ACQUIRE))
        return (enum status)status;
    services->RaiseTPL(TPL_HIGH_LEVEL); /* wherever the exception was: back to where we were */
    services->RestoreTPL(level);
    struct text text = error_text(error, E_FAULT);
    add_line(&text);
    write_report();
    __atomic_store_n(&happened, 0, __ATOMIC_RELEASE);
    return E_FAULT;
}

const char *fault_report(void *ctx) {
    (void)ctx;
    return report;
}
