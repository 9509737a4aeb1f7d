#include "console.h"
#include <immintrin.h>

#define TICK_100NS 50000u /* 5 ms; firmware rounds up to its own tick, mostly 10 ms */
#define SPIN_US 20000u    /* after a byte the next one is near: a paste fills a serial FIFO in 1.4 ms */

#define FIFO_BYTES 16u    /* sent while as many are received, which is what a serial port keeps */

static const char CLEAR_TERMINAL[] = "\x1b[2J\x1b[H";

void console_open(struct console *c, EFI_HANDLE image, EFI_SYSTEM_TABLE *st, struct clock *clock) {
    c->bs = st->BootServices;
    c->clock = clock;
    c->input.head = c->input.tail = 0;
    c->last_us = 0;
    serial_open(&c->serial, image, c->bs);
    screen_open(&c->screen, st, c->serial.lines == 0);
    keyboard_open(&c->keyboard, st);
    if (EFI_ERROR(c->bs->CreateEvent(EVT_TIMER, 0, NULL, NULL, &c->tick)) ||
        EFI_ERROR(c->bs->SetTimer(c->tick, TimerPeriodic, TICK_100NS)))
        c->tick = NULL;
}

static void poll(struct console *c) {
    uint32_t before = c->input.tail;

    serial_poll(&c->serial, &c->input);
    keyboard_poll(&c->keyboard, &c->input);
    if (c->input.tail != before)
        c->last_us = clock_us(c->clock);
}

void console_write(struct console *c, const char *text, size_t n) {
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < FIFO_BYTES ? n - i : FIFO_BYTES;
        serial_write(&c->serial, text + i, m);
        serial_poll(&c->serial, &c->input);
    }
    screen_write(&c->screen, text, n);
    serial_poll(&c->serial, &c->input); /* drawing takes its time, and a serial FIFO is short */
}

int console_read(struct console *c) {
    poll(c);
    return queue_take(&c->input);
}

void console_wait(struct console *c) {
    UINTN index;

    poll(c);
    if (queue_room(&c->input) < QUEUE_BYTES)
        return;
    if (c->tick && clock_us(c->clock) - c->last_us > SPIN_US)
        c->bs->WaitForEvent(1, &c->tick, &index);
    else
        _mm_pause();
}

void console_clear(struct console *c) {
    serial_write(&c->serial, CLEAR_TERMINAL, sizeof(CLEAR_TERMINAL) - 1);
    screen_clear(&c->screen);
}
