/* EFI_MP_SERVICES_PROTOCOL (PI Specification volume 2, 13.4): gnu-efi does not have it. The firmware starts every core
 * with one procedure and goes on; those that are taken never return to it. What a core is in (vector registers,
 * arithmetic) it reads itself, after it has set it: a core that differs from the first would give other bits, or
 * fault, so it is sent back. */
#include "cores.h"
#include "../engine/crew.h"
#include "../kernels/cpu.h"
#include "avx.h"
#include "fault.h"
#include "mem.h"
#include "memory.h"
#include "park.h"
#include <stdbool.h>
#include <xmmintrin.h>

#define PATIENCE_US 500000u
#define SPINS 4000u /* some 0.1 ms: jobs of one turn follow closely */
#define STATIONS (CORES_MAX - 1)
#define STACK (64u << 10) /* a worker's: firmware gives 32 KiB, or less */

struct mp_services {
    EFI_STATUS(EFIAPI *count)(struct mp_services *self, UINTN *all, UINTN *enabled);
    void *get_processor_info;
    EFI_STATUS(EFIAPI *start_all)(struct mp_services *self, void(EFIAPI *procedure)(void *arg), BOOLEAN one_by_one,
                                  EFI_EVENT done, UINTN timeout_us, void *arg, UINTN **failed);
    void *start_this, *switch_bsp, *enable_disable, *who_am_i;
};

enum { AWAITED, HERE, TAKEN, SENT_BACK };

/* What must be the same on every core. */
struct state {
    uint64_t xcr0;
    uint32_t features; /* of kernels/cpu.h: what this core can do, and now may */
    uint32_t mxcsr;
    uint16_t code_segment; /* the interrupt table's (park.c) */
};

struct station {
    struct crew_worker worker; /* first: a worker is found as its station */
    uint32_t phase;
    uint32_t id;
    struct state state;
    uint8_t *stack; /* (STACK) */
};

static struct station stations[STATIONS];
static uint32_t arrived;
static struct crew crew;
static struct cores cores;

static struct state read_state(void) {
    struct cpu_leaves leaves = cpu_detect();
    struct state state = {.xcr0 = leaves.xcr0, .features = cpu_features(&leaves), .mxcsr = _mm_getcsr() & ~0x3fu};

    __asm__ volatile("mov %%cs, %0" : "=r"(state.code_segment));
    return state;
}

static bool same(const struct state *a, const struct state *b) {
    return a->xcr0 == b->xcr0 && a->features == b->features && a->mxcsr == b->mxcsr &&
           a->code_segment == b->code_segment;
}

