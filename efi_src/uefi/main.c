/* The EFI program: a console, a clock, the models that it was built for (library.h), and the chat. It owns the
 * machine from the first line on and ends by switching it off. */
#include "../engine/chat.h"
#include "../engine/text.h"
#include "../kernels/cpu.h"
#include "../kernels/select.h"
#include "avx.h"
#include "clock.h"
#include "console.h"
#include "cores.h"
#include "disk.h"
#include "failure.h"
#include "fault.h"
#include "library.h"
#include "memory.h"
#include "picture.h"
#include "secure_boot.h"
#include "zonec.h"
#include <efi.h>
#include <stdbool.h>

#ifndef INGOT_VERSION
#error "compile with -DINGOT_VERSION=\"…\""
#endif

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st); /* called by gnu-efi's crt0 */

static struct clock clock;
static struct console console; /* too large for a stack, as is the model */
static struct model model;
static struct library library;

static void platform_write(void *ctx, const char *text, size_t n) { console_write(ctx, text, n); }
static int platform_read(void *ctx) { return console_read(ctx); }
static void platform_wait(void *ctx) { console_wait(ctx); }
static void platform_clear(void *ctx) { console_clear(ctx); }
static uint64_t platform_now_us(void *ctx) { return clock_us(((struct console *)ctx)->clock); }
static void *platform_alloc(void *ctx, size_t bytes) {
    return memory_alloc(((struct console *)ctx)->bs, bytes);
}
static void platform_release(void *ctx, void *memory, size_t bytes) {
    memory_free(((struct console *)ctx)->bs, memory, bytes);
}
static uint64_t platform_memory_free(void *ctx, uint64_t *largest) {
    return memory_left(((struct console *)ctx)->bs, largest);
}

static const struct platform platform = {
    .ctx = &console,
    .write = platform_write,
    .read = platform_read,
    .wait = platform_wait,
    .clear = platform_clear,
    .now_us = platform_now_us,
    .alloc = platform_alloc,
    .release = platform_release,
    .memory_free = platform_memory_free,
    .file_size = disk_size,
    .file_read = disk_read,
    .file_write = disk_write,
    .guard = fault_guard,
    .fault_report = fault_report,
    .show_picture = picture_show,
};

static void say(const char *text) { console_write(&console, text, text_length(text)); }

static void say_boot(const char *clock_source, bool secure_boot) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, "\n[boot] ingot " INGOT_VERSION " clock=");
    text_add(&line, clock_source);
    text_add(&line, " serial=");
    text_add_u64(&line, console.serial.lines);
    text_add(&line, " screens=");
    text_add_u64(&line, console.screen.outs);
    text_add(&line, secure_boot ? " secure_boot=on\n" : " secure_boot=off\n");
    say(buffer);
}

/* From here on the firmware's other cores are ours. */
static const struct cores *start_cores(EFI_BOOT_SERVICES *bs) {
    char buffer[160];
    struct text line = text_into(buffer, sizeof(buffer));
    struct cores_report report;
    const struct cores *cores = cores_start(bs, &clock, &report);

    text_add(&line, "[cores] ");
    cores_show(&report, &line);
    text_add(&line, "\n");
    say(buffer);
    return cores;
}

/* Chooses the kernels and talks until the user leaves; the chat opens the first model. */
static enum status chat(EFI_HANDLE image, EFI_SYSTEM_TABLE *st, struct failure *failure) {
    static char cpu[192];
    char features[96];
    struct text line = text_into(cpu, sizeof(cpu));
    struct cpu_leaves leaves = cpu_detect();
    struct selection selection;
    uint32_t usable = cpu_features(&leaves);

    cpu_features_text(usable, features, sizeof(features));
    text_add(&line, "vendor=");
    text_add_name(&line, leaves.vendor, text_length(leaves.vendor));
    text_add(&line, " features=");
    text_add(&line, features);
    failure->hint = "build the image anew: ./doit";
    enum status status = library_find(&library, image, st->BootServices, &platform, usable, &failure->error);
    if (status == OK)
        status = kernels_select(&selection, "auto", usable, platform.now_us, platform.ctx, &failure->error);
    if (status != OK)
        return status;
    struct chat_host host = {
        .platform = &platform,
        .kernels = selection.chosen,
        .cores = start_cores(st->BootServices),
        .features = usable,
        .cpu = cpu,
        .version = INGOT_VERSION,
        .keys = "Backspace erases; leaving powers off",
        .settings = settings_default(),
        .log = zonec_log(),
        .last_log = zonec_last(),
    };
    const struct models models = library_models(&library);
    status = chat_run(&host, &models, &model, &failure->error);
    failure->hint = library.hint ? library.hint : LIBRARY_MEMORY;
    return status;
}

/* Stays readable until somebody has read it. Scripted boots look for these two lines
 * (toolchain/qemu/protocol.py). */
static void say_failure(const struct failure *failure) {
    say("error: ");
    say(failure->error.text);
    say("\nhint: ");
    say(failure->hint);
    say("; a key powers off\n");
    while (console_read(&console) < 0)
        console_wait(&console);
}

static void power_off(EFI_SYSTEM_TABLE *st) {
    st->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
    say("This machine cannot switch itself off. It is safe to do so now.\n"); /* the call returned */
    for (;;)
        console_wait(&console);
}

/* chat, as fault_guard calls it */
struct program {
    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *st;
    struct failure *failure;
};

static enum status run(void *arg) {
    const struct program *program = arg;

    return chat(program->image, program->st, program->failure);
}

/* An exception outside a turn ends the program, with what is known of it. */
static void say_fault(struct failure *failure, const struct error *error) {
    say(fault_report(NULL));
    failure->error = *error;
    failure->hint = "this is a bug, or the machine is damaged: report the lines above";
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st) {
    struct failure failure;
    struct error fault;
    struct program program = {image, st, &failure};

    st->BootServices->SetWatchdogTimer(0, 0, 0, NULL); /* else the firmware resets us in five minutes */
    avx_enable();
    const char *source = clock_open(&clock, st);
    console_open(&console, image, st, &clock);
    disk_open(image, st->BootServices);
    zonec_open(st->BootServices);
    picture_open(st);
    say_boot(source, secure_boot_on(st));
    fault_open(image, st->BootServices);
    enum status status = fault_guard(NULL, run, &program, &fault);
    if (status == E_FAULT)
        say_fault(&failure, &fault);
    if (status != OK)
        say_failure(&failure);
    power_off(st);
    return EFI_SUCCESS;
}
