/* An EFI program that starts the cores, runs jobs on them, prints what it saw and switches the machine off: the objects
 * of the real one with this in place of main.c. */
#include "engine/text.h"
#include "uefi/avx.h"
#include "uefi/console.h"
#include "uefi/cores.h"
#include <stdbool.h>
#include <xmmintrin.h>

#define JOBS 20000u
#define MOST_US 2000000u /* for JOBS: a worker that must wait for a processor of the host takes its time */
#define SLEEPS 50u
#define LOOKS 4000u

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static struct clock clock;
static struct console console;

struct line {
    _Alignas(128) uint64_t times; /* this part ran */
    uint64_t seen;                /* of how many jobs it saw the writes of all parts */
    uint32_t mxcsr;
    float tiny;
};

static struct line lines[CORES_MAX];

/* Each part reads what all have written in jobs before; denormal numbers are kept. */
static void count(void *arg, unsigned part, unsigned parts) {
    volatile float smallest = 0x1p-126f;

    (void)parts;
    lines[part].times++;
    lines[part].mxcsr = _mm_getcsr() & ~0x3fu;
    lines[part].tiny = smallest * 0.5f;
    (void)arg;
}

static void look(void *arg, unsigned part, unsigned parts) {
    unsigned same = 0;

    (void)arg;
    for (unsigned p = 0; p < parts; p++)
        same += lines[p].times == lines[part].times;
    lines[part].seen += same == parts;
}

/* How many times: `jobs`, or fewer where they take too long */
static unsigned run_both(const struct cores *cores, unsigned jobs) {
    uint64_t start = clock_us(&clock);
    unsigned i = 0;

    for (; i < jobs && clock_us(&clock) - start < MOST_US; i++) {
        cores->run(cores->ctx, count, NULL);
        cores->run(cores->ctx, look, NULL);
    }
    return i;
}

static void nothing(void *arg, unsigned part, unsigned parts) { (void)arg, (void)part, (void)parts; }

static void say_number(const char *name, uint64_t number) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, name);
    text_add_u64(&line, number);
    console_write(&console, buffer, line.used);
}

static bool right(unsigned parts, uint64_t jobs) {
    for (unsigned p = 0; p < CORES_MAX; p++) {
        const struct line *l = &lines[p];
        if (l->times != (p < parts ? jobs : 0) || l->seen != l->times)
            return false;
        if (p < parts && (l->mxcsr != 0x1f80 || l->tiny != 0x1p-127f))
            return false;
    }
    return true;
}

/* ns a job, of the fastest of 20 times 100 */
static uint64_t time_awake(const struct cores *cores) {
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < 20; i++) {
        uint64_t start = clock_us(&clock);
        for (unsigned j = 0; j < 100; j++)
            cores->run(cores->ctx, nothing, NULL);
        uint64_t ns = (clock_us(&clock) - start) * 1000 / 100;
        best = ns < best ? ns : best;
    }
    return best;
}

/* us that a worker looks on before it halts, or so */
static uint64_t time_looks(void) {
    uint64_t start = clock_us(&clock);

    for (unsigned i = 0; i < LOOKS; i++)
        __builtin_ia32_pause();
    return clock_us(&clock) - start;
}

/* us that a job takes which finds all workers halted: the fastest, and the mean */
static uint64_t time_asleep(const struct cores *cores, EFI_BOOT_SERVICES *bs, uint64_t *mean) {
    uint64_t best = UINT64_MAX, sum = 0;

    for (unsigned i = 0; i < SLEEPS; i++) {
        bs->Stall(40000);
        uint64_t start = clock_us(&clock);
        cores->run(cores->ctx, nothing, NULL);
        uint64_t us = clock_us(&clock) - start;
        best = us < best ? us : best;
        sum += us;
    }
    *mean = sum / SLEEPS;
    return best;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st) {
    struct cores_report report;
    char buffer[160];
    struct text line = text_into(buffer, sizeof(buffer));

    st->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
    avx_enable();
    clock_open(&clock, st);
    console_open(&console, image, st, &clock);
    uint64_t start = clock_us(&clock);
    const struct cores *cores = cores_start(st->BootServices, &clock, &report);
    say_number("\n[probe] start_us=", clock_us(&clock) - start);
    unsigned jobs = run_both(cores, JOBS);
    say_number(" parts=", cores->count);
    say_number(" jobs=", jobs);
    say_number(" right=", right(cores->count, jobs));
    say_number(" looks_us=", time_looks());
    say_number(" job_ns=", time_awake(cores));
    uint64_t mean, best = time_asleep(cores, st->BootServices, &mean);
    say_number(" asleep_us=", best);
    say_number(" asleep_mean_us=", mean);
    jobs += run_both(cores, 1);
    say_number(" right_after=", right(cores->count, jobs));
    console_write(&console, "\n[cores] ", 9);
    cores_show(&report, &line);
    console_write(&console, buffer, line.used);
    console_write(&console, "\nidle\n", 6);
    while (console_read(&console) < 0)
        console_wait(&console);
    st->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
    return EFI_SUCCESS;
}