static bool change(struct station *s, uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&s->phase, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* A worker's life, on its own stack */
static void live(struct station *s) {
    fault_worker(s->worker.part, s->id, s->stack, STACK);
    park_enter();
    crew_work(&s->worker);
}

/* Calls live(station) on the stack that ends at `top`, and never returns. */
__attribute__((naked)) static void move_to(struct station *station, uint8_t *top, void (*life)(struct station *)) {
    __asm__ volatile("movq %rsi, %rsp; xorl %ebp, %ebp; call *%rdx; ud2");
    (void)station, (void)top, (void)life;
}

/* On each core but the first. */
static void EFIAPI arrive(void *arg) {
    uint32_t place = __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    struct station *s = &stations[place];

    (void)arg;
    if (place >= STATIONS)
        return;
    avx_enable();
    s->state = read_state();
    s->id = park_id();
    if (!change(s, AWAITED, HERE))
        return; /* too late */
    while (__atomic_load_n(&s->phase, __ATOMIC_ACQUIRE) == HERE)
        __builtin_ia32_pause();
    if (s->phase != TAKEN)
        return;
    move_to(s, s->stack + STACK, live);
}

static void sleep(struct crew_worker *self) { park_sleep(&self->asleep); }
static void wake(struct crew_worker *worker) { park_wake(((struct station *)worker)->id); }

static void part(void *worker) { crew_part(worker); }
static void guarded(struct crew_worker *self) { fault_try(self->part, part, self); }
static void settle(void) { crew_settle(&crew); }

/* struct cores' run: leaves the turn where a worker's part ended in an exception */
static void run(void *ctx, void (*job)(void *arg, unsigned part, unsigned parts), void *arg) {
    crew_run(ctx, job, arg);
    fault_check();
}

static unsigned count_here(unsigned expected) {
    unsigned here = 0;

    for (unsigned i = 0; i < expected; i++)
        here += __atomic_load_n(&stations[i].phase, __ATOMIC_ACQUIRE) == HERE;
    return here;
}

/* Takes those that have come and are fit for it; nobody else comes in after this. */
static void take(unsigned expected, struct cores_report *report) {
    struct state own = read_state();

    for (unsigned i = 0; i < STATIONS; i++) {
        struct station *s = &stations[i];
        if (change(s, AWAITED, SENT_BACK)) {
            report->late += i < expected;
        } else if (!same(&s->state, &own)) {
            report->different++;
            change(s, HERE, SENT_BACK);
        } else {
            s->worker.crew = &crew;
            s->worker.part = crew.count;
            crew.worker[crew.count++] = &s->worker;
            change(s, HERE, TAKEN);
        }
    }
}

/* How many come; 0 where none can be started, and why. */
static unsigned start_all(EFI_BOOT_SERVICES *bs, struct cores_report *report) {
    static EFI_GUID guid = {0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};
    struct mp_services *mp = NULL;
    UINTN all, enabled;
    EFI_EVENT done;

    if (EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&mp)) || !mp ||
        EFI_ERROR(mp->count(mp, &all, &enabled))) {
        report->why = "the firmware has no services for others";
        return 0;
    }
    report->present = (unsigned)all;
    if (enabled < 2) {
        report->why = all < 2 ? NULL : "the firmware has switched the others off";
        return 0;
    }
    unsigned most = enabled - 1 < STATIONS ? (unsigned)enabled - 1 : STATIONS;
    uint8_t *stacks = memory_pages(bs, most * (size_t)STACK);
    if (!stacks) {
        report->why = "no memory for their stacks";
        return 0;
    }
    memset(stacks, FAULT_PAINT, most * (size_t)STACK);
    for (unsigned i = 0; i < most; i++)
        stations[i].stack = stacks + i * (size_t)STACK;
    /* The event, which never comes, makes the call return at once. */
    if (EFI_ERROR(bs->CreateEvent(0, 0, NULL, NULL, &done)) ||
        EFI_ERROR(mp->start_all(mp, arrive, FALSE, done, 0, NULL, NULL))) {
        report->why = "the firmware cannot start the others";
        return 0;
    }
    return most;
}

const struct cores *cores_start(EFI_BOOT_SERVICES *bs, struct clock *clock, struct cores_report *report) {
    *report = (struct cores_report){.used = 1};
    park_prepare();
    crew = (struct crew){.count = 1, .spins = SPINS, .sleep = sleep, .wake = wake, .part = guarded};
    unsigned expected = start_all(bs, report);
    uint64_t start = clock_us(clock);
    while (count_here(expected) < expected && clock_us(clock) - start < PATIENCE_US)
        __builtin_ia32_pause();
    take(expected, report);
    report->used = crew.count;
    cores = (struct cores){.ctx = &crew, .count = crew.count, .run = run};
    fault_settle_by(settle);
    return crew.count > 1 ? &cores : &cores_one;
}

void cores_show(const struct cores_report *report, struct text *out) {
    text_add_u64(out, report->used);
    if (report->present > 0) {
        text_add(out, " of ");
        text_add_u64(out, report->present);
    }
    if (report->why) {
        text_add(out, ": ");
        text_add(out, report->why);
    }
    if (report->late > 0) {
        text_add(out, "; not come: ");
        text_add_u64(out, report->late);
    }
    if (report->different > 0) {
        text_add(out, "; in another state: ");
        text_add_u64(out, report->different);
    }
}
