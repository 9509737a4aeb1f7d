/* The EFI program: a console, a clock, the model that is linked in, and the chat. It owns the machine
 * from the first line on and ends by switching it off. */
#include "../engine/chat.h"
#include "../engine/text.h"
#include "../kernels/cpu.h"
#include "../kernels/select.h"
#include "avx.h"
#include "clock.h"
#include "console.h"
#include "memory.h"
#include "model_blob.h"
#include <efi.h>

#ifndef INGOT_VERSION
#error "compile with -DINGOT_VERSION=\"…\""
#endif

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st); /* called by gnu-efi's crt0 */

static struct clock clock;
static struct console console; /* too large for a stack, as is the model */
static struct model model;

static void platform_write(void *ctx, const char *text, size_t n) { console_write(ctx, text, n); }
static int platform_read(void *ctx) { return console_read(ctx); }
static void platform_wait(void *ctx) { console_wait(ctx); }
static void platform_clear(void *ctx) { console_clear(ctx); }
static uint64_t platform_now_us(void *ctx) { return clock_us(((struct console *)ctx)->clock); }
static void *platform_alloc(void *ctx, size_t bytes) {
    return memory_alloc(((struct console *)ctx)->bs, bytes);
}

static const struct platform platform = {
    .ctx = &console,
    .write = platform_write,
    .read = platform_read,
    .wait = platform_wait,
    .clear = platform_clear,
    .now_us = platform_now_us,
    .alloc = platform_alloc,
};

static void say(const char *text) { console_write(&console, text, text_length(text)); }

static void say_boot(const char *clock_source) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, "\n[boot] ingot " INGOT_VERSION " clock=");
    text_add(&line, clock_source);
    text_add(&line, " serial=");
    text_add_u64(&line, console.serial.lines);
    text_add(&line, " screens=");
    text_add_u64(&line, console.screen.outs);
    text_add(&line, "\n");
    say(buffer);
}

/* Loads, chooses the kernels and talks until the user leaves. */
static enum status chat(struct error *error) {
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
    size_t size = (size_t)(model_blob_end - model_blob_start);
    enum status status = model_load(&model, model_blob_start, size, error);
    if (status == OK)
        status = kernels_select(&selection, "auto", usable, platform.now_us, platform.ctx, error);
    if (status != OK)
        return status;
    struct chat_host host = {
        .platform = &platform,
        .kernels = selection.chosen,
        .cpu = cpu,
        .keys = "Backspace erases; leaving powers off",
        .settings = settings_default(),
    };
    return chat_run(&host, &model, error);
}

/* Stays readable until somebody has read it. */
static void say_failure(const struct error *error) {
    say("error: ");
    say(error->text);
    say("\nhint: build the image anew, or give the machine more memory (mem=4G); a key powers off\n");
    while (console_read(&console) < 0)
        console_wait(&console);
}

static void power_off(EFI_SYSTEM_TABLE *st) {
    st->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
    say("This machine cannot switch itself off. It is safe to do so now.\n"); /* the call returned */
    for (;;)
        console_wait(&console);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st) {
    struct error error;

    st->BootServices->SetWatchdogTimer(0, 0, 0, NULL); /* else the firmware resets us in five minutes */
    avx_enable();
    const char *source = clock_open(&clock, st);
    console_open(&console, image, st, &clock);
    say_boot(source);
    if (chat(&error) != OK)
        say_failure(&error);
    power_off(st);
    return EFI_SUCCESS;
}
